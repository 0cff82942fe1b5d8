// What leaves a view: text to be read, for the clipboard, and for files that the browser saves.

import { button, find, focused, focusOn, html, make } from "./elements.js";
import { ICONS } from "./icons.js";

const COPIED = 2000; // ms that a button says that it has copied
/** @type {WeakMap<El, ReturnType<typeof setTimeout>>} */
const copiedTimers = new WeakMap();

/**
 * Put text on the clipboard; resolves to whether that was done.
 * @param {string} text
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // a page that is not served securely has no clipboard of its own
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const back = focused();
  const area = /** @type {HTMLTextAreaElement} */ (
    make(html`<textarea class="pw-hidden" aria-hidden="true" tabindex="-1" .value=${text}></textarea>`)
  );
  // what is outside an open dialog cannot be selected
  (back?.closest("dialog") || document.body).append(area);
  area.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    // told by the answer
  }
  area.remove();
  focusOn(back);
  return done;
}

/**
 * A button that copies what `text` returns, and says so by a tick, which takes no other room.
 * @param {Frame} frame
 * @param {() => string} text
 * @param {Partial<ButtonOptions>} [options]
 */
export function copyButton(frame, text, { label = "Copy", ...options } = {}) {
  /**
   * @param {El} el
   * @param {string} glyph
   * @param {string} words
   */
  const show = (el, glyph, words) => {
    find(el, "path").setAttribute("d", ICONS[glyph]);
    el.classList.toggle("pw-copied", glyph === "check");
    const word = el.querySelector(".pw-label");
    if (word) word.textContent = words;
  };
  return button({
    label,
    glyph: "copy",
    ...options,
    onclick: async (el) => {
      const done = await copyText(text()),
        said = done ? "Copied" : "Not copied: select the text and press Ctrl+C";
      show(el, done ? "check" : "copy", done ? label : said);
      frame.announce(said);
      clearTimeout(copiedTimers.get(el));
      copiedTimers.set(
        el,
        setTimeout(() => show(el, "copy", label), COPIED),
      );
    },
  });
}

/**
 * Let the browser save text as a file.
 * @param {string} name
 * @param {string} text
 * @param {string} [type]
 */
export const saveFile = (name, text, type = "text/plain") =>
  saveBlob(name, new Blob([text], { type: `${type};charset=utf-8` }));

/**
 * Let the browser save a file.
 * @param {string} name
 * @param {Blob} blob
 */
export function saveBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = make(html`<a href=${url} download=${name}></a>`);
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Text that scrolls and stays at its end. New text waits until nothing in it is selected. */
export class Printed {
  /**
   * @param {Frame} frame
   * @param {string} label
   */
  constructor(frame, label) {
    this.text = "";
    this.toEnd = false;
    this.el = make(html`<pre class="pw-printed" tabindex="0" role="group" aria-label=${label}></pre>`);
    const size = new ResizeObserver(() => this.settle()); // what is not laid out yet cannot be scrolled
    size.observe(this.el);
    const marked = () => this.el.isConnected && this.draw();
    document.addEventListener("selectionchange", marked);
    this.end = frame.whenGone(() => {
      size.disconnect();
      document.removeEventListener("selectionchange", marked);
    });
  }

  /**
   * `anew` is for another run: it is shown from its end, and no selection counts.
   * @param {string} text
   * @param {boolean} [anew]
   */
  show(text, anew) {
    this.text = text;
    this.draw(anew);
  }

  draw(anew = false) {
    const { el, text } = this;
    if (el.textContent === text && !anew) return;
    const marked = document.getSelection();
    if (!anew && marked && !marked.isCollapsed && el.contains(marked.anchorNode)) return;
    this.toEnd ||= anew || el.scrollTop + el.clientHeight >= el.scrollHeight - 4;
    const { scrollTop } = el;
    if (el.textContent !== text) el.textContent = text;
    el.scrollTop = scrollTop;
    this.settle();
  }

  settle() {
    if (!this.toEnd || !this.el.clientHeight) return;
    this.el.scrollTop = this.el.scrollHeight;
    this.toEnd = false;
  }
}
