// What is computed of the values of a chart: smoothed lines, and what a logarithmic axis cannot draw.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  describeUndrawn,
  smoothPoints,
  stepsOf,
  valueUnit,
} from "../../pipeline_widgets/widgets/static/chart_values.js";

/** @param {[number | string, number | null][]} points @param {number} weight */
const smoothed = (points, weight) =>
  smoothPoints(points, weight).map(([step, value]) => [
    step,
    value === null ? null : Number(value.toFixed(6)),
  ]);

test("a line is smoothed as TensorBoard does it: the first value is not dragged to zero", () => {
  // by hand, weight 0.5: 1, (0.5 + 3) / 1.5, (0.25 + 1.5 + 5) / 1.75
  assert.deepEqual(
    smoothed(
      [
        [1, 1],
        [2, 3],
        [3, 5],
      ],
      0.5,
    ),
    [
      [1, 1],
      [2, 2.333333],
      [3, 3.857143],
    ],
  );
});

test("what is constant stays so, however uneven the steps", () => {
  const points = /** @type {[number, number][]} */ ([0, 1, 50, 51, 1000].map((step) => [step, 0.25]));
  for (const [, value] of smoothed(points, 0.9)) assert.equal(value, 0.25);
});

test("a value that is further away counts for less", () => {
  const [, , near] = smoothed(
      [
        [0, 0],
        [9, 0],
        [10, 1],
      ],
      0.5,
    ),
    [, , far] = smoothed(
      [
        [0, 0],
        [1, 0],
        [10, 1],
      ],
      0.5,
    );
  assert.ok(Number(far[1]) > Number(near[1]));
});

test("gaps stay gaps, and without a weight nothing changes", () => {
  const points = /** @type {[number, number | null][]} */ ([
    [1, 1],
    [2, null],
    [3, 2],
  ]);
  assert.equal(smoothed(points, 0.5)[1][1], null);
  assert.equal(smoothPoints(points, 0), points);
});

test("steps beyond 2**53 and values near the end of numbers are smoothed too", () => {
  const [first, last] = smoothPoints(
    [
      ["9007199254740993", 1.7e308],
      ["9007199254740995", -1.7e308],
    ],
    0.5,
  );
  assert.deepEqual([first[0], last[0]], ["9007199254740993", "9007199254740995"]);
  assert.ok(Number.isFinite(last[1]));
});

test("what a logarithmic axis cannot draw is counted", () => {
  const series = (/** @type {(number | null)[]} */ ...values) => [
    { points: /** @type {[number, number | null][]} */ (values.map((value, at) => [at, value])) },
  ];
  assert.equal(describeUndrawn(series(1, 2, null)), "");
  assert.equal(describeUndrawn(series(0, 2)), "1 point of 0 or less is not drawn.");
  assert.equal(
    describeUndrawn([...series(0, 2), ...series(-1, -2, 3)]),
    "3 points of 0 or less are not drawn.",
  );
  assert.equal(
    describeUndrawn(series(-1, 0)),
    "No value is above 0: a logarithmic axis can draw none of them.",
  );
  assert.equal(describeUndrawn(series(null)), "");
});

test("values that uPlot could not subtract are divided", () => {
  assert.equal(
    valueUnit([
      {
        points: [
          [1, 12],
          [2, null],
        ],
      },
    ]),
    1,
  );
  assert.equal(valueUnit([{ points: [[1, 2e20]] }]), 1e20);
  assert.equal(valueUnit([{ points: [[1, 0]] }]), 1);
});

test("steps of several series are in order, each once", () => {
  assert.deepEqual(
    stepsOf([
      {
        points: [
          [3, 1],
          [20, 1],
        ],
      },
      {
        points: [
          [1, 1],
          [3, 2],
        ],
      },
    ]),
    [1, 3, 20],
  );
});
