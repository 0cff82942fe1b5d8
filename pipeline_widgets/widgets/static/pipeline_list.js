// The list of a project's pipelines. Python searches, sorts and pages; a row that is expanded holds a
// builder.

import { ChildPlace } from "./children.js";
import { openDelete } from "./delete_row.js";
import { description } from "./description.js";
import { openMenu } from "./dialogs.js";
import { badge, button, draw, failure, find, focusOn, html, make, moment, named } from "./elements.js";
import { kindOf, sentence } from "./line.js";
import { newPipelineButtons } from "./new_pipeline.js";
import { PagedTable } from "./paged_table.js";
import { annotationItems, rowMarks, severalItems } from "./row_actions.js";
import { openPipelineRun, runButtons } from "./run_pipeline.js";
import { bestScore, stageStrip } from "./stage_strip.js";
import { count, isolated } from "./text.js";
import { nothing } from "./vendor/lit.js";

const LIST_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Stages", kind: "pw-pl-strip" },
  { label: "Status", sort: "status", descending: true, kind: "pw-pl-status" },
  { label: "Best score", sort: "best", descending: true, kind: "pw-pt-best" },
  { label: "Last modified", sort: "modified", descending: true, kind: "pw-pl-modified" },
  { label: "Actions", kind: "pw-pl-actions" },
];

const WHAT_STAYS = "Experiments, checkpoints and agents stay, and so do the results of its runs.";
const PIPELINE_LOSES = ["Their stages and settings are deleted, and that cannot be undone.", WHAT_STAYS];
const ACTIVE_STATUSES = new Set(["Pending", "Running", "Stopping"]);

/**
 * A name that is being typed.
 * @typedef {{ name: string, version: number, text: string, busy?: boolean, error?: string,
 *   refused?: boolean }} Rename
 */

/** @extends {PagedTable<PipelineRow>} */
export class PipelineTable extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "pipeline-list",
      noun: "pipeline",
      kind: "pw-pl-table pw-pt-compact",
      columns: LIST_COLUMNS,
      watched: ["builders", "compares"],
      several: true,
    });
    /** @type {Map<number, Rename>} */
    this.renames = new Map(); // by pipeline
    this.draw();
  }

  tools() {
    return newPipelineButtons(this, "");
  }

  expanded() {
    return new Set(Object.keys(this.model.get("builders")).map(Number));
  }

  /** @returns {{ holds: string, nothing: [string, ...Content[]] }} */
  empty() {
    return {
      holds: "Nothing matches",
      nothing: [
        "No pipelines found",
        html`<div>Create one to chain training experiments, stage by stage, up to an agent.</div>`,
        html`<div class="pw-pl-first">${newPipelineButtons(this, "first-")}</div>`,
      ],
    };
  }

  // ---- a row

  /** @param {PipelineRow} row */
  kindOfLine({ id }) {
    return this.renames.has(id) ? " pw-pl-renames" : "";
  }

  /** @param {PipelineRow} row */
  cells(row) {
    const edit = this.renames.get(row.id);
    const stale = {
      title: `${count(row.stale, "stage is", "stages are")} stale`,
      text: `${row.stale} stale`,
    };
    const about = row.shares ? html`<span title=${row.shares}>${row.shares}</span>` : null;
    const rename = edit ? this.renameForm(row, edit) : null;
    return html`<th scope="row">${this.nameLine(row, [rowMarks(row), about], rename)}</th>
      <td class="pw-pl-strip">${stageStrip(row.statuses)}</td>
      <td class="pw-pl-status">
        <div class="pw-pl-marks">
          ${badge(row.status, { title: row.detail })}${row.stale ? badge("Stale", stale) : null}
          <div class="pw-pt-detail pw-soft" title=${row.detail}>${row.detail}</div>
        </div>
      </td>
      <td class="pw-pt-best">${bestScore(row.best)}</td>
      <td class="pw-pt-modified">${moment(row.modified_at)}</td>
      <td class="pw-pl-actions">
        ${this.runButton(row)}${this.menuButton(row, (opener) => this.openActions(row.id, opener))}
      </td>`;
  }

  /**
   * @param {number} id
   * @param {El} opener
   */
  openActions(id, opener) {
    const row = this.row(id);
    openMenu(opener, [
      { label: "Edit name", glyph: "edit", onclick: () => this.rename(id) },
      { label: "Duplicate", glyph: "copy", onclick: () => this.duplicate(id, opener) },
      ...(row ? annotationItems(this, row) : []),
      ...(row ? this.runs(row).slice(1) : []), // the first has a button of its own
      { label: "Delete", glyph: "trash", danger: true, onclick: () => this.remove(id) },
    ]);
  }

  /** @param {PipelineRow[]} rows */
  actsOnSeveral(rows) {
    return severalItems(this, rows, {
      active: ({ statuses }) => statuses.some((/** @type {string} */ status) => ACTIVE_STATUSES.has(status)),
      loses: PIPELINE_LOSES,
    });
  }

  /**
   * The one that a row offers first: to bring it up to date, where nothing else is next.
   * @param {PipelineRow} row
   */
  runButton(row) {
    const [{ label, glyph, reason, onclick }] = this.runs(row),
      named = `${label}: ${isolated(row.name)}`;
    return button({ label: named, glyph, quiet: true, reason, f: `run-${row.id}`, onclick });
  }

  /** @param {PipelineRow} row */
  runs({ id, runs }) {
    const { frame } = this,
      view = () => this.reveal(id);
    return runButtons(runs, (goal, pressed) => openPipelineRun({ frame, goal, pressed, pipeline: id, view }));
  }

  /**
   * Open a row, and go to it.
   * @param {number} id
   */
  async reveal(id) {
    const line = this.lineOf(id);
    if (line && !this.isOpen(id)) await this.toggle(id, find(line, ".pw-pt-open"));
    this.landing = { id, focus: true };
    this.draw();
  }

  // ---- the name, edited in the row

  /** @param {number} id */
  rename(id) {
    const row = this.row(id);
    if (!row) return;
    const { name, version } = row;
    this.renames.set(id, { name, version, text: name });
    this.draw();
    const input = /** @type {Input} */ (find(this.lines, named(`rename-${id}`)));
    focusOn(input);
    input.select();
  }

  /**
   * @param {PipelineRow} row
   * @param {Rename} edit
   */
  renameForm({ id, name }, edit) {
    const wrong = `${this.frame.id}-rename-${id}`;
    /** @param {At} event */
    const key = (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") this.saveName(id, event.currentTarget, true);
      else if (event.key === "Escape") this.endRename(id, true);
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    // As in JupyterLab's file browser; but another window's focus saves nothing.
    const blur = (/** @type {At} */ { currentTarget }) =>
      !this.drawing && document.hasFocus() && this.saveName(id, currentTarget, false);
    return html`<div class="pw-pl-rename">
      <input type="text" data-f=${`rename-${id}`} aria-label=${`Name of ${isolated(name)}`} autocomplete="off"
        spellcheck="false" .value=${edit.text} ?readonly=${edit.busy}
        aria-invalid=${edit.error ? "true" : nothing}
        aria-describedby=${edit.error ? wrong : nothing} @keydown=${key} @blur=${blur}
        @input=${(event) => (edit.text = event.currentTarget.value)} />
      <div class="pw-pt-error" role="alert" id=${wrong}>${failure(edit.error)}</div>
    </div>`;
  }

  /**
   * @param {number} id
   * @param {Input} input
   * @param {boolean} back
   */
  async saveName(id, input, back) {
    const edit = this.renames.get(id),
      text = input.value;
    if (!edit || edit.busy) return;
    if (text === edit.name || (!back && !text.trim())) return this.endRename(id, back);
    Object.assign(edit, { busy: true, error: "" });
    this.draw();
    try {
      // Once refused, it is based on what is shown now.
      const version = (edit.refused && this.row(id)?.version) || edit.version;
      const done = await this.frame.line.ask("edit", { pipeline: id, version, name: text }, input);
      this.endRename(id, back);
      this.frame.notice(`Renamed to ${isolated(text.trim())}.`, "info", {
        label: "Undo",
        act: (pressed) => this.renameBack({ pipeline: id, name: edit.name, version: done.version }, pressed),
      });
    } catch (error) {
      const refused = kindOf(error) === "StaleWriteError";
      Object.assign(edit, { busy: false, error: sentence(error), refused });
      this.draw();
      if (back) input.focus();
    }
  }

  /**
   * Give a pipeline its former name, unless it was renamed since that version.
   * @param {{ pipeline: number, name: string, version: number }} edit
   * @param {El} pressed
   */
  async renameBack(edit, pressed) {
    if (await this.frame.run("edit", edit, pressed))
      this.frame.notice(`Renamed back to ${isolated(edit.name)} (undo).`);
  }

  /**
   * @param {number} id
   * @param {boolean} back
   */
  endRename(id, back) {
    this.renames.delete(id);
    this.draw();
    if (back) focusOn(this.lines.querySelector(named(`menu-${id}`)));
  }

  // ---- what is in an expanded row

  /** @param {number} id */
  makeInside(id) {
    const place = make(html`<div class="pw-pl-builder"></div>`);
    draw(place, html`<p class="pw-soft" role="status">Opening…</p>`);
    const inside = new ChildPlace(
      this.model,
      (error) =>
        draw(
          place,
          html`<p class="pw-soft">The builder cannot be shown: ${/** @type {Error} */ (error).message}</p>`,
        ),
      place,
    );
    return {
      show: (/** @type {PipelineRow} */ row) => {
        const reference = this.model.get("builders")[id];
        if (reference) inside.show(reference);
        return [this.about(row), place];
      },
      end: () => inside.end(),
    };
  }

  /** @param {PipelineRow} row */
  about(row) {
    return description(this, row, {
      labelled: true,
      save: ({ id, ...edit }, pressed) => this.frame.line.ask("edit", { pipeline: id, ...edit }, pressed),
    });
  }

  // ---- pipelines as a whole

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async duplicate(id, pressed) {
    const copy = await this.frame.run("duplicate", { pipeline: id }, pressed);
    if (copy) this.arrive(copy, `Duplicated as ${isolated(copy.name)}.`, false);
  }

  /** @param {number} id */
  remove(id) {
    const row = this.row(id);
    if (row)
      openDelete(
        this,
        row,
        "Its stages and their settings are deleted, and that cannot be undone.",
        WHAT_STAYS,
      );
  }
}
