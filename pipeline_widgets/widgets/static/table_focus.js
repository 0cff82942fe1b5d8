// Where focus goes in a list whose rows come, go and move.

import { focused, focusOn, named } from "./elements.js";

/**
 * Give focus back to what was moved, or to the neighbour of what is gone.
 * @template {ListRow} R
 * @param {PagedTable<R>} table
 * @param {El} before
 * @param {number} at
 */
export function refocusRow(table, before, at) {
  const name = before.dataset.f;
  const next =
    (before.isConnected && before) ||
    (name && table.table.querySelector(named(name))) ||
    rowNeighbour(table, at);
  if (focused() === document.body || !focused()) focusOn(next);
}

/**
 * Focus what stands where a row was that is gone now.
 * @param {RowsHost} table
 * @param {number} id
 * @param {number} at
 */
export function leaveRow(table, id, at) {
  if (!table.row(id)) focusOn(rowNeighbour(table, at));
}

/**
 * The control that gets focus in place of one in a row that is gone.
 * @param {RowsHost} table
 * @param {number} at
 */
function rowNeighbour({ lines, frame, page }, at) {
  const menus = lines.querySelectorAll(".pw-pt-menu"),
    all = menus.length ? menus : lines.querySelectorAll(".pw-pt-open");
  const make = (/** @type {string} */ name) => frame.body.querySelector(named(name));
  return (
    all[Math.min(Math.max(at, 0), all.length - 1)] ||
    (!page.all && make("first")) ||
    make("new") ||
    frame.root
  );
}
