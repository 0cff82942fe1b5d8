// A stage that is dragged to another place in its chain: its card goes along, and a bar shows where it would
// go.

import { gapAt, place } from "./chain_layout.js";
import { find } from "./elements.js";

const NEAR_EDGE = 36; // px from the upper or lower edge where dragging scrolls
const SCROLLS = 14; // px

export class StageDrag {
  /** @param {StageGraph} graph */
  constructor(graph) {
    this.graph = graph;
    this.id = 0; // of the stage that is dragged
    this.to = -1; // the position where it would go
    this.cancelled = 0; // the id of a stage whose drag was cancelled, until it is let go
  }

  /**
   * A stage is dragged over a point.
   * @param {number} id
   * @param {Pan} point
   */
  over(id, point) {
    const { graph } = this,
      card = graph.liOf(id);
    if (!card) return;
    if (this.cancelled === id) return this.putBack(id);
    if (this.id !== id) this.begin(id, card);
    const { layout } = graph.viewport;
    card.style.left = `${point.x - layout.card.width / 2}px`;
    card.style.top = `${point.y - layout.card.height / 2}px`;
    const gap = gapAt(layout, point),
      from = this.from;
    this.to = gap.index > from ? gap.index - 1 : gap.index;
    this.mark.hidden = this.to === from;
    const { width, height } = layout.card,
      size = layout.isStack ? { width: width + 12, height: 6 } : { width: 6, height: height + 12 };
    Object.assign(this.mark.style, {
      left: `${gap.x}px`,
      top: `${gap.y}px`,
      width: `${size.width}px`,
      height: `${size.height}px`,
    });
    this.mark.dataset.place = `Stage ${this.to + 1}`;
    this.scroll(point);
  }

  /**
   * @param {number} id
   * @param {El} card
   */
  begin(id, card) {
    const { graph } = this;
    this.id = id;
    graph.tip.hide();
    graph.renderer?.loosen(id, true);
    card.classList.add("pw-dragged");
    graph.layer.classList.add("pw-dragging");
    addEventListener("keydown", this.press, true);
  }

  /**
   * Escape puts the stage back where it was, wherever the focus is; no key reaches the notebook meanwhile.
   * @param {KeyboardEvent} event
   */
  press = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.key !== "Escape" || !this.id) return;
    const { id } = this;
    this.to = this.from;
    this.drop(id);
    this.cancelled = id;
  };

  get mark() {
    return find(this.graph.layer, ".pw-dropmark");
  }

  /** From which position it is dragged. */
  get from() {
    return this.graph.stages.findIndex((stage) => stage.id === this.id);
  }

  /**
   * At the upper or lower edge the chain scrolls.
   * @param {Pan} point
   */
  scroll({ y }) {
    const { viewport } = this.graph,
      seen = y * viewport.zoom - viewport.top;
    if (seen < NEAR_EDGE) this.graph.scrollBy(-SCROLLS);
    else if (seen > viewport.height - NEAR_EDGE) this.graph.scrollBy(SCROLLS);
  }

  /**
   * Where the renderer has a stage that is no longer dragged, while the pointer goes on.
   * @param {number} id
   */
  putBack(id) {
    const { renderer, stages, viewport } = this.graph,
      at = stages.findIndex((stage) => stage.id === id);
    if (at >= 0) renderer?.place(id, place(viewport.layout, at));
  }

  /**
   * A stage is let go: it goes where the bar was, or back.
   * @param {number} id
   */
  drop(id) {
    const { graph, from, to } = this;
    if (this.cancelled === id) {
      this.cancelled = 0;
      return this.putBack(id);
    }
    if (this.id !== id) return;
    removeEventListener("keydown", this.press, true);
    this.id = 0;
    this.mark.hidden = true;
    graph.renderer?.loosen(id, false);
    graph.layer.classList.remove("pw-dragging");
    const card = graph.liOf(id);
    card?.classList.remove("pw-dragged");
    if (from < 0) return;
    const { layout } = graph.viewport,
      home = place(layout, from);
    if (card) {
      card.style.left = `${home.x - layout.card.width / 2}px`;
      card.style.top = `${home.y - layout.card.height / 2}px`;
    }
    graph.renderer?.place(id, home);
    if (to !== from) graph.on.move(id, to);
  }
}
