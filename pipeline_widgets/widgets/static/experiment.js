// One experiment by itself: what can be done with it, its charts, checkpoints, config, runs and log.

import { AgentPlace } from "./agent_place.js";
import { ChildPlace } from "./children.js";
import { openDeploy } from "./deploy_dialog.js";
import { openMenu } from "./dialogs.js";
import { badge, button, draw, find, focusOn, html, make, moment, named } from "./elements.js";
import { experimentActs, experimentProgress } from "./experiment_actions.js";
import { ExperimentDetail } from "./experiment_detail.js";
import { openDeleteExperiment, openDuplicate } from "./experiment_dialogs.js";
import { sentence } from "./line.js";
import { SinglePanel } from "./single_panel.js";
import { count, isolated, score } from "./text.js";

/** @extends {SinglePanel<ExperimentRow>} */
export class ExperimentPanel extends SinglePanel {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    super({ model, el, noun: "experiment" });
    /** @type {FormDrafts | null} */
    this.typed = null;
    /** @type {{ made: Named, said: string } | null} */
    this.news = null; // an experiment that was made of this one here
    /** @type {ExperimentDetail | null} */
    this.detail = null;
    this.results = make(html`<div class="pw-xp-results" role="group" aria-label="Results"></div>`);
    this.compared = new ChildPlace(model, (error) => this.frame.notice(sentence(error), "error"));
    this.place = new AgentPlace(this.frame, model);
    this.frame.body.after(this.place.el);
    for (const trait of ["rows", "details"]) this.frame.on(`change:${trait}`, () => this.draw());
    this.frame.on("change:compared", () => this.showResults(true));
    this.frame.undo.push(
      () => this.detail?.end(),
      () => this.compared.end(),
    );
    this.draw();
    this.showResults(false);
  }

  /** @param {ExperimentRow} row */
  shown(row) {
    const details = /** @type {ExperimentDetailRow[]} */ (this.model.get("details")),
      detail = details.find(({ id }) => id === row.id);
    if (this.detail?.id !== row.id) {
      this.detail?.end();
      this.detail = new ExperimentDetail(this, row.id);
    }
    const done = html`<span>${count(row.runs, "run")}</span><span>best score ${score(row.best)}</span>`;
    return html`<div class="pw-single-head">
        <h3>${isolated(row.name)}</h3>
        ${badge(row.status)}
        <div class="pw-single-about pw-soft">
          <span>${row.algorithm}</span>${row.runs ? done : null}<span>${moment(row.modified_at)}</span>
        </div>
        <div class="pw-xp-menu">${this.menu(row)}</div>
      </div>
      ${row.waits ? html`<div class="pw-soft">Waits for ${row.waits}</div>` : null}
      ${experimentProgress(row)}
      <div class="pw-xp-acts" role="group" aria-label=${isolated(row.name)}>
        ${experimentActs(this, row, row.status === "Draft" ? "pw-primary" : "")}${this.acts(row, detail)}
      </div>
      ${this.told()}
      ${this.detail.show(row, detail)}${this.results}`;
  }

  /**
   * @param {ExperimentRow} row
   * @param {ExperimentDetailRow | undefined} detail
   */
  acts(row, detail) {
    const best = detail?.checkpoints[0];
    return [
      button({
        label: "Duplicate",
        glyph: "copy",
        f: "duplicate",
        onclick: (pressed) => openDuplicate(this, row, pressed),
      }),
      button({
        label: "Deploy",
        glyph: "agent",
        title: best?.best ? "Save the best checkpoint as an Agent" : "Save the final checkpoint as an Agent",
        reason: best ? null : "No checkpoint has been saved yet.",
        f: "deploy",
        onclick: () => best && openDeploy(this, row.name, best),
      }),
      button({
        label: "Results",
        glyph: "results",
        f: "results",
        onclick: (pressed) => this.frame.run("results", { experiment: row.id }, pressed),
      }),
    ];
  }

  /** @param {ExperimentRow} row */
  menu(row) {
    return button({
      label: `Actions for ${isolated(row.name)}`,
      glyph: "more",
      quiet: true,
      kind: "pw-pt-menu",
      popup: true,
      expanded: false,
      f: "menu",
      onclick: (opener) =>
        openMenu(opener, [
          {
            label: "Delete",
            glyph: "trash",
            danger: true,
            reason: row.blockers.delete,
            onclick: () => openDeleteExperiment(this, row),
          },
        ]),
    });
  }

  // ---- what was made of it

  /**
   * Say that another experiment was made, which can be shown in place of this one.
   * @param {Named} made
   * @param {string} said
   */
  arrive(made, said) {
    this.news = { made, said };
    this.frame.announce(said);
    this.draw();
    focusOn(this.frame.body.querySelector(named("show")));
  }

  told() {
    const { news } = this;
    if (!news || news.made.id === this.rows[0]?.id) return null;
    const show = async (/** @type {El} */ pressed) => {
      if (!(await this.frame.run("show", { experiment: news.made.id }, pressed))) return;
      this.news = null;
      this.draw();
      focusOn(this.frame.root);
    };
    return html`<div class="pw-xp-news">
      <span>${news.said}</span>
      ${button({ label: `Show ${isolated(news.made.name)}`, f: "show", onclick: show })}
    </div>`;
  }

  // ---- its runs beside others

  /** @param {boolean} asked */
  showResults(asked) {
    const reference = this.model.get("compared") ?? "";
    this.compared.show(reference);
    this.results.hidden = !reference;
    const close = button({
      label: "Close results",
      glyph: "close",
      f: "close-results",
      onclick: (pressed) => this.closeResults(pressed),
    });
    draw(this.results, reference ? html`<div class="pw-xp-close">${close}</div>${this.compared.el}` : null);
    if (!asked || !reference) return;
    focusOn(find(this.results, named("close-results")));
    this.results.scrollIntoView({ block: "nearest" });
  }

  /** @param {El} pressed */
  async closeResults(pressed) {
    if (await this.frame.run("close_results", {}, pressed))
      focusOn(this.frame.body.querySelector(named("results")));
  }
}
