// A search that Python answers, a moment after the last key. A mistake in it is shown beside the field.

import { searchBox, searchInput } from "./controls.js";
import { failure, focused, focusOn, html, unique } from "./elements.js";
import { FilterSuggestions } from "./filter_suggestions.js";
import { kindOf, sentence } from "./line.js";

const SEARCH_PAUSE = 200; // ms without a key after which a search is asked for

export class TableSearch {
  /**
   * @param {{ label: string, ask: (text: string) => Promise<unknown>, failed: (error: unknown) => void,
   *   shown: () => void, fields?: () => Promise<FilterFields> }} options
   *   `fields`: what a filter can name, where it is one.
   */
  constructor({ label, ask, failed, shown, fields }) {
    this.ask = ask;
    this.failed = failed;
    this.shown = shown;
    /** @type {string | null} */
    this.asked = null;
    this.typing = false;
    this.pause = 0;
    this.wrong = "";
    this.id = unique("wrong");
    this.input = searchInput(label);
    this.suggestions = fields ? new FilterSuggestions(this.input, fields) : null;
    this.input.addEventListener("input", () => {
      this.typing = true;
      clearTimeout(this.pause);
      this.pause = window.setTimeout(() => this.search(), SEARCH_PAUSE);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.defaultPrevented) this.search();
    });
  }

  /** The box, and below it what is wrong with what is typed. */
  box() {
    this.input.setAttribute("aria-invalid", String(!!this.wrong));
    if (this.wrong) this.input.setAttribute("aria-describedby", this.id);
    else this.input.removeAttribute("aria-describedby");
    const wrong = this.wrong
      ? html`<div class="pw-pt-error" role="alert" id=${this.id}>${failure(this.wrong)}</div>`
      : null;
    return html`<div class=${`pw-pt-search${this.suggestions ? " pw-pt-filter" : ""}`}>
      ${searchBox(this.input)}
      ${wrong}
    </div>`;
  }

  /**
   * Show what was searched for, unless somebody types.
   * @param {string} text
   */
  show(text) {
    if (focused() !== this.input && !this.typing && !this.wrong) this.input.value = text;
  }

  async search() {
    clearTimeout(this.pause);
    const text = this.input.value.trim();
    if (text === this.asked) return;
    this.asked = text;
    try {
      await this.ask(text);
      this.say("", text);
    } catch (error) {
      if (kindOf(error) === "FilterError") this.say(sentence(error), text);
      else this.failed(error);
    }
    if (this.asked !== text) return;
    this.asked = null;
    this.typing = false;
  }

  /**
   * Say what is wrong, unless something else was typed since.
   * @param {string} wrong
   * @param {string} text
   */
  say(wrong, text) {
    if (this.input.value.trim() !== text || this.wrong === wrong) return;
    this.wrong = wrong;
    this.shown();
  }

  clear() {
    this.input.value = "";
    focusOn(this.input);
    return this.search();
  }

  end() {
    clearTimeout(this.pause);
    this.suggestions?.end();
  }
}
