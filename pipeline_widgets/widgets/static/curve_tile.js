// A tile in the panel of a stage: what a metric or a resource was last, and how it has come there.

import { html } from "./elements.js";
import { sparkline } from "./sparkline.js";

/**
 * A tile with a name, the last value, and a small curve where there is more than one point.
 * @param {{ head: Content, last: string, points: Point[], label: string, open?: boolean }} tile
 */
export const curveTile = ({ head, last, points, label, open = false }) =>
  html`<div class=${`pw-curve${open ? " pw-curve-open" : ""}`}>
    <div class="pw-curve-words">
      ${head}<span class="pw-curve-last"><span class="pw-soft">last</span> ${last}</span>
    </div>
    ${points.length > 1 ? sparkline(points, { width: 200, height: 40, label }) : null}
  </div>`;
