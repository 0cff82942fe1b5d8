// Where the stages of a chain stand, and which part of it is seen.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  beginsRow,
  gapAt,
  layChain,
  place,
  plusPlace,
  rowTurn,
  stagesBetween,
  turnSegments,
} from "../../pipeline_widgets/widgets/static/chain_layout.js";
import { ChainViewport } from "../../pipeline_widgets/widgets/static/chain_viewport.js";

/**
 * @param {number} stages
 * @param {number} width
 */
const lay = (stages, width = 900) => layChain({ stages, width, zoom: 1 });

/**
 * @param {number} stages
 * @param {number} width
 */
function view(stages, width = 900) {
  const made = new ChainViewport();
  made.change({ stages, width }, 0);
  return made;
}

test("a chain of any length is no wider than its room, and no card narrower than its words", () => {
  for (const width of [400, 480, 600, 840, 900, 1270, 1400])
    for (const stages of [1, 2, 3, 5, 12, 40, 200, 1000]) {
      const layout = lay(stages, width);
      assert.ok(layout.width <= width, `${stages} in ${width}`);
      assert.ok(layout.card.width >= 196);
      assert.ok(layout.columns * layout.rows >= stages && layout.columns * (layout.rows - 1) < stages);
    }
});

test("stages read as text does: to the right, and then on in the row below", () => {
  const layout = lay(7);
  assert.equal(layout.columns, 3);
  assert.equal(place(layout, 3).x, place(layout, 0).x);
  assert.equal(place(layout, 1).y, place(layout, 0).y);
  assert.ok(place(layout, 3).y > place(layout, 2).y);
  assert.deepEqual(
    [2, 3, 6].map((at) => beginsRow(layout, at)),
    [false, true, true],
  );
});

test("each place for a stage has a plus within the room, and no two share one", () => {
  for (const stages of [1, 2, 3, 4, 6, 7]) {
    const layout = lay(stages);
    const all = Array.from({ length: stages + 1 }, (_, at) => plusPlace(layout, at));
    assert.ok(all.every(({ x, y }) => x >= 12 && x <= layout.width - 12 && y > 0 && y < layout.height));
    assert.equal(new Set(all.map(({ x, y }) => `${x} ${y}`)).size, stages + 1);
  }
});

test("the arrow to the next row goes around the cards, and Cytoscape is told the same bends", () => {
  const layout = lay(7),
    bends = rowTurn(layout, 3),
    from = place(layout, 2),
    to = place(layout, 3);
  assert.ok(bends.every(({ x }) => x >= 0 && x <= layout.width));
  assert.ok(bends[1].y > from.y + layout.card.height / 2 && bends[1].y < to.y - layout.card.height / 2);
  assert.deepEqual(bends[3], plusPlace(layout, 3));
  const { weights, distances } = turnSegments(layout);
  const along = { x: to.x - from.x, y: to.y - from.y },
    length = Math.hypot(along.x, along.y);
  bends.forEach(({ x, y }, at) => {
    assert.ok(Math.abs(from.x + weights[at] * along.x - (distances[at] * along.y) / length - x) < 1e-6);
    assert.ok(Math.abs(from.y + weights[at] * along.y + (distances[at] * along.x) / length - y) < 1e-6);
  });
});

test("where a row has room for one stage only, they are stacked, with a plus above, between and below", () => {
  const layout = lay(3, 460);
  assert.ok(layout.isStack && !lay(1, 460).isStack);
  assert.ok(!beginsRow(layout, 1)); // no arrow turns
  const all = [0, 1, 2, 3].map((at) => plusPlace(layout, at));
  assert.ok(all.every(({ x, y }) => x === place(layout, 0).x && y >= 12 && y <= layout.height - 12));
  all.forEach((plus, at) => {
    assert.deepEqual(gapAt(layout, { x: 0, y: plus.y + 7 }), { index: at, ...plus });
  });
});

test("a point is in the gap whose plus is nearest, in every row and at both ends", () => {
  for (const stages of [1, 3, 7, 9]) {
    const layout = lay(stages);
    for (let at = 0; at <= stages; at++) {
      const plus = plusPlace(layout, at);
      assert.deepEqual(gapAt(layout, { x: plus.x + 4, y: plus.y - 9 }), { index: at, ...plus });
    }
  }
  const short = gapAt(lay(7), { x: 880, y: 1e6 });
  assert.equal(short.index, 7); // beyond the end of a short row
});

test("of a thousand stages those near the part that is seen are drawn", () => {
  const layout = lay(1000);
  const { from, to } = stagesBetween(layout, 10_000, 10_600);
  assert.ok(from > 0 && to < 1000 && to - from < 30);
  for (const at of [from, to - 1]) assert.ok(Math.abs(place(layout, at).y - 10_300) < 700);
  assert.deepEqual(stagesBetween(lay(2), 0, 600), { from: 0, to: 2 });
});

test("a chain is no higher than four rows, and scrolls within its bounds", () => {
  const chain = view(40);
  assert.ok(chain.scrolls && chain.height < 650);
  chain.scroll(1e9);
  assert.equal(chain.top, chain.whole - chain.height);
  chain.scroll(-5);
  assert.equal(chain.top, 0);
  assert.ok(!view(6).scrolls);
});

test("a stage that is seen stays where it is, and another one is scrolled to", () => {
  const chain = view(40);
  chain.reveal(1);
  assert.equal(chain.top, 0);
  chain.reveal(30);
  const y = place(chain.layout, 30).y;
  assert.ok(y - 55 >= chain.top && y + 55 <= chain.top + chain.height);
});

test("where the room or the zoom changes, the selected stage stays where it was", () => {
  const chain = view(40, 1200);
  chain.reveal(30);
  const before = place(chain.layout, 30).y * chain.zoom - chain.top;
  chain.change({ width: 600 }, 30);
  assert.ok(Math.abs(place(chain.layout, 30).y * chain.zoom - chain.top - before) < 1);
  chain.change({ zoom: 0.8 }, 30);
  assert.ok(Math.abs(place(chain.layout, 30).y * chain.zoom - chain.top - before) < 1);
});

test("to fit is to see all that can be read, never specks", () => {
  assert.equal(view(3).fitting, 1);
  const chain = view(40, 1200);
  chain.change({ zoom: chain.fitting }, 0);
  assert.ok(!chain.scrolls && chain.zoom >= 0.5);
  assert.equal(view(1000).fitting, 0.5);
});
