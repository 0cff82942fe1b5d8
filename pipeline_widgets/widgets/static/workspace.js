// A workspace: what waits for a person, what is active, its projects and its agents. A project opens in its
// place.

import { ChildPlace } from "./children.js";
import { openMenu } from "./dialogs.js";
import { badge, button, draw, focusOn, html, moment, named } from "./elements.js";
import { sentence } from "./line.js";
import { PagedTable } from "./paged_table.js";
import { progressBar, runLeft, stepsDone } from "./run_times.js";
import { count, inFull, isolated, remaining } from "./text.js";
import { repeat } from "./vendor/lit.js";
import { openDeleteProject, openNewProject, openRenameProject } from "./workspace_dialogs.js";

const PROJECT_COLUMNS = [
  { label: "Name", sort: "name", descending: false },
  { label: "Status", sort: "status", descending: true },
  { label: "Last modified", sort: "modified", descending: true },
  { label: "Actions" },
];

/** @extends {PagedTable<ProjectRow>} */
export class WorkspaceHome extends PagedTable {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({
      model,
      el,
      name: "workspace",
      noun: "project",
      kind: "pw-ws-table",
      columns: PROJECT_COLUMNS,
      watched: ["active", "waiting", "opened", "agents", "workspace"],
      filters: true,
    });
    this.from = ""; // the control from which a project was opened
    const failed = (/** @type {unknown} */ error) => this.frame.notice(sentence(error), "error");
    this.opened = new ChildPlace(model, failed);
    this.agents = new ChildPlace(model, failed);
    this.frame.undo.push(
      () => this.opened.end(),
      () => this.agents.end(),
    );
    this.draw();
  }

  tools() {
    return this.newButton("new", "New project");
  }

  /**
   * @param {string} name
   * @param {string} label
   */
  newButton(name, label) {
    return button({
      label,
      glyph: "plus",
      kind: "pw-primary",
      f: name,
      onclick: () => openNewProject(this),
    });
  }

  /** @returns {{ holds: string, nothing: [string, ...Content[]] }} */
  empty() {
    return {
      holds: "Nothing matches",
      nothing: [
        "No projects yet",
        html`<div>A project holds your experiments, the pipelines that chain them, and their results.</div>`,
        html`<div>'New from template' in it makes a pipeline of several stages that runs at once.</div>`,
        this.newButton("first", "Create a project"),
      ],
    };
  }

  // ---- drawing

  /**
   * @param {Page} page
   * @param {ProjectRow[]} rows
   */
  drawBody(page, rows) {
    const { name, place } = this.model.get("workspace"),
      opened = !!this.model.get("opened");
    draw(
      this.frame.body,
      html`<div class="pw-ws-home" ?hidden=${opened}>
          <div class="pw-ws-head">
            <h2>Workspace ${isolated(name)}</h2>
            <span class="pw-soft" dir="ltr">${place}</span>
          </div>
          ${this.part("Waiting for you", this.model.get("waiting"), page.all_waiting ?? 0, this.waitingLine)}
          ${this.part("Running now", this.model.get("active"), page.all_active ?? 0, this.activeLine)}
          <section class="pw-ws-part" aria-label="Projects">
            <h3 ?hidden=${!page.all}>Projects</h3>
            ${this.list(page, rows)}
          </section>
          <section class="pw-ws-part" aria-label="Agents" ?hidden=${!this.model.get("agents")}>
            <h3>Agents</h3>
            ${this.agents.el}
          </section>
        </div>
        <div class="pw-ws-opened" ?hidden=${!opened}>
          ${button({
            label: "Back to workspace",
            glyph: "left",
            f: "back",
            onclick: (pressed) => this.back(pressed),
          })}
          ${this.opened.el}
        </div>`,
    );
    this.opened.show(this.model.get("opened") ?? "");
    this.agents.show(this.model.get("agents") ?? "");
  }

  /**
   * A list of what is not a project; it is left out where it is empty.
   * @template {{ id: number }} Item
   * @param {string} title
   * @param {Item[]} items
   * @param {number} all
   * @param {(item: Item) => Content} line
   */
  part(title, items, all, line) {
    const more = all - items.length;
    return html`<section class="pw-ws-part" aria-label=${title} ?hidden=${!items.length}>
      <h3>${title} <span class="pw-ws-count pw-soft">${inFull(all)}</span></h3>
      <ul class="pw-ws-lines" aria-label=${title}>
        ${repeat(
          items,
          ({ id }) => id,
          (item) => html`<li class="pw-ws-line">${line.call(this, item)}</li>`,
        )}
      </ul>
      ${more > 0 ? html`<p class="pw-ws-more pw-soft">And ${inFull(more)} more.</p>` : null}
    </section>`;
  }

  /** @param {WaitingRow} row */
  waitingLine({ id, project_id: project, pipeline_id: pipeline, status, detail, place }) {
    const args = { project, pipeline, stage: id };
    return html`<span class="pw-ws-mark">${badge(status)}</span>
      <span class="pw-ws-what">${this.link(`waiting-${id}`, detail, place, args)}</span>`;
  }

  /** @param {ActiveRow} row */
  activeLine(row) {
    const { id, project_id: project, pipeline_id: pipeline, stage_id: stage, name, place } = row;
    const target = pipeline ? { project, pipeline, stage } : { project, experiment: row.experiment_id };
    return html`<span class="pw-ws-mark">${badge(row.status)}</span>
      <span class="pw-ws-what">${this.link(`active-${id}`, name, place, target)}</span>
      ${this.progress(row)}`;
  }

  /** @param {ActiveRow} row */
  progress(row) {
    if (row.waits) return html`<span class="pw-ws-done pw-soft">Waits for ${row.waits}</span>`;
    if (row.status === "Pending") return null;
    const left = runLeft({ ...row, begun: 0 }),
      steps = stepsDone(row);
    return html`<span class="pw-ws-done">
      ${progressBar(`Progress of ${row.name}`, row, steps)}
      <span class="pw-ws-words pw-soft">
        <span>${steps}</span>${left === null ? null : html`<span>${remaining(left)}</span>`}
      </span>
    </span>`;
  }

  /**
   * A line that opens a project where something stands, and says where that is.
   * @param {string} f
   * @param {string} text
   * @param {string[]} place
   * @param {Args} target
   */
  link(f, text, place, target) {
    const where = place.map(isolated);
    return html`<button type="button" class="pw-ws-link" data-f=${f} aria-label=${[text, ...where].join(", ")}
        @click=${(event) => this.openProject(target, event.currentTarget)}>${text}</button>
      <span class="pw-ws-place pw-soft">${where.map((each) => html`<span>${each}</span>`)}</span>`;
  }

  // ---- a row

  /** @param {ProjectRow} row */
  cells(row) {
    const { id, name, kind, status, detail } = row;
    return html`<th scope="row">
        <div class="pw-pt-name">
          <button type="button" class="pw-pt-open pw-ws-open" data-f=${`open-${id}`} title=${name}
            @click=${(event) => this.openProject({ project: id }, event.currentTarget)}>
            <span class="pw-pt-title" dir="auto">${isolated(name)}</span>
          </button>
        </div>
        <div class="pw-pt-under pw-soft">
          <span>${kind}</span><span>${count(row.experiments, "experiment")}</span>
          ${row.pipelines ? html`<span>${count(row.pipelines, "pipeline")}</span>` : null}
        </div>
      </th>
      <td>
        ${status ? badge(status, { title: detail }) : html`<span class="pw-soft">Nothing has run yet</span>`}
        <div class="pw-pt-detail pw-soft">${detail}</div>
      </td>
      <td class="pw-pt-modified">${moment(row.modified_at)}</td>
      <td class="pw-ws-actions">${this.menuButton(row, (opener) => this.openActions(id, opener))}</td>`;
  }

  /**
   * @param {number} id
   * @param {El} opener
   */
  openActions(id, opener) {
    const row = this.row(id);
    if (!row) return;
    openMenu(opener, [
      { label: "Open", glyph: "right", onclick: () => this.openProject({ project: id }, opener) },
      { label: "Rename", glyph: "edit", onclick: () => openRenameProject(this, row) },
      {
        label: "Delete",
        glyph: "trash",
        danger: true,
        onclick: () => openDeleteProject(this, row),
      },
    ]);
  }

  // ---- the project that is shown in place of the list

  /**
   * @param {Args} target
   * @param {El} pressed
   */
  async openProject(target, pressed) {
    this.from = pressed.dataset.f ?? "";
    if (await this.frame.run("open", target, pressed)) this.arriveAtProject();
  }

  /** Go on at the way back; the view's top may have scrolled away. */
  arriveAtProject() {
    this.draw();
    const back = this.frame.body.querySelector(named("back"));
    focusOn(back);
    back?.scrollIntoView({ block: "nearest" });
    this.frame.announce("The project is shown.");
  }

  /** @param {El} pressed */
  async back(pressed) {
    if (!(await this.frame.run("back", {}, pressed))) return;
    this.draw();
    focusOn(this.frame.body.querySelector(named(this.from || "new")));
    this.frame.announce("The workspace is shown.");
  }
}
