// The steps of a run: their order, and where they lie on an axis.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isStep, StepScale, stepOrder } from "../../pipeline_widgets/widgets/static/steps.js";

const LARGE = "9007199254740993"; // beyond what a number holds exactly
const NEXT = "9007199254740994";

test("a step is a whole number or its digits, and a word is none", () => {
  assert.deepEqual([3, "12", "best", 1.5, ""].map(isStep), [true, true, false, false, false]);
});

test("steps are ordered by what they are, not by how they are written", () => {
  assert.deepEqual([NEXT, 9, LARGE, 10].sort(stepOrder), [9, 10, LARGE, NEXT]);
  assert.equal(stepOrder(LARGE, LARGE), 0);
});

test("small steps lie where they are", () => {
  const scale = new StepScale([0, 50, 100]);
  assert.equal(scale.x(50), 50);
  assert.equal(scale.step(49.6), 50);
});

test("neighbours that a number cannot tell apart lie apart, and are found again exactly", () => {
  const scale = new StepScale([LARGE, NEXT]);
  assert.equal(scale.x(NEXT) - scale.x(LARGE), 1);
  assert.equal(scale.step(scale.x(NEXT)), NEXT);
});

test("steps that are very far apart still have places with few digits", () => {
  const far = "1".padEnd(40, "0");
  const scale = new StepScale([0, far]);
  assert.ok(scale.x(far) <= 1e15);
  assert.ok(Math.abs(Number(scale.step(scale.x(far))) / Number(far) - 1) < 1e-14);
});

test("the axis of no steps begins at zero, and no step is below it", () => {
  assert.equal(new StepScale([]).x(0), 0);
  assert.equal(new StepScale([LARGE, NEXT]).step(-1e16), "0");
});
