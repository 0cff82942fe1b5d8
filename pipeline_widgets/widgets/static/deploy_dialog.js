// The dialog that saves a checkpoint as an agent.

import { check, checkBox, field, textArea, textInput, wrongField } from "./controls.js";
import { openDialog, paragraphs } from "./dialogs.js";
import { kindOf, sentence } from "./line.js";
import { isolated } from "./text.js";

/**
 * Ask for the name of the agent; two clicks deploy a checkpoint.
 * @param {{ frame: Frame, place: import("./agent_place.js").AgentPlace }} host
 * @param {string} experiment
 * @param {{ id: number, step: Step, run?: string }} checkpoint
 */
export function openDeploy({ frame, place }, experiment, { id, step, run }) {
  const name = textInput(`${experiment} - step ${step}`),
    about = textArea(2),
    connect = checkBox(true);
  /** @type {Answers["deploy"] | null} */
  let agent = null;
  openDialog({
    frame,
    title: `Deploy the checkpoint at step ${step}`,
    confirm: "Deploy",
    body: [
      paragraphs(`A frozen copy of what ${run} of ${isolated(experiment)} saved there becomes an Agent.`),
      field("Agent name", name),
      field("Description", about, "Optional."),
      check(connect, "Connect it, so that it answers over HTTP"),
    ],
    act: async (button) => {
      const wanted = { checkpoint: id, name: name.value, description: about.value, connect: connect.checked };
      try {
        agent = await frame.line.ask("deploy", wanted, button);
      } catch (error) {
        throw kindOf(error) === "NameTakenError" ? wrongField(name, error) : error;
      }
    },
    onclose: () => agent && tellDeployed(frame, place, agent, connect.checked),
  });
  name.select();
}

/**
 * Say what became of it; it is shown from there.
 * @param {Frame} frame
 * @param {import("./agent_place.js").AgentPlace} place
 * @param {Answers["deploy"]} agent
 * @param {boolean} connects
 */
function tellDeployed(frame, place, { id, name, trouble }, connects) {
  const agent = `Agent ${isolated(name)}`;
  const view = { label: "View", act: (/** @type {El} */ pressed) => place.open(id, pressed) };
  if (trouble) frame.notice(`${agent} was saved, but is not connected. ${sentence(trouble)}`, "error", view);
  else frame.notice(`${agent} was saved${connects ? ", and is being connected" : ""}.`, "info", view);
}
