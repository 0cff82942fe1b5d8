// What the mouse does in a chart: steps over which one drags are zoomed to, and the line that the pointer is
// at is emphasised.

import { stepOrder } from "./steps.js";

const CHART_NEAR = 24; // px between the pointer and the line that it points at

/**
 * Show the steps over which one has dragged.
 * @param {MetricChart} chart
 * @param {Plot} plot
 */
export function zoomToSelection(chart, plot) {
  const { left, width } = plot.select;
  if (!width) return;
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  chart.group.last = chart;
  chart.group.zoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
}

/**
 * Where the last value of a line is, up to a place; null where it has ended before.
 * @param {MetricChart} chart
 * @param {number} n counted from 1; 0 is the axis
 * @param {number} at
 */
export function lastValueAt({ series, steps, data }, n, at) {
  if (!n) return at;
  const { points, ended } = series[(n - 1) % series.length];
  if (ended && points.length && stepOrder(steps[at], points[points.length - 1][0]) > 0) return null;
  while (at > 0 && data[n][at] === undefined) at -= 1;
  return at;
}

/**
 * Emphasise the line that the pointer is at.
 * @param {MetricChart} chart
 * @param {Plot} plot
 */
export function emphasiseNearest(chart, plot) {
  const { top, left, idx } = plot.cursor,
    first = chart.smoothed ? chart.series.length : 0; // a smoothed line is the one that is seen
  if (chart.series.length < 2 || left < 0 || !plot.over.matches(":hover")) return;
  let least = CHART_NEAR,
    near = /** @type {number | null} */ (null);
  chart.series.forEach(({ key = null }, n) => {
    const line = first + n + 1,
      value = chart.data[line][lastValueAt(chart, line, idx ?? 0) ?? -1];
    const away = value === null || value === undefined ? Infinity : Math.abs(plot.valToPos(value, "y") - top);
    if (away < least) [near, least] = [key, away];
  });
  chart.group.light(near);
}
