// What is typed and chosen in the form of a stage.

import { isolated } from "./text.js";

/** The gate of a Deployment that compares a checkpoint with the agent now deployed, as Python writes it. */
export const BETTER = "better than deployed";

/**
 * What a form begins with: the settings of the stage that is edited, or sensible ones.
 * @param {StageFormData} form
 */
export function stageDraft(form) {
  /** @type {Partial<StageSettings>} */
  const known = form.settings ?? {};
  const free = form.experiments.filter((option) => option.fits && !option.used_by);
  const first =
    free.find((option) => !option.ran) ?? free[0] ?? form.experiments.find((option) => option.fits);
  const choice = known.kind === "deployment" ? known.checkpoint : known.start;
  const agent = typeof choice === "object" ? choice.agent : null;
  const { gate = null } = known;
  return {
    kind: known.kind ?? "experiment",
    experiment: form.settings ? (known.experiment ?? null) : (first?.id ?? null),
    begin: agent ? "agent" : "scratch",
    agent,
    choice: choice === undefined || choice === "scratch" || typeof choice === "object" ? "best" : choice,
    trigger: known.trigger ?? "manual",
    gate: gate === null ? "none" : gate === BETTER ? BETTER : "score",
    score: typeof gate === "number" ? String(gate) : "",
    autoAdd: known.auto_add_agent ?? false,
    retries: String(known.retries ?? 0),
    name: known.agent ?? "",
    description: known.description ?? "",
  };
}

/**
 * Why an experiment is not simply attached to a stage, and what can be done instead.
 * @param {ExperimentOption} option
 */
export function attachWords(option) {
  return option.used_by
    ? [
        `${isolated(option.name)} is already used by stage ${option.used_by}.`,
        "Two stages of a pipeline cannot share one experiment, so this stage gets a copy of it.",
      ]
    : [
        `${isolated(option.name)} has already run.`,
        "A copy has the same settings and no runs. Attached as is, this stage adds its runs to those " +
          "that are there.",
      ];
}

/**
 * The gate of a draft, as it is sent: null for none, and an empty text for a score that is not a number.
 * @param {{ gate: string, score: string }} draft
 * @returns {Gate}
 */
export function draftGate({ gate, score }) {
  if (gate !== "score") return gate === "none" ? null : gate;
  const least = score.trim() === "" ? Number.NaN : Number(score);
  return Number.isFinite(least) ? least : "";
}

/**
 * The retries of a draft, as they are sent: none for an empty text, and what is typed where it is none.
 * @param {string} typed
 */
export const draftRetries = (typed) => {
  const text = typed.trim();
  return Number.isFinite(Number(text)) ? Number(text) : text;
};
