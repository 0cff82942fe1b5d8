// Several rows of a list, selected for one action.

import { openMenu } from "./dialogs.js";
import { button, html } from "./elements.js";
import { count, isolated } from "./text.js";
import { live } from "./vendor/lit.js";

/** @template {ListRow} R */
export class RowSelection {
  /** @param {PagedTable<R>} table */
  constructor(table) {
    this.table = table;
    /** @type {Set<number>} */
    this.ids = new Set();
    this.last = 0; // the id of the row that was selected last, from which Shift selects
  }

  /** The rows that are selected, in their order; what is no longer there is left out. */
  get rows() {
    return this.table.rows.filter(({ id }) => this.ids.has(id));
  }

  /** Forget what is not on the page any more. */
  prune() {
    const here = new Set(this.table.rows.map(({ id }) => id));
    for (const id of this.ids) if (!here.has(id)) this.ids.delete(id);
  }

  /**
   * The box of a row.
   * @param {R} row
   */
  box({ id, name }) {
    return html`<input type="checkbox" class="pw-pt-box" data-f=${`select-${id}`}
      aria-label=${`Select ${isolated(name)}`} .checked=${live(this.ids.has(id))}
      @click=${(event) => this.press(id, event.currentTarget.checked, event.shiftKey)} />`;
  }

  /** The box that selects all rows of the page. */
  boxOfAll() {
    const { length } = this.table.rows,
      some = this.ids.size;
    return html`<input type="checkbox" class="pw-pt-box" data-f="select-all"
      aria-label=${`Select all ${this.table.noun}s of this page`}
      .checked=${live(some === length && length > 0)} .indeterminate=${live(some > 0 && some < length)}
      @click=${() => this.selectAll(some < length)} />`;
  }

  /**
   * @param {number} id
   * @param {boolean} on
   * @param {boolean} range
   */
  press(id, on, range) {
    const all = this.table.rows.map((row) => row.id);
    const [from, to] = [all.indexOf(range ? this.last : id), all.indexOf(id)];
    const [low, high] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
    for (const each of all.slice(low, high + 1)) {
      if (on) this.ids.add(each);
      else this.ids.delete(each);
    }
    this.last = id;
    this.changed();
  }

  /** @param {boolean} on */
  selectAll(on) {
    this.ids = new Set(on ? this.table.rows.map(({ id }) => id) : []);
    this.changed();
  }

  changed() {
    this.table.frame.announce(
      `${this.ids.size} of ${count(this.table.rows.length, this.table.noun)} selected.`,
    );
    this.table.draw();
  }

  /** @param {El} pressed */
  compare = (pressed) => {
    const ids = this.rows.map(({ id }) => id);
    this.table.frame.run("compare", { ids }, pressed);
  };

  /** What stands in the place of the list's own tools while rows are selected. */
  bar() {
    return html`<div class="pw-pt-selected" role="group" aria-label="Selection">
      <strong>${this.ids.size} selected</strong>
      ${
        this.table.model.get("compares")
          ? button({ label: "Compare in Results", glyph: "compare", f: "compare", onclick: this.compare })
          : null
      }
      ${button({
        label: "Actions",
        glyph: "down",
        popup: true,
        expanded: false,
        f: "selected",
        onclick: (opener) => openMenu(opener, this.table.actsOnSeveral(this.rows)),
      })}
      ${button({ label: "Clear selection", f: "unselect", onclick: () => this.selectAll(false) })}
    </div>`;
  }
}
