// The dialogs of the Agents view.

import { AgentSource } from "./agent_source.js";
import { field, textArea, textInput, wrongField } from "./controls.js";
import { openDialog, paragraphs } from "./dialogs.js";
import { focused, focusOn, named } from "./elements.js";
import { kindOf } from "./line.js";
import { inFull, isolated } from "./text.js";

/**
 * @typedef {import("./agents.js").AgentsTable} Agents
 * @typedef {import("./agent_detail.js").AgentDetail} Detail
 */

/**
 * Ask for a new agent: its name, and the checkpoint that it is a copy of.
 * @param {Agents} table
 * @param {El} pressed
 */
export async function openNewAgent(table, pressed) {
  const { frame } = table;
  const sources = await frame.run("sources", {}, pressed);
  if (!sources) return;
  if (!sources.length) return frame.notice("No experiment has a checkpoint any more.", "error");
  const name = textInput("", { required: "" }),
    about = textArea(2),
    picker = new AgentSource({ frame, sources });
  /** @type {Named | null} */
  let made = null;
  openDialog({
    frame,
    title: "New Agent",
    confirm: "Create",
    wide: true,
    body: [field("Name", name), field("Description", about, "Optional."), picker.el],
    act: async (button) => {
      if (!name.value.trim()) throw wrongField(name, { what: "Give the agent a name." });
      const source = await picker.chosen();
      const wanted = { name: name.value, description: about.value, ...source };
      try {
        made = await frame.line.ask("create", wanted, button);
      } catch (error) {
        throw kindOf(error) === "NameTakenError" ? wrongField(name, error) : error;
      }
    },
    onclose: () => made && table.arrive(made, `Agent ${isolated(made.name)} was created.`),
  });
  name.focus();
}

/**
 * A first key is made at once; one that is replaced cuts off who uses it.
 * @param {Detail} detail
 * @param {AgentRow} row
 * @param {string} hint
 * @param {El} pressed
 */
export async function openRotateKey({ frame, host, id, el }, row, hint, pressed) {
  /** @param {{ key: string }} options */
  const done = ({ key }) => {
    host.session.keep(id, key);
    frame.announce("The new key is shown.");
    focusOn(el.querySelector(named(`key-${id}`)));
  };
  if (!hint) {
    const answer = await frame.run("rotate_key", { agent: id }, pressed);
    return answer && done(answer);
  }
  /** @type {{ key: string } | null} */
  let answer = null;
  openDialog({
    frame,
    title: `Rotate the key of '${isolated(row.name)}'?`,
    confirm: "Rotate key",
    danger: true,
    body: paragraphs(
      `The key that ends in …${hint} is refused at once. Programs that use it need the new one, which ` +
        "won't be shown again.",
    ),
    act: async (button) => {
      answer = await frame.line.ask("rotate_key", { agent: id }, button);
    },
    onclose: () => answer && done(answer),
  });
}

/**
 * @param {Detail} detail
 * @param {AgentRow} row
 * @param {AgentVersion} version
 */
export function openRollBack({ frame, host, id, el }, row, { number, step, experiment }) {
  const live = row.status === "Deployed" ? " Its endpoint answers with it at once." : "";
  const back = number < row.current_version;
  openDialog({
    frame,
    title: back
      ? `Roll back '${isolated(row.name)}' to version ${number}?`
      : `Make version ${number} of '${isolated(row.name)}' current?`,
    confirm: back ? "Roll back" : "Make current",
    body: paragraphs(
      `Version ${number}, step ${inFull(step)} of ${isolated(experiment)}, becomes the ` +
        `current one.${live} The other versions stay.`,
    ),
    act: async (button) => {
      await frame.line.ask("roll_back", { agent: id, version: number }, button);
      frame.announce(`Version ${number} of ${isolated(row.name)} is the current one.`);
    },
    onclose: () =>
      focused() === frame.root &&
      focusOn(host.lines.querySelector(named(`open-${id}`)) ?? el.querySelector(".pw-ag-versions")),
  });
}
