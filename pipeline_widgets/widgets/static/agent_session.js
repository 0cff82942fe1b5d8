// What a page knows of agents beyond what Python keeps: keys that are shown once, and who waits for a reply.

import { openDelete } from "./delete_row.js";
import { button } from "./elements.js";
import { isolated } from "./text.js";

/** @typedef {Reply | ComparisonReply | FailedReply} AnyReply */

export class AgentSession {
  /** @param {AgentsHost} host */
  constructor(host) {
    this.host = host;
    this.frame = host.frame;
    /** @type {Map<number, string>} */
    this.keys = new Map(); // by agent: its key while it is shown this once; nothing of it is kept anywhere
    /** @type {Map<string, (reply: AnyReply) => void>} */
    this.asks = new Map(); // by ticket: who waits for an agent's reply
    /** @type {Map<number, string>} */
    this.statuses = new Map();
    this.frame.on("msg:custom", (/** @type {AnyReply & { reply?: string }} */ message) =>
      this.asks.get(message?.reply ?? "")?.(message),
    );
  }

  /** Before what has come is drawn: say what has ended, and drop keys that were rotated elsewhere. */
  follow() {
    const { host, keys } = this,
      rows = /** @type {AgentRow[]} */ (host.rows);
    // Who waits for an agent to be connected may look elsewhere.
    const ends = rows.filter(({ id, status }) => this.statuses.get(id) === "Pending" && status !== "Pending");
    this.statuses = new Map(rows.map(({ id, status }) => [id, status]));
    if (ends.length)
      this.frame.announce(ends.map(({ name, status }) => `${isolated(name)} is ${status}.`).join(" "));
    for (const [id, key] of keys) {
      const hint = host.detail(id)?.endpoint?.hint;
      if (hint && !key.endsWith(hint)) keys.delete(id);
    }
  }

  /** @param {AgentRow} row */
  acts(row) {
    return [this.connectButton(row), this.deleteButton(row)];
  }

  /**
   * @param {AgentRow} row
   * @param {string} [kind]
   */
  connectButton({ id, name, connected }, kind = "") {
    return button({
      label: connected ? "Disconnect" : "Connect",
      glyph: connected ? "stop" : "play",
      kind,
      f: `act-${id}`,
      onclick: (pressed) =>
        connected ? this.disconnect(id, name, pressed) : this.connect(id, name, pressed),
    });
  }

  /** @param {AgentRow} row */
  deleteButton(row) {
    return button({
      label: "Delete",
      glyph: "trash",
      quiet: true,
      reason: row.blockers.delete,
      f: `delete-${row.id}`,
      onclick: () =>
        openDelete(
          this.host,
          row,
          "The agent and its copies of checkpoints are deleted. The experiment’s checkpoints stay.",
          "That cannot be undone.",
        ),
    });
  }

  /**
   * @param {number} id
   * @param {string} name
   * @param {El} pressed
   */
  async connect(id, name, pressed) {
    const answer = await this.frame.run("connect", { agent: id }, pressed);
    if (!answer) return;
    this.keep(id, answer.key);
    this.frame.announce(`${isolated(name)} is being connected.${answer.key ? " Its key is shown." : ""}`);
  }

  /**
   * @param {number} id
   * @param {string} name
   * @param {El} pressed
   */
  async disconnect(id, name, pressed) {
    if (await this.frame.run("disconnect", { agent: id }, pressed))
      this.frame.announce(`${isolated(name)} is disconnected.`);
  }

  /**
   * Show a new key until it is hidden, or the page is gone.
   * @param {number} id
   * @param {string | null} key
   */
  keep(id, key) {
    if (key) this.keys.set(id, key);
    this.host.draw();
  }
}
