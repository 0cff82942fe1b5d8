// A field of an experiment's form: its control, what it is for, and what is wrong with it.

import { checkBox, options, textInput } from "./controls.js";
import { draw, failure, html, make, unique } from "./elements.js";
import { capital, ended } from "./text.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

export class ConfigField {
  /**
   * With `coded` it is also said how code calls it.
   * @param {FieldSpec} spec
   * @param {string | undefined} typed
   * @param {(name: string, text: string) => unknown} onchange
   * @param {boolean} [coded]
   */
  constructor(spec, typed, onchange, coded = false) {
    this.spec = spec;
    this.control = fieldControl(spec, typed ?? spec.value);
    this.control.id = unique("field");
    this.control.addEventListener(
      spec.kind === "boolean" || spec.kind === "choice" ? "change" : "input",
      () => {
        this.wrong("");
        onchange(this.spec.name, this.value);
      },
    );
    const { id } = this.control,
      hint = fieldHint(spec),
      box = spec.kind === "boolean",
      unit = box ? "" : spec.unit;
    const described = [unit && `${id}-unit`, hint && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(" ");
    this.control.setAttribute("aria-describedby", described);
    if (spec.required) this.control.setAttribute("aria-required", "true");
    const isCoded = coded && spec.label.toLowerCase() !== spec.name.toLowerCase();
    // the control says so, too, where it is required
    const head = html`<div class="pw-xf-head">
      <label for=${id}>${spec.label}</label>
      ${spec.required ? html`<span class="pw-xf-must" aria-hidden="true">required</span>` : null}
      ${isCoded ? html`<code class="pw-xf-code" aria-hidden="true">${spec.name}</code>` : null}
    </div>`;
    const row = html`<div class="pw-xf-control">
      ${this.control}${unit ? html`<span class="pw-xf-unit pw-soft" id=${`${id}-unit`}>${unit}</span>` : null}
    </div>`;
    const wide = this.control.tagName === "TEXTAREA" ? " pw-xf-wide" : "";
    this.error = make(html`<div class="pw-xf-error" id=${`${id}-wrong`} role="status"></div>`);
    this.el = make(
      html`<div class=${`pw-field pw-xf-field${box ? " pw-xf-box" : ""}${wide}`}>
        ${box ? [this.control, head] : [head, row]}
        ${hint ? html`<div class="pw-hint" id=${`${id}-hint`}>${hint}</div>` : null}${this.error}
      </div>`,
    );
  }

  get value() {
    return this.spec.kind === "boolean"
      ? String(/** @type {Input} */ (this.control).checked)
      : this.control.value;
  }

  get isWrong() {
    return this.control.hasAttribute("aria-invalid");
  }

  /** @param {string} [text] */
  wrong(text = "") {
    draw(this.error, failure(text));
    if (text) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }

  reset() {
    this.control.value = this.spec.value;
    this.wrong();
  }
}

/**
 * @param {FieldSpec} spec
 * @param {string} value
 * @returns {Control}
 */
function fieldControl({ kind, choices = [], required, computed }, value) {
  if (kind === "boolean") return checkBox(value === "true");
  if (kind === "choice") {
    const open = required || computed || !choices.some(([known]) => known === value);
    /** @type {[string, string][]} */
    const offered = open ? [["", required ? "Choose…" : "Default"], ...choices] : choices;
    return /** @type {HTMLSelectElement} */ (make(html`<select>${options(offered, value)}</select>`));
  }
  if (kind === "json" && (value.includes("\n") || value.length > 40))
    return /** @type {HTMLTextAreaElement} */ (
      make(
        html`<textarea rows=${Math.min(8, value.split("\n").length + 1)} spellcheck="false" class="pw-xf-json"
          .value=${value}></textarea>`,
      )
    );
  const mode = { number: "decimal", whole: "numeric" }[kind];
  return textInput(value, {
    ...(mode ? { inputmode: mode } : {}),
    ...(kind === "json" ? { class: "pw-xf-json" } : {}),
  });
}

/** @param {FieldSpec} spec */
function fieldHint({ description, bounds, kind, optional, computed, default: fallback }) {
  return [
    description,
    kind === "json" ? "Written as JSON." : null,
    bounds ? ended(capital(bounds)) : null,
    optional && kind !== "choice" ? "Left empty: none." : null,
    computed ? "Left empty: the algorithm's own default." : null,
    fallback && !["choice", "boolean"].includes(kind) && fallback.length <= 40
      ? `Default: ${fallback}.`
      : null,
  ]
    .filter((part) => !!part)
    .map((part, at) => (at ? part : ended(part ?? "")))
    .join(" ");
}
