// The stages of a pipeline in one line of a list: a small mark of each stage's status.

import { html, icon } from "./elements.js";
import { score } from "./text.js";

const MARKS_SHOWN = 6; // of a pipeline; the others are counted

/**
 * A mark for each stage, in order.
 * @param {string[]} statuses
 */
export function stageStrip(statuses) {
  if (!statuses.length) return html`<span class="pw-soft">–</span>`;
  const more = statuses.length - MARKS_SHOWN,
    said = `${statuses.length} ${statuses.length === 1 ? "stage" : "stages"}: ${runsOf(statuses)}`;
  return html`<span class="pw-strip" role="img" aria-label=${said} title=${said}>
    ${statuses
      .slice(0, more > 0 ? MARKS_SHOWN - 1 : MARKS_SHOWN)
      .map((status) => html`<span class="pw-strip-mark" data-status=${status}>${icon(status)}</span>`)}
    ${more > 0 ? html`<span class="pw-soft">+${more + 1}</span>` : null}
  </span>`;
}

/**
 * The best score of a pipeline, and the stage that has it.
 * @param {StageScore} [best]
 */
export function bestScore(best) {
  if (!best) return html`<span class="pw-pt-score pw-soft">–</span>`;
  const said = `Best evaluation score of stage ${best.position + 1} (${best.name}): ${best.score}`;
  return html`<span class="pw-pt-score" title=${said}>${score(best.score)}</span>
    <span class="pw-pt-by pw-soft" dir="auto" title=${said}>${best.name}</span>`;
}

/**
 * Statuses as words, those that follow each other counted.
 * @param {string[]} statuses
 */
function runsOf(statuses) {
  /** @type {[string, number][]} */
  const runs = [];
  for (const status of statuses) {
    const last = runs.at(-1);
    if (last?.[0] === status) last[1] += 1;
    else runs.push([status, 1]);
  }
  return runs.map(([status, many]) => (many > 1 ? `${many} × ${status}` : status)).join(", ");
}
