// Views within a view: of child widgets, each with a model of its own.

import { referenced } from "./line.js";

/**
 * Render a child widget of ours, by the name that a trait has for it. Returns what ends it.
 * @param {Model} model
 * @param {string} reference
 * @param {El} el
 * @param {AbortSignal} signal
 */
export async function child(model, reference, el, signal) {
  const view = await model.widget_manager.create_view(await referenced(model, reference));
  // Lumino wants a place in the page
  while (!el.isConnected && !signal.aborted) await new Promise(requestAnimationFrame);
  if (signal.aborted) return view.remove();
  view.luminoWidget.constructor.attach(view.luminoWidget, el);
  const end = () => endView(view);
  signal.addEventListener("abort", end);
  return end;
}

/**
 * End the view of a child widget. Lumino refuses to take out of the page what is out of it already.
 * @param {WidgetView} view
 */
export function endView(view) {
  const place = view.luminoWidget;
  if (place.isDisposed) return;
  if (!place.node.isConnected) document.body.append(place.node);
  view.remove();
}
