// The runs of Results: which are drawn, what each reached, where it comes from and what came of it.

class ResultRuns {
  constructor(panel) {
    Object.assign(this, { panel, frame: panel.frame, model: panel.model, open: new Map(), busy: new Map() });
    this.rows = h("tbody", {});
    const save = (label, table) => button({ label, glyph: "import", onclick: (event) => this.save(table, event.currentTarget) });
    this.tools = h("div", { class: "pw-results-tools" }, save("Runs as CSV", "runs"), save("Metrics as CSV", "metrics"));
    this.table = h("div", { class: "pw-scroll pw-results-runs", role: "region", "aria-label": "Runs", tabindex: "0" },
      h("table", { class: "pw-table" },
        h("caption", { class: "pw-hidden" }, "Runs"),
        h("thead", {}, h("tr", {},
          ["Chart", "Experiment", "Run", "Status"].map((name) => h("th", { scope: "col" }, name)),
          ["Steps", "Checkpoints", "Best training score", "Best evaluation score", "Duration"].map((name) => h("th", { scope: "col", class: "pw-number" }, name)),
          h("th", { scope: "col" }, "Started"))),
        this.rows));
    this.note = h("p", { class: "pw-hint" });
    this.el = h("section", { class: "pw-results-part", "aria-label": "Table of runs" }, this.table, this.note, this.tools);
    const clock = setInterval(() => this.tick(), 1000);
    this.frame.undo.push(() => clearInterval(clock));
  }

  show() {
    const runs = this.model.get("runs"), some = this.model.get("chosen").length > 0;
    this.table.hidden = this.tools.hidden = !runs.length;
    const ids = new Set(runs.map((run) => run.id));
    for (const id of this.open.keys()) if (!ids.has(id)) this.open.delete(id);
    for (const [id, drawn] of this.busy) if (runs.find((run) => run.id === id)?.drawn === drawn) this.busy.delete(id);
    const order = runs.filter((run) => run.drawn).map((run) => run.id);
    const items = runs.flatMap((run) => (this.open.has(run.id) ? [{ run }, { run, lineage: true }] : [{ run }]));
    keyed(this.rows, items, ({ run, lineage }) => (lineage ? `${run.id}-lineage` : run.id), () => h("tr", {}), (tr, { run, lineage }) =>
      redraw(tr, lineage ? this.lineage(run) : this.cells(run, order.indexOf(run.id))));
    const more = this.model.get("total") - runs.length, undrawn = this.model.get("undrawn");
    const notes = [
      some && !runs.length ? "No runs yet." : "",
      more > 0 ? `The table shows the latest ${runs.length} of ${runs.length + more} runs.` : "",
      order.length < runs.length ? `The charts show ${order.length} of these runs.` : "",
      undrawn ? `${count(undrawn, "metric")} more: project.results() has them all.` : "",
    ];
    setText(this.note, notes.filter(Boolean).join(" "));
    this.note.hidden = !this.note.textContent;
  }

  cells(run, at) {
    const number = (text) => h("td", { class: "pw-number" }, text), name = `${run.experiment} run ${run.n}`;
    const box = h("input", { type: "checkbox", "aria-label": `Chart ${name}`, "data-f": `draw-${run.id}`, checked: this.busy.get(run.id) ?? run.drawn, onchange: () => this.draw(run, box.checked) });
    const open = this.open.has(run.id);
    const lineage = button({
      label: `Lineage of ${name}`, glyph: open ? "down" : "right", quiet: true, "aria-expanded": String(open), "data-f": `lineage-${run.id}`,
      onclick: (event) => this.toggle(run, event.currentTarget),
    });
    return [
      h("td", {}, h("span", { class: "pw-results-pick" }, lineage, box, at >= 0 ? chartSample(chartStyle(at)) : null)),
      h("th", { scope: "row", class: "pw-results-name" }, run.experiment),
      h("td", {}, `run ${run.n}`),
      h("td", {}, badge(run.status)),
      number(run.steps === null ? "N/A" : String(run.steps)),
      number(String(run.checkpoints)),
      number(score(run.training)),
      number(score(run.evaluation)),
      h("td", { class: "pw-number", "data-since": run.started !== null && run.finished === null ? run.started : undefined }, this.took(run)),
      h("td", {}, run.started === null ? "N/A" : moment(run.started)),
    ];
  }

  lineage(run) {
    const told = this.open.get(run.id);
    const part = (title, items, none) => h("div", {}, h("h4", {}, title), items.length ? h("ul", {}, items) : h("p", { class: "pw-soft" }, none));
    const items = (texts, depths) => texts.map((text, at) => h("li", { style: { paddingLeft: `${(depths ? Number(depths[at]) - 1 : at) * 16}px` } }, text));
    return h("td", { colspan: "10" }, h("div", { class: "pw-results-lineage", role: "group", "aria-label": `Lineage of ${run.experiment} run ${run.n}` }, told
      ? [part("Comes from", items(told.from), "It started from scratch."), part("Came of it", items(told.into, told.depths), "Nothing yet.")]
      : h("span", { class: "pw-soft" }, "Opening…")));
  }

  async toggle(run, pressed) {
    if (this.open.delete(run.id)) return this.show();
    this.open.set(run.id, null);
    this.show();
    const told = await this.frame.run("lineage", { run: run.id }, pressed);
    if (told) this.open.set(run.id, told);
    else this.open.delete(run.id);
    this.show();
  }

  /** What is open may have gone on. */
  async renew() {
    for (const id of [...this.open.keys()]) {
      const told = await this.frame.line.ask("lineage", { run: id }).catch(() => null);
      if (told && this.open.has(id)) this.open.set(id, told);
    }
    this.show();
  }

  async draw(run, shown) {
    this.busy.set(run.id, shown);
    await this.frame.run("draw", { run: run.id, shown });
    this.busy.delete(run.id);
    this.show();
    const box = this.rows.querySelector(`[data-f="draw-${run.id}"]`);
    if (box) box.checked = this.model.get("runs").find((each) => each.id === run.id)?.drawn ?? false;
  }

  async save(table, pressed) {
    const file = await this.frame.run("csv", { table }, pressed);
    if (!file) return;
    saveFile(file.name, file.text, "text/csv");
    this.frame.announce(`Saved ${file.name}`);
  }

  took({ started, finished }) {
    return started === null ? "N/A" : duration((finished ?? Date.now() / 1000) - started);
  }

  tick() {
    for (const el of this.rows.querySelectorAll("[data-since]")) setText(el, duration(Date.now() / 1000 - Number(el.dataset.since)));
  }
}
