// A pipeline as text (Python, YAML), and from text.

import { check, checkBox, field, textArea, textInput, wrongField } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { button, find, html } from "./elements.js";
import { copyButton, saveFile } from "./files.js";
import { kindOf } from "./line.js";

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
      hint: "project.import_pipeline(text) and 'Import pipeline' take it.",
      file: "yaml",
    },
  ];
  let shown = kinds[0];
  const dialog = openDialog({
    frame,
    title: "Copy as Python or YAML",
    cancel: "Close",
    wide: true,
    body: () => [
      html`<div class="pw-transfer-tools">
        <div class="pw-segments" role="group" aria-label="Show as">
          ${kinds.map((kind) =>
            button({
              label: kind.label,
              kind: "pw-segment",
              pressed: kind === shown,
              onclick: () => show(kind),
            }),
          )}
        </div>
        ${copyButton(frame, () => shown.text, { autofocus: true })}
        ${button({
          label: "Save as file",
          glyph: "import",
          onclick: () => saveFile(`${found.file}.${shown.file}`, shown.text),
        })}
      </div>`,
      html`<div class="pw-hint">${shown.hint}</div>`,
      html`<pre class="pw-code pw-transfer-code" tabindex="0" aria-label=${`The pipeline as ${shown.label}`}
      ><code>${shown.text}</code></pre>`,
    ],
  });
  /** @param {typeof shown} kind */
  const show = (kind) => {
    shown = kind;
    dialog.draw();
    find(dialog.el, "pre").scrollTop = 0;
  };
}

/**
 * Make a pipeline of YAML that was pasted, or is in a file.
 * @param {{ frame: Frame, act: (given: Args, pressed: El) => Promise<unknown>,
 *   onclose: () => unknown }} options
 */
export function openImport({ frame, act, onclose }) {
  const text = textArea(12);
  Object.assign(text, {
    spellcheck: false,
    autocomplete: "off",
    className: "pw-transfer-text",
    placeholder: "pipeline: …",
    autofocus: true,
  });
  const name = textInput(),
    rename = checkBox(),
    file = textInput("", { type: "file", class: "pw-transfer-file", accept: ".yaml,.yml,text/yaml" });
  file.addEventListener("change", async () => {
    if (!file.files?.[0]) return;
    text.value = await file.files[0].text();
    text.removeAttribute("aria-invalid");
  });
  openDialog({
    frame,
    title: "Import pipeline",
    confirm: "Import",
    wide: true,
    body: [
      field(
        "YAML of a pipeline",
        text,
        "As 'Copy as Python or YAML' or pipeline.to_yaml() gives it. Experiments that this project " +
          "lacks are created.",
      ),
      field("Or choose a file", file),
      field("Name", name, "Optional: another name than the one in the text."),
      check(rename, IMPORT_RENAMES),
    ],
    act: async (pressed) => {
      if (!text.value.trim()) throw wrongField(text, { what: "Paste YAML or choose a file." });
      try {
        await act({ text: text.value, name: name.value, rename: rename.checked }, pressed);
      } catch (error) {
        if (kindOf(error) !== "NameTakenError") throw wrongField(text, error);
        // Python has a word for what is a box to tick here.
        const problem = /** @type {Problem} */ (error);
        const another = problem.code === "experiment_name_taken";
        throw wrongField(
          another ? rename : name,
          another ? { ...problem, fix: `Rename one of them, or tick '${IMPORT_RENAMES}'.` } : error,
        );
      }
    },
    onclose,
  });
}
