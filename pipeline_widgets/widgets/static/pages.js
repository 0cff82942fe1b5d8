// The pages of a list: which rows are shown, and the buttons that turn them.

import { button, html } from "./elements.js";
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
 * The buttons that turn pages.
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
      f: `turn-${glyph}`,
      reason: pageEnd(page, by),
      onclick: (pressed) => onturn(by, pressed),
    });
  return [
    turn("Previous page", "left", -1),
    html`<span role="status">${pageRange(page, shown)}</span>`,
    turn("Next page", "right", 1),
  ];
}
