// What an expanded experiment shows: the chart, checkpoints and config of one of its runs, and all runs.

import { layAlong } from "./chart_axis.js";
import { ChartControls } from "./chart_controls.js";
import { chartStyle } from "./chart_style.js";
import { options } from "./controls.js";
import { openDeploy } from "./deploy_dialog.js";
import { openEditConfig } from "./edit_config.js";
import { button, draw, find, focused, focusOn, html, make, named, unique } from "./elements.js";
import { experimentConfig } from "./experiment_config.js";
import { openDeleteCheckpoint } from "./experiment_dialogs.js";
import { experimentRuns } from "./experiment_runs.js";
import { ExperimentWhy } from "./experiment_why.js";
import { Printed } from "./files.js";
import { LineagePart } from "./lineage_part.js";
import { logButton } from "./log_dialog.js";
import { MetricChart } from "./metric_chart.js";
import { stepMarks } from "./pickers.js";
import { isActive } from "./run_times.js";
import { evaluationsPart, openScore } from "./scoring.js";
import { ShownItems } from "./shown_items.js";
import { heads, numberCell, numbers } from "./tables.js";
import { bytes, evaluatorsOf, isolated, metricName, scores } from "./text.js";
import { repeat } from "./vendor/lit.js";

export class ExperimentDetail {
  /**
   * @param {ExperimentsHost} table
   * @param {number} id
   */
  constructor(table, id) {
    this.table = table;
    this.id = id;
    this.frame = table.frame;
    this.name = unique("part");
    this.chart = new MetricChart(this.frame);
    /** @type {ExperimentDetailRow | null} */
    this.charted = null;
    this.controls = new ChartControls({ changed: () => this.charted && this.showChart(this.charted) });
    this.why = new ExperimentWhy(table);
    this.log = new Printed(this.frame, "Log");
    this.shownItems = new ShownItems(this.frame);
    this.lineage = new LineagePart(this.frame, {
      open: (node, pressed) => this.lead(node, pressed),
      why: ({ kind, experiment }) =>
        kind === "agent" || experiment !== null ? "" : "The panel of its stage shows it.",
    });
    this.wholeConfig = this.allRuns = false;
    /** @type {number | undefined} */
    this.shownRun = undefined;
    this.el = make(html`<div></div>`);
  }

  /**
   * `detail` is undefined until Python has sent it.
   * @param {ExperimentRow} row
   * @param {ExperimentDetailRow} [detail]
   */
  show(row, detail) {
    if (detail) this.showDetail(row, detail);
    else if (!this.el.firstElementChild) draw(this.el, html`<p class="pw-soft" role="status">Opening…</p>`);
    return this.el;
  }

  /**
   * @param {ExperimentRow} row
   * @param {ExperimentDetailRow} detail
   */
  showDetail(row, detail) {
    const again = () => this.showDetail(row, detail);
    const uses = detail.uses.map(({ pipeline, stage }) => `stage ${stage} of pipeline ${isolated(pipeline)}`);
    this.showChart(detail);
    const config = experimentConfig(row, detail, this.wholeConfig, {
      edit: (pressed) => openEditConfig(this.table, row, pressed),
      all: () => {
        this.wholeConfig = true;
        again();
      },
    });
    const runs = experimentRuns(detail.runs, this.allRuns, () => {
      this.allRuns = true;
      again();
      find(this.el, '[aria-label="Runs"][tabindex]').focus();
    });
    draw(
      this.el,
      html`<div class=${`pw-xd${detail.runs.length ? "" : " pw-xd-draft"}`}>
        <div class="pw-xd-about pw-soft">
          <span>${detail.says}</span>
          ${detail.placed ? html`<span>${detail.placed}</span>` : null}
          <span>${uses.length ? `Used by ${uses.join(", ")}.` : "Used by no pipeline."}</span>
        </div>
        ${this.why.show(row, detail)}
        <div class="pw-xd-columns">
          <div class="pw-xd-column">
            ${this.part("Metrics", this.metrics(detail))}
            <div ?hidden=${!detail.run}>
              ${this.part("Log", [this.log.el, logButton(this.frame, detail.run)])}
            </div>
          </div>
          <div class="pw-xd-column">${this.part("Config", config)}${this.part("Runs", runs)}</div>
          ${this.shownPart(detail.run)}
          ${this.part("Checkpoints", this.checkpoints(row, detail))}
          <div class="pw-xd-part" ?hidden=${!detail.run}>${this.lineage.el}</div>
        </div>
      </div>`,
    );
    const anew = this.shownRun !== detail.run?.id;
    this.why.tell(detail.run, anew);
    this.log.show(detail.run?.log ?? "", anew);
    this.shownRun = detail.run?.id;
    this.lineage.show(detail.run);
  }

  /**
   * Lead to a relative of the run that is shown.
   * @param {LineageNode} node
   * @param {El} pressed
   */
  async lead({ kind, id, experiment }, pressed) {
    if (kind === "agent") return this.table.place.open(id, pressed);
    if (!(await this.frame.run("show_run", { experiment, run: id }, pressed))) return;
    focusOn(this.table.lines.querySelector(named(`open-${experiment}`)) ?? this.frame.root);
  }

  /**
   * A part with a title.
   * @param {string} title
   * @param {Content} content
   */
  part(title, content) {
    const name = `${this.name}-${title}`;
    return html`<div class=${`pw-xd-part pw-xd-${title.toLowerCase()}`} role="group" aria-labelledby=${name}>
      <h4 id=${name}>${title}</h4>
      ${content}
    </div>`;
  }

  /** @param {ShownRun | null} run */
  shownPart(run) {
    const el = this.shownItems.show(run?.shown ?? null),
      { title } = this.shownItems,
      name = `${this.name}-shown`;
    return html`<div class="pw-xd-part pw-xd-shown" ?hidden=${!title}>
      <h4 id=${name}>${title}</h4>
      ${el}
    </div>`;
  }

  /** @param {ExperimentDetailRow} detail */
  showChart(detail) {
    const { run, metric, curves } = detail,
      { along, smoothing } = this.controls;
    this.charted = detail;
    // who reads it goes on
    this.chart.el.hidden = !curves.length && !this.chart.el.contains(focused());
    if (!curves.length) return;
    const series = curves.map(({ name, points }, at) => ({
      name: metricName(name),
      points,
      style: chartStyle(at),
    }));
    this.chart.show({
      title: metricName(metric ?? ""),
      best: along === "step" ? (run?.best ?? null) : null,
      smoothing,
      ...layAlong(series, along, () => detail),
    });
  }

  /** @param {ExperimentDetailRow} detail */
  metrics({ run, runs, metrics, metric, curves }) {
    const latest = runs[0]?.id;
    const names = runs.map(
      ({ id, number }) =>
        /** @type {[number, string]} */ ([id, `Run ${number}${id === latest ? " (latest)" : ""}`]),
    );
    const charts = metrics.map((name) => /** @type {[string, string]} */ ([name, metricName(name)]));
    const none = !run
      ? "Train it, and its metrics are charted here."
      : isActive(run.status)
        ? "It has reported no metrics yet."
        : "It reported no metrics.";
    return html`<div class="pw-xd-choose">
        <select aria-label="Run" data-f=${`run-${this.id}`} ?hidden=${runs.length < 2}
          @change=${(event) => this.look({ run: Number(event.currentTarget.value) })}>
          ${options(names, run?.id)}</select>
        <select aria-label="Metric" data-f=${`metric-${this.id}`} ?hidden=${!metrics.length}
          @change=${(event) => this.look({ metric: event.currentTarget.value })}>
          ${options(charts, metric)}</select>
        ${curves.length ? this.controls.show() : null}
      </div>
      ${this.chart.el}
      <div class="pw-xd-none pw-soft" ?hidden=${curves.length > 0}>${curves.length ? "" : none}</div>
      <div class="pw-hint">${run?.start ?? ""}</div>`;
  }

  /**
   * @param {ExperimentRow} row
   * @param {ExperimentDetailRow} detail
   */
  checkpoints(row, { checkpoints, evaluations, saved, runs, run, every, higher_is_better: higher }) {
    const better = higher ? "" : " (lower is better)",
      left = saved - checkpoints.length;
    const training = scores(checkpoints.map((each) => each.training_score)),
      evaluation = scores(checkpoints.map((each) => each.evaluation_score));
    const active = !!runs[0] && isActive(runs[0].status);
    const evaluators = evaluatorsOf(checkpoints),
      given = evaluators.map((name) => scores(checkpoints.map((each) => each.scores[name])));
    const none =
      !run || isActive(run.status) ? "No checkpoint has been saved yet." : "It saved no checkpoint.";
    /** @type {[string, string][]} */
    const whose = [["all", "Of all runs"]];
    if (run) whose.unshift(["run", `Of run ${run.number}`]);
    const scored = [`Training Score${better}`, `Evaluation Score${better}`];
    const columns = numbers(
      ...(every ? ["Run"] : []),
      "Steps",
      ...scored,
      ...evaluators.map((name) => `Score by ${isolated(name)}`),
      "Size",
    );
    return html`<div class="pw-xd-choose">
        <select aria-label="Checkpoints of" data-f=${`whose-${this.id}`} ?hidden=${runs.length < 2}
          @change=${(event) => this.look({ every: event.currentTarget.value === "all" })}
        >${options(whose, every ? "all" : "run")}</select>
        ${
          checkpoints.length
            ? button({
                label: "Score all",
                glyph: "results",
                title: "Score these checkpoints by an evaluator",
                f: `score-all-${this.id}`,
                onclick: (pressed) => this.score(every || !run ? null : run, pressed),
              })
            : null
        }
      </div>
      ${evaluationsPart(this.frame, evaluations)}
      <div class="pw-scroll pw-xd-scroll" tabindex="0" role="group" aria-label="Checkpoints"
        ?hidden=${!checkpoints.length}>
        <table class="pw-table">
          ${heads([...columns, "Actions"])}
          <tbody>
            ${repeat(
              checkpoints,
              ({ id }) => id,
              (each) => html`<tr>
                ${every ? numberCell(each.run?.replace(/^run /, "")) : null}
                <td class="pw-number">${stepMarks(each, active)}${each.step}</td>
                ${numberCell(training(each.training_score))}${numberCell(evaluation(each.evaluation_score))}
                ${evaluators.map((name, at) => numberCell(given[at](each.scores[name])))}
                ${numberCell(bytes(each.size))}
                <td class="pw-xd-acts"><div>${this.acts(row, each)}</div></td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
      <div class="pw-soft" ?hidden=${checkpoints.length > 0}>${none}</div>
      <div class="pw-xd-more">
        ${
          left > 0
            ? [
                html`<span class="pw-soft">${checkpoints.length} of ${saved}</span>`,
                button({
                  label: "Show more",
                  f: `more-${this.id}`,
                  onclick: (pressed) => this.look({ more: true }, pressed),
                }),
              ]
            : null
        }
      </div>`;
  }

  /**
   * @param {ExperimentRow} row
   * @param {Checkpoint} checkpoint
   */
  acts(row, checkpoint) {
    return [
      button({
        label: "Deploy",
        glyph: "agent",
        title: "Save it as an Agent",
        f: `deploy-${checkpoint.id}`,
        onclick: () => openDeploy(this.table, row.name, checkpoint),
      }),
      button({
        label: "Score",
        glyph: "results",
        title: "Score it by an evaluator",
        quiet: true,
        f: `score-${checkpoint.id}`,
        onclick: (pressed) => {
          const label = `Step ${checkpoint.step} of ${checkpoint.run}`;
          const scopes = [{ label, args: { checkpoint: checkpoint.id } }];
          return openScore({ frame: this.frame, scopes, pressed });
        },
      }),
      button({
        label: "Delete",
        glyph: "trash",
        quiet: true,
        f: `drop-${checkpoint.id}`,
        onclick: () => openDeleteCheckpoint(this.table, row, checkpoint),
      }),
    ];
  }

  /**
   * Score all checkpoints of a run, or of the experiment.
   * @param {ShownRun | null} run
   * @param {El} pressed
   */
  score(run, pressed) {
    const scope = run
      ? { label: `All of run ${run.number}`, args: { runs: [run.id] } }
      : { label: "All of the experiment", args: { experiment: this.id } };
    return openScore({ frame: this.frame, scopes: [scope], pressed });
  }

  /**
   * @param {Args} wanted
   * @param {El} [pressed]
   */
  look(wanted, pressed) {
    return this.frame.run("look", { experiment: this.id, ...wanted }, pressed);
  }

  end() {
    this.chart.end();
    this.why.end();
    this.log.end();
  }
}
