// A chart of one metric: a line for each series, drawn by uPlot. It is read by the mouse or with the arrow
// keys, step by step, and zoomed by dragging or with + and -. Colours come from the style sheet, so that a
// theme changes them.

import { STEP_AXIS } from "./chart_axis.js";
import { pressInChart } from "./chart_keys.js";
import { pictureOf, readSeries, sayReadings, tableOf } from "./chart_readings.js";
import { ChartGroup, chartSample, chartSummary } from "./chart_style.js";
import { chartTools, heightHandle } from "./chart_tools.js";
import { describeUndrawn, smoothPoints, stepsOf, valueUnit } from "./chart_values.js";
import { draw, find, html, make } from "./elements.js";
import { stepOrder } from "./steps.js";
import { isolated } from "./text.js";
import { followTheme } from "./theme.js";
import { chartOptions } from "./uplot_options.js";
import { uPlot } from "./vendor/uPlot.js";

const CHART_HEIGHT = 240;
const CHART_FADED = 0.18; // of a line while another one is emphasised
const CHART_RAW = 0.3; // of a line that is smoothed
const CHART_TITLE = 34; // letters of an axis title

export class MetricChart {
  /**
   * Charts of the same `group` are read and zoomed together. `heading` stands above, and `tools` beside it.
   * With `compact` names and values are smaller.
   * @param {Frame} frame
   * @param {ChartLayout} [options]
   */
  constructor(frame, { height = CHART_HEIGHT, group, heading, tools, compact = false } = {}) {
    this.frame = frame;
    this.height = height;
    this.group = group ?? new ChartGroup();
    /** @type {Series[]} */
    this.series = [];
    /** @type {Step[]} */
    this.steps = [];
    /** @type {number[]} */
    this.xs = [];
    /** @type {(number | null | undefined)[][]} */
    this.values = [];
    /** @type {PlotData} */
    this.data = [];
    /** @type {El[]} */
    this.items = [];
    /** @type {number | null} */
    this.at = null;
    /** @type {Step | null} */
    this.best = null;
    /** @type {Plot | null} */
    this.plot = null;
    /** @type {ChartOptions} what it was told to show last */
    this.told = { title: "", series: [] };
    /** @type {ChartAxis} */
    this.axis = STEP_AXIS;
    /** @type {Point[][] | null} */
    this.smoothed = null;
    /** @type {number | null} */
    this.chosenHeight = null;
    this.unit = 1;
    this.log = false;
    this.title = this.shown = this.styles = "";
    this.tools = tools;
    this.el = make(
      html`<div class="pw-chart">
        <div class="pw-chart-head">
          ${heading}${group ? null : this.group.whole}<div class="pw-chart-told"
            aria-hidden="true"></div><div class="pw-chart-tools"></div>
        </div>
        <div class="pw-chart-place" tabindex="0" role="slider" aria-label="Chart" aria-valuemin="0"
          aria-valuemax="0"
          aria-valuenow="0" style=${`height: ${height}px`} @keydown=${(event) => pressInChart(this, event)}
          @focus=${() => this.enter()} @blur=${() => this.read(null)}
          @mouseleave=${() => this.group.light(null)}></div>
        ${heightHandle(this)}
        <div class="pw-chart-offset pw-hint" hidden></div>
        <div class="pw-chart-undrawn pw-hint"></div>
        <ul class=${`pw-chart-legend${compact ? " pw-chart-compact" : ""}`}></ul>
      </div>`,
    );
    this.reading = find(this.el, ".pw-chart-told");
    this.note = find(this.el, ".pw-chart-undrawn");
    this.place = find(this.el, ".pw-chart-place");
    this.offset = find(this.el, ".pw-chart-offset");
    this.legend = find(this.el, ".pw-chart-legend");
    this.handle = find(this.el, ".pw-chart-handle");
    this.showTools();
    this.group.charts.add(this);
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.place);
    const unfollow = followTheme(() => this.plot?.redraw(false));
    this.end = frame.whenGone(() => {
      this.group.charts.delete(this);
      this.size.disconnect();
      unfollow();
      this.plot?.destroy();
      this.plot = null;
    });
  }

  enter() {
    this.group.last = this;
    if (this.place.matches(":focus-visible")) this.read(this.at ?? this.steps.length - 1);
  }

  /** @param {ChartOptions} options */
  show(options) {
    const { title, series, best = null, smoothing = 0, axis = STEP_AXIS } = options,
      { log } = this;
    const told = JSON.stringify([title, series, best, log, smoothing, axis.name, axis.bands]);
    this.told = options;
    if (told === this.shown) return;
    const step = this.at === null || axis.name !== this.axis.name ? null : this.steps[this.at];
    const styles = JSON.stringify([
      series.map((each) => each.style),
      ...[log, best === null, smoothing > 0, axis.name, title, valueUnit(series)],
    ]);
    const anew = styles !== this.styles;
    Object.assign(this, { shown: told, title, series, best, axis, styles });
    this.steps = stepsOf(series);
    this.at =
      step === null
        ? null
        : Math.max(
            0,
            this.steps.findLastIndex((each) => stepOrder(each, step) <= 0),
          );
    this.unit = log ? 1 : valueUnit(series);
    this.smoothed = smoothing > 0 ? series.map(({ points }) => smoothPoints(points, smoothing)) : null;
    this.values = [series.map(({ points }) => points), this.smoothed ?? []].flat().map((points) => {
      const map = new Map(points);
      return this.steps.map((each) => this.y(map.get(each)));
    });
    this.group.rescale(this);
    this.lay();
    this.showLegend();
    this.note.textContent = log ? describeUndrawn(series) : "";
    this.place.setAttribute("aria-label", chartSummary(this.title, this.series, this.axis));
    this.place.setAttribute("aria-valuemin", String(this.steps[0] ?? 0));
    this.place.setAttribute("aria-valuemax", String(this.steps[this.steps.length - 1] ?? 0));
    if (anew) this.make();
    else this.rescale();
    this.say(document.activeElement === this.place ? this.at : null);
    this.emphasise();
  }

  showTools() {
    draw(find(this.el, ".pw-chart-tools"), html`${chartTools(this)}${this.tools}`);
  }

  /**
   * Draw the values on a logarithmic axis, or on an even one.
   * @param {boolean} log
   */
  setLog(log) {
    this.log = log;
    this.showTools();
    this.show(this.told);
    if (this.note.textContent) this.frame.announce(this.note.textContent);
  }

  get xTitle() {
    return this.axis.title(this.group.extent?.[1] ?? 0);
  }

  get yTitle() {
    const title = this.title.length > CHART_TITLE ? `${this.title.slice(0, CHART_TITLE)}…` : this.title;
    return this.log ? `${title} (log)` : title;
  }

  /** What it shows, to be drawn as a file. */
  picture() {
    if (!this.plot) throw new Error("The chart is not drawn yet.");
    return pictureOf(this, this.plot);
  }

  /** Its points, for a table. */
  table() {
    return tableOf(this);
  }

  /**
   * Where a value lies; a logarithm has no place for what is not above zero: it is a gap there.
   * @param {number | null | undefined} value
   */
  y(value) {
    if (value === null || value === undefined) return value;
    return this.log && value <= 0 ? null : value / this.unit;
  }

  /** Lay the steps on the scale of the group. */
  lay() {
    this.xs = this.steps.map((step) => this.group.scale.x(step));
    this.data = [this.xs, ...this.values];
  }

  showLegend() {
    draw(
      this.legend,
      this.series.length < 2
        ? null
        : this.series.map(
            (series) =>
              html`<li @mouseenter=${() => this.group.light(series.key ?? null)}
                @mouseleave=${() => this.group.light(null)}>
                ${chartSample(series.style)}<span class="pw-chart-name">${isolated(series.name)}</span>
                <span class="pw-chart-value"></span><span class="pw-chart-note"></span>
              </li>`,
          ),
    );
    this.items = [...this.legend.querySelectorAll("li")];
  }

  /** @param {string} name */
  colour(name) {
    return getComputedStyle(this.el).getPropertyValue(name).trim() || "CanvasText";
  }

  /** Make it anew, for other lines or another scale. */
  make() {
    this.plot?.destroy();
    this.plot = null;
    const width = this.place.clientWidth;
    if (!width || !this.series.length) return; // `fit` comes when there is a place
    this.plot = new uPlot(chartOptions(this, width), this.data, this.place);
    this.rescale();
  }

  /** Draw the data and the steps that are shown now. */
  rescale() {
    const { plot, xs } = this;
    if (!plot) return this.make();
    const [low, high] = this.group.range ?? [xs[0] ?? 0, xs[xs.length - 1] ?? 1];
    plot.batch(() => {
      plot.setData(this.data, false);
      plot.setScale("x", low === high ? { min: low - 1, max: high + 1 } : { min: low, max: high });
    });
    if (document.activeElement === this.place && this.at !== null) this.mark(this.at);
  }

  /**
   * Say ticks of the axis; where steps count from the first step, that stands below.
   * @param {number[]} ticks
   */
  stepTexts(ticks) {
    const { texts, from } = this.axis.texts(this.group.scale, ticks, this.group.extent?.[1] ?? 0);
    this.offset.hidden = !from;
    if (from) this.offset.textContent = `Steps are counted from ${from}.`;
    return texts;
  }

  /** @param {number} height */
  resize(height) {
    this.height = height;
    this.place.style.height = `${height}px`;
    this.handle.setAttribute("aria-valuenow", String(height));
    this.fit();
  }

  fit() {
    const width = this.place.clientWidth,
      { height } = this;
    if (!width || !this.series.length) return;
    if (!this.plot) this.make();
    else if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height });
  }

  /** Fade what is not emphasised. */
  emphasise() {
    const { key } = this.group,
      known = key !== null && this.series.some((each) => each.key === key);
    this.legend.classList.toggle("pw-chart-lighting", known);
    let changed = false;
    this.series.forEach((each, n) =>
      this.items[n]?.classList.toggle("pw-chart-lit", known && each.key === key),
    );
    this.values.forEach((_, n) => {
      const raw = this.smoothed && n < this.series.length ? CHART_RAW : 1,
        lit = !known || this.series[n % this.series.length].key === key;
      const alpha = raw * (lit ? 1 : CHART_FADED),
        line = this.plot?.series[n + 1];
      if (!line || (line.alpha ?? 1) === alpha) return;
      line.alpha = alpha;
      changed = true;
    });
    if (changed) this.plot?.redraw(false);
  }

  /**
   * Say the values at a step, each with its own step where that is another one; null says the latest ones.
   * @param {number | null} at
   */
  say(at) {
    const step = this.steps[at ?? this.steps.length - 1],
      one = this.series.length === 1,
      { axis, smoothed } = this;
    const readings = readSeries(this.series, step, { axis, smoothed, reading: at !== null });
    readings.forEach(({ name, text, note }, n) => {
      const item = this.items[n];
      if (!item) return;
      find(item, ".pw-chart-value").textContent = text;
      find(item, ".pw-chart-note").textContent = note;
      item.classList.toggle("pw-chart-other", / at /.test(` ${note}`));
      item.title = `${isolated(name)} ${text} ${note}`.trim();
    });
    const place = step === undefined ? "" : at === null && !one ? "Latest" : axis.say(step),
      text = place && `${place}: ${sayReadings(readings)}`;
    this.reading.textContent = one ? text : place;
    this.place.setAttribute("aria-valuenow", String(step ?? 0));
    this.place.setAttribute("aria-valuetext", text);
  }

  /**
   * Move the cursor to a step, by its place; null takes it away.
   * @param {number | null} at
   */
  read(at) {
    if (at !== null) this.at = at;
    this.follow(at);
    this.mark(at);
    this.say(at);
  }

  /**
   * Show where a step is, here and in the charts beside.
   * @param {number | null} at
   */
  mark(at) {
    const place =
      at === null || !this.plot
        ? { left: -10, top: -10 }
        : { left: this.plot.valToPos(this.xs[at], "x"), top: this.height / 2 };
    this.plot?.setCursor(place, true, true);
  }

  /**
   * Move what is zoomed to where a step is.
   * @param {number | null} at
   */
  follow(at) {
    if (at === null) return;
    const [low, high] = this.group.range ?? [-Infinity, Infinity],
      x = this.xs[at];
    if (x >= low && x <= high) return;
    this.group.zoom([x - (high - low) / 2, x + (high - low) / 2]);
  }
}
