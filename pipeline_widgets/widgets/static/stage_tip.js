// What the card of a stage says, whole: beside it, where the mouse rests on it, or where it has the focus and
// something is cut off.

import { draw, html, make, placeBelow } from "./elements.js";
import { describeStage, stateWords } from "./stage_bubble.js";
import { asSentence, isolated } from "./text.js";

const RESTS = 400; // ms

export class StageTip {
  /** @param {StageGraph} graph */
  constructor(graph) {
    this.graph = graph;
    this.timer = 0;
    /** @type {El | null} */
    this.el = null;
  }

  /**
   * The mouse has come to a stage.
   * @param {number} id
   */
  soon(id) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.show(id), RESTS);
  }

  /**
   * A key has brought the focus to a stage.
   * @param {number} id
   */
  atFocus(id) {
    const parts = this.graph.liOf(id)?.querySelectorAll(".pw-bubble-name, .pw-bubble-cut") ?? [];
    if ([...parts].some((part) => part.scrollWidth > part.clientWidth)) this.show(id);
    else this.hide();
  }

  /** @param {number} id */
  show(id) {
    this.hide();
    const stage = this.graph.stages.find((each) => each.id === id),
      card = this.graph.liOf(id);
    if (!stage || !card?.isConnected || this.graph.ended) return;
    this.el = make(html`<div class="pw-explained pw-tip" role="tooltip" popover="manual"></div>`);
    draw(this.el, stageTip(stage, describeStage(stage, this.graph.evaluator)));
    this.graph.box.append(this.el);
    this.el.showPopover();
    placeBelow(this.el, card.getBoundingClientRect(), 0);
  }

  hide() {
    clearTimeout(this.timer);
    this.el?.remove();
    this.el = null;
  }
}

/**
 * @param {Stage} stage
 * @param {string} more
 */
function stageTip(stage, more) {
  const reasons = [...(stage.stale ?? []), stage.held ? `Held: ${stage.held}` : ""].filter(Boolean);
  return html`<strong>${isolated(stage.name)}</strong>
    <div>${stateWords(stage).join(", ")}</div>
    ${more ? html`<div>${more}</div>` : null}
    ${reasons.map((reason) => html`<div>${asSentence(reason)}</div>`)}`;
}
