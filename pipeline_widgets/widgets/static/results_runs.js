// The runs of Results: which are drawn, what each reached, where it comes from and what came of it.

import { chartSample, chartStep, chartStyle } from "./chart_style.js";
import { badge, button, h, icon, keyed, redraw, setText } from "./elements.js";
import { saveFile } from "./files.js";
import { runName } from "./results_charts.js";
import { count, duration, moment, score } from "./text.js";

const RESULT_COLUMNS = [
  { label: "Lineage" },
  { label: "Chart" },
  { label: "Experiment", sort: "experiment" },
  { label: "Run", sort: "run", descending: true },
  { label: "Status", sort: "status" },
  { label: "Steps", sort: "steps", descending: true, kind: "pw-number" },
  { label: "Checkpoints", sort: "checkpoints", descending: true, kind: "pw-number pw-results-count" },
  { label: "Best training score", sort: "training", descending: true, kind: "pw-number" },
  { label: "Best evaluation score", sort: "evaluation", descending: true, kind: "pw-number" },
  { label: "Duration", sort: "duration", descending: true, kind: "pw-number" },
  { label: "Started", sort: "started", descending: true },
];

export class ResultRuns {
  /** @param {any} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    this.open = new Map();
    this.busy = new Map();
    this.known = "";
    this.rows = h("tbody", {
      onmouseover: (/** @type {any} */ event) => this.point(event),
      onmouseleave: () => this.panel.charts.group.light(null),
      onfocusin: (/** @type {any} */ event) => this.point(event),
      onfocusout: () => this.panel.charts.group.light(null),
    });
    /**
     * @param {string} label
     * @param {any} table
     */
    const save = (label, table) =>
      button({ label, glyph: "import", onclick: (event) => this.save(table, event.currentTarget) });
    this.tools = h(
      "div",
      { class: "pw-results-tools" },
      save("Runs as CSV", "runs"),
      save("Metrics as CSV (drawn runs)", "metrics"),
    );
    this.heads = RESULT_COLUMNS.map((column) => this.head(column));
    this.table = h(
      "div",
      { class: "pw-scroll pw-results-runs", role: "region", "aria-label": "Runs", tabindex: "0" },
      h(
        "table",
        { class: "pw-table" },
        h("caption", { class: "pw-hidden" }, "Runs"),
        h("thead", {}, h("tr", {}, this.heads)),
        this.rows,
      ),
    );
    this.note = h("p", { class: "pw-hint" });
    this.el = h(
      "section",
      { class: "pw-results-part", "aria-label": "Table of runs" },
      this.table,
      this.note,
      this.tools,
    );
    const clock = setInterval(() => this.tick(), 1000);
    this.frame.undo.push(() => clearInterval(clock));
  }

  /** @param {Column} options */
  head({ label, sort, descending = false, kind }) {
    if (!sort) return h("th", { scope: "col", class: kind }, label);
    const press = h(
      "button",
      {
        type: "button",
        class: "pw-results-sort",
        "data-f": `sort-${sort}`,
        onclick: () => {
          const now = this.model.get("order");
          return this.frame.run(
            "sort",
            { sort, descending: now.sort === sort ? !now.descending : descending },
            press,
          );
        },
      },
      h("span", {}, label),
      h("span", { class: "pw-results-arrow" }),
    );
    return h("th", { scope: "col", class: kind, "data-sort": sort }, press);
  }

  show() {
    const runs = this.model.get("runs"),
      order = this.model.get("order");
    this.table.hidden = this.tools.hidden = !runs.length;
    for (const th of this.heads.filter((each) => each.dataset.sort)) {
      const sorted = th.dataset.sort === order.sort;
      if (sorted) th.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
      redraw(th.querySelector(".pw-results-arrow"), sorted ? icon(order.descending ? "down" : "up") : null);
    }
    const ids = new Set(runs.map((/** @type {Row} */ run) => run.id));
    for (const id of this.open.keys()) if (!ids.has(id)) this.open.delete(id);
    for (const [id, drawn] of this.busy)
      if (runs.find((/** @type {Row} */ run) => run.id === id)?.drawn === drawn) this.busy.delete(id);
    const items = runs.flatMap((/** @type {Row} */ run) =>
      this.open.has(run.id) ? [{ run }, { run, lineage: true }] : [{ run }],
    );
    keyed(
      this.rows,
      items,
      (/** @type {{ run: Row, lineage: any }} */ { run, lineage }) =>
        lineage ? `${run.id}-lineage` : run.id,
      () => h("tr", {}),
      (/** @type {any} */ tr, /** @type {{ run: Row, lineage: any }} */ { run, lineage }) =>
        redraw(tr, lineage ? this.lineage(run) : this.cells(run)),
    );
    this.showNote(runs);
  }

  /** @param {Row[]} runs */
  showNote(runs) {
    const more = this.model.get("total") - runs.length,
      undrawn = this.model.get("undrawn"),
      drawn = runs.filter((run) => run.drawn).length;
    const first =
      this.model.get("order").sort === "started" && this.model.get("order").descending ? "latest" : "first";
    const notes = [
      this.model.get("chosen").length && !runs.length ? "No runs yet." : "",
      more > 0 ? `The table shows the ${first} ${runs.length} of ${chartStep(runs.length + more)} runs.` : "",
      drawn === runs.length
        ? ""
        : this.model.get("latest")
          ? `The charts show the ${drawn} latest; tick others in the table.`
          : `The charts show ${drawn} of these runs.`,
      undrawn ? `${count(undrawn, "metric")} more: project.results() has them all.` : "",
    ];
    setText(this.note, notes.filter(Boolean).join(" "));
    this.note.hidden = !this.note.textContent;
  }

  /** @param {Row} run */
  cells(run) {
    const number = (/** @type {Child} */ text) => h("td", { class: "pw-number" }, text),
      name = runName(run);
    const box = h("input", {
      type: "checkbox",
      "aria-label": `Chart ${name}`,
      "data-f": `draw-${run.id}`,
      checked: this.busy.get(run.id) ?? run.drawn,
      onchange: () => this.draw(run, box.checked),
    });
    const open = this.open.has(run.id);
    const lineage = button({
      label: `Lineage of ${name}`,
      glyph: open ? "down" : "right",
      quiet: true,
      "aria-expanded": String(open),
      "data-f": `lineage-${run.id}`,
      onclick: (event) => this.toggle(run, event.currentTarget),
    });
    const evaluation = run.best
      ? [h("span", { class: "pw-results-best" }, "best"), h("strong", {}, score(run.evaluation_score))]
      : score(run.evaluation_score);
    return [
      h("td", { class: "pw-results-opener" }, lineage),
      h(
        "td",
        {},
        h("span", { class: "pw-results-pick" }, box, run.drawn ? chartSample(chartStyle(run.place)) : null),
      ),
      h(
        "th",
        { scope: "row", class: "pw-results-name" },
        h("span", { class: "pw-results-choice", title: run.experiment, dir: "auto" }, run.experiment),
      ),
      h("td", {}, `run ${run.number}`),
      h("td", {}, badge(run.status)),
      number(run.steps === null ? "N/A" : chartStep(run.steps)),
      h("td", { class: "pw-number pw-results-count" }, chartStep(run.checkpoints)),
      number(score(run.training_score)),
      number(evaluation),
      h(
        "td",
        {
          class: "pw-number",
          "data-since": run.started_at !== null && run.finished_at === null ? run.started_at : undefined,
        },
        this.took(run),
      ),
      h("td", {}, run.started_at === null ? "N/A" : moment(run.started_at)),
    ];
  }

  /**
   * Emphasise the run in whose row the pointer or the focus is.
   * @param {{ target: any }} options
   */
  point({ target }) {
    const id = parseInt(target.closest("tr")?.dataset.key, 10),
      run = this.model.get("runs").find((/** @type {any} */ each) => each.id === id);
    this.panel.charts.group.light(run?.drawn ? id : null);
  }

  /** @param {Row} run */
  light(run) {
    for (const tr of this.rows.children)
      tr.classList.toggle("pw-results-lit", tr.dataset.key === String(run));
  }

  /** @param {Row} run */
  lineage(run) {
    const told = this.open.get(run.id);
    /**
     * @param {string} title
     * @param {any[]} items
     * @param {any} [none]
     */
    const part = (title, items, none) =>
      h(
        "div",
        {},
        h("h4", {}, title),
        items.length ? h("ul", {}, items) : h("p", { class: "pw-soft" }, none),
      );
    /**
     * @param {any} texts
     * @param {any} [depths]
     */
    const items = (texts, depths) =>
      texts.map((/** @type {string} */ text, /** @type {number} */ at) =>
        h("li", { style: { paddingLeft: `${(depths ? Number(depths[at]) - 1 : at) * 16}px` } }, text),
      );
    return h(
      "td",
      { colspan: String(RESULT_COLUMNS.length) },
      h(
        "div",
        { class: "pw-results-lineage", role: "group", "aria-label": `Lineage of ${runName(run)}` },
        told
          ? [
              part("Comes from", items(told.from), "It started from scratch."),
              part("Came of it", items(told.into, told.depths), "Nothing yet."),
            ]
          : h("span", { class: "pw-soft" }, "Opening…"),
      ),
    );
  }

  /**
   * @param {Row} run
   * @param {El} pressed
   */
  async toggle(run, pressed) {
    if (this.open.delete(run.id)) return this.show();
    this.open.set(run.id, null);
    this.show();
    const told = await this.frame.run("lineage", { run: run.id }, pressed);
    if (told) this.open.set(run.id, told);
    else this.open.delete(run.id);
    this.show();
  }

  /** What is open may have gone on, where other runs are there or one has another status. */
  async renew() {
    const known = JSON.stringify(
      this.model
        .get("runs")
        .map((/** @type {{ id: number, status: string }} */ { id, status }) => `${id} ${status}`)
        .sort(),
    );
    if (known === this.known) return;
    this.known = known;
    if (this.renewing || !this.open.size) return;
    this.renewing = true;
    for (const id of [...this.open.keys()]) {
      const told = await this.frame.line.ask("lineage", { run: id }).catch(/** @returns {Row} */ () => null);
      if (told && this.open.has(id)) this.open.set(id, told);
    }
    this.renewing = false;
    this.show();
    if (this.known === known) return;
    this.known = known; // of what they were asked about
    this.renew();
  }

  /**
   * @param {Row} run
   * @param {any} shown
   */
  async draw(run, shown) {
    this.busy.set(run.id, shown);
    await this.frame.run("draw", { run: run.id, shown });
    this.busy.delete(run.id);
    this.show();
    const box = this.rows.querySelector(`[data-f="draw-${run.id}"]`);
    if (box)
      box.checked =
        this.model.get("runs").find((/** @type {any} */ each) => each.id === run.id)?.drawn ?? false;
  }

  /**
   * @param {any} table
   * @param {El} pressed
   */
  async save(table, pressed) {
    const file = await this.frame.run("csv", { table }, pressed);
    if (!file) return;
    saveFile(file.name, file.text, "text/csv");
    this.frame.announce(`Saved ${file.name}`);
  }

  /** @param {Row} options */
  took({ started, finished }) {
    return started === null ? "N/A" : duration((finished ?? Date.now() / 1000) - started);
  }

  tick() {
    for (const el of this.rows.querySelectorAll("[data-since]"))
      setText(el, duration(Date.now() / 1000 - Number(el.dataset.since)));
  }
}
