// How charts are drawn and written: colours and marks, numbers, and what several charts show together.

import { button, focusOn, html, make, unique } from "./elements.js";
import { StepScale, stepOrder } from "./steps.js";
import { inFull, isolated, score } from "./text.js";
import { nothing } from "./vendor/lit.js";

const CHART_COLOURS = 10; // of the style sheet; a mark and a dash tell the lines apart as well
const CHART_DASHES = [[], [7, 3], [2, 3]];
// Marks on a grid around 0,0.
const CHART_MARKS = [
  "M0-3.5A3.5 3.5 0 1 0 0 3.5A3.5 3.5 0 1 0 0-3.5z",
  "M-3.200-3.200H3.200V3.200H-3.200z",
  "M0-4L4 3.200H-4z",
  "M0-4.200L4.200 0 0 4.200-4.200 0z",
  "M-4-3.200H4L0 4z",
];
export const CHART_CROSS = "M-4.500-4.500L4.500 4.500M-4.500 4.500L4.500-4.500"; // where a value is no number
/** @type {[least: number, letter: string][]} */
const CHART_UNITS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/**
 * How a series is drawn: the same in every chart, by its place among those that are drawn.
 * @param {number} at
 */
export const chartStyle = (at) => ({
  colour: at % CHART_COLOURS,
  dash: CHART_DASHES[(at + Math.floor(at / CHART_COLOURS)) % CHART_DASHES.length],
  mark: CHART_MARKS[at % CHART_MARKS.length],
  hollow: Math.floor(at / CHART_COLOURS) % 2 === 1,
});

/**
 * A piece of a line, for a legend.
 * @param {LineStyle} style
 */
export const chartSample = ({ colour, dash, mark, hollow }) =>
  html`<svg viewBox="0 0 30 12" width="30" height="12" aria-hidden="true"
    class=${`pw-icon pw-chart-sample pw-chart-${colour}`}>
    <path d="M1 6H29" stroke-dasharray=${dash.join(" ") || nothing} class="pw-chart-line"></path>
    <path d=${mark} transform="translate(15 6)"
      class=${`pw-chart-mark${hollow ? " pw-chart-hollow" : ""}`}></path>
  </svg>`;

/** Say a step. */
export const chartStep = inFull;

/**
 * Say a tick in few letters.
 * @param {number} value
 * @param {number} [digits]
 */
export function chartTick(value, digits = 4) {
  const size = Math.abs(value),
    [unit, letter] = CHART_UNITS.find(([least]) => size >= least) ?? [1, ""];
  const short = size >= 1e15 || (size > 0 && size < 1e-3);
  const text = short
    ? Number(value.toPrecision(digits - 1)).toExponential()
    : size >= 1e4
      ? `${Number((value / unit).toPrecision(digits - 1))}${letter}`
      : score(value, digits);
  return text.replaceAll("-", "\u2212").replace("e+", "e");
}

/**
 * The ticks of an axis: about as many as `most`, at round numbers, at whole ones where those are steps. They
 * are counted rather than added up, since a sum can stand still where neighbouring numbers can hardly be told
 * apart.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 * @param {boolean} [whole]
 */
export function chartTicks(low, high, most, whole = false) {
  const rough = (high - low) / Math.max(1, most);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough)),
    apart = power * ([1, 2, 5].find((n) => n * power >= rough * 0.999) ?? 10);
  const every = whole ? Math.max(1, apart) : apart,
    first = Math.ceil(low / every - 1e-9),
    /** @type {number[]} */ found = [];
  for (let n = 0; n <= most + 1; n += 1) {
    const tick = Number(((first + n) * every).toPrecision(15));
    if (tick > high + every * 1e-9) break;
    if (tick !== found[found.length - 1]) found.push(tick || 0);
  }
  return found;
}

/**
 * Say the ticks of an axis in as few digits as tell them apart; one that looks like the one before stays
 * empty.
 * @param {number[]} ticks
 */
export function chartTickTexts(ticks) {
  /** @param {number} digits */
  const said = (digits) => ticks.map((tick) => chartTick(tick, digits));
  const enough = [4, 6, 9, 12, 15].map(said).find((texts) => new Set(texts).size === texts.length);
  return (enough ?? said(17)).map((text, at, all) => (text === all[at - 1] ? "" : text));
}

/**
 * Say ticks of the steps. Those that are too close to be told apart count from the first step, which is said
 * then.
 * @param {StepScale} scale
 * @param {number[]} ticks
 */
export function chartStepTexts(scale, ticks) {
  const whole = ticks.map((tick) => scale.step(tick));
  const texts =
    scale.base === null
      ? whole.map((step) => (Number(step) >= 1e5 ? chartTick(Number(step)) : chartStep(step)))
      : whole.map((step) => chartTick(Number(step)));
  if (scale.base === null || new Set(texts).size === texts.length) return { texts, from: "" };
  const counted = chartTickTexts(ticks.map((tick) => tick * scale.unit));
  return { texts: counted.map((text) => text.replace(/^(?=\d)/, "+")), from: chartStep(String(scale.base)) };
}

/**
 * The ticks of a logarithmic axis: powers of ten, and 2 and 5 between them where these are few.
 * @param {number} low
 * @param {number} high
 */
export function chartDecades(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first) / 6)),
    between = last - first > 2 ? [1] : [1, 2, 5],
    found = [];
  for (let power = first; power <= last; power += every)
    for (const n of between) found.push(Number(`${n}e${power}`));
  return found.filter((tick) => tick >= low && tick <= high);
}

/**
 * Say what a chart shows, for who cannot see it.
 * @param {string} title
 * @param {Pick<Series, "name" | "points">[]} series
 * @param {Pick<ChartAxis, "along" | "say">} [axis]
 */
export function chartSummary(title, series, axis) {
  const said = series.map(({ name, points }) => {
    const values = points.map(([, value]) => value).filter((value) => value !== null),
      last = points[points.length - 1];
    if (!values.length) return `${isolated(name)}: N/A`;
    const [low, high] = values.reduce(
      ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
      [Infinity, -Infinity],
    );
    const place = axis ? axis.say(last[0]).replace(/^[AS]/, (letter) => letter.toLowerCase()) : "";
    const at = place.startsWith("after") ? place : `at ${place || `step ${chartStep(last[0])}`}`;
    return `${isolated(name)}: ${score(last[1])} ${at}, lowest ${score(low)}, highest ${score(high)}`;
  });
  return `${isolated(title)} ${axis?.along ?? "by step"}. ${said.join("; ")}`;
}

/**
 * The point of a series at a step, or the last one before it.
 * @param {{ points: Point[] }} series
 * @param {Step} step
 */
export function chartBefore({ points }, step) {
  let low = 0,
    high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stepOrder(points[middle][0], step) <= 0) low = middle + 1;
    else high = middle;
  }
  return points[low - 1];
}

/**
 * Charts that are read, zoomed and looked at together.
 * @typedef {number | null} Lit the key of the series that is emphasised
 */
export class ChartGroup {
  /**
   * `zoomed` is called when other steps are shown, `lit` when another series is emphasised.
   * @param {{ zoomed?: () => void, lit?: (key: Lit) => void }} [options]
   */
  constructor({ zoomed = () => {}, lit = () => {} } = {}) {
    /** @type {Set<MetricChart>} */
    this.charts = new Set();
    this.scale = new StepScale([]);
    /** @type {[number, number] | null} */
    this.range = null;
    /** @type {Lit} */
    this.key = null;
    /** @type {Lit} */
    this.pinned = null;
    this.zoomed = zoomed;
    this.lit = lit;
    /** @type {MetricChart | null} */
    this.last = null;
    this.sync = unique("sync");
    this.whole = make(
      button({ label: "Show all steps", kind: "pw-chart-whole", onclick: () => this.zoomOut() }),
    );
    this.whole.hidden = true;
  }

  /**
   * Draw all charts on one scale of steps, which a chart with other steps may change; that chart draws
   * itself.
   * @param {MetricChart} changed
   */
  rescale(changed) {
    const ends = [...this.charts].flatMap(({ steps }) =>
      steps.length ? [steps[0], steps[steps.length - 1]] : [],
    );
    const scale = new StepScale(ends.sort(stepOrder));
    if (scale.name === this.scale.name) return;
    this.scale = scale;
    this.range = null;
    this.whole.hidden = true;
    for (const chart of this.charts) {
      if (chart === changed) continue;
      chart.lay();
      chart.rescale();
    }
  }

  /** The steps that are zoomed to, the first and the last; null where all of them are shown. */
  get part() {
    return (
      this.range && [this.scale.step(Math.floor(this.range[0])), this.scale.step(Math.ceil(this.range[1]))]
    );
  }

  /** Where the first and the last step of all charts lie; null where there is none. */
  get extent() {
    const ends = [...this.charts]
      .filter(({ xs }) => xs.length)
      .flatMap(({ xs }) => [xs[0], xs[xs.length - 1]]);
    return ends.length ? [Math.min(...ends), Math.max(...ends)] : null;
  }

  /**
   * Show the steps from one to another, or all of them for null.
   * @param {[number, number] | null} range
   */
  zoom(range) {
    const extent = this.extent;
    if (!extent || extent[0] === extent[1]) return;
    if (range) {
      const span = Math.max(1 / this.scale.unit, Math.min(range[1] - range[0], extent[1] - extent[0]));
      const low = Math.max(extent[0], Math.min(range[0], extent[1] - span));
      range = span < extent[1] - extent[0] ? [low, low + span] : null;
    }
    if (String(range) === String(this.range)) return;
    this.range = range;
    this.whole.hidden = !range;
    for (const chart of this.charts) chart.rescale();
    this.zoomed();
  }

  zoomOut() {
    this.zoom(null);
    const [first] = this.charts;
    focusOn((this.last && this.charts.has(this.last) ? this.last : first)?.place);
  }

  /**
   * Emphasise a series in all charts, or the one that is pinned for null.
   * @param {Lit} key
   */
  light(key) {
    const now = key ?? this.pinned;
    if (now === this.key) return;
    this.key = now;
    for (const chart of this.charts) chart.emphasise();
    this.lit(now);
  }

  /**
   * Keep a series emphasised, or no longer.
   * @param {Lit} key
   */
  pin(key) {
    this.pinned = this.pinned === key ? null : key;
    this.light(null);
    this.lit(this.key);
  }
}
