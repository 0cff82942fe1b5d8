// The line of a view to Python: commands go up, and answers come down.

import { unique } from "./elements.js";

export const PATIENCE = 500; // ms after which a button says that it waits for the kernel

/**
 * The line on which commands go up. It is a widget of its own: ipykernel sends a message to the shell that
 * last published on its comm, so a line on which only answers are published stays clear of busy cells.
 */
export class Line {
  /** @param {Model} model */
  constructor(model) {
    this.waiting = new Map();
    this.dead = false;
    this.model = model;
    this.heard = (/** @type {any} */ message) => this.hear(message);
    this.lost = () => this.live || this.giveUp();
    this.ready = model.widget_manager
      .get_model(model.get("line").slice("IPY_MODEL_".length))
      .then((/** @type {El} */ line) => {
        this.line = line;
        line.on("msg:custom", this.heard);
        line.on("comm_live_update", this.lost);
        return line;
      });
    this.ready.catch(() => (this.dead = true));
  }

  /** @param {any} message */
  hear(message) {
    const asked = this.waiting.get(message.id);
    if (!asked) return;
    this.waiting.delete(message.id);
    if (message.ok) asked.resolve(message.result);
    else asked.reject(message.error);
  }

  get live() {
    return !this.dead && !!this.line && this.line.comm_live !== false;
  }

  /**
   * Ask Python to carry out a command. While it waits for the kernel, `pressed` says so.
   * @param {string} command
   * @param {Values} [args]
   * @param {El} [pressed]
   */
  async ask(command, args = {}, pressed = null) {
    await this.ready;
    if (!this.live) throw GONE;
    const id = unique("ask");
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.line.send({ id, command, args });
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
   * @param {Values} [args]
   */
  tell(command, args = {}) {
    try {
      if (this.live) this.line.send({ command, args });
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

export const GONE = {
  kind: "Disconnected",
  what: "The kernel does not answer.",
  why: "It was restarted or shut down; runs go on without it.",
  fix: "Run the cell again.",
};

/**
 * @param {El} pressed
 * @param {boolean} waits
 */
function wait(pressed, waits) {
  const label = pressed?.querySelector?.(".pw-label");
  if (!pressed?.isConnected) return;
  if (waits) {
    pressed.setAttribute("aria-busy", "true");
    if (label && !label.dataset.was)
      [label.dataset.was, label.textContent] = [label.textContent, "Waiting for the kernel…"];
    pressed.title = "The kernel is busy with a cell. This is done as soon as it is free.";
  } else if (pressed.getAttribute("aria-busy")) {
    pressed.removeAttribute("aria-busy");
    pressed.removeAttribute("title");
    if (label?.dataset.was) label.textContent = label.dataset.was;
    if (label) delete label.dataset.was;
  }
}

/**
 * The sentences of an error, as Python says them.
 * @param {any} error
 */
export const sentence = (error) =>
  [error?.what, error?.why, error?.fix].filter(Boolean).join(" ") ||
  String(error?.message || error || "Something went wrong.");
