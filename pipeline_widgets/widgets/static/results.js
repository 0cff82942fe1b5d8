// Results: the runs of some experiments side by side, in a table, as curves, and by their configs.

import { h, setText } from "./elements.js";
import { Frame } from "./frame.js";
import { ResultCharts } from "./results_charts.js";
import { ResultConfig } from "./results_config.js";
import { ResultPicker } from "./results_picker.js";
import { ResultRuns } from "./results_runs.js";
import { count } from "./text.js";

export class ResultsPanel {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "results" });
    this.title = h("h2", { tabindex: "-1", class: "pw-results-title" });
    this.some = h("span", { class: "pw-soft" });
    this.picker = new ResultPicker(this);
    this.charts = new ResultCharts(this);
    this.runs = new ResultRuns(this);
    this.config = new ResultConfig(this);
    const head = h(
      "div",
      { class: "pw-results-head" },
      this.title,
      this.picker.opener,
      this.some,
      this.picker.hint,
    );
    this.frame.body.append(head, this.picker.el, this.runs.el, this.charts.el, this.config.el);
    /**
     * @param {string} trait
     * @param {...any} parts
     */
    const on = (trait, ...parts) =>
      this.frame.on(`change:${trait}`, () => parts.forEach((part) => part.show()));
    on("title", this);
    on("experiments", this.picker);
    on("chosen", this.picker, this.runs);
    on("total", this, this.runs);
    on("runs", this, this.runs, this.charts, this.config);
    on("order", this.runs);
    on("latest", this.runs);
    on("curves", this.charts);
    on("undrawn", this.runs);
    on("settings", this.config);
    on("drawn", this, this.charts, this.config);
    this.frame.on("change:runs", () => this.runs.renew());
    this.frame.on("change:drawn", () => this.charts.renew());
    for (const part of [this, this.picker, this.runs, this.charts, this.config]) part.show();
  }

  show() {
    const drawn = this.model.get("drawn").length,
      total = this.model.get("total");
    setText(this.title, this.model.get("title"));
    setText(
      this.some,
      total ? (drawn < total ? `${drawn} of ${count(total, "run")} drawn` : count(total, "run")) : "",
    );
  }
}
