// A curve as small as a word.

import { svg } from "./elements.js";
import { StepScale } from "./steps.js";

/**
 * Draw a small curve: points are [step, value] with null for a gap. `mark` is a step to mark.
 * @param {Point[]} points
 * @param {{ width?: number, height?: number, mark?: any, label?: string }} [options]
 */
export function sparkline(points, { width = 160, height = 36, mark = null, label = "" } = {}) {
  const drawn = points.filter(([, value]) => value !== null && Number.isFinite(value));
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    class: "pw-spark",
    role: "img",
    "aria-label": label,
  });
  if (!drawn.length) return picture;
  const scale = new StepScale([points[0][0], points[points.length - 1][0]]);
  const [x0, x1] = [scale.x(points[0][0]), scale.x(points[points.length - 1][0])];
  const values = drawn.map(([, value]) => value),
    size = Math.max(...values.map(Math.abs)) || 1; // a difference could overflow
  const [low, high] = [Math.min(...values) / size, Math.max(...values) / size];
  /** @param {Step} step */
  const x = (step) => 3 + ((scale.x(step) - x0) / (x1 - x0 || 1)) * (width - 6);
  /** @param {any} value */
  const y = (value) => height - 4 - ((value / size - low) / (high - low || 1)) * (height - 8);
  let path = "",
    open = false;
  for (const [step, value] of points) {
    const there = value !== null && Number.isFinite(value);
    if (there) path += `${open ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    open = there;
  }
  picture.append(svg("path", { d: path, class: "pw-line" }));
  const marked =
    drawn.find(([step]) => step === mark) ?? (mark === null && drawn.length === 1 ? drawn[0] : undefined);
  if (marked) picture.append(svg("circle", { cx: x(marked[0]), cy: y(marked[1]), r: 3, class: "pw-mark" }));
  return picture;
}
