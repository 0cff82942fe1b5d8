// A box in which an agent is asked, to try it.

import { field } from "./dialogs.js";
import { button, h, icon, redraw, setText, unique } from "./elements.js";
import { GONE, sentence } from "./line.js";

const AGENT_WAITS = "Waiting for the answer";

const AGENT_PATIENCE = 75_000; // ms to wait for a reply; Python gives up after 60 s

/** @type {Record<string, string>} */
const AGENT_FIELDS = { observation: "Observation", prompt: "Prompt", input: "Input" };

/** Ask the agent's own endpoint, and show what it answers. What is typed stays whatever comes. */
export class AgentBox {
  /** @param {Row} detail */
  constructor(detail) {
    this.detail = detail;
    this.frame = detail.frame;
    this.example = null;
    this.text = h("textarea", {
      rows: 4,
      spellcheck: "false",
      class: "pw-ag-input",
      "data-f": `try-${detail.id}`,
      onkeydown: (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        if (this.waits) this.frame.announce(AGENT_WAITS);
        else this.send.click();
      },
    });
    this.send = button({ label: "Send", glyph: "play", onclick: () => this.ask() });
    this.said = h("div", { class: "pw-ag-reply", role: "status" });
    // a screen reader need not hear each second
    this.clock = h("span", { class: "pw-soft pw-ag-clock", "aria-hidden": "true" });
    this.hint = h("span", { class: "pw-hint" }, "Ctrl+Enter sends");
    this.field = field("Input", this.text);
    this.label = this.field.querySelector("label");
    this.el = h(
      "section",
      { class: "pw-ag-part pw-ag-try" },
      h("h3", {}, "Try it"),
      this.field,
      h("div", { class: "pw-ag-bar pw-ag-sends" }, this.send, this.hint, this.clock),
      this.said,
    );
  }

  /** @param {Values} endpoint */
  show(endpoint) {
    this.el.hidden = !endpoint;
    if (!endpoint) return;
    setText(this.label, `${AGENT_FIELDS[endpoint.takes] ?? "Input"}${endpoint.json ? ", as JSON" : ""}`);
    if (this.example !== null && this.text.value !== this.example) return; // what was typed stays
    if (this.example !== endpoint.example) this.text.value = endpoint.example;
    this.example = endpoint.example;
  }

  end() {
    clearInterval(this.ticks);
  }

  get waits() {
    return this.send.getAttribute("aria-disabled") === "true";
  }

  async ask() {
    const ticket = unique("ask"),
      asked = this.text.value;
    this.wait(true);
    redraw(this.said, h("span", { class: "pw-soft" }, AGENT_WAITS));
    try {
      this.tell(await this.reply(ticket, asked), asked);
    } catch (error) {
      redraw(this.said, this.failure(error));
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
    setText(this.clock, "");
    if (waits)
      this.ticks = setInterval(
        () => setText(this.clock, `${Math.round((Date.now() - since) / 1000)} s`),
        1000,
      );
    if (waits) this.send.setAttribute("aria-disabled", "true");
    else this.send.removeAttribute("aria-disabled");
    this.send.title = waits ? AGENT_WAITS : "";
    this.hint.hidden = waits;
  }

  /**
   * Send it, and wait for the reply, which comes by itself under its ticket.
   * @param {any} ticket
   * @param {string} text
   */
  async reply(ticket, text) {
    const { asks } = this.detail.table;
    const answer = new Promise((resolve) => asks.set(ticket, resolve));
    const late = {
      error: { what: "No reply came.", why: "The kernel was restarted, or is busy.", fix: "Send it again." },
    };
    let timer;
    const patience = new Promise((resolve) => (timer = setTimeout(() => resolve(late), AGENT_PATIENCE)));
    try {
      await this.frame.line.ask("ask", { agent: this.detail.id, text, ticket }, this.send);
      return await Promise.race([answer, patience]);
    } finally {
      clearTimeout(timer);
      asks.delete(ticket);
    }
  }

  /**
   * @param {any} reply
   * @param {any} asked
   */
  tell(reply, asked) {
    const to = h(
      "div",
      { class: "pw-ag-asked pw-soft", title: asked },
      "Answer to ",
      h("code", { dir: "auto" }, asked),
    );
    if (reply.error) return redraw(this.said, this.failure(reply.error), to);
    const fine = reply.status < 400;
    redraw(
      this.said,
      h(
        "div",
        { class: `pw-ag-outcome ${fine ? "pw-ag-fine" : "pw-ag-bad"}` },
        icon(fine ? "Succeeded" : "Failed"),
        h("strong", {}, `${reply.status} ${reply.phrase}`.trim()),
        h("span", { class: "pw-soft" }, agentTook(reply.seconds)),
      ),
      to,
      h(
        "pre",
        { class: "pw-code pw-ag-answer", tabindex: "0", "data-scroll": "answer", "aria-label": "Answer" },
        reply.text,
      ),
    );
  }

  /** @param {any} error */
  failure(error) {
    return h(
      "div",
      { class: "pw-ag-outcome pw-ag-bad" },
      icon("Failed"),
      h("span", {}, error === GONE ? error.what : sentence(error)),
    );
  }
}

/**
 * Say how long an answer took.
 * @param {number} seconds
 */
function agentTook(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  return `${seconds < 0.1 ? (seconds * 1000).toFixed(1) : Math.round(seconds * 1000)} ms`;
}
