// What a Deployment stage is made of: a checkpoint, and the name of an agent.

import { field } from "./dialogs.js";
import { h, unique } from "./elements.js";
import { stageCheckpoints } from "./stage_start.js";

/**
 * Return its fields, and the one with the name.
 * @param {Values} form
 * @param {Values} draft
 */
export function deploymentFields(form, draft) {
  const list = h(
    "datalist",
    { id: unique("agents") },
    form.agent_names.map((/** @type {string} */ name) => h("option", { value: name })),
  );
  const tell = () => {
    const known = form.agent_names.includes(draft.name.trim());
    hint.textContent = known
      ? "This Agent exists: it gets a new version, and the former ones are kept."
      : "The stage creates this Agent, or gives it a new version each time.";
  };
  const name = h("input", {
    type: "text",
    value: draft.name,
    required: true,
    autocomplete: "off",
    list: list.id,
    oninput: () => {
      draft.name = name.value;
      name.removeAttribute("aria-invalid");
      tell();
    },
  });
  const named = field("Agent name", name, " ");
  const hint = named.querySelector(".pw-hint");
  hint.setAttribute("role", "status");
  tell();
  const about = h("textarea", {
    rows: 2,
    value: draft.description,
    oninput: () => (draft.description = about.value),
  });
  const parts = [
    stageCheckpoints(form, draft, "Checkpoint from Previous Stage"),
    h("div", {}, named, list),
    field("Agent description", about),
  ];
  return { name, parts };
}
