// The agents of a workspace. Python searches, sorts and pages; a row that is expanded says how to ask its
// agent.

import { AgentDetail } from "./agent_detail.js";
import { openDeleteAgent, openNewAgent } from "./agent_dialogs.js";
import { Description } from "./description.js";
import { badge, button, h, redraw } from "./elements.js";
import { PagedTable } from "./paged_table.js";
import { isolated } from "./text.js";

const AGENT_COLUMNS = [
  { label: "Agent", sort: "name", descending: false, kind: "pw-ag-name" },
  { label: "Description", kind: "pw-ag-about" },
  { label: "Source Experiment", sort: "experiment", descending: false, kind: "pw-ag-source" },
  { label: "Base Model", sort: "base_model", descending: false, kind: "pw-ag-base" },
  { label: "Status", sort: "status", descending: true, kind: "pw-ag-status" },
  { label: "Actions", kind: "pw-ag-actions" },
];

export class AgentsTable extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "agents",
      noun: "agent",
      columns: AGENT_COLUMNS,
      watched: ["details", "obstacle"],
    });
    this.drafts = new Map(); // by agent: the description that is being typed
    this.keys = new Map(); // by agent: its key while it is shown this once; nothing of it is kept anywhere
    this.asks = new Map(); // by ticket: who waits for an agent's reply
    this.build();
    this.table.classList.add("pw-ag-table");
    this.frame.on("msg:custom", (message) => message?.reply && this.asks.get(message.reply)?.(message));
    this.draw();
  }

  get plain() {
    return this.model.get("single");
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
      "data-f": name,
      reason: this.model.get("obstacle") || undefined,
      onclick: (event) => openNewAgent(this, event.currentTarget),
    });
  }

  // ---- drawing

  expanded() {
    this.details = new Map(this.model.get("details").map((/** @type {Row} */ detail) => [detail.id, detail]));
    return new Set(this.details.keys());
  }

  draw() {
    this.tellEnds();
    const based = !!this.model.get("page").base_models;
    this.expanded();
    for (const [id, { key }] of this.keys) {
      const hint = this.details.get(id)?.endpoint?.hint;
      if (hint && !key.endsWith(hint)) this.keys.delete(id); // it was rotated elsewhere
    }
    this.table.classList.toggle("pw-ag-based", based);
    for (const th of this.heads) if (th.classList.contains("pw-ag-base")) th.hidden = !based;
    super.draw();
  }

  /** Say how a connecting has ended; who waits for it may look elsewhere. */
  tellEnds() {
    const before = this.statuses ?? new Map();
    this.statuses = new Map(
      this.model
        .get("rows")
        .map(({ id, name, status }) => /** @type {[number, Values]} */ ([id, { name, status }])),
    );
    const ends = [...this.statuses].filter(
      ([id, { status }]) => before.get(id)?.status === "Pending" && status !== "Pending",
    );
    if (ends.length)
      this.frame.announce(ends.map(([, { name, status }]) => `${isolated(name)} is ${status}.`).join(" "));
  }

  empty() {
    const reason = this.model.get("obstacle");
    return {
      holds: "No name holds",
      nothing: this.plain
        ? ["This agent was deleted"]
        : [
            "No agents yet",
            h(
              "div",
              {},
              reason
                ? "Train an experiment; its checkpoints can become agents."
                : "An agent is a checkpoint saved under a name. Connected, it answers over HTTP.",
            ),
            this.newButton("first"),
          ],
    };
  }

  // ---- a row

  /** @param {number} id */
  makeAbout(id) {
    return new Description(this, id, {
      label: (control, row) => {
        control.setAttribute("aria-label", `Description of ${isolated(row.name)}`);
        return control;
      },
      save: (edit, pressed) => this.frame.line.ask("describe", { agent: id, ...edit }, pressed),
    });
  }

  /** @param {number} id */
  makeRow(id) {
    const open = this.makeOpener(id);
    const about = this.makeAbout(id),
      under = h("div", { class: "pw-pt-under pw-soft" });
    const source = h("td", { class: "pw-ag-source" }),
      base = h("td", { class: "pw-ag-base" }),
      status = h("td", { class: "pw-ag-status" });
    const acts = h("div", { class: "pw-ag-acts" });
    const line = h(
      "tr",
      { class: "pw-pt-row" },
      h("th", { scope: "row", class: "pw-ag-name" }, h("div", { class: "pw-pt-name" }, open), under),
      h("td", { class: "pw-ag-about" }, about.el),
      source,
      base,
      status,
      h("td", { class: "pw-ag-actions" }, acts),
    );
    line.parts = { open, under, about, source, base, status, acts };
    return line;
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showRow(line, row) {
    const { open, under, about, source, base, status, acts } = line.parts;
    this.showOpener(line, open, row);
    redraw(under, h("span", {}, `version ${row.current_version}`));
    about.show(row);
    redraw(
      source,
      h("div", { class: "pw-ag-clamp", dir: "auto", title: row.experiment }, row.experiment),
      row.project
        ? h(
            "div",
            { class: "pw-pt-detail pw-soft pw-ag-clamp", dir: "auto", title: row.project },
            row.project,
          )
        : null,
    );
    base.hidden = !this.model.get("page").base_models;
    redraw(base, row.base_model ?? h("span", { class: "pw-soft" }, "–"));
    base.classList.toggle("pw-ag-none", !row.base_model);
    const why = row.trouble.split("\n")[0];
    redraw(status, badge(row.status), why ? h("div", { class: "pw-ag-why", title: row.trouble }, why) : null);
    this.showActs(acts, row);
  }

  /**
   * @param {any} place
   * @param {Row} row
   */
  showActs(place, row) {
    redraw(
      place,
      row.connected
        ? button({
            label: "Disconnect",
            glyph: "stop",
            "data-f": `act-${row.id}`,
            onclick: (event) => this.disconnect(row.id, event.currentTarget),
          })
        : button({
            label: "Connect",
            glyph: "play",
            "data-f": `act-${row.id}`,
            onclick: (event) => this.connect(row.id, event.currentTarget),
          }),
      button({
        label: "Delete",
        glyph: "trash",
        quiet: true,
        reason: row.blockers.delete,
        "data-f": `delete-${row.id}`,
        onclick: () => openDeleteAgent(this, row.id),
      }),
    );
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async connect(id, pressed) {
    const answer = await this.ask("connect", { agent: id }, pressed);
    if (!answer) return;
    this.keep(id, answer.key);
    this.frame.announce(
      `${isolated(this.row(id)?.name ?? "It")} is being connected.${answer.key ? " Its key is shown." : ""}`,
    );
  }

  /**
   * @param {number} id
   * @param {El} pressed
   */
  async disconnect(id, pressed) {
    if (await this.ask("disconnect", { agent: id }, pressed))
      this.frame.announce(`${isolated(this.row(id)?.name ?? "It")} is disconnected.`);
  }

  /**
   * Show a new key until it is hidden, or the page is gone.
   * @param {number} id
   * @param {any} key
   */
  keep(id, key) {
    if (key) this.keys.set(id, { key });
    this.draw();
  }

  // ---- what is in an expanded row

  /** @param {number} id */
  makeInside(id) {
    const inside = new AgentDetail(this, id);
    const cell = h("td", {}, inside.el);
    const line = h("tr", { class: "pw-pt-inside" }, cell);
    line.inside = inside;
    line.cell = cell;
    return line;
  }

  /**
   * @param {El} line
   * @param {Row} row
   */
  showInside(line, row) {
    const columns = AGENT_COLUMNS.length - (this.model.get("page").base_models ? 0 : 1);
    if (line.cell.colSpan !== columns) line.cell.colSpan = columns;
    const detail = this.details.get(row.id);
    if (detail) line.inside.show(row, detail);
  }
}
