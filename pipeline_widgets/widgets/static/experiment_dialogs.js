// The dialogs of the Experiments tab. Each keeps what was typed while Python refuses it.

import { confirmDialog, field, openDialog } from "./dialogs.js";
import { h, unique } from "./elements.js";
import { ExperimentForm } from "./experiment_form.js";
import { copyButton } from "./files.js";
import { sentence } from "./line.js";
import { bytes, count, isolated } from "./text.js";

/**
 * Ask for a new experiment; `table` keeps what is typed until one is made.
 * @param {any} table
 * @param {El} pressed
 * @returns {Promise<any>}
 */
export async function openNewExperiment(table, pressed) {
  table.drafts ??= { values: {} };
  const { drafts } = table;
  const { frame } = table;
  const form = await frame.run("form", { algorithm: drafts.algorithm ?? null }, pressed);
  if (!form) return;
  if (form.algorithm === null)
    return void frame.notice(
      "There is no algorithm to choose. Define one with @pw.algorithm, in a cell.",
      "error",
    );
  const made = new ExperimentForm({ frame, form, drafts });
  let /** @type {any} */ answer = null,
    kept = false;
  made.open(
    openDialog({
      frame,
      title: "New experiment",
      confirm: "Create",
      wide: true,
      body: made.body,
      act: async (button) => {
        answer = await made.submit(button);
        return !!answer;
      },
      onclose: () => {
        if (!kept) table.drafts = null;
        if (answer)
          queueMicrotask(() =>
            table.arrive(answer, `Experiment ${isolated(answer.name)} was created.`, true),
          );
      },
    }),
  );
  // Escape; the Cancel button throws away what is typed
  made.dialog.el.addEventListener("cancel", () => (kept = true));
  made.name.control.focus();
}

/**
 * @param {any} table
 * @param {Row} row
 * @param {El} pressed
 */
export async function openEditConfig(table, row, pressed) {
  const { frame } = table;
  const form = await frame.run("form", { experiment: row.id }, pressed);
  if (!form) return;
  const note = row.runs
    ? "Runs that are there keep the config that they ran with. A stage that ran it turns stale."
    : "";
  const made = new ExperimentForm({ frame, form, drafts: { values: {} }, experiment: row.id, note });
  made.open(
    openDialog({
      frame,
      title: `Edit config of “${isolated(row.name)}”`,
      confirm: "Save",
      wide: true,
      body: made.body,
      act: async (button) => {
        const answer = await made.submit(button);
        if (answer) frame.announce(`The config of ${isolated(answer.name)} was saved.`);
        return !!answer;
      },
    }),
  );
}

/**
 * @param {any} table
 * @param {Row} row
 * @param {El} pressed
 */
export async function openDuplicate(table, row, pressed) {
  const { frame } = table;
  /** @type {any} */
  let copy = null;
  const given = await frame.run("copy_name", { experiment: row.id }, pressed);
  if (given === undefined) return;
  const name = h("input", { type: "text", value: given, autocomplete: "off", spellcheck: "false" });
  openDialog({
    frame,
    title: `Duplicate “${isolated(row.name)}”`,
    confirm: "Duplicate",
    body: [field("Name", name, "The copy has the same algorithm, config and seed, and no runs.")],
    act: async (button) => {
      copy = await frame.line.ask("duplicate", { experiment: row.id, name: name.value }, button);
    },
    onclose: () =>
      copy && queueMicrotask(() => table.arrive(copy, `Duplicated as ${isolated(copy.name)}.`, true)),
  });
  name.select();
}

/**
 * @param {any} table
 * @param {Row} row
 */
export function openDeleteExperiment(table, row) {
  const { frame } = table,
    at = table.placeOf(row.id);
  const made = [
    row.runs ? count(row.runs, "run") : null,
    row.checkpoints ? count(row.checkpoints, "checkpoint") : null,
  ].filter(Boolean);
  openDialog({
    frame,
    title: `Delete experiment “${isolated(row.name)}”?`,
    confirm: "Delete",
    danger: true,
    body: [
      h(
        "p",
        {},
        made.length
          ? `${made.join(" and ")}, with all files and metrics, are deleted with it.`
          : "It has never run.",
      ),
      h("p", {}, "That cannot be undone."),
    ],
    act: async (button) => {
      await frame.line.ask("delete", { experiment: row.id }, button);
      frame.announce(`Experiment ${isolated(row.name)} was deleted.`);
    },
    onclose: () =>
      queueMicrotask(() => table.row(row.id) || table.neighbour(at)?.focus({ preventScroll: true })),
  });
}

/**
 * @param {any} table
 * @param {Row} row
 * @param {Values} checkpoint
 */
export function openDeploy(table, row, checkpoint) {
  const { frame } = table;
  const name = h("input", {
    type: "text",
    value: `${row.name} - step ${checkpoint.step}`,
    autocomplete: "off",
    spellcheck: "false",
  });
  const about = h("textarea", { rows: 2 });
  const connect = h("input", { type: "checkbox", id: unique("connect") });
  /** @type {any} */
  let agent = null;
  openDialog({
    frame,
    title: `Deploy the checkpoint at step ${checkpoint.step}`,
    confirm: "Deploy",
    body: [
      h(
        "p",
        {},
        `A frozen copy of what ${checkpoint.run} of ${isolated(row.name)} saved there becomes an Agent.`,
      ),
      field("Agent name", name),
      field("Description", about, "Optional."),
      h(
        "div",
        { class: "pw-check" },
        connect,
        h("label", { for: connect.id }, "Connect it, so that it answers over HTTP"),
      ),
    ],
    act: async (button) => {
      agent = await frame.line.ask(
        "deploy",
        { checkpoint: checkpoint.id, name: name.value, description: about.value, connect: connect.checked },
        button,
      );
    },
    onclose: () =>
      agent && queueMicrotask(() => (agent.key ? openAgentKey(frame, agent) : tellDeployed(frame, agent))),
  });
  name.select();
}

/**
 * @param {Frame} frame
 * @param {{ name: string, trouble: any }} options
 */
function tellDeployed(frame, { name, trouble }) {
  if (trouble)
    frame.notice(`Agent ${isolated(name)} was saved, but is not connected. ${sentence(trouble)}`, "error");
  else frame.notice(`Agent ${isolated(name)} was saved.`);
}

/**
 * Show the key of an agent: only its hash is kept.
 * @param {Frame} frame
 * @param {{ name: string, key: any }} options
 */
function openAgentKey(frame, { name, key }) {
  const text = h("code", { class: "pw-code", tabindex: "0" }, key);
  openDialog({
    frame,
    title: `Agent ${isolated(name)} is being connected`,
    cancel: "Done",
    body: [
      h(
        "p",
        {},
        "This is its key. It is shown only now, and cannot be read again: keep it, or rotate it in the " +
          "Agents view.",
      ),
      text,
      h("div", {}, copyButton({ frame, label: "Copy key", text: () => key })),
    ],
  });
}

/**
 * @param {any} table
 * @param {Row} row
 * @param {Values} checkpoint
 */
export function openDeleteCheckpoint(table, row, checkpoint) {
  const { frame } = table;
  confirmDialog({
    frame,
    title: `Delete the checkpoint at step ${checkpoint.step}?`,
    confirm: "Delete",
    text: [
      `What ${checkpoint.run} of ${isolated(row.name)} saved there, ${bytes(checkpoint.size)}, is ` +
        "deleted from disk.",
      "That cannot be undone. Its run and metrics stay.",
    ],
    act: async (button) => {
      await frame.line.ask("delete_checkpoint", { checkpoint: checkpoint.id }, button);
      frame.announce(`The checkpoint at step ${checkpoint.step} was deleted.`);
    },
  });
}
