// Actions on one or several rows of a list: tags, notes and favourites, and what several rows have in common.

import { field, textArea, textInput } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { html, icon } from "./elements.js";
import { capital, count, isolated } from "./text.js";

const NAMES_SHOWN = 8; // names of rows that a question lists

/**
 * The marks of a row: whether it is a favourite, its note, and its tags.
 * @param {AnnotatedRow} row
 */
export const rowMarks = ({ favourite, note, tags = [] }) => [
  favourite ? rowMark("star", "Favourite", "pw-star") : null,
  note ? rowMark("note", `Note: ${note}`) : null,
  tags.map((tag) => html`<span class="pw-tag" title=${`Tag: ${tag}`}>${isolated(tag)}</span>`),
];

/**
 * @param {string} glyph
 * @param {string} said
 * @param {string} [kind]
 */
const rowMark = (glyph, said, kind = "") => {
  const shown = `pw-row-mark ${kind}`;
  return html`<span class=${shown} role="img" aria-label=${said} title=${said}>${icon(glyph)}</span>`;
};

/**
 * The items of a row's menu that write to it.
 * @param {PagedTable<any>} table
 * @param {AnnotatedRow} row
 * @returns {MenuItem[]}
 */
export const annotationItems = (table, row) => [
  {
    label: row.favourite ? "Remove from favourites" : "Add to favourites",
    glyph: "star",
    onclick: (opener) => star(table, [row], !row.favourite, opener),
  },
  { label: "Note and tags", glyph: "note", onclick: () => openNote(table, row) },
];

/**
 * The items of the menu for several rows that every list has.
 * @param {PagedTable<any>} table
 * @param {AnnotatedRow[]} rows
 * @param {{ active: (row: any) => boolean, loses: string[] }} options
 * @returns {(MenuItem | null)[]}
 */
export const severalItems = (table, rows, { active, loses }) => [
  { label: "Add to favourites", glyph: "star", onclick: (opener) => star(table, rows, true, opener) },
  { label: "Remove from favourites", glyph: "star", onclick: (opener) => star(table, rows, false, opener) },
  { label: "Edit tags", glyph: "tag", onclick: () => openTags(table, rows) },
  {
    label: "Stop",
    glyph: "stop",
    reason: rows.some(active) ? "" : "Nothing that is selected is active.",
    onclick: () => openSeveral(table, rows.filter(active), "stop", ["Checkpoints that were saved stay."]),
  },
  { label: "Delete", glyph: "trash", danger: true, onclick: () => openSeveral(table, rows, "delete", loses) },
];

/** @param {{ id: number }[]} rows */
const idsOf = (rows) => rows.map(({ id }) => id);

/**
 * Write to rows, and offer to undo that.
 * @param {PagedTable<any>} table
 * @param {Args} edit
 * @param {string} said
 * @param {El} pressed
 */
async function annotate({ frame }, edit, said, pressed) {
  const done = await frame.line.ask("annotate", edit, pressed);
  const undo = async (/** @type {El} */ el) => {
    for (const { id, ...was } of done.before)
      if (!(await frame.run("annotate", { ids: [id], ...was }, el))) return;
    frame.notice("Undone.");
  };
  frame.notice(said, "info", { label: "Undo", act: undo });
}

/**
 * @param {PagedTable<any>} table
 * @param {AnnotatedRow[]} rows
 * @param {boolean} on
 * @param {El} pressed
 */
async function star(table, rows, on, pressed) {
  const what = rows.length === 1 ? isolated(rows[0].name) : count(rows.length, table.noun);
  const said = on ? `Added ${what} to the favourites.` : `Removed ${what} from the favourites.`;
  await annotate(table, { ids: idsOf(rows), favourite: on }, said, pressed).catch((error) =>
    table.failed(error),
  );
}

/** @param {Input} input */
const tagsOf = (input) =>
  input.value
    .split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);

/**
 * Ask for the note and the tags of a row.
 * @param {PagedTable<any>} table
 * @param {AnnotatedRow} row
 */
function openNote(table, row) {
  const note = textArea(4, row.note),
    tags = textInput((row.tags ?? []).join(", "));
  openDialog({
    frame: table.frame,
    title: `Note and tags of '${isolated(row.name)}'`,
    confirm: "Save",
    body: [field("Note", note), field("Tags", tags, "Separated by commas, such as: baseline, to check")],
    act: (pressed) =>
      annotate(
        table,
        { ids: [row.id], note: note.value, tags: tagsOf(tags) },
        `Saved note and tags of ${isolated(row.name)}.`,
        pressed,
      ),
  });
}

/**
 * Ask which tags several rows get and lose.
 * @param {PagedTable<any>} table
 * @param {AnnotatedRow[]} rows
 */
function openTags(table, rows) {
  const added = textInput(),
    removed = textInput();
  const had = [...new Set(rows.flatMap(({ tags = [] }) => tags))].join(", ");
  openDialog({
    frame: table.frame,
    title: `Tags of ${count(rows.length, table.noun)}`,
    confirm: "Save",
    body: [
      field("Add", added, "Separated by commas"),
      field("Remove", removed, had ? `They have: ${had}` : "They have no tags."),
    ],
    act: (pressed) =>
      annotate(
        table,
        { ids: idsOf(rows), added: tagsOf(added), removed: tagsOf(removed) },
        `Saved tags of ${count(rows.length, table.noun)}.`,
        pressed,
      ),
  });
}

/**
 * Ask before several rows are deleted or stopped, and say which of them could not be.
 * @param {PagedTable<any>} table
 * @param {AnnotatedRow[]} rows
 * @param {"delete" | "stop"} act
 * @param {string[]} lines
 */
function openSeveral(table, rows, act, lines) {
  const { frame, noun } = table,
    what = count(rows.length, noun),
    past = act === "delete" ? "deleted" : "asked to stop",
    more = rows.length - NAMES_SHOWN;
  openDialog({
    frame,
    title: `${capital(act)} ${what}?`,
    confirm: capital(act),
    danger: true,
    body: [
      html`<ul class="pw-several">
        ${rows.slice(0, NAMES_SHOWN).map(({ name }) => html`<li dir="auto">${name}</li>`)}
        ${more > 0 ? html`<li class="pw-soft">and ${more} more</li>` : null}
      </ul>`,
      lines.map((line) => html`<p>${line}</p>`),
    ],
    act: async (pressed) => {
      const { done, refused } = await frame.line.ask(`${act}_several`, { ids: idsOf(rows) }, pressed);
      const said = done.length ? [`${capital(count(done.length, noun))} ${past}.`] : [];
      for (const { name, reason } of refused) said.push(`${isolated(name)} was not ${past}: ${reason}`);
      frame.notice(said, refused.length ? "error" : "info");
    },
  });
}
