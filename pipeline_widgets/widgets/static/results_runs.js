// The runs of Results: which are drawn, what each reached, where it comes from and what uses it.

import { chartSample, chartStep, chartStyle } from "./chart_style.js";
import { badge, button, draw, focusOn, html, make, moment, named } from "./elements.js";
import { saveFile } from "./files.js";
import { LineageGraph } from "./lineage_graph.js";
import { openLog } from "./log_dialog.js";
import { runName } from "./results_charts.js";
import { evaluationsPart, openScore } from "./scoring.js";
import { columnHead, numberCell } from "./tables.js";
import { alignedScores, bytes, count, duration, isolated } from "./text.js";
import { live, nothing, repeat } from "./vendor/lit.js";

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
];
/** What runs used at most, shown where any of them has it: few have used a GPU. */
const PEAKS = /** @type {const} */ ([
  { label: "Peak memory", sort: "memory", peak: "peak_memory" },
  { label: "Peak GPU memory", sort: "gpu memory", peak: "peak_gpu_memory" },
]).map((column) => ({ ...column, descending: true, kind: "pw-number" }));
const RESULT_TIMES = [
  { label: "Duration", sort: "duration", descending: true, kind: "pw-number" },
  { label: "Started", sort: "started", descending: true },
];

export class ResultRuns {
  /** @param {import("./results.js").ResultsPanel} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    /** @type {Map<number, Lineage | null>} */
    this.open = new Map();
    /** @type {Map<number, LineageGraph>} */
    this.graphs = new Map();
    /** @type {Map<number, boolean>} */
    this.busy = new Map();
    /** @type {number | null} */
    this.lit = null;
    this.known = "";
    this.renewing = false;
    this.said = this.saying([]);
    this.el = make(html`<div class="pw-results-part" role="group" aria-label="Table of runs"></div>`);
    const clock = setInterval(() => this.tick(), 1000);
    this.frame.undo.push(() => clearInterval(clock));
  }

  show() {
    const runs = this.model.get("runs"),
      order = this.model.get("order"),
      drawn = this.model.get("drawn"),
      note = this.note(runs);
    const known = new Map(runs.map((run) => [run.id, run]));
    this.said = this.saying(runs);
    for (const id of this.open.keys()) if (!known.has(id)) this.open.delete(id);
    for (const [id, drawn] of this.busy) if (known.get(id)?.drawn === drawn) this.busy.delete(id);
    const unlit = () => this.panel.charts.group.light(null);
    const point = (/** @type {At} */ event) => this.point(event);
    draw(
      this.el,
      html`<div class="pw-scroll pw-results-runs" role="group" aria-label="Runs" tabindex="0"
        ?hidden=${!runs.length}>
          <table class="pw-table">
            <caption class="pw-hidden">Runs</caption>
            <thead><tr>
              ${this.columns().map((column) =>
                columnHead(column, order, ["pw-results-sort", "pw-results-arrow"], (wanted, pressed) =>
                  this.frame.run("sort", { ...wanted }, pressed),
                ),
              )}
            </tr></thead>
            <tbody @mouseover=${point} @mouseleave=${unlit} @focusin=${point} @focusout=${unlit}>
              ${repeat(
                runs.flatMap((run) =>
                  this.open.has(run.id) ? [{ run }, { run, lineage: true }] : [{ run }],
                ),
                ({ run, lineage }) => (lineage ? `${run.id}-lineage` : run.id),
                ({ run, lineage }) => (lineage ? this.lineage(run) : this.line(run)),
              )}
            </tbody>
          </table>
        </div>
        <p class="pw-hint" ?hidden=${!note}>${note}</p>
        <div class="pw-results-tools" ?hidden=${!runs.length}>
          ${this.saveButton("Runs as CSV", "runs")}
          ${this.saveButton("Metrics as CSV (charted runs)", "metrics")}
          ${button({
            label: "Score charted runs",
            glyph: "results",
            reason: drawn.length ? "" : "Chart a run first.",
            f: "score",
            onclick: (pressed) =>
              openScore({
                frame: this.frame,
                scopes: [{ label: "All of the charted runs", args: { runs: drawn } }],
                pressed,
              }),
          })}
        </div>
        ${evaluationsPart(this.frame, this.model.get("evaluations"))}`,
    );
    this.light(this.lit);
  }

  /**
   * What says the scores of each column, and which columns of what was used there are.
   * @param {ResultRow[]} runs
   */
  saying(runs) {
    /** @type {[evaluator: string, ReturnType<typeof alignedScores>][]} */
    const given = this.model
      .get("evaluators")
      .map((name) => [name, alignedScores(runs.map((run) => run.scores[name]))]);
    return {
      training: alignedScores(runs.map((run) => run.training_score)),
      evaluation: alignedScores(runs.map((run) => run.evaluation_score)),
      given,
      peaks: PEAKS.filter(({ peak }) => runs.some((run) => run[peak] !== null)),
    };
  }

  /** The columns, with one for each evaluator that has scored any of these runs. */
  columns() {
    const scored = this.model.get("evaluators").map((name) => ({
      label: `Best score by ${isolated(name)}`,
      sort: `score:${name}`,
      descending: true,
      kind: "pw-number pw-results-scored",
    }));
    return [...RESULT_COLUMNS, ...scored, ...RESULT_TIMES, ...this.said.peaks];
  }

  /**
   * @param {string} label
   * @param {string} table
   */
  saveButton(label, table) {
    return button({ label, glyph: "import", onclick: (pressed) => this.save(table, pressed) });
  }

  /** @param {ResultRow[]} runs */
  note(runs) {
    const more = this.model.get("total") - runs.length,
      undrawn = this.model.get("undrawn"),
      drawn = runs.filter((run) => run.drawn).length,
      { sort, descending } = this.model.get("order");
    const first = sort === "started" && descending ? "latest" : "first";
    return [
      this.model.get("chosen").length && !runs.length ? "No runs yet." : "",
      more > 0 ? `The table shows the ${first} ${runs.length} of ${chartStep(runs.length + more)} runs.` : "",
      drawn === runs.length
        ? ""
        : this.model.get("latest")
          ? `The charts show the ${drawn} latest; tick others in the table.`
          : `The charts show ${drawn} of these runs.`,
      undrawn ? `${count(undrawn, "metric")} more: project.results() has them all.` : "",
    ]
      .filter(Boolean)
      .join(" ");
  }

  /** @param {ResultRow} run */
  line(run) {
    const { id, started_at: started } = run,
      { training, evaluation, given } = this.said,
      name = runName(run),
      open = this.open.has(id);
    const lineage = button({
      label: `Lineage of ${name}`,
      glyph: open ? "down" : "right",
      quiet: true,
      expanded: open,
      f: `lineage-${id}`,
      onclick: (pressed) => this.toggle(run, pressed),
    });
    const reached = evaluation(run.evaluation_score),
      best = html`<span class="pw-results-best">best</span><strong>${reached}</strong>`;
    return html`<tr data-key=${id}>
      <td class="pw-results-opener">${lineage}</td>
      <td>
        <span class="pw-results-pick">
          <input type="checkbox" aria-label=${`Chart ${name}`} data-f=${`draw-${id}`}
            .checked=${live(this.busy.get(id) ?? run.drawn)}
            @change=${(event) => this.draw(run, event.currentTarget.checked)} />
          ${run.place !== null ? chartSample(chartStyle(run.place)) : null}
        </span>
      </td>
      <th scope="row" class="pw-results-name">
        <span class="pw-results-choice" title=${run.experiment} dir="auto">${run.experiment}</span>
      </th>
      <td class="pw-results-run">run ${run.number}${this.logOf(run, name)}</td>
      <td>${badge(run.status)}</td>
      ${numberCell(run.steps === null ? "N/A" : chartStep(run.steps))}
      <td class="pw-number pw-results-count">${chartStep(run.checkpoints)}</td>
      ${numberCell(training(run.training_score))}${numberCell(run.best ? best : reached)}
      ${given.map(([name, says]) => numberCell(says(run.scores[name])))}
      <td class="pw-number" data-since=${started !== null && run.finished_at === null ? started : nothing}
        .textContent=${took(run)}></td>
      <td>${started === null ? "N/A" : moment(started)}</td>
      ${this.said.peaks.map(({ peak }) => numberCell(run[peak] === null ? "N/A" : bytes(run[peak])))}
    </tr>`;
  }

  /**
   * What opens the whole log of a run.
   * @param {ResultRow} run
   * @param {string} name
   */
  logOf = ({ id }, name) =>
    button({
      label: `Open log of ${name}`,
      glyph: "list",
      quiet: true,
      f: `log-${id}`,
      onclick: () => openLog(this.frame, id),
    });

  /**
   * Emphasise the run in whose row the pointer or the focus is.
   * @param {At} event
   */
  point({ target }) {
    const run = this.panel.run(parseInt(target.closest("tr")?.dataset.key ?? "", 10));
    this.panel.charts.group.light(run?.drawn ? run.id : null);
  }

  /** @param {number | null} run */
  light(run) {
    this.lit = run;
    for (const tr of this.el.querySelectorAll("tbody > tr"))
      tr.classList.toggle("pw-results-lit", tr.dataset.key === String(run));
  }

  /** @param {ResultRow} run */
  lineage(run) {
    const graph = this.graphs.get(run.id) ?? new LineageGraph(this.leads);
    this.graphs.set(run.id, graph);
    return html`<tr data-key=${`${run.id}-lineage`}><td colspan=${this.columns().length}>
      <div class="pw-results-lineage" role="group" aria-label=${`Lineage of ${runName(run)}`}>
        ${graph.show(this.open.get(run.id) ?? null)}
      </div>
    </td></tr>`;
  }

  /** Where a node of a lineage leads: to the row of its run, or to the view of its agent. */
  get leads() {
    return {
      why: (/** @type {LineageNode} */ { kind, experiment }) =>
        kind === "deployment" || (kind === "run" && experiment === null) ? "It has no results." : "",
      open: (/** @type {LineageNode} */ node, /** @type {El} */ pressed) => this.lead(node, pressed),
    };
  }

  /**
   * @param {LineageNode} node
   * @param {El} pressed
   */
  async lead({ kind, id, experiment }, pressed) {
    if (kind === "agent") return this.panel.place.open(id, pressed);
    const chosen = this.model.get("chosen");
    if (experiment !== null && !chosen.includes(experiment))
      await this.frame.run("choose", { experiments: [...chosen, experiment] }, pressed);
    const opener = this.el.querySelector(named(`lineage-${id}`));
    if (!opener) return this.frame.notice("This run is not among those in the table.", "info");
    opener.scrollIntoView({ block: "center" });
    focusOn(opener);
  }

  /**
   * @param {ResultRow} run
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
        .map(({ id, status }) => `${id} ${status}`)
        .sort(),
    );
    if (known === this.known) return;
    this.known = known;
    if (this.renewing || !this.open.size) return;
    this.renewing = true;
    for (const id of [...this.open.keys()]) {
      const told = await this.frame.line.ask("lineage", { run: id }).catch(() => null);
      if (told && this.open.has(id)) this.open.set(id, told);
    }
    this.renewing = false;
    this.show();
    if (this.known === known) return;
    this.known = known; // of what they were asked about
    this.renew();
  }

  /**
   * @param {ResultRow} run
   * @param {boolean} shown
   */
  async draw(run, shown) {
    this.busy.set(run.id, shown);
    await this.frame.run("draw", { run: run.id, shown });
    this.busy.delete(run.id);
    this.show();
  }

  /**
   * @param {string} table
   * @param {El} pressed
   */
  async save(table, pressed) {
    const file = await this.frame.run("csv", { table }, pressed);
    if (!file) return;
    saveFile(file.name, file.text, "text/csv");
    this.frame.announce(`Saved ${file.name}`);
  }

  tick() {
    for (const el of this.el.querySelectorAll("[data-since]"))
      el.textContent = duration(Date.now() / 1000 - Number(el.dataset.since));
  }
}

/** @param {ResultRow} run */
const took = ({ started_at: started, finished_at: finished }) =>
  started === null ? "N/A" : duration((finished ?? Date.now() / 1000) - started);
