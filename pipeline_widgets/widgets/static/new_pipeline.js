// How a pipeline begins: empty, from a template, or from a text.

import { field, textArea, textInput } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { button } from "./elements.js";
import { openNewFromTemplate } from "./templates.js";
import { isolated } from "./text.js";
import { openImport } from "./transfer.js";

/**
 * The ways to a new pipeline, first the one that most take.
 * @param {import("./pipeline_list.js").PipelineTable} table
 * @param {string} prefix Of the names by which focus comes back.
 */
export const newPipelineButtons = (table, prefix) => [
  button({
    label: "New Pipeline",
    glyph: "plus",
    kind: "pw-primary",
    f: `${prefix}new`,
    onclick: () => openNewPipeline(table),
  }),
  button({
    label: "New from template",
    glyph: "copy",
    f: `${prefix}template`,
    onclick: (pressed) =>
      openNewFromTemplate({
        frame: table.frame,
        pressed,
        onmade: (made) => table.arrive(made, `Pipeline ${isolated(made.name)} was created.`),
      }),
  }),
  button({
    label: "Import pipeline",
    glyph: "upload",
    f: `${prefix}import`,
    onclick: () => openImportedPipeline(table),
  }),
];

/** @param {import("./pipeline_list.js").PipelineTable} table */
function openNewPipeline(table) {
  const name = textInput("", { required: "" });
  const about = textArea(3);
  /** @type {Named | null} */
  let made = null;
  openDialog({
    frame: table.frame,
    title: "New Pipeline",
    confirm: "Create",
    body: [field("Name", name), field("Description", about, "Optional: what it is for. It can be searched.")],
    act: async (pressed) => {
      name.removeAttribute("aria-invalid");
      try {
        made = await table.frame.line.ask("create", { name: name.value, description: about.value }, pressed);
      } catch (error) {
        name.setAttribute("aria-invalid", "true");
        name.focus();
        throw error;
      }
    },
    onclose: () => made && table.arrive(made, `Pipeline ${isolated(made.name)} was created.`),
  });
}

/** @param {import("./pipeline_list.js").PipelineTable} table */
function openImportedPipeline(table) {
  /** @type {(Named & Also) | null} */
  let made = null;
  openImport({
    frame: table.frame,
    act: async (given, pressed) => {
      made = await table.frame.line.ask("import", given, pressed);
    },
    onclose: () => {
      if (!made) return;
      const said = `Pipeline ${isolated(made.name)} was imported.`;
      table.frame.notice([said, ...made.also]);
      table.arrive(made, said);
    },
  });
}
