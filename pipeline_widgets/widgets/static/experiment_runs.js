// All runs of an expanded experiment.

import { badge, button, html, moment } from "./elements.js";
import { heads, numberCell, numbers } from "./tables.js";
import { duration, isolated } from "./text.js";
import { repeat } from "./vendor/lit.js";

const DETAIL_RUNS = 8; // runs that are listed at once

/**
 * The runs, the latest ones first; `all` shows those before, too.
 * @param {RunRow[]} runs
 * @param {boolean} whole
 * @param {() => void} all
 */
export const experimentRuns = (runs, whole, all) => [
  html`<div class="pw-scroll pw-xd-scroll" tabindex="0" role="group" aria-label="Runs"
    ?hidden=${!runs.length}>
    <table class="pw-table">
      ${heads([...numbers("Run"), "Status", "Started", ...numbers("Steps")])}
      <tbody>${repeat(whole ? runs : runs.slice(0, DETAIL_RUNS), ({ id }) => id, runLine)}</tbody>
    </table>
  </div>`,
  whole || runs.length <= DETAIL_RUNS
    ? null
    : html`<div class="pw-xd-more">${button({ label: `Show all ${runs.length} runs`, onclick: all })}</div>`,
  runs.length ? null : html`<div class="pw-soft">It has not run yet.</div>`,
];

/** @param {RunRow} run */
function runLine(run) {
  const took =
    run.finished_at !== null && run.started_at !== null ? duration(run.finished_at - run.started_at) : "";
  const hints = [
    took ? `took ${took}` : null,
    run.same_config ? null : "another config",
    run.pipeline ? `in ${isolated(run.pipeline)}` : null,
  ].filter(Boolean);
  const steps = run.total ? `${run.step} of ${run.total}` : String(run.step);
  return html`<tr>
    <th scope="row" class="pw-number" aria-label=${`Run ${run.number}`}>${run.number}</th>
    <td>${badge(run.status)}</td>
    <td>
      ${moment(run.started_at ?? run.created_at)}
      ${
        hints.length
          ? html`<div class="pw-hint">
              ${hints.map((hint, at) => html`<span>${at + 1 < hints.length ? `${hint}, ` : hint}</span>`)}
            </div>`
          : null
      }
    </td>
    ${numberCell(run.step === null ? "N/A" : steps)}
  </tr>`;
}
