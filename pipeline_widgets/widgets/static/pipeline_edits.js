// What is said when an edit of a pipeline is done, with its undo.

import { lastEdit } from "./transfer.js";

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
    isOwn ? { label: "Undo", act: (pressed) => undoEdit(frame, version, pressed) } : null,
  );
}

/**
 * Undo the last edit of a pipeline.
 * @param {Frame} frame
 * @param {number} version The version of the pipeline after that edit.
 * @param {El} pressed
 */
export async function undoEdit(frame, version, pressed) {
  const done = await frame.run("undo", { version }, pressed);
  if (done) tellUndone(frame, done);
}

/**
 * @param {Frame} frame
 * @param {Answers["undo"]} done
 */
export function tellUndone(frame, done) {
  const edit = lastEdit(done.undone);
  frame.notice([`${edit.done}: ${edit.what}`, ...done.also]);
}
