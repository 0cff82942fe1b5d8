// The experiments of a project. Python searches, sorts and pages, and says of each what can be done with it
// now.

import { openCleanUp } from "./clean_up.js";
import { openMenu } from "./dialogs.js";
import { badge, button, h, redraw, setText } from "./elements.js";
import { ExperimentDetail } from "./experiment_detail.js";
import {
  openDeleteExperiment,
  openDuplicate,
  openEditConfig,
  openNewExperiment,
} from "./experiment_dialogs.js";
import { PagedTable } from "./paged_table.js";
import { openResume } from "./resume_dialog.js";
import { runLeft } from "./run_times.js";
import { count, isolated, moment, remaining, score } from "./text.js";

const EXPERIMENT_CODE = 'project.create_experiment("sft", algorithm="SFT")';
const EXPERIMENT_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Algorithm", sort: "algorithm", descending: false, kind: "pw-ex-algorithm" },
  { label: "Status", sort: "status", descending: true, kind: "pw-ex-status" },
  { label: "Last modified", sort: "modified", descending: true, kind: "pw-ex-modified" },
  { label: "Actions", kind: "pw-ex-actions" },
];

export class ExperimentsTable extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "experiments",
      noun: "experiment",
      columns: EXPERIMENT_COLUMNS,
      watched: ["details"],
    });
    this.build();
    this.table.classList.add("pw-ex-table");
    this.draw();
  }

  tools() {
    return [this.newButton("new"), this.cleanUpButton()];
  }

  cleanUpButton() {
    return button({
      label: "Clean up",
      glyph: "trash",
      title: "Free the disk space of checkpoints that nothing needs",
      "data-f": "clean-up",
      onclick: (event) => openCleanUp(this, event.currentTarget),
    });
  }

  /** @param {string} name */
  newButton(name) {
    return button({
      label: "New experiment",
      glyph: "plus",
      kind: "pw-primary",
      "data-f": name,
      onclick: (event) => openNewExperiment(this, event.currentTarget),
    });
  }

  expanded() {
    this.details = new Map(this.model.get("details").map((/** @type {Row} */ detail) => [detail.id, detail]));
    return new Set(this.details.keys());
  }

  empty() {
    return {
      holds: "No name holds",
      nothing: [
        "No experiments yet",
        h(
          "div",
          {},
          "Configure one here, or in a cell; then train it, or put it into a stage of a pipeline.",
        ),
        this.newButton("first"),
        h("pre", { class: "pw-code" }, h("code", {}, EXPERIMENT_CODE)),
      ],
    };
  }

  // ---- a row

  /** @param {number} id */
  makeRow(id) {
    const open = this.makeOpener(id),
      menu = this.makeMenu(id);
    const acts = h("div", { class: "pw-ex-acts", role: "group" }),
      under = h("div", { class: "pw-pt-under pw-ex-under pw-soft" });
    const algorithm = h("div"),
      marks = h("div"),
      progress = h("div", { class: "pw-ex-progress" }),
      modified = h("td", { class: "pw-pt-modified" });
    const line = h(
      "tr",
      { class: "pw-pt-row" },
      h("th", { scope: "row" }, h("div", { class: "pw-pt-name" }, open), under),
      h("td", { class: "pw-ex-algorithm" }, algorithm),
      h("td", {}, marks, progress),
      modified,
      h("td", { class: "pw-ex-actions" }, h("div", { class: "pw-ex-bar" }, acts, menu)),
    );
    line.parts = { open, menu, acts, under, algorithm, marks, progress, modified };
    return line;
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showRow(line, row) {
    const { open, menu, acts, under, algorithm, marks, progress, modified } = line.parts;
    this.showOpener(line, open, row);
    this.showMenu(menu, row);
    acts.setAttribute("aria-label", row.name);
    redraw(
      under,
      // where its own column has no room
      h("span", { class: "pw-ex-made", title: row.algorithm }, row.algorithm),
      row.runs ? h("span", {}, count(row.runs, "run")) : null,
      !row.runs ? null : h("span", {}, `best score ${score(row.best)}`),
    );
    setText(algorithm, row.algorithm);
    algorithm.title = row.algorithm;
    redraw(marks, badge(row.status));
    this.showProgress(progress, row);
    redraw(modified, moment(row.modified_at));
    /**
     * @param {string} label
     * @param {string} glyph
     * @param {string} reason
     * @param {(pressed: El) => any} act
     */
    const act = (label, glyph, reason, act) =>
      button({
        label,
        glyph,
        reason,
        title: label,
        "data-f": `${label}-${row.id}`,
        onclick: (event) => act(event.currentTarget),
      });
    redraw(
      acts,
      act("Train", "play", row.blockers.train, (pressed) => this.train(row.id, pressed)),
      act("Stop", "stop", row.blockers.stop, (pressed) => this.stop(row.id, pressed)),
      act("Resume", "resume", row.blockers.resume, (pressed) => openResume(this, this.row(row.id), pressed)),
    );
  }

  /**
   * @param {any} place
   * @param {Row} row
   */
  showProgress(place, row) {
    place.hidden = !["Running", "Stopping"].includes(row.status);
    if (place.hidden) return redraw(place);
    const { step, total } = row,
      left = runLeft({ ...row, finished_at: null });
    const part = total ? Math.min(1, Math.max(0, (step ?? 0) / total)) : null;
    const steps = total
      ? `${step ?? 0} of ${total}`
      : step === null
        ? "No step reported yet"
        : `Step ${step}`;
    redraw(
      place,
      h(
        "div",
        {
          class: "pw-progress",
          role: "progressbar",
          "aria-label": `Progress of ${isolated(row.name)}`,
          "aria-valuemin": total ? 0 : undefined,
          "aria-valuemax": total || undefined,
          "aria-valuenow": total ? Math.min(step ?? 0, total) : undefined,
          "aria-valuetext": steps,
        },
        h("div", {
          class: part === null ? "pw-unknown" : "",
          style: { width: `${((part ?? 0.3) * 100).toFixed(1)}%` },
        }),
      ),
      h(
        "div",
        { class: "pw-ex-words pw-soft" },
        h("span", {}, steps),
        left === null ? null : h("span", {}, remaining(left)),
      ),
    );
  }

  /**
   * @param {number} id
   * @param {El} opener
   */
  openActions(id, opener) {
    const row = this.row(id),
      not = row.blockers;
    openMenu(opener, [
      this.model.get("results")
        ? {
            label: "Results",
            glyph: "results",
            onclick: () => this.ask("results", { experiment: id }, opener),
          }
        : null,
      {
        label: "Edit config",
        glyph: "edit",
        reason: not.change,
        onclick: () => openEditConfig(this, this.row(id), opener),
      },
      { label: "Duplicate", glyph: "copy", onclick: () => openDuplicate(this, this.row(id), opener) },
      {
        label: "Delete",
        glyph: "trash",
        danger: true,
        reason: not.delete,
        onclick: () => openDeleteExperiment(this, this.row(id)),
      },
    ]);
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async train(id, pressed) {
    if (await this.ask("train", { experiment: id }, pressed))
      this.frame.announce(`${isolated(this.row(id)?.name ?? "It")} is training.`);
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async stop(id, pressed) {
    if (await this.ask("stop", { experiment: id }, pressed))
      this.frame.announce(`${isolated(this.row(id)?.name ?? "It")} is asked to stop.`);
  }

  // ---- what is in an expanded row

  /** @param {number} id */
  makeInside(id) {
    const inside = new ExperimentDetail(this, id);
    const line = h(
      "tr",
      { class: "pw-pt-inside" },
      h("td", { colspan: EXPERIMENT_COLUMNS.length }, inside.place),
    );
    line.inside = inside;
    return line;
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showInside(line, row) {
    line.inside.show(row, this.details.get(row.id));
  }
}
