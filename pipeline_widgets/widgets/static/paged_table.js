// A list of a page of rows. Python searches, sorts and pages; a row can be expanded. A subclass says what a
// row shows.

import { draw, find, focused, focusOn, html } from "./elements.js";
import { Frame } from "./frame.js";
import { sentence } from "./line.js";
import { hasPages, pageTurner } from "./pages.js";
import { RowSelection } from "./row_selection.js";
import { refocusRow } from "./table_focus.js";
import { nameLine, noRows, rowMenuButton, rowOpener } from "./table_row.js";
import { TableSearch } from "./table_search.js";
import { columnHead } from "./tables.js";
import { capital, count, inFull, isolated } from "./text.js";
import { repeat } from "./vendor/lit.js";

/** @template {ListRow} R */
export class PagedTable {
  /**
   * `noun` is what a row is, and the name of its id in commands; with `several` rows can be selected; with
   * `filters` the search is a filter.
   * @param {{ model: Model, el: El, name: string, noun: string, kind: string, columns: Column[],
   *   watched: string[], several?: boolean, filters?: boolean }} options
   */
  constructor({ model, el, name, noun, kind, columns, watched, several, filters = several }) {
    this.model = model;
    this.noun = noun;
    this.kind = kind;
    this.columns = columns;
    this.frame = new Frame({ model, el, name });
    /** @type {Map<number, boolean>} */
    this.wanted = new Map(); // by id: whether its row shall be expanded, until Python has it so
    /** @type {Set<number>} */
    this.open = new Set(); // the ids of the rows that are expanded
    /** @type {Map<number, { show: (row: R) => Content, end: () => void }>} */
    this.insides = new Map(); // by id: what an expanded row holds
    /** @type {Map<number, DescriptionDraft>} */
    this.drafts = new Map(); // by id: the description that is being typed
    /** @type {Set<number>} */
    this.news = new Set(); // the ids of rows that came while this view was there
    /** @type {{ id: number, focus: boolean } | null} */
    this.landing = null;
    this.drawing = false;
    this.selection = several ? new RowSelection(this) : null;
    this.search = new TableSearch({
      label: `${filters ? "Filter" : "Search"} ${noun}s`,
      ask: (text) => this.askPage({ search: text }),
      failed: (error) => this.failed(error),
      shown: () => this.draw(),
      fields: filters ? () => this.frame.line.ask("filter_fields") : undefined,
    });
    for (const trait of ["rows", "page", ...watched]) this.frame.on(`change:${trait}`, () => this.draw());
    this.frame.undo.push(
      () => this.search.end(),
      () => this.endInsides(),
    );
  }

  get rows() {
    return /** @type {R[]} */ (this.model.get("rows"));
  }

  get page() {
    return this.model.get("page");
  }

  get table() {
    return find(this.frame.body, ".pw-pt-table");
  }

  get lines() {
    return find(this.table, "tbody");
  }

  // ---- what a list says of itself

  /** @returns {Content} */
  tools() {
    return null;
  }

  /** @returns {Set<number>} */
  expanded() {
    return new Set();
  }

  /** @returns {{ holds: string, nothing: [title: string, ...more: Content[]] }} */
  empty() {
    throw new Error("A list says what it shows instead of rows.");
  }

  /**
   * @param {R} _row
   * @returns {Content}
   */
  cells(_row) {
    throw new Error("A list says what its rows show.");
  }

  /**
   * @param {number} _id
   * @returns {{ show: (row: R) => Content, end: () => void }}
   */
  makeInside(_id) {
    throw new Error("A list makes what expanded rows hold.");
  }

  /** @param {R} _row */
  kindOfLine(_row) {
    return "";
  }

  /**
   * @param {R} row
   * @param {Content} after
   * @param {Content} [edit]
   */
  nameLine(row, after, edit) {
    return nameLine(this, row, after, edit);
  }

  /** Whether it shows rows only: no search, no sorting. */
  get plain() {
    return false;
  }

  get shownColumns() {
    return this.columns;
  }

  /**
   * What can be done with several rows.
   * @param {R[]} _rows
   * @returns {(MenuItem | null)[]}
   */
  actsOnSeveral(_rows) {
    return [];
  }

  // ---- drawing

  draw() {
    const { page, rows } = this;
    this.selection?.prune();
    this.open = this.expanded();
    for (const [id, open] of this.wanted) if (this.open.has(id) === open) this.wanted.delete(id);
    this.endInsides(new Set(rows.filter(({ id }) => this.isOpen(id)).map(({ id }) => id)));
    const before = this.frame.body.firstElementChild && this.table.contains(focused()) ? focused() : null;
    const at = before ? rows.findIndex((row) => this.lineOf(row.id)?.contains(before)) : -1;
    this.search.show(page.search);
    this.drawing = true; // a line that is moved blurs what is in it
    this.drawBody(page, rows);
    this.drawing = false;
    if (before && focused() !== before) refocusRow(this, before, at);
    this.land();
  }

  /**
   * @param {Page} page
   * @param {R[]} rows
   */
  drawBody(page, rows) {
    draw(this.frame.body, this.list(page, rows));
  }

  /**
   * The tools, the table or what is shown in its place, and the pages.
   * @param {Page} page
   * @param {R[]} rows
   */
  list(page, rows) {
    const all = count(page.all, this.noun),
      shown = page.search ? `${inFull(page.total)} of ${all}` : all;
    return html`<div class="pw-pt-bar" ?hidden=${this.plain || !page.all}>
        ${this.selection?.ids.size ? this.selection.bar() : this.tools()}${this.search.box()}
        <div class="pw-pt-count pw-soft" role="status">${shown}</div>
      </div>
      <div class="pw-pt-scroll">
        <table class=${`pw-table pw-pt-table ${this.kind}`} aria-label=${capital(`${this.noun}s`)}
          ?hidden=${!rows.length}>
          <thead><tr>${this.shownColumns.map((column) => this.head(column, page))}</tr></thead>
          <tbody>
            ${repeat(
              rows.flatMap((row) => (this.isOpen(row.id) ? [{ row }, { row, inside: true }] : [{ row }])),
              ({ row, inside }) => (inside ? `in-${row.id}` : row.id),
              ({ row, inside }) => (inside ? this.insideLine(row) : this.line(row)),
            )}
          </tbody>
        </table>
      </div>
      <div class="pw-empty" ?hidden=${rows.length > 0}>${rows.length ? null : noRows(this, page)}</div>
      <nav class="pw-pt-pages" aria-label="Pages" ?hidden=${!hasPages(page)}>
        ${hasPages(page) ? this.pages(page, rows.length) : null}
      </nav>`;
  }

  /**
   * @param {Page} page
   * @param {number} shown
   */
  pages(page, shown) {
    return pageTurner(
      page,
      shown,
      (by, el) => this.turn(by, el),
      (size, el) => this.query({ size }, el),
    );
  }

  /**
   * @param {Column} column
   * @param {Page} page
   */
  head(column, page) {
    const before = column === this.columns[0] ? this.selection?.boxOfAll() : null,
      shown = this.plain ? { ...column, sort: undefined } : { ...column, before };
    return columnHead(shown, page, ["pw-pt-sort", "pw-pt-arrow"], (wanted, el) => this.query(wanted, el));
  }

  /** @param {R} row */
  line(row) {
    const open = this.isOpen(row.id) ? " pw-pt-is-open" : "",
      kind = `pw-pt-row${this.kindOfLine(row)}${open}${this.news.has(row.id) ? " pw-pt-new" : ""}`;
    return html`<tr class=${kind} data-key=${row.id}>${this.cells(row)}</tr>`;
  }

  /** @param {R} row */
  insideLine(row) {
    const inside = this.insides.get(row.id) ?? this.makeInside(row.id);
    this.insides.set(row.id, inside);
    return html`<tr class="pw-pt-inside">
      <td colspan=${this.shownColumns.length}>${inside.show(row)}</td>
    </tr>`;
  }

  /** Show where a new row is, once it is there. */
  land() {
    const { landing } = this,
      line = landing && this.lineOf(landing.id);
    if (!line) return;
    this.landing = null;
    this.news.add(landing.id);
    line.classList.add("pw-pt-new");
    line.scrollIntoView({ block: "nearest" });
    if (landing.focus) focusOn(find(line, ".pw-pt-open"));
  }

  /**
   * @param {Named} options
   * @param {string} said
   * @param {boolean} [focus]
   */
  arrive({ id }, said, focus = true) {
    this.frame.announce(said);
    this.landing = { id, focus };
    this.draw();
  }

  // ---- rows

  /** @param {number} id */
  row(id) {
    return this.rows.find((row) => row.id === id);
  }

  /** @param {number} id */
  nameOf(id) {
    return isolated(this.row(id)?.name ?? "It");
  }

  /** @param {number} id */
  lineOf(id) {
    return this.lines.querySelector(`:scope > [data-key="${id}"]`);
  }

  /** @param {number} id */
  isOpen(id) {
    return this.wanted.get(id) ?? this.open.has(id);
  }

  /** @param {R} row */
  opener(row) {
    return rowOpener(this, row);
  }

  /**
   * @param {R} row
   * @param {(opener: El) => void} onclick
   */
  menuButton(row, onclick) {
    return rowMenuButton(row, onclick);
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async toggle(id, pressed) {
    const open = !this.isOpen(id);
    this.wanted.set(id, open);
    this.draw();
    if ((await this.frame.run(open ? "expand" : "collapse", { [this.noun]: id }, pressed)) !== undefined)
      return;
    this.wanted.delete(id);
    this.draw();
  }

  /** End what expanded rows hold, but for those that stay. */
  endInsides(stay = new Set()) {
    for (const [id, inside] of this.insides) {
      if (stay.has(id)) continue;
      inside.end();
      this.insides.delete(id);
    }
  }

  // ---- which page

  /**
   * @param {number} by
   * @param {El} pressed
   */
  async turn(by, pressed) {
    if (await this.query({ page: this.page.page + by }, pressed))
      find(this.frame.body, ".pw-pt-bar").scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {Args} wanted
   * @param {El} [pressed]
   */
  query(wanted, pressed) {
    this.landing = null;
    return this.frame.run("query", wanted, pressed);
  }

  /**
   * Ask for a page, and leave what goes wrong to who asks.
   * @param {Args} wanted
   */
  askPage(wanted) {
    this.landing = null;
    return this.frame.line.ask("query", wanted);
  }

  /** @param {unknown} error */
  failed(error) {
    this.frame.notice(sentence(error), "error");
  }
}
