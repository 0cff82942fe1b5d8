// What views are made of: templates, icons, buttons, and how what is shown is brought up to date.

import { ICONS } from "./icons.js";
import { ago } from "./text.js";
import { litHtml, litRender, nothing } from "./vendor/lit.js";

const FOCUSABLE = /<(?:a|button|dialog|input|select|summary|textarea)(?=[\s>])|\s(?=tabindex=)/g;
/** @type {WeakMap<TemplateStringsArray, TemplateStringsArray>} */
const prepared = new WeakMap(); // templates as they were written, and as they are used
/** @type {WeakSet<El>} */
const atWork = new WeakSet(); // buttons whose action is not done: a second click asks for nothing

/**
 * Describe elements. Values become text, attributes or listeners, never HTML. As in JSX, line breaks and
 * indentation between elements are no text.
 * @param {TemplateStringsArray} strings
 * @param {...TemplateValue} values
 */
export function html(strings, ...values) {
  const used = prepared.get(strings) ?? Object.assign(strings.map(prepare), { raw: strings.raw });
  prepared.set(strings, used);
  return litHtml(used, ...values);
}

/**
 * Mark what can be focused: JupyterLab asks the focused element itself whether a key is the notebook's; on an
 * ancestor the attribute would not help.
 * @param {string} text
 */
const prepare = (text) =>
  text
    .replace(/>\s*\n\s*|^\s*\n\s*$/g, (found) => (found.startsWith(">") ? ">" : ""))
    .replace(/\s*\n\s*(?=<)/g, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(FOCUSABLE, '$& data-lm-suppress-shortcuts="true" ');

/**
 * Let an element hold this. What is there already stays, with its focus and where it was scrolled to.
 * @param {Element} place
 * @param {Content} content
 */
export const draw = (place, content) => void litRender(content, place);

/**
 * Make the element that a template describes.
 * @param {Content} content
 * @returns {El}
 */
export function make(content) {
  const place = document.createElement("div");
  draw(place, content);
  return /** @type {El} */ (place.firstElementChild);
}

/**
 * Find an element that code and sheets know to be there.
 * @param {ParentNode} place
 * @param {string} selector
 */
export function find(place, selector) {
  const found = place.querySelector(selector);
  if (!found) throw new Error(`There is no ${selector}.`);
  return found;
}

/** Return what has the focus, in a shadow tree as well. */
export function focused() {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return /** @type {El | null} */ (at);
}

/**
 * Focus an element, if it is there, and scroll nowhere.
 * @param {Element | null | undefined} el
 */
export const focusOn = (el) => /** @type {El | null} */ (el)?.focus({ preventScroll: true });

/**
 * Select a control by its name.
 * @param {string} name
 */
export const named = (name) => `[data-f="${CSS.escape(name)}"]`;

/**
 * A picture of 16 by 16; the word beside it says the same.
 * @param {string} [name]
 */
export const icon = (name = "") =>
  html`<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" class="pw-icon">
    <path d=${ICONS[name] ?? ""} fill="currentColor"></path>
  </svg>`;

/**
 * A status: an icon and a word.
 * @param {string} word
 * @param {{ title?: string, text?: string }} [options]
 */
export const badge = (word, { title, text = word } = {}) =>
  html`<span class="pw-badge" data-status=${word}
    title=${title || nothing}>${icon(word)}<span>${text}</span></span>`;

/**
 * A notice: an icon and what it says.
 * @param {string} kind
 * @param {string} glyph
 * @param {Content} said
 */
export const notice = (kind, glyph, said) =>
  html`<div class=${`pw-notice pw-${kind}`}>${icon(glyph)}<div>${said}</div></div>`;

/**
 * Words that say what went wrong, beside the mark of a failure.
 * @param {string | null | undefined} text
 */
export const failure = (text) => (text ? [icon("Failed"), html`<span>${text}</span>`] : null);

/**
 * A moment, given in seconds since 1970, as a distance; the tooltip has it whole. Its frame keeps it up to
 * date.
 * @param {number} at
 */
export function moment(at) {
  const when = new Date(at * 1000);
  return html`<time datetime=${when.toISOString()} title=${when.toLocaleString()} data-at=${at}
    .textContent=${ago(at)}></time>`;
}

/**
 * A button. One that cannot be used now stays focusable, and its tooltip says why. With `quiet` only the icon
 * shows; the label is its name then.
 * @param {ButtonOptions} options
 */
export function button({ label, glyph, title, reason, onclick, kind = "", quiet = false, ...more }) {
  const tip = reason || title || (quiet ? label : null);
  return html`<button type="button" class=${`pw-button ${kind}${quiet ? " pw-quiet" : ""}`}
    title=${tip ?? nothing} aria-label=${quiet ? label : nothing} aria-disabled=${reason ? "true" : nothing}
    data-title=${tip ?? ""} data-reason=${reason || nothing} data-f=${more.f ?? nothing}
    aria-pressed=${more.pressed ?? nothing} aria-expanded=${more.expanded ?? nothing}
    aria-controls=${more.controls ?? nothing} aria-describedby=${more.describedby ?? nothing}
    aria-haspopup=${more.popup ? "menu" : nothing} tabindex=${more.tabindex ?? nothing}
    data-act=${more.act ?? nothing} style=${more.style ?? nothing}
    data-changes=${more.changes ? "" : nothing} ?autofocus=${more.autofocus}
    @click=${(event) => press(event, onclick)}
  >${glyph ? icon(glyph) : null}${quiet ? null : buttonLabel(label)}</button>`;
}

/**
 * Its text is a property, so that it can say for a while that it waits, or was copied.
 * @param {string} label
 */
export const buttonLabel = (label) => html`<span class="pw-label" .textContent=${label}></span>`;

/**
 * @param {At} event
 * @param {(pressed: El) => unknown} act
 */
function press(event, act) {
  event.stopPropagation();
  const el = event.currentTarget;
  if (el.getAttribute("aria-disabled") === "true" || atWork.has(el)) return;
  const done = act(el);
  if (!(done instanceof Promise)) return;
  atWork.add(el);
  const settled = () => atWork.delete(el);
  done.then(settled, settled);
}

/**
 * Say beside a control why it cannot be used now. Escape, a press elsewhere, scrolling, or that focus moves
 * on closes it.
 * @param {El} control
 * @param {string} reason
 */
export function explain(control, reason) {
  const bubble = make(html`<div class="pw-explained" role="status" popover="auto"></div>`);
  control.closest("dialog, .pw-root")?.append(bubble);
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
 * Where an arrow, Home or End leads from a place among several; nothing for other keys.
 * @param {string} key
 * @param {number} at
 * @param {number} count
 * @param {{ forth?: string, back?: string, around?: boolean }} [options]
 */
export function arrowTo(key, at, count, { forth = "ArrowRight", back = "ArrowLeft", around = true } = {}) {
  const to = /** @type {Record<string, number>} */ ({
    [forth]: at + 1,
    [back]: at - 1,
    Home: 0,
    End: count - 1,
  })[key];
  if (to === undefined) return undefined;
  return around ? (to + count) % count : Math.max(0, Math.min(count - 1, to));
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
