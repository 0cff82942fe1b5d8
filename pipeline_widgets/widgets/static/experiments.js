// The experiments of a project. Python searches, sorts and pages, and says of each what can be done with it
// now.

import { AgentPlace } from "./agent_place.js";
import { openCleanUp } from "./clean_up.js";
import { openMenu } from "./dialogs.js";
import { openEditConfig } from "./edit_config.js";
import { badge, button, html, moment } from "./elements.js";
import { experimentItems, experimentProgress, firstAct } from "./experiment_actions.js";
import { ExperimentDetail } from "./experiment_detail.js";
import { openDeleteExperiment, openDuplicate, openNewExperiment } from "./experiment_dialogs.js";
import { PagedTable } from "./paged_table.js";
import { annotationItems, rowMarks, severalItems } from "./row_actions.js";
import { alignedScores, count } from "./text.js";
import { nothing } from "./vendor/lit.js";

const EXPERIMENT_CODE = 'project.create_experiment("sft", algorithm="SFT")';
/** @type {WeakMap<ExperimentRow[], ReturnType<typeof alignedScores>>} */
const BEST_SCORES = new WeakMap();
const EXPERIMENT_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Algorithm", sort: "algorithm", descending: false, kind: "pw-ex-algorithm" },
  { label: "Status", sort: "status", descending: true, kind: "pw-ex-status" },
  { label: "Best score", sort: "best", descending: true, kind: "pw-pt-best" },
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
      kind: "pw-ex-table pw-pt-compact",
      columns: EXPERIMENT_COLUMNS,
      watched: ["details", "compares"],
      several: true,
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

  /** What says the best scores of the rows that are shown. */
  get score() {
    const said = BEST_SCORES.get(this.rows) ?? alignedScores(this.rows.map(({ best }) => best));
    BEST_SCORES.set(this.rows, said);
    return said;
  }

  /** @param {ExperimentRow} row */
  cells(row) {
    const { id, algorithm, runs } = row;
    const after = [
      rowMarks(row),
      html`<span class="pw-ex-made" title=${algorithm}>${algorithm}</span>`,
      runs ? html`<span title=${count(runs, "run")}>${count(runs, "run")}</span>` : null,
    ];
    const waits = row.waits
      ? html`<div class="pw-ex-waits pw-soft" title=${row.waits}>Waits for ${row.waits}</div>`
      : null;
    return html`<th scope="row">${this.nameLine(row, after)}</th>
      <td class="pw-ex-algorithm"><div title=${algorithm}>${algorithm}</div></td>
      <td class="pw-ex-status">
        <div class="pw-ex-state" title=${row.waits ? `Waits for ${row.waits}` : nothing}>
          ${badge(row.status)}${experimentProgress(row)}
          ${waits}
        </div>
      </td>
      <td class="pw-pt-best"><span class="pw-pt-score">${this.score(row.best)}</span></td>
      <td class="pw-pt-modified">${moment(row.modified_at)}</td>
      <td class="pw-ex-actions">
        <div class="pw-ex-bar">
          ${firstAct(this, row)}${this.menuButton(row, (opener) => this.openActions(id, opener))}
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
      ...experimentItems(this, row),
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
      ...annotationItems(this, row),
      {
        label: "Delete",
        glyph: "trash",
        danger: true,
        reason: row.blockers.delete,
        onclick: () => openDeleteExperiment(this, row),
      },
    ]);
  }

  /** @param {ExperimentRow[]} rows */
  actsOnSeveral(rows) {
    return severalItems(this, rows, {
      active: ({ blockers }) => !blockers.stop,
      loses: ["Their runs, metrics and checkpoints are deleted, and that cannot be undone."],
    });
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
