// The charts of Results: one for each metric with a line for each run, one legend for all, and more points of
// what is shown larger.

import { ChartGroup, chartName, chartSample, chartStyle } from "./chart_style.js";
import { button, h, keyed, redraw, unique } from "./elements.js";
import { MetricChart } from "./metric_chart.js";
import { stepOrder } from "./steps.js";
import { isolated } from "./text.js";

const RESULT_HEIGHT = 190,
  RESULT_LARGE = 340; // px of a chart
const RESULT_PAUSE = 150; // ms without another zoom after which more points are asked for

/** @param {Row} run */
export const runName = (run) => `${isolated(run.experiment)} run ${run.number}`;

export class ResultCharts {
  /** @param {any} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    this.large = null;
    this.detail = null;
    this.looking = false;
    this.charts = new Map(); // the chart of each metric
    this.group = new ChartGroup({ zoomed: () => this.later(), lit: (run) => this.light(run) });
    const name = unique("log");
    this.log = h("input", { type: "checkbox", id: name, "data-f": "log", onchange: () => this.show() });
    this.legend = h("ul", { class: "pw-results-legend", "aria-label": "Runs in the charts" });
    this.list = h("div", { class: "pw-results-charts" });
    this.el = h(
      "section",
      { class: "pw-results-part", "aria-label": "Metrics" },
      h(
        "div",
        { class: "pw-results-bar" },
        h("h3", {}, "Metrics"),
        h("span", { class: "pw-soft" }, "Drag, or press + and \u2212, to zoom."),
        this.group.whole,
        h("span", { class: "pw-results-check" }, this.log, h("label", { for: name }, "Log scale")),
      ),
      this.legend,
      this.list,
    );
    this.frame.undo.push(() => clearTimeout(this.pause));
  }

  show() {
    const runs = new Map(this.model.get("runs").map((/** @type {Row} */ run) => [run.id, run]));
    const drawn = this.model.get("drawn").filter((/** @type {number} */ id) => runs.get(id)?.drawn),
      metrics = new Map();
    for (const { id, run: of, metric, points } of this.model.get("curves")) {
      const run = runs.get(of);
      if (!run?.drawn) continue;
      if (!metrics.has(metric)) metrics.set(metric, []);
      metrics.get(metric).push({
        key: of,
        name: runName(run),
        points: this.detailed(id, points),
        style: chartStyle(run.place),
        ended: !run.active,
      });
    }
    for (const series of metrics.values())
      series.sort(
        (/** @type {any} */ one, /** @type {any} */ other) =>
          drawn.indexOf(one.key) - drawn.indexOf(other.key),
      );
    this.el.hidden = !metrics.size;
    this.showLegend(drawn.map((/** @type {number} */ id) => runs.get(id)));
    if (!metrics.has(this.large)) this.large = null;
    keyed(
      this.list,
      [...metrics],
      (/** @type {any[]} */ [metric]) => metric,
      ([metric]) => this.make(metric),
      (/** @type {El} */ section, /** @type {any[]} */ [metric]) => this.size(section, metric),
    );
    for (const [metric, chart] of this.charts) {
      if (metrics.has(metric))
        chart.show({ title: chartName(metric), series: metrics.get(metric), log: this.log.checked });
      else {
        chart.end();
        this.charts.delete(metric);
      }
    }
  }

  /** @param {string} metric */
  make(metric) {
    const name = chartName(metric);
    const enlarge = button({
      label: `Enlarge ${isolated(name)}`,
      glyph: "fit",
      quiet: true,
      kind: "pw-results-enlarge",
      onclick: () => this.enlarge(metric),
    });
    const chart = new MetricChart(this.frame, {
      height: RESULT_HEIGHT,
      group: this.group,
      compact: true,
      heading: h("h4", { title: name }, isolated(name)),
      tools: enlarge,
    });
    this.charts.set(metric, chart);
    return h("section", { class: "pw-results-chart" }, chart.el);
  }

  /**
   * @param {El} section
   * @param {string} metric
   */
  size(section, metric) {
    const large = metric === this.large;
    section.classList.toggle("pw-results-large", large);
    section.querySelector(".pw-results-enlarge").setAttribute("aria-pressed", String(large));
    this.charts.get(metric).resize(large ? RESULT_LARGE : RESULT_HEIGHT);
  }

  /** @param {string} metric */
  enlarge(metric) {
    this.large = this.large === metric ? null : metric;
    this.show();
    this.charts.get(metric).el.scrollIntoView({ block: "nearest" });
    this.later();
  }

  // ---- which line is which

  /** @param {Row[]} runs */
  showLegend(runs) {
    keyed(
      this.legend,
      runs,
      (/** @type {Row} */ run) => run.id,
      (run) =>
        h(
          "li",
          {},
          h("button", {
            type: "button",
            class: "pw-results-key",
            "aria-pressed": "false",
            "data-f": `key-${run.id}`,
            onclick: () => this.group.pin(run.id),
            onmouseenter: () => this.group.light(run.id),
            onmouseleave: () => this.group.light(null),
            onfocus: () => this.group.light(run.id),
            onblur: () => this.group.light(null),
          }),
        ),
      (/** @type {any} */ li, /** @type {Row} */ run) => {
        li.firstChild.title = runName(run);
        redraw(
          li.firstChild,
          chartSample(chartStyle(run.place)),
          h("span", { class: "pw-chart-name", dir: "auto" }, run.experiment),
          h("span", {}, `run ${run.number}`),
        );
      },
    );
    if (this.group.pinned !== null && !runs.some((run) => run.id === this.group.pinned))
      this.group.pin(this.group.pinned);
  }

  /**
   * Show which run is emphasised in the charts.
   * @param {Row} run
   */
  light(run) {
    this.legend.classList.toggle("pw-chart-lighting", run !== null);
    for (const li of this.legend.children) {
      li.classList.toggle("pw-chart-lit", li.dataset.key === String(run));
      li.firstElementChild.setAttribute("aria-pressed", String(li.dataset.key === String(this.group.pinned)));
    }
    this.panel.runs.light(run);
  }

  // ---- more points

  /**
   * The points of a curve, with the ones that were asked for in their place.
   * @param {number} id
   * @param {Point[]} points
   */
  detailed(id, points) {
    const more = this.detail?.points.get(id);
    if (!more?.length) return points;
    const first = this.detail.part?.[0] ?? 0,
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
    const wanted = this.wanted,
      [part, large] = JSON.parse(wanted),
      points = new Map();
    for (const metric of [part && "", large].filter((each) => each !== null)) {
      const told = await this.frame.line
        .ask("look", { metric: metric || null, part })
        .catch(() => ({ rows: /** @type {Row[]} */ ([]) }));
      for (const row of told.rows) points.set(row.id, row.points);
    }
    this.looking = false;
    if (this.wanted !== wanted) return this.look();
    this.detail = points.size ? { part, points } : null;
    this.show();
  }

  /** Other runs may be drawn now. */
  renew() {
    if (this.group.range || this.large !== null) this.later();
  }
}
