// State comes down as traits, which Python owns; of what is large, only what has changed.

import { referenced } from "./line.js";
import { applyPatch } from "./patch.js";
import { keepPicture } from "./picture.js";

/**
 * Take what comes down for a model while no view of it may be there. Returns what ends it.
 * @param {Model} model
 * @param {object[]} [early] the messages that have come for it before, in their order
 */
export function attach(model, early = []) {
  patches(model, early);
  return keepPicture(model);
}

/**
 * Take what has changed of what is known already: Python has sent only that. What is set here is never
 * followed by save_changes: the browser owns no state, and would send all of it back.
 * @param {Model} model
 * @param {object[]} early
 */
function patches(model, early) {
  let asked = -1;
  const hear = (/** @type {ChangeMessage} */ message) => {
    if (!message?.patch) return;
    const known = model.get("sequence");
    if (message.sequence <= known) return; // it has come with the state as a whole
    if (message.sequence === known + 1) return take(model, message);
    if (asked !== known) askForAll(model);
    asked = known; // once: whatever comes until then is part of the answer
  };
  early.forEach(hear);
  model.on("msg:custom", hear);
}

/**
 * Ask for what goes down in patches as a whole. Where that is not heard, the next renewal of a lease says it.
 * @param {Model} model
 */
function askForAll(model) {
  referenced(model, model.get("line"))
    .then((line) => line.send({ command: "resend" }))
    .catch(() => {});
}

/**
 * Take what has changed: rows of a list, by their ids, or any value, such as the new points of curves.
 * @param {Model} model
 * @param {ChangedRows | ChangedValue} message
 */
function take(model, message) {
  model.set("sequence", message.sequence);
  const { patch } = message;
  if ("rows" in message) model.set(patch, replaceRows(model.get(message.patch), message.rows));
  else model.set(patch, applyPatch(model.get(patch), message.change));
}

/**
 * @param {{ id: number }[]} known
 * @param {{ id: number }[]} rows
 */
function replaceRows(known, rows) {
  const changed = new Map(rows.map((row) => [row.id, row]));
  return known.map((row) => changed.get(row.id) ?? row);
}
