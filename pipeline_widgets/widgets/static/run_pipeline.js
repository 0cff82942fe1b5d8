// Running a whole pipeline, or bringing it up to date: the plan first, and what it asks (spec 4.8).

import { radios } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { unique } from "./elements.js";
import { duplicateChoice, planParts, viewStage } from "./plan.js";

/** @type {Record<RunGoal, string>} */
const RUN_LABELS = { run: "Run pipeline", "bring up to date": "Bring up to date" };

/**
 * What can be done to run a pipeline. Where nothing is next and something is stale, that is the one thing.
 * @param {RunOffer} offer
 * @param {(goal: RunGoal, pressed: El) => unknown} run
 * @returns {MenuItem[]}
 */
export function runButtons(offer, run) {
  /**
   * @param {RunGoal} goal
   * @param {string} glyph
   * @param {string} reason
   */
  const item = (goal, glyph, reason) => ({
    key: glyph,
    label: RUN_LABELS[goal],
    glyph,
    reason,
    primary: !reason,
    onclick: (/** @type {El} */ pressed) => run(goal, pressed),
  });
  const next = item("run", "play", offer.next);
  if (!offer.is_stale) return [next];
  const update = item("bring up to date", "redo", offer.up_to_date);
  if (!next.reason === !update.reason) return update.reason ? [next] : [next, { ...update, primary: false }];
  return [next.reason ? update : next];
}

/**
 * Run a pipeline; asks first where the plan says so. Resolves with what was started.
 * @param {{ frame: Frame, goal: RunGoal, pressed: El, pipeline?: number,
 *   view?: (pressed: El) => unknown }} options `view` leads to the pipeline, where it is a row of a list.
 */
export async function openPipelineRun({ frame, goal, pressed, pipeline, view }) {
  const args = pipeline === undefined ? { goal } : { goal, pipeline };
  return openRun(
    { frame, asked: { plan: "plan_run", run: "run", args }, pressed, view },
    () => RUN_LABELS[goal],
  );
}

/**
 * Run a stage again, and from there what turns stale; the plan says what is on the way, and where it ends.
 * @param {{ frame: Frame, stage: number, pressed: El, view?: null }} options `view` is null where nothing
 *   leads to the stage.
 */
export const openRerun = ({ frame, stage, pressed, view }) =>
  openRun(
    { frame, asked: { plan: "plan_rerun", run: "rerun", args: { stage } }, pressed, view },
    (runs) => `Re-run ${runs.replace(/^Stage/, "stage")}`,
    "Re-run",
  );

/**
 * @typedef {{ plan: "plan_run" | "plan_rerun", run: "run" | "rerun", args: Args }} AskedRun
 * @typedef {((pressed: El) => unknown) | null} RunPlace Leads to what runs; null where nothing does.
 */

/**
 * @param {{ frame: Frame, asked: AskedRun, pressed: El, view: RunPlace | undefined }} options
 * @param {(runs: string) => string} title Of the stage that runs first.
 * @param {string} [label]
 * @returns {Promise<string | null>}
 */
async function openRun({ frame, asked, pressed, view }, title, label) {
  const planned = await frame.run(asked.plan, asked.args, pressed);
  if (!planned) return null;
  if (!planned.plan) {
    frame.notice(planned.reason, "error");
    return null;
  }
  const choice = new RunChoice(frame, asked, planned, view);
  if (!planned.confirm) return choice.tell(await frame.run(asked.run, choice.answer, pressed));
  const named = title(planned.plan.runs_now);
  return new Promise((resolve) => choice.open(named, label ?? named, resolve));
}

/** What a person chooses before a pipeline runs, with the plan that follows of it. */
class RunChoice {
  /**
   * @param {Frame} frame
   * @param {AskedRun} asked
   * @param {PipelineRunPlan} planned
   * @param {RunPlace | undefined} view
   */
  constructor(frame, asked, planned, view) {
    this.frame = frame;
    this.view = view;
    this.asked = asked;
    this.planned = planned;
    this.duplicate = planned.duplicate;
    this.runThrough = false;
    this.startOver = !planned.resume;
    this.groups = [unique("resume"), unique("duplicate"), unique("through")];
    /** @type {Dialog | null} */
    this.dialog = null;
    /** @type {string | null} */
    this.started = null;
  }

  get choices() {
    const run_through = this.runThrough;
    return this.asked.run === "run" ? { run_through, start_over: this.startOver } : { run_through };
  }

  get answer() {
    const { duplicate, planned } = this;
    return {
      ...this.asked.args,
      ...this.choices,
      duplicate: duplicate && !planned.resume,
      stage: planned.stage,
    };
  }

  /** @param {{ run: number } | undefined} done */
  tell(done) {
    if (!done || !this.planned.plan) return null;
    const { plan, resume } = this.planned;
    this.started = `${plan.runs_now}: run ${done.run} ${resume ? "resumes it" : "was triggered"}.`;
    const { frame, view, planned } = this,
      leads = view
        ? { label: "View", act: view }
        : view === null
          ? view
          : viewStage(frame, planned.stage ?? 0);
    frame.notice(this.started, "info", leads);
    return this.started;
  }

  /**
   * @param {string} title
   * @param {string} label
   * @param {(started: string | null) => void} settle
   */
  open(title, label, settle) {
    this.dialog = openDialog({
      frame: this.frame,
      title: `${title}?`,
      kind: "pw-plan",
      body: () => [this.resuming(), this.duplicating(), this.through(), this.parts()],
      confirm: label,
      reason: this.planned.reason,
      act: async (pressed) => this.tell(await this.frame.line.ask(this.asked.run, this.answer, pressed)),
      onclose: () => settle(this.started),
    });
  }

  parts() {
    return this.planned.plan ? planParts(this.planned.plan) : null;
  }

  resuming() {
    const { resumable, plan } = this.planned;
    if (!resumable || !plan) return null;
    return radios({
      legend: `${plan.runs_now} was interrupted`,
      group: this.groups[0],
      choices: [
        { value: false, label: "Resume", hint: `It resumes ${resumable.replace(/^resumed /, "")}.` },
        { value: true, label: "Start over", hint: "Its checkpoints so far stay." },
      ],
      chosen: this.startOver,
      onchange: (chosen) => this.choose({ startOver: chosen }),
    });
  }

  duplicating() {
    if (!this.planned.duplicate) return null;
    return duplicateChoice(this.groups[1], this.duplicate, (chosen) => this.choose({ duplicate: chosen }));
  }

  through() {
    const { manual } = this.planned;
    if (!manual.length) return null;
    return radios({
      legend: `Manual on the way: ${manual.join(", ")}`,
      group: this.groups[2],
      choices: [
        {
          value: true,
          label: "Run through",
          hint: "A manual stage starts when the one before it succeeds, with no kernel.",
        },
        { value: false, label: "Stop there", hint: `The run ends before ${manual[0].replace("S", "s")}.` },
      ],
      chosen: this.runThrough,
      onchange: (chosen) => this.choose({ runThrough: chosen }),
    });
  }

  /**
   * Take a choice, and show the plan that follows of it.
   * @param {{ startOver?: boolean, runThrough?: boolean, duplicate?: boolean }} chosen
   */
  async choose(chosen) {
    Object.assign(this, chosen);
    this.dialog?.update({ waits: true });
    try {
      this.planned = await this.frame.line.ask(this.asked.plan, { ...this.asked.args, ...this.choices });
      this.dialog?.update({ waits: false, reason: this.planned.reason });
    } catch (error) {
      this.dialog?.fail(error);
    }
  }
}
