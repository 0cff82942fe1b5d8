// Which part of a chain is seen.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  chainFrom,
  chainWidth,
  panToReveal,
  panWithin,
  wholeChain,
  zoomedAround,
} from "../../pipeline_widgets/widgets/static/chain_viewport.js";

const ROOM = { width: 1000, height: 400, stages: 3 };

test("a chain is as wide as its stages, and an empty one as wide as a stage", () => {
  assert.equal(chainWidth(3) - chainWidth(2), 268);
  assert.equal(chainWidth(0), chainWidth(1));
});

test("a whole chain stands in the middle, and is never larger than it is", () => {
  const { zoom, pan } = wholeChain(ROOM);
  assert.equal(zoom, 1);
  assert.deepEqual(pan, { x: (1000 - 2 * 268) / 2, y: 200 });
  assert.ok(wholeChain({ ...ROOM, stages: 1000 }).zoom >= 0.05);
});

test("zooming leaves the point where it is that is zoomed at", () => {
  const around = { x: 300, y: 100 };
  const { zoom, pan } = zoomedAround({ zoom: 0.5, pan: { x: 40, y: 20 } }, 2, around);
  assert.equal(zoom, 1);
  assert.equal((around.x - pan.x) / zoom, (around.x - 40) / 0.5);
  assert.equal((around.y - pan.y) / zoom, (around.y - 20) / 0.5);
});

test("some of a chain stays in sight, however far it is panned", () => {
  const right = panWithin(ROOM, 1, { x: 1e6, y: 0 }).x;
  const left = panWithin(ROOM, 1, { x: -1e6, y: 0 }).x;
  assert.ok(right - 106 < ROOM.width);
  assert.ok(left + 2 * 268 + 106 > 0);
});

test("a stage that is seen stays where it is, and another one comes to the edge", () => {
  const view = { zoom: 1, pan: { x: 200, y: 200 } };
  assert.equal(panToReveal(ROOM, view, 1), null);
  assert.deepEqual(panToReveal({ ...ROOM, width: 500 }, view, 2), {
    x: 200 - (200 + 536 + 122 - 500),
    y: 200,
  });
  assert.deepEqual(panToReveal(ROOM, { zoom: 1, pan: { x: 0, y: 200 } }, 0), { x: 122, y: 200 });
});

test("a chain that is too long is shown from a stage on", () => {
  const long = { ...ROOM, stages: 100 };
  const first = chainFrom(long, 0).pan.x;
  assert.ok(Math.abs(first - chainFrom(long, 10).pan.x - 10 * 268 * 0.9) < 1e-6);
});
