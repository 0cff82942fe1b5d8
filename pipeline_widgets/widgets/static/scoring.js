// Scoring checkpoints by evaluators: what is asked for, and the evaluations that go on or have failed.

import { check, checkBox, field, options } from "./controls.js";
import { openDialog, paragraphs } from "./dialogs.js";
import { badge, button, html, make } from "./elements.js";
import { stepsDone } from "./run_times.js";
import { count, isolated } from "./text.js";
import { repeat } from "./vendor/lit.js";

const OWN_SCORES = "Scores that the algorithms report";

/**
 * Ask by which evaluator checkpoints are scored, and which; the first of `scopes` holds all the others.
 * @param {{ frame: Frame, scopes: ScoreScope[], pressed: El }} options
 */
export async function openScore({ frame, scopes, pressed }) {
  const form = await frame.run("score_form", scopes[0].args, pressed);
  if (!form) return;
  const picker = evaluatorSelect(form.evaluators);
  const which = /** @type {HTMLSelectElement} */ (
    make(html`<select>${options(scopes.map(({ label }, at) => [at, label]))}</select>`)
  );
  const again = checkBox();
  const dialog = openDialog({
    frame,
    title: "Score checkpoints",
    confirm: "Score",
    reason: form.obstacle,
    body: [
      field("Evaluator", picker, form.obstacle || refusals(form.evaluators)),
      scopes.length > 1
        ? field("Checkpoints", which)
        : paragraphs(`${scopes[0].label}: ${count(form.checkpoints, "checkpoint")}.`),
      check(again, "Score again those that have a score"),
    ],
    act: async (button) => {
      const { args } = scopes[Number(which.value) || 0];
      const wanted = { evaluator: picker.value, again: again.checked, ...args };
      const started = await frame.line.ask("score", wanted, button);
      if (!started.scoring) dialog.fail(nothingScored(started, picker.value));
      else frame.notice(tellStarted(started, picker.value));
      return started.scoring > 0;
    },
  });
}

/**
 * Ask by whose scores Best and gates of a pipeline go.
 * @param {Frame} frame
 * @param {El} pressed
 */
export async function openScoreBy(frame, pressed) {
  const form = await frame.run("score_by_form", {}, pressed);
  if (!form) return;
  const picker = evaluatorSelect(form.evaluators, form.score_by, OWN_SCORES);
  const score = checkBox(true);
  const dialog = openDialog({
    frame,
    title: "Choose evaluator",
    confirm: "Save",
    body: () => [
      field("Best and gates go by", picker, form.obstacle || refusals(form.evaluators)),
      html`<div ?hidden=${!picker.value}>${check(score, "Score what the stages have saved")}</div>`,
    ],
    act: async (button) => {
      const evaluator = picker.value || null;
      const wanted = { evaluator, version: form.version, score: score.checked };
      const { started } = await frame.line.ask("score_by", wanted, button);
      const now = evaluator ? isolated(evaluator) : "the scores that the algorithms report";
      frame.notice([
        `Best and gates go by ${now}.`,
        ...(started?.scoring ? tellStarted(started, picker.value) : (started?.refused ?? [])),
      ]);
    },
  });
  picker.addEventListener("change", () => dialog.draw());
}

/**
 * A list of evaluators; one that scores nothing of what is meant cannot be chosen.
 * @param {EvaluatorChoice[]} evaluators
 * @param {string | null} [chosen]
 * @param {string} [none]
 */
function evaluatorSelect(evaluators, chosen, none) {
  const first = none ? "" : evaluators.find(({ reason }) => !reason)?.name;
  /** @type {[string, string, boolean][]} */
  const offered = evaluators.map(({ name, reason, higher_is_better: higher }) => [
    name,
    higher ? name : `${isolated(name)} (lower is better)`,
    !!reason && name !== chosen,
  ]);
  if (none) offered.unshift(["", none, false]);
  return /** @type {HTMLSelectElement} */ (make(html`<select>${options(offered, chosen ?? first)}</select>`));
}

/**
 * Why some evaluators cannot be chosen.
 * @param {EvaluatorChoice[]} evaluators
 */
const refusals = (evaluators) =>
  evaluators
    .map(({ reason }) => reason)
    .join(" ")
    .trim();

/**
 * @param {ScoringStarted} started
 * @param {string} evaluator
 */
const tellStarted = ({ label, scoring, refused }, evaluator) => [
  `${label.replace("e", "E")} scores ${count(scoring, "checkpoint")} by ${isolated(evaluator)}.`,
  ...refused,
];

/**
 * @param {ScoringStarted} started
 * @param {string} evaluator
 */
function nothingScored({ refused, outdated }, evaluator) {
  const old = outdated ? ` Of ${count(outdated, "checkpoint")} it is by an earlier version of the code.` : "";
  return refused.join(" ") || `All have a score by ${isolated(evaluator)}.${old} To renew it, tick the box.`;
}

/**
 * The evaluations of checkpoints that are shown: those that go on, and the latest one where it has failed.
 * @param {Frame} frame
 * @param {OpenEvaluation[]} evaluations
 */
export const evaluationsPart = (frame, evaluations) =>
  repeat(
    evaluations,
    ({ id }) => id,
    (each) => html`<div class="pw-scoring" role="group" aria-label=${`Evaluation ${each.number}`}>
      ${badge(each.status)}
      <span class="pw-scoring-name">Evaluation ${each.number}, by ${isolated(each.evaluator)}</span>
      ${
        ["Running", "Stopping"].includes(each.status)
          ? html`<span class="pw-soft">${stepsDone(each)}</span>`
          : null
      }
      ${each.waits ? html`<span class="pw-soft">Waits for ${each.waits}.</span>` : null}
      ${
        ["Pending", "Running"].includes(each.status)
          ? button({
              label: "Stop",
              glyph: "stop",
              f: `stop-scoring-${each.id}`,
              onclick: (pressed) => frame.run("stop_scoring", { run: each.id }, pressed),
            })
          : null
      }
      ${
        each.error
          ? html`<details class="pw-scoring-error">
              <summary>Why</summary>
              <pre class="pw-printed" tabindex="0" role="group"
                aria-label=${`Error of evaluation ${each.number}`}>${each.error}</pre>
            </details>`
          : null
      }
    </div>`,
  );
