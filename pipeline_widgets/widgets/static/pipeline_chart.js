// One metric over all stages of a pipeline, end to end, with a band for each stage.

import { stageAxis } from "./chart_axis.js";
import { ChartControls } from "./chart_controls.js";
import { chartStyle } from "./chart_style.js";
import { options } from "./controls.js";
import { button, draw, find, focusOn, html, make } from "./elements.js";
import { MetricChart } from "./metric_chart.js";
import { isolated, metricName } from "./text.js";

export class PipelineChart {
  /**
   * @param {Frame} frame
   * @param {Model} model
   */
  constructor(frame, model) {
    this.frame = frame;
    this.model = model;
    this.controls = new ChartControls({ changed: () => this.show(), timed: false });
    this.chart = new MetricChart(frame, { height: 280 });
    this.el = make(html`<section class="pw-stages-chart"></section>`);
    frame.on("change:chart", () => this.show());
    this.show();
  }

  show() {
    const chart = this.model.get("chart"),
      { metrics = [], metric = null, stages = [] } = chart,
      open = chart.metrics !== undefined;
    this.el.hidden = !open;
    const name = isolated(this.model.get("pipeline").name);
    this.el.setAttribute("aria-label", `Metric over all stages of ${name}`);
    this.chart.el.hidden = !metric;
    draw(
      this.el,
      open
        ? html`<div class="pw-stages-chart-bar">
            <h3>Metric over all stages</h3>
            <select aria-label="Metric" data-f="chart-metric" ?hidden=${!metric}
              @change=${(event) => this.choose(event.currentTarget.value)}>
              ${options(
                metrics.map((name) => /** @type {const} */ ([name, metricName(name)])),
                metric,
              )}</select>
            ${metric ? this.controls.show() : null}
            ${button({
              label: "Close the chart",
              glyph: "close",
              quiet: true,
              f: "chart-close",
              onclick: () => this.close(),
            })}
          </div>
          <p class="pw-soft" ?hidden=${!!metric}>No stage has reported a metric yet.</p>
          ${this.chart.el}`
        : null,
    );
    if (!open || !metric) return;
    this.chart.show({
      title: metricName(metric),
      smoothing: this.controls.smoothing,
      axis: stageAxis(stages),
      series: stages
        .filter(({ points }) => points.length)
        .map(({ id, number, name, points, resumed, active }) => ({
          key: id,
          name: `${number} ${name}`,
          points,
          resumed,
          style: chartStyle(number - 1),
          ended: !active,
        })),
    });
  }

  /** @param {string} metric */
  choose(metric) {
    return this.frame.run("chart", { metric });
  }

  async open() {
    await this.frame.run("chart", { metric: null });
    if (this.el.hidden) return;
    focusOn(find(this.el, "select"));
    this.el.scrollIntoView({ block: "nearest" });
  }

  async close() {
    await this.frame.run("close_chart");
    focusOn(this.frame.body.querySelector('[data-f="more"]'));
  }
}
