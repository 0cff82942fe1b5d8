// One agent by itself: try it, its key, how it is called, its versions, and what can be done with it.

import { AgentDetail } from "./agent_detail.js";
import { AgentSession } from "./agent_session.js";
import { description } from "./description.js";
import { badge, html } from "./elements.js";
import { SinglePanel } from "./single_panel.js";
import { isolated } from "./text.js";

/** @extends {SinglePanel<AgentRow>} */
export class AgentPanel extends SinglePanel {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({ model, el, noun: "agent" });
    /** @type {Map<number, AgentDetail>} */
    this.insides = new Map(); // by id: what was shown of an agent, with what was typed there
    /** @type {Map<number, DescriptionDraft>} */
    this.drafts = new Map(); // by id: the description that is being typed
    this.session = new AgentSession(this);
    for (const trait of ["rows", "details"]) this.frame.on(`change:${trait}`, () => this.draw());
    this.frame.undo.push(() => {
      for (const inside of this.insides.values()) inside.end();
    });
    this.draw();
  }

  /** @param {number} id */
  detail(id) {
    const details = /** @type {AgentDetailRow[]} */ (this.model.get("details"));
    return details.find((detail) => detail.id === id);
  }

  draw() {
    this.session.follow();
    super.draw();
  }

  /** @param {AgentRow} row */
  shown(row) {
    const inside = this.insides.get(row.id) ?? new AgentDetail(this, row.id);
    this.insides.set(row.id, inside);
    const about = [`version ${row.current_version}`, row.project, row.experiment, row.base_model];
    return html`<div class="pw-single-head">
        <h3>${isolated(row.name)}</h3>
        ${badge(row.status)}
        <div class="pw-single-about pw-soft">
          ${about.map((text) => (text ? html`<span>${isolated(text)}</span>` : null))}
        </div>
        <div class="pw-ag-do" role="group" aria-label=${`Actions for ${isolated(row.name)}`}>
          ${this.session.connectButton(row, row.connected ? "" : "pw-primary")}
          ${this.session.deleteButton(row)}
        </div>
      </div>
      ${description(this, row, {
        save: ({ id, ...edit }, pressed) => this.frame.line.ask("describe", { agent: id, ...edit }, pressed),
      })}
      ${inside.show(row, this.detail(row.id))}`;
  }
}
