// The condition under which an Auto stage starts.

import { radios } from "./dialogs.js";
import { h } from "./elements.js";

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
