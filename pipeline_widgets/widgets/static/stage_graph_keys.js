// The keys and the wheel of a stage graph.

import { arrowTo } from "./elements.js";

/**
 * Go from stage to stage, or from row to row; move one with Alt, remove it, or open its results.
 * @param {StageGraph} graph
 * @param {At} event
 */
export function pressInGraph(graph, event) {
  const { key } = event,
    { stages } = graph;
  const id = Number(event.target.closest("li")?.dataset.key),
    at = stages.findIndex((stage) => stage.id === id),
    { layout } = graph.viewport,
    down = layout.rows > 1 ? layout.columns : 1;
  /** @type {Record<string, number>} */
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: down, ArrowUp: -down };
  const by = steps[key] ?? 0;
  const to = by ? stageBeside(layout, at, by) : arrowTo(key, at, stages.length, { around: false });
  if (key === "Escape" && graph.tip.el) graph.tip.hide();
  else if (by && event.altKey) {
    if (to !== undefined && to !== at) graph.on.move(id, to);
  } else if (to !== undefined) graph.goTo(stages[to].id);
  else if (key === "Delete" || key === "Backspace") graph.on.remove(id);
  else if (key === "Enter" && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey)
    graph.on.results(id);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Where so many stages on is. Up in the first row and down in the last one lead nowhere; from the row before
 * a short one, down leads to its last stage.
 * @param {ChainLayout} layout
 * @param {number} at
 * @param {number} by
 */
function stageBeside({ stages, columns }, at, by) {
  const last = stages - 1;
  if (at + by < 0) return at;
  if (at + by <= last) return at + by;
  return Math.floor(at / columns) < Math.floor(last / columns) ? last : at;
}

/**
 * The wheel scrolls the notebook, as everywhere; with Shift it scrolls the chain, and with Ctrl it zooms.
 * @param {StageGraph} graph
 * @param {WheelEvent} event
 */
export function wheelOverGraph(graph, event) {
  if (event.ctrlKey) graph.zoom(Math.exp(-event.deltaY / 300));
  else if (event.shiftKey && graph.viewport.scrolls) graph.scrollBy(event.deltaY || event.deltaX);
  else return;
  event.preventDefault();
}
