// The dialog that deletes a row of a list.

import { openDialog, paragraphs } from "./dialogs.js";
import { leaveRow } from "./table_focus.js";
import { capital, isolated } from "./text.js";

/**
 * Ask before a row is deleted; focus goes to its neighbour then.
 * @param {RowsHost} table
 * @param {ListRow} row
 * @param {...string} lines
 */
export function openDelete(table, row, ...lines) {
  const { frame, noun } = table,
    at = table.rows.findIndex(({ id }) => id === row.id),
    name = isolated(row.name);
  openDialog({
    frame,
    title: `Delete ${noun} '${name}'?`,
    confirm: "Delete",
    danger: true,
    body: paragraphs(...lines),
    act: async (pressed) => {
      await frame.line.ask("delete", { [noun]: row.id }, pressed);
      frame.announce(`${capital(noun)} ${name} was deleted.`);
    },
    onclose: () => leaveRow(table, row.id, at),
  });
}
