// The builder of one pipeline: graph or list, the buttons of the selected stage, and its run.

import { showTools } from "./builder_tools.js";
import { child } from "./children.js";
import { confirmDialog, openDialog, openMenu } from "./dialogs.js";
import { button, h, keyed, redraw } from "./elements.js";
import { Frame } from "./frame.js";
import { openPlan } from "./plan.js";
import { stageActions } from "./stage_actions.js";
import { stageWords } from "./stage_bubble.js";
import { openStageForm } from "./stage_form.js";
import { StageGraph } from "./stage_graph.js";
import { StageList } from "./stage_list.js";
import { StagePanel } from "./stage_panel.js";
import { count, isolated } from "./text.js";
import { lastEdit, openCode, openHistory } from "./transfer.js";

export class Builder {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "pipeline" });
    this.stages = model.get("stages");
    this.selected = model.get("selected");
    this.asList = false;
    this.choices = 0;
    this.head = h("div", { class: "pw-builder-head" });
    this.tools = h("div", { class: "pw-builder-tools" });
    this.graph = new StageGraph({
      frame: this.frame,
      model,
      on: {
        select: (/** @type {number} */ id) => this.select(id),
        open: (/** @type {number} */ id) => this.edit(id),
        insert: (/** @type {any} */ position) => this.insert(position),
        move: (/** @type {number} */ id, /** @type {number} */ to) => this.move(id, to),
        remove: (/** @type {number} */ id) => this.remove(id),
      },
    });
    this.list = new StageList({
      frame: this.frame,
      actions: (stage) => this.actions(stage),
      select: (id) => this.select(id),
    });
    this.empty = h(
      "div",
      { class: "pw-empty pw-builder-empty" },
      h("div", {}, "No stages yet. A pipeline begins with an Experiment stage."),
      button({
        label: "Add stage",
        glyph: "plus",
        kind: "pw-primary",
        "data-f": "add-first",
        onclick: () => this.insert(0),
      }),
    );
    this.bar = h("div", { class: "pw-bar", role: "group", "aria-label": "Selected stage" });
    this.panel = new StagePanel({ frame: this.frame });
    this.results = h("section", { class: "pw-builder-results", "aria-label": "Results" });
    this.frame.body.append(
      this.head,
      this.tools,
      this.graph.box,
      this.list.el,
      this.empty,
      this.bar,
      this.panel.el,
      this.results,
    );
    this.frame.on("change:stages", () => this.change());
    this.frame.on("change:pipeline", () => {
      this.showHead();
      showTools(this);
    });
    this.frame.on("change:selected", () => this.selectTold(model.get("selected")));
    this.frame.on("change:panel", () => this.showPanel());
    this.frame.on("change:results", () => this.showResults(true));
    this.frame.undo.push(
      () => this.graph.end(),
      () => this.closing?.abort(),
    );
    this.showHead();
    this.show();
    this.showResults(false);
  }

  get stage() {
    return this.stages.find((stage) => stage.id === this.selected);
  }

  get version() {
    return this.model.get("pipeline").version;
  }

  // ---- showing

  change() {
    const before = new Map(this.stages.map((stage) => [stage.id, stage]));
    this.stages = this.model.get("stages");
    const news = this.stages.filter(
      (stage) => before.get(stage.id) && before.get(stage.id).status !== stage.status,
    );
    if (news.length)
      this.frame.announce(
        news.map((stage) => `Stage ${stage.n}, ${isolated(stage.name)}: ${stage.status}`).join(". "),
      );
    this.show();
  }

  show() {
    const any = this.stages.length > 0;
    this.empty.hidden = any;
    this.graph.box.hidden = !any || this.asList;
    this.list.el.hidden = !any || !this.asList;
    if (this.asList) this.list.show(this.stages, this.selected);
    else {
      this.graph.show(this.stages);
      this.graph.select(this.selected);
    }
    showTools(this);
    this.showBar();
    this.showPanel();
  }

  showHead() {
    const { name, description } = this.model.get("pipeline");
    this.graph.box.setAttribute("aria-label", `Stage graph of ${isolated(name)}`);
    if (this.model.get("headed"))
      redraw(
        this.head,
        h("h2", {}, isolated(name)),
        description ? h("p", { class: "pw-soft" }, description) : null,
      );
  }

  /** @param {El} opener */
  openMore(opener) {
    openMenu(opener, [
      {
        label: "History",
        glyph: "history",
        onclick: () =>
          openHistory({
            frame: this.frame,
            pressed: opener,
            undo: (/** @type {El} */ pressed) => this.undo(pressed, true),
          }),
      },
      {
        label: "Copy as Python or YAML",
        glyph: "code",
        onclick: () => openCode({ frame: this.frame, pressed: opener }),
      },
    ]);
  }

  showBar() {
    const stage = this.stage;
    this.bar.hidden = !stage || this.asList; // in the list each row has its own
    if (this.bar.hidden) return;
    this.bar.setAttribute("aria-label", `Stage ${stage.n}: ${isolated(stage.name)}`);
    const specs = this.actions(stage);
    keyed(
      this.bar,
      specs,
      (/** @type {Values} */ spec) => `${stage.id}-${spec.key}`,
      (spec) => this.barButton(spec),
      (/** @type {El} */ el, /** @type {Values} */ spec) => {
        el.act = spec.onclick;
        el.title = spec.reason || spec.title || (spec.quiet ? spec.label : "");
        spec.reason ? el.setAttribute("aria-disabled", "true") : el.removeAttribute("aria-disabled");
        el.classList.toggle("pw-primary", !!spec.primary && !spec.reason);
      },
    );
  }

  /** @param {Values} spec */
  barButton(spec) {
    const { key, label, glyph, quiet } = spec;
    const el = button({
      label,
      glyph,
      quiet,
      onclick: (event) => el.act(event.currentTarget),
      "data-f": `bar-${key}`,
    });
    return el;
  }

  showPanel() {
    const panel = this.model.get("panel"),
      stage = this.stage;
    this.panel.el.hidden = !stage;
    if (stage) this.panel.show(panel.stage === stage.id ? panel : null, stage);
  }

  /** @param {any} asked */
  async showResults(asked) {
    const reference = this.model.get("results");
    this.closing?.abort();
    this.results.replaceChildren();
    this.results.hidden = !reference;
    if (!reference) return;
    this.closing = new AbortController();
    const close = button({
      label: "Close results",
      glyph: "close",
      quiet: true,
      onclick: () => this.frame.run("close_results").then(() => this.focusBar("results")),
    });
    const place = h("div", {});
    this.results.append(h("div", { class: "pw-results-close" }, close), place);
    await child(this.model, reference, place, this.closing.signal);
    if (asked) close.focus({ preventScroll: true });
    if (asked) this.results.scrollIntoView({ block: "nearest" });
  }

  /** @param {any} key */
  focusBar(key) {
    this.bar.querySelector(`[data-f="bar-${key}"]`)?.focus({ preventScroll: true });
  }

  // ---- what can be done with a stage: the same in the bar and in the list

  /** @param {Stage} stage */
  actions(stage) {
    return stageActions(this, stage);
  }

  /** @param {number} id */
  select(id) {
    if (id === this.selected) return;
    this.selectSeen(id);
    this.choices += 1; // on their way to Python
    const known = () => (this.choices -= 1);
    this.frame.line.ask("select", { stage: id }).then(known, known);
    const stage = this.stage;
    if (stage) this.frame.announce(stageWords(stage));
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
    this.showBar();
    this.showPanel();
    this.graph.reveal(id);
  }

  /**
   * @param {Stage} stage
   * @param {boolean} [resume]
   */
  trigger(stage, resume = false) {
    return openPlan({ frame: this.frame, stage: stage.id, resume, name: stage.name, n: stage.n });
  }

  /**
   * @param {Stage} stage
   * @param {El} pressed
   */
  stop(stage, pressed) {
    return this.frame.run("stop", { stage: stage.id }, pressed);
  }

  /** @param {number} id */
  edit(id) {
    const stage = this.stages.find((each) => each.id === id);
    if (stage?.locked) return this.frame.notice(stage.locked, "error");
    return openStageForm({ frame: this.frame, stage: id });
  }

  /** @param {any} position */
  insert(position) {
    return openStageForm({ frame: this.frame, position });
  }

  /**
   * @param {number} id
   * @param {number} to
   * @param {El} [pressed]
   */
  async move(id, to, pressed) {
    const done = await this.frame.run("move", { stage: id, to, version: this.version }, pressed);
    if (!done) return this.graph.show([...this.stages]);
    if (done.also?.length) this.frame.notice(done.also);
    this.frame.announce(`Now stage ${to + 1}.`);
    this.graph.reveal(id);
  }

  /** @param {number} id */
  remove(id) {
    const stage = this.stages.find((each) => each.id === id);
    if (!stage) return;
    if (stage.locked) return this.frame.notice(stage.locked, "error");
    confirmDialog({
      frame: this.frame,
      title: `Delete stage ${stage.n} (${isolated(stage.name)})?`,
      confirm: "Delete stage",
      text: "Its runs, checkpoints, experiment and agents stay.",
      act: async (pressed) => {
        const done = await this.frame.line.ask("remove", { stage: id, version: this.version }, pressed);
        if (done.also.length) this.frame.notice(done.also);
        this.frame.announce(`Stage ${stage.n} was deleted.`);
      },
    });
  }

  /**
   * Undo the last edit. In a dialog, which shows errors itself, they are passed on.
   * @param {El} pressed
   * @param {boolean} [inDialog]
   */
  async undo(pressed, inDialog = false) {
    const asked = { version: this.version };
    const done = inDialog
      ? await this.frame.line.ask("undo", asked, pressed)
      : await this.frame.run("undo", asked, pressed);
    if (!done) return;
    const edit = lastEdit(done.undone);
    this.frame.notice([`${edit.done}: ${edit.what}`, ...done.also]);
  }

  /** @param {El} pressed */
  async check(pressed) {
    const found = await this.frame.run("check", {}, pressed);
    if (!found) return;
    const problems = Object.values(found);
    if (!problems.length) return this.frame.notice("Everything is in order: the whole chain can run.");
    openDialog({
      frame: this.frame,
      title: count(problems.length, "problem"),
      cancel: "Close",
      body: h(
        "ul",
        { class: "pw-problems" },
        problems.map(({ stage, problem }) =>
          h("li", {}, stage ? h("strong", {}, stage) : null, stage ? h("br") : null, problem),
        ),
      ),
    });
  }
}
