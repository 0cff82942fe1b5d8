// The form for a stage. What is typed and chosen lives here as a draft; what can be chosen, and why not the
// rest, comes from Python as it was when the form was opened.

import { openDialog, radios } from "./dialogs.js";
import { button, h } from "./elements.js";
import { ExperimentPicker } from "./experiment_picker.js";
import { GatePicker } from "./gate_picker.js";
import { deploymentFields } from "./stage_deployment.js";
import { attachWords, stageDraft } from "./stage_draft.js";
import { autoAddBox, StageStart } from "./stage_start.js";
import { isolated } from "./text.js";

const FIXED_TYPE = "A stage cannot change its type.";
const openingForms = new WeakSet(); // frames that ask for a form now: a second click opens no second one

/**
 * Open the form to edit a stage, or to add one at a position. Resolves when it is closed.
 * @param {{ frame: Frame, stage?: number, position?: number }} options
 */
export async function openStageForm({ frame, stage = null, position = null }) {
  if (openingForms.has(frame)) return;
  openingForms.add(frame);
  try {
    const form = await frame.run("form", { stage, position }, document.activeElement?.closest("button"));
    if (form) await new Promise((resolve) => new StageForm(frame, form, resolve).open());
  } finally {
    openingForms.delete(frame);
  }
}

class StageForm {
  /**
   * @param {Frame} frame
   * @param {Values} form
   * @param {any} closed
   */
  constructor(frame, form, closed) {
    this.frame = frame;
    this.form = form;
    this.closed = closed;
    this.editing = form.stage !== null;
    this.atEnd = form.position === form.stages;
    this.draft = stageDraft(form);
    this.bound = this.editing ? this.draft.experiment : null;
    this.body = h("div", { class: "pw-stageform" });
    this.build();
  }

  open() {
    this.dialog = openDialog({
      frame: this.frame,
      title: this.title,
      body: this.body,
      confirm: this.editing ? "Save stage" : "Add stage",
      wide: true,
      act: (pressed) => this.submit(pressed),
      onclose: () => this.closed(),
    });
    this.dialog.el.addEventListener("cancel", (event) => {
      if (!this.question || event.target !== this.dialog.el) return;
      event.preventDefault(); // Escape takes back the question, and not the form
      this.unask();
    });
    this.picker.reveal();
  }

  get title() {
    return this.editing ? `Edit stage ${this.form.position + 1}` : "Add stage";
  }

  get option() {
    return (
      this.form.experiments.find(
        (/** @type {Values} */ option) => option.id === this.draft.experiment && option.fits,
      ) ?? null
    );
  }

  // ---- what is shown

  build() {
    const { form, draft } = this;
    this.picker = new ExperimentPicker({
      options: form.experiments,
      chosen: draft.experiment,
      fed: !form.first,
      onchange: (option) => {
        draft.experiment = option.id;
        this.start.show();
      },
    });
    const deployment = form.can_deploy ? deploymentFields(form, draft) : null;
    this.nameBox = deployment?.name;
    this.start = new StageStart(form, draft, () => this.option);
    this.gates = h("div", { class: "pw-stageform-part" });
    this.forExperiment = h("div", { class: "pw-stageform-part" }, this.picker.el, this.start.el);
    this.forDeployment = h("div", { class: "pw-stageform-part" }, deployment?.parts ?? null);
    this.addBox = autoAddBox(draft);
    this.body.replaceChildren(
      this.types(),
      this.forExperiment,
      this.forDeployment,
      this.triggers(),
      this.gates,
      this.addBox,
    );
    this.body.querySelector("input:checked")?.setAttribute("autofocus", "");
    this.start.show();
    this.showKind();
  }

  types() {
    const { form, draft } = this;
    /** @param {string} kind */
    const fixed = (kind) => (this.editing && draft.kind !== kind ? FIXED_TYPE : null);
    const group = radios(
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
      (kind) => {
        draft.kind = kind;
        this.showKind();
      },
    );
    group.classList.add("pw-two");
    return h(
      "div",
      { class: "pw-stageform-part" },
      this.editing ? null : h("p", { class: "pw-hint" }, this.where()),
      group,
    );
  }

  where() {
    const { position, pipeline, source } = this.form;
    const fed = source ? ` Its source is ${source}.` : "";
    return `It becomes stage ${position + 1} of ${isolated(pipeline.name)}.${fed}`;
  }

  triggers() {
    const { form, draft } = this;
    const group = radios(
      "Trigger",
      "trigger",
      [
        { value: "manual", label: "Manual", hint: "Runs only when triggered" },
        {
          value: "auto",
          label: "Auto",
          hint: "Starts when the prior stage succeeds",
          reason: form.manual_only,
        },
      ],
      form.manual_only ? "manual" : draft.trigger,
      (trigger) => {
        draft.trigger = trigger;
        this.showGates();
      },
    );
    group.classList.add("pw-two");
    return group;
  }

  showKind() {
    const deploys = this.draft.kind === "deployment";
    this.forExperiment.hidden = this.addBox.hidden = deploys;
    this.forDeployment.hidden = !deploys;
    this.showGates();
  }

  /** An Auto stage may carry a gate. */
  showGates() {
    const { draft, form } = this;
    this.gates.hidden = !this.auto;
    this.gatePicker = new GatePicker({
      draft,
      deploys: draft.kind === "deployment",
      higher: form.higher_is_better,
    });
    this.gates.replaceChildren(this.gatePicker.el);
  }

  get auto() {
    return this.draft.trigger === "auto" && !this.form.manual_only;
  }

  // ---- what is sent

  settings() {
    const { draft, form } = this;
    const shared = {
      trigger: this.auto ? "auto" : "manual",
      gate: this.auto ? this.gatePicker.settings : null,
    };
    if (draft.kind === "deployment")
      return {
        ...shared,
        kind: "deployment",
        agent: draft.name,
        description: draft.description,
        checkpoint: draft.choice,
      };
    const begin = this.start.begin === "agent" ? { agent: draft.agent } : "scratch";
    return {
      ...shared,
      kind: "experiment",
      experiment: this.option?.id ?? null,
      start: form.first ? begin : draft.choice,
      auto_add_agent: draft.autoAdd,
    };
  }

  /**
   * Send what was chosen; an experiment that ran or is used already is asked about first (spec 5.7).
   * @param {El} pressed
   */
  async submit(pressed) {
    const { option } = this;
    const attaches = this.draft.kind === "experiment" && option && option.id !== this.bound;
    if (attaches && (option.ran || option.used_by)) {
      this.ask(option);
      return false;
    }
    return this.send(pressed, false);
  }

  /**
   * @param {El} pressed
   * @param {any} duplicate
   */
  async send(pressed, duplicate) {
    const { form, editing } = this;
    const args = { settings: this.settings(), version: form.pipeline.version, duplicate };
    try {
      const done = await this.frame.line.ask(
        editing ? "edit" : "add",
        editing ? { stage: form.stage, ...args } : { position: form.position, ...args },
        pressed,
      );
      if (done.also?.length) this.frame.notice(done.also);
      this.frame.announce(
        editing ? `Stage ${form.position + 1} was saved.` : `Stage ${form.position + 1} was added.`,
      );
      return true;
    } catch (problem) {
      this.unask();
      this.refused(problem);
      return false;
    }
  }

  /** @param {any} problem */
  refused(problem) {
    this.dialog.fail(problem);
    if (problem.kind === "StaleWriteError") {
      const latest = button({ label: "Use the latest", glyph: "Stale", onclick: () => this.renew(latest) });
      this.error.append(latest);
      latest.focus();
    } else if (problem.kind === "ConfigError") this.wrong()?.focus();
  }

  /** The control that has to be filled in, marked as such. */
  wrong() {
    const { draft } = this;
    if (draft.kind === "experiment" && !this.option) return this.picker;
    const nameless = draft.kind === "deployment" && !draft.name.trim();
    const box = nameless ? this.nameBox : this.auto ? this.gatePicker.empty : null;
    box?.setAttribute("aria-invalid", "true");
    return box;
  }

  get error() {
    return this.dialog.el.querySelector(".pw-dialog-error");
  }

  /**
   * Base the form on the pipeline as it is now; what was typed and chosen stays.
   * @param {El} pressed
   */
  async renew(pressed) {
    const asked = this.editing
      ? { stage: this.form.stage }
      : { position: this.atEnd ? null : this.form.position };
    try {
      this.form = await this.frame.line.ask("form", asked, pressed).catch((/** @type {any} */ problem) => {
        if (problem.kind !== "OrderError") throw problem;
        return this.frame.line.ask("form", { position: null }, pressed); // there are fewer stages now
      });
    } catch (problem) {
      return this.refused(problem);
    }
    if (this.editing) this.bound = this.form.settings.experiment ?? null;
    if (this.draft.kind === "deployment" && !this.form.can_deploy) this.draft.kind = "experiment";
    this.build();
    this.dialog.el.querySelector(".pw-dialog-title").textContent = this.title;
    this.error.replaceChildren();
    this.dialog.form.querySelector("[type=submit]").focus();
  }

  // ---- the question whether to duplicate

  /** @param {Values} option */
  ask(option) {
    const footer = this.dialog.el.querySelector(".pw-dialog-actions");
    const body = this.dialog.el.querySelector(".pw-dialog-body");
    let answered = false; // a second press sends nothing
    /** @param {any} duplicate */
    const answer = (duplicate) => async (/** @type {any} */ event) => {
      if (answered) return;
      answered = true;
      if (await this.send(event.currentTarget, duplicate)) this.dialog.el.close("ok");
    };
    const copy = button({
      label: "Duplicate and attach",
      glyph: "copy",
      kind: "pw-primary",
      onclick: answer(true),
    });
    const asIs = option.used_by ? null : button({ label: "Attach as is", onclick: answer(false) });
    const back = button({ label: "Cancel", onclick: () => this.unask() });
    const why = attachWords(option);
    const question = h(
      "div",
      { class: "pw-dialog-body pw-stageform-question", role: "group", "aria-label": why[0] },
      h("p", {}, h("strong", {}, why[0])),
      h("p", {}, why[1]),
    );
    this.question = { footer: [...footer.children], question };
    body.hidden = true;
    body.after(question);
    footer.replaceChildren(back, ...[asIs, copy].filter(Boolean));
    this.frame.announce(why.join(" "));
    copy.focus();
  }

  unask() {
    if (!this.question) return;
    const { footer, question } = this.question;
    this.question = null;
    question.remove();
    this.dialog.el.querySelector(".pw-dialog-body").hidden = false;
    this.dialog.el.querySelector(".pw-dialog-actions").replaceChildren(...footer);
    this.picker.focus();
  }
}
