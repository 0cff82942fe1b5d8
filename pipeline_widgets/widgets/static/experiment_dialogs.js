// The dialogs of the Experiments tab. Each keeps what was typed while Python refuses it.

import { field, textInput } from "./controls.js";
import { openDelete } from "./delete_row.js";
import { openDialog, paragraphs } from "./dialogs.js";
import { openNewForm } from "./experiment_form.js";
import { bytes, count, isolated } from "./text.js";

/**
 * The list of experiments, from which all this is asked for.
 * @typedef {ExperimentsHost} Experiments
 */

/**
 * Ask for a new experiment; `table` keeps what is typed until one is made.
 * @param {Experiments} table
 * @param {El} pressed
 */
export async function openNewExperiment(table, pressed) {
  const { frame } = table;
  table.typed ??= { values: {} };
  const drafts = table.typed;
  const args = { algorithm: drafts.algorithm ?? null };
  const form = /** @type {ExperimentFormData | undefined} */ (await frame.run("form", args, pressed));
  if (!form) return;
  if (form.algorithm === null)
    return frame.notice(
      "There is no algorithm to choose. Define one with @pw.algorithm, in a cell.",
      "error",
    );
  openNewForm({ frame, form, host: table, drafts, onmade: (made, said) => table.arrive(made, said) });
}

/**
 * @param {Experiments} table
 * @param {ExperimentRow} row
 * @param {El} pressed
 */
export async function openDuplicate(table, row, pressed) {
  const { frame } = table;
  const given = await frame.run("copy_name", { experiment: row.id }, pressed);
  if (given === undefined) return;
  const name = textInput(given);
  /** @type {Named | null} */
  let copy = null;
  openDialog({
    frame,
    title: `Duplicate '${isolated(row.name)}'`,
    confirm: "Duplicate",
    body: field("Name", name, "The copy has the same algorithm, config and seed, and no runs."),
    act: async (button) => {
      copy = await frame.line.ask("duplicate", { experiment: row.id, name: name.value }, button);
    },
    onclose: () => copy && table.arrive(copy, `Duplicated as ${isolated(copy.name)}.`),
  });
  name.select();
}

/**
 * @param {Experiments} table
 * @param {ExperimentRow} row
 */
export function openDeleteExperiment(table, row) {
  const made = [
    row.runs ? count(row.runs, "run") : null,
    row.checkpoints ? count(row.checkpoints, "checkpoint") : null,
  ].filter(Boolean);
  openDelete(
    table,
    row,
    made.length
      ? `${made.join(" and ")}, with all files and metrics, are deleted with it.`
      : "It has never run.",
    "That cannot be undone.",
  );
}

/**
 * @param {Experiments} table
 * @param {ExperimentRow} row
 * @param {Checkpoint} checkpoint
 */
export function openDeleteCheckpoint({ frame }, row, { id, step, run, size }) {
  openDialog({
    frame,
    title: `Delete the checkpoint at step ${step}?`,
    confirm: "Delete",
    danger: true,
    body: paragraphs(
      `What ${run} of ${isolated(row.name)} saved there, ${bytes(size)}, is deleted from disk.`,
      "That cannot be undone. Its run and metrics stay.",
    ),
    act: async (button) => {
      await frame.line.ask("delete_checkpoint", { checkpoint: id }, button);
      frame.announce(`The checkpoint at step ${step} was deleted.`);
    },
  });
}
