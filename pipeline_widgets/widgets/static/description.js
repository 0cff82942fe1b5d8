// The description of an agent or a pipeline, where it stands in its list.

import { button, failure, find, focusOn, html, named } from "./elements.js";
import { kindOf, sentence } from "./line.js";
import { isolated } from "./text.js";
import { live, nothing } from "./vendor/lit.js";

/**
 * A description in a list, to read and to edit. What is typed is among the table's drafts.
 * @param {DescriptionsHost} table
 * @param {DescribedRow} row
 * @param {DescriptionOptions} options
 */
export function description(table, row, options) {
  const draft = table.drafts.get(row.id);
  return html`<div class="pw-about">
    ${draft ? editDescription(table, row, draft, options) : readDescription(table, row)}
  </div>`;
}

/**
 * @param {DescriptionsHost} table
 * @param {DescribedRow} row
 */
function readDescription(table, row) {
  const edit = () => {
    table.drafts.set(row.id, { before: row.description, version: row.version, text: row.description });
    table.draw();
    focusOn(find(table.lines, named(`about-text-${row.id}`)));
  };
  return html`<p class=${`pw-about-text${row.description ? "" : " pw-soft"}`} dir="auto">
      ${row.description || "No description"}
    </p>
    ${button({
      label: "Edit description",
      glyph: "edit",
      quiet: true,
      f: `about-${row.id}`,
      onclick: edit,
    })}`;
}

/**
 * @param {DescriptionsHost} table
 * @param {DescribedRow} row
 * @param {DescriptionDraft} draft
 * @param {DescriptionOptions} options
 */
function editDescription(table, row, draft, options) {
  const id = `${table.frame.id}-about-${row.id}`;
  const save = () =>
    saveDescription(table, row.id, find(table.lines, named(`about-save-${row.id}`)), options);
  const end = () => endDescription(table, row.id);
  /** @param {At} event */
  const key = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    else if (event.key === "Escape" && draft.text === draft.before) end();
    else return;
    event.preventDefault();
  };
  const area = html`<textarea rows="3" id=${id} data-f=${`about-text-${row.id}`} .value=${live(draft.text)}
    aria-label=${options.labelled ? nothing : `Description of ${isolated(row.name)}`}
    @input=${(event) => (draft.text = event.currentTarget.value)} @keydown=${key}></textarea>`;
  const other = row.description !== draft.before;
  return html`<div class="pw-about-form">
    ${options.labelled ? html`<div class="pw-field"><label for=${id}>Description</label>${area}</div>` : area}
    <div class="pw-about-other">
      ${
        other
          ? html`<strong>Now it says: </strong><span class="pw-about-text"
            dir="auto">${row.description || "nothing"}</span>`
          : null
      }
    </div>
    <div class="pw-pt-error" role="alert">${failure(draft.error)}</div>
    <div class="pw-about-buttons">
      ${button({ label: "Save", kind: "pw-primary", f: `about-save-${row.id}`, onclick: save })}
      ${button({ label: "Cancel", onclick: end })}
    </div>
  </div>`;
}

/**
 * @param {DescriptionsHost} table
 * @param {number} id
 * @param {El} pressed
 * @param {DescriptionOptions} options
 */
async function saveDescription(table, id, pressed, { save }) {
  const draft = table.drafts.get(id),
    row = /** @type {DescribedRow | undefined} */ (table.row(id));
  if (!draft || !row || draft.busy) return;
  Object.assign(draft, { busy: true, error: "" });
  try {
    // Once refused, it is based on what is shown now.
    const { version } = draft.refused ? row : draft;
    await save({ id, version, description: draft.text }, pressed);
    table.frame.announce("The description was saved.");
    endDescription(table, id);
  } catch (error) {
    Object.assign(draft, {
      busy: false,
      error: sentence(error),
      refused: kindOf(error) === "StaleWriteError",
    });
    table.draw();
    table.lines.querySelector(named(`about-text-${id}`))?.focus();
  }
}

/**
 * @param {DescriptionsHost} table
 * @param {number} id
 */
function endDescription(table, id) {
  table.drafts.delete(id);
  table.draw();
  focusOn(table.lines.querySelector(named(`about-${id}`)));
}
