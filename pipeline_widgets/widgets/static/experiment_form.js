// The form of an experiment: one control for each field of its algorithm's config. Python says what the
// fields are, and what is wrong with them; what is typed stays here, by algorithm, until the experiment is
// made or it is thrown away.

import { ConfigField } from "./config_field.js";
import { field, options } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { button, failure, html, make } from "./elements.js";
import { PlacementFields } from "./placement_fields.js";
import { count, isolated } from "./text.js";

/** @type {FormCommands} */
const FORM_COMMANDS = { form: "form", create: "create", args: {} };

export class ExperimentForm {
  /**
   * `drafts`: what was typed, which Escape keeps for the next time. `form`: as Python has sent it;
   * `experiment`: the one that is edited; `commands`: what a view calls the commands that make one.
   * @param {{ frame: Frame, form: ExperimentFormData, drafts: FormDrafts, experiment?: number | null,
   *   note?: string, commands?: FormCommands }} options
   */
  constructor({ frame, form, drafts, experiment = null, note = "", commands = FORM_COMMANDS }) {
    this.frame = frame;
    this.form = form;
    this.drafts = drafts;
    this.experiment = experiment;
    this.note = note;
    this.commands = commands;
    this.about = "";
    /** @type {ConfigField[]} */
    this.config = [];
    /** @type {ConfigField | null} */
    this.at = null;
    const name = {
      name: "name",
      label: "Name",
      kind: "text",
      required: true,
      value: form.name,
      description: experiment ? "" : "Unique in this project",
    };
    this.name = new ConfigField(name, drafts.name, (_, text) => {
      drafts.name = text;
      this.changed();
    });
    this.seed = new ConfigField(form.seed, drafts.seed, (_, text) => {
      drafts.seed = text;
      this.changed();
    });
    drafts.placement ??= {};
    this.placement = new PlacementFields({
      fields: form.placement,
      typed: drafts.placement,
      above: "as the workspace says. A stage may say otherwise.",
      onchange: () => this.changed(),
    });
    /** @type {[string, string, boolean][]} */
    const algorithms = form.algorithms.map(({ name: each, problem, install, misfit }) => [
      each,
      problem
        ? `${each} (${install ? "not installed" : "cannot be loaded"})`
        : `${each}${misfit ? " (does not fit here)" : ""}`,
      !!problem || !!misfit,
    ]);
    this.choice = /** @type {HTMLSelectElement} */ (
      make(
        html`<select ?disabled=${!!experiment} @change=${() => this.change(this.choice.value)}>
          ${options(algorithms, form.algorithm)}
        </select>`,
      )
    );
    this.take(form);
  }

  /**
   * @param {Omit<DialogOptions, "frame" | "body">} options
   */
  open(options) {
    this.dialog = openDialog({
      ...options,
      frame: this.frame,
      wide: true,
      body: () => this.body(),
      actions: button({
        label: "Reset",
        kind: "pw-xf-reset",
        title: this.experiment ? "As the experiment has it" : "To the defaults",
        onclick: () => this.reset(),
      }),
    });
    return this.dialog;
  }

  body() {
    const { form, experiment, name, seed } = this;
    const says = form.algorithms.find((each) => each.name === form.algorithm)?.says;
    const problems = form.algorithms.filter(({ install }) => !install).map(({ problem }) => problem);
    const more = html`<div class="pw-hint" role="status">
      ${says === undefined ? null : html`<div>${says}</div>`}
      ${problems.filter(Boolean).map((problem) => html`<div>${problem}</div>`)}
      ${missing(form.algorithms).map((sentence) => html`<div>${sentence}</div>`)}
    </div>`;
    const choice = field("Algorithm", this.choice, null, { more, kind: experiment ? "" : "pw-xf-wide" });
    return [
      html`<div class="pw-xf-fields">
        ${experiment ? [name.el, seed.el, choice] : [choice, name.el, seed.el]}
      </div>`,
      html`<h3 class="pw-xf-title">Config</h3>`,
      this.note ? html`<p class="pw-hint">${this.note}</p>` : null,
      html`<div class="pw-xf-fields">
        ${
          this.config.length
            ? this.config.map(({ el }) => el)
            : html`<div class="pw-soft pw-xf-wide">This algorithm has nothing to configure.</div>`
        }
      </div>`,
      this.placement.el,
    ];
  }

  /**
   * Take the form of an algorithm.
   * @param {ExperimentFormData} form
   */
  take(form) {
    this.form = form;
    if (form.algorithm !== null) this.choice.value = form.algorithm;
    this.drafts.values[form.algorithm ?? ""] ??= {};
    const typed = this.drafts.values[form.algorithm ?? ""];
    const keep = (/** @type {string} */ name, /** @type {string} */ text) => {
      typed[name] = text;
      this.changed();
    };
    this.config = [...form.fields]
      .sort((one, other) => Number(!!other.required) - Number(!!one.required))
      .map((spec) => new ConfigField(spec, typed[spec.name], keep, true));
  }

  changed() {
    this.about = "";
    this.tell();
  }

  reset() {
    delete this.drafts.name;
    delete this.drafts.seed;
    for (const each of [this.name, this.seed, this.placement]) each.reset();
    for (const name of Object.keys(this.drafts.placement ?? {})) delete this.drafts.placement?.[name];
    this.drafts.values = {};
    this.take(this.form);
    this.changed();
  }

  /** @param {string} algorithm */
  async change(algorithm) {
    this.drafts.algorithm = algorithm;
    if (algorithm === this.form.algorithm) return; // its fields are there, and may be typed in already
    try {
      const form = await this.frame.line.ask(
        this.commands.form,
        { ...this.commands.args, algorithm },
        this.choice,
      );
      if (this.choice.value === algorithm) this.take(/** @type {ExperimentFormData} */ (form));
      this.dialog?.draw();
    } catch (problem) {
      this.choice.value = this.form.algorithm ?? "";
      this.dialog?.fail(problem);
    }
  }

  /**
   * @param {El} pressed
   * @returns {Promise<Named | null>}
   */
  async submit(pressed) {
    const sent = {
      name: this.name.value,
      seed: this.seed.value,
      algorithm: this.form.algorithm,
      version: this.form.version,
      values: Object.fromEntries(this.config.map((each) => [each.spec.name, each.value])),
      placement: this.placement.values,
    };
    const named = this.experiment ? { ...sent, experiment: this.experiment } : sent;
    const answer = /** @type {Named & { refused?: Refusal }} */ (
      await this.frame.line.ask(this.experiment ? "change" : this.commands.create, named, pressed)
    );
    if (!answer.refused) return answer;
    this.refuse(answer.refused);
    return null;
  }

  get all() {
    return [this.name, this.seed, ...this.config, ...this.placement.all];
  }

  /**
   * Show what is wrong beside each field, all at once, and go to the first.
   * @param {Refusal} refusal
   */
  refuse({ about, fields, general, placement }) {
    this.name.wrong(about.name);
    this.seed.wrong(about.seed);
    const known = new Set(this.config.map(({ spec }) => spec.name));
    for (const each of this.config) each.wrong(fields[each.spec.name]);
    this.placement.refuse(placement);
    const others = Object.entries(fields)
      .filter(([name]) => !known.has(name))
      .map(([name, said]) => `${name}: ${said}`);
    this.about = [general, ...others].filter(Boolean).join(" ");
    this.tell();
    this.next(null);
  }

  /** Say how many fields still need fixing; each that is changed counts no more. */
  tell() {
    const { length } = this.all.filter((each) => each.isWrong);
    const told = [length ? `${count(length, "field needs", "fields need")} fixing.` : "", this.about]
      .filter(Boolean)
      .join(" ");
    const go = length
      ? button({
          label: length > 1 ? "Next" : "Show",
          kind: "pw-xf-next",
          title: "Go to the next field to fix",
          onclick: () => this.next(),
        })
      : null;
    this.dialog?.say(told ? [failure(told), go] : null);
  }

  /**
   * Go to the refused field after the one that was worked in last; after the last one comes the first.
   * @param {ConfigField | null} [after]
   */
  next(after = this.at) {
    const from = after ? this.all.indexOf(after) + 1 : 0;
    this.at = [...this.all.slice(from), ...this.all.slice(0, from)].find((each) => each.isWrong) ?? null;
    this.at?.control.focus({ preventScroll: true });
    this.at?.el.scrollIntoView({ block: "center" });
  }
}

/**
 * Return a sentence for each command that installs algorithms which are listed and cannot be used yet.
 * @param {AlgorithmChoice[]} algorithms
 */
function missing(algorithms) {
  /** @type {Map<string, string[]>} */
  const named = new Map();
  for (const { name, install } of algorithms) {
    if (install) named.set(install, [...(named.get(install) ?? []), name]);
  }
  return [...named].map(([install, names]) => `For ${names.join(", ")}: ${install}`);
}

/**
 * Open the form of a new experiment. What was typed stays with `host` for the next time where Escape
 * closes the form; Cancel throws it away.
 * @param {{ frame: Frame, form: ExperimentFormData, host: { typed: FormDrafts | null }, drafts: FormDrafts,
 *   commands?: FormCommands, onescape?: (event: Event) => unknown,
 *   onmade: (made: Named, said: string) => unknown }} options
 */
export function openNewForm({ frame, form, host, drafts, commands, onescape, onmade }) {
  const made = new ExperimentForm({ frame, form, drafts, commands });
  /** @type {Named | null} */
  let answer = null;
  let kept = false;
  const dialog = made.open({
    title: "New experiment",
    confirm: "Create",
    act: async (button) => {
      answer = await made.submit(button);
      return !!answer;
    },
    onclose: () => {
      if (!kept) host.typed = null;
      if (answer) onmade(answer, `Experiment ${isolated(answer.name)} was created.`);
    },
  });
  dialog.el.addEventListener("cancel", (event) => {
    kept = true;
    onescape?.(event);
  });
  made.name.control.focus();
}
