// The checkpoints of a stage's run: their scores, and what can be done with them.

import { openDeploy } from "./deploy_dialog.js";
import { button, html } from "./elements.js";
import { panelPart } from "./panel_part.js";
import { stepMarks } from "./pickers.js";
import { isActive } from "./run_times.js";
import { evaluationsPart, openScore } from "./scoring.js";
import { heads, numberCell, numbers } from "./tables.js";
import { bytes, count, evaluatorsOf, inFull, isolated, scores } from "./text.js";
import { repeat } from "./vendor/lit.js";

/**
 * @param {import("./stage_panel.js").StagePanel} panel
 * @param {Stage} stage
 * @param {PanelRun | null} run
 */
export function checkpointsPart({ frame, place }, stage, run) {
  const list = run?.checkpoints ?? [],
    evaluators = evaluatorsOf(list),
    active = isActive(run?.status ?? "Draft");
  /** @type {SaidScores} */
  const said = {
    training: scores(list.map((each) => each.training_score)),
    evaluation: scores(list.map((each) => each.evaluation_score)),
    given: evaluators.map((name) => [name, scores(list.map((each) => each.scores[name]))]),
  };
  const scored = evaluators.map((name) => `Score by ${isolated(name)}`);
  const deploy = (/** @type {Checkpoint} */ checkpoint) =>
    button({
      label: "Deploy",
      glyph: "agent",
      title: "Save it as an Agent",
      quiet: true,
      f: `deploy-${checkpoint.id}`,
      onclick: () => openDeploy({ frame, place }, stage.name, { ...checkpoint, run: `run ${run?.number}` }),
    });
  return panelPart("Checkpoints", list.length > 0, [
    html`<div class="pw-scroll pw-panel-scroll" tabindex="0" role="group" aria-label="Checkpoints">
      <table class="pw-table">
        ${heads([
          ...numbers("Steps", "Training Score", "Evaluation Score", ...scored, "Size"),
          /** @type {[Content]} */ ([html`<span class="pw-hidden">Actions</span>`]),
        ])}
        <tbody>${repeat(
          list,
          ({ id }) => id,
          (each) => checkpointLine(each, said, active, deploy),
        )}</tbody>
      </table>
    </div>`,
    html`<div class="pw-panel-note pw-soft">
      ${run?.earlier ? `and ${count(run.earlier, "earlier one")}` : ""}
    </div>`,
    evaluationsPart(frame, run?.evaluations ?? []),
    run
      ? html`<div>${button({
          label: "Score",
          glyph: "results",
          title: "Score checkpoints by an evaluator",
          f: "score",
          onclick: (pressed) => openScore({ frame, scopes: scoreScopes(run), pressed }),
        })}</div>`
      : null,
  ]);
}

/**
 * All checkpoints of a run, or one of those that are listed.
 * @param {PanelRun} run
 * @returns {ScoreScope[]}
 */
function scoreScopes({ id, number, status, checkpoints }) {
  const single = checkpoints.map(({ id: checkpoint, step, best, final }) => {
    const marks = [best && "best", final && (isActive(status) ? "latest" : "final")]
      .filter(Boolean)
      .join(", ");
    return { label: `Step ${inFull(step)}${marks && ` (${marks})`}`, args: { checkpoint } };
  });
  return [{ label: `All of run ${number}`, args: { runs: [id] } }, ...single];
}

/**
 * @typedef {ReturnType<typeof scores>} SaysScore
 * @typedef {[evaluator: string, SaysScore][]} SaysGiven
 * @typedef {{ training: SaysScore, evaluation: SaysScore, given: SaysGiven }} SaidScores
 */

/**
 * @param {Checkpoint} checkpoint
 * @param {SaidScores} said
 * @param {boolean} active Whether its run is.
 * @param {(checkpoint: Checkpoint) => Content} deploy
 */
function checkpointLine(checkpoint, { training, evaluation, given }, active, deploy) {
  const { step, training_score, evaluation_score, scores: scored, size } = checkpoint;
  return html`<tr>
    <td class="pw-number pw-panel-step">${stepMarks(checkpoint, active)}${inFull(step)}</td>
    ${numberCell(training(training_score))}${numberCell(evaluation(evaluation_score))}
    ${given.map(([name, says]) => numberCell(says(scored[name])))}${numberCell(bytes(size))}
    <td class="pw-panel-deploy">${deploy(checkpoint)}</td>
  </tr>`;
}
