// What each view is sent with. The code of all views is a model of its own, which a kernel sends once; it is
// loaded here once for each page and version, whichever view comes first.

const LOADED = Symbol.for("pipeline_widgets.loaded");

/** @param {Model} code */
async function load(code) {
  const style = document.createElement("style");
  style.textContent = code.get("style");
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([code.get("script")], { type: "text/javascript" }));
  try {
    return await import(/* webpackIgnore: true */ url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {Model} model */
async function views(model) {
  const code = await model.widget_manager.get_model(model.get("code").slice("IPY_MODEL_".length));
  const page = /** @type {Record<symbol, Map<string, ReturnType<typeof load>>>} */ (
    /** @type {unknown} */ (globalThis)
  );
  page[LOADED] ??= new Map();
  const loaded = page[LOADED];
  const digest = code.get("digest");
  if (!loaded.has(digest)) loaded.set(digest, load(code));
  return loaded.get(digest);
}

/**
 * Follow a model; what it hears until the code is here, the code hears then. This does not wait: anywidget
 * takes a model for failed that is not made within two seconds, and from then on drops every message for it.
 * @param {Rendered} context
 */
function initialize({ model }) {
  /** @type {object[]} */
  const early = [];
  const hear = (/** @type {object} */ message) => early.push(message);
  const gone = new AbortController();
  model.on("msg:custom", hear);
  views(model).then(
    (code) => {
      model.off("msg:custom", hear);
      if (!gone.signal.aborted) gone.signal.addEventListener("abort", code.initialize({ model, early }));
    },
    () => model.off("msg:custom", hear), // nothing will read them; a view of it says so
  );
  return () => gone.abort();
}

export default {
  initialize,
  render: async (/** @type {Rendered} */ context) => (await views(context.model)).render(context),
};
