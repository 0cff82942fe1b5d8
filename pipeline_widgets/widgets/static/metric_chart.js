// A chart of one metric: a line for each series, drawn by uPlot. It is read by the mouse or with the arrow keys, step by
// step, and zoomed by dragging or with + and -. Colours come from the style sheet, so that a theme changes them.

const CHART_HEIGHT = 220;
const CHART_NAMES = { scores: "Training and evaluation score", training_score: "Training score", evaluation_score: "Evaluation score" };
const CHART_COLOURS = 5; // of the style sheet; a mark and a dash tell the lines apart as well
const CHART_DASHES = [[], [7, 3], [2, 3]];
const CHART_MARKED = 5; // marks on a line, so that it can be followed where others lie on it
// Marks on a grid around 0,0.
const CHART_MARKS = [
  "M0-3.5A3.5 3.5 0 1 0 0 3.5A3.5 3.5 0 1 0 0-3.5z",
  "M-3.200-3.200H3.200V3.200H-3.200z",
  "M0-4L4 3.200H-4z",
  "M0-4.200L4.200 0 0 4.200-4.200 0z",
  "M-4-3.200H4L0 4z",
];
const CHART_STEPS = [1, 2, 5].flatMap((n) => Array.from({ length: 16 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b);

const chartName = (name) => (Object.hasOwn(CHART_NAMES, name) ? CHART_NAMES[name] : name);

/** How a series is drawn: the same in every chart, by its place among those that are drawn. */
const chartStyle = (at) => ({
  colour: at % CHART_COLOURS,
  dash: CHART_DASHES[(at + Math.floor(at / CHART_COLOURS)) % CHART_DASHES.length],
  mark: CHART_MARKS[at % CHART_MARKS.length],
  hollow: Math.floor(at / CHART_MARKS.length) % 2 === 1,
});

/** A piece of a line, for a legend. */
function chartSample({ colour, dash, mark, hollow }) {
  const el = svg("svg", { viewBox: "0 0 30 12", width: 30, height: 12, "aria-hidden": "true", class: `pw-icon pw-chart-sample pw-chart-${colour}` });
  el.append(svg("path", { d: "M1 6H29", "stroke-dasharray": dash.join(" ") || undefined, class: "pw-chart-line" }),
    svg("path", { d: mark, transform: "translate(15 6)", class: `pw-chart-mark${hollow ? " pw-chart-hollow" : ""}` }));
  return el;
}

/** Say a tick in few letters. */
function chartTick(value) {
  const size = Math.abs(value);
  if (size >= 1e6 && size < 1e9) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4 && size < 1e6) return `${Number((value / 1e3).toPrecision(3))}k`;
  return size && size < 1e-3 ? Number(value.toPrecision(3)).toExponential() : score(value);
}

class MetricChart {
  /** Charts that have the same `sync` are read and zoomed `together`. `heading` stands above. */
  constructor(frame, { height = CHART_HEIGHT, sync = null, together = () => [this], heading = null } = {}) {
    Object.assign(this, { height, sync, together, series: [], steps: [], at: null });
    this.told = h("div", { class: "pw-chart-told", "aria-hidden": "true" });
    this.whole = button({ label: "Show all steps", kind: "pw-chart-whole", onclick: () => this.zoomOut() });
    this.legend = h("ul", { class: "pw-chart-legend" });
    this.place = h("div", {
      class: "pw-chart-place", tabindex: "0", role: "slider", "aria-label": "Chart", "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
      style: { height: `${height}px` },
      onkeydown: (event) => this.key(event),
      onfocus: () => this.place.matches(":focus-visible") && this.read(this.at ?? this.steps.length - 1),
      onblur: () => this.read(null),
    });
    this.el = h("div", { class: "pw-chart" }, h("div", { class: "pw-chart-head" }, heading, this.whole, this.told), this.place, this.legend);
    this.whole.hidden = true;
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.place);
    this.theme = new MutationObserver(() => this.plot?.redraw(false));
    this.theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
    this.end = frame.whenGone(() => { this.size.disconnect(); this.theme.disconnect(); this.plot?.destroy(); this.plot = null; });
  }

  /** `series`: [{name, label, points, style}], points being [step, value] with null for a gap; `best`: a step to mark, or null. */
  show({ title, series, best = null, log = false }) {
    const told = JSON.stringify([title, series, best, log]);
    if (told === this.shown) return;
    this.shown = told;
    const step = this.at === null ? null : this.steps[this.at];
    const anew = log !== this.log || series.length !== this.series.length || JSON.stringify(series.map((each) => each.style)) !== this.styles;
    Object.assign(this, { title, series, best, log, styles: JSON.stringify(series.map((each) => each.style)) });
    this.steps = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
    this.at = step === null ? null : Math.max(0, this.steps.findLastIndex((each) => each <= step));
    const maps = series.map(({ points }) => new Map(points));
    // A logarithm has no place for what is not above zero: it is a gap there.
    const value = (known) => (log && known !== null && known !== undefined && known <= 0 ? null : known);
    this.data = [this.steps, ...maps.map((map) => this.steps.map((each) => value(map.get(each))))];
    redraw(this.legend, series.length > 1 ? series.map(({ name, label, style }) => h("li", { title: name }, chartSample(style), label ?? h("span", { class: "pw-chart-name" }, name), h("span", { class: "pw-chart-value" }))) : []);
    this.values = [...this.legend.querySelectorAll(".pw-chart-value")];
    this.place.setAttribute("aria-label", this.summary());
    this.place.setAttribute("aria-valuemin", this.steps[0] ?? 0);
    this.place.setAttribute("aria-valuemax", this.steps[this.steps.length - 1] ?? 0);
    if (anew) this.make();
    else this.renew();
    this.say(document.activeElement === this.place ? this.at : null);
  }

  summary() {
    const said = this.series.map(({ name, points }) => {
      const values = points.map(([, value]) => value).filter((value) => value !== null), last = points[points.length - 1];
      if (!values.length) return `${name}: no finite value`;
      return `${name}: ${last[1] === null ? "not finite" : score(last[1])} at step ${last[0]}, lowest ${score(Math.min(...values))}, highest ${score(Math.max(...values))}`;
    });
    return `${this.title} by step. ${said.join("; ")}`;
  }

  colour(name) {
    return getComputedStyle(this.el).getPropertyValue(name).trim() || "CanvasText";
  }

  /** Make it anew, for other lines or another scale, and stay where one has zoomed. */
  make() {
    const kept = this.plot && !this.whole.hidden ? { ...this.plot.scales.x } : null;
    this.plot?.destroy();
    this.plot = null;
    const width = this.place.clientWidth;
    if (!width) return; // `fit` comes when there is a place
    const font = `11px ${getComputedStyle(this.el).fontFamily}`;
    const axis = { stroke: () => this.colour("--pw-text-soft"), font, ticks: { show: false } };
    const grid = { stroke: () => this.colour("--pw-line"), width: 1 };
    const spread = (low, high) => [low === null ? 0 : low - (Math.abs(low) || 1) * 0.5, high === null ? 1 : high + (Math.abs(high) || 1) * 0.5];
    this.plot = new uPlot({
      width, height: this.height, padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, drag: { x: true, y: false }, sync: this.sync ? { key: this.sync, scales: ["x", null] } : undefined,
        points: { size: 8, width: 2, fill: () => this.colour("--pw-bg"), stroke: (plot, n) => this.colour(`--pw-c${this.series[n - 1].style.colour}`) },
        // Where a series has nothing at that step, what it had before.
        dataIdx: (plot, n, at) => { while (at > 0 && this.data[n]?.[at] === undefined && n > 0) at -= 1; return at; },
      },
      scales: {
        x: { time: false, range: (plot, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) },
        y: this.log ? { distr: 3 } : { range: (plot, low, high) => (low === high ? spread(low, high) : [low - (high - low) * 0.05, high + (high - low) * 0.05]) },
      },
      axes: [
        { ...axis, size: 26, gap: 4, grid: { show: false }, incrs: CHART_STEPS, space: 60, values: (plot, ticks) => ticks.map((tick) => (tick >= 1e5 ? chartTick(tick) : String(tick))) },
        { ...axis, size: 52, gap: 6, grid, space: 36, values: (plot, ticks) => ticks.map((tick) => (tick === null ? "" : chartTick(tick))) },
      ],
      series: [{}, ...this.series.map(({ name, style }) => ({
        label: name, width: 1.6, dash: style.dash, stroke: () => this.colour(`--pw-c${style.colour}`), points: { show: false },
      }))],
      hooks: {
        draw: [(plot) => this.paint(plot)],
        setScale: [(plot, key) => { if (key === "x") this.whole.hidden = !this.zoomed; }],
        setCursor: [(plot) => this.say(plot.cursor.left >= 0 ? plot.cursor.idx ?? null : null)],
      },
    }, this.data, this.place);
    if (kept) this.plot.setScale("x", { min: kept.min, max: kept.max });
  }

  /** Take other data, and stay where one has zoomed. */
  renew() {
    if (!this.plot) return this.make();
    const { min, max } = this.plot.scales.x, zoomed = !this.whole.hidden;
    if (!zoomed) this.plot.setData(this.data);
    else this.plot.batch(() => { this.plot.setData(this.data, false); this.plot.setScale("x", { min, max }); });
    if (document.activeElement === this.place && this.at !== null) this.read(this.at);
  }

  fit() {
    const width = this.place.clientWidth;
    if (!width || !this.series.length) return;
    if (!this.plot) this.make();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }

  /** Draw what the lines alone do not show: marks on them, single points, and the best step. */
  paint(plot) {
    const { ctx } = plot, ratio = devicePixelRatio, { left, top, width, height } = plot.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left - 5 * ratio, top - 5 * ratio, width + 10 * ratio, height + 10 * ratio);
    ctx.clip();
    if (this.best !== null) {
      const x = plot.valToPos(this.best, "x", true), late = x > left + width * 0.8;
      ctx.strokeStyle = ctx.fillStyle = this.colour("--pw-text-soft");
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.lineWidth = ratio;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.font = `${11 * ratio}px ${getComputedStyle(this.el).fontFamily}`;
      ctx.textAlign = late ? "right" : "left";
      ctx.fillText("best", x + (late ? -4 : 4) * ratio, top + 10 * ratio);
    }
    this.series.forEach(({ style }, n) => {
      const drawn = [...this.steps.keys()].filter((at) => this.data[n + 1][at] !== null && this.data[n + 1][at] !== undefined);
      const every = Math.max(1, Math.ceil(drawn.length / CHART_MARKED));
      ctx.strokeStyle = this.colour(`--pw-c${style.colour}`);
      ctx.fillStyle = style.hollow ? this.colour("--pw-bg") : ctx.strokeStyle;
      drawn.forEach((at, place) => {
        if (drawn.length > 12 && place !== drawn.length - 1 && (drawn.length - 1 - place + n) % every) return;
        ctx.save();
        ctx.translate(plot.valToPos(this.steps[at], "x", true), plot.valToPos(this.data[n + 1][at], "y", true));
        ctx.scale(ratio * 0.85, ratio * 0.85);
        ctx.lineWidth = 1.5;
        const shape = new Path2D(style.mark);
        ctx.fill(shape);
        ctx.stroke(shape);
        ctx.restore();
      });
    });
    ctx.restore();
  }

  /** Say the values at a step; null says the latest ones. */
  say(at) {
    const step = this.steps[at ?? this.steps.length - 1];
    const said = this.series.map(({ name, points }, n) => {
      const known = points.findLast(([each]) => each <= step), value = known?.[1];
      const text = known === undefined ? "" : value === null ? "not finite" : score(value);
      if (this.values[n]) setText(this.values[n], text);
      return text && (this.series.length > 1 ? `${name} ${text}` : text);
    }).filter(Boolean);
    const text = step === undefined ? "" : `Step ${step}: ${said.join(", ")}`;
    setText(this.told, step === undefined ? "" : this.series.length > 1 ? `Step ${step}` : text);
    this.place.setAttribute("aria-valuenow", step ?? 0);
    this.place.setAttribute("aria-valuetext", text);
  }

  /** Move the cursor to a step, by its place; null takes it away. */
  read(at) {
    if (at !== null) this.at = at;
    this.follow(at);
    const place = at === null || !this.plot ? { left: -10, top: -10 } : { left: this.plot.valToPos(this.steps[at], "x"), top: this.height / 2 };
    this.plot?.setCursor(place, true, true); // told, and told to the charts beside it
    this.say(at);
  }

  /** Move what is zoomed to where a step is. */
  follow(at) {
    const { min, max } = this.plot?.scales.x ?? {}, step = this.steps[at];
    if (at === null || !this.zoomed || (step >= min && step <= max)) return;
    const low = Math.max(this.steps[0], step - (max - min) / 2);
    this.plot.batch(() => this.plot.setScale("x", { min: low, max: low + max - min }));
  }

  get zoomed() {
    const { min, max } = this.plot?.scales.x ?? {};
    return this.steps.length > 1 && (min > this.steps[0] || max < this.steps[this.steps.length - 1]);
  }

  /** Show the steps around one, or all of them for null. */
  zoom(factor, centre = this.steps[0]) {
    if (!this.plot || this.steps.length < 2) return;
    const [first, last] = [this.steps[0], this.steps[this.steps.length - 1]], { min, max } = this.plot.scales.x;
    const span = factor === null ? last - first : Math.min(last - first, (max - min) * factor);
    const low = Math.max(first, Math.min(last - span, centre - span / 2));
    this.plot.setScale("x", { min: low, max: Math.max(low + 1, low + span) });
  }

  zoomOut() {
    for (const each of this.together()) each.zoom(null);
    this.place.focus({ preventScroll: true });
  }

  key(event) {
    const last = this.steps.length - 1, now = this.at ?? last;
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageUp: now + 10, PageDown: now - 10, Home: 0, End: last }[event.key];
    const factor = { "+": 0.5, "=": 0.5, "-": 2, 0: null, Escape: this.zoomed ? null : undefined }[event.key];
    if (last < 0 || (to === undefined && factor === undefined) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (to !== undefined) this.read(Math.max(0, Math.min(last, to)));
    else if (factor === null) this.zoomOut();
    else for (const each of this.together()) each.zoom(factor, this.steps[now]);
  }
}
