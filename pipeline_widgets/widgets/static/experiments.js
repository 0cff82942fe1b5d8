// The experiments of a project. Python searches, sorts and pages, and says of each what can be done with it now.

const EXPERIMENT_PAUSE = 200; // ms without a key after which a search is asked for
const EXPERIMENT_CODE = 'project.create_experiment("sft", algorithm="SFT")';
const EXPERIMENT_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Algorithm", sort: "algorithm", descending: false },
  { label: "Status", sort: "status", descending: true },
  { label: "Last modified", sort: "modified", descending: true },
  { label: "Actions" },
];

const experimentNumber = (n) => n.toLocaleString("en-US");

class ExperimentsTable {
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "experiments" });
    this.wanted = new Map(); // by experiment: whether its row shall be expanded, until Python has it so
    this.build();
    for (const name of ["rows", "page", "details"]) this.frame.on(`change:${name}`, () => this.draw());
    this.frame.undo.push(() => clearTimeout(this.pause));
    this.draw();
  }

  build() {
    this.find = h("input", {
      type: "search", placeholder: "Search experiments", "aria-label": "Search experiments", autocomplete: "off", spellcheck: "false",
      oninput: () => {
        this.typing = true;
        clearTimeout(this.pause);
        this.pause = setTimeout(() => this.search(), EXPERIMENT_PAUSE);
      },
      onkeydown: (event) => event.key === "Enter" && this.search(),
    });
    this.count = h("div", { class: "pw-pl-count pw-soft", role: "status" });
    this.bar = h("div", { class: "pw-pl-bar" }, this.newButton("new"), h("div", { class: "pw-pl-search" }, icon("search"), this.find), this.count);
    this.heads = EXPERIMENT_COLUMNS.map((column) => this.head(column));
    this.lines = h("tbody");
    this.table = h("table", { class: "pw-table pw-pl-table pw-ex-table", "aria-label": "Experiments" }, h("thead", {}, h("tr", {}, this.heads)), this.lines);
    this.none = h("div", { class: "pw-empty" });
    this.pages = h("nav", { class: "pw-pl-pages", "aria-label": "Pages" });
    this.frame.body.append(this.bar, h("div", { class: "pw-pl-scroll" }, this.table), this.none, this.pages);
  }

  newButton(name) {
    return button({ label: "New experiment", glyph: "plus", kind: "pw-primary", "data-f": name, onclick: (event) => openNewExperiment(this, event.currentTarget) });
  }

  head({ label, sort, descending }) {
    if (!sort) return h("th", { scope: "col" }, label);
    const press = h("button", { type: "button", class: "pw-pl-sort", onclick: () => {
      const now = this.model.get("page");
      this.ask("query", { sort, descending: now.sort === sort ? !now.descending : descending }, press);
    } }, label, h("span", { class: "pw-pl-arrow" }));
    return h("th", { scope: "col", "data-sort": sort }, press);
  }

  // ---- drawing

  draw() {
    const page = this.model.get("page"), rows = this.model.get("rows");
    this.details = new Map(this.model.get("details").map((detail) => [detail.id, detail]));
    for (const [id, open] of this.wanted) if (this.details.has(id) === open) this.wanted.delete(id);
    const focused = this.table.contains(document.activeElement) ? document.activeElement : null;
    const at = focused ? rows.findIndex((row) => this.lineOf(row.id)?.contains(focused)) : -1;
    this.bar.hidden = !page.all;
    this.table.hidden = !rows.length;
    this.drawBar(page);
    this.drawLines(rows);
    this.drawNone(page, rows);
    this.drawPages(page, rows);
    if (focused && document.activeElement !== focused) this.refocus(focused, at);
    this.land();
  }

  drawBar(page) {
    const all = `${experimentNumber(page.all)} ${page.all === 1 ? "experiment" : "experiments"}`;
    setText(this.count, page.search ? `${experimentNumber(page.total)} of ${all}` : all);
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
      (line, { row, key }) => (key === row.id ? this.showRow(line, row) : line.inside.show(row, this.details.get(row.id))),
    );
  }

  drawNone(page, rows) {
    this.none.hidden = rows.length > 0;
    if (rows.length) return redraw(this.none);
    if (page.all)
      return redraw(this.none, h("div", { class: "pw-pl-none" }, "No experiments found"), h("div", {}, `No name holds “${page.search}”.`),
        button({ label: "Clear search", "data-f": "clear", onclick: () => this.clear() }));
    redraw(this.none, h("div", { class: "pw-pl-none" }, "No experiments yet"),
      h("div", {}, "Configure one here, or in a cell; then train it, or put it into a stage of a pipeline."), this.newButton("first"),
      h("pre", { class: "pw-code" }, h("code", {}, EXPERIMENT_CODE)));
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
      h("span", { role: "status" }, `${experimentNumber(first)}–${experimentNumber(first + rows.length - 1)} of ${experimentNumber(page.total)}`),
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
    const line = this.landing && this.lineOf(this.landing.id);
    if (!line) return;
    line.classList.add("pw-pl-new");
    line.scrollIntoView({ block: "nearest" });
    if (this.landing.focus) line.querySelector(".pw-pl-open").focus({ preventScroll: true });
    this.landing = null;
  }

  arrive({ id }, said, focus) {
    this.frame.announce(said);
    this.landing = { id, focus };
    this.draw();
  }

  // ---- a row

  row(id) {
    return this.model.get("rows").find((row) => row.id === id);
  }

  placeOf(id) {
    return this.model.get("rows").findIndex((row) => row.id === id);
  }

  lineOf(id) {
    return [...this.lines.children].find((line) => line.dataset.key === String(id));
  }

  isOpen(id) {
    return this.wanted.get(id) ?? this.details.has(id);
  }

  makeRow(id) {
    const open = h("button", { type: "button", class: "pw-pl-open", "data-f": `open-${id}`, onclick: () => this.toggle(id, open) },
      h("span", { class: "pw-pl-chevron" }, icon("right")), h("span", { class: "pw-pl-title", dir: "auto" }));
    const menu = button({ label: "Actions", glyph: "more", quiet: true, "data-f": `menu-${id}`, onclick: () => this.openActions(id, menu) });
    menu.classList.add("pw-ex-menu");
    menu.setAttribute("aria-haspopup", "menu");
    menu.setAttribute("aria-expanded", "false");
    const acts = h("div", { class: "pw-ex-acts", role: "group" }), under = h("div", { class: "pw-pl-under pw-soft" });
    const algorithm = h("td"), marks = h("div"), progress = h("div", { class: "pw-ex-progress" }), modified = h("td", { class: "pw-pl-modified" });
    const line = h("tr", { class: "pw-pl-row" }, h("th", { scope: "row" }, h("div", { class: "pw-pl-name" }, open), under), algorithm, h("td", {}, marks, progress), modified,
      h("td", { class: "pw-ex-actions" }, h("div", { class: "pw-ex-bar" }, acts, menu)));
    line.parts = { open, menu, acts, under, algorithm, marks, progress, modified };
    return line;
  }

  showRow(line, row) {
    const { open, menu, acts, under, algorithm, marks, progress, modified } = line.parts;
    const opened = this.isOpen(row.id);
    line.classList.toggle("pw-pl-is-open", opened);
    open.setAttribute("aria-expanded", String(opened));
    open.setAttribute("aria-label", row.name);
    open.title = row.name;
    setText(open.querySelector(".pw-pl-title"), row.name);
    menu.setAttribute("aria-label", `Actions for ${row.name}`);
    menu.title = `Actions for ${row.name}`;
    acts.setAttribute("aria-label", row.name);
    redraw(under, row.runs ? h("span", {}, count(row.runs, "run")) : null, row.runs ? h("span", {}, `best score ${score(row.best)}`) : null);
    setText(algorithm, row.algorithm);
    redraw(marks, badge(row.status));
    this.showProgress(progress, row);
    redraw(modified, moment(row.modified));
    const act = (label, glyph, reason, act) => button({ label, glyph, reason, title: label, "data-f": `${label}-${row.id}`, onclick: (event) => act(event.currentTarget) });
    redraw(acts,
      act("Train", "play", row.why_not.train, (pressed) => this.train(row.id, pressed)),
      act("Stop", "stop", row.why_not.stop, (pressed) => this.stop(row.id, pressed)),
      act("Resume", "resume", row.why_not.resume, (pressed) => openResume(this, this.row(row.id), pressed)));
  }

  showProgress(place, row) {
    place.hidden = !["Running", "Stopping"].includes(row.status);
    if (place.hidden) return redraw(place);
    const { step, total } = row, left = runLeft({ ...row, finished: null });
    const part = total ? Math.min(1, Math.max(0, (step ?? 0) / total)) : null;
    const steps = total ? `${step ?? 0} of ${total}` : step === null ? "No step reported yet" : `Step ${step}`;
    redraw(place,
      h("div", {
        class: "pw-progress", role: "progressbar", "aria-label": `Progress of ${row.name}`, "aria-valuemin": total ? 0 : undefined, "aria-valuemax": total || undefined,
        "aria-valuenow": total ? Math.min(step ?? 0, total) : undefined, "aria-valuetext": steps,
      }, h("div", { class: part === null ? "pw-unknown" : "", style: { width: `${((part ?? 0.3) * 100).toFixed(1)}%` } })),
      h("div", { class: "pw-ex-words pw-soft" }, steps, left === null ? null : `, about ${duration(left)} left`));
  }

  openActions(id, opener) {
    const row = this.row(id), not = row.why_not;
    openMenu(opener, [
      this.model.get("results") ? { label: "Results", glyph: "results", onclick: () => this.ask("results", { experiment: id }, opener) } : null,
      { label: "Edit config", glyph: "edit", reason: not.change, onclick: () => openEditConfig(this, this.row(id), opener) },
      { label: "Duplicate", glyph: "copy", onclick: () => openDuplicate(this, this.row(id), opener) },
      { label: "Delete", glyph: "trash", danger: true, reason: not.delete, onclick: () => openDeleteExperiment(this, this.row(id)) },
    ]);
  }

  async train(id, pressed) {
    if (await this.ask("train", { experiment: id }, pressed)) this.frame.announce(`${this.row(id)?.name ?? "It"} is training.`);
  }

  async stop(id, pressed) {
    if (await this.ask("stop", { experiment: id }, pressed)) this.frame.announce(`${this.row(id)?.name ?? "It"} is asked to stop.`);
  }

  // ---- what is in an expanded row

  makeInside(id) {
    const inside = new ExperimentDetail(this, id);
    const line = h("tr", { class: "pw-pl-inside" }, h("td", { colspan: EXPERIMENT_COLUMNS.length }, inside.place));
    line.inside = inside;
    return line;
  }

  async toggle(id, pressed) {
    const open = !this.isOpen(id);
    this.wanted.set(id, open);
    this.draw();
    if ((await this.ask(open ? "expand" : "collapse", { experiment: id }, pressed)) !== undefined) return;
    this.wanted.delete(id);
    this.draw();
  }

  // ---- which page

  async search() {
    clearTimeout(this.pause);
    const text = this.find.value.trim();
    if (text === this.asked) return;
    this.asked = text;
    await this.ask("query", { search: text });
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
    if (await this.ask("query", { page: this.model.get("page").page + by }, pressed)) this.bar.scrollIntoView({ block: "nearest" });
  }

  /** Ask for a command; where it fails, the notice that says so is brought into view. */
  async ask(command, args, pressed) {
    const answer = await this.frame.run(command, args, pressed);
    if (answer === undefined) this.frame.notices.scrollIntoView({ block: "nearest" });
    return answer;
  }

  /** The control that gets focus in place of one in a row that is gone. */
  neighbour(at) {
    const menus = this.lines.querySelectorAll(".pw-ex-menu");
    return menus[Math.min(Math.max(at, 0), menus.length - 1)] || this.frame.body.querySelector(this.bar.hidden ? "[data-f=first]" : "[data-f=new]");
  }
}

export default {
  initialize({ model }) {
    patches(model);
  },
  render({ model, el }) {
    const table = new ExperimentsTable({ model, el });
    return () => table.frame.close();
  },
};
