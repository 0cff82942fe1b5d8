// Views within a view: of child widgets, each with a model of its own.

import { draw, html, make } from "./elements.js";
import { referenced } from "./line.js";

/**
 * How views are rendered; the module that knows all of them sets it.
 * @type {{ begin?: (model: Model) => () => void, render?: (rendered: Rendered) => () => void }}
 */
const hereBy = {};

/**
 * Let children be rendered by these where the host has no views of its own, as in marimo.
 * @param {typeof hereBy} by
 */
export const renderChildrenBy = (by) => void Object.assign(hereBy, by);

/**
 * Render a child widget of ours, by the name that a trait has for it. Returns what ends it.
 * @param {Model} model
 * @param {string} reference
 * @param {El} el
 * @param {AbortSignal} signal
 */
export async function child(model, reference, el, signal) {
  const inner = await referenced(model, reference);
  if (!model.widget_manager.create_view) return renderHere(inner, el, signal);
  const view = await model.widget_manager.create_view(inner);
  // Lumino wants a place in the page
  while (!el.isConnected && !signal.aborted) await new Promise(requestAnimationFrame);
  if (signal.aborted) return view.remove();
  view.luminoWidget.constructor.attach(view.luminoWidget, el);
  const end = () => endView(view);
  signal.addEventListener("abort", end);
  return end;
}

/** A place for one child widget at a time: another one takes the place of the one before. */
export class ChildPlace {
  /**
   * @param {Model} model
   * @param {(error: unknown) => void} failed
   * @param {El} [el]
   */
  constructor(model, failed, el = make(html`<div></div>`)) {
    this.model = model;
    this.failed = failed;
    this.el = el;
    this.reference = "";
    this.ending = new AbortController();
  }

  /** @param {string} reference "" for none */
  show(reference) {
    if (reference === this.reference) return;
    this.end();
    this.reference = reference;
    this.ending = new AbortController();
    draw(this.el, null);
    if (reference) child(this.model, reference, this.el, this.ending.signal).catch(this.failed);
  }

  end() {
    this.ending.abort();
  }
}

/**
 * @param {Model} model
 * @param {El} el
 * @param {AbortSignal} signal
 */
function renderHere(model, el, signal) {
  if (signal.aborted) return () => {};
  const ends = [hereBy.begin?.(model), hereBy.render?.({ model, el })];
  const end = () => {
    for (const each of ends.splice(0).reverse()) each?.();
  };
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
