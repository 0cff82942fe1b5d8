// What an expanded experiment shows: the chart, checkpoints and config of one of its runs, and all runs. Each
// part is drawn by itself and only where it has changed.

import { chartName, chartStyle } from "./chart_style.js";
import { detailPart } from "./detail_part.js";
import { button, h, keyed, redraw, setText } from "./elements.js";
import { ExperimentConfig } from "./experiment_config.js";
import { openDeleteCheckpoint, openDeploy } from "./experiment_dialogs.js";
import { ExperimentRuns } from "./experiment_runs.js";
import { copyButton, Printed } from "./files.js";
import { MetricChart } from "./metric_chart.js";
import { stepMarks } from "./pickers.js";
import { bytes, isolated, scores } from "./text.js";

const DETAIL_GOES = ["Pending", "Running", "Stopping"];

export class ExperimentDetail {
  /**
   * @param {any} table
   * @param {number} id
   */
  constructor(table, id) {
    this.table = table;
    this.id = id;
    this.frame = table.frame;
    this.makeMetrics();
    this.makeCheckpoints();
    this.runs = new ExperimentRuns();
    this.config = new ExperimentConfig(table);
    this.about = h("div", { class: "pw-xd-about pw-soft" });
    this.el = h(
      "div",
      { class: "pw-xd" },
      this.about,
      h(
        "div",
        { class: "pw-xd-columns" },
        h("div", { class: "pw-xd-column" }, this.metrics, this.checkpoints),
        h("div", { class: "pw-xd-column" }, this.config.el, this.runs.el),
      ),
    );
    this.waits = h("p", { class: "pw-soft", role: "status" }, "Opening…");
    this.place = h("div", {}, this.waits);
  }

  makeMetrics() {
    /** @type {El} */
    this.run = h("select", {
      "aria-label": "Run",
      "data-f": `run-${this.id}`,
      onchange: () => this.look({ run: Number(this.run.value) }),
    });
    /** @type {El} */
    this.metric = h("select", {
      "aria-label": "Metric",
      "data-f": `metric-${this.id}`,
      onchange: () => this.look({ metric: this.metric.value }),
    });
    this.chart = new MetricChart(this.frame);
    this.none = h("div", { class: "pw-xd-none pw-soft" });
    this.start = h("div", { class: "pw-hint" });
    this.error = new Printed(this.frame, "Error");
    this.errorTitle = h("h4");
    this.raised = h("p", { class: "pw-xd-raised" });
    this.trace = h("details", {}, h("summary", {}, "Traceback"));
    this.broken = h(
      "div",
      { class: "pw-panel-part pw-panel-error" },
      h(
        "div",
        { class: "pw-panel-bar" },
        this.errorTitle,
        copyButton({ frame: this.frame, text: () => this.error.text }),
      ),
      this.raised,
      this.trace,
      this.error.el,
    );
    this.metrics = detailPart(
      "Metrics",
      h("div", { class: "pw-xd-choose" }, this.run, this.metric),
      this.chart.el,
      this.none,
      this.start,
      this.broken,
    );
  }

  makeCheckpoints() {
    this.saved = h("tbody");
    this.more = h("div", { class: "pw-xd-more" });
    this.heads = ["Steps", "Training Score", "Evaluation Score", "Size"].map((text) =>
      h("th", { scope: "col", class: "pw-number" }, text),
    );
    this.runHead = h("th", { scope: "col", class: "pw-number" }, "Run");
    this.savedTable = h(
      "div",
      {
        class: "pw-scroll pw-xd-scroll",
        tabindex: "0",
        role: "region",
        "aria-label": "Checkpoints",
        "data-scroll": "saved",
      },
      h(
        "table",
        { class: "pw-table" },
        h("thead", {}, h("tr", {}, this.runHead, this.heads, h("th", { scope: "col" }, "Actions"))),
        this.saved,
      ),
    );
    this.noSaved = h("div", { class: "pw-soft" });
    /** @type {El} */
    this.whose = h("select", {
      "aria-label": "Checkpoints of",
      "data-f": `whose-${this.id}`,
      onchange: () => this.look({ every: this.whose.value === "all" }),
    });
    this.checkpoints = detailPart(
      "Checkpoints",
      h("div", { class: "pw-xd-choose" }, this.whose),
      this.savedTable,
      this.noSaved,
      this.more,
    );
  }

  /**
   * `detail` is undefined until Python has sent it.
   * @param {Row} row
   * @param {Row} detail
   */
  show(row, detail) {
    if (!detail) return;
    if (!this.el.isConnected) this.place.replaceChildren(this.el);
    this.row = row;
    this.detail = detail;
    // there is a config, and nothing else to look at
    this.el.classList.toggle("pw-xd-draft", !detail.runs.length);
    redraw(
      this.about,
      h("span", {}, detail.says),
      detail.uses.length
        ? h(
            "span",
            {},
            `Used by ${detail.uses
              .map(
                (/** @type {{ pipeline: string, stage: number }} */ { pipeline, stage }) =>
                  `stage ${stage} of pipeline ` + `${isolated(pipeline)}`,
              )
              .join(", ")}.`,
          )
        : h("span", {}, "Used by no pipeline."),
    );
    this.showMetrics();
    this.showCheckpoints();
    this.config.show(this.row, this.detail);
    this.runs.show(this.detail.runs);
  }

  showMetrics() {
    const { run, runs, metrics, metric, curves } = this.detail;
    const latest = runs[0]?.id;
    this.options(
      this.run,
      runs.map((/** @type {{ id: number, number: any }} */ { id, number }) => [
        id,
        `Run ${number}${id === latest ? " (latest)" : ""}`,
      ]),
      run?.id,
    );
    this.options(
      this.metric,
      metrics.map((/** @type {string} */ name) => [name, chartName(name)]),
      metric,
    );
    this.run.hidden = runs.length < 2;
    this.metric.hidden = !metrics.length;
    // who reads it goes on
    this.chart.el.hidden = !curves.length && !this.chart.el.contains(document.activeElement);
    if (curves.length)
      this.chart.show({
        title: chartName(metric),
        best: run.best,
        series: curves.map(
          (/** @type {{ name: string, points: Point[] }} */ { name, points }, /** @type {number} */ at) => ({
            name: chartName(name),
            points,
            style: chartStyle(at),
          }),
        ),
      });
    const nothing = !run
      ? "Train it, and its metrics are charted here."
      : DETAIL_GOES.includes(run.status)
        ? "It has reported no metrics yet."
        : "It reported no metrics.";
    setText(this.none, curves.length ? "" : nothing);
    this.none.hidden = curves.length > 0;
    setText(this.start, run?.start ?? "");
    this.showError();
    this.shownRun = run?.id;
  }

  /** What was raised comes first; how it came to that is behind a press. */
  showError() {
    const { run } = this.detail,
      text = run?.error ?? "",
      raised = raisedIn(text);
    this.broken.hidden = !text;
    setText(this.errorTitle, run?.status === "Crashed" ? "Evidence of the crash" : "Error");
    setText(this.raised, raised ?? "");
    this.raised.hidden = this.trace.hidden = !raised;
    const place = raised ? this.trace : this.broken;
    if (this.error.el.parentElement !== place) place.append(this.error.el);
    this.error.show(text, this.shownRun !== run?.id);
  }

  /**
   * Offer choices; a list that is open is left alone where nothing has changed.
   * @param {El} select
   * @param {any} choices
   * @param {any} chosen
   */
  options(select, choices, chosen) {
    redraw(
      select,
      choices.map((/** @type {any[]} */ [value, text]) => h("option", { value }, text)),
    );
    if (chosen !== undefined && chosen !== null && select.value !== String(chosen)) select.value = chosen;
  }

  showCheckpoints() {
    const { checkpoints, saved, runs, run, every, higher_is_better: higher } = this.detail;
    this.savedTable.hidden = !checkpoints.length;
    this.noSaved.hidden = checkpoints.length > 0;
    setText(
      this.noSaved,
      !run || DETAIL_GOES.includes(run.status)
        ? "No checkpoint has been saved yet."
        : "It saved no checkpoint.",
    );
    this.whose.hidden = runs.length < 2;
    this.options(
      this.whose,
      run
        ? [
            ["run", `Of run ${run.number}`],
            ["all", "Of all runs"],
          ]
        : [],
      every ? "all" : "run",
    );
    this.runHead.hidden = !every;
    this.heads
      .slice(1, 3)
      .forEach((head, at) =>
        setText(head, `${["Training Score", "Evaluation Score"][at]}${higher ? "" : " (lower is better)"}`),
      );
    const [training, evaluation] = ["training_score", "evaluation_score"].map((name) =>
      scores(checkpoints.map((/** @type {any} */ each) => each[name])),
    );
    keyed(
      this.saved,
      checkpoints,
      (/** @type {any} */ each) => each.id,
      () => h("tr"),
      (/** @type {El} */ el, /** @type {any} */ each) =>
        this.checkpointRow(el, each, every, training(each.training_score), evaluation(each.evaluation_score)),
    );
    const left = saved - checkpoints.length;
    redraw(
      this.more,
      left > 0
        ? [
            h("span", { class: "pw-soft" }, `${checkpoints.length} of ${saved}`),
            button({
              label: "Show more",
              "data-f": `more-${this.id}`,
              onclick: (event) => this.look({ more: true }, event.currentTarget),
            }),
          ]
        : null,
    );
  }

  /**
   * @param {El} el
   * @param {any} each
   * @param {boolean} every
   * @param {string} training
   * @param {string} evaluation
   */
  checkpointRow(el, each, every, training, evaluation) {
    /** @param {string} text */
    const number = (text) => h("td", { class: "pw-number" }, text);
    redraw(
      el,
      every ? number(each.run.replace(/^run /, "")) : null,
      h("td", { class: "pw-number" }, stepMarks(each), String(each.step)),
      number(training),
      number(evaluation),
      number(bytes(each.size)),
      h(
        "td",
        { class: "pw-xd-acts" },
        h(
          "div",
          {},
          button({
            label: "Deploy",
            glyph: "agent",
            title: "Save it as an Agent",
            "data-f": `deploy-${each.id}`,
            onclick: () => openDeploy(this.table, this.row, each),
          }),
          button({
            label: "Delete",
            glyph: "trash",
            quiet: true,
            "data-f": `drop-${each.id}`,
            onclick: () => openDeleteCheckpoint(this.table, this.row, each),
          }),
        ),
      ),
    );
  }

  /**
   * @param {any} wanted
   * @param {El} [pressed]
   */
  look(wanted, pressed) {
    return this.table.ask("look", { experiment: this.id, ...wanted }, pressed);
  }

  end() {
    this.chart.end();
    this.error.end();
  }
}

/**
 * What a traceback ends in; null where a text is none.
 * @param {string} text
 */
function raisedIn(text) {
  const lines = text.trimEnd().split("\n");
  if (!lines.some((line) => line.startsWith("Traceback "))) return null;
  // of its frames; the message may have several lines
  const last = lines.findLastIndex((line) => line.startsWith("  "));
  return lines.slice(last + 1).find((line) => line.trim()) ?? null;
}
