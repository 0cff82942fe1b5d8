// What a stage is made of: an experiment out of those that fit, a checkpoint of the source stage, a gate.

import { radios } from "./dialogs.js";
import { h, unique } from "./elements.js";
import { sparkline } from "./sparkline.js";
import { isStep, stepOrder } from "./steps.js";
import { bytes, capital, ended, inFull, score, scores } from "./text.js";

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
