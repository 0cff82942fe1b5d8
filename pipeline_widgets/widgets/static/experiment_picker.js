// The experiment of a stage, chosen from those that fit.

import { h, icon, unique } from "./elements.js";
import { ended, isolated } from "./text.js";

const SEARCH_FROM = 7; // experiments from which on a search helps

/** The experiments that fit as radio buttons, with a search; the others, each with its reason, on demand. */
export class ExperimentPicker {
  /**
   * Options: {id, name, algorithm, fits, reason, role, ran, used_by}. `onchange` is told the chosen one.
   * With `fed`, it is said what the chosen one does with the checkpoint of the source stage.
   * @param {{ options: Values[], chosen: any, fed: any, onchange: (value: any) => unknown }} options
   */
  constructor({ options, chosen, fed, onchange }) {
    this.fed = fed;
    this.onchange = onchange;
    this.group = unique("experiment");
    this.fitting = options.filter((option) => option.fits);
    this.others = options.filter((option) => !option.fits);
    this.chosen = this.fitting.find((option) => option.id === chosen) ?? null;
    this.misfit = this.others.find((option) => option.id === chosen) ?? null;
    this.rows = this.fitting.map((option) => ({
      option,
      el: this.row(option),
      text: `${option.name} ${option.algorithm}`.toLowerCase(),
    }));
    this.list = h(
      "div",
      { class: "pw-options", "data-scroll": "experiments" },
      this.rows.map((row) => row.el),
    );
    this.none = h("div", { class: "pw-hint pw-options-none", role: "status" });
    this.says = h("div", { class: "pw-hint pw-picker-says", role: "status" });
    this.el = h(
      "fieldset",
      { class: "pw-picker" },
      h("legend", {}, "Experiment"),
      this.parts(options.length),
    );
    this.tell();
  }

  /** @param {number} count */
  parts(count) {
    if (!count)
      return h(
        "div",
        { class: "pw-picker-empty" },
        h("p", {}, "This project has no experiments yet."),
        h("p", { class: "pw-hint" }, "Experiments are configured in code or in the Experiments tab."),
      );
    return [
      this.fitting.length >= SEARCH_FROM ? this.search() : null,
      this.misfit
        ? h(
            "div",
            { class: "pw-picker-warning" },
            icon("Stale"),
            h(
              "span",
              {},
              `${isolated(this.misfit.name)} no longer fits here: ${ended(this.misfit.reason)} Choose ` +
                "another experiment.",
            ),
          )
        : null,
      this.fitting.length
        ? [this.list, this.none]
        : h("div", { class: "pw-picker-empty" }, "No experiment of this project fits here."),
      this.says,
      this.others.length ? this.rest() : null,
    ];
  }

  /** @param {Values} option */
  row(option) {
    const name = unique("name"),
      about = unique("about");
    const marks = [
      option.used_by ? `Used by stage ${option.used_by}` : null,
      option.ran ? "Has run" : null,
    ].filter(Boolean);
    const input = h("input", {
      type: "radio",
      name: this.group,
      value: option.id,
      checked: option === this.chosen,
      "aria-labelledby": name,
      "aria-describedby": about,
      onchange: () => this.choose(option),
    });
    return h(
      "label",
      { class: "pw-option" },
      input,
      h("span", { class: "pw-option-name", id: name }, isolated(option.name)),
      h(
        "span",
        { class: "pw-option-about", id: about },
        marks.map((mark) => h("span", { class: "pw-mark-word" }, mark)),
        h("span", { class: "pw-soft" }, option.algorithm),
      ),
    );
  }

  search() {
    const field = h("input", {
      type: "search",
      placeholder: "Search experiments",
      "aria-label": "Search experiments",
      autocomplete: "off",
      oninput: () => this.filter(field.value),
      onkeydown: (event) => {
        if (event.key !== "ArrowDown" && !(event.key === "Enter" && field.value)) return;
        event.preventDefault(); // what was searched for is chosen first, and submitted by the next Enter
        this.shown(field.value)[0]?.el.querySelector("input").click();
        this.focus();
      },
    });
    return field;
  }

  /** @param {string} text */
  shown(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return this.rows.filter((row) => words.every((word) => row.text.includes(word)));
  }

  /** @param {string} text */
  filter(text) {
    const found = new Set(this.shown(text));
    for (const row of this.rows) row.el.hidden = !found.has(row);
    this.none.textContent = found.size ? "" : "No experiment of that name fits here.";
  }

  rest() {
    const list = h(
      "ul",
      { class: "pw-options pw-unfit", "aria-label": "Experiments that do not fit", tabindex: "0" },
      this.others.map((option) =>
        h(
          "li",
          { class: "pw-option" },
          h("span", { class: "pw-option-name" }, isolated(option.name)),
          h("span", { class: "pw-option-about" }, h("span", {}, option.algorithm)),
          h("span", { class: "pw-option-reason" }, ended(option.reason)),
        ),
      ),
    );
    list.hidden = true;
    const box = h("input", {
      type: "checkbox",
      id: unique("unfit"),
      onchange: () => (list.hidden = !box.checked),
    });
    return [
      h(
        "div",
        { class: "pw-check" },
        box,
        h("label", { for: box.id }, "Show experiments that do not fit"),
        h("span", { class: "pw-soft" }, `(${this.others.length})`),
      ),
      list,
    ];
  }

  /** @param {Values} option */
  choose(option) {
    this.chosen = option;
    this.tell();
    this.onchange(option);
  }

  tell() {
    if (!this.fed) return;
    const said =
      this.chosen?.role === "decoder"
        ? "The previous checkpoint is used as the decoder."
        : (this.chosen?.reason ?? "");
    this.says.textContent = said && ended(said);
  }

  focus() {
    (
      this.el.querySelector("input:checked[type=radio]") ||
      this.el.querySelector("input:not([type=checkbox])")
    )?.focus();
  }

  /** Bring the chosen one into sight, once the picker is in the page. */
  reveal() {
    const row = this.rows.find(({ option }) => option === this.chosen)?.el;
    if (row) this.list.scrollTop = row.offsetTop - this.list.offsetTop - row.offsetHeight;
  }
}
