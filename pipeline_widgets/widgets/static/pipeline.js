// The builder of one pipeline: graph or list, the buttons of the selected stage, and its run.

import { AgentPlace } from "./agent_place.js";
import { builderTools } from "./builder_tools.js";
import { checkPipeline } from "./check_pipeline.js";
import { child } from "./children.js";
import { openDialog, openMenu, paragraphs } from "./dialogs.js";
import { button, draw, find, focusOn, html, make, named } from "./elements.js";
import { Frame } from "./frame.js";
import { PipelineChart } from "./pipeline_chart.js";
import { openHistory, tellEdit, undoEdit } from "./pipeline_edits.js";
import { openPlan } from "./plan.js";
import { openPipelineRun } from "./run_pipeline.js";
import { openScoreBy } from "./scoring.js";
import { stageActions } from "./stage_actions.js";
import { stageWords } from "./stage_bubble.js";
import { openStageForm } from "./stage_form.js";
import { StageGraph } from "./stage_graph.js";
import { StageList } from "./stage_list.js";
import { StagePanel } from "./stage_panel.js";
import { openSaveAsTemplate } from "./templates.js";
import { isolated } from "./text.js";
import { openCode } from "./transfer.js";
import { repeat } from "./vendor/lit.js";

export class Builder {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "pipeline" });
    this.stages = model.get("stages");
    this.selected = model.get("selected");
    this.asList = false;
    this.choices = 0;
    this.closing = new AbortController();
    this.graph = new StageGraph({
      frame: this.frame,
      model,
      on: {
        select: (id) => this.select(id),
        open: (id) => this.edit(id),
        results: (id) => this.openResults(id),
        insert: (position) => this.insert(position),
        move: (id, to) => this.move(id, to),
        remove: (id) => this.remove(id),
      },
    });
    this.list = new StageList({
      frame: this.frame,
      actions: (stage) => stageActions(this, stage),
      select: (id) => this.select(id),
    });
    this.place = new AgentPlace(this.frame, model);
    const open = (/** @type {number} */ id) => this.select(id),
      { frame, place } = this;
    this.panel = new StagePanel({ frame, model, place, open, known: (id) => this.stageOf(id) });
    this.chart = new PipelineChart(this.frame, model);
    this.results = make(html`<div class="pw-builder-results" role="group" aria-label="Results"></div>`);
    this.frame.on("change:stages", () => this.change());
    this.frame.on("change:pipeline", () => this.draw());
    this.frame.on("change:selected", () => this.selectTold(model.get("selected")));
    this.frame.on("change:following", () => this.draw());
    this.frame.on("change:panel", () => this.showPanel());
    this.frame.on("change:results", () => this.showResults(true));
    this.frame.undo.push(
      () => this.graph.end(),
      () => this.closing.abort(),
    );
    this.show();
    this.showResults(false);
  }

  get stage() {
    return this.stageOf(this.selected);
  }

  /** @param {number} id */
  stageOf(id) {
    return this.stages.find((stage) => stage.id === id);
  }

  get version() {
    return this.model.get("pipeline").version;
  }

  // ---- showing

  change() {
    const before = new Map(this.stages.map((stage) => [stage.id, stage.status]));
    this.stages = this.model.get("stages");
    const news = this.stages.filter(({ id, status }) => (before.get(id) ?? status) !== status);
    if (news.length)
      this.frame.announce(
        news.map((stage) => `Stage ${stage.n}, ${isolated(stage.name)}: ${stage.status}`).join(". "),
      );
    this.show();
  }

  show() {
    this.draw();
    if (this.asList) this.list.show(this.stages, this.selected);
    else {
      this.graph.show(this.stages);
      this.graph.select(this.selected);
    }
    this.showPanel();
  }

  /** @param {boolean} list */
  showAs(list) {
    this.asList = list;
    this.show();
  }

  draw() {
    const { stage, asList } = this,
      { name, description, score_by: evaluator } = this.model.get("pipeline"),
      any = this.stages.length > 0,
      about = description ? html`<p class="pw-soft">${description}</p>` : null;
    this.graph.box.setAttribute("aria-label", `Stage graph of ${isolated(name)}`);
    this.place.letClose(stage?.kind !== "Deployment");
    this.graph.box.hidden = !any || asList;
    this.graph.position.showAs(!any || asList);
    this.list.el.hidden = !any || !asList;
    draw(
      this.frame.body,
      html`<div class="pw-builder-head">
          ${this.model.get("headed") ? [html`<h2>${isolated(name)}</h2>`, about] : null}
          ${evaluator ? html`<p class="pw-soft">Best and gates go by ${isolated(evaluator)}.</p>` : null}
        </div>
        <div class="pw-builder-tools">${builderTools(this)}</div>
        ${this.graph.position.el}${this.graph.box}${this.list.el}
        <div class="pw-empty pw-builder-empty" ?hidden=${any}>
          <div>No stages yet. A pipeline begins with an Experiment stage.</div>
          ${button({
            label: "Add stage",
            glyph: "plus",
            kind: "pw-primary",
            f: "add-first",
            onclick: () => this.insert(0),
          })}
        </div>
        <div class="pw-bar" role="group" ?hidden=${!stage || asList}
          aria-label=${stage ? `Stage ${stage.n}: ${isolated(stage.name)}` : "Selected stage"}>
          ${stage && !asList ? this.bar(stage) : null}
        </div>
        ${this.chart.el}${this.panel.el}${stage?.kind === "Deployment" ? null : this.place.el}
        ${this.results}`,
    );
  }

  /**
   * What can be done with a stage; in the list each row has its own.
   * @param {Stage} stage
   */
  bar(stage) {
    return repeat(
      stageActions(this, stage),
      ({ key }) => `${stage.id}-${key}`,
      ({ key, primary, danger: _, ...action }) =>
        button({ ...action, kind: primary && !action.reason ? "pw-primary" : "", f: `bar-${key}` }),
    );
  }

  showPanel() {
    const panel = this.model.get("panel"),
      { stage } = this;
    this.panel.el.hidden = !stage;
    if (stage) this.panel.show(panel.stage === stage.id ? panel : null, stage);
  }

  /** @param {boolean} asked */
  async showResults(asked) {
    const reference = this.model.get("results");
    this.closing.abort();
    this.results.hidden = !reference;
    draw(this.results, null);
    if (!reference) return;
    this.closing = new AbortController();
    const place = make(html`<div></div>`);
    const close = button({
      label: "Close results",
      glyph: "close",
      quiet: true,
      onclick: () => this.frame.run("close_results").then(() => this.focusBar("results")),
    });
    draw(this.results, html`<div class="pw-results-close">${close}</div>${place}`);
    await child(this.model, reference, place, this.closing.signal);
    if (!asked) return;
    focusOn(find(this.results, ".pw-results-close button"));
    this.results.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} key */
  focusBar(key) {
    focusOn(this.frame.body.querySelector(named(`bar-${key}`)));
  }

  /** @param {El} opener */
  openMore(opener) {
    const { frame } = this;
    openMenu(opener, [
      {
        label: "Chart all stages",
        glyph: "results",
        onclick: () => this.chart.open(),
      },
      {
        label: "History",
        glyph: "history",
        onclick: () => openHistory({ frame, pressed: opener, facts: () => this.model.get("pipeline") }),
      },
      {
        label: "Choose evaluator",
        glyph: "results",
        onclick: () => openScoreBy(frame, opener),
      },
      {
        label: "Save as template",
        glyph: "copy",
        reason: this.stages.length ? "" : "It has no stages yet.",
        onclick: () => openSaveAsTemplate(frame, this.model.get("pipeline")),
      },
      {
        label: "Copy as Python or YAML",
        glyph: "code",
        onclick: () => openCode({ frame, pressed: opener }),
      },
    ]);
  }

  // ---- what is selected

  /** @param {number} id */
  select(id) {
    if (id === this.selected) return;
    this.selectSeen(id);
    this.choices += 1; // on their way to Python
    const known = () => (this.choices -= 1);
    this.frame.line.ask("select", { stage: id }).then(known, known);
    if (this.stage) this.frame.announce(stageWords(this.stage));
  }

  /**
   * Python tells what is selected. What it says of a choice that is older than ours comes too late.
   * @param {number} id
   */
  selectTold(id) {
    if (this.choices === 0 && id !== this.selected) this.selectSeen(id);
  }

  /** @param {number} id */
  selectSeen(id) {
    this.selected = id;
    this.graph.select(id);
    if (this.asList) this.list.show(this.stages, id);
    this.draw();
    this.showPanel();
    this.graph.reveal(id);
  }

  // ---- what can be done with a stage

  /**
   * @param {Stage} stage
   * @param {boolean} [resume]
   * @param {boolean} [over]
   */
  trigger(stage, resume = false, over = false) {
    return openPlan({ frame: this.frame, stage: stage.id, resume, over });
  }

  /**
   * @param {RunGoal} goal
   * @param {El} pressed
   */
  run(goal, pressed) {
    return openPipelineRun({ frame: this.frame, goal, pressed });
  }

  /** @param {number} id */
  edit(id) {
    const locked = this.stageOf(id)?.locked;
    if (locked) return this.frame.notice(locked, "error");
    return openStageForm({ frame: this.frame, stage: id });
  }

  /**
   * Select a stage, and open Results for its experiment; a Deployment has none.
   * @param {number} id
   */
  openResults(id) {
    this.select(id);
    if (this.stageOf(id)?.kind === "Experiment") this.frame.run("results", { stage: id });
  }

  /** @param {number} position */
  insert(position) {
    return openStageForm({ frame: this.frame, position });
  }

  /**
   * @param {number} id
   * @param {number} to
   * @param {El} [pressed]
   */
  async move(id, to, pressed) {
    const { version } = this,
      from = this.stageOf(id)?.n;
    const done = await this.frame.run("move", { stage: id, to, version }, pressed);
    if (!done) return this.graph.show([...this.stages]);
    if (from !== to + 1) tellEdit(this.frame, `Stage ${from} is stage ${to + 1} now.`, done, version);
    this.select(id);
    this.graph.reveal(id);
  }

  /** @param {number} id */
  remove(id) {
    const stage = this.stageOf(id);
    if (!stage) return;
    if (stage.locked) return this.frame.notice(stage.locked, "error");
    openDialog({
      frame: this.frame,
      title: `Delete stage ${stage.n} (${isolated(stage.name)})?`,
      confirm: "Delete stage",
      danger: true,
      body: paragraphs("Its runs, checkpoints, experiment and agents stay."),
      act: async (pressed) => {
        const { version } = this;
        const done = await this.frame.line.ask("remove", { stage: id, version }, pressed);
        tellEdit(this.frame, `Stage ${stage.n} (${isolated(stage.name)}) was deleted.`, done, version);
      },
    });
  }

  /**
   * Undo the last edit, or do again what was undone last.
   * @param {boolean} redo
   * @param {El} pressed
   */
  undo(redo, pressed) {
    return undoEdit(this.frame, { version: this.version, redo }, pressed);
  }

  /** @param {El} pressed */
  check(pressed) {
    return checkPipeline(this.frame, pressed);
  }
}
