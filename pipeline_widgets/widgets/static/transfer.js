// A pipeline as text (Python, YAML), from text, and its history.

import { field, openDialog, wrongField } from "./dialogs.js";
import { button, h, unique } from "./elements.js";
import { copyButton, saveFile } from "./files.js";
import { moment } from "./text.js";

const IMPORT_RENAMES = "Give experiments whose name is taken a new name";

/**
 * Show a pipeline as the Python code that rebuilds it, or as YAML.
 * @param {{ frame: Frame, pressed: El }} options
 */
export async function openCode({ frame, pressed }) {
  const found = await frame.run("code", {}, pressed);
  if (!found) return;
  const kinds = [
    { label: "Python", text: found.python, hint: "Run it in a cell: it rebuilds this pipeline.", file: "py" },
    {
      label: "YAML",
      text: found.yaml,
      hint: "project.import_pipeline(text) and “Import pipeline” take it.",
      file: "yaml",
    },
  ];
  /** @type {Values} */
  let shown = kinds[0];
  const code = h("code", {}),
    hint = h("div", { class: "pw-hint" });
  const box = h("pre", { class: "pw-code pw-transfer-code", tabindex: "0", "data-scroll": "code" }, code);
  const toggles = kinds.map((kind) =>
    button({ label: kind.label, kind: "pw-segment", onclick: () => show(kind) }),
  );
  /** @param {Values} kind */
  const show = (kind) => {
    shown = kind;
    toggles.forEach((el, at) => el.setAttribute("aria-pressed", String(kinds[at] === kind)));
    code.textContent = kind.text;
    hint.textContent = kind.hint;
    box.setAttribute("aria-label", `The pipeline as ${kind.label}`);
    box.scrollTop = 0;
  };
  show(shown);
  openDialog({
    frame,
    title: "Copy as Python or YAML",
    cancel: "Close",
    wide: true,
    body: [
      h(
        "div",
        { class: "pw-transfer-tools" },
        h("div", { class: "pw-segments", role: "group", "aria-label": "Show as" }, toggles),
        copyButton({ frame, label: "Copy", text: () => shown.text, autofocus: true }),
        button({
          label: "Save as file",
          glyph: "import",
          onclick: () => saveFile(`${found.file}.${shown.file}`, shown.text),
        }),
      ),
      hint,
      box,
    ],
  });
}

/**
 * Make a pipeline of YAML that was pasted, or is in a file.
 * @param {{ frame: Frame, act: (given: Values, pressed: El) => any }} options
 */
export function openImport({ frame, act }) {
  const text = h("textarea", {
    rows: 12,
    spellcheck: "false",
    autocomplete: "off",
    class: "pw-transfer-text",
    placeholder: "pipeline: …",
    autofocus: true,
  });
  const name = h("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  const file = h("input", {
    type: "file",
    class: "pw-transfer-file",
    accept: ".yaml,.yml,text/yaml",
    onchange: async () => {
      if (!file.files[0]) return;
      text.value = await file.files[0].text();
      text.removeAttribute("aria-invalid");
    },
  });
  const rename = h("input", { type: "checkbox", id: unique("rename") });
  openDialog({
    frame,
    title: "Import pipeline",
    confirm: "Import",
    wide: true,
    body: [
      field(
        "YAML of a pipeline",
        text,
        "As “Copy as Python or YAML” or pipeline.to_yaml() gives it. Experiments that this project lacks " +
          "are created.",
      ),
      field("Or choose a file", file),
      field("Name", name, "Optional: another name than the one in the text."),
      h("div", { class: "pw-check" }, rename, h("label", { for: rename.id }, IMPORT_RENAMES)),
    ],
    act: async (pressed) => {
      if (!text.value.trim()) throw wrongField(text, { what: "Paste YAML or choose a file." });
      try {
        await act({ text: text.value, name: name.value, rename: rename.checked }, pressed);
      } catch (error) {
        if (error.kind !== "NameTakenError") throw wrongField(text, error);
        // Python has a word for what is a box to tick here.
        const another = error.code === "experiment_name_taken";
        throw wrongField(
          another ? rename : name,
          another ? { ...error, fix: `Rename one of them, or tick “${IMPORT_RENAMES}”.` } : error,
        );
      }
    },
  });
}

/**
 * What a button does with the last edit: undo it, or do again what was undone.
 * @param {{ what: string, again: boolean } | null} edit
 */
export function lastEdit(edit) {
  const what = edit?.what;
  return edit?.again
    ? { word: "Redo", glyph: "redo", done: "Done again", what }
    : { word: "Undo", glyph: "undo", done: "Undone", what };
}

/**
 * Show what was done to a pipeline, by whom and when, and undo the last edit.
 * @param {{ frame: Frame, pressed: El, undo: any }} options
 */
export async function openHistory({ frame, pressed, undo }) {
  const found = await frame.run("history", {}, pressed);
  if (!found) return;
  const edit = lastEdit(found.undo);
  const rows = found.events.map((/** @type {{ at: number, who: any, what: string }} */ { at, who, what }) =>
    h(
      "tr",
      {},
      h("td", { class: "pw-transfer-what" }, what),
      h("td", {}, who),
      h("td", { class: "pw-transfer-when" }, moment(at)),
    ),
  );
  const table = h(
    "div",
    { class: "pw-scroll pw-transfer-events", role: "region", "aria-label": "History", tabindex: "0" },
    h(
      "table",
      { class: "pw-table" },
      h("caption", { class: "pw-hidden" }, "What was done, the latest first"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["What", "Who", "When"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
  openDialog({
    frame,
    title: "History",
    cancel: "Close",
    careful: true,
    wide: true,
    confirm: found.undo ? `${edit.word} last edit` : null,
    body: [
      rows.length ? table : h("p", { class: "pw-empty" }, "Nothing was done yet."),
      found.undo ? h("p", { class: "pw-hint" }, `${edit.word}: ${edit.what}`) : null,
      found.more
        ? h("p", { class: "pw-hint" }, `The latest ${rows.length} are shown; pipe.history has all.`)
        : null,
    ],
    act: undo,
  });
}
