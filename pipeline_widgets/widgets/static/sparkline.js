// A curve as small as a word.

import { html } from "./elements.js";
import { StepScale } from "./steps.js";
import { svg } from "./vendor/lit.js";

/**
 * A small curve: points are [step, value] with null for a gap. `mark` is a step to mark.
 * @param {Point[]} points
 * @param {{ width?: number, height?: number, mark?: Step | null, label?: string }} [options]
 */
export function sparkline(points, { width = 160, height = 36, mark = null, label = "" } = {}) {
  const { path, marked } = sparkPath(points, width, height, mark);
  return html`<svg viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} class="pw-spark"
    role="img"
    aria-label=${label}>
    ${path ? svg`<path d=${path} class="pw-line"></path>` : null}
    ${marked ? svg`<circle cx=${marked.x} cy=${marked.y} r="3" class="pw-mark"></circle>` : null}
  </svg>`;
}

/**
 * Where a small curve and its mark are drawn.
 * @param {Point[]} points
 * @param {number} width
 * @param {number} height
 * @param {Step | null} mark
 */
export function sparkPath(points, width, height, mark) {
  const drawn = /** @type {[Step, number][]} */ (
    points.filter(([, value]) => value !== null && Number.isFinite(value))
  );
  if (!drawn.length) return { path: "", marked: null };
  const scale = new StepScale([points[0][0], points[points.length - 1][0]]);
  const [x0, x1] = [scale.x(points[0][0]), scale.x(points[points.length - 1][0])];
  const values = drawn.map(([, value]) => value),
    size = Math.max(...values.map(Math.abs)) || 1; // a difference could overflow
  const [low, high] = [Math.min(...values) / size, Math.max(...values) / size];
  /** @param {Step} step */
  const x = (step) => 3 + ((scale.x(step) - x0) / (x1 - x0 || 1)) * (width - 6);
  /** @param {number} value */
  const y = (value) => height - 4 - ((value / size - low) / (high - low || 1)) * (height - 8);
  let path = "",
    open = false;
  for (const [step, value] of points) {
    const there = value !== null && Number.isFinite(value);
    if (there) path += `${open ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    open = there;
  }
  const marked =
    drawn.find(([step]) => step === mark) ?? (mark === null && drawn.length === 1 ? drawn[0] : undefined);
  return { path, marked: marked ? { x: x(marked[0]), y: y(marked[1]) } : null };
}
