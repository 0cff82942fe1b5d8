// What the processes of a run use, over time: a tile for each resource.

import { curveTile } from "./curve_tile.js";
import { html } from "./elements.js";
import { bytes, duration } from "./text.js";

/** @type {Record<string, [string, (value: number) => string]>} */
const RESOURCES = {
  cpu: ["CPUs", (value) => value.toFixed(1)],
  memory: ["Memory", bytes],
  gpu: ["GPUs", (value) => value.toFixed(1)],
  gpu_memory: ["GPU memory", bytes],
};

/**
 * A tile for each resource: the last value, and a small curve. Points are [milliseconds, value].
 * @param {Curve[]} curves
 */
export function usageCurves(curves) {
  return html`<div class="pw-curves" role="group" aria-label="Resources">${curves.map(({ name, points }) => {
    const [shown, say] = RESOURCES[name],
      [at, last] = points[points.length - 1];
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    const now = last === null ? "none" : say(last);
    const after = duration(Number(at) / 1000),
      label = `${shown}: ${now} after ${after}, highest ${say(Math.max(...values))}`;
    return curveTile({ head: html`<span class="pw-soft">${shown}</span>`, last: now, points, label });
  })}</div>`;
}
