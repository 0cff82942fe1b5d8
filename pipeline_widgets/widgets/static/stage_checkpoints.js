// The checkpoints of a stage's run: their scores, and what can be done with them.

import { openDeploy } from "./deploy_dialog.js";
import { button, html } from "./elements.js";
import { panelPart } from "./panel_part.js";
import { evaluationsPart, openScore } from "./scoring.js";
import { heads, numberCell, numbers } from "./tables.js";
import { bytes, count, evaluatorsOf, inFull, isolated, score } from "./text.js";
import { repeat } from "./vendor/lit.js";

/**
 * @param {import("./stage_panel.js").StagePanel} panel
 * @param {Stage} stage
 * @param {PanelRun | null} run
 */
export function checkpointsPart({ frame, place }, stage, run) {
  const list = run?.checkpoints ?? [],
    evaluators = evaluatorsOf(list);
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
    html`<div class="pw-scroll pw-panel-scroll" tabindex="0" role="region" aria-label="Checkpoints">
      <table class="pw-table">
        ${heads([
          ...numbers("Step", "Training Score", "Evaluation Score", ...scored, "Size"),
          /** @type {[Content]} */ ([html`<span class="pw-hidden">Actions</span>`]),
        ])}
        <tbody>${repeat(
          list,
          ({ id }) => id,
          (each) => checkpointLine(each, evaluators, deploy),
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
function scoreScopes({ id, number, checkpoints }) {
  const single = checkpoints.map(({ id: checkpoint, step, best, final }) => {
    const marks = [best && "best", final && "final"].filter(Boolean).join(", ");
    return { label: `Step ${inFull(step)}${marks && ` (${marks})`}`, args: { checkpoint } };
  });
  return [{ label: `All of run ${number}`, args: { runs: [id] } }, ...single];
}

/**
 * @param {Checkpoint} checkpoint
 * @param {string[]} evaluators
 * @param {(checkpoint: Checkpoint) => Content} deploy
 */
function checkpointLine(checkpoint, evaluators, deploy) {
  const { step, training_score: training, evaluation_score: evaluation, scores, size } = checkpoint,
    { best, final } = checkpoint;
  const marks = [best && "best", final && "final"].filter(Boolean).join(", ");
  return html`<tr>
    <td class="pw-number">${
      marks
        ? html`<span class="pw-panel-mark">
      ${marks}
    </span>`
        : null
    } ${inFull(step)}</td>
    ${numberCell(score(training))}${numberCell(score(evaluation))}
    ${evaluators.map((name) => numberCell(score(scores[name])))}${numberCell(bytes(size))}
    <td class="pw-panel-deploy">${deploy(checkpoint)}</td>
  </tr>`;
}
