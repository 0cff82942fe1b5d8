// Where a small curve is drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { sparkPath } from "../../pipeline_widgets/widgets/static/sparkline.js";

test("a curve has gaps where a value is no number, and a mark at a step", () => {
  const { path, marked } = sparkPath(
    [
      [0, 1],
      [1, null],
      [2, 3],
      [4, 2],
    ],
    106,
    18,
    2,
  );
  assert.equal(path, "M3.0 14.0M53.0 4.0L103.0 9.0");
  assert.deepEqual(marked, { x: 53, y: 4 });
});

test("one point is marked by itself, and without any there is nothing to draw", () => {
  assert.deepEqual(sparkPath([[7, 1]], 106, 18, null).marked, { x: 3, y: 14 });
  assert.deepEqual(sparkPath([[7, null]], 106, 18, 7), { path: "", marked: null });
});
