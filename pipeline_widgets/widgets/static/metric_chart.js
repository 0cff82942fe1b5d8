// A chart of one metric: a line for each series, drawn by uPlot. It is read by the mouse or with the arrow
// keys, step by step, and zoomed by dragging or with + and -. Colours come from the style sheet, so that a
// theme changes them.

import { pressInChart } from "./chart_keys.js";
import {
  ChartGroup,
  chartBefore,
  chartSample,
  chartStep,
  chartStepTexts,
  chartSummary,
} from "./chart_style.js";
import { draw, find, html, make } from "./elements.js";
import { stepOrder } from "./steps.js";
import { isolated, score } from "./text.js";
import { chartOptions } from "./uplot_options.js";
import { uPlot } from "./vendor/uPlot.js";

const CHART_HEIGHT = 220;
const CHART_NEAR = 24; // px between the pointer and the line that it points at
const CHART_FADED = 0.18; // of a line while another one is emphasised

export class MetricChart {
  /**
   * Charts of the same `group` are read and zoomed together. `heading` stands above, and `tools` beside it.
   * With `compact` the legend has values only: names stand elsewhere.
   * @param {Frame} frame
   * @param {ChartLayout} [options]
   */
  constructor(frame, { height = CHART_HEIGHT, group, heading, tools, compact = false } = {}) {
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
    this.unit = 1;
    this.log = false;
    this.title = this.shown = this.styles = "";
    this.compact = compact;
    this.el = make(
      html`<div class="pw-chart">
        <div class="pw-chart-head">
          ${heading}${group ? null : this.group.whole}<div class="pw-chart-told"
            aria-hidden="true"></div>${tools}
        </div>
        <div class="pw-chart-place" tabindex="0" role="slider" aria-label="Chart" aria-valuemin="0"
          aria-valuemax="0"
          aria-valuenow="0" style=${`height: ${height}px`} @keydown=${(event) => pressInChart(this, event)}
          @focus=${() => this.enter()} @blur=${() => this.read(null)}
          @mouseleave=${() => this.group.light(null)}></div>
        <div class="pw-chart-offset pw-hint" hidden></div>
        <ul class=${`pw-chart-legend${compact ? " pw-chart-compact" : ""}`}></ul>
      </div>`,
    );
    this.told = find(this.el, ".pw-chart-told");
    this.place = find(this.el, ".pw-chart-place");
    this.offset = find(this.el, ".pw-chart-offset");
    this.legend = find(this.el, ".pw-chart-legend");
    this.group.charts.add(this);
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.place);
    this.theme = new MutationObserver(() => this.plot?.redraw(false));
    this.theme.observe(document.body, {
      attributes: true,
      attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"],
    });
    this.end = frame.whenGone(() => {
      this.group.charts.delete(this);
      this.size.disconnect();
      this.theme.disconnect();
      this.plot?.destroy();
      this.plot = null;
    });
  }

  enter() {
    this.group.last = this;
    if (this.place.matches(":focus-visible")) this.read(this.at ?? this.steps.length - 1);
  }

  /**
   * `best`: a step to mark, or null.
   * @param {{ title: string, series: Series[], best?: Step | null, log?: boolean }} options
   */
  show({ title, series, best = null, log = false }) {
    const told = JSON.stringify([title, series, best, log]);
    if (told === this.shown) return;
    const step = this.at === null ? null : this.steps[this.at],
      styles = JSON.stringify(series.map((each) => each.style));
    const anew = log !== this.log || styles !== this.styles || (best === null) !== (this.best === null);
    Object.assign(this, { shown: told, title, series, best, log, styles });
    this.steps = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort(stepOrder);
    this.at =
      step === null
        ? null
        : Math.max(
            0,
            this.steps.findLastIndex((each) => stepOrder(each, step) <= 0),
          );
    const largest = series.reduce(
      (most, { points }) => points.reduce((more, [, value]) => Math.max(more, Math.abs(value ?? 0)), most),
      0,
    );
    // uPlot draws no numbers that are so large or small that a difference of theirs could overflow or vanish.
    this.unit =
      !log && largest && (largest > 1e15 || largest < 1e-9)
        ? 10 ** Math.max(-300, Math.floor(Math.log10(largest)))
        : 1;
    const maps = series.map(({ points }) => new Map(points));
    this.values = maps.map((map) => this.steps.map((each) => this.y(map.get(each))));
    this.group.rescale(this);
    this.lay();
    this.showLegend();
    this.place.setAttribute("aria-label", chartSummary(this.title, this.series));
    this.place.setAttribute("aria-valuemin", String(this.steps[0] ?? 0));
    this.place.setAttribute("aria-valuemax", String(this.steps[this.steps.length - 1] ?? 0));
    if (anew) this.make();
    else this.rescale();
    this.say(document.activeElement === this.place ? this.at : null);
    this.emphasise();
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
    const name = this.compact ? "pw-hidden" : "pw-chart-name";
    draw(
      this.legend,
      this.series.length < 2
        ? null
        : this.series.map(
            (series) =>
              html`<li @mouseenter=${() => this.group.light(series.key ?? null)}
                @mouseleave=${() => this.group.light(null)}>
                ${chartSample(series.style)}<span class=${name}>${isolated(series.name)}</span>
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
   * Say ticks of the steps; where they count from the first step, that stands below.
   * @param {number[]} ticks
   */
  stepTexts(ticks) {
    const { texts, from } = chartStepTexts(this.group.scale, ticks);
    this.offset.hidden = !from;
    if (from) this.offset.textContent = `Steps are counted from ${from}.`;
    return texts;
  }

  /** @param {number} height */
  resize(height) {
    this.height = height;
    this.place.style.height = `${height}px`;
    this.fit();
  }

  fit() {
    const width = this.place.clientWidth,
      { height } = this;
    if (!width || !this.series.length) return;
    if (!this.plot) this.make();
    else if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height });
  }

  /**
   * Show the steps over which one has dragged.
   * @param {Plot} plot
   */
  drag(plot) {
    const { left, width } = plot.select;
    if (!width) return;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.group.last = this;
    this.group.zoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
  }

  /**
   * Where the last value of a series is, up to a place; null where it has ended before.
   * @param {number} n
   * @param {number} at
   */
  known(n, at) {
    if (!n) return at;
    const { points, ended } = this.series[n - 1];
    if (ended && points.length && stepOrder(this.steps[at], points[points.length - 1][0]) > 0) return null;
    while (at > 0 && this.data[n][at] === undefined) at -= 1;
    return at;
  }

  /**
   * Emphasise the line that the pointer is at.
   * @param {Plot} plot
   */
  point(plot) {
    const { top, left, idx } = plot.cursor;
    if (this.series.length < 2 || left < 0 || !plot.over.matches(":hover")) return;
    let least = CHART_NEAR,
      near = /** @type {number | null} */ (null);
    this.series.forEach(({ key = null }, n) => {
      const value = this.data[n + 1][this.known(n + 1, idx ?? 0) ?? -1];
      const away =
        value === null || value === undefined ? Infinity : Math.abs(plot.valToPos(value, "y") - top);
      if (away < least) [near, least] = [key, away];
    });
    this.group.light(near);
  }

  /** Fade what is not emphasised. */
  emphasise() {
    const { key } = this.group,
      known = key !== null && this.series.some((each) => each.key === key);
    this.legend.classList.toggle("pw-chart-lighting", known);
    let changed = false;
    this.series.forEach((each, n) => {
      const alpha = !known || each.key === key ? 1 : CHART_FADED,
        line = this.plot?.series[n + 1];
      this.items[n]?.classList.toggle("pw-chart-lit", known && each.key === key);
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
      one = this.series.length === 1;
    const said = this.series
      .map((series, n) => {
        const known = chartBefore(series, step),
          other = known && known[0] !== step && (at !== null || one);
        const over = other && series.ended && known === series.points[series.points.length - 1];
        const text = known ? score(known[1]) : "",
          note = other ? `${over ? "ended at" : "at"} ${chartStep(known[0])}` : "";
        const item = this.items[n];
        if (item) {
          find(item, ".pw-chart-value").textContent = text;
          find(item, ".pw-chart-note").textContent = note;
          item.classList.toggle("pw-chart-other", !!note);
          item.title = `${isolated(series.name)} ${text} ${note}`.trim();
        }
        return text && `${one ? "" : `${isolated(series.name)} `}${text}${note && ` (${note})`}`;
      })
      .filter(Boolean);
    const place = step === undefined ? "" : at === null && !one ? "Latest" : `Step ${chartStep(step)}`,
      text = place && `${place}: ${said.join(", ")}`;
    this.told.textContent = one ? text : place;
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
