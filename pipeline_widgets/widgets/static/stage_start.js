// How the experiment of a stage starts: from scratch, from a saved agent, or from a checkpoint of the stage before.

import { field, radios } from "./dialogs.js";
import { h, unique } from "./elements.js";
import { CheckpointPicker } from "./pickers.js";
import { ended, inFull, isolated } from "./text.js";

export class StageStart {
  /**
   * `option` returns the experiment that is chosen now.
   * @param {Values} form
   * @param {Values} draft
   * @param {() => any} option
   */
  constructor(form, draft, option) {
    this.form = form;
    this.draft = draft;
    this.option = option;
    this.el = h("div", { class: "pw-stageform-part" });
  }

  /** Where the chosen experiment starts; what it cannot start from says why. */
  show() {
    if (this.form.first) return this.el.replaceChildren(...this.firstStart());
    if (!this.el.firstChild) this.el.append(stageCheckpoints(this.form, this.draft, "Start from"));
  }

  /** How the first stage can begin with the chosen experiment. */
  get ways() {
    return this.form.starts[this.option()?.start] ?? null;
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
}

/**
 * Make the picker of a checkpoint of the source stage.
 * @param {Values} form
 * @param {Values} draft
 * @param {string} legend
 */
export function stageCheckpoints(form, draft, legend) {
  return new CheckpointPicker({
    legend,
    offer: form,
    choice: draft.choice,
    onchange: (choice) => (draft.choice = choice),
  }).el;
}

/**
 * Make the box that saves the best checkpoint among the Agents.
 * @param {Values} draft
 */
export function autoAddBox(draft) {
  const box = h("input", {
    type: "checkbox",
    id: unique("auto-add"),
    checked: draft.autoAdd,
    onchange: () => (draft.autoAdd = box.checked),
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
