// The search within a log, a few megabytes at a time, so that one of any size stays usable meanwhile.

import { searchBox } from "./controls.js";
import { button, html } from "./elements.js";
import { sentence } from "./line.js";
import { inFull } from "./text.js";

const LOG_SEARCH_PAUSE = 250; // ms without a key after which a log is searched
const LINES_FOUND = 100_000; // lines that are kept

export class LogSearch {
  /**
   * @param {Frame} frame
   * @param {Input} input
   * @param {{ run: () => number, show: (at: number) => unknown, changed: () => void }} host
   */
  constructor(frame, input, host) {
    this.frame = frame;
    this.input = input;
    this.host = host;
    this.text = "";
    /** @type {number[]} */
    this.found = []; // the offsets of the lines that hold the text
    this.place = -1; // which of them is shown
    this.searching = false;
    this.round = 0; // of searches: an older one gives up
    this.wait = 0;
    input.addEventListener("input", () => {
      clearTimeout(this.wait);
      this.wait = window.setTimeout(() => this.begin(), LOG_SEARCH_PAUSE);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (this.input.value === this.text) this.step(event.shiftKey ? -1 : 1);
      else this.begin();
    });
  }

  /** The offset of the line that is shown; none is before the first. */
  get at() {
    return this.found[this.place];
  }

  clear() {
    this.input.value = "";
    this.begin();
  }

  end() {
    clearTimeout(this.wait);
    this.round += 1;
  }

  async begin() {
    this.end();
    const { round } = this,
      text = this.input.value;
    Object.assign(this, { text, found: [], place: -1, searching: !!text });
    this.host.changed();
    let at = /** @type {number | null} */ (text ? 0 : null);
    while (at !== null && this.found.length < LINES_FOUND) {
      const part = await this.ask(text, at);
      if (round !== this.round) return;
      if (!part) break;
      this.found.push(...part.offsets);
      at = part.next;
      if (this.place < 0 && this.found.length) this.step(1);
      else this.host.changed();
    }
    this.searching = false;
    this.host.changed();
    if (text) this.frame.announce(this.said);
  }

  /**
   * @param {string} text
   * @param {number} at
   * @returns {Promise<LogMatches | null>}
   */
  async ask(text, at) {
    try {
      return await this.frame.line.ask("log_search", { run: this.host.run(), text, at });
    } catch (error) {
      this.frame.notice(sentence(error), "error");
      return null;
    }
  }

  /** @param {number} by */
  step(by) {
    const { length } = this.found;
    if (!length) return;
    this.place = (this.place + by + length) % length;
    this.host.show(this.at);
    this.host.changed();
  }

  get said() {
    const { length } = this.found,
      more = this.searching || length >= LINES_FOUND ? "+" : "";
    if (!this.text) return "";
    if (!length) return this.searching ? "Searching…" : "No line matches";
    return `${inFull(this.place + 1)} of ${inFull(length)}${more} lines`;
  }

  box() {
    const reason = this.found.length ? "" : "Nothing was found.";
    return html`<div class="pw-log-search">
      ${searchBox(this.input)}
      <span class="pw-soft" role="status">${this.said}</span>
      ${button({ label: "Previous match", glyph: "up", quiet: true, reason, onclick: () => this.step(-1) })}
      ${button({ label: "Next match", glyph: "down", quiet: true, reason, onclick: () => this.step(1) })}
    </div>`;
  }
}
