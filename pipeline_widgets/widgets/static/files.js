// What leaves a view: text to be read, for the clipboard, and for files that the browser saves.

import { button, h, icon, setText } from "./elements.js";

const COPIED = 2000; // ms that a button says that it has copied

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
  const back = document.activeElement;
  const area = h("textarea", { class: "pw-hidden", "aria-hidden": "true", tabindex: "-1", value: text });
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
  back?.focus?.({ preventScroll: true });
  return done;
}

/**
 * Make a button that copies what `text` returns, and says so by a tick, which takes no other room.
 * @param {{ frame: Frame, label?: string, text: () => string, [name: string]: any }} options
 */
export function copyButton({ frame, label = "Copy", text, ...props }) {
  /**
   * @param {string} glyph
   * @param {string} words
   */
  const show = (glyph, words) => {
    el.firstElementChild.replaceWith(icon(glyph));
    el.classList.toggle("pw-copied", glyph === "check");
    const word = el.querySelector(".pw-label");
    if (word) setText(word, words);
  };
  const el = button({
    label,
    glyph: "copy",
    ...props,
    onclick: async () => {
      const done = await copyText(text()),
        said = done ? "Copied" : "Not copied: select the text and press Ctrl+C";
      show(done ? "check" : "copy", done ? label : said);
      frame.announce(said);
      clearTimeout(el.shown);
      el.shown = setTimeout(() => show("copy", label), COPIED);
    },
  });
  return el;
}

/**
 * Let the browser save text as a file.
 * @param {string} name
 * @param {string} text
 * @param {string} [type]
 */
export function saveFile(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = h("a", { href: url, download: name });
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
    this.el = h("pre", { class: "pw-printed", tabindex: "0", role: "region", "aria-label": label });
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
    setText(el, text);
    el.scrollTop = scrollTop;
    this.settle();
  }

  settle() {
    if (!this.toEnd || !this.el.clientHeight) return;
    this.el.scrollTop = this.el.scrollHeight;
    this.toEnd = false;
  }
}
