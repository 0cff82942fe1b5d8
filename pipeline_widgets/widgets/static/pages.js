// The pages of a list: which rows are shown, and the buttons that turn them.

import { options } from "./controls.js";
import { button, html } from "./elements.js";
import { inFull } from "./text.js";

const PAGE_SIZES = [25, 50, 100, 200]; // rows of a page that can be chosen

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

/** Whether a list is long enough for pages. */
export const hasPages = (/** @type {Page} */ { total }) => total > PAGE_SIZES[0];

/**
 * The buttons that turn pages, and how many rows a page has.
 * @param {Page} page
 * @param {number} shown
 * @param {(by: number, pressed: El) => unknown} onturn
 * @param {(size: number, pressed: El) => unknown} onsize
 */
export function pageTurner(page, shown, onturn, onsize) {
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
  const sizes = [...new Set([...PAGE_SIZES, page.size])].sort((one, other) => one - other);
  return [
    html`<label class="pw-pt-size">Rows
      <select data-f="size" @change=${({ currentTarget: el }) => onsize(Number(el.value), el)}>
        ${options(
          sizes.map((size) => [size, String(size)]),
          page.size,
        )}
      </select>
    </label>`,
    turn("Previous page", "left", -1),
    html`<span role="status">${pageRange(page, shown)}</span>`,
    turn("Next page", "right", 1),
  ];
}
