// The dialogs of a workspace.

import { field, radios, textInput, wrongField } from "./controls.js";
import { openDelete } from "./delete_row.js";
import { openDialog } from "./dialogs.js";
import { unique } from "./elements.js";
import { count, isolated } from "./text.js";

/** @typedef {import("./workspace.js").WorkspaceHome} Home */

/**
 * Ask for a new project, and open it.
 * @param {Home} home
 */
export function openNewProject(home) {
  const { frame } = home,
    name = textInput("", { required: "" }),
    group = unique("kind");
  let kind = "advanced";
  /** @type {Named | null} */
  let made = null;
  const body = () => [
    field("Name", name),
    radios({
      legend: "Kind",
      group,
      chosen: kind,
      choices: [
        {
          value: "advanced",
          label: "Advanced Training",
          hint: "Experiments, and pipelines that chain them.",
        },
        { value: "classic", label: "Classic RL", hint: "Experiments only. The kind never changes." },
      ],
      onchange: (value) => {
        kind = value;
        dialog.update({});
      },
    }),
  ];
  const dialog = openDialog({
    frame,
    title: "New project",
    confirm: "Create",
    body,
    act: async (pressed) => {
      try {
        const wanted = { name: name.value, advanced: kind === "advanced" };
        made = await frame.line.ask("create", wanted, pressed);
      } catch (error) {
        throw wrongField(name, error);
      }
    },
    onclose: () => {
      if (!made) return;
      home.from = `open-${made.id}`;
      home.arriveAtProject();
    },
  });
}

/**
 * @param {Home} home
 * @param {ProjectRow} row
 */
export function openRenameProject({ frame }, row) {
  const name = textInput(row.name, { required: "" });
  openDialog({
    frame,
    title: `Rename project '${isolated(row.name)}'`,
    confirm: "Rename",
    body: field("Name", name),
    act: async (pressed) => {
      try {
        await frame.line.ask("rename", { project: row.id, name: name.value }, pressed);
      } catch (error) {
        throw wrongField(name, error);
      }
      frame.announce(`Renamed to ${isolated(name.value.trim())}.`);
    },
  });
  name.select();
}

/**
 * @param {Home} home
 * @param {ProjectRow} row
 */
export function openDeleteProject(home, row) {
  const held = [
    row.pipelines ? count(row.pipelines, "pipeline") : null,
    row.experiments ? count(row.experiments, "experiment") : null,
  ].filter(Boolean);
  openDelete(
    home,
    row,
    held.length
      ? `${held.join(" and ")}, with all runs, metrics and checkpoints, are deleted with it. Agents stay.`
      : "It is empty.",
    "That cannot be undone.",
  );
}
