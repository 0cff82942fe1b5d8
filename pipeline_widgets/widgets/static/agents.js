// The agents of a workspace. Python searches, sorts and pages; a row that is expanded says how to ask its
// agent.

import { AgentDetail } from "./agent_detail.js";
import { openNewAgent } from "./agent_dialogs.js";
import { AgentSession } from "./agent_session.js";
import { description } from "./description.js";
import { badge, button, html } from "./elements.js";
import { PagedTable } from "./paged_table.js";

const AGENT_COLUMNS = [
  { label: "Agent", sort: "name", descending: false, kind: "pw-ag-name" },
  { label: "Description", kind: "pw-ag-about" },
  { label: "Source Experiment", sort: "experiment", descending: false, kind: "pw-ag-source" },
  { label: "Base Model", sort: "base_model", descending: false, kind: "pw-ag-base" },
  { label: "Status", sort: "status", descending: true, kind: "pw-ag-status" },
  { label: "Actions", kind: "pw-ag-actions" },
];

/** @extends {PagedTable<AgentRow>} */
export class AgentsTable extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "agents",
      noun: "agent",
      kind: "pw-ag-table",
      columns: AGENT_COLUMNS,
      watched: ["details", "obstacle"],
    });
    this.session = new AgentSession(this);
    this.draw();
  }

  get shownColumns() {
    return AGENT_COLUMNS.filter(({ sort }) => sort !== "base_model" || this.page.base_models);
  }

  tools() {
    return this.newButton("new");
  }

  /** @param {string} name */
  newButton(name) {
    return button({
      label: "New Agent",
      glyph: "plus",
      kind: "pw-primary",
      f: name,
      reason: this.model.get("obstacle"),
      onclick: (pressed) => openNewAgent(this, pressed),
    });
  }

  // ---- drawing

  get details() {
    return /** @type {AgentDetailRow[]} */ (this.model.get("details"));
  }

  /** @param {number} id */
  detail(id) {
    return this.details.find((detail) => detail.id === id);
  }

  expanded() {
    return new Set(this.details.map(({ id }) => id));
  }

  draw() {
    this.session.follow();
    this.kind = `pw-ag-table${this.page.base_models ? " pw-ag-based" : ""}`;
    super.draw();
  }

  /** @returns {{ holds: string, nothing: [string, ...Content[]] }} */
  empty() {
    const how = this.model.get("obstacle")
      ? "Train an experiment; its checkpoints can become agents."
      : "An agent is a checkpoint saved under a name. Connected, it answers over HTTP.";
    return {
      holds: "Nothing matches",
      nothing: ["No agents yet", html`<div>${how}</div>`, this.newButton("first")],
    };
  }

  // ---- a row

  /** @param {AgentRow} row */
  cells(row) {
    const why = row.trouble.split("\n")[0],
      base = row.base_model ?? html`<span class="pw-soft">–</span>`,
      { project } = row;
    return html`<th scope="row" class="pw-ag-name">
        <div class="pw-pt-name">${this.opener(row)}</div>
        <div class="pw-pt-under pw-soft"><span>version ${row.current_version}</span></div>
      </th>
      <td class="pw-ag-about">${this.about(row)}</td>
      <td class="pw-ag-source">
        <div class="pw-ag-clamp" dir="auto" title=${row.experiment}>${row.experiment}</div>
        ${
          project
            ? html`<div class="pw-pt-detail pw-soft pw-ag-clamp" dir="auto" title=${project}>${project}</div>`
            : null
        }
      </td>
      ${
        this.page.base_models
          ? html`<td class=${`pw-ag-base${row.base_model ? "" : " pw-ag-none"}`}>${base}</td>`
          : null
      }
      <td class="pw-ag-status">
        ${badge(row.status)}${why ? html`<div class="pw-ag-why" title=${row.trouble}>${why}</div>` : null}
      </td>
      <td class="pw-ag-actions"><div class="pw-ag-acts">${this.session.acts(row)}</div></td>`;
  }

  /** @param {AgentRow} row */
  about(row) {
    return description(this, row, {
      save: ({ id, ...edit }, pressed) => this.frame.line.ask("describe", { agent: id, ...edit }, pressed),
    });
  }

  // ---- what is in an expanded row

  /** @param {number} id */
  makeInside(id) {
    const inside = new AgentDetail(this, id);
    return {
      show: (/** @type {AgentRow} */ row) => inside.show(row, this.detail(id)),
      end: () => inside.end(),
    };
  }
}
