// A list of a page of rows. Python searches, sorts and pages; a row can be expanded. A subclass says what a
// row shows: makeRow(id), showRow(line, row), makeInside(id), showInside(line, row), tools(), empty(), and
// `nouns`.

import { button, h, icon, keyed, redraw, setText } from "./elements.js";
import { Frame } from "./frame.js";
import { columnHead, pageTurner } from "./pages.js";
import { inFull, isolated } from "./text.js";

const TABLE_PAUSE = 200; // ms without a key after which a search is asked for

export class PagedTable {
  /**
   * `noun` is what a row is, and the name of its id in commands; `columns` are {label, sort, descending,
   * kind}.
   * @param {{ model: Model, el: El, name: string, noun: string, columns: Column[], watched: any }} options
   */
  constructor({ model, el, name, noun, columns, watched }) {
    this.model = model;
    this.noun = noun;
    this.columns = columns;
    this.frame = new Frame({ model, el, name });
    this.wanted = new Map(); // by id: whether its row shall be expanded, until Python has it so
    this.open = new Set(); // the ids of the rows that are expanded
    for (const trait of ["rows", "page", ...watched]) this.frame.on(`change:${trait}`, () => this.draw());
    this.frame.undo.push(
      () => clearTimeout(this.pause),
      () => this.endInsides(),
    );
  }

  get title() {
    return `${this.noun[0].toUpperCase()}${this.noun.slice(1)}s`;
  }

  // ---- what a list says of itself

  /** @returns {Child} */
  tools() {
    return null;
  }

  /** @returns {Set<number>} */
  expanded() {
    return new Set();
  }

  /**
   * @param {Page} _page
   * @returns {{ holds: string, nothing: Child[] }}
   */
  empty(_page) {
    throw new Error("A list says what it shows instead of rows.");
  }

  /**
   * @param {number} _id
   * @returns {El}
   */
  makeRow(_id) {
    throw new Error("A list makes its rows.");
  }

  /**
   * @param {El} _line
   * @param {Row} _row
   */
  showRow(_line, _row) {}

  /**
   * @param {number} _id
   * @returns {El}
   */
  makeInside(_id) {
    throw new Error("A list makes what expanded rows hold.");
  }

  /**
   * @param {El} _line
   * @param {Row} _row
   */
  showInside(_line, _row) {}

  /**
   * @param {number} _id
   * @param {El} _opener
   */
  openActions(_id, _opener) {}

  /** Whether it shows rows only: no search, no sorting. */
  get plain() {
    return false;
  }

  build() {
    const search = `Search ${this.noun}s`;
    this.find = h("input", {
      type: "search",
      placeholder: search,
      "aria-label": search,
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        this.typing = true;
        clearTimeout(this.pause);
        this.pause = setTimeout(() => this.search(), TABLE_PAUSE);
      },
      onkeydown: (event) => event.key === "Enter" && this.search(),
    });
    this.count = h("div", { class: "pw-pt-count pw-soft", role: "status" });
    this.bar = h(
      "div",
      { class: "pw-pt-bar" },
      this.tools(),
      h("div", { class: "pw-find" }, icon("search"), this.find),
      this.count,
    );
    const now = () => this.model.get("page");
    this.heads = this.columns.map((column) =>
      columnHead(this.plain ? { ...column, sort: undefined } : column, now, (wanted, el) =>
        this.query(wanted, el),
      ),
    );
    this.lines = h("tbody");
    this.table = h(
      "table",
      { class: "pw-table pw-pt-table", "aria-label": this.title },
      h("thead", {}, h("tr", {}, this.heads)),
      this.lines,
    );
    this.none = h("div", { class: "pw-empty" });
    this.pages = h("nav", { class: "pw-pt-pages", "aria-label": "Pages" });
    this.frame.body.append(this.bar, h("div", { class: "pw-pt-scroll" }, this.table), this.none, this.pages);
  }

  // ---- drawing

  draw() {
    const page = this.model.get("page"),
      rows = this.model.get("rows");
    this.open = this.expanded();
    for (const [id, open] of this.wanted) if (this.open.has(id) === open) this.wanted.delete(id);
    const focused = this.table.contains(document.activeElement) ? document.activeElement : null;
    const at = focused
      ? rows.findIndex((/** @type {Row} */ row) => this.lineOf(row.id)?.contains(focused))
      : -1;
    this.drawing = true; // a line that is moved blurs what is in it
    this.bar.hidden = this.plain || !page.all;
    this.table.hidden = !rows.length;
    this.drawBar(page);
    this.drawLines(rows);
    this.drawNone(page, rows);
    this.drawPages(page, rows);
    this.drawing = false;
    if (focused && document.activeElement !== focused) this.refocus(focused, at);
    this.land();
  }

  /** @param {Page} page */
  drawBar(page) {
    const all = `${inFull(page.all)} ${this.noun}${page.all === 1 ? "" : "s"}`;
    setText(this.count, page.search ? `${inFull(page.total)} of ${all}` : all);
    if (document.activeElement !== this.find && !this.typing) this.find.value = page.search;
    for (const th of this.heads) {
      if (!th.dataset.sort) continue;
      const sorted = th.dataset.sort === page.sort;
      if (sorted) th.setAttribute("aria-sort", page.descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
      redraw(th.querySelector(".pw-pt-arrow"), sorted ? icon(page.descending ? "down" : "up") : null);
    }
  }

  /** @param {Row[]} rows */
  drawLines(rows) {
    const items = rows.flatMap((row) =>
      this.isOpen(row.id)
        ? [
            { row, key: row.id },
            { row, key: `in-${row.id}` },
          ]
        : [{ row, key: row.id }],
    );
    this.endInsides(new Set(items.map((item) => String(item.key))));
    keyed(
      this.lines,
      items,
      (/** @type {Values} */ item) => item.key,
      ({ row, key }) => (key === row.id ? this.makeRow(row.id) : this.makeInside(row.id)),
      (/** @type {El} */ line, /** @type {{ row: Row, key: any }} */ { row, key }) =>
        key === row.id ? this.showRow(line, row) : this.showInside(line, row),
    );
  }

  /**
   * @param {Page} page
   * @param {Row[]} rows
   */
  drawNone(page, rows) {
    this.none.hidden = rows.length > 0;
    if (rows.length) return redraw(this.none);
    const { holds, nothing } = this.empty(page);
    /** @param {Child} text */
    const title = (text) => h("div", { class: "pw-pt-none" }, text);
    if (page.all && !this.plain)
      return redraw(
        this.none,
        title(`No ${this.noun}s found`),
        h("div", {}, `${holds} “${page.search}”.`),
        button({ label: "Clear search", "data-f": "clear", onclick: () => this.clear() }),
      );
    redraw(this.none, title(nothing[0]), nothing.slice(1));
  }

  /**
   * @param {Page} page
   * @param {Row[]} rows
   */
  drawPages(page, rows) {
    this.pages.hidden = page.pages < 2;
    redraw(this.pages, page.pages < 2 ? null : pageTurner(page, rows.length, (by, el) => this.turn(by, el)));
  }

  /**
   * Give focus back to what was moved, or to the neighbour of what is gone.
   * @param {any} focused
   * @param {number} at
   */
  refocus(focused, at) {
    const name = focused.dataset.f && `[data-f="${CSS.escape(focused.dataset.f)}"]`;
    const next =
      (focused.isConnected && focused) || (name && this.table.querySelector(name)) || this.neighbour(at);
    if (document.activeElement === document.body || !document.activeElement)
      next?.focus({ preventScroll: true });
  }

  /** Show where a new row is, once it is there. */
  land() {
    const line = this.landing && this.lineOf(this.landing.id);
    if (!line) return;
    line.classList.add("pw-pt-new");
    line.scrollIntoView({ block: "nearest" });
    if (this.landing.focus) line.querySelector(".pw-pt-open").focus({ preventScroll: true });
    this.landing = null;
  }

  /**
   * @param {{ id: number }} options
   * @param {string} said
   * @param {boolean} [focus]
   */
  arrive({ id }, said, focus = true) {
    this.frame.announce(said);
    this.landing = { id, focus };
    this.draw();
  }

  // ---- rows

  /**
   * @param {number} id
   * @returns {any}
   */
  row(id) {
    return this.model.get("rows").find((/** @type {Row} */ row) => row.id === id);
  }

  /** @param {number} id */
  placeOf(id) {
    return this.model.get("rows").findIndex((/** @type {Row} */ row) => row.id === id);
  }

  /** @param {number} id */
  lineOf(id) {
    return [...this.lines.children].find((line) => line.dataset.key === String(id));
  }

  /** @param {number} id */
  isOpen(id) {
    return this.wanted.get(id) ?? this.open.has(id);
  }

  /**
   * Make the button with a row's name that expands it.
   * @param {number} id
   */
  makeOpener(id) {
    const open = h(
      "button",
      { type: "button", class: "pw-pt-open", "data-f": `open-${id}`, onclick: () => this.toggle(id, open) },
      h("span", { class: "pw-pt-chevron" }, icon("right")),
      h("span", { class: "pw-pt-title", dir: "auto" }),
    );
    return open;
  }

  /**
   * @param {El} line
   * @param {El} open
   * @param {Row} options
   */
  showOpener(line, open, { id, name }) {
    const opened = this.isOpen(id);
    line.classList.toggle("pw-pt-is-open", opened);
    open.setAttribute("aria-expanded", String(opened));
    open.setAttribute("aria-label", name);
    open.title = name;
    setText(open.querySelector(".pw-pt-title"), isolated(name));
  }

  /**
   * Make the button that opens a row's menu.
   * @param {number} id
   */
  makeMenu(id) {
    const menu = button({
      label: "Actions",
      glyph: "more",
      quiet: true,
      "data-f": `menu-${id}`,
      onclick: () => this.openActions(id, menu),
    });
    menu.classList.add("pw-pt-menu");
    menu.setAttribute("aria-haspopup", "menu");
    menu.setAttribute("aria-expanded", "false");
    return menu;
  }

  /**
   * @param {El} menu
   * @param {Row} options
   */
  showMenu(menu, { name }) {
    menu.setAttribute("aria-label", `Actions for ${isolated(name)}`);
    menu.title = `Actions for ${isolated(name)}`;
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async toggle(id, pressed) {
    const open = !this.isOpen(id);
    this.wanted.set(id, open);
    this.draw();
    if ((await this.ask(open ? "expand" : "collapse", { [this.noun]: id }, pressed)) !== undefined) return;
    this.wanted.delete(id);
    this.draw();
  }

  /** End what expanded rows hold, but for those that stay. */
  endInsides(stay = new Set()) {
    for (const line of this.lines?.children ?? []) if (!stay.has(line.dataset.key)) line.inside?.end?.();
  }

  /**
   * The control that gets focus in place of one in a row that is gone.
   * @param {number} at
   */
  neighbour(at) {
    const all = this.lines.querySelectorAll(
      this.lines.querySelector(".pw-pt-menu") ? ".pw-pt-menu" : ".pw-pt-open",
    );
    /** @param {string} name */
    const make = (name) => this.frame.body.querySelector(`[data-f=${name}]`);
    return (
      all[Math.min(Math.max(at, 0), all.length - 1)] ||
      (this.bar.hidden && make("first")) ||
      make("new") ||
      this.frame.root
    );
  }

  // ---- which page

  async search() {
    clearTimeout(this.pause);
    const text = this.find.value.trim();
    if (text === this.asked) return;
    this.asked = text;
    await this.query({ search: text });
    if (this.asked !== text) return;
    this.asked = null;
    this.typing = false;
  }

  clear() {
    this.find.value = "";
    this.find.focus({ preventScroll: true });
    return this.search();
  }

  /**
   * @param {number} by
   * @param {El} pressed
   */
  async turn(by, pressed) {
    if (await this.query({ page: this.model.get("page").page + by }, pressed))
      this.bar.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {any} wanted
   * @param {El} [pressed]
   */
  query(wanted, pressed) {
    this.landing = null;
    return this.ask("query", wanted, pressed);
  }

  /**
   * @param {string} command
   * @param {Values} args
   * @param {El} pressed
   */
  ask(command, args, pressed) {
    return this.frame.run(command, args, pressed);
  }
}
