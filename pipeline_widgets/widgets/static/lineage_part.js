// The lineage of a run or an agent; it is read when the part is opened.

import { draw, html, make } from "./elements.js";
import { LineageGraph } from "./lineage_graph.js";

export class LineagePart {
  /**
   * @param {Frame} frame
   * @param {ConstructorParameters<typeof LineageGraph>[0]} on
   * @param {"run" | "agent"} [kind] What it is of.
   */
  constructor(frame, on, kind = "run") {
    this.frame = frame;
    this.kind = kind;
    this.of = 0;
    this.shown = "";
    this.graph = new LineageGraph(on);
    this.el = make(html`<details class="pw-lineage-part"><summary>Lineage</summary><div></div></details>`);
    this.el.addEventListener("toggle", () => this.read());
  }

  /**
   * Show the part for a run or an agent; with another status of it there may be more to tell.
   * @param {{ id: number, status: string } | null} subject
   */
  show(subject) {
    const shown = subject ? `${subject.id} ${subject.status}` : "";
    if (shown === this.shown) return;
    if (subject?.id !== this.of) this.draw(null);
    Object.assign(this, { of: subject?.id ?? 0, shown });
    this.read();
  }

  async read() {
    const { kind, of } = this;
    if (!of || !(/** @type {HTMLDetailsElement} */ (this.el).open)) return;
    const told = await this.frame.run("lineage", { [kind]: of });
    if (told && of === this.of) this.draw(told);
  }

  /** @param {Lineage | null} told */
  draw(told) {
    draw(/** @type {HTMLElement} */ (this.el.lastElementChild), this.graph.show(told));
  }
}
