// The list of a project's pipelines. Python searches, sorts and pages; a row that is expanded holds a
// builder.

import { child } from "./children.js";
import { Description } from "./description.js";
import { field, openDialog, openMenu } from "./dialogs.js";
import { badge, button, h, icon, redraw, unique } from "./elements.js";
import { sentence } from "./line.js";
import { PagedTable } from "./paged_table.js";
import { count, isolated, moment } from "./text.js";
import { openImport } from "./transfer.js";

const LIST_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Status", sort: "status", descending: true },
  { label: "Last modified", sort: "modified", descending: true },
  { label: "Actions" },
];

export class PipelineTable extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "pipeline-list",
      noun: "pipeline",
      columns: LIST_COLUMNS,
      watched: ["builders"],
    });
    this.renames = new Map(); // by pipeline: the name that is being typed
    this.drafts = new Map(); // by pipeline: the description that is being typed
    this.build();
    this.table.classList.add("pw-pl-table");
    this.draw();
  }

  tools() {
    return [this.newButton(), this.importButton()];
  }

  newButton() {
    return button({
      label: "New Pipeline",
      glyph: "plus",
      kind: "pw-primary",
      "data-f": "new",
      onclick: () => this.create(),
    });
  }

  importButton() {
    return button({
      label: "Import pipeline",
      glyph: "import",
      "data-f": "import",
      onclick: () => this.import(),
    });
  }

  expanded() {
    return new Set(Object.keys(this.model.get("builders")).map(Number));
  }

  empty() {
    return {
      holds: "No name or description holds",
      nothing: [
        "No pipelines found",
        h("div", {}, "Create one to chain training experiments, stage by stage, up to an agent."),
        this.newButton(),
      ],
    };
  }

  // ---- a row

  /** @param {number} id */
  makeRow(id) {
    const open = this.makeOpener(id),
      menu = this.makeMenu(id);
    const name = h("div", { class: "pw-pt-name" }, open),
      under = h("div", { class: "pw-pt-under pw-soft" });
    const status = h("td"),
      modified = h("td", { class: "pw-pt-modified" });
    const line = h(
      "tr",
      { class: "pw-pt-row" },
      h("th", { scope: "row" }, name, under),
      status,
      modified,
      h("td", { class: "pw-pl-actions" }, menu),
    );
    line.parts = { open, menu, name, under, status, modified };
    return line;
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showRow(line, row) {
    const { open, menu, under, status, modified } = line.parts;
    this.showOpener(line, open, row);
    this.showMenu(menu, row);
    redraw(
      under,
      row.stages ? h("span", {}, count(row.stages, "stage")) : null,
      row.shares ? h("span", {}, row.shares) : null,
    );
    const stale = row.stale
      ? h(
          "span",
          {
            class: "pw-badge",
            "data-status": "Stale",
            title: `${count(row.stale, "stage is", "stages are")} stale`,
          },
          icon("Stale"),
          h("span", {}, `${row.stale} stale`),
        )
      : null;
    redraw(
      status,
      h("div", { class: "pw-pl-marks" }, badge(row.status, row.detail), stale),
      h("div", { class: "pw-pt-detail pw-soft" }, row.detail),
    );
    redraw(modified, moment(row.modified_at));
    this.showRename(line, row);
  }

  /**
   * @param {number} id
   * @param {El} opener
   */
  openActions(id, opener) {
    openMenu(opener, [
      { label: "Edit name", glyph: "edit", onclick: () => this.rename(id) },
      { label: "Duplicate", glyph: "copy", onclick: () => this.duplicate(id, opener) },
      { label: "Delete", glyph: "trash", danger: true, onclick: () => this.remove(id) },
    ]);
  }

  // ---- the name, edited in the row

  /** @param {number} id */
  rename(id) {
    const { name, version } = this.row(id) ?? {};
    if (name === undefined) return;
    this.renames.set(id, { name, version });
    this.draw();
    const input = this.lines.querySelector(`[data-f="rename-${id}"]`);
    input.focus({ preventScroll: true });
    input.select();
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showRename(line, row) {
    const edit = this.renames.get(row.id),
      { name } = line.parts;
    line.classList.toggle("pw-pl-renames", !!edit);
    if (!edit) {
      line.rename?.remove();
      return;
    }
    if (!line.rename?.isConnected) {
      const input = h("input", {
        type: "text",
        "data-f": `rename-${row.id}`,
        "aria-label": `Name of ${isolated(row.name)}`,
        autocomplete: "off",
        spellcheck: "false",
        value: row.name,
        onkeydown: (event) => {
          if (event.isComposing) return;
          if (event.key === "Enter") this.saveName(row.id, input, true);
          else if (event.key === "Escape") this.endRename(row.id, true);
          else return;
          event.preventDefault();
          event.stopPropagation();
        },
        // As in JupyterLab's file browser; but another window's focus saves nothing.
        onblur: () => !this.drawing && document.hasFocus() && this.saveName(row.id, input, false),
      });
      line.rename = h(
        "div",
        { class: "pw-pl-rename" },
        input,
        h("div", { class: "pw-pt-error", role: "alert", id: unique("rename") }),
      );
      name.append(line.rename);
    }
    const [input, error] = line.rename.children;
    redraw(error, edit.error ? [icon("Failed"), h("span", {}, edit.error)] : null);
    input.toggleAttribute("readonly", !!edit.busy);
    edit.error ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
    edit.error ? input.setAttribute("aria-describedby", error.id) : input.removeAttribute("aria-describedby");
  }

  /**
   * @param {number} id
   * @param {El} input
   * @param {boolean} back
   */
  async saveName(id, input, back) {
    const edit = this.renames.get(id),
      text = input.value;
    if (!edit || edit.busy) return;
    if (text === edit.name || (!back && !text.trim())) return this.endRename(id, back);
    edit.busy = true;
    edit.error = "";
    this.draw();
    try {
      // Once refused, it is based on what is shown now.
      const version = (edit.refused && this.row(id)?.version) || edit.version;
      await this.frame.line.ask("edit", { pipeline: id, version, name: text }, input);
      this.frame.announce(`Renamed to ${text.trim()}.`);
      this.endRename(id, back);
    } catch (error) {
      Object.assign(edit, { busy: false, error: sentence(error), refused: error.kind === "StaleWriteError" });
      this.draw();
      if (back) input.focus();
    }
  }

  /**
   * @param {number} id
   * @param {boolean} back
   */
  endRename(id, back) {
    this.renames.delete(id);
    this.draw();
    if (back) this.lines.querySelector(`[data-f="menu-${id}"]`)?.focus({ preventScroll: true });
  }

  // ---- what is in an expanded row

  /** @param {number} id */
  makeAbout(id) {
    return new Description(this, id, {
      label: (control) => field("Description", control),
      save: (edit, pressed) => this.frame.line.ask("edit", { pipeline: id, ...edit }, pressed),
    });
  }

  /** @param {number} id */
  makeInside(id) {
    const about = this.makeAbout(id),
      place = h("div", { class: "pw-pl-builder" });
    const line = h(
      "tr",
      { class: "pw-pt-inside" },
      h("td", { colspan: LIST_COLUMNS.length }, about.el, place),
    );
    let /** @type {any} */ shown, /** @type {any} */ closing;
    line.inside = {
      show: (/** @type {Row} */ row, /** @type {string} */ reference) => {
        about.show(row);
        if (!reference || reference === shown) return;
        closing?.abort();
        closing = new AbortController();
        shown = reference;
        place.replaceChildren();
        child(this.model, reference, place, closing.signal).catch((error) =>
          place.append(h("p", { class: "pw-soft" }, `The builder cannot be shown: ${error.message}`)),
        );
      },
      end: () => closing?.abort(),
    };
    place.append(h("p", { class: "pw-soft", role: "status" }, "Opening…"));
    return line;
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showInside(line, row) {
    line.inside.show(row, this.model.get("builders")[row.id]);
  }

  // ---- pipelines as a whole

  create() {
    const name = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false" });
    const about = h("textarea", { rows: 3 });
    /** @type {any} */
    let made = null;
    openDialog({
      frame: this.frame,
      title: "New Pipeline",
      confirm: "Create",
      body: [
        field("Name", name),
        field("Description", about, "Optional: what it is for. It can be searched."),
      ],
      act: async (pressed) => {
        name.removeAttribute("aria-invalid");
        try {
          made = await this.frame.line.ask("create", { name: name.value, description: about.value }, pressed);
        } catch (error) {
          name.setAttribute("aria-invalid", "true");
          name.focus();
          throw error;
        }
      },
      // After the dialog has given focus back.
      onclose: () =>
        made && queueMicrotask(() => this.arrive(made, `Pipeline ${isolated(made.name)} was created.`, true)),
    });
  }

  import() {
    openImport({
      frame: this.frame,
      act: async (/** @type {Values} */ given, /** @type {El} */ pressed) => {
        const made = await this.frame.line.ask("import", given, pressed);
        this.frame.notice([`Pipeline ${isolated(made.name)} was imported.`, ...made.also]);
        queueMicrotask(() => this.arrive(made, `Pipeline ${isolated(made.name)} was imported.`, true));
      },
    });
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async duplicate(id, pressed) {
    const copy = await this.ask("duplicate", { pipeline: id }, pressed);
    if (copy) this.arrive(copy, `Duplicated as ${isolated(copy.name)}.`, false);
  }

  /** @param {number} id */
  remove(id) {
    const at = this.model.get("rows").findIndex((/** @type {Row} */ row) => row.id === id);
    const { name } = this.row(id) ?? {};
    if (name === undefined) return;
    openDialog({
      frame: this.frame,
      title: `Delete pipeline “${isolated(name)}”?`,
      confirm: "Delete",
      danger: true,
      body: [
        "Its stages and their settings are deleted, and that cannot be undone.",
        "Experiments, checkpoints and agents stay, and so do the results of its runs.",
      ].map((line) => h("p", {}, line)),
      act: async (pressed) => {
        await this.frame.line.ask("delete", { pipeline: id }, pressed);
        this.frame.announce(`Pipeline ${isolated(name)} was deleted.`);
      },
      onclose: () => queueMicrotask(() => this.row(id) || this.neighbour(at)?.focus({ preventScroll: true })),
    });
  }
}
