// How a page takes what has changed of what it has, and notices that it has missed something.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { applyPatch } from "../../pipeline_widgets/widgets/static/patch.js";
import { attach } from "../../pipeline_widgets/widgets/static/state.js";

const CASES = JSON.parse(readFileSync(new URL("patches.json", import.meta.url), "utf-8"));

for (const { name, before, now, patch } of CASES)
  test(`a patch makes one value of the other: ${name}`, () => {
    const kept = structuredClone(before);
    assert.deepEqual(applyPatch(before, patch), now);
    assert.deepEqual(before, kept); // who has it still draws it
  });

test("what has not changed stays the same object", () => {
  const before = { run: { log: "", curves: [{ points: [[1, 1]] }, { points: [[1, 2]] }] }, settings: [] };
  /** @type {Patch} */
  const patch = { fields: { run: { fields: { curves: { items: [[1, { value: { points: [] } }]] } } } } };
  const now = applyPatch(before, patch);
  assert.equal(now.run.curves[0], before.run.curves[0]);
  assert.equal(now.settings, before.settings);
  assert.notEqual(now.run, before.run);
});

/**
 * A model as a page has it, with what it sends up.
 * @param {Record<string, any>} state
 * @param {object[]} early what has come for it before its code was there
 */
function page(state, early = []) {
  /** @type {Record<string, (message: object) => unknown>} */
  const heard = {};
  /** @type {string[]} */
  const sent = [];
  const line = { send: (/** @type {{ command: string }} */ message) => sent.push(message.command) };
  const model = /** @type {any} */ ({
    get: (/** @type {string} */ name) => state[name],
    set: (/** @type {string} */ name, /** @type {any} */ value) => (state[name] = value),
    on: (/** @type {string} */ event, /** @type {any} */ hear) => (heard[event] = hear),
    off: () => {},
    widget_manager: { get_model: async () => line },
  });
  attach(model, early);
  return { state, sent, hear: (/** @type {object} */ message) => heard["msg:custom"](message) };
}

/**
 * The next point of a curve.
 * @param {number} at
 */
const point = (at) => ({
  patch: "curves",
  sequence: at,
  change: { keep: at - 1, add: [[at, at]] },
});

const settle = () => new Promise((go) => setTimeout(go));

test("patches in their order make the curve", () => {
  const { state, hear } = page({ line: "IPY_MODEL_1", sequence: 0, curves: [] });
  for (const at of [1, 2, 3]) hear(point(at));
  assert.deepEqual(state, {
    line: "IPY_MODEL_1",
    sequence: 3,
    curves: [
      [1, 1],
      [2, 2],
      [3, 3],
    ],
  });
});

test("a patch that came with the state as a whole is not applied again", () => {
  const { state, hear, sent } = page({
    line: "IPY_MODEL_1",
    sequence: 2,
    curves: [
      [1, 1],
      [2, 2],
    ],
  });
  hear(point(1));
  hear(point(2));
  assert.deepEqual(
    [state.sequence, state.curves, sent],
    [
      2,
      [
        [1, 1],
        [2, 2],
      ],
      [],
    ],
  );
});

test("a page that has missed a patch asks once for the whole, and goes on from it", async () => {
  const { state, hear, sent } = page({ line: "IPY_MODEL_1", sequence: 1, curves: [[1, 1]] });
  hear(point(3));
  hear(point(4));
  await settle();
  assert.deepEqual(state.curves, [[1, 1]]); // old, and not wrong
  assert.deepEqual(sent, ["resend"]);
  Object.assign(state, {
    sequence: 4,
    curves: [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ],
  });
  hear(point(5));
  assert.equal(state.curves.length, 5);
  hear(point(7));
  await settle();
  assert.deepEqual(sent, ["resend", "resend"]);
});

test("changed rows of a list take the places of those of the same id", () => {
  const { state, hear } = page({ sequence: 0, rows: [{ id: 1 }, { id: 2 }] });
  hear({ patch: "rows", sequence: 1, rows: [{ id: 2, status: "Running" }] });
  hear({ something: "else" });
  assert.deepEqual(state.rows, [{ id: 1 }, { id: 2, status: "Running" }]);
});

test("a page that has missed changed rows asks for all of them", async () => {
  const { state, hear, sent } = page({ line: "IPY_MODEL_1", sequence: 0, rows: [{ id: 1 }, { id: 2 }] });
  hear({ patch: "rows", sequence: 2, rows: [{ id: 2, status: "Running" }] });
  await settle();
  assert.deepEqual(sent, ["resend"]);
  Object.assign(state, {
    sequence: 2,
    rows: [
      { id: 1, status: "Stopped" },
      { id: 2, status: "Running" },
    ],
  });
  hear({ patch: "rows", sequence: 3, rows: [{ id: 2, status: "Succeeded" }] });
  assert.deepEqual(state.rows, [
    { id: 1, status: "Stopped" },
    { id: 2, status: "Succeeded" },
  ]);
});

test("what came before the code was there is taken in its order, and what comes then goes on from it", () => {
  const { state, sent, hear } = page({ curves: [[1, 1]], sequence: 1, line: "IPY_MODEL_line" }, [
    { content: "not a change" },
    point(2),
    point(3),
  ]);
  hear(point(4));
  assert.deepEqual(state.curves, [
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
  assert.deepEqual(sent, []);
});
