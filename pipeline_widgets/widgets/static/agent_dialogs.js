// The dialogs of the Agents view.

import { AgentSource } from "./agent_source.js";
import { field, openDialog, wrongField } from "./dialogs.js";
import { h } from "./elements.js";
import { inFull, isolated } from "./text.js";

/**
 * Ask for a new agent: its name, and the checkpoint that it is a copy of.
 * @param {any} table
 * @param {El} pressed
 * @returns {Promise<any>}
 */
export async function openNewAgent(table, pressed) {
  const { frame } = table;
  const sources = await frame.run("sources", {}, pressed);
  if (!sources) return;
  if (!sources.length) return void frame.notice("No experiment has a checkpoint any more.", "error");
  const name = h("input", { type: "text", autocomplete: "off", spellcheck: "false", required: true });
  const about = h("textarea", { rows: 2 });
  const picker = new AgentSource({ frame, sources });
  /** @type {any} */
  let made = null;
  openDialog({
    frame,
    title: "New Agent",
    confirm: "Create",
    wide: true,
    body: [field("Name", name), field("Description", about, "Optional."), picker.el],
    act: async (button) => {
      if (!name.value.trim()) throw wrongField(name, { what: "Give the agent a name." });
      await picker.settled();
      if (!picker.experiment)
        throw wrongField(picker.find, {
          what: "No source experiment is chosen.",
          fix: "Choose one from the list.",
        });
      if (!picker.run)
        throw {
          what: "The checkpoints of that experiment are not known yet.",
          fix: "Wait for them, or choose another.",
        };
      const wanted = {
        name: name.value,
        description: about.value,
        experiment: picker.experiment.id,
        run: picker.run.id,
        choice: picker.choice,
      };
      try {
        made = await frame.line.ask("create", wanted, button);
      } catch (error) {
        throw error.kind === "NameTakenError" ? wrongField(name, error) : error;
      }
    },
    onclose: () =>
      made && queueMicrotask(() => table.arrive(made, `Agent ${isolated(made.name)} was created.`)),
  });
  name.focus();
}

/**
 * @param {any} table
 * @param {number} id
 */
export function openDeleteAgent(table, id) {
  const { frame } = table,
    row = table.row(id);
  if (!row) return;
  const at = table.model.get("rows").findIndex((/** @type {any} */ each) => each.id === id);
  openDialog({
    frame,
    title: `Delete agent “${isolated(row.name)}”?`,
    confirm: "Delete",
    danger: true,
    body: [
      h("p", {}, "The agent and its copies of checkpoints are deleted. The experiment’s checkpoints stay."),
      h("p", {}, "That cannot be undone."),
    ],
    act: async (button) => {
      await frame.line.ask("delete", { agent: id }, button);
      frame.announce(`Agent ${isolated(row.name)} was deleted.`);
    },
    onclose: () => queueMicrotask(() => table.row(id) || table.neighbour(at)?.focus({ preventScroll: true })),
  });
}

/**
 * A first key is made at once; one that is replaced cuts off who uses it.
 * @param {Row} detail
 * @param {string} hint
 * @param {El} pressed
 */
export async function openRotateKey(detail, hint, pressed) {
  const { frame, table, id } = detail;
  /** @param {{ key: any }} options */
  const done = ({ key }) => {
    table.keep(id, key);
    frame.announce("The new key is shown.");
    detail.endpoint.querySelector(`[data-f="key-${id}"]`)?.focus({ preventScroll: true });
  };
  if (!hint) {
    const answer = await table.ask("rotate_key", { agent: id }, pressed);
    return answer && done(answer);
  }
  /** @type {any} */
  let answer = null;
  openDialog({
    frame,
    title: `Rotate the key of “${isolated(detail.row.name)}”?`,
    confirm: "Rotate key",
    danger: true,
    body: [
      h(
        "p",
        {},
        `The key that ends in …${hint} is refused at once. Programs that use it need the new one, which ` +
          "is shown once.",
      ),
    ],
    act: async (button) => {
      answer = await frame.line.ask("rotate_key", { agent: id }, button);
    },
    onclose: () => answer && queueMicrotask(() => done(answer)),
  });
}

/**
 * @param {Row} detail
 * @param {any} version
 */
export function openRollBack(detail, version) {
  const { frame, table, id, row } = detail,
    { number } = version;
  const live = row.status === "Deployed" ? " Its endpoint answers with it at once." : "";
  const back = number < row.current_version;
  openDialog({
    frame,
    title: back
      ? `Roll back “${isolated(row.name)}” to version ${number}?`
      : `Make version ${number} of “${isolated(row.name)}” current?`,
    confirm: back ? "Roll back" : "Make current",
    body: [
      h(
        "p",
        {},
        `Version ${number}, step ${inFull(version.step)} of ${isolated(version.experiment)}, becomes the ` +
          `current one.${live} The other versions stay.`,
      ),
    ],
    act: async (button) => {
      await frame.line.ask("roll_back", { agent: id, version: number }, button);
      frame.announce(`Version ${number} of ${isolated(row.name)} is the current one.`);
    },
    onclose: () =>
      queueMicrotask(
        () =>
          document.activeElement === frame.root &&
          table.lines.querySelector(`[data-f="open-${id}"]`)?.focus({ preventScroll: true }),
      ),
  });
}
