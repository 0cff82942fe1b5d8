// Where one is in a chain of several rows: the number of the selected stage, a list to jump by, and a map of
// all stages with their statuses.

import { button, draw, find, html, make } from "./elements.js";
import { stageWords } from "./stage_bubble.js";
import { openStageJump } from "./stage_jump.js";
import { StageMap } from "./stage_map.js";
import { inFull } from "./text.js";

export class StagePosition {
  /**
   * `choose` selects a stage and goes there; `select` selects it.
   * @param {{ choose: (id: number) => void, select: (id: number) => void }} options
   */
  constructor({ choose, select }) {
    this.choose = choose;
    /** @type {Stage[]} */
    this.stages = [];
    this.selected = 0;
    this.isWrapped = this.isList = false;
    this.map = new StageMap({ select });
    this.el = make(
      html`<div class="pw-position" role="group" aria-label="Position in the chain" hidden></div>`,
    );
  }

  /**
   * @param {Stage[]} stages
   * @param {number} selected
   * @param {boolean} wrapped Whether the chain has more than one row; else all of it is seen at a glance.
   */
  show(stages, selected, wrapped) {
    this.stages = stages;
    this.selected = selected;
    this.isWrapped = wrapped;
    this.showAs(this.isList);
    if (!wrapped) return;
    const at = stages.findIndex(({ id }) => id === selected),
      all = inFull(stages.length);
    draw(this.el, [
      button({
        label: at < 0 ? `${all} stages` : `Stage ${inFull(at + 1)} of ${all}`,
        glyph: "down",
        title: "Go to a stage",
        kind: "pw-jump",
        f: "jump",
        onclick: (opener) => this.jump(opener),
      }),
      this.map.el,
    ]);
    find(this.el, ".pw-jump").setAttribute("aria-haspopup", "dialog");
    this.map.show(stages, at, at < 0 ? "No stage is selected" : stageWords(stages[at]));
  }

  /**
   * A list of the stages needs none of it.
   * @param {boolean} list
   */
  showAs(list) {
    this.isList = list;
    this.el.hidden = list || !this.isWrapped;
  }

  /**
   * Which share of the chain is seen, from one to the other.
   * @param {number} from
   * @param {number} to
   */
  seen(from, to) {
    if (!this.el.hidden) this.map.seen(from, to);
  }

  /** @param {El} opener */
  jump(opener) {
    openStageJump({ opener, stages: this.stages, selected: this.selected, choose: this.choose });
  }

  end() {
    this.map.end();
  }
}
