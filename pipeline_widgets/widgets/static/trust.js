// What cannot be done in a workspace that is not trusted.

/**
 * The labels of all controls that change or run something: in a workspace that is not trusted they cannot be
 * used.
 */
const CHANGES = new Set([
  "Accept as fresh",
  "Add stage",
  "Clean up",
  "Connect",
  "Delete",
  "Delete stage",
  "Deploy",
  "Disconnect",
  "Duplicate",
  "Edit config",
  "Edit description",
  "Edit name",
  "Edit stage",
  "Import pipeline",
  "Insert after",
  "Insert before",
  "Create a project",
  "Create key",
  "Move left",
  "Move right",
  "New Agent",
  "New Pipeline",
  "New experiment",
  "New project",
  "Redo",
  "Rename",
  "Resume",
  "Roll back",
  "Rotate key",
  "Send",
  "Stop",
  "Train",
  "Trigger stage",
  "Undo",
]);

const LOCKED = "This workspace is open for reading only: trust it first, above.";

/**
 * Whether a button changes or runs something.
 * @param {El} el
 */
const isChange = (el) =>
  "changes" in el.dataset ||
  CHANGES.has(el.getAttribute("aria-label") || el.querySelector(".pw-label")?.textContent || "");

/**
 * Lock what changes or runs something, with the reason, as long as the workspace is not trusted.
 * @param {El} root
 * @param {boolean} locked
 */
export function lockChanges(root, locked) {
  for (const el of root.querySelectorAll(locked ? "button" : "button[data-locked]")) {
    if (!locked) {
      if (el.dataset.reason === undefined) el.removeAttribute("aria-disabled");
      el.title = el.dataset.title ?? "";
      delete el.dataset.locked;
    } else if (isChange(el) && (el.title !== LOCKED || el.getAttribute("aria-disabled") !== "true")) {
      el.dataset.locked = "";
      el.title = LOCKED;
      el.setAttribute("aria-disabled", "true");
    }
  }
}
