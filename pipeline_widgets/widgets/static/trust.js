// What cannot be done in a workspace that is not trusted, or without a kernel.

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

/** The labels of controls that change nothing, but need an answer of the kernel. */
const ASKS = new Set([
  "Bring up to date",
  "Chart all stages",
  "Check pipeline",
  "Choose evaluator",
  "Follow",
  "Results",
  "Run pipeline",
  "Start over…",
]);

const DEAD = "Kernel disconnected: re-run this cell.";
const LOCKED = "This workspace is open for reading only: trust it first, above.";

/**
 * Whether a button changes or runs something, or asks the kernel for something.
 * @param {El} el
 * @param {boolean} dead
 */
function isLocked(el, dead) {
  const label = el.getAttribute("aria-label") || el.querySelector(".pw-label")?.textContent || "";
  return "changes" in el.dataset || CHANGES.has(label) || (dead && ASKS.has(label));
}

/**
 * Lock what changes or runs something, with the reason, as long as the workspace is not trusted or its kernel
 * is gone.
 * @param {El} root
 * @param {{ untrusted: boolean, dead: boolean }} state
 */
export function lockChanges(root, { untrusted, dead }) {
  const locked = untrusted || dead,
    why = dead ? DEAD : LOCKED;
  for (const el of root.querySelectorAll(locked ? "button" : "button[data-locked]")) {
    if (!locked) {
      if (el.dataset.reason === undefined) el.removeAttribute("aria-disabled");
      el.title = el.dataset.title ?? "";
      delete el.dataset.locked;
    } else if (isLocked(el, dead) && (el.title !== why || el.getAttribute("aria-disabled") !== "true")) {
      el.dataset.locked = "";
      el.title = why;
      el.setAttribute("aria-disabled", "true");
    }
  }
}
