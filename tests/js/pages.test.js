// The pages of a list.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageEnd, pageRange } from "../../pipeline_widgets/widgets/static/pages.js";

/** @type {Page} */
const FIRST = {
  search: "",
  sort: "name",
  descending: false,
  page: 0,
  pages: 3,
  size: 50,
  total: 1234,
  all: 1234,
};

test("a page says which rows of all it shows", () => {
  assert.equal(pageRange(FIRST, 50), "1–50 of 1,234");
  assert.equal(pageRange({ ...FIRST, page: 2 }, 34), "101–134 of 1,234");
});

test("pages are turned from the first to the last, and the buttons beyond say why not", () => {
  assert.equal(pageEnd(FIRST, -1), "This is the first page.");
  assert.equal(pageEnd(FIRST, 1), undefined);
  assert.equal(pageEnd({ ...FIRST, page: 2 }, 1), "This is the last page.");
});
