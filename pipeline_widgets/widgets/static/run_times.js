// How long a run has taken, and how long it will take still.

/**
 * How long a run has taken or takes, in seconds; null before it began.
 * @param {Row} run
 * @param {number} [now]
 */
export function runTook(run, now = Date.now() / 1000) {
  return run.started_at === null ? null : Math.max(0, (run.finished_at ?? now) - run.started_at);
}

/**
 * The seconds left at the pace so far; null where that cannot be told.
 * @param {Row} run
 * @param {number} [now]
 */
export function runLeft(run, now = Date.now() / 1000) {
  const done = run.step - run.begun,
    spent = runTook(run, now);
  return run.status === "Running" && run.total && done > 0 && spent
    ? (spent / done) * Math.max(0, run.total - run.step)
    : null;
}
