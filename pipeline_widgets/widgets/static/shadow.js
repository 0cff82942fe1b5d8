// Views in a shadow tree, as in marimo: no style sheet of the page reaches in, and no selector out.

import { referenced } from "./line.js";

/** @type {Map<string, CSSStyleSheet>} */
const sheets = new Map(); // by the digest of the code

/**
 * Give a view its style sheet and its host's theme where it stands in a shadow tree.
 * @param {Frame} frame
 * @param {Model} model
 */
export async function styleShadow(frame, model) {
  while (!frame.root.isConnected && !frame.gone) await new Promise(requestAnimationFrame);
  const tree = frame.root.getRootNode();
  if (!(tree instanceof ShadowRoot)) return;
  const sheet = await sheetOf(await referenced(model, model.get("code")));
  if (!tree.adoptedStyleSheets.includes(sheet)) tree.adoptedStyleSheets.push(sheet);
  const follow = () => frame.root.classList.toggle("pw-dark", isDark());
  const theme = new MutationObserver(follow);
  for (const el of [document.body, document.documentElement])
    theme.observe(el, { attributeFilter: ["class", "data-theme"] });
  frame.whenGone(() => theme.disconnect());
  follow();
}

/** @param {Model} code */
async function sheetOf(code) {
  const digest = code.get("digest"),
    known = sheets.get(digest);
  if (known) return known;
  const sheet = new CSSStyleSheet();
  sheets.set(digest, sheet);
  return sheet.replace(code.get("style"));
}

/** Whether the page is dark, by the class that its host gives it. */
const isDark = () => [document.body, document.documentElement].some((el) => el.classList.contains("dark"));
