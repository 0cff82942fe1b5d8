// The keys and the wheel of a stage graph.

import { arrowTo } from "./elements.js";

/**
 * Go from stage to stage, move one with Alt, or remove it.
 * @param {StageGraph} graph
 * @param {At} event
 */
export function pressInGraph(graph, event) {
  const id = Number(event.target.closest("li")?.dataset.key),
    at = graph.stages.findIndex((stage) => stage.id === id),
    by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const to = arrowTo(by ? (by > 0 ? "forth" : "back") : event.key, at, graph.stages.length, {
    forth: "forth",
    back: "back",
    around: false,
  });
  if (by && event.altKey) {
    if (to !== undefined && to !== at) graph.on.move(id, to);
  } else if (to !== undefined) {
    const stage = graph.stages[to];
    graph.on.select(stage.id);
    graph.focus(stage.id);
  } else if (event.key === "Delete" || event.key === "Backspace") graph.on.remove(id);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * The wheel scrolls the notebook, as everywhere; sideways it pans, and with Ctrl it zooms.
 * @param {StageGraph} graph
 * @param {WheelEvent} event
 */
export function wheelOverGraph(graph, event) {
  const view = graph.renderer?.viewport;
  if (!view) return;
  const sideways =
    Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
  if (event.ctrlKey) {
    const box = graph.box.getBoundingClientRect();
    graph.zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
  } else if (sideways) graph.pan(-sideways);
  else return;
  event.preventDefault();
}
