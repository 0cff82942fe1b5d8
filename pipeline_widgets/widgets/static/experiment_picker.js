// The experiment of a stage, chosen from those that fit.

import { check, checkBox, searchInput } from "./controls.js";
import { button, draw, find, html, icon, make, unique } from "./elements.js";
import { ended, isolated } from "./text.js";
import { live } from "./vendor/lit.js";

const SEARCH_FROM = 7; // experiments from which on a search helps

/** The experiments that fit as radio buttons, with a search; the others, each with its reason, on demand. */
export class ExperimentPicker {
  /**
   * `onchange` is told the chosen one, `onnew` that a new one is wanted. With `fed`, it is said what the
   * chosen one does with the checkpoint of the source stage.
   * @param {{ options: ExperimentOption[], chosen: number | null, fed: boolean,
   *   onchange: (option: ExperimentOption) => unknown, onnew: (pressed: El) => unknown }} options
   */
  constructor({ options, chosen, fed, onchange, onnew }) {
    this.fed = fed;
    this.onchange = onchange;
    this.onnew = onnew;
    this.group = unique("experiment");
    this.options = options;
    this.fitting = options.filter((option) => option.fits);
    this.others = options.filter((option) => !option.fits);
    this.chosen = this.fitting.find((option) => option.id === chosen) ?? null;
    this.misfit = this.others.find((option) => option.id === chosen) ?? null;
    this.search = searchInput("Search experiments");
    this.search.addEventListener("input", () => this.draw());
    this.search.addEventListener("keydown", (event) => this.key(event));
    this.unfit = checkBox();
    this.unfit.addEventListener("change", () => this.draw());
    this.el = make(html`<fieldset class="pw-picker"></fieldset>`);
    this.draw();
  }

  draw() {
    draw(
      this.el,
      html`<legend>Experiment</legend>
        ${this.options.length ? this.parts() : noExperiments}
        <div class="pw-picker-new">${button({
          label: "New experiment…",
          glyph: "plus",
          f: "new-experiment",
          onclick: (pressed) => this.onnew(pressed),
        })}</div>`,
    );
  }

  parts() {
    const { misfit, others } = this,
      found = new Set(this.found);
    const list = [
      html`<div class="pw-options">
        ${this.fitting.map((option) => this.row(option, !found.has(option)))}
      </div>`,
      html`<div class="pw-hint pw-options-none" role="status">
        ${found.size ? null : "No experiment of that name fits here."}
      </div>`,
    ];
    return [
      this.fitting.length >= SEARCH_FROM ? this.search : null,
      misfit
        ? html`<div class="pw-picker-warning">
            ${icon("Stale")}
            <span>
              ${isolated(misfit.name)} no longer fits here. ${ended(misfit.reason)} Choose another experiment.
            </span>
          </div>`
        : null,
      this.fitting.length
        ? list
        : html`<div class="pw-picker-empty">No experiment of this project fits here.</div>`,
      html`<div class="pw-hint pw-picker-says" role="status">${this.says}</div>`,
      others.length ? this.rest() : null,
    ];
  }

  /**
   * @param {ExperimentOption} option
   * @param {boolean} hidden
   */
  row(option, hidden) {
    const id = `${this.group}-${option.id}`;
    const marks = [
      option.used_by ? `Used by stage ${option.used_by}` : null,
      option.ran ? "Has run" : null,
    ].filter(Boolean);
    return html`<label class="pw-option" ?hidden=${hidden}>
      <input type="radio" name=${this.group} value=${option.id} aria-labelledby=${`${id}-name`}
        aria-describedby=${`${id}-about`} .checked=${live(option === this.chosen)}
        @change=${() => this.choose(option)} />
      <span class="pw-option-name" id=${`${id}-name`}>${isolated(option.name)}</span>
      <span class="pw-option-about" id=${`${id}-about`}>
        ${marks.map((mark) => html`<span class="pw-mark-word">${mark}</span>`)}
        <span class="pw-soft">${option.algorithm}</span>
      </span>
    </label>`;
  }

  rest() {
    const more = html`<span class="pw-soft">(${this.others.length})</span>`;
    return html`${check(this.unfit, "Show experiments that do not fit", more)}
      <ul class="pw-options pw-unfit" aria-label="Experiments that do not fit" tabindex="0"
        ?hidden=${!this.unfit.checked}>
        ${this.others.map(
          (option) => html`<li class="pw-option">
            <span class="pw-option-name">${isolated(option.name)}</span>
            <span class="pw-option-about"><span>${option.algorithm}</span></span>
            <span class="pw-option-reason">${ended(option.reason)}</span>
          </li>`,
        )}
      </ul>`;
  }

  /** Those that fit and are searched for. */
  get found() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return this.fitting.filter(({ name, algorithm }) => {
      const text = `${name} ${algorithm}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "ArrowDown" && !(event.key === "Enter" && this.search.value)) return;
    event.preventDefault(); // what was searched for is chosen first, and submitted by the next Enter
    const [first] = this.found;
    if (first) this.choose(first);
    this.focus();
  }

  /** @param {ExperimentOption} option */
  choose(option) {
    this.chosen = option;
    this.draw();
    this.onchange(option);
  }

  get says() {
    if (!this.fed) return "";
    const said =
      this.chosen?.role === "decoder"
        ? "The previous checkpoint is used as the decoder."
        : (this.chosen?.reason ?? "");
    return said && ended(said);
  }

  focus() {
    const at = (/** @type {string} */ inputs) => this.el.querySelector(inputs);
    (at("input[type=radio]:checked") || at("input:not([type=checkbox])"))?.focus();
  }

  /** Bring the chosen one into sight, once the picker is in the page. */
  reveal() {
    const row = this.el.querySelector("input[type=radio]:checked")?.closest("label");
    if (!row) return;
    const list = find(this.el, ".pw-options");
    list.scrollTop = row.offsetTop - list.offsetTop - row.offsetHeight;
  }
}

const noExperiments = html`<div class="pw-picker-empty">
  <p>This project has no experiments yet.</p>
  <p class="pw-hint">Make the first one here, in the Experiments tab, or in code.</p>
</div>`;
