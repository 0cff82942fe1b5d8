// The metrics of a stage's run: a tile for each, with its last value and a small curve, which opens its
// chart in place.

import { layAlong } from "./chart_axis.js";
import { ChartControls } from "./chart_controls.js";
import { chartStyle } from "./chart_style.js";
import { curveTile } from "./curve_tile.js";
import { html, make } from "./elements.js";
import { MetricChart } from "./metric_chart.js";
import { isActive } from "./run_times.js";
import { inFull, isolated, metricName, score } from "./text.js";
import { repeat } from "./vendor/lit.js";

const CURVES_SHOWN = 6; // the scores first; the rest is behind "and 3 more"

export class StageMetrics {
  /**
   * `changed` is called when another chart was opened or closed.
   * @param {Frame} frame
   * @param {() => void} changed
   */
  constructor(frame, changed) {
    this.changed = changed;
    this.open = "";
    /** @type {PanelRun | null} */
    this.run = null;
    this.controls = new ChartControls({ changed });
    this.chart = new MetricChart(frame);
    this.place = make(html`<div class="pw-curve-chart"></div>`);
    this.place.append(this.chart.el);
  }

  /** @param {PanelRun | null} run */
  show(run) {
    if (run?.id !== this.run?.id) this.open = "";
    this.run = run;
    const curves = run?.curves ?? [],
      found = curves.filter(({ name }) => this.controls.finds(metricName(name))),
      others = found.slice(CURVES_SHOWN);
    const opened = found.find(({ name }) => name === this.open);
    return [
      this.controls.show(curves.length, !!opened),
      this.tiles(found.slice(0, CURVES_SHOWN)),
      html`<details class="pw-panel-rest" ?hidden=${!others.length}>
        <summary>and ${others.length} more</summary>
        ${this.tiles(others)}
      </details>`,
      html`<p class="pw-soft" ?hidden=${found.length > 0 || !curves.length}>No metric matches.</p>`,
      opened && run ? this.showChart(run, opened) : null,
    ];
  }

  /** @param {Curve[]} curves */
  tiles(curves) {
    return html`<div class="pw-curves">${repeat(
      curves,
      ({ name }) => name,
      (curve) => [this.tile(curve), curve.name === this.open ? this.place : null],
    )}</div>`;
  }

  /**
   * A metric in words, and as a small curve where it has more than one point.
   * @param {Curve} curve
   */
  tile({ name, points }) {
    const shown = metricName(name),
      open = name === this.open;
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    const [step, last] = points[points.length - 1];
    const now = last === null ? "not finite" : score(last);
    const range =
      values.length > 1
        ? `, lowest ${score(Math.min(...values))}, highest ${score(Math.max(...values))}`
        : "";
    const label = `${shown}: ${now} at step ${inFull(step)}${range}`;
    const head = html`<button type="button" class="pw-curve-name" title=${`Chart of ${shown}`}
        aria-expanded=${open} data-f=${`curve-${name}`} ?disabled=${points.length < 2}
        @click=${() => this.toggle(name)}>${isolated(shown)}</button>`;
    return curveTile({ head, last: now, points, label, open });
  }

  /** @param {string} name */
  toggle(name) {
    this.open = this.open === name ? "" : name;
    this.changed();
  }

  /**
   * @param {PanelRun} run
   * @param {Curve} curve
   */
  showChart(run, { name, points }) {
    const { along, smoothing } = this.controls,
      shown = metricName(name),
      ended = !isActive(run.status);
    const series = [{ name: `run ${run.number}`, points, style: chartStyle(0), ended }];
    this.chart.show({ title: shown, smoothing, ...layAlong(series, along, () => run) });
    return null;
  }
}
