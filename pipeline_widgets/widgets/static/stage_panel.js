// The panel of the selected stage: its settings in sentences, why it is stale or held, and its latest run,
// live. Each part is drawn by itself and only where it has changed, so that a refresh moves no scroll, focus
// or selection.

import { field, openDialog } from "./dialogs.js";
import { badge, button, h, icon, keyed, redraw, setText, unique } from "./elements.js";
import { copyButton, Printed } from "./files.js";
import { PATIENCE } from "./line.js";
import { runLeft, runTook } from "./run_times.js";
import { metricCurve, servedFacts } from "./stage_panel_parts.js";
import { asSentence, bytes, count, duration, inFull, isolated, moment, score } from "./text.js";

const CURVES_SHOWN = 6; // the scores first; the rest is behind "and 3 more"

export class StagePanel {
  /** @param {{ frame: Frame }} options */
  constructor({ frame }) {
    this.frame = frame;
    /**
     * @param {string} name
     * @param {...Child} children
     */
    const part = (name, ...children) => h("div", { class: `pw-panel-${name}` }, ...children);
    /**
     * @param {string} title
     * @param {...Child} children
     */
    const titled = (title, ...children) =>
      h("div", { class: "pw-panel-part" }, h("h4", {}, title), ...children);
    const heading = unique("panel");
    this.title = h("h3", { id: heading });
    this.marks = h("div", { class: "pw-panel-marks" });
    this.why = part("why");
    this.settings = h("ul", { class: "pw-panel-settings" });
    this.runTitle = h("h4");
    this.start = h("p");
    this.facts = h("dl", { class: "pw-panel-facts" });
    this.progress = part("progress");
    this.ran = h("div", { class: "pw-panel-part" }, this.runTitle, this.start, this.progress, this.facts);
    this.idle = part("idle");
    this.rows = h("tbody");
    this.earlier = part("note pw-soft");
    this.checkpoints = titled("Checkpoints", this.table(), this.earlier);
    this.curves = h("div", { class: "pw-curves" });
    this.others = h("div", { class: "pw-curves" });
    this.more = h("summary");
    this.rest = h("details", { class: "pw-panel-rest" }, this.more, this.others);
    this.metrics = titled("Metrics", this.curves, this.rest);
    this.error = new Printed(frame, "Error");
    this.errorTitle = h("h4");
    this.broken = h(
      "div",
      { class: "pw-panel-part pw-panel-error" },
      h(
        "div",
        { class: "pw-panel-bar" },
        this.errorTitle,
        copyButton({ frame, text: () => this.error.text }),
      ),
      this.error.el,
    );
    this.log = new Printed(frame, "Log");
    this.logged = titled("Log", this.log.el);
    this.el = h(
      "section",
      { class: "pw-panel", "aria-labelledby": heading },
      h("header", { class: "pw-panel-head" }, this.title, this.marks),
      this.why,
      h(
        "div",
        { class: "pw-panel-columns" },
        h("div", { class: "pw-panel-column" }, this.settings, this.idle, this.ran, this.checkpoints),
        h("div", { class: "pw-panel-column" }, this.broken, this.metrics, this.logged),
      ),
    );
    const clock = setInterval(() => this.run && this.el.isConnected && this.showProgress(), 1000);
    frame.undo.push(
      () => clearInterval(clock),
      () => clearTimeout(this.patience),
    );
  }

  table() {
    /**
     * @param {string} text
     * @param {any} number
     */
    const head = (text, number) => h("th", { scope: "col", class: number ? "pw-number" : "" }, text);
    return h(
      "div",
      { class: "pw-scroll pw-panel-scroll", tabindex: "0", role: "region", "aria-label": "Checkpoints" },
      h(
        "table",
        { class: "pw-table" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head("Step", true),
            head("Training Score", true),
            head("Evaluation Score", true),
            head("Size", true),
          ),
        ),
        this.rows,
      ),
    );
  }

  /**
   * Show a stage. `panel` is null until Python has sent what there is to know of it.
   * @param {any} panel
   * @param {Stage} stage
   */
  show(panel, stage) {
    const run = panel?.run ?? null;
    this.anew = this.shown !== `${stage.id} ${run?.id}`;
    this.shown = `${stage.id} ${run?.id}`;
    this.stage = stage;
    this.panel = panel;
    this.run = run;
    setText(this.title, `Stage ${stage.n}: ${isolated(stage.name)}`);
    redraw(
      this.marks,
      h(
        "span",
        { class: "pw-panel-kind" },
        icon(stage.kind === "Deployment" ? "agent" : "experiment"),
        stage.kind,
      ),
      badge(stage.status),
      stage.stale ? badge("Stale") : null,
      stage.held ? badge("Held") : null,
    );
    redraw(this.why, this.reasons());
    this.why.hidden = !this.why.childElementCount;
    redraw(
      this.settings,
      (panel?.settings ?? []).map((/** @type {string} */ text) => h("li", {}, text)),
    );
    this.showIdle();
    this.showFacts();
    this.showProgress();
    this.showCheckpoints();
    this.showMetrics();
    this.showText();
  }

  /**
   * A stage that was just selected is known as soon as Python answers, which may be after the cell that runs.
   */
  showIdle() {
    const waits = () =>
      this.panel ||
      !this.frame.line.live ||
      redraw(this.idle, h("span", { class: "pw-soft" }, "Waiting for the kernel…"));
    clearTimeout(this.patience);
    if (!this.panel) this.patience = setTimeout(waits, PATIENCE);
    redraw(this.idle, this.panel && !this.run ? h("strong", {}, "Not run yet") : null);
  }

  /** Why it is stale, held, or cannot be triggered. */
  reasons() {
    const { stage, panel } = this;
    /**
     * @param {string} kind
     * @param {string} glyph
     * @param {string} title
     * @param {string[]} lines
     * @param {...Child} after
     */
    const block = (kind, glyph, title, lines, ...after) =>
      h(
        "div",
        { class: `pw-reason pw-${kind}` },
        icon(glyph),
        h(
          "div",
          { class: "pw-reason-text" },
          h("h4", {}, title),
          lines.length === 1
            ? h("p", {}, lines[0])
            : h(
                "ul",
                {},
                lines.map((line) => h("li", {}, line)),
              ),
        ),
        after,
      );
    const accepted = panel?.accepted ?? null;
    // else it is said already
    const blocked = !stage.active && stage.blockers?.join(" ") !== stage.held && stage.blockers;
    return [
      stage.stale
        ? block(
            "warning",
            "Stale",
            "Why it is stale",
            stage.stale.map(asSentence),
            button({ label: "Accept as fresh", "data-f": "accept", onclick: () => this.accept() }),
          )
        : null,
      accepted !== null
        ? block("quiet", "check", "Accepted as fresh", [
            accepted ? `Note: ${accepted}` : "Without a note.",
            ...panel.reasons.map((/** @type {string} */ reason) => `Although: ${asSentence(reason)}`),
          ])
        : null,
      stage.held ? block("warning", "Held", "Why it did not start", [asSentence(stage.held)]) : null,
      blocked ? block("quiet", "info", "Why it cannot be triggered now", blocked.map(asSentence)) : null,
    ];
  }

  showFacts() {
    const { run } = this;
    /**
     * @param {string} name
     * @param {any} value
     */
    const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
    setText(this.runTitle, run ? `Run ${run.number}` : "");
    setText(this.start, run?.start ?? "");
    redraw(
      this.facts,
      run
        ? [
            run.started_at === null
              ? fact("Triggered", moment(run.created_at))
              : fact("Started", moment(run.started_at)),
            run.finished_at !== null && run.started_at !== null ? fact("Took", duration(runTook(run))) : null,
            run.agent ? fact("Saved Agent", run.agent) : null,
            run.served ? servedFacts(this.frame, run.served, fact) : null,
          ]
        : null,
    );
    this.ran.hidden = !run;
  }

  showProgress() {
    const { run, stage } = this,
      active = !!run && stage.active;
    this.progress.hidden = !active;
    if (!active) return redraw(this.progress);
    const { step, total } = run,
      left = runLeft(run),
      took = runTook(run);
    const steps = total
      ? `${inFull(step ?? 0)} of ${inFull(total)}`
      : step === null
        ? "No step reported yet"
        : `Step ${inFull(step)}`;
    const part = total ? Math.min(1, Math.max(0, (step ?? 0) / total)) : null;
    redraw(
      this.progress,
      h(
        "div",
        {
          class: "pw-progress",
          role: "progressbar",
          "aria-label": "Progress",
          "aria-valuemin": total ? 0 : undefined,
          "aria-valuemax": total || undefined,
          "aria-valuenow": total ? Math.min(step ?? 0, total) : undefined,
          "aria-valuetext": steps,
        },
        h("div", {
          class: part === null ? "pw-unknown" : "",
          style: { width: `${((part ?? 0.3) * 100).toFixed(1)}%` },
        }),
      ),
      h(
        "div",
        { class: "pw-progress-words" },
        h("span", {}, steps),
        left === null ? null : h("span", {}, `about ${duration(left)} left`),
        took === null ? null : h("span", { class: "pw-soft" }, `${duration(took)} so far`),
      ),
    );
  }

  showCheckpoints() {
    const list = this.run?.checkpoints ?? [];
    this.checkpoints.hidden = !list.length;
    /** @param {string} text */
    const number = (text) => h("td", { class: "pw-number" }, text);
    keyed(
      this.rows,
      list,
      (/** @type {any} */ each) => each.id,
      () => h("tr"),
      (/** @type {El} */ el, /** @type {any} */ each) => {
        const marks = [each.best && "best", each.final && "final"].filter(Boolean).join(", ");
        redraw(
          el,
          h(
            "td",
            { class: "pw-number" },
            marks ? h("span", { class: "pw-panel-mark" }, marks) : null,
            ` ${inFull(each.step)}`,
          ),
          number(score(each.training_score)),
          number(score(each.evaluation_score)),
          number(bytes(each.size)),
        );
      },
    );
    const more = this.run?.earlier ?? 0;
    setText(this.earlier, more ? `and ${count(more, "earlier one")}` : "");
  }

  showMetrics() {
    const curves = this.run?.curves ?? [];
    this.metrics.hidden = !curves.length;
    /**
     * @param {any} place
     * @param {any} list
     */
    const draw = (place, list) =>
      keyed(
        place,
        list,
        (/** @type {Values} */ curve) => curve.name,
        () => h("div", { class: "pw-curve" }),
        (/** @type {El} */ el, /** @type {Values} */ curve) => {
          const told = JSON.stringify(curve.points);
          if (el.told === told) return;
          el.told = told;
          el.replaceChildren(...metricCurve(curve));
        },
      );
    draw(this.curves, curves.slice(0, CURVES_SHOWN));
    const others = curves.slice(CURVES_SHOWN);
    draw(this.others, others);
    this.rest.hidden = !others.length;
    setText(this.more, `and ${others.length} more`);
  }

  showText() {
    const { run, anew } = this;
    this.broken.hidden = !run?.error;
    setText(this.errorTitle, run?.status === "Crashed" ? "Evidence of the crash" : "Error");
    this.error.show(run?.error ?? "", anew);
    this.logged.hidden = !run?.log;
    this.log.show(run?.log ?? "", anew);
  }

  accept() {
    const { stage, frame } = this;
    const note = h("textarea", { rows: 3, autofocus: true });
    openDialog({
      frame,
      title: `Accept stage ${stage.n} (${isolated(stage.name)}) as fresh?`,
      confirm: "Accept as fresh",
      body: [
        h(
          "ul",
          { class: "pw-bullets" },
          (stage.stale ?? []).map((/** @type {string} */ reason) => h("li", {}, asSentence(reason))),
        ),
        h("p", {}, "It counts as fresh until something before it is run or changed again."),
        field("Note", note, "Why its result still holds. Optional."),
      ],
      act: async (pressed) => {
        await frame.line.ask("accept", { stage: stage.id, note: note.value }, pressed);
        frame.announce(`Stage ${stage.n} was accepted as fresh.`);
      },
    });
  }
}
