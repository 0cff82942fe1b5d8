// Templates as they are used, and where arrows lead.

import assert from "node:assert/strict";
import { test } from "node:test";

import { arrowTo, html } from "../../pipeline_widgets/widgets/static/elements.js";

const SHIELD = 'data-lm-suppress-shortcuts="true"';

/**
 * What a template is made of, with the places of its values.
 * @param {unknown} template
 */
const written = (template) =>
  /** @type {{ strings: string[] }} */ (template).strings.join("$").replaceAll(/ +(?=[ >])/g, "");

test("what can be focused keeps its keys from the notebook, and nothing else is marked", () => {
  assert.equal(
    written(html`<button type="button">${1}</button>`),
    `<button ${SHIELD} type="button">$</button>`,
  );
  assert.equal(written(html`<a href=${1}></a>`), `<a ${SHIELD} href=$></a>`);
  assert.equal(written(html`<div tabindex="0"></div>`), `<div ${SHIELD} tabindex="0"></div>`);
  assert.equal(written(html`<article><label></label></article>`), "<article><label></label></article>");
});

test("line breaks and indentation between elements are no text, and within text they are one space", () => {
  const list = html`<ul>
    <li>one
      line</li>
    ${1}
    ${2}
  </ul>`;
  assert.equal(written(list), "<ul><li>one line</li>$$</ul>");
  assert.equal(
    written(html`<i class=${1}
      title="two  spaces"> ${2}</i>`),
    '<i class=$ title="two spaces"> $</i>',
  );
});

test("the same template is prepared once", () => {
  const make = () => /** @type {any} */ (html`<p></p>`).strings;
  assert.equal(make(), make());
});

test("arrows go round, or stop at the ends; other keys lead nowhere", () => {
  assert.deepEqual([arrowTo("ArrowRight", 2, 3), arrowTo("ArrowLeft", 0, 3)], [0, 2]);
  assert.deepEqual([arrowTo("Home", 1, 3), arrowTo("End", 1, 3), arrowTo("a", 1, 3)], [0, 2, undefined]);
  const down = { forth: "ArrowDown", back: "ArrowUp", around: false };
  assert.deepEqual([arrowTo("ArrowDown", 2, 3, down), arrowTo("ArrowUp", 0, 3, down)], [2, 0]);
  assert.equal(arrowTo("ArrowRight", 0, 3, down), undefined);
});
