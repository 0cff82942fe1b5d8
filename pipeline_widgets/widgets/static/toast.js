// Toasts: what was done, was changed along, or went wrong, above what can be seen of a view.

import { button, draw, focused, focusOn, html, icon, make } from "./elements.js";

const SHOWN = 6000; // ms for which word of a success stays
const TICK = 250; // ms between two looks at whether somebody reads it, and whether it covers a control
const GAP = 12; // px to the edge of the view
const RISE = 12; // px between two places that are tried
const WIDEST = 480; // px
const ROOM = 48; // px below a view that whatever it stands in has to have, to be more than its frame
const CONTROLS = "a[href],button,input,select,textarea,summary,[role=slider],[role=menuitem]";

/**
 * The toast of a view. Word of a success goes by itself, but not while somebody is at it or cannot see it;
 * what went wrong stays until it is dismissed, or the next command succeeds. Nothing scrolls or moves for it,
 * and it keeps off what can be pressed, where there is room.
 */
export class Toast {
  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.el = make(html`<div class="pw-toast" popover="manual"></div>`);
    this.left = 0;
    this.timer = 0;
    frame.listen(document, "scroll", () => this.place(), { capture: true, passive: true });
    frame.listen(window, "resize", () => this.place());
    frame.undo.push(() => clearInterval(this.timer));
  }

  /**
   * Show lines. A screen reader says them: a failure at once, else when it has ended what it says.
   * @param {string[]} lines
   * @param {boolean} failed
   * @param {ToastAction | null} [action]
   */
  show(lines, failed, action) {
    this.clear();
    /** @param {(pressed: El) => unknown} [then] */
    const end = (then) => (/** @type {El} */ pressed) => {
      this.clear();
      return then?.(pressed);
    };
    draw(
      this.el,
      html`<div class=${`pw-notice pw-${failed ? "error" : "info"}`} role=${failed ? "alert" : "group"}
        aria-label="Notification">
        ${icon(failed ? "Failed" : "info")}
        <div>${lines.map((line) => html`<div>${line}</div>`)}</div>
        ${action ? button({ label: action.label, kind: "pw-toast-action", onclick: end(action.act) }) : null}
        ${button({ label: "Dismiss", glyph: "close", quiet: true, onclick: end() })}
      </div>`,
    );
    this.el.showPopover();
    this.place();
    if (!failed) this.frame.announce(lines.join(" "));
    this.left = failed ? Number.POSITIVE_INFINITY : SHOWN;
    this.timer = window.setInterval(() => this.tick(), TICK);
  }

  clear() {
    clearInterval(this.timer);
    if (this.el.contains(focused())) focusOn(this.frame.root);
    draw(this.el, null);
    if (this.el.matches(":popover-open")) this.el.hidePopover();
  }

  /** Count down, from the beginning once nobody is at it any more. */
  tick() {
    const isRead = this.el.matches(":hover, :focus-within"),
      isUnseen = document.hidden || this.el.style.visibility === "hidden";
    if (isRead || isUnseen) this.left = Math.max(this.left, SHOWN);
    else this.left -= TICK;
    if (this.left <= 0) this.clear();
    else if (!isRead) this.place(); // a control may have come to where it is
  }

  /** Keep it within what can be seen of the view, at the bottom, and off the controls. */
  place() {
    if (!this.el.firstElementChild) return;
    const part = inSight(this.frame.root);
    this.el.style.visibility = part ? "" : "hidden";
    if (!part) return;
    this.el.style.maxWidth = `${Math.min(WIDEST, part.right - part.left - 2 * GAP)}px`;
    const now = this.el.getBoundingClientRect(),
      { left, top } = freePlace({ part, around: inSight(this.frame.root, false) }, now, this.controls(part));
    Object.assign(this.el.style, { left: `${left}px`, top: `${top}px` });
  }

  /**
   * What can be pressed in a part of the window, but for the toast itself.
   * @param {Box} part
   */
  controls(part) {
    return [...this.frame.root.querySelectorAll(CONTROLS)]
      .filter((el) => !this.el.contains(el))
      .map((el) => el.getBoundingClientRect())
      .filter((box) => box.width && box.height && overlap(box, part));
  }
}

/**
 * Return where a box covers no control: where it is, or as low as possible, or below a view that is too low
 * for it; else where it covers least.
 * @param {{ part: Box, around: Box | null }} sight What can be seen of the view, and of what it stands in.
 * @param {DOMRect} box
 * @param {Box[]} controls
 */
function freePlace({ part, around }, { left, top, width, height }, controls) {
  const lowest = Math.max(part.top, part.bottom - height - GAP),
    columns = [(part.left + part.right - width) / 2, part.right - width - GAP, part.left + GAP];
  const isInside =
    left >= part.left && left + width <= part.right && top >= part.top && top + height <= part.bottom;
  const tried = isInside ? [{ left, top }] : [];
  for (let y = lowest; y >= part.top; y -= RISE) tried.push(...columns.map((x) => ({ left: x, top: y })));
  const below = part.bottom + GAP;
  if (around && below + height <= around.bottom) tried.push({ left: columns[0], top: below });
  let best = { left: columns[0], top: lowest },
    least = Number.POSITIVE_INFINITY;
  for (const at of tried) {
    const there = { ...at, right: at.left + width, bottom: at.top + height };
    const covered = controls.reduce((sum, control) => sum + overlap(there, control), 0);
    if (covered < least) [best, least] = [at, covered];
    if (!covered) break;
  }
  return best;
}

/**
 * The area that two boxes share.
 * @param {Box} a
 * @param {Box} b
 */
const overlap = (a, b) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/**
 * Return the part of an element that can be seen, as a rectangle of the window; null where nothing can.
 * @param {El} el
 * @param {boolean} [own] Whether it is the element's own box, and not what has room below it.
 * @returns {Box | null}
 */
function inSight(el, own = true) {
  const end = own ? 0 : el.getBoundingClientRect().bottom + ROOM;
  const part = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  for (let each = /** @type {El | null} */ (el); each && each !== document.body; each = each.parentElement) {
    if (each === el ? !own : getComputedStyle(each).overflowY === "visible") continue;
    const { left, top, right, bottom } = each.getBoundingClientRect();
    if (bottom < end) continue; // it ends with the view, and a toast is not clipped by it
    part.left = Math.max(part.left, left);
    part.top = Math.max(part.top, top);
    part.right = Math.min(part.right, right);
    part.bottom = Math.min(part.bottom, bottom);
  }
  return part.left < part.right && part.top < part.bottom ? part : null;
}
