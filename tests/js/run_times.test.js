// How long a run has taken, and how long it will take still.

import assert from "node:assert/strict";
import { test } from "node:test";

import { runLeft, runTook, stepsDone } from "../../pipeline_widgets/widgets/static/run_times.js";

const RUN = {
  id: 1,
  status: "Running",
  started_at: 100,
  finished_at: /** @type {number | null} */ (null),
  begun: 0,
  step: 25,
  total: 100,
};

test("a run has taken no time before it began, and none after it ended", () => {
  assert.equal(runTook({ ...RUN, started_at: null }, 150), null);
  assert.equal(runTook(RUN, 150), 50);
  assert.equal(runTook({ ...RUN, finished_at: 130 }, 150), 30);
  assert.equal(runTook(RUN, 90), 0); // a clock that was set back
});

test("what is left is told at the pace so far, of the steps that this run has made itself", () => {
  assert.equal(runLeft(RUN, 150), 150);
  assert.equal(runLeft({ ...RUN, begun: 20 }, 150), 750);
});

test("what is left cannot be told before the first step, without an end, or of a run that does not run", () => {
  assert.equal(runLeft({ ...RUN, step: 0 }, 150), null);
  assert.equal(runLeft({ ...RUN, total: null }, 150), null);
  assert.equal(runLeft({ ...RUN, status: "Stopping" }, 150), null);
});

test("the steps of a run are said of how many, alone, or that there are none yet", () => {
  assert.equal(stepsDone({ ...RUN, step: 1000, total: 2000 }), "1,000 of 2,000");
  assert.equal(stepsDone({ ...RUN, step: null }, String), "0 of 100");
  assert.equal(stepsDone({ ...RUN, total: null }), "Step 25");
  assert.equal(stepsDone({ ...RUN, step: null, total: null }), "No step reported yet");
});
