// The line of a view to Python: commands go up, and answers come down.

import { unique } from "./elements.js";

export const PATIENCE = 500; // ms after which a button says that it waits for the kernel
const WAITS = "Waiting for the kernel…";
const BUSY = "The kernel is busy with a cell. This is done as soon as it is free.";

/** @type {Problem} */
export const GONE = {
  kind: "Disconnected",
  what: "Kernel disconnected; runs continue.",
  why: "",
  fix: "Re-run this cell.",
};

/**
 * Return the model that a trait names.
 * @param {Model} model
 * @param {string} reference
 */
export const referenced = (model, reference) =>
  model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));

/**
 * The line on which commands go up. It is a widget of its own: ipykernel sends a message to the shell that
 * last published on its comm, so a line on which only answers are published stays clear of busy cells.
 */
export class Line {
  /** @param {Model} model */
  constructor(model) {
    /** @type {Map<string, { resolve: (result: any) => void, reject: (error: Problem) => void }>} */
    this.waiting = new Map();
    this.dead = false;
    /** @type {Model | null} */
    this.line = null;
    this.heard = (
      /** @type {{ id: string, ok: boolean, result: object, error: Problem }} */ message,
      /** @type {DataView[] | undefined} */ buffers,
    ) => this.hear(message, buffers);
    this.lost = () => this.live || this.giveUp();
    this.ready = referenced(model, model.get("line")).then((line) => {
      this.line = line;
      line.on("msg:custom", this.heard);
      line.on("comm_live_update", this.lost);
      return line;
    });
    this.ready.catch(() => (this.dead = true));
  }

  /**
   * @param {{ id: string, ok: boolean, result: object, error: Problem }} message
   * @param {DataView[]} [buffers] bytes that came beside it
   */
  hear({ id, ok, result, error }, buffers) {
    const asked = this.waiting.get(id);
    if (!asked) return;
    this.waiting.delete(id);
    if (ok) asked.resolve(buffers?.length ? { ...result, buffers } : result);
    else asked.reject(error);
  }

  get live() {
    return !this.dead && !!this.line && this.line.comm_live !== false;
  }

  /**
   * Ask Python to carry out a command. While it waits for the kernel, `pressed` says so.
   * @template {string} Name
   * @param {Name} command
   * @param {Args} [args]
   * @param {El | null} [pressed]
   * @returns {Promise<Answer<Name>>}
   */
  async ask(command, args = {}, pressed = null) {
    await this.ready;
    if (!this.live) throw GONE;
    const id = unique("ask");
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.line?.send({ id, command, args });
    const patience = setTimeout(() => wait(pressed, true), PATIENCE);
    try {
      return await answer;
    } finally {
      clearTimeout(patience);
      wait(pressed, false);
    }
  }

  /**
   * Tell Python something that needs no answer. A notebook that is closed has no kernel to tell it to.
   * @param {string} command
   * @param {Args} [args]
   */
  tell(command, args = {}) {
    try {
      if (this.live) this.line?.send({ command, args });
    } catch {
      this.dead = true;
    }
  }

  /** Nobody will answer any more. */
  giveUp() {
    for (const asked of this.waiting.values()) asked.reject(GONE);
    this.waiting.clear();
  }

  close() {
    this.giveUp();
    this.line?.off("msg:custom", this.heard);
    this.line?.off("comm_live_update", this.lost);
  }
}

/**
 * Say at a button that it waits, or what it said before. What it says anew meanwhile stays.
 * @param {El | null} pressed
 * @param {boolean} waits
 */
function wait(pressed, waits) {
  if (!pressed?.isConnected) return;
  const label = pressed.querySelector(".pw-label"),
    { dataset } = pressed;
  if (waits) {
    pressed.setAttribute("aria-busy", "true");
    dataset.titled ??= pressed.title;
    pressed.title = BUSY;
    if (!label) return;
    dataset.labelled ??= label.textContent ?? "";
    label.textContent = WAITS;
  } else if (pressed.getAttribute("aria-busy")) {
    pressed.removeAttribute("aria-busy");
    if (pressed.title === BUSY) pressed.title = dataset.titled ?? "";
    if (label?.textContent === WAITS) label.textContent = dataset.labelled ?? "";
    delete dataset.titled;
    delete dataset.labelled;
  }
}

/**
 * What kind an error is, as Python calls it.
 * @param {unknown} error
 */
export const kindOf = (error) => /** @type {Problem | null} */ (error)?.kind;

/**
 * The sentences of an error, as Python says them.
 * @param {unknown} error
 */
export function sentence(error) {
  const { what, why, fix, message } = /** @type {Problem} */ (error ?? {});
  return [what, why, fix].filter(Boolean).join(" ") || String(message || error || "Something went wrong.");
}
