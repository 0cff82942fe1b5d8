// What is computed of the values of a chart: smoothed lines, and the values that a logarithmic axis cannot
// draw.

import { StepScale, stepOrder } from "./steps.js";
import { count } from "./text.js";

/**
 * Smooth a line by an exponential moving average without the bias of its first values, as TensorBoard does.
 * Where steps are uneven, a step that is further away counts for less, as in Weights & Biases. Gaps stay.
 * @param {Point[]} points
 * @param {number} weight of what came before, from 0 (as it is) to less than 1
 * @returns {Point[]}
 */
export function smoothPoints(points, weight) {
  if (!(weight > 0) || points.length < 2) return points;
  const [first] = points[0],
    [last] = points[points.length - 1],
    scale = new StepScale([first, last]),
    apart = (scale.x(last) - scale.x(first)) / (points.length - 1);
  let mean = 0,
    total = 0,
    before = scale.x(first);
  return points.map(([step, value]) => {
    if (value === null) return [step, null];
    const x = scale.x(step),
      kept = weight ** (apart > 0 ? (x - before) / apart : 1);
    // a mean that is moved rather than a sum, or a difference, which could overflow
    total = total * kept + 1;
    mean = mean * (1 - 1 / total) + value / total;
    before = x;
    return [step, mean];
  });
}

/**
 * Say which points a logarithmic axis cannot draw; nothing where it draws all of them.
 * @param {{ points: Point[] }[]} series
 */
export function describeUndrawn(series) {
  const values = series.flatMap(({ points }) => points.map(([, value]) => value)),
    known = values.filter((value) => value !== null),
    low = known.filter((value) => value <= 0).length;
  if (!low) return "";
  return low === known.length
    ? "No value is above 0: a logarithmic axis can draw none of them."
    : `${count(low, "point")} of 0 or less ${low === 1 ? "is" : "are"} not drawn.`;
}

/**
 * The divisor of values that are too large or too small to be drawn as they are: uPlot draws no numbers whose
 * differences could overflow or vanish.
 * @param {{ points: Point[] }[]} series
 */
export function valueUnit(series) {
  const largest = series.reduce(
    (most, { points }) => points.reduce((more, [, value]) => Math.max(more, Math.abs(value ?? 0)), most),
    0,
  );
  return largest && (largest > 1e15 || largest < 1e-9)
    ? 10 ** Math.max(-300, Math.floor(Math.log10(largest)))
    : 1;
}

/**
 * All steps of some series, in order.
 * @param {{ points: Point[] }[]} series
 */
export const stepsOf = (series) =>
  [...new Set(series.flatMap(({ points }) => points.map(([step]) => step)))].sort(stepOrder);
