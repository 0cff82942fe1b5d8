// The tools above a pipeline: graph or list, what is added, checked or undone, and the zoom.

import { button, h, redraw } from "./elements.js";
import { lastEdit } from "./transfer.js";

/** @param {Builder} builder */
export function showTools(builder) {
  /**
   * @param {string} label
   * @param {string} glyph
   * @param {any} list
   */
  const toggle = (label, glyph, list) => {
    const el = button({
      label,
      glyph,
      "aria-pressed": String(builder.asList === list),
      "data-f": `show-${glyph}`,
      kind: "pw-segment",
      onclick: () => {
        builder.asList = list;
        builder.show();
      },
    });
    return el;
  };
  /**
   * @param {string} label
   * @param {string} glyph
   * @param {(event: any) => unknown} onclick
   * @param {any} [more]
   */
  const quiet = (label, glyph, onclick, more = {}) =>
    button({ label, glyph, quiet: true, "data-f": glyph, onclick, ...more });
  const any = builder.stages.length > 0,
    { undo } = builder.model.get("pipeline"),
    edit = lastEdit(undo);
  redraw(
    builder.tools,
    any
      ? h(
          "div",
          { class: "pw-segments", role: "group", "aria-label": "Show stages as" },
          toggle("Graph", "graph", false),
          toggle("List", "list", true),
        )
      : null,
    any
      ? button({
          label: "Add stage",
          glyph: "plus",
          "data-f": "add",
          onclick: () => builder.insert(builder.stages.length),
        })
      : null,
    any
      ? button({
          label: "Check pipeline",
          glyph: "check",
          "data-f": "check",
          onclick: (event) => builder.check(event.currentTarget),
        })
      : null,
    quiet(edit.word, edit.glyph, (event) => builder.undo(event.currentTarget), {
      "data-f": "undo",
      title: `${edit.word}: ${edit.what}`,
      reason: undo ? "" : "There is no edit to undo.",
    }),
    quiet("More", "more", (event) => builder.openMore(event.currentTarget)),
    !any || builder.asList
      ? null
      : h(
          "div",
          { class: "pw-zoom", role: "group", "aria-label": "Zoom" },
          quiet("Zoom out", "minus", () => builder.graph.zoom(1 / 1.25)),
          quiet("Zoom in", "zoomin", () => builder.graph.zoom(1.25)),
          quiet("Fit all stages", "fit", () => builder.graph.fit()),
        ),
  );
}
