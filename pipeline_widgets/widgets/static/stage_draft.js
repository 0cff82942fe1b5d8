// What is typed and chosen in the form of a stage.

import { BETTER } from "./gate_picker.js";
import { isolated } from "./text.js";

/**
 * What a form begins with: the settings of the stage that is edited, or sensible ones.
 * @param {Values} form
 */
export function stageDraft(form) {
  const known = form.settings ?? {};
  const free = form.experiments.filter((/** @type {Values} */ option) => option.fits && !option.used_by);
  const first =
    free.find((/** @type {Values} */ option) => !option.ran) ??
    free[0] ??
    form.experiments.find((/** @type {Values} */ option) => option.fits);
  const choice = known.kind === "deployment" ? known.checkpoint : known.start;
  const gate = known.gate ?? null;
  return {
    kind: known.kind ?? "experiment",
    experiment: form.settings ? (known.experiment ?? null) : (first?.id ?? null),
    begin: choice?.agent ? "agent" : "scratch",
    agent: choice?.agent ?? null,
    choice: choice === undefined || choice === "scratch" || choice.agent ? "best" : choice,
    trigger: known.trigger ?? "manual",
    gate: gate === null ? "none" : gate === BETTER ? BETTER : "score",
    score: typeof gate === "number" ? String(gate) : "",
    autoAdd: known.auto_add_agent ?? false,
    name: known.agent ?? "",
    description: known.description ?? "",
  };
}

/**
 * Why an experiment is not simply attached to a stage, and what can be done instead.
 * @param {Values} option
 */
export function attachWords(option) {
  return option.used_by
    ? [
        `${isolated(option.name)} is used by stage ${option.used_by} already.`,
        "Two stages of a pipeline cannot share one experiment, so this stage gets a copy of it.",
      ]
    : [
        `${isolated(option.name)} has run already.`,
        "A copy has the same settings and no runs. Attached as is, this stage adds its runs to those " +
          "that are there.",
      ];
}
