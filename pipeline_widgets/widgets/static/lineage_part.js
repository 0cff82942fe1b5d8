// The lineage of the run of a stage; it is read when the part is opened.

import { draw, html, make } from "./elements.js";
import { LineageGraph } from "./lineage_graph.js";

export class LineagePart {
  /**
   * @param {Frame} frame
   * @param {ConstructorParameters<typeof LineageGraph>[0]} on
   */
  constructor(frame, on) {
    this.frame = frame;
    this.run = 0;
    this.shown = "";
    this.graph = new LineageGraph(on);
    this.el = make(html`<details class="pw-lineage-part"><summary>Lineage</summary><div></div></details>`);
    this.el.addEventListener("toggle", () => this.read());
  }

  /**
   * Show the part for a run; with another status of it there may be more to tell.
   * @param {{ id: number, status: string } | null} run
   */
  show(run) {
    const shown = run ? `${run.id} ${run.status}` : "";
    if (shown === this.shown) return;
    if (run?.id !== this.run) this.draw(null);
    Object.assign(this, { run: run?.id ?? 0, shown });
    this.read();
  }

  async read() {
    const { run } = this;
    if (!run || !(/** @type {HTMLDetailsElement} */ (this.el).open)) return;
    const told = await this.frame.run("lineage", { run });
    if (told && run === this.run) this.draw(told);
  }

  /** @param {Lineage | null} told */
  draw(told) {
    draw(/** @type {HTMLElement} */ (this.el.lastElementChild), this.graph.show(told));
  }
}
