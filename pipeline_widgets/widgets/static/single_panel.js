// One thing by itself, which a list shows as a row: what a row's parts ask of whatever they stand in.

import { draw, html } from "./elements.js";
import { Frame } from "./frame.js";

/** @template {ListRow} R */
export class SinglePanel {
  /** @param {{ model: Model, el: El, noun: string }} options */
  constructor({ model, el, noun }) {
    this.model = model;
    this.noun = noun;
    this.frame = new Frame({ model, el, name: noun });
    this.frame.body.classList.add("pw-single");
  }

  get rows() {
    return /** @type {R[]} */ (this.model.get("rows"));
  }

  get page() {
    return this.model.get("page");
  }

  get lines() {
    return this.frame.body;
  }

  /** @param {number} id */
  row(id) {
    return this.rows.find((row) => row.id === id);
  }

  draw() {
    const [row] = this.rows,
      gone = html`<div class="pw-empty"><strong>This ${this.noun} was deleted</strong></div>`;
    draw(this.frame.body, row ? this.shown(row) : gone);
  }

  /**
   * What is shown. For subclasses.
   * @param {R} _row
   * @returns {Content}
   */
  shown(_row) {
    throw new TypeError("A subclass says what it shows.");
  }
}
