// A list of all stages to jump to one, with a search by name or number.

import { searchBox, searchInput } from "./controls.js";
import { arrowTo, badge, draw, find, focused, focusOn, html, make, placeBelow, unique } from "./elements.js";
import { stageMark } from "./stage_bubble.js";
import { inFull, isolated } from "./text.js";
import { nothing } from "./vendor/lit.js";

const LISTED_STAGES = 200; // a longer list is searched

/**
 * Open the list under a button.
 * @param {{ opener: El, stages: Stage[], selected: number, choose: (id: number) => void }} options
 */
export const openStageJump = (options) => new StageJump(options);

class StageJump {
  /** @param {{ opener: El, stages: Stage[], selected: number, choose: (id: number) => void }} options */
  constructor({ opener, stages, selected, choose }) {
    this.opener = opener;
    this.stages = stages;
    this.choose = choose;
    this.name = unique("jump");
    this.found = stages;
    this.active = Math.max(0, this.at(selected));
    this.input = searchInput("Search stages");
    for (const [name, value] of Object.entries({
      role: "combobox",
      "aria-expanded": "true",
      "aria-autocomplete": "list",
      "aria-controls": this.name,
    }))
      this.input.setAttribute(name, value);
    this.input.addEventListener("input", () => this.search());
    this.el = make(
      html`<div class="pw-jumplist" role="dialog" aria-label="Go to a stage" popover="auto"
        @keydown=${(event) => this.key(event)}>
        ${searchBox(this.input)}
        <div class="pw-jump-options" role="listbox" aria-label="Stages" id=${this.name} tabindex="-1"></div>
        <div class="pw-jump-note pw-soft" role="status"></div>
      </div>`,
    );
    (opener.closest(".pw-root") || document.body).append(this.el);
    opener.setAttribute("aria-expanded", "true");
    this.el.addEventListener("toggle", ({ newState }) => newState === "open" || this.closed());
    this.show();
    this.el.showPopover();
    placeBelow(this.el, opener.getBoundingClientRect(), 0);
    this.input.focus();
    this.reveal();
  }

  /** @param {number} id */
  at(id) {
    return this.stages.findIndex((stage) => stage.id === id);
  }

  search() {
    const wanted = this.input.value.trim().toLowerCase();
    this.found = this.stages.filter(
      ({ n, name, algorithm = "" }) =>
        String(n) === wanted || `${name}\n${algorithm}`.toLowerCase().includes(wanted),
    );
    this.active = 0;
    this.show();
    this.reveal();
  }

  show() {
    // What is active is always among those that are listed.
    const first = Math.max(0, Math.min(this.active - LISTED_STAGES / 2, this.found.length - LISTED_STAGES));
    const listed = this.found.slice(first, first + LISTED_STAGES),
      more = this.found.length - listed.length;
    draw(
      find(this.el, ".pw-jump-options"),
      listed.map((stage, at) => this.option(stage, first + at)),
    );
    draw(
      find(this.el, ".pw-jump-note"),
      this.found.length
        ? more > 0
          ? `${inFull(more)} more: search by name or number.`
          : null
        : `Nothing matches '${this.input.value.trim()}'`,
    );
    this.input.setAttribute("aria-activedescendant", this.found.length ? `${this.name}-${this.active}` : "");
  }

  /**
   * @param {Stage} stage
   * @param {number} at
   */
  option(stage, at) {
    const mark = stageMark(stage);
    return html`<div class="pw-jump-option" role="option" id=${`${this.name}-${at}`}
      aria-selected=${String(at === this.active)} title=${stage.name || nothing}
      @click=${() => this.take(at)}>
      <span class="pw-jump-number">${stage.n}</span>
      <span class="pw-jump-name">${isolated(stage.name)}</span>${badge(mark)}
    </div>`;
  }

  reveal() {
    this.el.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  /** @param {At} event */
  key(event) {
    const to =
      event.key === "Home" || event.key === "End" // which move within what is typed
        ? undefined
        : arrowTo(event.key, this.active, this.found.length, { forth: "ArrowDown", back: "ArrowUp" });
    if (event.key === "Enter") this.take(this.active);
    else if (to !== undefined && this.found.length) {
      this.active = to;
      this.show();
      this.reveal();
    } else if (event.key === "Tab" || event.key === "Escape") this.el.hidePopover();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} at */
  take(at) {
    const stage = this.found[at];
    if (!stage) return;
    this.el.hidePopover();
    this.choose(stage.id);
  }

  closed() {
    this.opener.setAttribute("aria-expanded", "false");
    const inside = this.el.contains(focused()) || focused() === document.body;
    this.el.remove();
    if (inside) focusOn(this.opener);
  }
}
