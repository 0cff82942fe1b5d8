// What tables are made of: their heads, which may sort them, and cells.

import { html, icon } from "./elements.js";
import { nothing } from "./vendor/lit.js";

/**
 * The head of a column, which sorts by it, or the other way round; with the classes of its button and arrow.
 * @param {Column} column
 * @param {Order} order
 * @param {[button: string, arrow: string]} classes
 * @param {(wanted: Order, pressed: El) => unknown} onsort
 */
export function columnHead({ label, sort, descending = false, kind, before }, order, classes, onsort) {
  if (!sort) return html`<th scope="col" class=${kind ?? nothing}>${before}${label}</th>`;
  const sorted = order.sort === sort;
  const wanted = { sort, descending: sorted ? !order.descending : descending };
  return html`<th scope="col" class=${kind ?? nothing} data-sort=${sort}
    aria-sort=${sorted ? (order.descending ? "descending" : "ascending") : nothing}>
    ${before}<button type="button" class=${classes[0]} data-f=${`sort-${sort}`}
      @click=${(event) => onsort(wanted, event.currentTarget)}
    ><span>${label}</span><span
    class=${classes[1]}>${sorted ? icon(order.descending ? "down" : "up") : null}</span></button>
  </th>`;
}

/**
 * The heads of a table that is not sorted; a column of numbers has its kind.
 * @param {readonly (readonly [text: Content, kind?: string] | string)[]} columns
 */
export const heads = (columns) =>
  html`<thead><tr>
    ${columns.map((column) => {
      const [text, kind] = typeof column === "string" ? [column] : column;
      return html`<th scope="col" class=${kind ?? nothing}>${text}</th>`;
    })}
  </tr></thead>`;

/**
 * A cell in a column of numbers.
 * @param {Content} text
 */
export const numberCell = (text) => html`<td class="pw-number">${text}</td>`;

/**
 * Columns of numbers.
 * @param {...string} names
 * @returns {[name: string, kind: string][]}
 */
export const numbers = (...names) => names.map((name) => [name, "pw-number"]);
