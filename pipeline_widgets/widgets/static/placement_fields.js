// The fields of a form that say where runs are launched, and with which resources.

import { ConfigField } from "./config_field.js";
import { html, make } from "./elements.js";

export class PlacementFields {
  /**
   * `typed` keeps what is typed; `above` says what holds where all is left empty.
   * @param {{ fields: FieldSpec[], typed: Record<string, string>, above: string,
   *   onchange?: () => unknown }} options
   */
  constructor({ fields, typed, above, onchange = () => {} }) {
    this.all = fields.map(
      (spec) =>
        new ConfigField(spec, typed[spec.name], (name, text) => {
          typed[name] = text;
          onchange();
        }),
    );
    this.el = /** @type {HTMLDetailsElement} */ (
      make(html`<details class="pw-placement" ?open=${this.all.some(({ value }) => value !== "")}>
        <summary>Launcher and resources</summary>
        <p class="pw-hint">Left empty: ${above}</p>
        <div class="pw-xf-fields">${this.all.map(({ el }) => el)}</div>
      </details>`)
    );
  }

  /** @returns {Record<string, string>} */
  get values() {
    return Object.fromEntries(this.all.map(({ spec, value }) => [spec.name, value]));
  }

  reset() {
    for (const each of this.all) each.reset();
  }

  /**
   * Show what is wrong beside each field; return the first that is.
   * @param {Record<string, string>} errors
   */
  refuse(errors) {
    for (const each of this.all) each.wrong(errors[each.spec.name]);
    const first = this.all.find(({ isWrong }) => isWrong);
    if (first) this.el.open = true;
    return first ?? null;
  }
}
