// What a stage is made of: its type, an experiment and where that starts, or a checkpoint and an agent, its
// trigger and its gate. What is typed and chosen lives here as a draft.

import { checkBox, field, radios, textArea, textInput } from "./controls.js";
import { html, unique } from "./elements.js";
import { ExperimentPicker } from "./experiment_picker.js";
import { CheckpointPicker } from "./pickers.js";
import { PlacementFields } from "./placement_fields.js";
import { BETTER, draftGate, draftRetries, stageDraft } from "./stage_draft.js";
import { StageStart } from "./stage_start.js";
import { isolated } from "./text.js";
import { live } from "./vendor/lit.js";

const RETRIES_HELP = "Of a run that crashes, from its last checkpoint. A run that fails is not retried.";

const FIXED_TYPE = "A stage cannot change its type.";

export class StageFields {
  /**
   * `changed` is called when something else has to be shown, `onnew` when a new experiment is wanted.
   * @param {StageFormData} form
   * @param {() => void} changed
   * @param {(pressed: El) => unknown} onnew
   */
  constructor(form, changed, onnew) {
    this.form = form;
    this.changed = changed;
    this.onnew = onnew;
    this.group = unique("stage");
    this.editing = form.stage !== null;
    this.draft = stageDraft(form);
    const { draft } = this;
    this.name = textInput(draft.name, { required: "", list: `${this.group}-agents` });
    this.name.addEventListener("input", () => {
      draft.name = this.name.value;
      this.name.removeAttribute("aria-invalid");
      this.changed();
    });
    this.about = textArea(2, draft.description);
    this.about.addEventListener("input", () => (draft.description = this.about.value));
    this.retries = textInput(draft.retries, { type: "number", min: "0", max: "100", step: "1" });
    this.retries.addEventListener("input", () => (draft.retries = this.retries.value));
    this.placement = new PlacementFields({
      fields: form.placement,
      typed: {},
      above: "as the experiment says, or the workspace.",
    });
    this.autoAdd = checkBox(draft.autoAdd);
    this.autoAdd.addEventListener("change", () => (draft.autoAdd = this.autoAdd.checked));
    this.autoAdd.setAttribute("aria-describedby", `${this.autoAdd.id}-hint`);
    this.take(form);
  }

  /**
   * Take what can be chosen; what was typed and chosen stays.
   * @param {StageFormData} form
   */
  take(form) {
    const { draft } = this;
    this.form = form;
    if (draft.kind === "deployment" && !form.can_deploy) draft.kind = "experiment";
    this.picker = new ExperimentPicker({
      options: form.experiments,
      chosen: draft.experiment,
      fed: !form.first,
      onchange: (option) => {
        draft.experiment = option.id;
        this.changed();
      },
      onnew: this.onnew,
    });
    this.start = new StageStart(
      form,
      draft,
      () => this.option,
      () => this.changed(),
    );
    /** @param {string} legend */
    const checkpoints = (legend) =>
      new CheckpointPicker({
        legend,
        offer: form,
        choice: draft.choice,
        onchange: (choice) => (draft.choice = choice),
      }).el;
    this.startsFrom = form.first ? null : checkpoints("Start from");
    this.deploys = form.can_deploy ? checkpoints("Checkpoint from Previous Stage") : null;
  }

  get option() {
    return this.form.experiments.find((option) => option.id === this.draft.experiment && option.fits) ?? null;
  }

  get auto() {
    return this.draft.trigger === "auto" && !this.form.manual_only;
  }

  /** The gate that is chosen, as far as a stage of this type can have it. */
  get gate() {
    const { gate, kind } = this.draft;
    return gate === BETTER && kind !== "deployment" ? "none" : gate;
  }

  // ---- what is shown

  body() {
    const deploys = this.draft.kind === "deployment";
    return html`<div class="pw-stageform">
      <div class="pw-stageform-part">
        ${this.editing ? null : html`<p class="pw-hint">${this.where()}</p>`}${this.types()}
      </div>
      <div class="pw-stageform-part" ?hidden=${deploys}>
        ${this.picker?.el}
        <div class="pw-stageform-part">${this.startsFrom ?? this.start?.content()}</div>
      </div>
      <div class="pw-stageform-part" ?hidden=${!deploys}>${this.deployment()}</div>
      ${this.triggers()}
      <div class="pw-stageform-part" ?hidden=${!this.auto}>${this.gates()}</div>
      <div class="pw-retries" ?hidden=${deploys}>
        ${field("Retries", this.retries, RETRIES_HELP)}
      </div>
      <div class="pw-check" ?hidden=${deploys}>
        ${this.autoAdd}<label for=${this.autoAdd.id}>Auto-add checkpoint to Agents when complete</label>
        <div class="pw-hint" id=${`${this.autoAdd.id}-hint`}>
          The best checkpoint, named after pipeline, stage and step.
        </div>
      </div>
      <div ?hidden=${deploys}>${this.placement.el}</div>
    </div>`;
  }

  where() {
    const { position, pipeline, source } = this.form;
    const start = source ? `, starting from ${source}` : "";
    return `Will be stage ${position + 1} of ${isolated(pipeline.name)}${start}.`;
  }

  /**
   * Two ways, side by side, of which the draft has one.
   * @param {string} legend
   * @param {"kind" | "trigger"} name
   * @param {Choice<string>[]} choices
   * @param {string} chosen
   */
  two(legend, name, choices, chosen) {
    return radios({
      legend,
      group: `${this.group}-${name}`,
      kind: "pw-two",
      choices,
      chosen,
      onchange: (value) => {
        Object.assign(this.draft, { [name]: value });
        this.changed();
      },
    });
  }

  types() {
    const { form, draft } = this;
    /** @param {string} kind */
    const fixed = (kind) => (this.editing && draft.kind !== kind ? FIXED_TYPE : null);
    return this.two(
      "Stage type",
      "kind",
      [
        {
          value: "experiment",
          label: "Experiment",
          hint: "Runs an experiment of this project.",
          reason: fixed("experiment"),
        },
        {
          value: "deployment",
          label: "Deployment",
          hint: "Deploys a checkpoint to Agents.",
          reason: fixed("deployment") || (form.can_deploy ? null : form.deploy_reason),
        },
      ],
      draft.kind,
    );
  }

  triggers() {
    const { manual_only: reason } = this.form;
    return this.two(
      "Trigger",
      "trigger",
      [
        { value: "manual", label: "Manual", hint: "Runs only when triggered" },
        { value: "auto", label: "Auto", hint: "Starts when the prior stage succeeds", reason },
      ],
      reason ? "manual" : this.draft.trigger,
    );
  }

  /** What a Deployment stage is made of: a checkpoint, and the name of an agent. */
  deployment() {
    if (!this.form.can_deploy) return null;
    const { agent_names: names } = this.form;
    const known = names.includes(this.draft.name.trim())
      ? "This Agent exists: it gets a new version, and the former ones are kept."
      : "The stage creates this Agent, or gives it a new version each time.";
    return html`${this.deploys}
      <div>
        ${field("Agent name", this.name, known, { status: true })}
        <datalist id=${`${this.group}-agents`}>${names.map(
          (name) => html`<option value=${name}>
          
        </option>`,
        )}</datalist>
      </div>
      ${field("Agent description", this.about)}`;
  }

  /** What an Auto stage asks of a checkpoint. */
  gates() {
    const { draft, gate } = this;
    const score = html`<input type="number" step="any" class="pw-gate-score"
      aria-label="Least evaluation score"
      .value=${live(draft.score)} ?hidden=${gate !== "score"}
      @input=${(event) => {
        draft.score = event.currentTarget.value;
        event.currentTarget.removeAttribute("aria-invalid");
      }} />`;
    return radios({
      legend: "Start only if…",
      group: `${this.group}-gate`,
      choices: [
        { value: "none", label: "Always" },
        {
          value: "score",
          label: "Evaluation score at least",
          hint: this.form.higher_is_better ? null : "Lower is better here: this or lower is good enough.",
          more: score,
        },
        ...(draft.kind === "deployment"
          ? [{ value: BETTER, label: "Better than the agent now deployed" }]
          : []),
      ],
      chosen: gate,
      onchange: (value) => {
        draft.gate = value;
        this.changed();
      },
    });
  }

  /** @returns {StageSettings} */
  settings() {
    const { draft, form, auto } = this;
    const shared = {
      trigger: auto ? "auto" : "manual",
      gate: auto ? draftGate({ gate: this.gate, score: draft.score }) : null,
    };
    if (draft.kind === "deployment")
      return {
        ...shared,
        kind: "deployment",
        agent: draft.name,
        description: draft.description,
        checkpoint: draft.choice,
      };
    const begin = this.start?.begin === "agent" ? { agent: draft.agent } : "scratch";
    return {
      ...shared,
      kind: "experiment",
      experiment: this.option?.id ?? null,
      start: form.first ? begin : draft.choice,
      auto_add_agent: draft.autoAdd,
      retries: draftRetries(draft.retries),
      placement: this.placement.values,
    };
  }

  /**
   * The control in a form that has to be filled in, marked as such.
   * @param {El} el
   */
  wrong(el) {
    const { draft } = this;
    if (draft.kind === "experiment" && !this.option) return this.picker;
    const nameless = draft.kind === "deployment" && !draft.name.trim();
    const scoreless = this.auto && this.gate === "score" && draft.score === "";
    const box = nameless ? this.name : scoreless ? el.querySelector(".pw-gate-score") : null;
    box?.setAttribute("aria-invalid", "true");
    return box;
  }
}
