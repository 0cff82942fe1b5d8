// The list of a project's pipelines. Python searches, sorts and pages; a row that is expanded holds a builder.

const LIST_PAUSE = 200; // ms without a key after which a search is asked for
const LIST_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Status", sort: "status", descending: true },
  { label: "Last modified", sort: "modified", descending: true },
  { label: "Actions" },
];

const listNumber = (n) => n.toLocaleString("en-US");

class PipelineTable {
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "pipeline-list" });
    this.renames = new Map(); // by pipeline: the name that is being typed
    this.drafts = new Map(); // by pipeline: the description that is being typed
    this.wanted = new Map(); // by pipeline: whether its row shall be expanded, until Python has it so
    this.build();
    this.frame.on("change:rows", () => this.draw());
    this.frame.on("change:page", () => this.draw());
    this.frame.on("change:builders", () => this.draw());
    this.frame.undo.push(() => clearTimeout(this.pause), () => this.close());
    this.draw();
  }

  build() {
    const find = h("input", {
      type: "search", placeholder: "Search pipelines", "aria-label": "Search pipelines", autocomplete: "off", spellcheck: "false",
      oninput: () => {
        this.typing = true;
        clearTimeout(this.pause);
        this.pause = setTimeout(() => this.search(), LIST_PAUSE);
      },
      onkeydown: (event) => event.key === "Enter" && this.search(),
    });
    this.find = find;
    this.count = h("div", { class: "pw-pl-count pw-soft", role: "status" });
    this.bar = h("div", { class: "pw-pl-bar" }, this.newButton(), this.importButton(), h("div", { class: "pw-pl-search" }, icon("search"), find), this.count);
    this.heads = LIST_COLUMNS.map((column) => this.head(column));
    this.lines = h("tbody");
    this.table = h("table", { class: "pw-table pw-pl-table", "aria-label": "Pipelines" }, h("thead", {}, h("tr", {}, this.heads)), this.lines);
    this.none = h("div", { class: "pw-empty" });
    this.pages = h("nav", { class: "pw-pl-pages", "aria-label": "Pages" });
    this.frame.body.append(this.bar, h("div", { class: "pw-pl-scroll" }, this.table), this.none, this.pages);
  }

  newButton() {
    return button({ label: "New Pipeline", glyph: "plus", kind: "pw-primary", "data-f": "new", onclick: () => this.create() });
  }

  importButton() {
    return button({ label: "Import pipeline", glyph: "import", "data-f": "import", onclick: () => this.import() });
  }

  head({ label, sort, descending }) {
    if (!sort) return h("th", { scope: "col" }, label);
    const press = h("button", { type: "button", class: "pw-pl-sort", onclick: () => {
      const now = this.model.get("page");
      this.query({ sort, descending: now.sort === sort ? !now.descending : descending }, press);
    } }, label, h("span", { class: "pw-pl-arrow" }));
    return h("th", { scope: "col", "data-sort": sort }, press);
  }

  // ---- drawing

  draw() {
    const page = this.model.get("page"), rows = this.model.get("rows"), builders = this.model.get("builders");
    for (const [id, open] of this.wanted) if (id in builders === open) this.wanted.delete(id);
    const focused = this.table.contains(document.activeElement) ? document.activeElement : null;
    const at = [...this.lines.querySelectorAll(".pw-pl-row")].findIndex((line) => line.contains(focused));
    this.drawing = true; // a line that is moved blurs what is in it
    this.bar.hidden = !page.all;
    this.table.hidden = !rows.length;
    this.drawBar(page);
    this.drawLines(rows);
    this.drawNone(page, rows);
    this.drawPages(page, rows);
    this.drawing = false;
    if (focused && document.activeElement !== focused) this.refocus(focused, at);
    this.land();
  }

  drawBar(page) {
    const all = `${listNumber(page.all)} ${page.all === 1 ? "pipeline" : "pipelines"}`;
    const text = page.search ? `${listNumber(page.total)} of ${all}` : all;
    if (this.count.textContent !== text) this.count.textContent = text;
    if (document.activeElement !== this.find && !this.typing) this.find.value = page.search;
    for (const th of this.heads) {
      if (!th.dataset.sort) continue;
      const sorted = th.dataset.sort === page.sort;
      if (sorted) th.setAttribute("aria-sort", page.descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
      redraw(th.querySelector(".pw-pl-arrow"), sorted ? icon(page.descending ? "down" : "up") : null);
    }
  }

  drawLines(rows) {
    const items = rows.flatMap((row) => (this.isOpen(row.id) ? [{ row, key: row.id }, { row, key: `in-${row.id}` }] : [{ row, key: row.id }]));
    const keys = new Set(items.map((item) => String(item.key)));
    for (const line of this.lines.children) if (!keys.has(line.dataset.key)) line.inside?.end();
    keyed(
      this.lines, items, (item) => item.key,
      ({ row, key }) => (key === row.id ? this.makeRow(row.id) : this.makeInside(row.id)),
      (line, { row, key }) => (key === row.id ? this.showRow(line, row) : line.inside.show(row, this.model.get("builders")[row.id])),
    );
  }

  drawNone(page, rows) {
    this.none.hidden = rows.length > 0;
    if (rows.length) return redraw(this.none);
    const title = h("div", { class: "pw-pl-none" }, "No pipelines found");
    if (page.all)
      return redraw(this.none, title, h("div", {}, `No name or description holds “${page.search}”.`),
        button({ label: "Clear search", "data-f": "clear", onclick: () => this.clear() }));
    redraw(this.none, title, h("div", {}, "Create one to chain training experiments, stage by stage, up to an agent."), this.newButton());
  }

  drawPages(page, rows) {
    this.pages.hidden = page.pages < 2;
    if (page.pages < 2) return redraw(this.pages);
    const first = page.page * page.size + 1;
    const turn = (label, glyph, by, end) => button({
      label, glyph, kind: by > 0 ? "pw-pl-on" : "", "data-f": `turn-${glyph}`, reason: page.page + by < 0 || page.page + by >= page.pages ? end : undefined,
      onclick: (event) => this.turn(by, event.currentTarget),
    });
    redraw(
      this.pages,
      turn("Previous page", "left", -1, "This is the first page."),
      h("span", { role: "status" }, `${listNumber(first)}–${listNumber(first + rows.length - 1)} of ${listNumber(page.total)}`),
      turn("Next page", "right", 1, "This is the last page."),
    );
  }

  /** Give focus back to what was moved, or to the neighbour of what is gone. */
  refocus(focused, at) {
    const name = focused.dataset.f && `[data-f="${CSS.escape(focused.dataset.f)}"]`;
    const next = (focused.isConnected && focused) || (name && this.table.querySelector(name)) || this.neighbour(at);
    if (document.activeElement === document.body || !document.activeElement) next?.focus({ preventScroll: true });
  }

  /** Show where a new row is, once it is there. */
  land() {
    const line = this.landing && [...this.lines.children].find((each) => each.dataset.key === String(this.landing.id));
    if (!line) return;
    line.classList.add("pw-pl-new");
    line.scrollIntoView({ block: "nearest" });
    if (this.landing.focus) line.querySelector(".pw-pl-open").focus({ preventScroll: true });
    this.landing = null;
  }

  // ---- a row

  row(id) {
    return this.model.get("rows").find((row) => row.id === id);
  }

  isOpen(id) {
    return this.wanted.get(id) ?? id in this.model.get("builders");
  }

  makeRow(id) {
    const open = h("button", { type: "button", class: "pw-pl-open", "data-f": `open-${id}`, onclick: () => this.toggle(id, open) },
      h("span", { class: "pw-pl-chevron" }, icon("right")), h("span", { class: "pw-pl-title", dir: "auto" }));
    const menu = button({ label: "Actions", glyph: "more", quiet: true, "data-f": `menu-${id}`, onclick: () => this.openActions(id, menu) });
    menu.classList.add("pw-pl-menu");
    menu.setAttribute("aria-haspopup", "menu");
    menu.setAttribute("aria-expanded", "false");
    const name = h("div", { class: "pw-pl-name" }, open), under = h("div", { class: "pw-pl-under pw-soft" });
    const status = h("td"), modified = h("td", { class: "pw-pl-modified" });
    const line = h("tr", { class: "pw-pl-row" }, h("th", { scope: "row" }, name, under), status, modified, h("td", { class: "pw-pl-actions" }, menu));
    line.parts = { open, menu, name, under, status, modified };
    return line;
  }

  showRow(line, row) {
    const { open, menu, under, status, modified } = line.parts;
    const opened = this.isOpen(row.id);
    line.classList.toggle("pw-pl-is-open", opened);
    open.setAttribute("aria-expanded", String(opened));
    open.setAttribute("aria-label", row.name);
    const title = open.querySelector(".pw-pl-title");
    if (title.textContent !== row.name) title.textContent = row.name;
    menu.setAttribute("aria-label", `Actions for ${row.name}`);
    menu.title = `Actions for ${row.name}`;
    redraw(under, row.stages ? h("span", {}, count(row.stages, "stage")) : null, row.shares ? h("span", {}, row.shares) : null);
    const stale = row.stale ? h("span", { class: "pw-badge", "data-status": "Stale", title: `${count(row.stale, "stage is", "stages are")} stale` }, icon("Stale"), h("span", {}, `${row.stale} stale`)) : null;
    redraw(status, h("div", { class: "pw-pl-marks" }, badge(row.status, row.detail), stale), h("div", { class: "pw-pl-detail pw-soft" }, row.detail));
    redraw(modified, moment(row.modified));
    this.showRename(line, row);
  }

  openActions(id, opener) {
    openMenu(opener, [
      { label: "Edit name", glyph: "edit", onclick: () => this.rename(id) },
      { label: "Duplicate", glyph: "copy", onclick: () => this.duplicate(id, opener) },
      { label: "Delete", glyph: "trash", danger: true, onclick: () => this.remove(id) },
    ]);
  }

  // ---- the name, edited in the row

  rename(id) {
    const { name, description } = this.row(id) ?? {};
    if (name === undefined) return;
    this.renames.set(id, { seen: { name, description } });
    this.draw();
    const input = this.lines.querySelector(`[data-f="rename-${id}"]`);
    input.focus({ preventScroll: true });
    input.select();
  }

  showRename(line, row) {
    const edit = this.renames.get(row.id), { name } = line.parts;
    line.classList.toggle("pw-pl-renames", !!edit);
    if (!edit) {
      line.rename?.remove();
      return;
    }
    if (!line.rename?.isConnected) {
      const input = h("input", {
        type: "text", "data-f": `rename-${row.id}`, "aria-label": `Name of ${row.name}`, autocomplete: "off", spellcheck: "false", value: row.name,
        onkeydown: (event) => {
          if (event.isComposing) return;
          if (event.key === "Enter") this.saveName(row.id, input, true);
          else if (event.key === "Escape") this.endRename(row.id, true);
          else return;
          event.preventDefault();
          event.stopPropagation();
        },
        // As in JupyterLab's file browser; but another window's focus saves nothing.
        onblur: () => !this.drawing && document.hasFocus() && this.saveName(row.id, input, false),
      });
      line.rename = h("div", { class: "pw-pl-rename" }, input, h("div", { class: "pw-pl-error", role: "alert", id: unique("rename") }));
      name.append(line.rename);
    }
    const [input, error] = line.rename.children;
    redraw(error, edit.error ? [icon("Failed"), h("span", {}, edit.error)] : null);
    input.toggleAttribute("readonly", !!edit.busy);
    edit.error ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
    edit.error ? input.setAttribute("aria-describedby", error.id) : input.removeAttribute("aria-describedby");
  }

  async saveName(id, input, back) {
    const edit = this.renames.get(id), text = input.value;
    if (!edit || edit.busy) return;
    if (text === edit.seen.name || (!back && !text.trim())) return this.endRename(id, back);
    edit.busy = true;
    edit.error = "";
    this.draw();
    try {
      await this.frame.line.ask("edit", { pipeline: id, seen: this.seen(edit, id), name: text }, input);
      this.frame.announce(`Renamed to ${text.trim()}.`);
      this.endRename(id, back);
    } catch (error) {
      Object.assign(edit, { busy: false, error: sentence(error), refused: error.kind === "StaleWriteError" });
      this.draw();
      if (back) input.focus();
    }
  }

  endRename(id, back) {
    this.renames.delete(id);
    this.draw();
    if (back) this.lines.querySelector(`[data-f="menu-${id}"]`)?.focus({ preventScroll: true });
  }

  /** What an edit is based on: what was shown when it began, or, once it was refused, what is shown now. */
  seen(edit, id) {
    const row = this.row(id);
    return edit.refused && row ? { name: row.name, description: row.description } : edit.seen;
  }

  // ---- what is in an expanded row

  makeInside(id) {
    const about = new PipelineAbout(this, id), place = h("div", { class: "pw-pl-builder" });
    const line = h("tr", { class: "pw-pl-inside" }, h("td", { colspan: LIST_COLUMNS.length }, about.el, place));
    let shown, closing;
    line.inside = {
      show: (row, reference) => {
        about.show(row);
        if (!reference || reference === shown) return;
        closing?.abort();
        closing = new AbortController();
        shown = reference;
        place.replaceChildren();
        child(this.model, reference, place, closing.signal).catch((error) => place.append(h("p", { class: "pw-soft" }, `The builder cannot be shown: ${error.message}`)));
      },
      end: () => closing?.abort(),
    };
    place.append(h("p", { class: "pw-soft", role: "status" }, "Opening…"));
    return line;
  }

  async toggle(id, pressed) {
    const open = !this.isOpen(id);
    this.wanted.set(id, open);
    this.draw();
    if ((await this.ask(open ? "expand" : "collapse", { pipeline: id }, pressed)) !== undefined) return;
    this.wanted.delete(id);
    this.draw();
  }

  close() {
    for (const line of this.lines.children) line.inside?.end();
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

  async turn(by, pressed) {
    if (await this.query({ page: this.model.get("page").page + by }, pressed)) this.bar.scrollIntoView({ block: "nearest" });
  }

  query(wanted, pressed) {
    this.landing = null;
    return this.ask("query", wanted, pressed);
  }

  /** Ask for a command; where it fails, the notice that says so is brought into view. */
  async ask(command, args, pressed) {
    const answer = await this.frame.run(command, args, pressed);
    if (answer === undefined) this.frame.notices.scrollIntoView({ block: "nearest" });
    return answer;
  }

  // ---- pipelines as a whole

  create() {
    const name = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false" });
    const about = h("textarea", { rows: 3 });
    let made = null;
    openDialog({
      frame: this.frame, title: "New Pipeline", confirm: "Create",
      body: [field("Name", name), field("Description", about, "Optional: what it is for. It can be searched.")],
      act: async (pressed) => {
        name.removeAttribute("aria-invalid");
        try {
          made = await this.frame.line.ask("create", { name: name.value, description: about.value }, pressed);
        } catch (error) {
          name.setAttribute("aria-invalid", "true");
          name.focus();
          throw error;
        }
      },
      // After the dialog has given focus back.
      onclose: () => made && queueMicrotask(() => this.arrive(made, `Pipeline ${made.name} was created.`, true)),
    });
  }

  import() {
    openImport({
      frame: this.frame,
      act: async (given, pressed) => {
        const made = await this.frame.line.ask("import", given, pressed);
        this.frame.notice([`Pipeline ${made.name} was imported.`, ...made.also]);
        queueMicrotask(() => this.arrive(made, `Pipeline ${made.name} was imported.`, true));
      },
    });
  }

  arrive({ id }, said, focus) {
    this.frame.announce(said);
    this.landing = { id, focus };
    this.draw();
  }

  async duplicate(id, pressed) {
    const copy = await this.ask("duplicate", { pipeline: id }, pressed);
    if (copy) this.arrive(copy, `Duplicated as ${copy.name}.`, false);
  }

  remove(id) {
    const at = this.model.get("rows").findIndex((row) => row.id === id);
    const { name } = this.row(id) ?? {};
    if (name === undefined) return;
    openDialog({
      frame: this.frame, title: `Delete pipeline “${name}”?`, confirm: "Delete", danger: true,
      body: ["Its stages and their settings are deleted, and that cannot be undone.", "Experiments, checkpoints and agents stay, and so do the results of its runs."].map((line) => h("p", {}, line)),
      act: async (pressed) => {
        await this.frame.line.ask("delete", { pipeline: id }, pressed);
        this.frame.announce(`Pipeline ${name} was deleted.`);
      },
      onclose: () => queueMicrotask(() => this.row(id) || this.neighbour(at)?.focus({ preventScroll: true })),
    });
  }

  /** The control that gets focus in place of one in a row that is gone. */
  neighbour(at) {
    const menus = this.lines.querySelectorAll(".pw-pl-menu");
    return menus[Math.min(at, menus.length - 1)] || this.frame.body.querySelector("[data-f=new]");
  }
}

export default {
  initialize({ model }) {
    patches(model);
  },
  render({ model, el }) {
    const table = new PipelineTable({ model, el });
    return () => table.frame.close();
  },
};
