// What is computed of a chart: its ticks, their texts, and how its lines are told apart.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  chartBefore,
  chartDecades,
  chartStyle,
  chartSummary,
  chartTick,
  chartTicks,
  chartTickTexts,
} from "../../pipeline_widgets/widgets/static/chart_style.js";

test("ticks stand at round numbers within the axis, about as many as were asked for", () => {
  assert.deepEqual(chartTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(chartTicks(-3, 3, 3), [-2, 0, 2]);
});

test("ticks of steps are whole", () => {
  assert.deepEqual(chartTicks(0, 3, 10, true), [0, 1, 2, 3]);
});

test("an axis without length has one tick", () => {
  assert.deepEqual(chartTicks(2, 2, 5), [2]);
  assert.deepEqual(chartTicks(Number.NaN, 1, 5), [Number.NaN]);
});

test("ticks end where neighbouring numbers can hardly be told apart", () => {
  const ticks = chartTicks(1e16, 1e16 + 4, 5);
  assert.ok(ticks.length <= 7);
  assert.equal(new Set(ticks).size, ticks.length);
});

test("a tick has few letters: a unit where it is large, an exponent where it is extreme", () => {
  assert.deepEqual(
    [0, 1234, 20_000, 2.5e6, 1e-5, -20_000].map((tick) => chartTick(tick)),
    ["0", "1234", "20k", "2.5M", "1e\u22125", "\u221220k"],
  );
});

test("ticks have as many digits as tell them apart", () => {
  assert.deepEqual(chartTickTexts([1, 2, 3]), ["1", "2", "3"]);
  assert.deepEqual(chartTickTexts([1.00001, 1.00002]), ["1.00001", "1.00002"]);
});

test("a logarithmic axis has powers of ten, and 2 and 5 between them where these are few", () => {
  assert.deepEqual(chartDecades(1, 100), [1, 2, 5, 10, 20, 50, 100]);
  assert.deepEqual(chartDecades(1, 1e6), [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]);
});

test("sixty lines look different from one another", () => {
  const looks = Array.from({ length: 60 }, (_, at) => JSON.stringify(chartStyle(at)));
  assert.equal(new Set(looks).size, 60);
});

test("the value at a step is that of the last point before it", () => {
  /** @type {[number, number][]} */
  const points = [
    [10, 0.1],
    [20, 0.2],
  ];
  assert.equal(chartBefore({ points }, 5), undefined);
  assert.deepEqual(
    [10, 19, 20, 99].map((step) => chartBefore({ points }, step)[0]),
    [10, 10, 20, 20],
  );
});

test("what a chart shows is said with its last, lowest and highest values", () => {
  /** @type {{ name: string, points: Point[] }[]} */
  const series = [
    {
      name: "run 1",
      points: [
        [0, 0.5],
        [10, null],
        [20, 0.25],
      ],
    },
    { name: "run 2", points: [[0, null]] },
  ];
  assert.equal(
    chartSummary("Loss", series),
    "Loss by step. run 1: 0.25 at step 20, lowest 0.25, highest 0.5; run 2: N/A",
  );
});
