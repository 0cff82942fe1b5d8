// Tabs: one of several is shown, and the arrows go from one to the next.

import { arrowTo, html } from "./elements.js";

/**
 * The tabs of a list; `name` begins their ids, and `panel` is the id of what each shows.
 * @param {{ name: string, tabs: string[], shown: number, kind: string, choose: (at: number) => unknown,
 *   panel: (at: number) => string }} options
 */
export const tabList = ({ name, tabs, shown, kind, choose, panel }) =>
  tabs.map(
    (tab, at) =>
      html`<button type="button" role="tab" id=${`${name}-tab-${at}`} class=${kind}
        tabindex=${at === shown ? "0" : "-1"} aria-selected=${String(at === shown)} aria-controls=${panel(at)}
        @click=${() => choose(at)}>${tab}</button>`,
  );

/**
 * @param {At} event
 * @param {number} shown
 * @param {number} count
 * @param {(at: number) => unknown} choose
 */
export function tabKey(event, shown, count, choose) {
  const to = arrowTo(event.key, shown, count);
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  choose(to);
  event.currentTarget.querySelectorAll("button")[to].focus();
}
