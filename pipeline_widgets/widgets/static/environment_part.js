// How a run came about: the machine, git, and its code. It is read when the part is opened.

import { draw, html, make } from "./elements.js";
import { count } from "./text.js";

export class EnvironmentPart {
  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.run = 0;
    /** @type {RunEnvironment | null} */
    this.found = null;
    this.el = make(html`<details class="pw-environment">
      <summary>Environment</summary>
      <div></div>
    </details>`);
    this.el.addEventListener("toggle", () => this.read());
  }

  /**
   * Show the part for a run.
   * @param {number} run
   */
  show(run) {
    if (run === this.run) return;
    Object.assign(this, { run, found: null });
    this.draw();
    this.read();
  }

  async read() {
    const { run } = this;
    if (this.found || !run || !(/** @type {HTMLDetailsElement} */ (this.el).open)) return;
    const found = await this.frame.run("environment", { run });
    if (!found || run !== this.run) return;
    this.found = found;
    this.draw();
  }

  draw() {
    const { found } = this,
      body = /** @type {HTMLElement} */ (this.el.lastElementChild);
    if (!found) return draw(body, html`<p class="pw-soft">Reading…</p>`);
    const { facts, sources, diff, cut, untracked } = found;
    draw(
      body,
      html`<dl class="pw-panel-facts">
          ${facts.map(({ name, value }) => html`<dt>${name}</dt><dd dir="auto">${value}</dd>`)}
        </dl>
        <p class="pw-soft" ?hidden=${facts.length > 0 || sources.length > 0}>Nothing was recorded.</p>
        ${diff ? text(`Changes since the commit${cut ? ", the first 200 kB" : ""}`, diff) : null}
        ${
          untracked.length
            ? text(count(untracked.length, "untracked file", "untracked files"), untracked.join("\n"))
            : null
        }
        ${sources.map((each) => text(each.name, each.text))}`,
    );
  }
}

/**
 * A text behind its title.
 * @param {string} title
 * @param {string} content
 */
const text = (title, content) =>
  html`<details class="pw-environment-text">
    <summary dir="auto">${title}</summary>
    <pre class="pw-code pw-environment-source" tabindex="0" aria-label=${title}>${content}</pre>
  </details>`;
