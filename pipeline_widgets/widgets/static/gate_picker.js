// The condition under which an Auto stage starts.

import { radios } from "./dialogs.js";
import { h } from "./elements.js";

/** The gate of a Deployment that compares a checkpoint with the agent now deployed, as Python writes it. */
export const BETTER = "better than deployed";

/** What an Auto stage asks of a checkpoint; `draft` holds what is chosen and typed, as `gate` and `score`. */
export class GatePicker {
  /** @param {{ draft: Values, deploys: any, higher: boolean }} options */
  constructor({ draft, deploys, higher }) {
    this.draft = draft;
    this.gate = draft.gate === BETTER && !deploys ? "none" : draft.gate;
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
        ...(deploys ? [{ value: BETTER, label: "Better than the agent now deployed" }] : []),
      ],
      this.gate,
      (gate) => {
        this.gate = draft.gate = gate;
        this.number.hidden = gate !== "score";
      },
    );
    this.el.querySelector("[value=score]").parentElement.append(this.number);
  }

  /** As it is sent; null for none, and an empty text for a score that is not a number. */
  get settings() {
    if (this.gate !== "score") return this.gate === "none" ? null : this.gate;
    const least = this.draft.score.trim() === "" ? NaN : Number(this.draft.score);
    return Number.isFinite(least) ? least : "";
  }

  /** The box that still has to be filled in, or null. */
  get empty() {
    return this.gate === "score" && this.draft.score === "" ? this.number : null;
  }
}
