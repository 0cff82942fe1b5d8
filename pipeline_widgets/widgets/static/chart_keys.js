// The keys of a chart: it is a slider, step by step.

/**
 * Read, zoom or leave a chart by the keyboard.
 * @param {MetricChart} chart
 * @param {KeyboardEvent} event
 */
export function pressInChart(chart, event) {
  const last = chart.steps.length - 1,
    now = chart.at ?? last,
    { range, extent } = chart.group;
  /** @type {Record<string, number>} */
  const moves = {
    ArrowLeft: now - 1,
    ArrowDown: now - 1,
    ArrowRight: now + 1,
    ArrowUp: now + 1,
    PageUp: now + 10,
    PageDown: now - 10,
    Home: 0,
    End: last,
  };
  /** @type {Record<string, number>} */
  const zooms = { "+": 0.5, "=": 0.5, "-": 2 };
  const to = moves[event.key],
    factor = zooms[event.key],
    out = event.key === "0" || (event.key === "Escape" && !!range);
  if (last < 0 || (to === undefined && factor === undefined && !out)) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (to !== undefined) return chart.read(Math.max(0, Math.min(last, to)));
  if (out) return chart.group.zoomOut();
  const [low, high] = range ?? extent ?? [0, 0],
    half = ((high - low) * factor) / 2;
  chart.group.zoom([chart.xs[now] - half, chart.xs[now] + half]);
}
