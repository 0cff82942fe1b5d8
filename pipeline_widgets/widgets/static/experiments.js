// The experiments of a project. Python searches, sorts and pages, and says of each what can be done with it
// now.

import { AgentPlace } from "./agent_place.js";
import { openCleanUp } from "./clean_up.js";
import { openMenu } from "./dialogs.js";
import { badge, button, html, moment } from "./elements.js";
import { experimentActs, experimentProgress } from "./experiment_actions.js";
import { ExperimentDetail } from "./experiment_detail.js";
import {
  openDeleteExperiment,
  openDuplicate,
  openEditConfig,
  openNewExperiment,
} from "./experiment_dialogs.js";
import { PagedTable } from "./paged_table.js";
import { count, score } from "./text.js";

const EXPERIMENT_CODE = 'project.create_experiment("sft", algorithm="SFT")';
const EXPERIMENT_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Algorithm", sort: "algorithm", descending: false, kind: "pw-ex-algorithm" },
  { label: "Status", sort: "status", descending: true, kind: "pw-ex-status" },
  { label: "Last modified", sort: "modified", descending: true, kind: "pw-ex-modified" },
  { label: "Actions", kind: "pw-ex-actions" },
];

/** @extends {PagedTable<ExperimentRow>} */
export class ExperimentsTable extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "experiments",
      noun: "experiment",
      kind: "pw-ex-table",
      columns: EXPERIMENT_COLUMNS,
      watched: ["details"],
    });
    /** @type {FormDrafts | null} */
    this.typed = null; // what was typed into the form of a new experiment
    this.place = new AgentPlace(this.frame, model);
    this.frame.body.after(this.place.el);
    this.draw();
  }

  tools() {
    return [
      this.newButton("new"),
      button({
        label: "Clean up",
        glyph: "trash",
        title: "Free the disk space of checkpoints that nothing needs",
        f: "clean-up",
        onclick: (pressed) => openCleanUp(this.frame, pressed),
      }),
    ];
  }

  /** @param {string} name */
  newButton(name) {
    return button({
      label: "New experiment",
      glyph: "plus",
      kind: "pw-primary",
      f: name,
      onclick: (pressed) => openNewExperiment(this, pressed),
    });
  }

  get details() {
    return /** @type {ExperimentDetailRow[]} */ (this.model.get("details"));
  }

  expanded() {
    return new Set(this.details.map(({ id }) => id));
  }

  /** @returns {{ holds: string, nothing: [string, ...Content[]] }} */
  empty() {
    return {
      holds: "Nothing matches",
      nothing: [
        "No experiments yet",
        html`<div>
          Configure one here, or in a cell; then train it, or put it into a stage of a pipeline.
        </div>`,
        this.newButton("first"),
        html`<pre class="pw-code"><code>${EXPERIMENT_CODE}</code></pre>`,
      ],
    };
  }

  // ---- a row

  /** @param {ExperimentRow} row */
  cells(row) {
    const { id, name, algorithm, runs } = row;
    const done = html`<span>${count(runs, "run")}</span><span>best score ${score(row.best)}</span>`;
    return html`<th scope="row">
        <div class="pw-pt-name">${this.opener(row)}</div>
        <div class="pw-pt-under pw-ex-under pw-soft">
          <span class="pw-ex-made" title=${algorithm}>${algorithm}</span>
          ${runs ? done : null}
        </div>
      </th>
      <td class="pw-ex-algorithm"><div title=${algorithm}>${algorithm}</div></td>
      <td>
        <div>${badge(row.status)}</div>
        ${row.waits ? html`<div class="pw-ex-waits pw-soft">Waits for ${row.waits}</div>` : null}
        ${experimentProgress(row)}
      </td>
      <td class="pw-pt-modified">${moment(row.modified_at)}</td>
      <td class="pw-ex-actions">
        <div class="pw-ex-bar">
          <div class="pw-ex-acts" role="group" aria-label=${name}>${experimentActs(this, row)}</div>
          ${this.menuButton(row, (opener) => this.openActions(id, opener))}
        </div>
      </td>`;
  }

  /**
   * @param {number} id
   * @param {El} opener
   */
  openActions(id, opener) {
    const row = this.row(id);
    if (!row) return;
    openMenu(opener, [
      this.model.get("results")
        ? {
            label: "Results",
            glyph: "results",
            onclick: () => this.frame.run("results", { experiment: id }, opener),
          }
        : null,
      {
        label: "Edit config",
        glyph: "edit",
        reason: row.blockers.change,
        onclick: () => openEditConfig(this, row, opener),
      },
      { label: "Duplicate", glyph: "copy", onclick: () => openDuplicate(this, row, opener) },
      {
        label: "Delete",
        glyph: "trash",
        danger: true,
        reason: row.blockers.delete,
        onclick: () => openDeleteExperiment(this, row),
      },
    ]);
  }

  // ---- what is in an expanded row

  /** @param {number} id */
  makeInside(id) {
    const inside = new ExperimentDetail(this, id);
    return {
      show: (/** @type {ExperimentRow} */ row) =>
        inside.show(
          row,
          this.details.find((detail) => detail.id === id),
        ),
      end: () => inside.end(),
    };
  }
}
