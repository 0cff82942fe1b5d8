// A stage in the graph: its bubble, and its words.

import { badge, h, icon } from "./elements.js";
import { isolated, score } from "./text.js";

/**
 * The words of a stage, as a screen reader says them.
 * @param {Stage} stage
 */
export function stageWords(stage) {
  return [
    `Stage ${stage.n}: ${isolated(stage.name)}`,
    stage.kind,
    stage.status,
    stage.stale && "Stale",
    stage.held && "Held",
    stage.auto ? "Auto" : "Manual",
  ]
    .filter(Boolean)
    .join(", ");
}

/**
 * Draw a stage on its button.
 * @param {any} face
 * @param {Stage} stage
 */
export function drawBubble(face, stage) {
  const done = stage.total ? Math.min(1, Number(stage.step || 0) / Number(stage.total)) : null;
  face.replaceChildren(
    h(
      "span",
      { class: "pw-bubble-top" },
      icon(stage.kind === "Deployment" ? "agent" : "experiment"),
      h("span", {}, `${stage.n} · ${stage.kind}`),
      h(
        "span",
        { class: "pw-bubble-trigger" },
        icon(stage.auto ? "auto" : "manual"),
        stage.auto ? "Auto" : "Manual",
      ),
    ),
    h("span", { class: "pw-bubble-name" }, isolated(stage.name)),
    h(
      "span",
      { class: "pw-bubble-bottom" },
      badge(stage.status),
      stage.stale ? badge("Stale") : null,
      stage.held ? badge("Held") : null,
      stage.score !== undefined && !(stage.stale && stage.held)
        ? h("span", { class: "pw-bubble-score" }, score(stage.score, 3))
        : null,
    ),
    stage.active
      ? h(
          "span",
          { class: "pw-bubble-progress" },
          h("span", {
            style: { width: `${(done ?? 0) * 100}%` },
            class: done === null ? "pw-unknown" : "",
          }),
        )
      : "",
  );
}
