// A part of a panel.

import { html } from "./elements.js";

/**
 * A part with a title.
 * @param {string} title
 * @param {boolean} shown
 * @param {Content} content
 */
export const panelPart = (title, shown, content) =>
  html`<div class="pw-panel-part" ?hidden=${!shown}><h4>${title}</h4>${content}</div>`;
