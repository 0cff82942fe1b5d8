// Controls of forms: inputs that a form holds, their labels, and choices.

import { html, icon, make, unique } from "./elements.js";
import { live, nothing } from "./vendor/lit.js";

/**
 * Make a line of text to be typed.
 * @param {string} [value]
 * @param {Record<string, string>} [attributes]
 */
export function textInput(value = "", attributes = {}) {
  const el = /** @type {Input} */ (make(html`<input type="text" autocomplete="off" spellcheck="false" />`));
  for (const [name, text] of Object.entries(attributes)) el.setAttribute(name, text);
  el.value = value;
  return el;
}

/**
 * Make a text of several lines to be typed.
 * @param {number} rows
 * @param {string} [value]
 */
export const textArea = (rows, value = "") =>
  /** @type {HTMLTextAreaElement} */ (make(html`<textarea rows=${rows} .value=${value}></textarea>`));

/** Make a box to be ticked. */
export const checkBox = (checked = false) =>
  /** @type {Input} */ (make(html`<input type="checkbox" id=${unique("box")} .checked=${checked} />`));

/**
 * A box to be ticked, with its label.
 * @param {Input} box
 * @param {string} label
 * @param {Content} [more]
 */
export const check = (box, label, more) =>
  html`<div class="pw-check">${box}<label for=${box.id}>${label}</label>${more}</div>`;

/**
 * A labelled field; `hint` is read with it.
 * @param {string} label
 * @param {El} control
 * @param {string | null} [hint]
 * @param {{ kind?: string, more?: Content, status?: boolean }} [options]
 */
export function field(label, control, hint, { kind = "", more, status } = {}) {
  control.id ||= unique("field");
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  const note = hint
    ? html`<div class="pw-hint" id=${`${control.id}-hint`} role=${status ? "status" : nothing}>${hint}</div>`
    : null;
  return html`<div class=${`pw-field ${kind}`}>
    <label for=${control.id}>${label}</label>${control}
    ${note}
    ${more}
  </div>`;
}

/**
 * Mark a field as wrong until it is changed, and go there. Returns the error, to be thrown.
 * @template Told
 * @param {El} control
 * @param {Told} error
 */
export function wrongField(control, error) {
  control.setAttribute("aria-invalid", "true");
  control.addEventListener("input", () => control.removeAttribute("aria-invalid"), { once: true });
  control.focus();
  return error;
}

/**
 * The choices of a list; one that is open is left alone where nothing has changed.
 * @param {Iterable<readonly [value: string | number, text: string, disabled?: boolean]>} choices
 * @param {string | number | null} [chosen]
 */
export const options = (choices, chosen) =>
  [...choices].map(
    ([value, text, disabled]) =>
      html`<option value=${value} ?disabled=${disabled}
        .selected=${live(String(value) === String(chosen))}>${text}</option>`,
  );

/**
 * A group of radio buttons; `group` is an id of its own.
 * @template Value
 * @param {{ legend: string, group: string, choices: Choice<Value>[], chosen: Value, kind?: string,
 *   onchange: (value: Value) => unknown }} options
 */
export const radios = ({ legend, group, choices, chosen, kind = "", onchange }) => {
  const [first = "", ...others] = choices.map(({ hint, reason }) => reason || hint || "");
  const shared = others.length && others.every((text) => text === first) ? first : ""; // it is said once
  const hintOf = (/** @type {string} */ id) => `${shared ? group : id}-hint`;
  return html`<fieldset class=${`pw-radios ${kind}`}>
    <legend>${legend}</legend>
    ${shared ? html`<div class="pw-hint" id=${hintOf(group)}>${shared}</div>` : null}
    ${choices.map(({ value, label, hint, reason, more }) => {
      const id = `${group}-${value}`;
      const text = reason || hint;
      return html`<div class="pw-radio">
        <input type="radio" name=${group} id=${id} value=${String(value)} .checked=${live(value === chosen)}
          ?disabled=${!!reason} aria-describedby=${text ? hintOf(id) : nothing}
          @change=${() => onchange(value)} />
        <label for=${id}>${label}</label>
        ${text && !shared ? html`<div class="pw-hint" id=${hintOf(id)}>${text}</div>` : null}
        ${more}
      </div>`;
    })}
  </fieldset>`;
};

/**
 * A box to search in, with its icon.
 * @param {Input} input
 */
export const searchBox = (input) => html`<div class="pw-find">${icon("search")}${input}</div>`;

/**
 * Make the input of a search.
 * @param {string} label
 */
export const searchInput = (label) =>
  textInput("", { type: "search", placeholder: label, "aria-label": label });
