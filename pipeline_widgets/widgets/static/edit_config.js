// The dialog that edits the config of an experiment, from its own view or from that of its stage.

import { ExperimentForm } from "./experiment_form.js";
import { isolated } from "./text.js";

/**
 * Edit the config of an experiment; `command` is that of the view which asks for the form.
 * @param {{ frame: Frame }} table
 * @param {Pick<ExperimentRow, "id" | "name" | "runs">} row
 * @param {El} pressed
 * @param {"form" | "config_form"} [command]
 */
export async function openEditConfig({ frame }, row, pressed, command = "form") {
  const form = /** @type {ExperimentFormData | undefined} */ (
    await frame.run(command, { experiment: row.id }, pressed)
  );
  if (!form) return;
  const note = row.runs ? "Existing runs keep their config. A stage that ran it turns stale." : "";
  const made = new ExperimentForm({ frame, form, drafts: { values: {} }, experiment: row.id, note });
  made.open({
    title: `Edit config of '${isolated(row.name)}'`,
    confirm: "Save",
    act: async (button) => {
      const answer = await made.submit(button);
      if (answer) frame.announce(`The config of ${isolated(answer.name)} was saved.`);
      return !!answer;
    },
  });
}
