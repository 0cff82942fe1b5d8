// The form for a stage. What is typed and chosen lives here as a draft; what can be chosen, and why not the
// rest, comes from Python as it was when the form was opened.

import { field, openDialog, radios } from "./dialogs.js";
import { button, h, unique } from "./elements.js";
import { ExperimentPicker } from "./experiment_picker.js";
import { GatePicker } from "./gate_picker.js";
import { CheckpointPicker } from "./pickers.js";
import { ended, inFull, isolated } from "./text.js";

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

/**
 * What a form begins with: the settings of the stage that is edited, or sensible ones.
 * @param {Values} form
 */
function stageDraft(form) {
  const known = form.settings ?? {};
  const free = form.experiments.filter((/** @type {Values} */ option) => option.fits && !option.used_by);
  const first =
    free.find((/** @type {Values} */ option) => !option.ran) ??
    free[0] ??
    form.experiments.find((/** @type {Values} */ option) => option.fits);
  const choice = known.kind === "deployment" ? known.checkpoint : known.start;
  const gate = known.gate ?? null;
  return {
    kind: known.kind ?? "experiment",
    experiment: form.settings ? (known.experiment ?? null) : (first?.id ?? null),
    begin: choice === "agent" ? "agent" : "scratch",
    agent: known.agent ?? null,
    choice: ["scratch", "agent", undefined].includes(choice) ? "best" : choice,
    trigger: known.trigger ?? "manual",
    gate: gate === null ? "none" : gate === "better" ? "better" : "score",
    score: gate?.score === undefined || gate.score === null ? "" : String(gate.score),
    autoAdd: known.auto_add ?? false,
    name: known.name ?? "",
    description: known.description ?? "",
  };
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
        this.showStart();
      },
    });
    this.start = h("div", { class: "pw-stageform-part" });
    this.gates = h("div", { class: "pw-stageform-part" });
    this.forExperiment = h("div", { class: "pw-stageform-part" }, this.picker.el, this.start);
    this.forDeployment = h("div", { class: "pw-stageform-part" }, form.can_deploy ? this.deployment() : null);
    this.addBox = this.autoAdd();
    this.body.replaceChildren(
      this.types(),
      this.forExperiment,
      this.forDeployment,
      this.triggers(),
      this.gates,
      this.addBox,
    );
    this.body.querySelector("input:checked")?.setAttribute("autofocus", "");
    this.showStart();
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

  autoAdd() {
    const box = h("input", {
      type: "checkbox",
      id: unique("auto-add"),
      checked: this.draft.autoAdd,
      onchange: () => (this.draft.autoAdd = box.checked),
    });
    box.setAttribute("aria-describedby", `${box.id}-hint`);
    return h(
      "div",
      { class: "pw-check" },
      box,
      h("label", { for: box.id }, "Auto-add checkpoint to Agents when complete"),
      h(
        "div",
        { class: "pw-hint", id: `${box.id}-hint` },
        "The best checkpoint, named after pipeline, stage and step.",
      ),
    );
  }

  showKind() {
    const deploys = this.draft.kind === "deployment";
    this.forExperiment.hidden = this.addBox.hidden = deploys;
    this.forDeployment.hidden = !deploys;
    this.showGates();
  }

  /** Where the chosen experiment starts; what it cannot start from says why. */
  showStart() {
    if (this.form.first) return this.start.replaceChildren(...this.firstStart());
    if (!this.start.firstChild) this.start.append(this.checkpoints("Start from"));
  }

  /** @param {string} legend */
  checkpoints(legend) {
    return new CheckpointPicker({
      legend,
      offer: this.form,
      choice: this.draft.choice,
      onchange: (choice) => (this.draft.choice = choice),
    }).el;
  }

  /** How the first stage can begin with the chosen experiment. */
  get ways() {
    return this.form.starts[this.option?.start] ?? null;
  }

  get startable() {
    return this.form.agents.filter(
      (/** @type {any} */ _, /** @type {number} */ at) => this.ways?.agents[at]?.fits,
    );
  }

  /** As the draft has it, unless the chosen experiment leaves only the other way. */
  get begin() {
    const { draft, ways, startable } = this;
    if (!ways) return draft.begin;
    if (!ways.scratch.fits) return "agent";
    return startable.length ? draft.begin : "scratch";
  }

  firstStart() {
    const { ways, startable, begin, draft } = this;
    const group = radios(
      "Start",
      "begin",
      [
        {
          value: "scratch",
          label: "Start from scratch",
          reason: ways && !ways.scratch.fits ? ways.scratch.reason : null,
        },
        { value: "agent", label: "Use saved Agent", reason: startable.length ? null : this.noAgent(ways) },
      ],
      begin,
      (chosen) => {
        draft.begin = chosen;
        agents.hidden = chosen !== "agent";
      },
    );
    const agents = this.agentField(startable);
    agents.hidden = begin !== "agent" || !startable.length;
    return [group, agents];
  }

  /** @param {any} ways */
  noAgent(ways) {
    if (!this.form.agents.length) return "There are no saved Agents yet.";
    if (!ways) return "Choose an experiment first.";
    const [only, more] = ways.agents;
    return more
      ? `No saved Agent fits. ${isolated(this.form.agents[0].name)}: ${ended(only.reason)}`
      : ended(only.reason);
  }

  /** @param {any} startable */
  agentField(startable) {
    const chosen =
      startable.find((/** @type {Values} */ agent) => agent.id === this.draft.agent) ?? startable[0];
    this.draft.agent = chosen?.id ?? this.draft.agent;
    const select = h(
      "select",
      { value: chosen?.id, onchange: () => (this.draft.agent = Number(select.value)) },
      startable.map((/** @type {Values} */ agent) =>
        h(
          "option",
          { value: agent.id, selected: agent === chosen },
          `${isolated(agent.name)} (version ${agent.version}: ${isolated(agent.experiment)}, step ` +
            `${inFull(agent.step)})`,
        ),
      ),
    );
    const made = field("Saved Agent", select);
    made.classList.add("pw-indent");
    return made;
  }

  deployment() {
    const { draft, form } = this;
    const list = h(
      "datalist",
      { id: unique("agents") },
      form.agent_names.map((/** @type {string} */ name) => h("option", { value: name })),
    );
    const tell = () => {
      const known = form.agent_names.includes(draft.name.trim());
      hint.textContent = known
        ? "This Agent exists: it gets a new version, and the former ones are kept."
        : "The stage creates this Agent, or gives it a new version each time.";
    };
    const name = h("input", {
      type: "text",
      value: draft.name,
      required: true,
      autocomplete: "off",
      list: list.id,
      oninput: () => {
        draft.name = name.value;
        name.removeAttribute("aria-invalid");
        tell();
      },
    });
    const named = field("Agent name", name, " ");
    const hint = named.querySelector(".pw-hint");
    hint.setAttribute("role", "status");
    tell();
    const about = h("textarea", {
      rows: 2,
      value: draft.description,
      oninput: () => (draft.description = about.value),
    });
    this.nameBox = name;
    return [
      this.checkpoints("Checkpoint from Previous Stage"),
      h("div", {}, named, list),
      field("Agent description", about),
    ];
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
        name: draft.name,
        description: draft.description,
        checkpoint: draft.choice,
      };
    const start = form.first ? this.begin : draft.choice;
    return {
      ...shared,
      kind: "experiment",
      experiment: this.option?.id ?? null,
      start,
      auto_add: draft.autoAdd,
      agent: start === "agent" ? draft.agent : null,
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
    const args = { settings: this.settings(), seen: form.pipeline.version, duplicate };
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
    const why = option.used_by
      ? [
          `${isolated(option.name)} is used by stage ${option.used_by} already.`,
          "Two stages of a pipeline cannot share one experiment, so this stage gets a copy of it.",
        ]
      : [
          `${isolated(option.name)} has run already.`,
          "A copy has the same settings and no runs. Attached as is, this stage adds its runs to those " +
            "that are there.",
        ];
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
