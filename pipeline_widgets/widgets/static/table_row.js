// What a row of a list consists of, and what stands in the place of rows.

import { button, html, icon } from "./elements.js";
import { isolated } from "./text.js";

/**
 * The name of a row, which expands it, with what stands before and after it in the same line.
 * @param {PagedTable<any>} table
 * @param {ListRow} row
 * @param {Content} after
 * @param {Content} [edit] What stands in the place of the name while that is edited.
 */
export const nameLine = (table, row, after, edit) =>
  html`<div class="pw-pt-name">
    ${table.selection?.box(row)}${table.opener(row)}${edit}
    <div class="pw-pt-under pw-soft">${after}</div>
  </div>`;

/**
 * The button with a row's name that expands it.
 * @param {PagedTable<any>} table
 * @param {ListRow} row
 */
export const rowOpener = (table, { id, name }) =>
  html`<button type="button" class="pw-pt-open" data-f=${`open-${id}`} title=${name} aria-label=${name}
    aria-expanded=${String(table.isOpen(id))} @click=${(event) => table.toggle(id, event.currentTarget)}>
    <span class="pw-pt-chevron">${icon("right")}</span>
    <span class="pw-pt-title" dir="auto">${isolated(name)}</span>
  </button>`;

/**
 * The button that opens a row's menu.
 * @param {ListRow} row
 * @param {(opener: El) => void} onclick
 */
export const rowMenuButton = ({ id, name }, onclick) =>
  button({
    label: `Actions for ${isolated(name)}`,
    glyph: "more",
    quiet: true,
    kind: "pw-pt-menu",
    popup: true,
    expanded: false,
    f: `menu-${id}`,
    onclick,
  });

/**
 * What a list shows instead of rows.
 * @param {PagedTable<any>} table
 * @param {Page} page
 */
export function noRows(table, page) {
  const { holds, nothing: told } = table.empty();
  const found = page.all && !table.plain;
  const [title, ...more] = found
    ? [
        `No ${table.noun}s found`,
        html`<div>${holds} '${page.search}'.</div>`,
        button({ label: "Clear search", f: "clear", onclick: () => table.search.clear() }),
      ]
    : told;
  return html`<div class="pw-pt-none">${title}</div>${more}`;
}
