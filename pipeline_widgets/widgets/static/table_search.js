// A search that Python answers, a moment after the last key.

import { searchInput } from "./controls.js";
import { focused, focusOn } from "./elements.js";

const SEARCH_PAUSE = 200; // ms without a key after which a search is asked for

export class TableSearch {
  /**
   * @param {string} label
   * @param {(text: string) => Promise<unknown>} ask
   */
  constructor(label, ask) {
    this.ask = ask;
    /** @type {string | null} */
    this.asked = null;
    this.typing = false;
    this.pause = 0;
    this.input = searchInput(label);
    this.input.addEventListener("input", () => {
      this.typing = true;
      clearTimeout(this.pause);
      this.pause = window.setTimeout(() => this.search(), SEARCH_PAUSE);
    });
    this.input.addEventListener("keydown", (event) => event.key === "Enter" && this.search());
  }

  /**
   * Show what was searched for, unless somebody types.
   * @param {string} text
   */
  show(text) {
    if (focused() !== this.input && !this.typing) this.input.value = text;
  }

  async search() {
    clearTimeout(this.pause);
    const text = this.input.value.trim();
    if (text === this.asked) return;
    this.asked = text;
    await this.ask(text);
    if (this.asked !== text) return;
    this.asked = null;
    this.typing = false;
  }

  clear() {
    this.input.value = "";
    focusOn(this.input);
    return this.search();
  }

  end() {
    clearTimeout(this.pause);
  }
}
