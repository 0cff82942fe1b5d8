// What a trigger will do, shown before it is done where it re-runs finished work or cascades (spec 6.4).

import { openDialog, radios } from "./dialogs.js";
import { h, icon } from "./elements.js";

/**
 * Trigger a stage, or resume it; asks first where the plan says so. Resolves when that is settled.
 * @param {{ frame: Frame, stage: number, resume?: boolean, name?: string, n?: number }} options
 */
export async function openPlan({ frame, stage, resume = false }) {
  const pressed = document.activeElement?.closest("button");
  const plan = await frame.run("plan", { stage, resume }, pressed);
  if (!plan) return;
  /**
   * @param {Values} args
   * @param {El} button
   * @param {any} ask
   */
  const trigger = async (args, button, ask) => {
    const done = await ask("trigger", { stage, resume, ...args }, button);
    if (done) frame.announce(`${plan.runs_now}: run ${done.run} ${resume ? "resumes it" : "was triggered"}.`);
  };
  if (!plan.confirm) return trigger({}, pressed, frame.run.bind(frame));
  await new Promise((resolve) => {
    const body = new PlanBody(plan);
    const name = plan.runs_now.replace(/^Stage/, "stage");
    openDialog({
      frame,
      title: `${resume ? "Resume" : "Trigger"} ${name}?`,
      body: body.parts,
      confirm: resume ? "Resume" : "Trigger stage",
      act: (confirmed) => trigger({ duplicate: body.duplicate }, confirmed, frame.line.ask.bind(frame.line)),
      onclose: resolve,
    }).el.classList.add("pw-plan");
  });
}

/** What a plan says; where the experiment ran elsewhere, also the choice to duplicate it first. */
class PlanBody {
  /** @param {Values} plan */
  constructor(plan) {
    this.duplicate = plan.duplicate;
    this.parts = [
      plan.duplicate ? this.choice() : null,
      h(
        "dl",
        { class: "pw-plan-parts" },
        this.part("Runs now", "play", [plan.runs_now + (plan.reruns ? " again" : "")]),
        this.part("Starts from", "right", [plan.starts_from.replace(/^from /, "")]),
        this.part("Follows automatically", "auto", plan.follows),
        this.part("Turns stale", "Stale", plan.turns_stale),
        this.part("Deploys", "agent", plan.redeploys),
        this.part("Cannot start yet", "Held", plan.blockers),
      ),
    ].filter(Boolean);
  }

  choice() {
    return radios(
      "Its experiment has run already, outside this stage",
      "duplicate",
      [
        {
          value: true,
          label: "Duplicate and attach",
          hint: "The stage gets a copy with the same settings and no runs.",
        },
        { value: false, label: "Attach as is", hint: "The stage adds its runs to those that are there." },
      ],
      true,
      (duplicate) => (this.duplicate = duplicate),
    );
  }

  /**
   * @param {string} title
   * @param {string} glyph
   * @param {string[]} lines
   */
  part(title, glyph, lines) {
    if (!lines.length) return null;
    const long = lines.length > 6; // then it scrolls
    return h(
      "div",
      { class: "pw-plan-part" },
      h("dt", {}, icon(glyph), title),
      h(
        "dd",
        long ? { class: "pw-plan-long", tabindex: "0" } : {},
        lines.map((line) => h("div", {}, line)),
      ),
    );
  }
}
