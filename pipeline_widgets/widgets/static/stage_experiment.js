// A new experiment for a stage, made from within the form of the stage.

import { ExperimentForm } from "./experiment_form.js";
import { isolated } from "./text.js";

/**
 * Ask for a new experiment above the form of a stage. Escape keeps what was typed for the next time.
 * @param {{ frame: Frame, place: Args, host: { typed: FormDrafts | null }, pressed: El,
 *   onmade: (made: Named) => unknown }} options
 */
export async function openNewStageExperiment({ frame, place, host, pressed, onmade }) {
  host.typed ??= { values: {} };
  const drafts = host.typed;
  const args = { ...place, algorithm: drafts.algorithm ?? null };
  const form = /** @type {ExperimentFormData | undefined} */ (
    await frame.run("experiment_form", args, pressed)
  );
  if (!form) return;
  /** @type {FormCommands} */
  const commands = { form: "experiment_form", create: "create_experiment", args: place };
  const made = new ExperimentForm({ frame, form, drafts, commands });
  /** @type {Named | null} */
  let answer = null;
  let kept = false;
  const dialog = made.open({
    title: "New experiment",
    confirm: "Create",
    act: async (button) => {
      answer = await made.submit(button);
      return !!answer;
    },
    onclose: () => {
      if (!kept) host.typed = null;
      if (!answer) return;
      frame.announce(`Experiment ${isolated(answer.name)} was created.`);
      onmade(answer);
    },
  });
  dialog.el.addEventListener("cancel", (event) => {
    event.stopPropagation(); // the form of the stage stays open
    kept = true;
  });
  made.name.control.focus();
}
