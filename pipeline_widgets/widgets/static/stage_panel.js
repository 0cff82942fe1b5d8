// The panel of the selected stage: its settings in sentences, why it is stale or held, and its latest run,
// live.

import { field, textArea } from "./controls.js";
import { openDialog, paragraphs } from "./dialogs.js";
import { openEditConfig } from "./edit_config.js";
import { button, draw, html, icon, make, moment } from "./elements.js";
import { EnvironmentPart } from "./environment_part.js";
import { FailureCard } from "./failure_card.js";
import { Printed } from "./files.js";
import { PATIENCE } from "./line.js";
import { LineagePart } from "./lineage_part.js";
import { logButton } from "./log_dialog.js";
import { panelPart } from "./panel_part.js";
import { openPlan } from "./plan.js";
import { openRerun } from "./run_pipeline.js";
import { progressBar, runLeft, runTook, stepsDone } from "./run_times.js";
import { ShownItems } from "./shown_items.js";
import { kindIcon, stageBadges } from "./stage_bubble.js";
import { checkpointsPart } from "./stage_checkpoints.js";
import { StageMetrics } from "./stage_metrics.js";
import { StaleCard } from "./stale_card.js";
import { asSentence, duration, isolated, peakUse } from "./text.js";
import { usageCurves } from "./usage_curves.js";

export class StagePanel {
  /**
   * @param {{ frame: Frame, model: Model, place: import("./agent_place.js").AgentPlace,
   *   open: (stage: number) => unknown, known: (stage: number) => unknown }} options `open` shows another
   *   stage, `known` tells whether there is one.
   */
  constructor({ frame, model, place, open, known }) {
    this.model = model;
    this.open = open;
    this.frame = frame;
    this.place = place;
    this.failure = new FailureCard(frame);
    this.why = new StaleCard();
    this.log = new Printed(frame, "Log");
    this.environment = new EnvironmentPart(frame);
    this.lineage = new LineagePart(frame, {
      open: (node, pressed) => {
        if (node.kind === "agent") return place.open(node.id, pressed);
        return node.stage === null ? null : open(node.stage);
      },
      why: ({ kind, stage, place: where }) =>
        kind === "agent" || (stage !== null && known(stage))
          ? ""
          : `It is not in this pipeline: ${where || "it was trained on its own"}.`,
    });
    this.shownItems = new ShownItems(frame);
    this.metrics = new StageMetrics(frame, () => this.draw());
    /** @type {Panel | null} */
    this.panel = null;
    /** @type {Stage | null} */
    this.stage = null;
    this.shown = "";
    this.el = make(html`<section class="pw-panel" tabindex="-1" data-f="panel"></section>`);
    const clock = setInterval(() => this.panel?.run && this.el.isConnected && this.draw(), 1000);
    frame.undo.push(
      () => clearInterval(clock),
      () => clearTimeout(this.patience),
    );
  }

  /**
   * Show a stage. `panel` is null until Python has sent what there is to know of it, which may be after the
   * cell that runs.
   * @param {Panel | null} panel
   * @param {Stage} stage
   */
  show(panel, stage) {
    const run = panel?.run ?? null,
      shown = `${stage.id} ${run?.id}`,
      anew = this.shown !== shown;
    Object.assign(this, { panel, stage, shown, waits: false });
    clearTimeout(this.patience);
    if (!panel)
      this.patience = setTimeout(() => {
        this.waits = this.frame.line.live;
        this.draw();
      }, PATIENCE);
    this.environment.show(run?.id ?? 0);
    this.lineage.show(run);
    this.draw();
    this.failure.tell(run, anew);
    this.log.show(run?.log ?? "", anew);
  }

  draw() {
    const { stage, panel } = this,
      run = panel?.run ?? null;
    if (!stage) return;
    const reasons = this.reasons(stage);
    const stale = stage.stale && this.stale(stage),
      title = `Stage ${stage.n}: ${isolated(stage.name)}`;
    // A list may hold several builders: no two landmarks of a page have one name.
    this.el.setAttribute("aria-label", `${title} of ${isolated(this.model.get("pipeline").name)}`);
    draw(
      this.el,
      html`<header class="pw-panel-head">
          <h3>${title}</h3>
          <div class="pw-panel-marks">
            <span class="pw-panel-kind">${kindIcon(stage)}${stage.kind}</span>${stageBadges(stage)}
          </div>
        </header>
        ${this.failure.show(run, this.failureActions(stage))}
        ${stale}
        <div class="pw-panel-why" ?hidden=${!reasons.length}>${reasons}</div>
        <div class="pw-panel-columns">
          <div class="pw-panel-column">
            <ul class="pw-panel-settings">${(panel?.settings ?? []).map(
              (text) => html`<li>
              ${text}
            </li>`,
            )}</ul>
            <div class="pw-panel-idle">${this.idle(run)}</div>
            ${this.facts(stage, run)}${checkpointsPart(this, stage, run)}
            <div ?hidden=${!run}>${this.environment.el}</div>
          </div>
          <div class="pw-panel-column">
            ${panelPart("Metrics", !!run?.curves.length, this.metrics.show(run))}
            ${this.shownPart(run)}
            ${panelPart("Resources", !!run?.usage.length, usageCurves(run?.usage ?? []))}
            ${panelPart("Log", !!(run?.log || run?.earlier), [this.log.el, logButton(this.frame, run)])}
          </div>
        </div>
        <div ?hidden=${!run}>${this.lineage.el}</div>
        ${stage.kind === "Deployment" ? this.agent() : null}`,
    );
  }

  /**
   * What can be done about a run that was broken off.
   * @param {Stage} stage
   * @returns {FailureActions}
   */
  failureActions({ id, name, experiment, blockers, locked = "" }) {
    const { frame } = this;
    return {
      asks: true,
      locked,
      blocked: (blockers ?? []).join(" "),
      resume: () => openPlan({ frame, stage: id, resume: true }),
      over: () => openPlan({ frame, stage: id, over: true }),
      edit:
        experiment === undefined
          ? null
          : (pressed) => openEditConfig({ frame }, { id: experiment, name, runs: 1 }, pressed, "config_form"),
    };
  }

  /** The agent of a Deployment stage, by itself. */
  agent() {
    const agent = this.panel?.agent;
    return html`<div class="pw-panel-agent">
      ${agent?.note ? html`<p class="pw-panel-news">${icon("info")}<span>${agent.note}</span></p>` : null}
      ${this.place.el}
    </div>`;
  }

  /** @param {PanelRun | null} run */
  shownPart(run) {
    const el = this.shownItems.show(run?.shown ?? null);
    return panelPart(this.shownItems.title, !!this.shownItems.title, el);
  }

  /** @param {PanelRun | null} run */
  idle(run) {
    if (!this.panel) return this.waits ? html`<span class="pw-soft">Waiting for the kernel…</span>` : null;
    return run ? null : html`<strong>Not run yet</strong>`;
  }

  /**
   * Why it is stale; until Python has sent the values that have changed, the sentences alone.
   * @param {Stage} stage
   */
  stale(stage) {
    const { frame, panel } = this,
      known = panel?.reasons.length ? panel.reasons : (stage.stale ?? []).map(bareReason);
    return this.why.show(known, {
      blocked: (stage.blockers ?? []).join(" "),
      rerun: (pressed) => openRerun({ frame, stage: stage.id, pressed }),
      accept: () => this.accept(stage),
      open: this.open,
    });
  }

  /**
   * Why it counts as fresh, is held, or cannot be triggered.
   * @param {Stage} stage
   */
  reasons(stage) {
    const { panel } = this,
      accepted = panel?.accepted ?? null;
    // else it is said already
    const blocked = !stage.active && stage.blockers?.join(" ") !== stage.held && stage.blockers;
    return [
      accepted !== null
        ? reason("quiet", "check", "Accepted as fresh", [
            accepted ? `Note: ${accepted}` : "Without a note.",
            ...(panel?.reasons ?? []).map(({ text }) => `Although: ${asSentence(text)}`),
          ])
        : null,
      stage.held ? reason("warning", "Held", "Why it did not start", [asSentence(stage.held)]) : null,
      blocked ? reason("quiet", "info", "Not ready yet", blocked.map(asSentence)) : null,
    ].filter(Boolean);
  }

  /**
   * What there is to know of its latest run.
   * @param {Stage} stage
   * @param {PanelRun | null} run
   */
  facts(stage, run) {
    if (!run) return null;
    const took = run.finished_at === null ? null : runTook(run),
      used = peakUse(run);
    return html`<div class="pw-panel-part">
      <h4>Run ${run.number}</h4>
      <p>${run.start}</p>
      <div class="pw-panel-progress" ?hidden=${!stage.active}>${stage.active ? progress(run) : null}</div>
      <dl class="pw-panel-facts">
        ${fact(run.started_at === null ? "Triggered" : "Started", moment(run.started_at ?? run.created_at))}
        ${took === null ? null : fact("Took", duration(took))}
        ${used === null ? null : fact("Peak use", used)}
        ${run.agent ? fact("Saved Agent", this.saved(stage, run)) : null}
      </dl>
    </div>`;
  }

  /**
   * The agent that the run has saved; that of a Deployment stage is shown below.
   * @param {Stage} stage
   * @param {PanelRun} run
   */
  saved({ kind }, { agent, agent_id: id }) {
    if (kind === "Deployment" || id === null) return agent;
    const view = (/** @type {El} */ pressed) => this.place.open(id, pressed);
    return [agent, button({ label: "View", quiet: true, f: "view-agent", onclick: view })];
  }

  /** @param {Stage} stage */
  accept(stage) {
    const { frame } = this,
      note = textArea(3);
    note.autofocus = true;
    openDialog({
      frame,
      title: `Accept stage ${stage.n} (${isolated(stage.name)}) as fresh?`,
      confirm: "Accept as fresh",
      body: [
        html`<ul class="pw-bullets">
          ${(stage.stale ?? []).map((each) => html`<li>${asSentence(each)}</li>`)}
        </ul>`,
        paragraphs("It counts as fresh until something before it is run or changed again."),
        field("Note", note, "Why its result still holds. Optional."),
      ],
      act: async (pressed) => {
        await frame.line.ask("accept", { stage: stage.id, note: note.value }, pressed);
        frame.announce(`Stage ${stage.n} was accepted as fresh.`);
      },
    });
  }
}

/**
 * @param {string} text
 * @returns {StaleReasonRow}
 */
const bareReason = (text) => ({ text, stage: null, changes: [] });

/**
 * @param {string} name
 * @param {Content} value
 */
const fact = (name, value) => html`<dt>${name}</dt><dd>${value}</dd>`;

/**
 * @param {string} kind
 * @param {string} glyph
 * @param {string} title
 * @param {string[]} lines
 */
const reason = (kind, glyph, title, lines) =>
  html`<div class=${`pw-reason pw-${kind}`}>
    ${icon(glyph)}
    <div class="pw-reason-text">
      <h4>${title}</h4>
      ${
        lines.length === 1
          ? paragraphs(lines[0])
          : html`<ul>
        ${lines.map((line) => html`<li>${line}</li>`)}
      </ul>`
      }
    </div>
  </div>`;

/** @param {PanelRun} run */
function progress(run) {
  const left = runLeft(run),
    took = runTook(run),
    steps = stepsDone(run);
  return html`${progressBar("Progress", run, steps)}
    <div class="pw-progress-words">
      <span>${steps}</span>${left === null ? null : html`<span>${duration(left)} left</span>`}
      ${took === null ? null : html`<span class="pw-soft">${duration(took)} elapsed</span>`}
    </div>`;
}
