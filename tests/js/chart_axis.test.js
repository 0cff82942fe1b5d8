// What lies along a chart: time, and the stages of a pipeline.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  alongTime,
  layAlong,
  STEP_AXIS,
  stageAxis,
  stepWithin,
  TIME_AXIS,
} from "../../pipeline_widgets/widgets/static/chart_axis.js";

test("points lie at the time at which their step was reported, evenly between two that are known", () => {
  assert.deepEqual(
    alongTime(
      [
        [1, 10],
        [2, 20],
        [3, null],
        [5, 50],
      ],
      [
        [1, 0.5],
        [3, 1.5],
        [5, 9.5],
      ],
    ),
    [
      [500, 10],
      [1000, 20],
      [1500, null],
      [9500, 50],
    ],
  );
});

test("steps that were reported at once keep their order, and none is lost", () => {
  assert.deepEqual(
    alongTime(
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
      [
        [1, 2],
        [3, 2],
      ],
    ),
    [
      [2000, 1],
      [2001, 2],
      [2002, 3],
    ],
  );
});

test("without known times there are no points", () => {
  assert.deepEqual(alongTime([[1, 1]], []), []);
});

test("steps beyond 2**53 lie along time as well", () => {
  assert.deepEqual(
    alongTime(
      [
        ["9007199254740993", 1],
        ["9007199254740995", 2],
      ],
      [
        ["9007199254740993", 1],
        ["9007199254740995", 3],
      ],
    ),
    [
      [1000, 1],
      [3000, 2],
    ],
  );
});

test("a run whose times are not known is left out along time, and there along steps", () => {
  const style = { colour: 0, dash: [], mark: "", hollow: false };
  /** @type {Series[]} */
  const series = [
    {
      key: 1,
      name: "timed",
      points: [
        [1, 1],
        [2, 2],
      ],
      style,
    },
    { key: 2, name: "untimed", points: [[1, 1]], style },
  ];
  const timeline = (/** @type {Series} */ { key }) =>
    key === 1
      ? {
          clock: /** @type {Clock} */ ([
            [1, 0],
            [2, 4],
          ]),
          resumed: [1],
        }
      : { clock: [], resumed: [] };
  const time = layAlong(series, "time", timeline);
  assert.deepEqual(
    time.series.map(({ name, points, resumed }) => [name, points, resumed]),
    [
      [
        "timed",
        [
          [0, 1],
          [4000, 2],
        ],
        [0],
      ],
    ],
  );
  assert.equal(time.axis, TIME_AXIS);
  const steps = layAlong(series, "step", timeline);
  assert.deepEqual(
    steps.series.map(({ name }) => name),
    ["timed", "untimed"],
  );
  assert.equal(steps.axis, STEP_AXIS);
});

test("time has the unit of which the chart is a few long", () => {
  assert.equal(TIME_AXIS.title(90_000), "Time since the start (s)");
  assert.equal(TIME_AXIS.title(600_000), "Time since the start (min)");
  assert.equal(TIME_AXIS.title(10 * 3_600_000), "Time since the start (h)");
  assert.deepEqual(TIME_AXIS.ticks(0, 600_000, 5, 600_000), [0, 120_000, 240_000, 360_000, 480_000, 600_000]);
  const scale = /** @type {any} */ (null);
  assert.deepEqual(TIME_AXIS.texts(scale, [0, 120_000], 600_000).texts, ["0", "2"]);
  assert.equal(TIME_AXIS.say(1234), "After 1.23 s");
  assert.equal(TIME_AXIS.say(90_000), "After 1 min 30 s");
});

test("a place on the axis of all stages is said by its stage and the step of its run", () => {
  const axis = stageAxis([
    { number: 1, name: "sft", first: 0, last: 100 },
    { number: 2, name: "dpo", first: 100, last: 160 },
  ]);
  assert.equal(axis.say(40), "Stage 1 (sft), step 40");
  assert.equal(axis.say(130), "Stage 2 (dpo), step 30");
  assert.equal(
    stepWithin({ number: 1, name: "", first: "9007199254740993", last: 0 }, "9007199254740999"),
    6,
  );
});
