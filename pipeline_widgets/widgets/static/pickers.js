// A checkpoint, chosen from those of a run: the best, the final, or one of a table.

import { radios } from "./controls.js";
import { draw, find, focused, html, make, unique } from "./elements.js";
import { sparkline } from "./sparkline.js";
import { isStep, stepOrder } from "./steps.js";
import { heads, numberCell, numbers } from "./tables.js";
import { bytes, capital, ended, inFull, score, scores } from "./text.js";
import { live } from "./vendor/lit.js";

/**
 * Mark the best and the final checkpoint; while its run is active, that is but the latest.
 * @param {{ best: boolean, final: boolean }} options
 * @param {boolean} [active]
 */
export const stepMarks = ({ best, final }, active = false) =>
  [best ? "Best" : null, final ? (active ? "Latest" : "Final") : null]
    .filter(Boolean)
    .map((word) => [html`<span class="pw-mark-word">${word}</span>`, " "]);

/** Best, Final, or one of a table; each says which step that is now. */
export class CheckpointPicker {
  /**
   * `choice`: "best", "final" or a step.
   * @param {{ legend: string, offer: CheckpointOffer, choice: Step,
   *   onchange: (value: Step) => unknown }} options
   */
  constructor({ legend, offer, choice, onchange }) {
    this.legend = legend;
    this.offer = offer;
    this.choice = choice;
    this.onchange = onchange;
    this.group = unique("checkpoint");
    this.step = isStep(choice) ? choice : null;
    this.steps = offer.checkpoints.map((checkpoint) => checkpoint.step);
    this.el = make(html`<div class="pw-checkpoints"></div>`);
    this.show();
  }

  /** @returns {Choice<string>[]} */
  get kinds() {
    const { best, final } = this.offer;
    const gone = this.step !== null && !this.steps.includes(this.step);
    return [
      { value: "best", label: "Best checkpoint", hint: capital(ended(best.reason)) },
      { value: "final", label: "Final checkpoint", hint: capital(ended(final.reason)) },
      {
        value: "step",
        label: "A specific step",
        hint: gone ? `There is no checkpoint at step ${inFull(this.step ?? 0)} now.` : null,
        reason: this.steps.length || gone ? null : final.reason,
      },
    ];
  }

  /** The step that is chosen, if there is one now. */
  get chosenStep() {
    const { choice, offer } = this;
    return isStep(choice) ? choice : offer[/** @type {"best" | "final"} */ (choice)]?.step;
  }

  /**
   * @param {string} kind
   * @param {Step} [step]
   */
  choose(kind, step) {
    if (kind === "step") this.step = step ?? this.step ?? this.offer.best.step;
    this.choice = kind === "step" ? (this.step ?? kind) : kind;
    this.show();
    if (kind === "step" && step === undefined) this.table?.scrollIntoView({ block: "nearest" });
    this.onchange(this.choice);
  }

  get table() {
    return this.el.querySelector(".pw-steps");
  }

  show() {
    const special = isStep(this.choice);
    draw(this.el, [
      radios({
        legend: this.legend,
        group: this.group,
        choices: this.kinds,
        chosen: special ? "step" : String(this.choice),
        onchange: (kind) => this.choose(kind),
      }),
      html`<div class="pw-steps-curve" ?hidden=${!this.curve}>${this.curve}</div>`,
      this.steps.length ? html`<div class="pw-steps" ?hidden=${!special}>${this.checkpoints()}</div>` : null,
    ]);
    const row = special && this.table?.querySelector("input:checked")?.closest("tr");
    if (row && !this.table?.contains(focused())) this.reveal(row);
  }

  /** @param {HTMLTableRowElement} row */
  reveal(row) {
    requestAnimationFrame(
      () => (find(this.el, ".pw-steps").scrollTop = row.offsetTop - 2 * row.offsetHeight),
    );
  }

  checkpoints() {
    const better = this.offer.higher_is_better ? "" : " (lower is better)",
      training = scores(this.offer.checkpoints.map((each) => each.training_score)),
      evaluation = scores(this.offer.checkpoints.map((each) => each.evaluation_score));
    return html`<table class="pw-table" aria-label="Checkpoints">
      ${heads(["Steps", ...numbers(`Training Score${better}`, `Evaluation Score${better}`, "Size")])}
      <tbody>
        ${this.ordered().map(
          (each) => html`<tr @click=${(event) => pressRow(event)}>
            <td>${this.stepChoice(each.step)}</td>
            ${numberCell(training(each.training_score))}${numberCell(evaluation(each.evaluation_score))}
            ${numberCell(bytes(each.size))}
          </tr>`,
        )}
      </tbody>
    </table>`;
  }

  /** @param {Step} step */
  stepChoice(step) {
    const { best, final } = this.offer;
    return html`<div class="pw-step">
      <input type="radio" name=${`${this.group}-steps`} value=${step} aria-label=${`Step ${inFull(step)}`}
        .checked=${live(String(step) === String(this.choice))} @change=${() => this.choose("step", step)} />
      <span>${inFull(step)}</span>${stepMarks({ best: step === best.step, final: step === final.step })}
    </div>`;
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

  /** A score by step, with the chosen checkpoint marked; nothing where it has no shape. */
  get curve() {
    const { checkpoints } = this.offer,
      step = this.chosenStep;
    const evaluated = checkpoints.some((each) => each.evaluation_score !== null);
    const points = checkpoints.map(
      (each) => /** @type {Point} */ ([each.step, evaluated ? each.evaluation_score : each.training_score]),
    );
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    if (values.length < 2) return null;
    const word = evaluated ? "Evaluation Score" : "Training Score";
    const marked = points.find(([at]) => at === step);
    const told = marked
      ? html`<div class="pw-steps-marked">Step ${inFull(marked[0])}: ${score(marked[1])}</div>`
      : null;
    const at = marked ? `; marked: step ${inFull(marked[0])}, ${score(marked[1])}` : "";
    const label = `${word} by step${at}`;
    return html`${sparkline(points, { width: 240, height: 44, mark: step ?? null, label })}
      <div class="pw-hint" aria-hidden="true">
        <div>${word} by step, ${score(Math.min(...values))} to ${score(Math.max(...values))}</div>
        ${told}
      </div>`;
  }
}

/**
 * A press anywhere in a row is one on its radio button.
 * @param {At} event
 */
function pressRow({ target, currentTarget }) {
  const input = find(currentTarget, "input");
  if (target !== input) input.click();
}
