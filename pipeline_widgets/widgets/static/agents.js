// The agents of a workspace. Python searches, sorts and pages; a row that is expanded says how to ask its agent.

const AGENT_PAUSE = 200; // ms without a key after which a search is asked for
const AGENT_COLUMNS = [
  { label: "Agent", sort: "name", descending: false, kind: "name" },
  { label: "Description", kind: "about" },
  { label: "Source Experiment", sort: "experiment", descending: false, kind: "source" },
  { label: "Base Model", sort: "base_model", descending: false, kind: "base" },
  { label: "Status", sort: "status", descending: true, kind: "status" },
  { label: "Actions", kind: "actions" },
];
const AGENT_GOES = ["Deployed", "Pending"]; // is connected, or is about to be

const agentNumber = (n) => n.toLocaleString("en-US");

class AgentsTable {
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "agents" });
    this.single = model.get("single");
    this.wanted = new Map(); // by agent: whether its row shall be expanded, until Python has it so
    this.drafts = new Map(); // by agent: the description that is being typed
    this.keys = new Map(); // by agent: its key while it is shown this once; nothing of it is kept anywhere
    this.asks = new Map(); // by ticket: who waits for an agent's reply
    this.build();
    for (const name of ["rows", "page", "details", "obstacle"]) this.frame.on(`change:${name}`, () => this.draw());
    this.frame.on("msg:custom", (message) => message?.reply && this.asks.get(message.reply)?.(message));
    this.frame.undo.push(() => clearTimeout(this.pause));
    this.draw();
  }

  build() {
    this.find = h("input", {
      type: "search", placeholder: "Search agents", "aria-label": "Search agents", autocomplete: "off", spellcheck: "false",
      oninput: () => {
        this.typing = true;
        clearTimeout(this.pause);
        this.pause = setTimeout(() => this.search(), AGENT_PAUSE);
      },
      onkeydown: (event) => event.key === "Enter" && this.search(),
    });
    this.count = h("div", { class: "pw-pl-count pw-soft", role: "status" });
    this.make = this.newButton("new");
    this.bar = h("div", { class: "pw-pl-bar" }, this.make, h("div", { class: "pw-pl-search" }, icon("search"), this.find), this.count);
    this.heads = AGENT_COLUMNS.map((column) => this.head(column));
    this.lines = h("tbody");
    this.table = h("table", { class: "pw-table pw-pl-table pw-ag-table", "aria-label": "Agents" }, h("thead", {}, h("tr", {}, this.heads)), this.lines);
    this.none = h("div", { class: "pw-empty" });
    this.pages = h("nav", { class: "pw-pl-pages", "aria-label": "Pages" });
    this.frame.body.append(this.bar, h("div", { class: "pw-pl-scroll" }, this.table), this.none, this.pages);
  }

  newButton(name) {
    return button({
      label: "New Agent", glyph: "plus", kind: "pw-primary", "data-f": name, reason: this.model.get("obstacle") || undefined,
      onclick: (event) => openNewAgent(this, event.currentTarget),
    });
  }

  head({ label, sort, descending, kind }) {
    if (!sort || this.single) return h("th", { scope: "col", class: `pw-ag-${kind}` }, label);
    const press = h("button", { type: "button", class: "pw-pl-sort", onclick: () => {
      const now = this.model.get("page");
      this.ask("query", { sort, descending: now.sort === sort ? !now.descending : descending }, press);
    } }, label, h("span", { class: "pw-pl-arrow" }));
    return h("th", { scope: "col", class: `pw-ag-${kind}`, "data-sort": sort }, press);
  }

  // ---- drawing

  draw() {
    const page = this.model.get("page"), rows = this.model.get("rows");
    this.details = new Map(this.model.get("details").map((detail) => [detail.id, detail]));
    for (const [id, open] of this.wanted) if (this.details.has(id) === open) this.wanted.delete(id);
    for (const [id, { key }] of this.keys) {
      const hint = this.details.get(id)?.endpoint?.hint;
      if (hint && !key.endsWith(hint)) this.keys.delete(id); // it was rotated elsewhere
    }
    const focused = this.table.contains(document.activeElement) ? document.activeElement : null;
    const at = focused ? rows.findIndex((row) => this.lineOf(row.id)?.contains(focused)) : -1;
    this.bar.hidden = this.single || !page.all;
    this.table.hidden = !rows.length;
    this.table.classList.toggle("pw-ag-based", !!page.base_models);
    for (const th of this.heads) if (th.classList.contains("pw-ag-base")) th.hidden = !page.base_models;
    this.drawBar(page);
    this.drawLines(rows);
    this.drawNone(page, rows);
    this.drawPages(page, rows);
    if (focused && document.activeElement !== focused) this.refocus(focused, at);
    this.land();
  }

  drawBar(page) {
    const all = `${agentNumber(page.all)} ${page.all === 1 ? "agent" : "agents"}`;
    agentText(this.count, page.search ? `${agentNumber(page.total)} of ${all}` : all);
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
    keyed(
      this.lines, items, (item) => item.key,
      ({ row, key }) => (key === row.id ? this.makeRow(row.id) : this.makeInside(row.id)),
      (line, { row, key }) => (key === row.id ? this.showRow(line, row) : this.showInside(line, row)),
    );
  }

  drawNone(page, rows) {
    this.none.hidden = rows.length > 0;
    if (rows.length) return redraw(this.none);
    if (this.single) return redraw(this.none, h("div", { class: "pw-pl-none" }, "This agent was deleted"));
    if (page.all)
      return redraw(this.none, h("div", { class: "pw-pl-none" }, "No agents found"), h("div", {}, `No name holds “${page.search}”.`),
        button({ label: "Clear search", "data-f": "clear", onclick: () => this.clear() }));
    const reason = this.model.get("obstacle");
    redraw(this.none, h("div", { class: "pw-pl-none" }, "No agents yet"),
      h("div", {}, "An agent is a checkpoint saved under a name. Connected, it answers over HTTP."),
      reason ? h("div", {}, reason) : null, this.newButton("first"));
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
      h("span", { role: "status" }, `${agentNumber(first)}–${agentNumber(first + rows.length - 1)} of ${agentNumber(page.total)}`),
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
    const line = this.landing && this.lineOf(this.landing);
    if (!line) return;
    line.classList.add("pw-pl-new");
    line.scrollIntoView({ block: "nearest" });
    line.querySelector(".pw-pl-open").focus({ preventScroll: true });
    this.landing = null;
  }

  arrive({ id }, said) {
    this.frame.announce(said);
    this.landing = id;
    this.draw();
  }

  // ---- a row

  row(id) {
    return this.model.get("rows").find((row) => row.id === id);
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
    const about = new AgentAbout(this, id), under = h("div", { class: "pw-pl-under pw-soft" });
    const source = h("td", { class: "pw-ag-source" }), base = h("td", { class: "pw-ag-base" }), status = h("td", { class: "pw-ag-status" });
    const acts = h("div", { class: "pw-ag-acts" });
    const line = h("tr", { class: "pw-pl-row" },
      h("th", { scope: "row", class: "pw-ag-name" }, h("div", { class: "pw-pl-name" }, open), under),
      h("td", { class: "pw-ag-about" }, about.el), source, base, status, h("td", { class: "pw-ag-actions" }, acts));
    line.parts = { open, under, about, source, base, status, acts };
    return line;
  }

  showRow(line, row) {
    const { open, under, about, source, base, status, acts } = line.parts;
    const opened = this.isOpen(row.id);
    line.classList.toggle("pw-pl-is-open", opened);
    open.setAttribute("aria-expanded", String(opened));
    open.setAttribute("aria-label", row.name);
    agentText(open.querySelector(".pw-pl-title"), row.name);
    redraw(under, h("span", {}, `version ${row.version}`));
    about.show(row);
    redraw(source, h("div", { dir: "auto" }, row.experiment), row.project ? h("div", { class: "pw-pl-detail pw-soft", dir: "auto" }, row.project) : null);
    base.hidden = !this.model.get("page").base_models;
    redraw(base, row.base_model ?? h("span", { class: "pw-soft" }, "–"));
    const why = row.trouble.split("\n")[0];
    redraw(status, badge(row.status), why ? h("div", { class: "pw-ag-why", title: row.trouble }, why) : null);
    this.showActs(acts, row);
  }

  showActs(place, row) {
    const goes = AGENT_GOES.includes(row.status);
    redraw(place,
      goes
        ? button({ label: "Disconnect", glyph: "stop", "data-f": `act-${row.id}`, onclick: (event) => this.disconnect(row.id, event.currentTarget) })
        : button({ label: "Connect", glyph: "play", "data-f": `act-${row.id}`, onclick: (event) => this.connect(row.id, event.currentTarget) }),
      button({ label: "Delete", glyph: "trash", quiet: true, "data-f": `delete-${row.id}`, onclick: () => openDeleteAgent(this, row.id) }));
  }

  async connect(id, pressed) {
    const answer = await this.ask("connect", { agent: id }, pressed);
    if (!answer) return;
    this.keep(id, answer.key);
    this.frame.announce(`${this.row(id)?.name ?? "It"} is being connected.`);
  }

  async disconnect(id, pressed) {
    if (await this.ask("disconnect", { agent: id }, pressed)) this.frame.announce(`${this.row(id)?.name ?? "It"} is disconnected.`);
  }

  /** Show a new key until it is hidden, or the page is gone. */
  keep(id, key) {
    if (key) this.keys.set(id, { key });
    this.draw();
  }

  // ---- what is in an expanded row

  makeInside(id) {
    const inside = new AgentDetail(this, id);
    const line = h("tr", { class: "pw-pl-inside" }, (inside.cell = h("td", {}, inside.el)));
    line.inside = inside;
    return line;
  }

  showInside(line, row) {
    const columns = AGENT_COLUMNS.length - (this.model.get("page").base_models ? 0 : 1);
    if (line.inside.cell.colSpan !== columns) line.inside.cell.colSpan = columns;
    const detail = this.details.get(row.id);
    if (detail) line.inside.show(row, detail);
  }

  async toggle(id, pressed) {
    const open = !this.isOpen(id);
    this.wanted.set(id, open);
    this.draw();
    if ((await this.ask(open ? "expand" : "collapse", { agent: id }, pressed)) !== undefined) return;
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
    const openers = this.lines.querySelectorAll(".pw-pl-open");
    return openers[Math.min(Math.max(at, 0), openers.length - 1)] || this.frame.body.querySelector(this.bar.hidden ? "[data-f=first]" : "[data-f=new]") || this.frame.root;
  }
}

// ---- the description, edited in its cell -----------------------------------------------------------

class AgentAbout {
  constructor(table, id) {
    this.table = table;
    this.id = id;
    this.el = h("div", { class: "pw-ag-text" });
  }

  get draft() {
    return this.table.drafts.get(this.id);
  }

  show(row) {
    this.row = row;
    if (this.draft) return this.showDraft(row);
    this.form = null;
    redraw(this.el,
      h("span", { class: row.description ? "pw-ag-said" : "pw-ag-said pw-soft", dir: "auto" }, row.description || "No description"),
      button({ label: "Edit description", glyph: "edit", quiet: true, "data-f": `about-${this.id}`, onclick: () => this.edit() }));
  }

  edit() {
    this.table.drafts.set(this.id, { seen: this.row.description, text: this.row.description });
    this.table.draw();
    this.text.focus({ preventScroll: true });
  }

  showDraft(row) {
    if (!this.form) this.el.replaceChildren((this.form = this.makeForm(row)));
    const { seen, error } = this.draft;
    redraw(this.error, error ? [icon("Failed"), h("span", {}, error)] : null);
    const other = row.description !== seen;
    redraw(this.other, other ? [h("strong", {}, "Now it says: "), h("span", { dir: "auto" }, row.description || "nothing")] : null);
  }

  makeForm(row) {
    this.text = h("textarea", {
      rows: 3, value: this.draft.text, "aria-label": `Description of ${row.name}`, "data-f": `about-text-${this.id}`,
      oninput: () => this.draft && (this.draft.text = this.text.value),
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.save(this.ok);
        else if (event.key === "Escape" && this.text.value === this.draft?.seen) this.end();
        else return;
        event.preventDefault();
      },
    });
    this.other = h("div", { class: "pw-ag-other" });
    this.error = h("div", { class: "pw-pl-error", role: "alert" });
    this.ok = button({ label: "Save", kind: "pw-primary", onclick: () => this.save(this.ok) });
    const no = button({ label: "Cancel", onclick: () => this.end() });
    return h("div", { class: "pw-ag-form" }, this.text, this.other, this.error, h("div", { class: "pw-ag-buttons" }, this.ok, no));
  }

  async save(pressed) {
    const draft = this.draft;
    if (!draft || draft.busy) return;
    draft.busy = true;
    draft.error = "";
    // Once refused, it is based on what is shown now.
    const seen = draft.refused ? this.row.description : draft.seen;
    try {
      await this.table.frame.line.ask("describe", { agent: this.id, seen, description: draft.text }, pressed);
      this.table.frame.announce("The description was saved.");
      this.end();
    } catch (error) {
      Object.assign(draft, { busy: false, error: sentence(error), refused: error.kind === "StaleWriteError" });
      this.table.draw();
      this.text.focus();
    }
  }

  end() {
    this.table.drafts.delete(this.id);
    this.table.draw();
    this.el.querySelector(`[data-f="about-${this.id}"]`)?.focus({ preventScroll: true });
  }
}

export default {
  initialize({ model }) {
    patches(model);
  },
  render({ model, el }) {
    const table = new AgentsTable({ model, el });
    return () => table.frame.close();
  },
};
