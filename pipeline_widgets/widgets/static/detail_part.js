// A part of what an expanded experiment shows.

import { h, unique } from "./elements.js";

/**
 * Make a part with a title.
 * @param {string} title
 * @param {...Child} children
 */
export function detailPart(title, ...children) {
  const name = unique("part");
  return h(
    "div",
    { class: `pw-xd-part pw-xd-${title.toLowerCase()}`, role: "group", "aria-labelledby": name },
    h("h4", { id: name }, title),
    ...children,
  );
}
