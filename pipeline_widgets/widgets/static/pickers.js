// What a stage is made of: an experiment out of those that fit, a checkpoint of the source stage, a gate.

import { radios } from "./dialogs.js";
import { h, icon, unique } from "./elements.js";
import { sparkline } from "./sparkline.js";
import { isStep, stepOrder } from "./steps.js";
import { bytes, inFull, isolated, score, scores } from "./text.js";

const SEARCH_FROM = 7; // experiments from which on a search helps

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
/** @param {string} text */
export const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

// ---- experiments ---------------------------------------------------------------------------------

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

// ---- checkpoints ---------------------------------------------------------------------------------

/**
 * Mark the best and the final checkpoint.
 * @param {{ best: any, final: any }} options
 */
export function stepMarks({ best, final }) {
  return [best ? "Best" : null, final ? "Final" : null]
    .filter(Boolean)
    .map((word) => [h("span", { class: "pw-mark-word" }, word), " "]);
}

/** Best, Final, or one of a table; each says which step that is now. */
export class CheckpointPicker {
  /**
   * `offer`: {checkpoints, best, final, higher_is_better}, as a form has it. `choice`: "best", "final" or a
   * step.
   * @param {{ legend: string, offer: any, choice: Step, onchange: (value: any) => unknown }} options
   */
  constructor({ legend, offer, choice, onchange }) {
    this.offer = offer;
    this.choice = choice;
    this.onchange = onchange;
    this.step = isStep(choice) ? choice : null;
    this.steps = offer.checkpoints.map((/** @type {Values} */ checkpoint) => checkpoint.step);
    this.radios = radios(legend, "checkpoint", this.kinds(), this.step === null ? choice : "step", (kind) =>
      this.choose(kind),
    );
    this.curve = h("div", { class: "pw-steps-curve" });
    this.table = this.steps.length ? this.made() : h("div", {});
    this.el = h("div", { class: "pw-checkpoints" }, this.radios, this.curve, this.table);
    this.show();
  }

  kinds() {
    const { best, final } = this.offer;
    const gone = this.step !== null && !this.steps.includes(this.step);
    return [
      { value: "best", label: "Best checkpoint", hint: capital(ended(best.reason)) },
      { value: "final", label: "Final checkpoint", hint: capital(ended(final.reason)) },
      {
        value: "step",
        label: "A specific step",
        hint: gone ? `There is no checkpoint at step ${inFull(this.step)} now.` : null,
        reason: this.steps.length || gone ? null : final.reason,
      },
    ];
  }

  made() {
    const group = unique("step");
    const better = this.offer.higher_is_better ? "" : " (lower is better)";
    const [training, evaluation] = ["training_score", "evaluation_score"].map((name) =>
      scores(this.offer.checkpoints.map((/** @type {any} */ each) => each[name])),
    );
    /** @param {Values} checkpoint */
    const row = (checkpoint) => {
      const { step } = checkpoint,
        marks = { best: step === this.offer.best.step, final: step === this.offer.final.step };
      const input = h("input", {
        type: "radio",
        name: group,
        value: step,
        checked: step === this.step,
        "aria-label": `Step ${inFull(step)}`,
        onchange: () => this.choose("step", step),
      });
      return h(
        "tr",
        { onclick: (event) => event.target === input || input.click() },
        h("td", {}, h("div", { class: "pw-step" }, input, h("span", {}, inFull(step)), stepMarks(marks))),
        h("td", { class: "pw-number" }, training(checkpoint.training_score)),
        h("td", { class: "pw-number" }, evaluation(checkpoint.evaluation_score)),
        h("td", { class: "pw-number" }, bytes(checkpoint.size)),
      );
    };
    /**
     * @param {string} text
     * @param {string} [kind]
     */
    const head = (text, kind) => h("th", { scope: "col", class: kind }, text);
    return h(
      "div",
      { class: "pw-steps", "data-scroll": "steps" },
      h(
        "table",
        { class: "pw-table", "aria-label": "Checkpoints" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head("Step"),
            head(`Training Score${better}`, "pw-number"),
            head(`Evaluation Score${better}`, "pw-number"),
            head("Size", "pw-number"),
          ),
        ),
        h("tbody", {}, this.ordered().map(row)),
      ),
    );
  }

  /** The best and the final one first, then the latest. */
  ordered() {
    const pinned = [this.offer.best.step, this.offer.final.step];
    /** @param {{ step: Step }} options */
    const rank = ({ step }) => (pinned.includes(step) ? pinned.indexOf(step) : pinned.length);
    return [...this.offer.checkpoints].sort(
      (one, other) => rank(one) - rank(other) || stepOrder(other.step, one.step),
    );
  }

  /**
   * @param {string} kind
   * @param {Step} [step]
   */
  choose(kind, step = null) {
    if (kind === "step") this.step = step ?? this.step ?? this.offer.best.step;
    this.choice = kind === "step" ? this.step : kind;
    this.show();
    if (kind === "step" && step === null) this.table.scrollIntoView({ block: "nearest" });
    this.onchange(this.choice);
  }

  show() {
    const special = isStep(this.choice);
    this.table.hidden = !special;
    if (special)
      for (const input of this.table.querySelectorAll("input"))
        input.checked = input.value === String(this.choice);
    this.draw(special ? this.choice : this.offer[this.choice]?.step);
    const row = special && this.table.querySelector("input:checked")?.closest("tr");
    if (row && !this.table.contains(document.activeElement)) this.reveal(row);
  }

  /** @param {Element} row */
  reveal(row) {
    requestAnimationFrame(() => (this.table.scrollTop = row.offsetTop - 2 * row.offsetHeight));
  }

  /** @param {Step} step */
  draw(step) {
    const name = this.offer.checkpoints.some((/** @type {any} */ each) => each.evaluation_score !== null)
      ? "evaluation_score"
      : "training_score";
    const points = this.offer.checkpoints.map((/** @type {any} */ each) => [each.step, each[name]]);
    const values = points
      .map((/** @type {any[]} */ [, value]) => value)
      .filter((/** @type {any} */ value) => value !== null);
    this.curve.hidden = values.length < 2;
    if (this.curve.hidden) return;
    const word = name === "evaluation_score" ? "Evaluation Score" : "Training Score";
    const marked = points.find((/** @type {any[]} */ [at]) => at === step);
    const at = marked ? `; marked: step ${inFull(step)}, ${score(marked[1])}` : "";
    this.curve.replaceChildren(
      sparkline(points, { width: 240, height: 44, mark: step ?? null, label: `${word} by step${at}` }),
      h(
        "div",
        { class: "pw-hint", "aria-hidden": "true" },
        h("div", {}, `${word} by step, ${score(Math.min(...values))} to ${score(Math.max(...values))}`),
        marked ? h("div", { class: "pw-steps-marked" }, `Step ${inFull(step)}: ${score(marked[1])}`) : null,
      ),
    );
  }
}

// ---- gates ---------------------------------------------------------------------------------------

/** What an Auto stage asks of a checkpoint; `draft` holds what is chosen and typed, as `gate` and `score`. */
export class GatePicker {
  /** @param {{ draft: Values, deploys: any, higher: boolean }} options */
  constructor({ draft, deploys, higher }) {
    this.draft = draft;
    this.gate = draft.gate === "better" && !deploys ? "none" : draft.gate;
    this.number = h("input", {
      type: "number",
      step: "any",
      value: draft.score,
      class: "pw-gate-score",
      "aria-label": "Least evaluation score",
      oninput: () => {
        draft.score = this.number.value;
        this.number.removeAttribute("aria-invalid");
      },
    });
    this.number.hidden = this.gate !== "score";
    this.el = radios(
      "Gate",
      "gate",
      [
        { value: "none", label: "No gate" },
        {
          value: "score",
          label: "Evaluation score at least",
          hint: higher ? null : "Lower is better here: this or lower is good enough.",
        },
        ...(deploys ? [{ value: "better", label: "Better than the agent now deployed" }] : []),
      ],
      this.gate,
      (gate) => {
        this.gate = draft.gate = gate;
        this.number.hidden = gate !== "score";
      },
    );
    this.el.querySelector("[value=score]").parentElement.append(this.number);
  }

  /** As it is sent; null for none. */
  get settings() {
    const least = this.draft.score.trim() === "" ? null : Number(this.draft.score);
    /** @type {Values} */
    const gates = { none: null, better: "better", score: { score: Number.isFinite(least) ? least : null } };
    return gates[this.gate];
  }

  /** The box that still has to be filled in, or null. */
  get empty() {
    return this.gate === "score" && this.draft.score === "" ? this.number : null;
  }
}
