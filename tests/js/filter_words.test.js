// What is suggested while a filter is typed.

import assert from "node:assert/strict";
import test from "node:test";

import { suggest } from "../../pipeline_widgets/widgets/static/filter_words.js";

const KNOWN = {
  fields: [
    { name: "status", kind: "status" },
    { name: "steps", kind: "config" },
    { name: "eval loss", kind: "metric" },
    { name: "last", kind: "metric" },
  ],
  values: { status: ["Running", "Waiting for you"], tag: ['a "b"'] },
};
/** @param {string} text */
const texts = (text) => suggest(text, KNOWN).choices.map((choice) => choice.text);

test("fields that begin with a word come before those that hold it", () => {
  assert.deepEqual(texts("sta"), ["status"]);
  assert.deepEqual(texts("seed=3 and (ST"), ["status", "steps", "last"]);
});

test("values follow a field and its sign, quoted where they have to be", () => {
  assert.deepEqual(texts("status="), ["Running", '"Waiting for you"']);
  assert.deepEqual(texts("not status != wai"), ['"Waiting for you"']);
  assert.deepEqual(texts("tag~"), ['"a \\"b\\""']);
  assert.deepEqual(texts("steps="), []);
});

test("nothing is suggested for nothing, after a value, or for a word that is known nowhere", () => {
  for (const text of ["", "seed=3 ", "status=Running ", "xyz", "steps>1"]) assert.deepEqual(texts(text), []);
});

test("a suggestion takes the place of what is typed of it", () => {
  assert.equal(suggest("seed=3 and los", KNOWN).from, 11);
  assert.equal(suggest('status="wai', KNOWN).from, 7);
  assert.deepEqual(texts("los"), ['"eval loss"']);
});
