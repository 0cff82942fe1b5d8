// The charts of Results: one for each metric with a line for each run, one legend for all, and more points of
// what is shown larger.

import { layAlong } from "./chart_axis.js";
import { ChartControls } from "./chart_controls.js";
import { ChartGroup, chartSample, chartStyle } from "./chart_style.js";
import { button, draw, find, html, make } from "./elements.js";
import { MetricChart } from "./metric_chart.js";
import { stepOrder } from "./steps.js";
import { isolated, metricName } from "./text.js";
import { repeat } from "./vendor/lit.js";

const RESULT_HEIGHT = 220,
  RESULT_LARGE = 380; // px of a chart
const RESULT_PAUSE = 150; // ms without another zoom after which more points are asked for

/** @param {ResultRow} run */
export const runName = (run) => `${isolated(run.experiment)} run ${run.number}`;

/** @typedef {{ part: [Step, Step] | null, points: Map<string, Point[]> }} Detail */

export class ResultCharts {
  /** @param {import("./results.js").ResultsPanel} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    /** @type {string | null} */
    this.large = null;
    /** @type {Detail | null} */
    this.detail = null;
    this.looking = false;
    /** @type {Map<string, MetricChart>} */
    this.charts = new Map(); // the chart of each metric
    this.group = new ChartGroup({ zoomed: () => this.later(), lit: (run) => this.light(run) });
    this.controls = new ChartControls({ changed: () => this.show() });
    this.el = make(html`<div class="pw-results-part" role="group" aria-label="Metrics"></div>`);
    this.frame.undo.push(() => clearTimeout(this.pause));
  }

  show() {
    const runs = new Map(this.model.get("runs").map((run) => [run.id, run]));
    const drawn = this.model
      .get("drawn")
      .map((id) => runs.get(id))
      .filter((run) => !!run?.drawn);
    const all = this.metrics(/** @type {ResultRow[]} */ (drawn)),
      metrics = new Map([...all].filter(([metric]) => this.controls.finds(metricName(metric))));
    this.el.hidden = !all.size;
    if (!metrics.has(this.large ?? "")) this.large = null;
    for (const [metric, chart] of this.charts)
      if (!metrics.has(metric)) {
        chart.end();
        this.charts.delete(metric);
      }
    this.draw(/** @type {ResultRow[]} */ (drawn), [...metrics.keys()], all.size);
    const timelines = new Map(this.model.get("timelines").map((each) => [each.id, each]));
    for (const [metric, series] of metrics) {
      const chart = this.chart(metric);
      chart.resize(chart.chosenHeight ?? (metric === this.large ? RESULT_LARGE : RESULT_HEIGHT));
      const { along, smoothing } = this.controls,
        laid = layAlong(series, along, ({ key }) => timelines.get(key ?? 0));
      chart.show({ title: metricName(metric), smoothing, ...laid });
    }
    if (this.group.pinned !== null && !drawn.some((run) => run?.id === this.group.pinned))
      this.group.pin(this.group.pinned);
  }

  /**
   * The lines of each metric, in the order of the runs.
   * @param {ResultRow[]} drawn
   */
  metrics(drawn) {
    /** @type {Map<string, Series[]>} */
    const metrics = new Map();
    for (const { metric } of this.model.get("curves")) metrics.set(metric, []);
    for (const run of drawn)
      for (const { id, run: of, metric, points } of this.model.get("curves"))
        if (of === run.id)
          metrics.get(metric)?.push({
            key: of,
            name: runName(run),
            points: this.detailed(id, points),
            style: chartStyle(run.place ?? 0),
            ended: !run.active,
          });
    return new Map([...metrics].filter(([, series]) => series.length));
  }

  /**
   * @param {ResultRow[]} runs
   * @param {string[]} metrics
   * @param {number} all how many metrics there are
   */
  draw(runs, metrics, all) {
    draw(
      this.el,
      html`<div class="pw-results-bar">
          <h3>Metrics</h3>
          <span class="pw-soft">Drag, or press + and \u2212, to zoom.</span>${this.group.whole}
          ${this.controls.show(all)}
        </div>
        <ul class="pw-results-legend" aria-label="Runs in the charts">
          ${repeat(
            runs,
            ({ id }) => id,
            (run) => this.legendKey(run),
          )}
        </ul>
        <p class="pw-soft" ?hidden=${metrics.length > 0}>No metric matches.</p>
        <p class="pw-hint" ?hidden=${!this.untimed(runs)}>${this.untimed(runs)}</p>
        <div class="pw-results-charts">
          ${repeat(
            metrics,
            (metric) => metric,
            (metric) =>
              html`<section class=${`pw-results-chart${metric === this.large ? " pw-results-large" : ""}`}>
                ${this.chart(metric).el}
              </section>`,
          )}
        </div>`,
    );
    for (const [metric, chart] of this.charts)
      find(chart.el, ".pw-results-enlarge").setAttribute("aria-pressed", String(metric === this.large));
    this.light(this.group.key);
  }

  /**
   * Say which runs cannot be laid along time.
   * @param {ResultRow[]} runs
   */
  untimed(runs) {
    if (this.controls.along !== "time") return "";
    const timed = new Set(
      this.model
        .get("timelines")
        .filter(({ clock }) => clock.length)
        .map(({ id }) => id),
    );
    const without = runs.filter(({ id }) => !timed.has(id)).map(runName);
    return without.length ? `No times are known of ${without.join(", ")}: not drawn along time.` : "";
  }

  /** @param {string} metric */
  chart(metric) {
    const known = this.charts.get(metric);
    if (known) return known;
    const name = isolated(metricName(metric));
    const chart = new MetricChart(this.frame, {
      height: RESULT_HEIGHT,
      group: this.group,
      compact: true,
      heading: html`<h4 title=${metricName(metric)}>${name}</h4>`,
      tools: button({
        label: `Enlarge ${name}`,
        glyph: "fit",
        quiet: true,
        kind: "pw-results-enlarge",
        onclick: () => this.enlarge(metric),
      }),
    });
    this.charts.set(metric, chart);
    return chart;
  }

  /** @param {string} metric */
  enlarge(metric) {
    this.large = this.large === metric ? null : metric;
    const chart = this.charts.get(metric);
    if (chart) chart.chosenHeight = null;
    this.show();
    this.charts.get(metric)?.el.scrollIntoView({ block: "nearest" });
    this.later();
  }

  // ---- which line is which

  /** @param {ResultRow} run */
  legendKey(run) {
    const lit = () => this.group.light(run.id),
      unlit = () => this.group.light(null);
    return html`<li data-key=${run.id}>
      <button type="button" class="pw-results-key" data-f=${`key-${run.id}`} title=${runName(run)}
        @click=${() => this.group.pin(run.id)} @mouseenter=${lit} @mouseleave=${unlit} @focus=${lit}
        @blur=${unlit}
      >${chartSample(chartStyle(run.place ?? 0))}
      <span class="pw-chart-name" dir="auto">${run.experiment}</span>
      <span>run ${run.number}</span></button>
    </li>`;
  }

  /**
   * Show which run is emphasised in the charts.
   * @param {number | null} run
   */
  light(run) {
    const legend = this.el.querySelector(".pw-results-legend");
    legend?.classList.toggle("pw-chart-lighting", run !== null);
    for (const li of legend?.querySelectorAll("li") ?? []) {
      li.classList.toggle("pw-chart-lit", li.dataset.key === String(run));
      find(li, "button").setAttribute("aria-pressed", String(li.dataset.key === String(this.group.pinned)));
    }
    this.panel.runs.light(run);
  }

  // ---- more points

  /**
   * The points of a curve, with the ones that were asked for in their place.
   * @param {string} id
   * @param {Point[]} points
   */
  detailed(id, points) {
    const { detail } = this,
      more = detail?.points.get(id);
    if (!more?.length) return points;
    const first = detail?.part?.[0] ?? 0,
      last = more[more.length - 1][0];
    return [
      ...points.filter(([step]) => stepOrder(step, first) < 0),
      ...more,
      ...points.filter(([step]) => stepOrder(step, last) > 0),
    ];
  }

  get wanted() {
    return JSON.stringify([this.group.part, this.large, this.model.get("drawn")]);
  }

  later() {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.look(), RESULT_PAUSE);
  }

  /**
   * Ask for more points of the steps that are zoomed to, and of the chart that is enlarged.
   * @returns {Promise<void>}
   */
  async look() {
    if (this.looking || this.frame.gone) return;
    this.looking = true;
    const { wanted, large } = this,
      part = this.controls.along === "step" ? this.group.part : null; // parts are asked for by their steps
    /** @type {Map<string, Point[]>} */
    const points = new Map();
    for (const metric of [part && "", large].filter((each) => each !== null)) {
      const told = await this.frame.line.ask("look", { metric: metric || null, part }).catch(() => null);
      for (const row of told?.rows ?? []) points.set(row.id, row.points);
    }
    this.looking = false;
    if (this.wanted !== wanted) return this.look();
    this.detail = points.size ? { part: /** @type {[Step, Step] | null} */ (part), points } : null;
    this.show();
  }

  /** Other runs may be drawn now. */
  renew() {
    if (this.group.range || this.large !== null) this.later();
  }
}
