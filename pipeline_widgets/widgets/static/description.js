// The description of an agent or a pipeline, where it stands in its list.

import { button, h, icon, redraw } from "./elements.js";
import { sentence } from "./line.js";

/** A description in a list, to read and to edit. What is typed is among the table's drafts. */
export class Description {
  /**
   * @param {any} table
   * @param {number} id
   * @param {DescriptionOptions} options
   */
  constructor(table, id, { label, save }) {
    this.table = table;
    this.id = id;
    this.label = label;
    this.send = save;
    this.el = h("div", { class: "pw-about" });
  }

  get draft() {
    return this.table.drafts.get(this.id);
  }

  /** @param {Row} row */
  show(row) {
    this.row = row;
    if (this.draft) return this.showDraft(row);
    this.form = null;
    redraw(
      this.el,
      h(
        "p",
        { class: `pw-about-text${row.description ? "" : " pw-soft"}`, dir: "auto" },
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
    const { description, version } = this.row;
    this.table.drafts.set(this.id, { before: description, version, text: description });
    this.table.draw();
    this.text.focus({ preventScroll: true });
  }

  /** @param {Row} row */
  showDraft(row) {
    if (!this.form) {
      this.form = this.makeForm();
      this.el.replaceChildren(this.form);
    }
    const { before, error } = this.draft;
    redraw(this.error, error ? [icon("Failed"), h("span", {}, error)] : null);
    const other = row.description !== before;
    redraw(
      this.other,
      other
        ? [
            h("strong", {}, "Now it says: "),
            h("span", { class: "pw-about-text", dir: "auto" }, row.description || "nothing"),
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
        else if (event.key === "Escape" && this.text.value === this.draft?.before) this.end();
        else return;
        event.preventDefault();
      },
    });
    this.other = h("div", { class: "pw-about-other" });
    this.error = h("div", { class: "pw-pt-error", role: "alert" });
    this.ok = button({ label: "Save", kind: "pw-primary", onclick: () => this.save(this.ok) });
    const no = button({ label: "Cancel", onclick: () => this.end() });
    return h(
      "div",
      { class: "pw-about-form" },
      this.label(this.text, this.row),
      this.other,
      this.error,
      h("div", { class: "pw-about-buttons" }, this.ok, no),
    );
  }

  /** @param {El} pressed */
  async save(pressed) {
    const draft = this.draft;
    if (!draft || draft.busy) return;
    draft.busy = true;
    draft.error = "";
    try {
      // Once refused, it is based on what is shown now.
      const { version } = draft.refused ? this.row : draft;
      await this.send({ version, description: draft.text }, pressed);
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
