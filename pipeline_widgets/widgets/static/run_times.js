// How long a run has taken, how long it will take still, and how far it is.

import { html } from "./elements.js";
import { inFull } from "./text.js";
import { nothing } from "./vendor/lit.js";

const ACTIVE = ["Pending", "Running", "Stopping"];

/**
 * Whether a run with that status has not ended.
 * @param {string} status
 */
export const isActive = (status) => ACTIVE.includes(status);

/**
 * How long a run has taken or takes, in seconds; null before it began.
 * @param {Progress} run
 * @param {number} [now]
 */
export function runTook(run, now = Date.now() / 1000) {
  return run.started_at === null ? null : Math.max(0, (run.finished_at ?? now) - run.started_at);
}

/**
 * The seconds left at the pace so far; null where that cannot be told.
 * @param {Progress} run
 * @param {number} [now]
 */
export function runLeft(run, now = Date.now() / 1000) {
  const step = Number(run.step),
    done = step - Number(run.begun),
    spent = runTook(run, now);
  return run.status === "Running" && run.total && done > 0 && spent
    ? (spent / done) * Math.max(0, Number(run.total) - step)
    : null;
}

/**
 * Say how many steps a run has done.
 * @param {Progress} run
 * @param {(step: Step) => string} [say]
 */
export function stepsDone({ step, total }, say = inFull) {
  if (total) return `${say(step ?? 0)} of ${say(total)}`;
  return step === null ? "No step reported yet" : `Step ${say(step)}`;
}

/**
 * A bar that shows how far a run is.
 * @param {string} label
 * @param {Progress} run
 * @param {string} text
 */
export function progressBar(label, { step, total }, text) {
  const done = Number(step ?? 0),
    all = Number(total);
  const part = all ? Math.min(1, Math.max(0, done / all)) : null;
  return html`<div class="pw-progress" role="progressbar" aria-label=${label}
    aria-valuemin=${all ? 0 : nothing}
    aria-valuemax=${total || nothing} aria-valuenow=${all ? Math.min(done, all) : nothing}
    aria-valuetext=${text}>
    <div class=${part === null ? "pw-unknown" : ""}
      style=${`width: ${((part ?? 0.3) * 100).toFixed(1)}%`}></div>
  </div>`;
}
