// The dialogs that bring a pipeline into its list.

import { field, textArea, textInput } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { isolated } from "./text.js";
import { openImport } from "./transfer.js";

/**
 * Ask for a new pipeline, and show it.
 * @param {PagedTable<any>} table
 */
export function openNewPipeline(table) {
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

/**
 * Ask for a pipeline as text, and show it.
 * @param {PagedTable<any>} table
 */
export function openPipelineImport(table) {
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
