// A box in which an agent is asked, to try it.

import { field, textArea } from "./controls.js";
import { button, draw, find, html, icon, make, unique } from "./elements.js";
import { GONE, sentence } from "./line.js";
import { nothing } from "./vendor/lit.js";

const AGENT_WAITS = "Waiting for the answer";
const AGENT_PATIENCE = 75_000; // ms to wait for a reply; Python gives up after 60 s
/** @type {Record<string, string>} */
const AGENT_FIELDS = { observation: "Observation", prompt: "Prompt", input: "Input" };
/** @type {FailedReply} */
const LATE = {
  error: { what: "No reply came.", why: "The kernel was restarted, or is busy.", fix: "Send it again." },
};

/** Ask the agent's own endpoint, and show what it answers. What is typed stays whatever comes. */
export class AgentBox {
  /**
   * @param {import("./agents.js").AgentsTable} table
   * @param {number} id
   */
  constructor(table, id) {
    this.table = table;
    this.id = id;
    this.frame = table.frame;
    /** @type {string | null} */
    this.example = null;
    this.label = "Input";
    this.waits = false;
    /** @type {Content} */
    this.said = null;
    this.text = textArea(4);
    this.text.className = "pw-ag-input";
    this.text.spellcheck = false;
    this.text.dataset.f = `try-${id}`;
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (this.waits) this.frame.announce(AGENT_WAITS);
      else find(this.el, "button").click();
    });
    // a screen reader need not hear each second
    this.clock = make(html`<span class="pw-soft pw-ag-clock" aria-hidden="true"></span>`);
    this.el = make(html`<section class="pw-ag-part pw-ag-try"></section>`);
  }

  /**
   * @param {AgentEndpoint | null} endpoint
   * @param {string} name
   */
  show(endpoint, name) {
    this.el.hidden = !endpoint;
    this.el.setAttribute("aria-label", name);
    if (endpoint) {
      this.label = `${AGENT_FIELDS[endpoint.takes] ?? "Input"}${endpoint.json ? ", as JSON" : ""}`;
      // what was typed stays
      if (this.example === null || this.text.value === this.example) {
        if (this.example !== endpoint.example) this.text.value = endpoint.example;
        this.example = endpoint.example;
      }
    }
    this.draw();
    return this.el;
  }

  draw() {
    const { waits } = this,
      reason = waits ? AGENT_WAITS : "";
    const send = button({ label: "Send", glyph: "play", reason, onclick: (pressed) => this.ask(pressed) });
    draw(
      this.el,
      html`<h3>Try it</h3>
        ${field(this.label, this.text)}
        <div class="pw-ag-bar pw-ag-sends">
          ${send}
          <span class="pw-hint" ?hidden=${waits}>Ctrl+Enter sends</span>${this.clock}
        </div>
        <div class="pw-ag-reply" role="status">${this.said}</div>`,
    );
  }

  end() {
    clearInterval(this.ticks);
  }

  /** @param {El} pressed */
  async ask(pressed) {
    const asked = this.text.value;
    this.said = html`<span class="pw-soft">${AGENT_WAITS}</span>`;
    this.wait(true);
    try {
      this.said = answered(await this.reply(asked, pressed), asked);
    } catch (error) {
      this.said = failedAsk(error);
    } finally {
      this.wait(false);
    }
  }

  /**
   * Until the answer comes, nothing else is sent; the button says why, and how long that takes is counted.
   * @param {boolean} waits
   */
  wait(waits) {
    const since = Date.now();
    clearInterval(this.ticks);
    this.clock.textContent = "";
    this.waits = waits;
    if (waits)
      this.ticks = setInterval(() => {
        this.clock.textContent = `${Math.round((Date.now() - since) / 1000)} s`;
      }, 1000);
    this.draw();
  }

  /**
   * Send it, and wait for the reply, which comes by itself under its ticket.
   * @param {string} text
   * @param {El} pressed
   * @returns {Promise<Reply | FailedReply>}
   */
  async reply(text, pressed) {
    const { asks } = this.table,
      ticket = unique("ask");
    /** @type {Promise<Reply | FailedReply>} */
    const answer = new Promise((resolve) => asks.set(ticket, resolve));
    let timer = 0;
    /** @type {Promise<FailedReply>} */
    const patience = new Promise((resolve) => {
      timer = window.setTimeout(() => resolve(LATE), AGENT_PATIENCE);
    });
    try {
      await this.frame.line.ask("ask", { agent: this.id, text, ticket }, pressed);
      return await Promise.race([answer, patience]);
    } finally {
      clearTimeout(timer);
      asks.delete(ticket);
    }
  }
}

/**
 * @param {Reply | FailedReply} reply
 * @param {string} asked
 */
function answered(reply, asked) {
  const to = html`<div class="pw-ag-asked pw-soft" title=${asked || nothing}>
    Answer to <code dir="auto">${asked}</code>
  </div>`;
  if (reply.error) return [failedAsk(reply.error), to];
  const fine = reply.status < 400;
  return html`<div class=${`pw-ag-outcome ${fine ? "pw-ag-fine" : "pw-ag-bad"}`}>
      ${icon(fine ? "Succeeded" : "Failed")}<strong>${`${reply.status} ${reply.phrase}`.trim()}</strong>
      <span class="pw-soft">${agentTook(reply.seconds)}</span>
    </div>
    ${to}
    <pre class="pw-code pw-ag-answer" tabindex="0" aria-label="Answer">${reply.text}</pre>`;
}

/** @param {unknown} error */
const failedAsk = (error) =>
  html`<div class="pw-ag-outcome pw-ag-bad">
    ${icon("Failed")}<span>${error === GONE ? GONE.what : sentence(error)}</span>
  </div>`;

/**
 * Say how long an answer took.
 * @param {number} seconds
 */
function agentTook(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  return `${seconds < 0.1 ? (seconds * 1000).toFixed(1) : Math.round(seconds * 1000)} ms`;
}
