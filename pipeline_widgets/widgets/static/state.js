// State comes down as traits, which Python owns; of a list, only the rows that have changed.

import { keepPicture } from "./picture.js";

/**
 * Take what comes down for a model while no view of it may be there. Returns what ends it.
 * @param {Model} model
 */
export function attach(model) {
  patches(model);
  return keepPicture(model);
}

/**
 * Take changed rows of a list that is known already. Python has sent only these.
 * @param {Model} model
 */
function patches(model) {
  model.on(
    "msg:custom",
    (
      /** @type {{ patch?: "rows" | "details" | "active" | "waiting", rows: { id: number }[] }} */ message,
    ) => {
      if (!message?.patch) return;
      const changed = new Map(message.rows.map((row) => [row.id, row]));
      // Never followed by save_changes: the browser owns no state, and would send the whole list back.
      const known = /** @type {{ id: number }[]} */ (model.get(message.patch));
      model.set(
        message.patch,
        known.map((row) => changed.get(row.id) ?? row),
      );
    },
  );
}
