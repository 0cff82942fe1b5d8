// What lies along a chart: steps, time, or the stages of a pipeline one after the other.

import { chartStep, chartStepTexts, chartTicks } from "./chart_style.js";
import { StepScale, stepOrder } from "./steps.js";
import { duration, isolated } from "./text.js";

/** @typedef {{ unit: string, seconds: number }} TimeUnit */

/** @type {TimeUnit[]} */
const TIME_UNITS = [
  { unit: "d", seconds: 86_400 },
  { unit: "h", seconds: 3_600 },
  { unit: "min", seconds: 60 },
  { unit: "s", seconds: 1 },
];
const LEAST_UNITS = 2; // of a unit of time that a chart is long, or a smaller one is taken

/**
 * Steps, as they were reported.
 * @type {ChartAxis}
 */
export const STEP_AXIS = {
  name: "step",
  title: () => "Step",
  column: "step",
  along: "by step",
  say: (step) => `Step ${chartStep(step)}`,
  short: (step) => `${chartStep(step)}`,
  ticks: (low, high, most) => chartTicks(low, high, most, true),
  texts: chartStepTexts,
};

/**
 * Time since the run started: points lie at milliseconds.
 * @type {ChartAxis}
 */
export const TIME_AXIS = {
  name: "time",
  title: (last) => `Time since the start (${timeUnit(last).unit})`,
  column: "seconds",
  along: "by time since the start",
  say: (time) => `After ${sayTime(time)}`,
  short: sayTime,
  value: (time) => Number(time) / 1000,
  ticks: (low, high, most, last) => {
    const unit = timeUnit(last).seconds * 1000;
    return chartTicks(low / unit, high / unit, most).map((tick) => tick * unit);
  },
  texts: (_scale, ticks, last) => {
    const unit = timeUnit(last).seconds * 1000;
    return { texts: ticks.map((tick) => String(Number((tick / unit).toPrecision(6)))), from: "" };
  },
};

/**
 * The stages of a pipeline, end to end.
 * @param {ChartBand[]} bands in their order
 * @returns {ChartAxis}
 */
export const stageAxis = (bands) => ({
  ...STEP_AXIS,
  name: `stages ${JSON.stringify(bands.map(({ first, last }) => [first, last]))}`,
  title: () => "Steps of all stages, end to end",
  column: "steps of all stages",
  along: "over all stages",
  bands,
  say: (place) => {
    const band = bandAt(bands, place);
    return band ? `Stage ${band.number} (${isolated(band.name)}), step ${stepIn(band, place)}` : "";
  },
  short: (place) => {
    const band = bandAt(bands, place);
    return band ? `step ${stepIn(band, place)}` : "";
  },
});

/**
 * The stage at a place on the axis of all stages.
 * @param {ChartBand[]} bands
 * @param {Step} place
 */
const bandAt = (bands, place) => bands.findLast(({ first }) => stepOrder(first, place) <= 0) ?? bands[0];

/**
 * @param {ChartBand} band
 * @param {Step} place
 */
const stepIn = (band, place) => chartStep(stepWithin(band, place));

/**
 * The step of a stage's run at a place on the axis of all stages.
 * @param {ChartBand} band
 * @param {Step} place
 */
export function stepWithin({ first }, place) {
  const step = BigInt(place) - BigInt(first);
  return step <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(step) : String(step);
}

/**
 * Lay points along time.
 *
 * The times are those at which steps were reported; between two of them time is taken to pass evenly.
 * @param {Point[]} points
 * @param {Clock} clock
 * @returns {Point[]} at whole milliseconds, each later than the one before
 */
export function alongTime(points, clock) {
  if (!clock.length) return [];
  const scale = new StepScale([points[0]?.[0] ?? 0, points[points.length - 1]?.[0] ?? 0]),
    known = clock.map(([step, seconds]) => [scale.x(step), seconds]);
  let at = 0,
    before = -1;
  return points.map(([step, value]) => {
    const x = scale.x(step);
    while (at < known.length - 1 && known[at + 1][0] <= x) at += 1;
    const [from, since] = known[at],
      [to, until] = known[Math.min(at + 1, known.length - 1)],
      part = x > from && to > from ? (x - from) / (to - from) : 0;
    before = Math.max(before + 1, Math.round((since + (until - since) * part) * 1000));
    return [before, value];
  });
}

/**
 * Lay series along what was chosen. Along time, a series whose times are not known has no points.
 * @template {Series} S
 * @param {S[]} series
 * @param {string} along
 * @param {(series: S) => Timeline | undefined} timeline
 * @returns {{ axis: ChartAxis, series: S[] }}
 */
export function layAlong(series, along, timeline) {
  if (along === "step")
    return {
      axis: STEP_AXIS,
      series: series.map((each) => ({ ...each, resumed: timeline(each)?.resumed ?? [] })),
    };
  const laid = series.map((each) => {
    const { clock, resumed } = timeline(each) ?? { clock: [], resumed: [] };
    const at = (/** @type {Step[]} */ steps) =>
      alongTime(
        steps.map((step) => [step, null]),
        clock,
      ).map(([time]) => time);
    return { ...each, points: alongTime(each.points, clock), resumed: at(resumed) };
  });
  return { axis: TIME_AXIS, series: laid.filter(({ points }) => points.length > 0) };
}

/** @param {Step} last where the axis ends */
function timeUnit(last) {
  const seconds = Number(last) / 1000;
  return (
    TIME_UNITS.find((unit) => seconds >= LEAST_UNITS * unit.seconds) ?? TIME_UNITS[TIME_UNITS.length - 1]
  );
}

/** @param {Step} time */
function sayTime(time) {
  const seconds = Number(time) / 1000;
  return seconds < 10 ? `${Number(seconds.toFixed(2))} s` : duration(seconds);
}
