// The experiment and checkpoint that an agent is made of.

import { field, options, searchInput, wrongField } from "./controls.js";
import { draw, html, make, unique } from "./elements.js";
import { sentence } from "./line.js";
import { CheckpointPicker } from "./pickers.js";
import { sparkline } from "./sparkline.js";
import { isStep } from "./steps.js";
import { count, inFull, isolated, score } from "./text.js";

const AGENT_SELECT = 12; // experiments up to which a plain list serves better than a search
const AGENT_NAMED = 4; // experiments that are named where a search is not clear

/** The source experiment, and one of its checkpoints. */
export class AgentSource {
  /** @param {{ frame: Frame, sources: AgentSourceRow[] }} options */
  constructor({ frame, sources }) {
    this.frame = frame;
    this.sources = sources;
    /** @type {AgentSourceRow | null} */
    this.experiment = null;
    /** @type {ResumableRun | null} */
    this.run = null;
    /** @type {Step} */
    this.choice = "best";
    /** @type {Promise<void> | null} */
    this.looking = null;
    this.runs = /** @type {HTMLSelectElement} */ (make(html`<select></select>`));
    this.find = sources.length > AGENT_SELECT ? this.searched() : null;
    this.labels = new Map(sources.map((source) => [sourceLabel(source), source]));
    this.place = make(html`<div class="pw-ag-offer"></div>`);
    this.el = make(
      html`<div class="pw-ag-new">${this.find ? this.search(this.find) : this.select()}${this.place}</div>`,
    );
  }

  /** What is sent of it: an experiment, a run, and one of its checkpoints. */
  async chosen() {
    if (this.find) this.settle(this.find);
    await this.looking;
    const { experiment, run, choice } = this;
    if (!experiment) {
      const problem = { what: "No source experiment is chosen.", fix: "Choose one from the list." };
      throw this.find ? wrongField(this.find, problem) : problem;
    }
    if (!run)
      throw {
        what: "The checkpoints of that experiment are not known yet.",
        fix: "Wait for them, or choose another.",
      };
    return { experiment: experiment.id, run: run.id, choice };
  }

  // ---- the experiment

  select() {
    /** @type {[number, string][]} */
    const choices = [...this.labels].map(([label, { id }]) => [id, label]);
    /** @param {At} event */
    const pick = ({ currentTarget: { value } }) =>
      this.pick(this.sources.find(({ id }) => id === Number(value)) ?? this.sources[0]);
    this.pick(this.sources[0]);
    return field("Source experiment", make(html`<select @change=${pick}>${options(choices)}</select>`));
  }

  searched() {
    const input = searchInput("Search experiments");
    input.type = "text";
    input.removeAttribute("aria-label");
    input.addEventListener("change", () => this.settle(input));
    input.addEventListener("keydown", (event) => this.key(event, input));
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", () => (this.labels.has(input.value) ? this.settle(input) : this.drop()));
    return input;
  }

  /** @param {Input} input */
  search(input) {
    const id = unique("experiments"),
      known = `${count(this.sources.length, "experiment")} with checkpoints. Type to search.`;
    const labels = [...this.labels.keys()].map((label) => html`<option value=${label}></option>`);
    input.setAttribute("list", id);
    return html`${field("Source experiment", input, known)}
      <datalist id=${id}>${labels}</datalist>`;
  }

  /**
   * Enter takes what was typed and nothing more; so does Tab. Both go on to the checkpoints.
   * @param {KeyboardEvent} event
   * @param {Input} input
   */
  key(event, input) {
    const enter = event.key === "Enter";
    if (event.isComposing || !(enter || (event.key === "Tab" && !event.shiftKey && !this.run))) return;
    this.settle(input);
    if (enter || this.experiment) event.preventDefault();
    const { experiment } = this;
    this.looking?.then(
      () => this.experiment === experiment && this.place.querySelector("select, input:checked")?.focus(),
    );
  }

  /**
   * Take what was typed, if it names one; else say what it may mean.
   * @param {Input} input
   */
  settle(input) {
    const found = this.matching(input.value);
    if (found.length !== 1) return this.drop(this.unclear(input.value, found));
    input.value = sourceLabel(found[0]);
    if (found[0] !== this.experiment) this.pick(found[0]);
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

  /**
   * @param {string} text
   * @param {AgentSourceRow[]} found
   */
  unclear(text, found) {
    if (!text.trim()) return null;
    if (!found.length) return `No experiment matches '${text}'.`;
    const names = found.slice(0, AGENT_NAMED).map(sourceLabel),
      more = found.length - names.length;
    return (
      `${count(found.length, "experiment")} match: ` +
      `${names.join(", ")}${more ? ` and ${inFull(more)} more` : ""}. Type more of the one that you ` +
      "mean."
    );
  }

  /**
   * What was chosen is no longer what the field says.
   * @param {string | null} [why]
   */
  drop(why = null) {
    this.experiment = this.run = this.looking = null;
    draw(this.place, why ? html`<p class="pw-hint" role="status">${why}</p>` : null);
  }

  // ---- its checkpoints

  /** @param {AgentSourceRow} source */
  pick(source) {
    this.experiment = source;
    this.run = null;
    draw(this.place, html`<p class="pw-soft" role="status">Looking for its checkpoints…</p>`);
    this.looking = this.look(source);
  }

  /** @param {AgentSourceRow} source */
  async look(source) {
    try {
      const { runs } = await this.frame.line.ask("offer", { experiment: source.id });
      if (this.experiment !== source) return; // another one was chosen meanwhile
      if (!runs.length) throw "Its checkpoints were deleted meanwhile. Choose another one.";
      this.take(source, runs, runs[0]);
    } catch (error) {
      if (this.experiment === source)
        draw(this.place, html`<p class="pw-ag-bad" role="alert">${sentence(error)}</p>`);
    }
  }

  /**
   * @param {AgentSourceRow} source
   * @param {ResumableRun[]} runs
   * @param {ResumableRun} run
   */
  take(source, runs, run) {
    this.run = run;
    this.choice = "best";
    /** @type {[number, string][]} */
    const choices = runs.map(({ id, label, checkpoints: { length } }, at) => [
      id,
      `${label}, ${count(length, "checkpoint")}${at ? "" : " (latest)"}`,
    ]);
    this.runs.onchange = () => {
      const id = Number(this.runs.value);
      this.take(source, runs, runs.find((each) => each.id === id) ?? run);
    };
    draw(this.runs, options(choices, run.id));
    const picker = new CheckpointPicker({
      legend: "Checkpoint",
      offer: run,
      choice: this.choice,
      onchange: (choice) => {
        this.choice = choice;
        show();
      },
    });
    const silent =
      `${source.algorithm} does not say how its checkpoints answer: the agent can start a stage, but ` +
      "can't answer requests.";
    const show = () =>
      draw(this.place, [
        source.silent ? html`<p class="pw-hint">${silent}</p>` : null,
        runs.length > 1 ? field("Run", this.runs) : null,
        html`<div>${picker.el}<div class="pw-ag-charts">${scoreCharts(run, this.choice)}</div></div>`,
      ]);
    show();
  }
}

/** @param {AgentSourceRow} source */
const sourceLabel = ({ name, project, algorithm }) =>
  `${isolated(name)}${project ? ` in ${isolated(project)}` : ""} (${isolated(algorithm)})`;

/**
 * Both scores by step, with the chosen checkpoint marked.
 * @param {ResumableRun} run
 * @param {Step} choice
 */
function scoreCharts(run, choice) {
  const step = isStep(choice) ? choice : run[/** @type {"best" | "final"} */ (choice)].step;
  const marked = run.checkpoints.find((each) => each.step === step);
  /**
   * @param {string} word
   * @param {"training_score" | "evaluation_score"} name
   */
  const chart = (word, name) => {
    const points = run.checkpoints.map((each) => /** @type {Point} */ ([each.step, each[name]]));
    const known = points.some(([, value]) => value !== null),
      at = score(marked?.[name]);
    const label = `${word} by step; marked: step ${inFull(step)}, ${at}`;
    return html`<figure class="pw-ag-chart">
      <figcaption>
        <strong>${word}</strong>
        <span class="pw-soft">${known ? `Step ${inFull(step)}: ${at}` : "None was reported"}</span>
      </figcaption>
      ${known ? sparkline(points, { width: 300, height: 56, mark: step, label }) : null}
    </figure>`;
  };
  return [chart("Training Score", "training_score"), chart("Evaluation Score", "evaluation_score")];
}
