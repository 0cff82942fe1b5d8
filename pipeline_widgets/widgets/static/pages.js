// The pages of a list: which rows are shown, and the buttons that turn them.

import { button, h } from "./elements.js";
import { inFull } from "./text.js";

/**
 * Say which rows of all a page shows.
 * @param {Page} page
 * @param {number} shown
 */
export function pageRange(page, shown) {
  const first = page.page * page.size + 1;
  return `${inFull(first)}–${inFull(first + shown - 1)} of ${inFull(page.total)}`;
}

/**
 * Why pages cannot be turned that far; nothing where they can.
 * @param {Page} page
 * @param {number} by
 */
export function pageEnd(page, by) {
  if (page.page + by < 0) return "This is the first page.";
  return page.page + by >= page.pages ? "This is the last page." : undefined;
}

/**
 * Make the buttons that turn pages.
 * @param {Page} page
 * @param {number} shown
 * @param {(by: number, pressed: El) => unknown} onturn
 */
export function pageTurner(page, shown, onturn) {
  /**
   * @param {string} label
   * @param {string} glyph
   * @param {number} by
   */
  const turn = (label, glyph, by) =>
    button({
      label,
      glyph,
      kind: by > 0 ? "pw-pt-on" : "",
      "data-f": `turn-${glyph}`,
      reason: pageEnd(page, by),
      onclick: (event) => onturn(by, event.currentTarget),
    });
  return [
    turn("Previous page", "left", -1),
    h("span", { role: "status" }, pageRange(page, shown)),
    turn("Next page", "right", 1),
  ];
}

/**
 * Make the head of a column, which sorts by it, or the other way round.
 * @param {Column} column
 * @param {() => Page} now
 * @param {(wanted: Values, pressed: El) => unknown} onsort
 */
export function columnHead({ label, sort, descending, kind }, now, onsort) {
  if (!sort) return h("th", { scope: "col", class: kind }, label);
  /** @type {El} */
  const press = h(
    "button",
    {
      type: "button",
      class: "pw-pt-sort",
      onclick: () => {
        const page = now();
        onsort({ sort, descending: page.sort === sort ? !page.descending : descending }, press);
      },
    },
    label,
    h("span", { class: "pw-pt-arrow" }),
  );
  return h("th", { scope: "col", class: kind, "data-sort": sort }, press);
}
