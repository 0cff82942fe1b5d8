// What the box of a filter suggests: fields while a word is typed, and values after "=".

import { draw, html, make, unique } from "./elements.js";
import { suggest } from "./filter_words.js";

export class FilterSuggestions {
  /**
   * @param {Input} input
   * @param {() => Promise<FilterFields>} ask
   */
  constructor(input, ask) {
    this.input = input;
    this.ask = ask;
    this.id = unique("suggestions");
    /** @type {FilterFields} */
    this.known = { fields: [], values: {} };
    this.from = 0;
    /** @type {{ text: string, hint: string }[]} */
    this.choices = [];
    this.at = -1;
    this.list = make(html`<div class="pw-menu pw-suggestions" role="listbox" popover="manual" id=${this.id}
      aria-label="Suggestions"></div>`);
    for (const [name, text] of Object.entries({ role: "combobox", "aria-autocomplete": "list" }))
      input.setAttribute(name, text);
    input.setAttribute("aria-controls", this.id);
    input.setAttribute("aria-expanded", "false");
    input.addEventListener("focus", () => this.learn());
    input.addEventListener("input", () => this.update());
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.key(event));
  }

  async learn() {
    this.known = await this.ask().catch(() => this.known);
  }

  update() {
    const { value, selectionStart } = this.input;
    ({ from: this.from, choices: this.choices } = suggest(value.slice(0, selectionStart ?? 0), this.known));
    this.at = -1;
    this.draw();
  }

  draw() {
    const open = this.choices.length > 0;
    if (open && !this.list.isConnected) this.input.closest(".pw-root")?.append(this.list);
    if (!this.list.isConnected) return;
    draw(
      this.list,
      this.choices.map(
        ({ text, hint }, at) => html`<div class="pw-menuitem" role="option" id=${`${this.id}-${at}`}
          aria-selected=${String(at === this.at)}
          @pointerdown=${(/** @type {Event} */ event) => this.press(event, at)}>
          <span>${text}</span><span class="pw-soft">${hint}</span>
        </div>`,
      ),
    );
    this.input.setAttribute("aria-expanded", String(open));
    if (this.at < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
    if (open) {
      const { left, bottom } = this.input.getBoundingClientRect();
      this.list.showPopover();
      Object.assign(this.list.style, { left: `${left}px`, top: `${bottom + 2}px` });
    } else this.list.hidePopover();
  }

  /**
   * @param {Event} event
   * @param {number} at
   */
  press(event, at) {
    event.preventDefault(); // focus stays in the box
    this.choose(at);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.choices.length || event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) this.move(by);
    else if (event.key === "Escape") this.close();
    else if (["Enter", "Tab"].includes(event.key) && this.at >= 0) this.choose(this.at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} by */
  move(by) {
    const { length } = this.choices;
    this.at = this.at < 0 && by < 0 ? length - 1 : (this.at + by + length) % length;
    this.draw();
  }

  /** @param {number} at */
  choose(at) {
    const { input } = this,
      { text } = this.choices[at];
    const end = input.selectionStart ?? input.value.length;
    input.setRangeText(text, this.from, end, "end");
    this.close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  close() {
    this.choices = [];
    this.at = -1;
    this.draw();
  }

  end() {
    this.list.remove();
  }
}
