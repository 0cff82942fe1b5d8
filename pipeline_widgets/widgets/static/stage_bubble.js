// A stage in the graph: its bubble, its words, and its statuses wherever it is shown.

import { badge, html, icon } from "./elements.js";
import { isolated, score } from "./text.js";

/**
 * The words of a stage, as a screen reader says them.
 * @param {Stage} stage
 */
export function stageWords(stage) {
  return [
    `Stage ${stage.n}: ${isolated(stage.name)}`,
    stage.kind,
    stage.waits ? `${stage.status}: waits for ${stage.waits}` : stage.status,
    stage.stale && "Stale",
    stage.held && "Held",
    stage.auto ? "Auto" : "Manual",
  ]
    .filter(Boolean)
    .join(", ");
}

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
 * What stands on the button of a stage.
 * @param {Stage} stage
 */
export function bubbleFace(stage) {
  const done = stage.total ? Math.min(1, Number(stage.step || 0) / Number(stage.total)) : null;
  const scored =
    stage.score !== undefined && !(stage.stale && stage.held)
      ? html`<span class="pw-bubble-score">${score(stage.score, 3)}</span>`
      : null;
  return html`<span class="pw-bubble-top">
      ${kindIcon(stage)}<span>${stage.n} · ${stage.kind}</span>
      <span class="pw-bubble-trigger">
        ${icon(stage.auto ? "auto" : "manual")}${stage.auto ? "Auto" : "Manual"}
      </span>
    </span>
    <span class="pw-bubble-name">${isolated(stage.name)}</span>
    <span class="pw-bubble-bottom">
      ${stageBadges(stage)}${scored}
    </span>
    ${
      stage.active
        ? html`<span class="pw-bubble-progress">
            <span style=${`width: ${(done ?? 0) * 100}%`} class=${done === null ? "pw-unknown" : ""}></span>
          </span>`
        : null
    }`;
}
