// Where another view shows an agent by itself.

import { ChildPlace } from "./children.js";
import { button, draw, find, focusOn, html, make, named } from "./elements.js";
import { sentence } from "./line.js";

/** A place for the view of an agent: with a button that closes it, or where it stands by itself. */
export class AgentPlace {
  /**
   * @param {Frame} frame
   * @param {Model} model
   */
  constructor(frame, model) {
    this.frame = frame;
    this.model = model;
    this.closes = true;
    this.child = new ChildPlace(model, (error) => frame.notice(sentence(error), "error"));
    this.el = make(html`<div class="pw-agent-place" role="group" aria-label="Agent" hidden></div>`);
    for (const trait of ["agent", "agent_shown"]) frame.on(`change:${trait}`, () => this.show());
    frame.undo.push(() => this.child.end());
    this.show();
  }

  /** Show it; it is left alone where it stands by itself, as in the panel of a Deployment stage. */
  show() {
    const shown = this.model.get("agent_shown");
    this.child.show(this.model.get("agent") ?? "");
    this.el.hidden = !shown;
    const close = button({
      label: "Close agent",
      glyph: "close",
      f: "close-agent",
      onclick: (pressed) => this.frame.run("close_agent", {}, pressed).then(() => focusOn(this.frame.root)),
    });
    draw(
      this.el,
      html`<div class="pw-agent-close" ?hidden=${!this.closes}>${this.closes ? close : null}</div>
        ${this.child.el}`,
    );
  }

  /**
   * Whether somebody has opened it, and can close it.
   * @param {boolean} closes
   */
  letClose(closes) {
    if (closes === this.closes) return;
    this.closes = closes;
    this.show();
  }

  /**
   * Open an agent, and go there.
   * @param {number} agent
   * @param {El} [pressed]
   */
  async open(agent, pressed) {
    if (!(await this.frame.run("view_agent", { agent }, pressed))) return;
    this.el.scrollIntoView({ block: "nearest" });
    if (this.closes) focusOn(find(this.el, named("close-agent")));
  }
}
