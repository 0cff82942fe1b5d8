// What an expanded experiment shows: the chart, checkpoints and config of one of its runs, and all runs. Each
// part is drawn by itself and only where it has changed.

import { chartName, chartStyle } from "./chart_style.js";
import { badge, button, h, keyed, redraw, setText, unique } from "./elements.js";
import { openDeleteCheckpoint, openDeploy, openEditConfig } from "./experiment_dialogs.js";
import { copyButton, Printed } from "./files.js";
import { MetricChart } from "./metric_chart.js";
import { stepMarks } from "./pickers.js";
import { bytes, duration, isolated, moment, scores } from "./text.js";

const DETAIL_RUNS = 8; // runs that are listed at once
const DETAIL_FIELDS = 10; // fields of a config that are listed at once
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
    /**
     * @param {string} title
     * @param {...Child} children
     */
    const part = (title, ...children) => {
      const name = unique("part");
      return h(
        "div",
        { class: `pw-xd-part pw-xd-${title.toLowerCase()}`, role: "group", "aria-labelledby": name },
        h("h4", { id: name }, title),
        ...children,
      );
    };
    this.about = h("div", { class: "pw-xd-about pw-soft" });
    this.run = h("select", {
      "aria-label": "Run",
      "data-f": `run-${id}`,
      onchange: () => this.look({ run: Number(this.run.value) }),
    });
    this.metric = h("select", {
      "aria-label": "Metric",
      "data-f": `metric-${id}`,
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
    this.metrics = part(
      "Metrics",
      h("div", { class: "pw-xd-choose" }, this.run, this.metric),
      this.chart.el,
      this.none,
      this.start,
      this.broken,
    );
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
    this.whose = h("select", {
      "aria-label": "Checkpoints of",
      "data-f": `whose-${id}`,
      onchange: () => this.look({ every: this.whose.value === "all" }),
    });
    this.checkpoints = part(
      "Checkpoints",
      h("div", { class: "pw-xd-choose" }, this.whose),
      this.savedTable,
      this.noSaved,
      this.more,
    );
    this.config = h("dl", { class: "pw-xd-fields" });
    this.configOf = h("div", { class: "pw-hint" });
    this.edit = h("div", { class: "pw-xd-more" });
    this.history = h("tbody");
    this.runsTable = h(
      "div",
      { class: "pw-scroll pw-xd-scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
      h(
        "table",
        { class: "pw-table" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Run", "Status", "Started", "Steps"].map((text, at) =>
              h("th", { scope: "col", class: at % 3 ? "" : "pw-number" }, text),
            ),
          ),
        ),
        this.history,
      ),
    );
    this.noRuns = h("div", { class: "pw-soft" }, "It has not run yet.");
    this.el = h(
      "div",
      { class: "pw-xd" },
      this.about,
      h(
        "div",
        { class: "pw-xd-columns" },
        h("div", { class: "pw-xd-column" }, this.metrics, this.checkpoints),
        h(
          "div",
          { class: "pw-xd-column" },
          part("Config", this.configOf, this.config, this.edit),
          part("Runs", this.runsTable, this.noRuns),
        ),
      ),
    );
    this.waits = h("p", { class: "pw-soft", role: "status" }, "Opening…");
    this.place = h("div", {}, this.waits);
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
    this.showConfig();
    this.showRuns();
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
    /** @param {string} text */
    const number = (text) => h("td", { class: "pw-number" }, text);
    const [training, evaluation] = ["training", "evaluation"].map((name) =>
      scores(checkpoints.map((/** @type {any} */ each) => each[name])),
    );
    keyed(
      this.saved,
      checkpoints,
      (/** @type {any} */ each) => each.id,
      () => h("tr"),
      (/** @type {El} */ el, /** @type {any} */ each) =>
        redraw(
          el,
          every ? number(each.run.replace(/^run /, "")) : null,
          h("td", { class: "pw-number" }, stepMarks(each), String(each.step)),
          number(training(each.training)),
          number(evaluation(each.evaluation)),
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
        ),
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

  /** The config of the run that is shown; first what differs from the experiment's now, which is said. */
  showConfig() {
    const { config, run, runs } = this.detail;
    const differs = config.filter((/** @type {{ now: number }} */ { now }) => now !== null),
      ordered = [...differs, ...config.filter((/** @type {{ now: number }} */ { now }) => now === null)];
    const enough = this.whole || !run || config.length <= DETAIL_FIELDS + 2;
    const shown = enough ? ordered : ordered.slice(0, Math.max(DETAIL_FIELDS, differs.length));
    const told =
      runs.length > 1 || differs.length
        ? `As run ${run?.number} had it${differs.length ? "; the experiment was changed since" : ""}.`
        : "";
    setText(this.configOf, told);
    this.configOf.hidden = !told;
    redraw(
      this.config,
      shown.map((field) => configLine(field)),
    );
    redraw(
      this.edit,
      button({
        label: "Edit config",
        glyph: "edit",
        reason: this.row.why_not.change,
        "data-f": `edit-${this.id}`,
        onclick: (event) => openEditConfig(this.table, this.row, event.currentTarget),
      }),
      enough
        ? null
        : button({
            label: `Show all ${config.length} fields`,
            "data-f": `whole-${this.id}`,
            onclick: () => {
              this.whole = true;
              this.showConfig();
            },
          }),
    );
  }

  showRuns() {
    const { runs } = this.detail,
      shown = this.all ? runs : runs.slice(0, DETAIL_RUNS);
    this.runsTable.hidden = !runs.length;
    this.noRuns.hidden = runs.length > 0;
    keyed(
      this.history,
      shown,
      (/** @type {any} */ each) => each.id,
      () => h("tr"),
      (/** @type {El} */ el, /** @type {Row} */ run) => {
        const took =
          run.finished !== null && run.started !== null ? duration(run.finished - run.started) : "";
        const hints = [
          took ? `took ${took}` : null,
          run.same_config ? null : "another config",
          run.pipeline ? `in ${isolated(run.pipeline)}` : null,
        ].filter(Boolean);
        redraw(
          el,
          h(
            "th",
            { scope: "row", class: "pw-number", "aria-label": `Run ${run.number}` },
            String(run.number),
          ),
          h("td", {}, badge(run.status)),
          h(
            "td",
            {},
            moment(run.started ?? run.created),
            hints.length
              ? h(
                  "div",
                  { class: "pw-hint" },
                  hints.map((hint, at) => h("span", {}, at + 1 < hints.length ? `${hint}, ` : hint)),
                )
              : null,
          ),
          h(
            "td",
            { class: "pw-number" },
            run.step === null ? "N/A" : run.total ? `${run.step} of ${run.total}` : String(run.step),
          ),
        );
      },
    );
    if (shown.length < runs.length && !this.allButton) {
      this.allButton = button({
        label: `Show all ${runs.length} runs`,
        onclick: () => {
          this.all = true;
          this.allButton.remove();
          this.showRuns();
          this.runsTable.focus();
        },
      });
      this.runsTable.after(h("div", { class: "pw-xd-more" }, this.allButton));
    }
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
 * Draw a field of a config; what the experiment has now stands below where it is another value.
 * @param {{ label: string, name: string, value: any, unit: any, description: string, now: number }} options
 */
function configLine({ label, name, value, unit, description, now }) {
  const told =
    label.toLowerCase() === name.toLowerCase() ? description : [name, description].filter(Boolean).join(": ");
  const bare = ["none", "empty"].includes(value);
  return h(
    "div",
    { title: told || undefined },
    h("dt", {}, label),
    h(
      "dd",
      {},
      h("span", { class: `pw-xd-value${bare ? " pw-soft" : ""}` }, value),
      unit ? h("span", { class: "pw-soft" }, ` ${unit}`) : null,
      now === null ? null : h("div", { class: "pw-xd-now" }, `now: ${now}`),
    ),
  );
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
