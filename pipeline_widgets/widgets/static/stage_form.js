// The form for a stage. What can be chosen, and why not the rest, comes from Python as it was when the form
// was opened.

import { openDialog, paragraphs } from "./dialogs.js";
import { button, find, focused, html } from "./elements.js";
import { kindOf } from "./line.js";
import { tellEdit } from "./pipeline_edits.js";
import { attachWords } from "./stage_draft.js";
import { openNewStageExperiment } from "./stage_experiment.js";
import { StageFields } from "./stage_fields.js";

/** @type {WeakSet<Frame>} */
const openingForms = new WeakSet(); // frames that ask for a form now: a second click opens no second one

/**
 * Open the form to edit a stage, or to add one at a position. Resolves when it is closed.
 * @param {{ frame: Frame, stage?: number | null, position?: number | null }} options
 */
export async function openStageForm({ frame, stage = null, position = null }) {
  if (openingForms.has(frame)) return;
  openingForms.add(frame);
  try {
    const form = await frame.run("form", { stage, position }, focused()?.closest("button"));
    if (form)
      await new Promise((closed) => new StageForm(frame, /** @type {StageFormData} */ (form)).open(closed));
  } finally {
    openingForms.delete(frame);
  }
}

class StageForm {
  /**
   * @param {Frame} frame
   * @param {StageFormData} form
   */
  constructor(frame, form) {
    this.frame = frame;
    this.editing = form.stage !== null;
    this.atEnd = form.position === form.stages;
    this.fields = new StageFields(
      form,
      () => this.dialog?.draw(),
      (pressed) => this.create(pressed),
    );
    /** @type {FormDrafts | null} */
    this.typed = null; // what was typed into the form of a new experiment
    this.bound = this.editing ? this.fields.draft.experiment : null;
  }

  get form() {
    return this.fields.form;
  }

  /** @param {(value: string) => void} closed */
  open(closed) {
    const dialog = openDialog({
      frame: this.frame,
      title: this.title,
      body: () => this.fields.body(),
      confirm: this.editing ? "Save stage" : "Add stage",
      wide: true,
      act: (pressed) => this.submit(pressed),
      onclose: closed,
    });
    this.dialog = dialog;
    dialog.el.querySelector("input:checked")?.focus();
    dialog.el.addEventListener("cancel", (event) => {
      if (!dialog.options.question || event.target !== dialog.el) return;
      event.preventDefault(); // Escape takes back the question, and not the form
      this.unask();
    });
    this.fields.picker?.reveal();
  }

  get title() {
    return this.editing ? `Edit stage ${this.form.position + 1}` : "Add stage";
  }

  // ---- what is sent

  /**
   * Send what was chosen; an experiment that ran or is used already is asked about first (spec 5.7).
   * @param {El} pressed
   */
  async submit(pressed) {
    const { option, draft } = this.fields;
    const attaches = draft.kind === "experiment" && option && option.id !== this.bound;
    if (attaches && (option.ran || option.used_by)) {
      this.ask(option);
      return false;
    }
    return this.send(pressed, false);
  }

  /**
   * @param {El} pressed
   * @param {boolean} duplicate
   */
  async send(pressed, duplicate) {
    const { form, editing, frame } = this;
    const args = { settings: this.fields.settings(), version: form.pipeline.version, duplicate };
    try {
      const done = editing
        ? await frame.line.ask("edit", { stage: form.stage, ...args }, pressed)
        : await frame.line.ask("add", { position: form.position, ...args }, pressed);
      if (done.refused) {
        this.unask();
        this.dialog?.fail("The launcher or the resources need fixing.");
        this.fields.placement.refuse(done.refused)?.control.focus();
        return false;
      }
      const said = `Stage ${form.position + 1} was ${editing ? "saved" : "added"}.`;
      tellEdit(frame, said, done, args.version);
      return true;
    } catch (problem) {
      this.unask();
      this.refused(problem);
      return false;
    }
  }

  /** @param {unknown} problem */
  refused(problem) {
    if (kindOf(problem) === "StaleWriteError") {
      this.dialog?.fail(
        problem,
        button({ label: "Use the latest", glyph: "Stale", onclick: (pressed) => this.renew(pressed) }),
      );
      this.dialog?.el.querySelector(".pw-dialog-error button")?.focus();
    } else {
      this.dialog?.fail(problem);
      if (kindOf(problem) === "ConfigError" && this.dialog) this.fields.wrong(this.dialog.el)?.focus();
    }
  }

  /**
   * Base the form on the pipeline as it is now; what was typed and chosen stays.
   * @param {El} pressed
   */
  async renew(pressed) {
    const { line } = this.frame,
      asked = this.place;
    try {
      const form = await line.ask("form", asked, pressed).catch((problem) => {
        if (kindOf(problem) !== "OrderError") throw problem;
        return line.ask("form", { position: null }, pressed); // there are fewer stages now
      });
      this.fields.take(/** @type {StageFormData} */ (form));
    } catch (problem) {
      return this.refused(problem);
    }
    if (this.editing) this.bound = this.form.settings?.experiment ?? null;
    this.dialog?.say();
    this.dialog?.update({ title: this.title });
    this.dialog?.ok?.focus();
  }

  /** What the form is asked for by: the stage that is edited, or where one is added. */
  get place() {
    return this.editing ? { stage: this.form.stage } : { position: this.atEnd ? null : this.form.position };
  }

  // ---- a new experiment

  /**
   * Make an experiment, and choose it; what was typed and chosen here stays.
   * @param {El} pressed
   */
  create(pressed) {
    return openNewStageExperiment({
      frame: this.frame,
      place: this.place,
      host: this,
      pressed,
      onmade: async (made) => {
        this.fields.draft.experiment = made.id;
        await this.renew(pressed);
        this.fields.picker?.reveal();
        this.fields.picker?.focus();
      },
    });
  }

  // ---- the question whether to duplicate

  /** @param {ExperimentOption} option */
  ask(option) {
    let answered = false; // a second press sends nothing
    /** @param {boolean} duplicate */
    const answer = (duplicate) => async (/** @type {El} */ pressed) => {
      if (answered) return;
      answered = true;
      if (await this.send(pressed, duplicate)) this.dialog?.close("ok");
    };
    const why = attachWords(option);
    this.dialog?.update({
      question: {
        body: html`<div class="pw-dialog-body pw-stageform-question" role="group" aria-label=${why[0]}>
          <p><strong>${why[0]}</strong></p>
          ${paragraphs(why[1])}
        </div>`,
        actions: [
          button({ label: "Cancel", onclick: () => this.unask() }),
          option.used_by ? null : button({ label: "Attach as is", onclick: answer(false) }),
          button({
            label: "Duplicate and attach",
            glyph: "copy",
            kind: "pw-primary",
            onclick: answer(true),
          }),
        ],
      },
    });
    this.frame.announce(why.join(" "));
    if (this.dialog) find(this.dialog.el, ".pw-dialog-actions .pw-primary").focus();
  }

  unask() {
    if (!this.dialog?.options.question) return;
    this.dialog.update({ question: null });
    this.fields.picker?.focus();
  }
}
