// A box in which an agent is asked, to try it, and its versions side by side.

import { answerTime, compareControls, comparedAnswers } from "./agent_compare.js";
import { field, textArea } from "./controls.js";
import { button, draw, find, html, icon, make, named, unique } from "./elements.js";
import { GONE, sentence } from "./line.js";
import { nothing } from "./vendor/lit.js";

const AGENT_WAITS = "Waiting for the answer";
/** @type {Record<string, string>} */
const AGENT_FIELDS = { observation: "Observation", prompt: "Prompt", input: "Input" };
/** @type {FailedReply} */
const LATE = {
  error: { what: "No reply came.", why: "The kernel was restarted, or is busy.", fix: "Send it again." },
};

/** Ask the agent's own endpoint, and show what it answers. What is typed stays whatever comes. */
export class AgentBox {
  /**
   * @param {AgentsHost} host
   * @param {number} id
   */
  constructor(host, id) {
    this.host = host;
    this.id = id;
    this.frame = host.frame;
    /** @type {AgentRow | null} */
    this.row = null;
    /** @type {AgentDetailRow | null} */
    this.detail = null;
    /** @type {number | null} */
    this.other = null; // the version that was chosen to compare with
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
      else find(this.el, named(`send-${this.id}`)).click();
    });
    // a screen reader need not hear each second
    this.clock = make(html`<span class="pw-soft pw-ag-clock" aria-hidden="true"></span>`);
    this.el = make(html`<section class="pw-ag-part pw-ag-try"></section>`);
  }

  /**
   * Without a `detail` it is hidden: it could be asked nothing.
   * @param {AgentDetailRow | null} detail
   * @param {AgentRow} row
   * @param {string} name
   */
  show(detail, row, name) {
    const endpoint = detail?.endpoint;
    this.el.hidden = !endpoint;
    this.el.setAttribute("aria-label", name);
    Object.assign(this, { detail, row });
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
    const { waits, row, detail } = this,
      off = row?.status === "Deployed" ? "" : "Connect it first; versions can be compared without.";
    const send = button({
      label: "Send",
      glyph: "play",
      f: `send-${this.id}`,
      reason: waits ? AGENT_WAITS : off,
      onclick: (pressed) => this.ask(pressed),
    });
    draw(
      this.el,
      html`<h3>Try it</h3>
        ${field(this.label, this.text)}
        <div class="pw-ag-bar pw-ag-sends">
          ${send}
          <span class="pw-hint" ?hidden=${waits || !!off}>Ctrl+Enter sends</span>${this.clock}
        </div>
        ${detail && row ? compareControls(this, detail, row, waits ? AGENT_WAITS : "") : null}
        <div class="pw-ag-reply" role="status">${this.said}</div>`,
    );
  }

  /** @param {number} number */
  choose(number) {
    this.other = number;
    this.draw();
  }

  end() {
    clearInterval(this.ticks);
  }

  /** @param {El} pressed */
  ask(pressed) {
    const text = this.text.value;
    return this.exchange(async () =>
      answered(/** @type {Reply | FailedReply} */ (await this.reply("ask", { text }, pressed)), text),
    );
  }

  /**
   * Ask the current version and another one the same.
   * @param {number} version
   * @param {El} pressed
   */
  compare(version, pressed) {
    const text = this.text.value;
    return this.exchange(async () => {
      const reply = await this.reply("compare", { text, version }, pressed);
      if (reply.error) return [failedAsk(reply.error), answerTo(text)];
      return [answerTo(text), comparedAnswers(/** @type {ComparisonReply} */ (reply))];
    });
  }

  /**
   * Wait for what is asked, and show what comes of it.
   * @param {() => Promise<Content>} ask
   */
  async exchange(ask) {
    this.said = html`<span class="pw-soft">${AGENT_WAITS}</span>`;
    this.wait(true);
    try {
      this.said = await ask();
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
   * @param {"ask" | "compare"} command
   * @param {Args} args
   * @param {El} pressed
   * @returns {Promise<import("./agent_session.js").AnyReply>}
   */
  async reply(command, args, pressed) {
    const { asks } = this.host.session,
      ticket = unique("ask");
    /** @type {Promise<import("./agent_session.js").AnyReply>} */
    const answer = new Promise((resolve) => asks.set(ticket, resolve));
    let timer = 0;
    try {
      const { within } = await this.frame.line.ask(command, { agent: this.id, ticket, ...args }, pressed);
      /** @type {Promise<FailedReply>} */
      const patience = new Promise((resolve) => {
        timer = window.setTimeout(() => resolve(LATE), within * 1000);
      });
      return await Promise.race([answer, patience]);
    } finally {
      clearTimeout(timer);
      asks.delete(ticket);
    }
  }
}

/**
 * What was asked, in two lines at most.
 * @param {string} asked
 */
const answerTo = (asked) =>
  html`<div class="pw-ag-asked pw-soft" title=${asked || nothing}>
    Answer to <code dir="auto">${asked}</code>
  </div>`;

/**
 * @param {Reply | FailedReply} reply
 * @param {string} asked
 */
function answered(reply, asked) {
  const to = answerTo(asked);
  if (reply.error) return [failedAsk(reply.error), to];
  const fine = reply.status < 400;
  return html`<div class=${`pw-ag-outcome ${fine ? "pw-ag-fine" : "pw-ag-bad"}`}>
      ${icon(fine ? "Succeeded" : "Failed")}<strong>${`${reply.status} ${reply.phrase}`.trim()}</strong>
      <span class="pw-soft">${answerTime(reply.seconds)}</span>
    </div>
    ${to}
    <pre class="pw-code pw-ag-answer" tabindex="0" aria-label="Answer">${reply.text}</pre>`;
}

/** @param {unknown} error */
const failedAsk = (error) =>
  html`<div class="pw-ag-outcome pw-ag-bad">
    ${icon("Failed")}<span>${error === GONE ? GONE.what : sentence(error)}</span>
  </div>`;
