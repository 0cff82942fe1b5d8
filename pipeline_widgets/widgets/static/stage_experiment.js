// A new experiment for a stage, made from within the form of the stage.

import { openNewForm } from "./experiment_form.js";

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
  openNewForm({
    frame,
    form,
    host,
    drafts,
    commands,
    onescape: (event) => event.stopPropagation(), // the form of the stage stays open
    onmade: (made, said) => {
      frame.announce(said);
      onmade(made);
    },
  });
}
