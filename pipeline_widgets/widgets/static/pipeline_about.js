// The description of a pipeline in its expanded row.

import { field } from "./dialogs.js";
import { button, h, icon, redraw } from "./elements.js";
import { sentence } from "./line.js";

/** The description in an expanded row, to read and to edit. */
export class PipelineAbout {
  /**
   * @param {any} table
   * @param {number} id
   */
  constructor(table, id) {
    this.table = table;
    this.id = id;
    this.el = h("div", { class: "pw-pl-about" });
  }

  get draft() {
    return this.table.drafts.get(this.id);
  }

  /** @param {Row} row */
  show(row) {
    if (this.draft) return this.showDraft(row);
    this.form = null;
    redraw(
      this.el,
      h(
        "p",
        { class: row.description ? "pw-pl-text" : "pw-pl-text pw-soft", dir: "auto" },
        row.description || "No description",
      ),
      button({
        label: "Edit description",
        glyph: "edit",
        quiet: true,
        "data-f": `about-${this.id}`,
        onclick: () => this.edit(),
      }),
    );
  }

  edit() {
    const { name, description } = this.table.row(this.id);
    this.table.drafts.set(this.id, { seen: { name, description }, text: description });
    this.table.draw();
    this.text.focus({ preventScroll: true });
  }

  /** @param {Row} row */
  showDraft(row) {
    if (!this.form) {
      this.form = this.makeForm();
      this.el.replaceChildren(this.form);
    }
    const { seen, error } = this.draft;
    redraw(this.error, error ? [icon("Failed"), h("span", {}, error)] : null);
    const other = row.description !== seen.description;
    redraw(
      this.other,
      other
        ? [
            h("strong", {}, "Now it says: "),
            h("span", { class: "pw-pl-text", dir: "auto" }, row.description || "nothing"),
          ]
        : null,
    );
  }

  makeForm() {
    this.text = h("textarea", {
      rows: 3,
      value: this.draft.text,
      "data-f": `about-text-${this.id}`,
      oninput: () => {
        if (this.draft) this.draft.text = this.text.value;
      },
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.save(this.ok);
        else if (event.key === "Escape" && this.text.value === this.draft?.seen.description) this.end();
        else return;
        event.preventDefault();
      },
    });
    this.other = h("div", { class: "pw-pl-other" });
    this.error = h("div", { class: "pw-pt-error", role: "alert" });
    this.ok = button({ label: "Save", kind: "pw-primary", onclick: () => this.save(this.ok) });
    const no = button({ label: "Cancel", onclick: () => this.end() });
    return h(
      "div",
      { class: "pw-pl-form" },
      field("Description", this.text),
      this.other,
      this.error,
      h("div", { class: "pw-pl-buttons" }, this.ok, no),
    );
  }

  /** @param {El} pressed */
  async save(pressed) {
    const draft = this.draft;
    if (!draft || draft.busy) return;
    draft.busy = true;
    draft.error = "";
    try {
      await this.table.frame.line.ask(
        "edit",
        { pipeline: this.id, seen: this.table.seen(draft, this.id), description: draft.text },
        pressed,
      );
      this.table.frame.announce("The description was saved.");
      this.end();
    } catch (error) {
      Object.assign(draft, {
        busy: false,
        error: sentence(error),
        refused: error.kind === "StaleWriteError",
      });
      this.table.draw();
      this.text.focus();
    }
  }

  end() {
    this.table.drafts.delete(this.id);
    this.table.draw();
    this.el.querySelector(`[data-f="about-${this.id}"]`)?.focus({ preventScroll: true });
  }
}
