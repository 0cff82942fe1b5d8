// What is said when an edit of a pipeline is done, its undo, and the history of all edits.

import { openDialog, paragraphs } from "./dialogs.js";
import { button, html, moment } from "./elements.js";
import { heads } from "./tables.js";

/**
 * Say what an edit has done. "Undo" takes back this edit alone: where somebody else has edited the pipeline
 * in between, it is not offered, and where that comes later, it is refused.
 * @param {Frame} frame
 * @param {string} said
 * @param {Edited} done
 * @param {number} based The version of the pipeline that it was based on.
 */
export function tellEdit(frame, said, { also, version }, based) {
  const isOwn = version === based + 1; // an edit that changes something raises it by one
  frame.notice(
    [said, ...also],
    "info",
    isOwn ? { label: "Undo", act: (pressed) => undoEdit(frame, { version }, pressed) } : null,
  );
}

/**
 * Undo the last edit of a pipeline, or do again what was undone last, and say what that did.
 * @param {Frame} frame
 * @param {{ version: number, redo?: boolean }} edit The version of the pipeline that somebody looks at.
 * @param {El} pressed
 */
export async function undoEdit(frame, edit, pressed) {
  const done = await askAndUndo(frame, edit, (command, args) => frame.run(command, args, pressed));
  if (done) frame.notice([`${done.done}.`, ...done.also]);
}

/**
 * Do the same; where it takes away a stage that has runs or an agent, ask first. Resolves with what was done.
 * @param {Frame} frame
 * @param {{ version: number, redo?: boolean }} edit
 * @param {<Name extends string>(command: Name, args: Args) => Promise<Answer<Name> | undefined>} ask
 * @returns {Promise<Answers["undo"] | null>}
 */
async function askAndUndo(frame, { version, redo = false }, ask) {
  const plan = await ask("plan_undo", { redo });
  if (!plan) return null;
  const isSeen = plan.version === version; // else it is refused, with what was changed
  if (!isSeen || !plan.losses.length) return (await ask("undo", { version, redo })) ?? null;
  /** @type {Answers["undo"] | null} */
  let done = null;
  await new Promise((closed) =>
    openDialog({
      frame,
      title: `${undoWords(plan, redo)}?`,
      confirm: redo ? "Redo" : "Undo",
      danger: true,
      body: paragraphs(...plan.losses),
      act: async (confirmed) => {
        done = await frame.line.ask("undo", { version, redo }, confirmed);
      },
      onclose: closed,
    }),
  );
  return done;
}

/**
 * What a button says that undoes an edit, or does it again.
 * @param {UndoableEdit | null} edit
 * @param {boolean} redo
 */
export const undoWords = (edit, redo) => (redo ? "Redo" : "Undo") + (edit ? `: ${edit.what}` : "");

/**
 * What its tooltip says: also who made the edit, where that was somebody else.
 * @param {UndoableEdit | null} edit
 * @param {boolean} redo
 */
export const undoTitle = (edit, redo) => undoWords(edit, redo) + (edit?.by ? ` (by ${edit.by})` : "");

/**
 * Show what was done to a pipeline, by whom and when, and undo its edits one after another.
 * @param {{ frame: Frame, pressed: El, facts: () => PipelineFacts }} options
 */
export async function openHistory({ frame, pressed, facts }) {
  let found = await frame.run("history", {}, pressed);
  if (!found) return;
  let said = "";
  const dialog = openDialog({
    frame,
    title: "History",
    cancel: "Close",
    careful: true,
    wide: true,
    body: () => [
      found?.events.length ? historyTable(found) : html`<p class="pw-empty">No edits yet.</p>`,
      found?.more
        ? html`<p class="pw-hint">The latest ${found.events.length} are shown; pipe.history has all.</p>`
        : null,
      html`<p class="pw-hint" role="status">${said}</p>`,
    ],
  });
  const offer = () => {
    const { undo, redo } = facts();
    dialog.update({ actions: [undoButton(undo, false), undoButton(redo, true)] });
  };
  /**
   * @param {UndoableEdit | null} edit
   * @param {boolean} redo
   */
  const undoButton = (edit, redo) =>
    button({
      label: undoWords(edit, redo),
      glyph: redo ? "redo" : "undo",
      title: undoTitle(edit, redo),
      reason: edit ? "" : noEdit(redo),
      kind: "pw-history-undo",
      f: redo ? "history-redo" : "history-undo",
      onclick: (el) => act(redo, el),
    });
  /**
   * @param {boolean} redo
   * @param {El} el
   */
  const act = async (redo, el) => {
    try {
      const edit = { version: facts().version, redo };
      const done = await askAndUndo(frame, edit, (command, args) => frame.line.ask(command, args, el));
      if (!done) return;
      dialog.say();
      said = [`${done.done}.`, ...done.also].join(" ");
      found = await frame.line.ask("history");
      offer();
    } catch (problem) {
      dialog.fail(problem);
    }
  };
  offer();
}

/**
 * Why nothing can be undone, or done again.
 * @param {boolean} redo
 */
export const noEdit = (redo) => (redo ? "Nothing was undone last." : "There is no edit to undo.");

/** @param {History} history */
const historyTable = ({ events }) =>
  html`<div class="pw-scroll pw-history-events" role="group" aria-label="History" tabindex="0">
    <table class="pw-table">
      <caption class="pw-hidden">What was done, the latest first</caption>
      ${heads(["What", "Who", "When"])}
      <tbody>
        ${events.map(
          ({ at, who, what }) => html`<tr>
            <td class="pw-history-what">${what}</td>
            <td>${who}</td>
            <td class="pw-history-when">${moment(at)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
