// What an expanded experiment shows: a chart of its latest run, its checkpoints, config and runs. Each part is drawn by
// itself and only where it has changed.

const DETAIL_RUNS = 8; // runs that are listed at once

class ExperimentDetail {
  constructor(table, id) {
    Object.assign(this, { table, id, frame: table.frame });
    const part = (title, ...children) => {
      const name = unique("part");
      return h("div", { class: "pw-xd-part", role: "group", "aria-labelledby": name }, h("h4", { id: name }, title), ...children);
    };
    this.about = h("div", { class: "pw-xd-about pw-soft" });
    this.run = h("select", { "aria-label": "Run", "data-f": `run-${id}`, onchange: () => this.look({ run: Number(this.run.value) }) });
    this.metric = h("select", { "aria-label": "Metric", "data-f": `metric-${id}`, onchange: () => this.look({ metric: this.metric.value }) });
    this.chart = new MetricChart(this.frame);
    this.none = h("div", { class: "pw-xd-none pw-soft" });
    this.start = h("div", { class: "pw-hint" });
    this.error = new Printed(this.frame, "Error");
    this.errorTitle = h("h4");
    this.broken = h("div", { class: "pw-panel-part pw-panel-error" },
      h("div", { class: "pw-panel-bar" }, this.errorTitle, copyButton({ frame: this.frame, text: () => this.error.text })), this.error.el);
    this.metrics = part("Metrics", h("div", { class: "pw-xd-choose" }, this.run, this.metric), this.chart.el, this.none, this.start, this.broken);
    this.saved = h("tbody");
    this.more = h("div", { class: "pw-xd-more" });
    this.heads = ["Steps", "Training Score", "Evaluation Score", "Size"].map((text) => h("th", { scope: "col", class: "pw-number" }, text));
    this.savedTable = h("div", { class: "pw-scroll pw-xd-scroll", tabindex: "0", role: "region", "aria-label": "Checkpoints", "data-scroll": "saved" },
      h("table", { class: "pw-table" }, h("thead", {}, h("tr", {}, this.heads, h("th", { scope: "col" }, "Actions"))), this.saved));
    this.noSaved = h("div", { class: "pw-soft" }, "No checkpoint has been saved yet.");
    this.checkpoints = part("Checkpoints", this.savedTable, this.noSaved, this.more);
    this.config = h("dl", { class: "pw-xd-config" });
    this.edit = h("div", { class: "pw-xd-more" });
    this.history = h("tbody");
    this.runsTable = h("div", { class: "pw-scroll pw-xd-scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
      h("table", { class: "pw-table" }, h("thead", {}, h("tr", {}, ["Run", "Status", "Started", "Steps"].map((text, at) => h("th", { scope: "col", class: at > 2 ? "pw-number" : "" }, text)))), this.history));
    this.noRuns = h("div", { class: "pw-soft" }, "It has not run yet.");
    this.el = h("div", { class: "pw-xd" }, this.about, h("div", { class: "pw-xd-columns" },
      h("div", { class: "pw-xd-column" }, this.metrics, this.checkpoints),
      h("div", { class: "pw-xd-column" }, part("Config", this.config, this.edit), part("Runs", this.runsTable, this.noRuns))));
    this.waits = h("p", { class: "pw-soft", role: "status" }, "Opening…");
    this.place = h("div", {}, this.waits);
  }

  /** `detail` is undefined until Python has sent it. */
  show(row, detail) {
    if (!detail) return;
    if (!this.el.isConnected) this.place.replaceChildren(this.el);
    Object.assign(this, { row, detail });
    redraw(this.about, h("span", {}, detail.says), detail.uses.length ? h("span", {}, `Used by ${detail.uses.map(({ pipeline, stage }) => `stage ${stage} of pipeline ${pipeline}`).join(", ")}.`) : h("span", {}, "Used by no pipeline."));
    this.showMetrics();
    this.showCheckpoints();
    this.showConfig();
    this.showRuns();
  }

  showMetrics() {
    const { run, runs, metrics, metric, curves } = this.detail;
    const latest = runs[0]?.id;
    this.options(this.run, runs.map(({ id, number }) => [id, `Run ${number}${id === latest ? " (latest)" : ""}`]), run?.id);
    this.options(this.metric, metrics.map((name) => [name, chartName(name)]), metric);
    this.run.hidden = runs.length < 2;
    this.metric.hidden = !metrics.length;
    this.chart.el.hidden = !curves.length;
    if (curves.length) this.chart.show({ title: chartName(metric), best: run.best, series: curves.map(({ name, points }, at) => ({ name: chartName(name), points, style: chartStyle(at) })) });
    setText(this.none, curves.length ? "" : run ? "It has reported no metrics yet." : "Train it, and its metrics are charted here.");
    this.none.hidden = curves.length > 0;
    setText(this.start, run?.start ?? "");
    this.broken.hidden = !run?.error;
    setText(this.errorTitle, run?.status === "Crashed" ? "Evidence of the crash" : "Error");
    this.error.show(run?.error ?? "", this.shownRun !== run?.id);
    this.shownRun = run?.id;
  }

  /** Offer choices; a list that is open is left alone where nothing has changed. */
  options(select, choices, chosen) {
    redraw(select, choices.map(([value, text]) => h("option", { value }, text)));
    if (chosen !== undefined && chosen !== null && select.value !== String(chosen)) select.value = chosen;
  }

  showCheckpoints() {
    const { checkpoints, saved, runs, higher_is_better: higher } = this.detail;
    this.savedTable.hidden = !checkpoints.length;
    this.noSaved.hidden = checkpoints.length > 0;
    this.heads.slice(1, 3).forEach((head, at) => setText(head, `${["Training Score", "Evaluation Score"][at]}${higher ? "" : " (lower is better)"}`));
    const number = (text) => h("td", { class: "pw-number" }, text);
    keyed(this.saved, checkpoints, (each) => each.id, () => h("tr"), (el, each) => {
      const marks = [runs.length > 1 ? each.run : null, each.best ? "best" : null, each.final ? "final" : null].filter(Boolean).join(", ");
      redraw(el,
        h("td", { class: "pw-number" }, marks ? h("span", { class: "pw-panel-mark" }, marks) : null, ` ${each.step}`),
        number(score(each.training)), number(score(each.evaluation)), number(bytes(each.size)),
        h("td", { class: "pw-xd-acts" }, h("div", {},
          button({ label: "Deploy", glyph: "agent", title: "Save it as an Agent", "data-f": `deploy-${each.id}`, onclick: () => openDeploy(this.table, this.row, each) }),
          button({ label: "Delete", glyph: "trash", quiet: true, "data-f": `drop-${each.id}`, onclick: () => openDeleteCheckpoint(this.table, this.row, each) }))));
    });
    const left = saved - checkpoints.length;
    redraw(this.more, left > 0 ? [h("span", { class: "pw-soft" }, `${checkpoints.length} of ${saved}`), button({ label: "Show more", "data-f": `more-${this.id}`, onclick: (event) => this.look({ more: true }, event.currentTarget) })] : null);
  }

  showConfig() {
    const { config, seed } = this.detail;
    const line = (name, value, unit, title) => h("div", { title: title || undefined }, h("dt", {}, name), h("dd", {}, h("span", { class: "pw-xd-value" }, value), unit ? h("span", { class: "pw-soft" }, ` ${unit}`) : null));
    redraw(this.config, config.map(({ label, name, value, unit, description }) => line(label, value, unit, label === name ? description : `${name}: ${description}`)), line("Seed", String(seed)));
    redraw(this.edit, button({ label: "Edit config", glyph: "edit", reason: this.row.why_not.change, "data-f": `edit-${this.id}`, onclick: (event) => openEditConfig(this.table, this.row, event.currentTarget) }));
  }

  showRuns() {
    const { runs } = this.detail, shown = this.all ? runs : runs.slice(0, DETAIL_RUNS);
    this.runsTable.hidden = !runs.length;
    this.noRuns.hidden = runs.length > 0;
    keyed(this.history, shown, (each) => each.id, () => h("tr"), (el, run) => {
      const took = run.finished !== null && run.started !== null ? duration(run.finished - run.started) : "";
      const notes = [run.pipeline ? `in ${run.pipeline}` : null, run.same_config ? null : "another config"].filter(Boolean).join(", ");
      redraw(el, h("th", { scope: "row", "aria-label": `Run ${run.number}` }, String(run.number), notes ? h("div", { class: "pw-hint" }, notes) : null), h("td", {}, badge(run.status)), h("td", {}, moment(run.started ?? run.created), took ? h("div", { class: "pw-hint" }, `took ${took}`) : null),
        h("td", { class: "pw-number" }, run.step === null ? "N/A" : run.total ? `${run.step} of ${run.total}` : String(run.step)));
    });
    if (shown.length < runs.length && !this.allButton) {
      this.allButton = button({ label: `Show all ${runs.length} runs`, onclick: () => { this.all = true; this.allButton.remove(); this.showRuns(); this.runsTable.focus(); } });
      this.runsTable.after(h("div", { class: "pw-xd-more" }, this.allButton));
    }
  }

  look(wanted, pressed) {
    return this.table.ask("look", { experiment: this.id, ...wanted }, pressed);
  }

  end() {
    this.chart.end();
    this.error.end();
  }
}
