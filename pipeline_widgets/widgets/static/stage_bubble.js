// A stage in the graph: its bubble, its words, and its statuses wherever it is shown.

import { badge, html, icon } from "./elements.js";
import { isolated, score } from "./text.js";

/**
 * The words of a stage, as a screen reader says them.
 * @param {Stage} stage
 */
export const stageWords = (stage) =>
  [`Stage ${stage.n}: ${isolated(stage.name)}`, ...stateWords(stage)].join(", ");

/**
 * What a stage is and how it stands.
 * @param {Stage} stage
 */
export const stateWords = (stage) =>
  [
    stage.kind,
    stage.waits ? `${stage.status}: waits for ${stage.waits}` : stage.status,
    stage.stale && "Stale",
    stage.held && "Held",
    stage.auto ? "Auto" : "Manual",
  ].filter(Boolean);

/**
 * What else a card says: what trains, from what, and how well.
 * @param {Stage} stage
 * @param {string | null} evaluator
 */
export const describeStage = (stage, evaluator) =>
  [
    ...madeBy(stage),
    stage.score !== undefined && `${scoreName(stage, evaluator, "evaluation score")} ${score(stage.score)}`,
  ]
    .filter(Boolean)
    .join(", ");

/**
 * What trains, and from which stage its checkpoint comes where that is not the one before.
 * @param {Stage} stage
 */
const madeBy = ({ algorithm, source }) =>
  [algorithm, source && `from stage ${source}`].filter((part) => part !== undefined);

/**
 * What the score of a stage is: that of the best checkpoint, or of the one that was deployed.
 * @param {Stage} stage
 * @param {string | null} evaluator
 * @param {string} word
 */
const scoreName = ({ kind }, evaluator, word) =>
  `${kind === "Deployment" ? "" : "best "}${evaluator ? isolated(evaluator) : word}`;

/**
 * The icon of what a stage does.
 * @param {Stage} stage
 */
export const kindIcon = ({ kind }) => icon(kind === "Deployment" ? "agent" : "experiment");

/**
 * The statuses of a stage.
 * @param {Stage} stage
 */
export const stageBadges = (stage) => [
  badge(stage.status, { title: stage.waits && `Waits for ${stage.waits}` }),
  stage.stale ? badge("Stale") : null,
  stage.held ? badge("Held") : null,
];

/**
 * The one mark that says most of a stage.
 * @param {Stage} stage
 */
export function stageMark({ status, active, stale, held }) {
  if (active || status === "Failed" || status === "Crashed") return status;
  if (held) return "Held";
  return stale ? "Stale" : status;
}

/**
 * What stands on the card of a stage.
 * @param {Stage} stage
 * @param {string | null} evaluator
 */
export function bubbleFace(stage, evaluator) {
  const scored =
    stage.score === undefined
      ? null
      : html`<span class="pw-bubble-score">
          <span class="pw-bubble-cut">${scoreName(stage, evaluator, "eval")}</span>
          <strong>${score(stage.score, 3)}</strong>
        </span>`;
  const made = madeBy(stage).join(" · ");
  return html`<span class="pw-bubble-top">
      ${kindIcon(stage)}<span class="pw-bubble-cut">${stage.n} · ${stage.kind}</span>
      <span class="pw-bubble-trigger">
        ${icon(stage.auto ? "auto" : "manual")}${stage.auto ? "Auto" : "Manual"}
      </span>
    </span>
    <span class="pw-bubble-name">${isolated(stage.name)}</span>
    <span class="pw-bubble-made">
      <span class="pw-bubble-cut">${isolated(made)}</span>${scored}
    </span>
    <span class="pw-bubble-bottom">${stageBadges(stage)}</span>
    ${bubbleProgress(stage)}`;
}

/**
 * What stands on the card of a stage that is seen from far: number, mark and name, as large as text has to
 * be.
 * @param {Stage} stage
 */
export const farFace = (stage) =>
  html`<span class="pw-bubble-top">
      <span>${stage.n}</span>
      <span class="pw-bubble-mark" data-status=${stageMark(stage)}>${icon(stageMark(stage))}</span>
    </span>
    <span class="pw-bubble-name">${isolated(stage.name)}</span>
    ${bubbleProgress(stage)}`;

/** @param {Stage} stage */
function bubbleProgress(stage) {
  if (!stage.active) return null;
  const done = stage.total ? Math.min(1, Number(stage.step || 0) / Number(stage.total)) : null;
  return html`<span class="pw-bubble-progress">
    <span style=${`width: ${(done ?? 0) * 100}%`} class=${done === null ? "pw-unknown" : ""}></span>
  </span>`;
}
