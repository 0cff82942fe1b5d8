// The form of an experiment: one control for each field of its algorithm's config. Python says what the
// fields are, and what is wrong with them; what is typed stays here, by algorithm, until the experiment is
// made or it is thrown away.

import { field } from "./dialogs.js";
import { button, h, icon, redraw, unique } from "./elements.js";
import { capital, count, ended } from "./text.js";

class ConfigField {
  /**
   * @param {Values} spec
   * @param {any} typed
   * @param {(...said: any[]) => unknown} onchange
   */
  constructor(spec, typed, onchange) {
    this.spec = spec;
    this.error = h("div", { class: "pw-xf-error", id: unique("wrong"), role: "status" });
    this.control = this.made(typed ?? spec.value, onchange);
    this.control.id = unique("field");
    const hint = this.hint();
    const note = hint ? h("div", { class: "pw-hint", id: `${this.control.id}-hint` }, hint) : null;
    const box = spec.kind === "boolean";
    const unit =
      spec.unit && !box
        ? h("span", { class: "pw-xf-unit pw-soft", id: `${this.control.id}-unit` }, spec.unit)
        : null;
    this.control.setAttribute(
      "aria-describedby",
      [unit?.id, note?.id, this.error.id].filter(Boolean).join(" "),
    );
    if (spec.required) this.control.setAttribute("aria-required", "true");
    const label = h("label", { for: this.control.id }, spec.label);
    const coded = spec.coded && spec.label.toLowerCase() !== spec.name.toLowerCase();
    const code = [
      // the control says so, too
      spec.required ? h("span", { class: "pw-xf-must", "aria-hidden": "true" }, "required") : null,
      coded ? h("code", { class: "pw-xf-code", "aria-hidden": "true" }, spec.name) : null,
    ];
    const row = h("div", { class: "pw-xf-control" }, this.control, unit);
    this.el = h(
      "div",
      { class: `pw-field pw-xf-field${box ? " pw-xf-box" : ""}${this.isWide ? " pw-xf-wide" : ""}` },
      box
        ? [this.control, h("div", { class: "pw-xf-head" }, label, code)]
        : [h("div", { class: "pw-xf-head" }, label, code), row],
      note,
      this.error,
    );
  }

  get isWide() {
    return this.control.tagName === "TEXTAREA";
  }

  /**
   * @param {any} value
   * @param {(...said: any[]) => unknown} onchange
   */
  made(value, onchange) {
    const { kind, choices, required, computed } = this.spec;
    const changed = () => {
      this.wrong("");
      onchange(this.spec.name, this.value);
    };
    if (kind === "boolean")
      return h("input", { type: "checkbox", checked: value === "true", onchange: changed });
    if (kind === "choice") {
      const none =
        required || computed || !choices.some((/** @type {string[]} */ [known]) => known === value);
      const open = none ? h("option", { value: "" }, required ? "Choose…" : "Default") : null;
      return h(
        "select",
        { onchange: changed, value },
        open,
        choices.map((/** @type {string[]} */ [value, word]) => h("option", { value }, word)),
      );
    }
    if (kind === "json" && (value.includes("\n") || value.length > 40))
      return h("textarea", {
        rows: Math.min(8, value.split("\n").length + 1),
        spellcheck: "false",
        class: "pw-xf-json",
        oninput: changed,
        value,
      });
    const inputmode = kind === "number" ? "decimal" : kind === "whole" ? "numeric" : undefined;
    return h("input", {
      type: "text",
      inputmode,
      autocomplete: "off",
      spellcheck: "false",
      class: kind === "json" ? "pw-xf-json" : null,
      oninput: changed,
      value,
    });
  }

  hint() {
    const { description, bounds, kind, optional, computed, default: fallback } = this.spec;
    const sentences = [
      description,
      kind === "json" ? "Written as JSON." : null,
      bounds ? ended(capital(bounds)) : null,
      optional && kind !== "choice" ? "Left empty: none." : null,
      computed ? "Left empty: the algorithm's own default." : null,
      fallback && !["choice", "boolean"].includes(kind) && fallback.length <= 40
        ? `Default: ${fallback}.`
        : null,
    ]
      .filter(Boolean)
      .map((part, at) => (at ? part : ended(part)));
    return sentences.join(" ");
  }

  get value() {
    return this.spec.kind === "boolean" ? String(this.control.checked) : this.control.value;
  }

  get isWrong() {
    return this.control.hasAttribute("aria-invalid");
  }

  /** @param {string} text */
  wrong(text) {
    redraw(this.error, text ? [icon("Failed"), h("span", {}, text)] : null);
    if (text) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

export class ExperimentForm {
  /**
   * `drafts`: what was typed, which Escape keeps for the next time. `form`: as Python has sent it;
   * `experiment`: the one that is edited.
   * @param {{ frame: Frame, form: Values, drafts: Values, experiment?: any, note?: string }} options
   */
  constructor({ frame, form, drafts, experiment = null, note = "" }) {
    this.frame = frame;
    this.drafts = drafts;
    this.experiment = experiment;
    this.about = "";
    const name = {
      name: "name",
      label: "Name",
      kind: "text",
      required: true,
      value: form.name,
      choices: /** @type {string[][]} */ ([]),
      description: experiment ? "" : "Unique in this project",
    };
    this.name = new ConfigField(name, drafts.name, (/** @type {any} */ each, /** @type {string} */ text) =>
      this.typed(drafts, each, text),
    );
    this.seed = new ConfigField(
      form.seed,
      drafts.seed,
      (/** @type {any} */ each, /** @type {string} */ text) => this.typed(drafts, each, text),
    );
    this.says = h("div", { class: "pw-hint", role: "status" });
    this.fields = h("div", { class: "pw-xf-fields" });
    this.title = h("h3", { class: "pw-xf-title" }, "Config");
    this.choice = h(
      "select",
      { disabled: !!experiment, onchange: () => this.change(this.choice.value) },
      form.algorithms.map((/** @type {{ name: string, problem: any }} */ { name: each, problem }) =>
        h("option", { value: each, disabled: !!problem }, problem ? `${each} (cannot be loaded)` : each),
      ),
    );
    const choice = field("Algorithm", this.choice);
    choice.append(this.says);
    this.body = [
      h(
        "div",
        { class: "pw-xf-fields" },
        experiment ? [this.name.el, this.seed.el, choice] : [choice, this.name.el, this.seed.el],
      ),
      this.title,
      note ? h("p", { class: "pw-hint" }, note) : "",
      this.fields,
    ].filter(Boolean);
    if (!experiment) choice.classList.add("pw-xf-wide");
    this.show(form);
  }

  /** @param {Values} form */
  show(form) {
    this.form = form;
    if (form.algorithm !== null) this.choice.value = form.algorithm;
    const chosen = form.algorithms.find(
      (/** @type {{ name: string }} */ { name }) => name === form.algorithm,
    );
    const problems = form.algorithms
      .map((/** @type {{ problem: any }} */ { problem }) => problem)
      .filter(Boolean);
    redraw(
      this.says,
      chosen ? h("div", {}, chosen.says) : null,
      problems.map((/** @type {any} */ problem) => h("div", {}, problem)),
    );
    this.drafts.values[form.algorithm] ??= {};
    const typed = this.drafts.values[form.algorithm];
    const ordered = [...form.fields].sort((one, other) => other.required - one.required);
    this.config = ordered.map(
      (spec) =>
        new ConfigField(
          { ...spec, coded: true },
          typed[spec.name],
          (/** @type {string} */ name, /** @type {string} */ text) => this.typed(typed, name, text),
        ),
    );
    this.fields.replaceChildren(...this.config.map(({ el }) => el));
    if (!this.config.length)
      this.fields.append(
        h("div", { class: "pw-soft pw-xf-wide" }, "This algorithm has nothing to configure."),
      );
  }

  /**
   * @param {any} kept
   * @param {string} name
   * @param {string} text
   */
  typed(kept, name, text) {
    kept[name] = text;
    this.about = "";
    this.tell();
  }

  /**
   * Add to the dialog what throws away what is typed.
   * @param {any} dialog
   */
  open(dialog) {
    this.dialog = dialog;
    dialog.form.querySelector(".pw-dialog-actions").prepend(
      button({
        label: "Reset",
        kind: "pw-xf-reset",
        title: this.experiment ? "As the experiment has it" : "To the defaults",
        onclick: () => this.reset(),
      }),
    );
  }

  reset() {
    for (const each of [this.name, this.seed]) {
      delete this.drafts[each.spec.name];
      each.control.value = each.spec.value;
      each.wrong("");
    }
    this.drafts.values = {};
    this.about = "";
    this.show(this.form);
    this.tell();
  }

  /** @param {string} algorithm */
  async change(algorithm) {
    this.drafts.algorithm = algorithm;
    try {
      const form = await this.frame.line.ask("form", { algorithm }, this.choice);
      if (this.choice.value === algorithm) this.show(form);
    } catch (problem) {
      this.choice.value = this.form.algorithm;
      this.dialog.fail(problem);
    }
  }

  /** @param {El} pressed */
  async submit(pressed) {
    const sent = {
      name: this.name.value,
      seed: this.seed.value,
      algorithm: this.form.algorithm,
      version: this.form.version,
      values: Object.fromEntries(this.config.map((each) => [each.spec.name, each.value])),
    };
    const named = this.experiment ? { ...sent, experiment: this.experiment } : sent;
    const answer = await this.frame.line.ask(this.experiment ? "change" : "create", named, pressed);
    if (!answer.refused) return answer;
    this.refuse(answer.refused);
    return null;
  }

  /**
   * Show what is wrong beside each field, all at once, and go to the first.
   * @param {{ about: any, fields: Values, general: any }} options
   */
  refuse({ about, fields, general }) {
    this.name.wrong(about.name);
    this.seed.wrong(about.seed);
    const known = new Set(this.config.map(({ spec }) => spec.name));
    for (const each of this.config) each.wrong(fields[each.spec.name]);
    const others = Object.entries(fields)
      .filter(([name]) => !known.has(name))
      .map(([name, said]) => `${name}: ${said}`);
    this.about = [general, ...others].filter(Boolean).join(" ");
    this.tell();
    this.next(null);
  }

  get refused() {
    return [this.name, this.seed, ...this.config].filter((each) => each.isWrong);
  }

  /** Say how many fields are refused still; each that is changed counts no more. */
  tell() {
    const { length } = this.refused;
    const told = [length ? `${count(length, "field is", "fields are")} refused.` : "", this.about]
      .filter(Boolean)
      .join(" ");
    const place = this.dialog.form.querySelector(".pw-dialog-error");
    if (!told) return place.replaceChildren();
    const go = length
      ? button({
          label: length > 1 ? "Next" : "Show",
          kind: "pw-xf-next",
          title: "Go to the next field that is refused",
          onclick: () => this.next(),
        })
      : null;
    redraw(place, icon("Failed"), h("span", {}, told), go);
  }

  /**
   * Go to the refused field after the one that was worked in last; after the last one comes the first.
   * @param {ConfigField | null} [after]
   */
  next(after = this.at) {
    const all = [this.name, this.seed, ...this.config],
      from = all.indexOf(after) + 1;
    this.at = [...all.slice(from), ...all.slice(0, from)].find((each) => each.isWrong);
    this.at?.control.focus({ preventScroll: true });
    this.at?.el.scrollIntoView({ block: "center" });
  }
}
