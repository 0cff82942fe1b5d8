// What views are made of: elements, icons, buttons, and how what is shown is brought up to date.

import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";
const FOCUSABLE = new Set(["BUTTON", "INPUT", "SELECT", "TEXTAREA", "A", "SUMMARY", "DIALOG"]);

/**
 * Make an element. Children that are strings become text, never HTML.
 * @param {string} tag
 * @param {Props} props
 * @param {...Child} children
 * @returns {El}
 */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "class") el.className = value;
    else if (name === "value")
      continue; // below: a list has to have its options first
    else if (name === "style") Object.assign(el.style, value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  // JupyterLab asks the focused element itself; on an ancestor the attribute would not help.
  if (FOCUSABLE.has(el.tagName) || "tabindex" in props) el.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(...present(children));
  if (props.value !== undefined && props.value !== null) el.value = props.value;
  return el;
}

/**
 * Return children as one list, without what is nothing.
 * @param {Child[]} children
 */
function present(children) {
  const all = /** @type {any[]} */ (children).flat(Infinity);
  return all.filter((child) => child !== null && child !== undefined && child !== false);
}

/**
 * Make an element of an SVG picture.
 * @param {string} tag
 * @param {Values} props
 * @param {...Element} children
 */
export function svg(tag, props = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) if (value !== undefined) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

/**
 * Make a picture of 16 by 16; the word beside it says the same.
 * @param {string} name
 */
export function icon(name) {
  const known = ICONS[name];
  const el = svg("svg", {
    viewBox: "0 0 16 16",
    width: 16,
    height: 16,
    "aria-hidden": "true",
    class: "pw-icon",
  });
  if (known) el.append(svg("path", { d: known, fill: "currentColor" }));
  return el;
}

/**
 * Make a status: an icon and a word.
 * @param {string} word
 * @param {string} [title]
 */
export function badge(word, title) {
  return h("span", { class: "pw-badge", "data-status": word, title }, icon(word), h("span", {}, word));
}

/**
 * Make a button. One that cannot be used now stays focusable, and its tooltip says why.
 * With `quiet` only the icon shows; the label is its name then.
 * @param {ButtonOptions} options
 */
export function button({ label, glyph, title, reason, onclick, kind = "", quiet = false, ...props }) {
  const text = quiet ? null : h("span", { class: "pw-label" }, label);
  const el = h(
    "button",
    {
      type: "button",
      class: `pw-button ${kind}${quiet ? " pw-quiet" : ""}`,
      title: reason || title || (quiet ? label : undefined),
      "aria-label": quiet ? label : undefined,
      "aria-disabled": reason ? "true" : undefined,
      onclick: (event) => {
        event.stopPropagation();
        if (el.getAttribute("aria-disabled") === "true" || el.atWork) return;
        const done = onclick(event);
        const settled = () => (el.atWork = false);
        if (done?.then) {
          el.atWork = true; // a second click asks for nothing
          done.then(settled, settled);
        }
      },
      ...props,
    },
    glyph ? icon(glyph) : null,
    text,
  );
  return el;
}

/**
 * Say beside a control why it cannot be used now. Escape, a press elsewhere, scrolling, or that focus moves
 * on closes it.
 * @param {El} control
 * @param {string} reason
 */
export function explain(control, reason) {
  const bubble = h("div", { class: "pw-explained", role: "status", popover: "auto" });
  control.closest("dialog, .pw-root").append(bubble);
  const end = () => bubble.remove();
  control.addEventListener("blur", end, { once: true });
  document.addEventListener("scroll", end, { once: true, capture: true });
  bubble.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    control.removeEventListener("blur", end);
    document.removeEventListener("scroll", end, { capture: true });
    end();
  });
  bubble.showPopover();
  // A screen reader says what comes into a place that it knows.
  requestAnimationFrame(() => {
    bubble.textContent = reason;
    placeBelow(bubble, control.getBoundingClientRect(), 0.5);
  });
}

/**
 * Put a popover below a control, or above it where there is no room; `share` of what is wider hangs over on
 * the left.
 * @param {HTMLElement} popover
 * @param {DOMRect} at
 * @param {number} [share]
 */
export function placeBelow(popover, at, share = 1) {
  const { width, height } = popover.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left + share * (at.width - width), innerWidth - width - 8));
  const below = at.bottom + 4 + height <= innerHeight;
  Object.assign(popover.style, {
    left: `${left}px`,
    top: `${below ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`,
  });
}

/**
 * Let a parent's children be those of `items`, by key: what stays keeps its element, and so its focus.
 * @param {Element} parent
 * @param {any[]} items
 * @param {any} key
 * @param {(item: any, at: number) => any} make
 * @param {any} [update]
 */
export function keyed(parent, items, key, make, update = () => {}) {
  const old = new Map([...parent.children].map((el) => [el.dataset.key, el]));
  let before = parent.firstElementChild;
  items.forEach((item, at) => {
    const name = String(key(item));
    let el = old.get(name);
    if (el) old.delete(name);
    else {
      el = make(item, at);
      el.dataset.key = name;
    }
    update(el, item, at);
    if (el === before) before = before.nextElementSibling;
    else parent.insertBefore(el, before);
  });
  for (const el of old.values()) el.remove();
}

/**
 * Replace the children of a parent unless they say the same; focus stays on the control of that name.
 * @param {Element} parent
 * @param {...Child} children
 */
export function redraw(parent, ...children) {
  const next = present(children);
  const now = [...parent.childNodes];
  if (now.length === next.length && now.every((el, at) => same(el, next[at]))) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.f : undefined;
  const scrolled = [...parent.querySelectorAll("[data-scroll]")].map((el) => [
    el.dataset.scroll,
    el.scrollTop,
    el.scrollLeft,
  ]);
  parent.replaceChildren(...next);
  for (const [name, top, left] of scrolled)
    parent.querySelector(`[data-scroll="${name}"]`)?.scrollTo({
      top: Number(top),
      left: Number(left),
      behavior: "instant",
    });
  if (focused) parent.querySelector(`[data-f="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/**
 * Set a text, and leave it alone where it is that already.
 * @param {El} el
 * @param {string} text
 */
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/**
 * Whether two nodes look alike. A control whose action depends on more than its looks carries that as data.
 * @param {any} one
 * @param {any} other
 */
function same(one, other) {
  return typeof other !== "string" && one.isEqualNode(other);
}

let counter = 0;
/**
 * Make an id that no other element has.
 * @param {string} stem
 */
export function unique(stem) {
  counter += 1;
  return `pw-${stem}-${counter}-${Math.random().toString(36).slice(2, 8)}`;
}
