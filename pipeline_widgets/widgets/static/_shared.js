// What all views share: elements and words. It and its neighbours _picture.js, _frame.js, _dialogs.js and _files.js are joined
// in front of each view (see assets.py), so their names are known everywhere.

const SVG = "http://www.w3.org/2000/svg";
const FOCUSABLE = new Set(["BUTTON", "INPUT", "SELECT", "TEXTAREA", "A", "SUMMARY", "DIALOG"]);

// ---- elements ------------------------------------------------------------------------------------

/** Make an element. Children that are strings become text, never HTML. */
function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "class") el.className = value;
    else if (name === "value") continue; // below: a list has to have its options first
    else if (name === "style") Object.assign(el.style, value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  // JupyterLab asks the focused element itself; on an ancestor the attribute would not help.
  if (FOCUSABLE.has(el.tagName) || "tabindex" in props) el.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  if (props.value !== undefined && props.value !== null) el.value = props.value;
  return el;
}

/** Make an element of an SVG picture. */
function svg(tag, props = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) if (value !== undefined) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

/** Make a picture of 16 by 16; the word beside it says the same. */
function icon(name) {
  const known = ICONS[name];
  const el = svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "pw-icon" });
  if (known) el.append(svg("path", { d: known, fill: "currentColor" }));
  return el;
}

/** Make a status: an icon and a word. */
function badge(word, title) {
  return h("span", { class: "pw-badge", "data-status": word, title }, icon(word), h("span", {}, word));
}

/**
 * Make a button. One that cannot be used now stays focusable, and its tooltip says why.
 * With `quiet` only the icon shows; the label is its name then.
 */
function button({ label, glyph, title, reason, onclick, kind = "", quiet = false, ...props }) {
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
 * Say beside a control why it cannot be used now. Escape, a press elsewhere, scrolling, or that focus moves on
 * closes it.
 */
function explain(control, reason) {
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

/** Put a popover below a control, or above it where there is no room; `share` of what is wider hangs over on the left. */
function placeBelow(popover, at, share = 1) {
  const { width, height } = popover.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left + share * (at.width - width), innerWidth - width - 8));
  const below = at.bottom + 4 + height <= innerHeight;
  Object.assign(popover.style, { left: `${left}px`, top: `${below ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px` });
}

/** Let a parent's children be those of `items`, by key: what stays keeps its element, and so its focus. */
function keyed(parent, items, key, make, update = () => {}) {
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

/** Replace the children of a parent unless they say the same; focus stays on the control of that name. */
function redraw(parent, ...children) {
  const next = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  const now = [...parent.childNodes];
  if (now.length === next.length && now.every((el, at) => same(el, next[at]))) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.f : undefined;
  const scrolled = [...parent.querySelectorAll("[data-scroll]")].map((el) => [el.dataset.scroll, el.scrollTop, el.scrollLeft]);
  parent.replaceChildren(...next);
  for (const [name, top, left] of scrolled)
    parent.querySelector(`[data-scroll="${name}"]`)?.scrollTo({ top, left, behavior: "instant" });
  if (focused) parent.querySelector(`[data-f="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Set a text, and leave it alone where it is that already. */
function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** Whether two nodes look alike. A control whose action depends on more than its looks carries that as data. */
function same(one, other) {
  return typeof other !== "string" && one.isEqualNode(other);
}

let counter = 0;
/** Make an id that no other element has. */
function unique(stem) {
  counter += 1;
  return `pw-${stem}-${counter}-${Math.random().toString(36).slice(2, 8)}`;
}

// ---- words ---------------------------------------------------------------------------------------

// Right-to-left scripts, and marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm.
const TURNING = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name as it can stand in a sentence: one that could turn the words around it is isolated. As in `directions.py`. */
function isolated(name) {
  const text = String(name);
  if (!TURNING.test(text)) return text;
  let kept = "", open = 0;
  for (const character of text) {
    if ("\u2066\u2067\u2068".includes(character)) open += 1;
    if (character === "\u2069" && !open) continue; // it would close what stands around
    if (character === "\u2069") open -= 1;
    kept += character;
  }
  return `\u2068${kept}${"\u2069".repeat(open)}\u2069`;
}

/** Say a whole number. One that JavaScript cannot hold exactly has come as text. */
const inFull = (n) => (typeof n === "string" ? BigInt(n) : n).toLocaleString("en-US");
const count = (n, noun, many = `${noun}s`) => `${inFull(n)} ${n === 1 ? noun : many}`;

/** Say a score in a few digits; N/A where there is none. */
function score(value, digits = 4) {
  if (value === null || value === undefined) return "N/A";
  return signed(Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(digits))));
}

/** Return what says the scores of a column: all with as many digits after the point, so that they can be compared. */
function scores(values) {
  const said = values.filter((value) => value !== null && value !== undefined).map((value) => score(value));
  if (said.some((text) => text.includes("e"))) return score;
  const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)));
  const most = Math.max(4, 3 - Math.floor(Math.log10(largest || 1)));
  const digits = Math.min(most, Math.max(0, ...said.map((text) => (text.split(".")[1] ?? "").length)));
  return (value) => (value === null || value === undefined ? "N/A" : signed(value.toFixed(digits)));
}

/** Write a number with a minus rather than a hyphen. */
const signed = (text) => text.replace(/^-/, "\u2212");

/** Say a size as people do. */
function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000) return `${unit === "B" ? n : n.toPrecision(3)} ${unit}`;
    n /= 1000;
  }
  return `${n.toPrecision(3)} TB`;
}

/** Say a duration in seconds as people do. */
function duration(seconds) {
  if (seconds < 1) return "under 1 s";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** Say how long something will take; that is a guess, so no more exact than one believes it. */
function remaining(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
  if (minutes < 60) return `${minutes} min left`;
  if (minutes < 600) return `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
  if (minutes < 2880) return `${Math.round(minutes / 60)} h left`;
  return `${Math.round(minutes / 1440)} d left`;
}

/** Show a moment, given in seconds since 1970, as a distance; the tooltip has it whole. */
function moment(at) {
  const when = new Date(at * 1000);
  const el = h("time", { datetime: when.toISOString(), title: when.toLocaleString() }, ago(at));
  el.dataset.at = at;
  return el;
}

function ago(at) {
  const s = Date.now() / 1000 - at;
  if (s < 45) return "just now";
  if (s < 3600) return `${Math.max(1, Math.round(s / 60))} min ago`;
  if (s < 86_400) return `${Math.round(s / 3600)} h ago`;
  if (s < 14 * 86_400) return count(Math.round(s / 86_400), "day") + " ago";
  return new Date(at * 1000).toLocaleDateString();
}

// ---- steps ---------------------------------------------------------------------------------------

// A step up to 2**53 is a number, and beyond that text, which is exact: what is shown, compared and sent back is that.

/** Whether a choice is a step, rather than a word. */
const isStep = (choice) => Number.isInteger(choice) || (typeof choice === "string" && /^\d+$/.test(choice));

/** Compare two steps, for sorting. */
function stepOrder(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  const [a, b] = [BigInt(one), BigInt(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const MOST_ACROSS = 1e15; // between two places of an axis: what is drawn has no more digits than a double

/** Where steps lie on an axis: `x(step)` is a number that is small enough to be drawn, and `step(x)` the step there. */
class StepScale {
  /** `steps`: all of them, in order. */
  constructor(steps) {
    const first = steps[0] ?? 0, last = steps[steps.length - 1] ?? 0;
    this.base = typeof last === "string" ? BigInt(first) : null; // null: steps are drawn as they are
    const across = this.base === null ? 0 : Number(BigInt(last) - this.base);
    this.unit = across > MOST_ACROSS ? 10 ** Math.ceil(Math.log10(across / MOST_ACROSS)) : 1;
    this.name = `${this.base} ${this.unit}`;
  }

  x(step) {
    return this.base === null ? step : Number(BigInt(step) - this.base) / this.unit;
  }

  step(x) {
    if (this.base === null) return Math.round(x);
    const step = this.base + BigInt(Math.round(x * this.unit));
    return String(step < 0n ? 0n : step);
  }
}

// ---- pictures ------------------------------------------------------------------------------------

/** Draw a small curve: points are [step, value] with null for a gap. `mark` is a step to mark. */
function sparkline(points, { width = 160, height = 36, mark = null, label = "" } = {}) {
  const drawn = points.filter(([, value]) => value !== null && Number.isFinite(value));
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "pw-spark", role: "img", "aria-label": label });
  if (!drawn.length) return picture;
  const scale = new StepScale([points[0][0], points[points.length - 1][0]]);
  const [x0, x1] = [scale.x(points[0][0]), scale.x(points[points.length - 1][0])];
  const values = drawn.map(([, value]) => value), size = Math.max(...values.map(Math.abs)) || 1; // a difference could overflow
  const [low, high] = [Math.min(...values) / size, Math.max(...values) / size];
  const x = (step) => 3 + ((scale.x(step) - x0) / (x1 - x0 || 1)) * (width - 6);
  const y = (value) => height - 4 - ((value / size - low) / (high - low || 1)) * (height - 8);
  let path = "", open = false;
  for (const [step, value] of points) {
    const there = value !== null && Number.isFinite(value);
    if (there) path += `${open ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    open = there;
  }
  picture.append(svg("path", { d: path, class: "pw-line" }));
  const marked = drawn.find(([step]) => step === mark) ?? (mark === null && drawn.length === 1 ? drawn[0] : undefined);
  if (marked) picture.append(svg("circle", { cx: x(marked[0]), cy: y(marked[1]), r: 3, class: "pw-mark" }));
  return picture;
}
