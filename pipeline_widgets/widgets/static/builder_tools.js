// The tools above a pipeline: graph or list, what is added, checked or undone, and the zoom.

import { button, html } from "./elements.js";
import { noEdit, undoTitle, undoWords } from "./pipeline_edits.js";
import { runButtons } from "./run_pipeline.js";

/** @param {Builder} builder */
export function builderTools(builder) {
  /**
   * @param {string} label
   * @param {string} glyph
   * @param {boolean} list
   */
  const toggle = (label, glyph, list) =>
    button({
      label,
      glyph,
      pressed: builder.asList === list,
      f: `show-${glyph}`,
      kind: "pw-segment",
      onclick: () => builder.showAs(list),
    });
  /**
   * @param {string} label
   * @param {string} glyph
   * @param {(pressed: El) => unknown} onclick
   * @param {Partial<ButtonOptions>} [more]
   */
  const quiet = (label, glyph, onclick, more) =>
    button({ label, glyph, quiet: true, f: glyph, onclick, ...more });
  const any = builder.stages.length > 0,
    { undo, redo } = builder.model.get("pipeline");
  /**
   * @param {UndoableEdit | null} edit
   * @param {"undo" | "redo"} what
   */
  const undoButton = (edit, what) =>
    quiet(undoWords(edit, what === "redo"), what, (pressed) => builder.undo(what === "redo", pressed), {
      title: undoTitle(edit, what === "redo"),
      reason: edit ? "" : noEdit(what === "redo"),
      changes: true,
    });
  return [
    any
      ? [
          html`<div class="pw-segments" role="group" aria-label="Show stages as">
            ${toggle("Graph", "graph", false)}${toggle("List", "list", true)}
          </div>`,
          runButtons(builder.model.get("pipeline").runs, (goal, pressed) => builder.run(goal, pressed)).map(
            ({ key, primary, ...item }) =>
              button({ ...item, kind: primary ? "pw-primary" : "", f: `run-${key}` }),
          ),
          button({
            label: "Add stage",
            glyph: "plus",
            f: "add",
            onclick: () => builder.insert(builder.stages.length),
          }),
          button({
            label: "Check pipeline",
            glyph: "check",
            f: "check",
            onclick: (pressed) => builder.check(pressed),
          }),
        ]
      : null,
    html`<span class="pw-builder-edits">${undoButton(undo, "undo")}${undoButton(redo, "redo")}${quiet(
      "More",
      "more",
      (pressed) => builder.openMore(pressed),
    )}</span>`,
    builder.stages.length > 1
      ? html`<span class="pw-follow">${button({
          label: "Follow",
          glyph: "follow",
          title: "Follow: select the stage that runs, until you select another one",
          quiet: true,
          pressed: builder.model.get("following"),
          f: "follow",
          kind: "pw-segment",
          onclick: () => builder.frame.run("follow", { on: !builder.model.get("following") }),
        })}</span>`
      : null,
    any && !builder.asList
      ? html`<div class="pw-zoom" role="group" aria-label="Zoom">
          ${quiet("Zoom out", "minus", () => builder.graph.zoom(1 / 1.25))}
          ${quiet("Zoom in", "zoomin", () => builder.graph.zoom(1.25))}
          ${quiet("Fit all stages", "fit", () => builder.graph.fit())}
        </div>`
      : null,
  ];
}
