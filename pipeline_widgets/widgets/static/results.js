// Results: the runs of some experiments side by side, as curves, as a table, and by their configs.

class ResultsPanel {
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "results" });
    this.open = !model.get("chosen").length;
    this.wanted = null; // what is chosen here, while Python has not heard of it yet
    this.asked = 0;
    this.title = h("h2", { tabindex: "-1", class: "pw-results-title" });
    this.opener = button({ label: "Choose experiments", "aria-expanded": "false", onclick: () => this.toggle() });
    this.picker = this.makePicker();
    this.opener.setAttribute("aria-controls", this.picker.id);
    this.hint = h("div", { class: "pw-empty" });
    this.runs = new ResultRuns(this);
    this.config = new ResultConfig(this);
    this.drawings = new Map(); // the chart of each metric
    this.sync = unique("sync");
    const name = unique("log");
    this.log = h("input", { type: "checkbox", id: name, "data-f": "log", onchange: () => this.showCharts() });
    this.bar = h("div", { class: "pw-results-bar" }, h("h3", {}, "Metrics"),
      h("span", { class: "pw-soft" }, "Drag, or press + and -, to zoom."),
      h("span", { class: "pw-results-check" }, this.log, h("label", { for: name }, "Log scale")));
    this.charts = h("div", { class: "pw-results-charts" });
    this.drawn = h("section", { class: "pw-results-part", "aria-label": "Metrics" }, this.bar, this.charts);
    this.frame.body.append(h("div", { class: "pw-results-head" }, this.title, this.opener), this.picker, this.hint, this.runs.el, this.drawn, this.config.el);
    this.frame.on("change:title", () => this.showTitle());
    this.frame.on("change:experiments", () => this.showPicker());
    this.frame.on("change:chosen", () => { this.showPicker(); this.runs.show(); });
    this.frame.on("change:total", () => this.runs.show());
    this.frame.on("change:runs", () => { this.runs.show(); this.runs.renew(); this.showCharts(); this.config.show(); });
    this.frame.on("change:curves", () => this.showCharts());
    this.frame.on("change:undrawn", () => this.runs.show());
    this.frame.on("change:settings", () => this.config.show());
    this.frame.on("change:drawn", () => this.config.show());
    this.showTitle();
    this.showPicker();
    this.runs.show();
    this.config.show();
    this.showCharts();
  }

  // ---- choosing

  makePicker() {
    this.search = h("input", { type: "search", "data-f": "search", oninput: () => this.showPicker() });
    this.list = h("ul", { class: "pw-results-choices", "data-scroll": "choices" });
    this.none = h("p", { class: "pw-soft" });
    const all = button({ label: "Choose all", "data-f": "all", onclick: () => this.choose([...this.chosen, ...this.matching().map((each) => each.id)]) });
    this.clear = button({ label: "Clear", "data-f": "clear", onclick: () => this.choose([]) });
    this.tools = h("div", { class: "pw-results-search" }, field("Search experiments", this.search), all, this.clear);
    return h("div", { class: "pw-results-picker", id: unique("picker"), role: "group", "aria-label": "Experiments to show" }, this.tools, this.list, this.none);
  }

  get chosen() {
    return this.wanted ?? this.model.get("chosen");
  }

  matching() {
    const sought = this.search.value.trim().toLowerCase();
    return this.model.get("experiments").filter((each) => `${each.name} ${each.algorithm}`.toLowerCase().includes(sought));
  }

  toggle() {
    this.open = !this.open;
    this.showPicker();
    if (this.open) this.search.focus({ preventScroll: true });
  }

  async choose(ids) {
    this.wanted = [...new Set(ids)];
    this.asked += 1;
    this.showPicker();
    await this.frame.run("choose", { experiments: this.wanted });
    this.asked -= 1;
    if (this.asked) return;
    this.wanted = null;
    this.showPicker();
    this.frame.announce(`${this.model.get("title")}: ${count(this.model.get("total"), "run")}`);
  }

  showPicker() {
    const found = this.model.get("experiments"), matching = this.matching(), chosen = new Set(this.chosen);
    this.picker.hidden = !this.open;
    this.opener.setAttribute("aria-expanded", String(this.open));
    redraw(this.opener, icon(this.open ? "down" : "right"), h("span", { class: "pw-label" }, "Choose experiments"),
      h("span", { class: "pw-soft" }, `${chosen.size} of ${found.length}`));
    this.tools.hidden = !found.length;
    this.none.hidden = matching.length > 0;
    this.none.textContent = found.length ? "No experiments match." : "No experiments yet";
    keyed(this.list, matching, (each) => each.id, (each) => this.makeChoice(each.id), (li, each) => {
      li.querySelector("input").checked = chosen.has(each.id);
      redraw(li.querySelector("label"), h("span", { class: "pw-results-name" }, each.name),
        h("span", { class: "pw-hint" }, `${each.algorithm}, ${each.runs ? count(each.runs, "run") : "no runs"}`));
    });
    this.hint.hidden = chosen.size > 0;
    this.hint.textContent = found.length ? "Choose experiments to compare their runs." : "Experiments show their results here once they ran.";
  }

  makeChoice(id) {
    const name = unique("choice");
    const box = h("input", {
      type: "checkbox", id: name, "data-f": `choice-${id}`,
      onchange: () => this.choose(box.checked ? [...this.chosen, id] : this.chosen.filter((each) => each !== id)),
    });
    return h("li", {}, box, h("label", { for: name }));
  }

  // ---- showing

  showTitle() {
    this.title.textContent = this.model.get("title");
  }

  showCharts() {
    const runs = this.model.get("runs").filter((run) => run.drawn), place = new Map(runs.map((run, at) => [run.id, at]));
    const metrics = new Map();
    for (const { run: id, metric, points } of this.model.get("curves")) {
      if (!place.has(id)) continue;
      const run = runs[place.get(id)], name = `${run.experiment} run ${run.n}`;
      const label = h("span", { class: `pw-chart-name${run.experiment.length > 14 ? " pw-chart-long" : ""}` }, name);
      if (!metrics.has(metric)) metrics.set(metric, []);
      metrics.get(metric).push({ at: place.get(id), name, label, points, style: chartStyle(place.get(id)) });
    }
    for (const series of metrics.values()) series.sort((one, other) => one.at - other.at);
    this.drawn.hidden = !metrics.size;
    keyed(this.charts, [...metrics], ([metric]) => metric, ([metric]) => {
      const chart = new MetricChart(this.frame, { height: 190, sync: this.sync, together: () => [...this.drawings.values()], heading: h("h4", {}, chartName(metric)) });
      this.drawings.set(metric, chart);
      return h("section", { class: "pw-results-chart" }, chart.el);
    });
    for (const [metric, chart] of this.drawings) {
      if (!metrics.has(metric)) {
        chart.end();
        this.drawings.delete(metric);
      } else chart.show({ title: chartName(metric), series: metrics.get(metric), log: this.log.checked });
    }
  }
}

export default {
  initialize({ model }) {
    patches(model);
  },
  render({ model, el }) {
    const panel = new ResultsPanel({ model, el });
    return () => panel.frame.close();
  },
};
