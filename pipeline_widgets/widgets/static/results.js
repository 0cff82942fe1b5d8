// Results: the runs of some experiments side by side, in a table, as curves, and by their configs.

import { AgentPlace } from "./agent_place.js";
import { draw, html } from "./elements.js";
import { Frame } from "./frame.js";
import { ResultCharts } from "./results_charts.js";
import { ResultConfig } from "./results_config.js";
import { ResultPicker } from "./results_picker.js";
import { ResultRuns } from "./results_runs.js";
import { ResultShown } from "./results_shown.js";
import { count } from "./text.js";

export class ResultsPanel {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "results" });
    this.place = new AgentPlace(this.frame, model);
    this.frame.body.after(this.place.el);
    this.picker = new ResultPicker(this);
    this.charts = new ResultCharts(this);
    this.runs = new ResultRuns(this);
    this.shown = new ResultShown(this);
    this.config = new ResultConfig(this);
    /**
     * @param {string} trait
     * @param {...{ show: () => void }} parts
     */
    const on = (trait, ...parts) =>
      this.frame.on(`change:${trait}`, () => {
        for (const part of parts) part.show();
      });
    on("title", this);
    on("experiments", this);
    on("chosen", this, this.runs);
    on("total", this, this.runs);
    on("runs", this, this.runs, this.charts, this.shown, this.config);
    on("shown", this.shown);
    on("order", this.runs);
    on("evaluators", this.runs);
    on("evaluations", this.runs);
    on("latest", this.runs);
    on("timelines", this.charts);
    on("curves", this.charts);
    on("undrawn", this.runs);
    on("settings", this.config);
    on("drawn", this, this.runs, this.charts, this.config);
    this.frame.on("change:runs", () => this.runs.renew());
    this.frame.on("change:drawn", () => this.charts.renew());
    for (const part of [this.runs, this.charts, this.shown, this.config, this]) part.show();
  }

  show() {
    const drawn = this.model.get("drawn").length,
      total = this.model.get("total");
    const runs = total ? count(total, "run") : "";
    draw(
      this.frame.body,
      html`<div class="pw-results-head">
          <h2 tabindex="-1" class="pw-results-title">${this.model.get("title")}</h2>
          ${this.picker.opener()}
          <span class="pw-soft">${drawn < total ? `${drawn} of ${runs} charted` : runs}</span>
          ${this.picker.hint()}
        </div>
        ${this.picker.choices()}${this.runs.el}${this.charts.el}${this.shown.el}${this.config.el}`,
    );
  }

  /** @param {number} id */
  run(id) {
    return this.model.get("runs").find((run) => run.id === id);
  }
}
