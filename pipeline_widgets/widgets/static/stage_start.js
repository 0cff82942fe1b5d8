// How the experiment of the first stage of a chain starts: from scratch, or from a saved agent.

import { field, options, radios } from "./controls.js";
import { draw, html, make, unique } from "./elements.js";
import { ended, inFull, isolated } from "./text.js";

export class StageStart {
  /**
   * `option` returns the experiment that is chosen now.
   * @param {StageFormData} form
   * @param {StageDraft} draft
   * @param {() => ExperimentOption | null} option
   * @param {() => void} changed
   */
  constructor(form, draft, option, changed) {
    this.form = form;
    this.draft = draft;
    this.option = option;
    this.changed = changed;
    this.group = unique("begin");
    this.select = /** @type {HTMLSelectElement} */ (
      make(html`<select @change=${(event) => (draft.agent = Number(event.currentTarget.value))}></select>`)
    );
  }

  /** How the first stage can begin with the chosen experiment. */
  get ways() {
    return this.form.starts[this.option()?.start ?? -1] ?? null;
  }

  get startable() {
    return this.form.agents.filter((_, at) => this.ways?.agents[at]?.fits);
  }

  /** As the draft has it, unless the chosen experiment leaves only the other way. */
  get begin() {
    const { draft, ways, startable } = this;
    if (!ways) return draft.begin;
    if (!ways.scratch.fits) return "agent";
    return startable.length ? draft.begin : "scratch";
  }

  /** Where the chosen experiment starts; what it cannot start from says why. */
  content() {
    const { ways, startable, begin, draft } = this;
    return [
      radios({
        legend: "Start",
        group: this.group,
        choices: [
          {
            value: "scratch",
            label: "Start from scratch",
            reason: ways && !ways.scratch.fits ? ways.scratch.reason : null,
          },
          { value: "agent", label: "Use saved Agent", reason: startable.length ? null : this.noAgent() },
        ],
        chosen: begin,
        onchange: (chosen) => {
          draft.begin = chosen;
          this.changed();
        },
      }),
      this.agents(begin !== "agent" || !startable.length),
    ];
  }

  noAgent() {
    const { ways, form } = this;
    if (!form.agents.length) return "There are no saved Agents yet.";
    if (!ways) return "Choose an experiment first.";
    const [only, more] = ways.agents;
    return more
      ? `No saved Agent fits. ${isolated(form.agents[0].name)}: ${ended(only.reason)}`
      : ended(only.reason);
  }

  /** @param {boolean} hidden */
  agents(hidden) {
    const { startable, draft } = this;
    const chosen = startable.find((agent) => agent.id === draft.agent) ?? startable[0];
    draft.agent = chosen?.id ?? draft.agent;
    /** @type {[number, string][]} */
    const offered = startable.map(({ id, name, version, experiment, step }) => [
      id,
      `${isolated(name)} (version ${version}: ${isolated(experiment)}, step ${inFull(step)})`,
    ]);
    draw(this.select, options(offered, chosen?.id));
    return html`<div ?hidden=${hidden}>
      ${field("Saved Agent", this.select, null, { kind: "pw-indent" })}
    </div>`;
  }
}
