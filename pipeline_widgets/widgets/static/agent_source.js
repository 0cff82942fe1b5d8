// The experiment and checkpoint that an agent is made of.

import { field } from "./dialogs.js";
import { h, redraw, unique } from "./elements.js";
import { sentence } from "./line.js";
import { CheckpointPicker } from "./pickers.js";
import { sparkline } from "./sparkline.js";
import { isStep } from "./steps.js";
import { count, inFull, isolated, score } from "./text.js";

/** The source experiment, and one of its checkpoints. */
export class AgentSource {
  /** @param {{ frame: Frame, sources: any }} options */
  constructor({ frame, sources }) {
    this.frame = frame;
    this.sources = sources;
    this.experiment = null;
    this.run = null;
    this.choice = "best";
    this.looking = null;
    this.labels = new Map(sources.map((/** @type {any} */ each) => [this.label(each), each]));
    this.place = h("div", { class: "pw-ag-offer" });
    this.el = h(
      "div",
      { class: "pw-ag-new" },
      sources.length > AGENT_SELECT ? this.search() : this.select(),
      this.place,
    );
  }

  /** @param {{ name: string, project: any, algorithm: string }} options */
  label({ name, project, algorithm }) {
    return `${isolated(name)}${project ? ` in ${isolated(project)}` : ""} (${isolated(algorithm)})`;
  }

  select() {
    const select = h(
      "select",
      {
        onchange: () =>
          this.pick(this.sources.find((/** @type {any} */ each) => each.id === Number(select.value))),
      },
      [...this.labels].map(([label, { id }]) => h("option", { value: id }, label)),
    );
    this.pick(this.sources[0]);
    return field("Source experiment", select);
  }

  search() {
    const id = unique("experiments");
    /** @type {El} */
    this.find = h("input", {
      type: "text",
      list: id,
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Search experiments",
      onchange: () => this.settle(),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.find.select(),
      oninput: () => (this.labels.has(this.find.value) ? this.settle() : this.drop()),
    });
    return [
      field(
        "Source experiment",
        this.find,
        `${count(this.sources.length, "experiment")} with checkpoints. Type to search.`,
      ),
      h(
        "datalist",
        { id },
        [...this.labels.keys()].map((label) => h("option", { value: label })),
      ),
    ];
  }

  /**
   * Enter takes what was typed and nothing more; so does Tab. Both go on to the checkpoints.
   * @param {any} event
   */
  key(event) {
    const enter = event.key === "Enter";
    if (event.isComposing || !(enter || (event.key === "Tab" && !event.shiftKey && !this.run))) return;
    this.settle();
    if (enter || this.experiment) event.preventDefault();
    const { experiment } = this;
    this.looking?.then(
      () => this.experiment === experiment && this.place.querySelector("select, input:checked")?.focus(),
    );
  }

  /** Take what was typed, if it names one; else say what it may mean. */
  settle() {
    const found = this.matching(this.find.value);
    if (found.length !== 1) return this.drop(this.unclear(found));
    this.find.value = this.label(found[0]);
    if (found[0] !== this.experiment) this.pick(found[0]);
  }

  /** Settle, and wait for what is known of the experiment. */
  async settled() {
    if (this.find) this.settle();
    await this.looking;
  }

  /**
   * The experiments that a text may mean.
   * @param {string} text
   */
  matching(text) {
    const typed = text.trim().toLowerCase(),
      words = typed.split(/\s+/);
    if (!typed) return [];
    const all = [...this.labels].map(([label, source]) => ({ label: label.toLowerCase(), source }));
    const same = all.filter(({ label, source }) => label === typed || source.name.toLowerCase() === typed);
    const found =
      same.length === 1 ? same : all.filter(({ label }) => words.every((word) => label.includes(word)));
    return found.map(({ source }) => source);
  }

  /** @param {any} found */
  unclear(found) {
    if (!this.find.value.trim()) return null;
    if (!found.length) return `No experiment matches “${this.find.value}”.`;
    const named = found.slice(0, AGENT_NAMED).map((/** @type {any} */ each) => this.label(each)),
      more = found.length - named.length;
    return (
      `${count(found.length, "experiment")} match: ` +
      `${named.join(", ")}${more ? ` and ${inFull(more)} more` : ""}. Type more of the one that you ` +
      "mean."
    );
  }

  /** What was chosen is no longer what the field says. */
  drop(/** @type {any} */ why = null) {
    this.experiment = null;
    this.run = null;
    this.looking = null;
    redraw(this.place, why ? h("p", { class: "pw-hint", role: "status" }, why) : null);
  }

  /** @param {any} source */
  pick(source) {
    this.experiment = source;
    this.run = null;
    redraw(this.place, h("p", { class: "pw-soft", role: "status" }, "Looking for its checkpoints…"));
    this.looking = this.look(source);
  }

  /** @param {any} source */
  async look(source) {
    try {
      const { runs } = await this.frame.line.ask("offer", { experiment: source.id });
      if (this.experiment !== source) return; // another one was chosen meanwhile
      this.runs = runs;
      this.show();
    } catch (error) {
      if (this.experiment === source)
        redraw(this.place, h("p", { class: "pw-ag-bad", role: "alert" }, sentence(error)));
    }
  }

  show() {
    if (!this.runs.length)
      return redraw(
        this.place,
        h(
          "p",
          { class: "pw-ag-bad", role: "alert" },
          "Its checkpoints were deleted meanwhile. Choose another one.",
        ),
      );
    const checkpoints = h("div");
    /** @param {number} id */
    const take = (id) => {
      this.run = this.runs.find((/** @type {Row} */ run) => run.id === Number(id));
      this.choice = "best";
      this.drawRun(checkpoints);
    };
    const runs = h(
      "select",
      { onchange: () => take(runs.value) },
      this.runs.map(
        (
          /** @type {{ id: number, label: string, checkpoints: any }} */ {
            id,
            label,
            checkpoints: { length },
          },
          /** @type {number} */ at,
        ) => h("option", { value: id }, `${label}, ${count(length, "checkpoint")}${at ? "" : " (latest)"}`),
      ),
    );
    const { silent, algorithm } = this.experiment;
    redraw(
      this.place,
      silent
        ? h(
            "p",
            { class: "pw-hint" },
            `${algorithm} does not say how its checkpoints answer: the agent can start a stage, but ` +
              "nobody can ask it.",
          )
        : null,
      this.runs.length > 1 ? field("Run", runs) : null,
      checkpoints,
    );
    take(this.runs[0].id);
  }

  /** @param {any} place */
  drawRun(place) {
    const charts = h("div", { class: "pw-ag-charts" });
    const picker = new CheckpointPicker({
      legend: "Checkpoint",
      offer: this.run,
      choice: this.choice,
      onchange: (choice) => {
        this.choice = choice;
        this.drawCharts(charts);
      },
    });
    place.replaceChildren(picker.el, charts);
    this.drawCharts(charts);
  }

  /**
   * Both scores by step, with the chosen checkpoint marked.
   * @param {any} place
   */
  drawCharts(place) {
    const step = isStep(this.choice) ? this.choice : this.run[this.choice].step;
    /**
     * @param {string} word
     * @param {string} name
     */
    const chart = (word, name) => {
      const points = this.run.checkpoints.map((/** @type {any} */ each) => [each.step, each[name]]);
      const values = points
        .map((/** @type {any[]} */ [, value]) => value)
        .filter((/** @type {any} */ value) => value !== null);
      const marked = this.run.checkpoints.find((/** @type {any} */ each) => each.step === step);
      const said = values.length ? `Step ${inFull(step)}: ${score(marked?.[name])}` : "None was reported";
      return h(
        "figure",
        { class: "pw-ag-chart" },
        h("figcaption", {}, h("strong", {}, word), h("span", { class: "pw-soft" }, said)),
        values.length
          ? sparkline(points, {
              width: 300,
              height: 56,
              mark: step,
              label: `${word} by step; marked: step ${inFull(step)}, ${score(marked?.[name])}`,
            })
          : null,
      );
    };
    place.replaceChildren(
      chart("Training Score", "training_score"),
      chart("Evaluation Score", "evaluation_score"),
    );
  }
}

const AGENT_SELECT = 12; // experiments up to which a plain list serves better than a search

const AGENT_NAMED = 4; // experiments that are named where a search is not clear
