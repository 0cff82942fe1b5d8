// How charts are drawn and written: colours and marks, numbers, and what several charts show together.

const CHART_NAMES = { scores: "Training and evaluation score", training_score: "Training score", evaluation_score: "Evaluation score" };
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
const CHART_CROSS = "M-4.500-4.500L4.500 4.500M-4.500 4.500L4.500-4.500"; // where a value is no number
const CHART_STEPS = [1, 2, 5].flatMap((n) => Array.from({ length: 16 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b);
const CHART_UNITS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

const chartName = (name) => (Object.hasOwn(CHART_NAMES, name) ? CHART_NAMES[name] : name);

/** How a series is drawn: the same in every chart, by its place among those that are drawn. */
const chartStyle = (at) => ({
  colour: at % CHART_COLOURS,
  dash: CHART_DASHES[(at + Math.floor(at / CHART_COLOURS)) % CHART_DASHES.length],
  mark: CHART_MARKS[at % CHART_MARKS.length],
  hollow: Math.floor(at / CHART_COLOURS) % 2 === 1,
});

/** A piece of a line, for a legend. */
function chartSample({ colour, dash, mark, hollow }) {
  const el = svg("svg", { viewBox: "0 0 30 12", width: 30, height: 12, "aria-hidden": "true", class: `pw-icon pw-chart-sample pw-chart-${colour}` });
  el.append(svg("path", { d: "M1 6H29", "stroke-dasharray": dash.join(" ") || undefined, class: "pw-chart-line" }),
    svg("path", { d: mark, transform: "translate(15 6)", class: `pw-chart-mark${hollow ? " pw-chart-hollow" : ""}` }));
  return el;
}

/** Say a step. */
const chartStep = (step) => step.toLocaleString("en-US");

/** Say a tick in few letters. */
function chartTick(value) {
  const size = Math.abs(value), [unit, letter] = CHART_UNITS.find(([least]) => size >= least) ?? [];
  const short = size >= 1e15 || (size && size < 1e-3);
  const text = short ? Number(value.toPrecision(3)).toExponential() : size >= 1e4 ? `${Number((value / unit).toPrecision(3))}${letter}` : score(value);
  return text.replaceAll("-", "\u2212").replace("e+", "e");
}

/** The ticks of a logarithmic axis: powers of ten, and 2 and 5 between them where these are few. */
function chartDecades(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((last - first) / 6), between = last - first > 2 ? [1] : [1, 2, 5], found = [];
  for (let power = first; power <= last; power += every) for (const n of between) found.push(Number(`${n}e${power}`));
  return found.filter((tick) => tick >= low && tick <= high);
}

/** Charts that are read, zoomed and looked at together. */
class ChartGroup {
  /** `zoomed` is called when other steps are shown, `lit` when another series is emphasised. */
  constructor({ zoomed = () => {}, lit = () => {} } = {}) {
    Object.assign(this, { charts: new Set(), range: null, key: null, pinned: null, zoomed, lit, last: null });
    this.sync = unique("sync");
    this.whole = button({ label: "Show all steps", kind: "pw-chart-whole", onclick: () => this.zoomOut() });
    this.whole.hidden = true;
  }

  /** The first and the last step of all charts; null where there is none. */
  get extent() {
    const ends = [...this.charts].filter(({ steps }) => steps.length).flatMap(({ steps }) => [steps[0], steps[steps.length - 1]]);
    return ends.length ? [Math.min(...ends), Math.max(...ends)] : null;
  }

  /** Show the steps from one to another, or all of them for null. */
  zoom(range) {
    const extent = this.extent;
    if (!extent || extent[0] === extent[1]) return;
    if (range) {
      const span = Math.max(1, Math.min(range[1] - range[0], extent[1] - extent[0]));
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
    (this.charts.has(this.last) ? this.last : first)?.place.focus({ preventScroll: true });
  }

  /** Emphasise a series in all charts, or the one that is pinned for null. */
  light(key) {
    const now = key ?? this.pinned;
    if (now === this.key) return;
    this.key = now;
    for (const chart of this.charts) chart.emphasise();
    this.lit(now);
  }

  /** Keep a series emphasised, or no longer. */
  pin(key) {
    this.pinned = this.pinned === key ? null : key;
    this.light(null);
    this.lit(this.key);
  }
}
