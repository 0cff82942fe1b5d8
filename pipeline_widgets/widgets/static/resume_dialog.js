// The dialog that goes on from a checkpoint, in a new experiment.

import { field, options, textInput } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { html, make, notice } from "./elements.js";
import { CheckpointPicker } from "./pickers.js";
import { isStep, stepOrder } from "./steps.js";
import { count, isolated } from "./text.js";

/**
 * @param {ExperimentsHost} table
 * @param {ExperimentRow} row
 * @param {El} pressed
 * @param {number} [run] the run whose checkpoints are offered first
 */
export async function openResume(table, row, pressed, run) {
  const { frame } = table;
  const offer = await frame.run("resume_form", { experiment: row.id }, pressed);
  if (!offer) return;
  if (!offer.runs.length)
    return frame.notice(`${isolated(row.name)} cannot be resumed. ${offer.obstacle}`, "error");
  const name = textInput(offer.name);
  /** @type {Named | null} */
  let made = null;
  /** @type {Dialog | null} */
  let dialog = null;
  const from = new ResumeChoice(offer, () => dialog?.draw(), run);
  dialog = openDialog({
    frame,
    title: `Resume '${isolated(row.name)}'`,
    confirm: "Resume",
    reason: offer.obstacle,
    wide: true,
    body: () => [
      offer.warning ? notice("warning", "Stale", offer.warning) : null,
      from.content(),
      field(
        "Name of the new experiment",
        name,
        "It has the same config and seed otherwise, and resumes from that checkpoint. This one does not " +
          "change.",
      ),
    ],
    act: async (button) => {
      const wanted = { experiment: row.id, name: name.value, ...from.chosen };
      made = await frame.line.ask("resume", wanted, button);
    },
    onclose: () => made && table.arrive(made, `Resumed as ${isolated(made.name)}.`),
  });
  if (offer.obstacle) dialog.fail(offer.obstacle);
}

/** What a new experiment goes on from: a run, one of its checkpoints, and where it ends. */
class ResumeChoice {
  /**
   * @param {ResumeOffer} offer
   * @param {() => void} changed
   * @param {number} [first]
   */
  constructor(offer, changed, first = offer.runs[0].id) {
    this.offer = offer;
    this.changed = changed;
    /** @type {[number, string][]} */
    const runs = offer.runs.map(({ id, label, checkpoints }) => [
      id,
      `${label}, ${count(checkpoints.length, "checkpoint")}`,
    ]);
    this.runs = /** @type {HTMLSelectElement} */ (
      make(
        html`<select @change=${(event) => this.pick(Number(event.currentTarget.value))}>
          ${options(runs, first)}
        </select>`,
      )
    );
    this.run = offer.runs[0];
    this.pick(first);
  }

  /** @param {number} id */
  pick(id) {
    const run = this.offer.runs.find((each) => each.id === id) ?? this.run;
    this.run = run;
    this.choice = /** @type {Step} */ ("final");
    this.length = run.length && textInput(String(run.ends ?? ""), { inputmode: "numeric" });
    this.length?.addEventListener("input", () => this.changed());
    this.picker = new CheckpointPicker({
      legend: "Checkpoint",
      offer: run,
      choice: this.choice,
      onchange: (chosen) => {
        this.choice = chosen;
        this.changed();
      },
    });
    this.changed();
  }

  content() {
    const { length } = this.run,
      nothing = trainsNothing(this.run, this.choice ?? "final", this.length?.value);
    return [
      this.offer.runs.length > 1 ? field("Run", this.runs) : null,
      html`<div>${this.picker?.el}</div>`,
      html`<div role="status" ?hidden=${!nothing}>${nothing}</div>`,
      length && this.length
        ? html`<div>${field(length.label, this.length, "The new experiment ends at this step.")}</div>`
        : null,
    ];
  }

  get chosen() {
    const { run, choice } = this,
      typed = this.length?.value.trim();
    const longer = run.length && typed !== undefined && typed !== String(run.ends);
    return { run: run.id, choice, config: longer ? { [run.length?.name ?? ""]: typed } : null };
  }
}

/**
 * Warn where the chosen checkpoint is at the end of what the new experiment will train.
 * @param {ResumableRun} run
 * @param {Step} choice
 * @param {string} [typed]
 */
function trainsNothing({ best, final, ends, length }, choice, typed) {
  const step = choice === "best" ? best.step : choice === "final" ? final.step : choice,
    end = typed === undefined ? ends : typed.trim();
  if (end === null || !Number(end) || (isStep(end) ? stepOrder(step, end) < 0 : Number(step) < Number(end)))
    return null;
  const todo = length ? `increase ${length.label} below.` : "increase it in the config first.";
  return notice(
    "warning",
    "Stale",
    `This checkpoint is at step ${step} of ${end}. Nothing left to train; ${todo}`,
  );
}
