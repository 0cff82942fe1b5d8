// What a trigger will do, shown before it is done where it re-runs finished work or cascades (spec 6.4).

import { radios } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { find, focused, focusOn, html, icon, named, unique } from "./elements.js";
import { nothing } from "./vendor/lit.js";

/**
 * Trigger a stage, or resume it; asks first where the plan says so. Resolves when that is settled.
 * With `over` it begins again though it could be resumed.
 * @param {{ frame: Frame, stage: number, resume?: boolean, over?: boolean }} options
 */
export async function openPlan({ frame, stage, resume = false, over = false }) {
  const pressed = focused()?.closest("button");
  const plan = await frame.run("plan", { stage, resume }, pressed);
  if (!plan) return;
  /** @param {{ run: number } | undefined} done */
  const tell = (done) =>
    done &&
    frame.notice(
      `${plan.runs_now}: run ${done.run} ${resume ? "resumes it" : "was triggered"}.`,
      "info",
      viewStage(frame, stage),
    );
  const verb = resume ? "Resume" : "Trigger";
  if (!plan.confirm) return tell(await frame.run("trigger", { stage, resume }, pressed));
  let { duplicate } = plan;
  const group = unique("duplicate");
  /** @type {Dialog | null} */
  let dialog = null;
  const ways = () =>
    duplicateChoice(group, duplicate, (chosen) => {
      duplicate = chosen;
      dialog?.draw();
    });
  const named = plan.runs_now.replace(/^Stage/, "stage");
  await new Promise((resolve) => {
    dialog = openDialog({
      frame,
      title: over ? `Start ${named} over?` : `${verb} ${named}?`,
      kind: "pw-plan",
      body: () => [plan.duplicate ? ways() : null, planParts(plan)],
      confirm: over ? "Start over" : verb === "Trigger" ? "Trigger stage" : verb,
      act: async (confirmed) =>
        tell(await frame.line.ask("trigger", { stage, resume, duplicate }, confirmed)),
      onclose: resolve,
    });
  });
}

/**
 * What a toast offers that tells of a run of a stage: to lead to it.
 * @param {Frame} frame
 * @param {number} stage
 * @returns {ToastAction}
 */
export const viewStage = (frame, stage) => ({
  label: "View",
  act: async (pressed) => {
    if (!(await frame.run("select", { stage }, pressed))) return;
    const panel = find(frame.root, named("panel"));
    panel.scrollIntoView({ block: "nearest" });
    focusOn(panel);
  },
});

/**
 * Ask whether a stage gets a copy of its experiment, which has run elsewhere.
 * @param {string} group
 * @param {boolean} chosen
 * @param {(chosen: boolean) => void} onchange
 */
export const duplicateChoice = (group, chosen, onchange) =>
  radios({
    legend: "Its experiment has already run outside this stage",
    group,
    choices: DUPLICATES,
    chosen,
    onchange,
  });

const DUPLICATES = [
  {
    value: true,
    label: "Duplicate and attach",
    hint: "The stage gets a copy with the same settings and no runs.",
  },
  { value: false, label: "Attach as is", hint: "The stage adds its runs to those that are there." },
];

/** @param {Omit<Plan, "confirm" | "duplicate">} plan */
export const planParts = (plan) =>
  html`<dl class="pw-plan-parts">
    ${planPart("Runs now", "play", [plan.runs_now + (plan.reruns ? " again" : "")])}
    ${planPart("Starts from", "right", [plan.starts_from.replace(/^from /, "")])}
    ${planPart("Follows automatically", "auto", plan.follows)}
    ${planPart("Waits for you", "Waiting for you", plan.stops_before)}
    ${planPart("Retried after a crash", "redo", plan.retries)}
    ${planPart("Turns stale", "Stale", plan.turns_stale)}
    ${planPart("Deploys", "agent", plan.redeploys)}
    ${planPart("Not resumed", "resume", plan.not_resumed)}${planPart("Note", "info", plan.notes)}
    ${planPart("Cannot start yet", "Held", plan.blockers)}
  </dl>`;

/**
 * @param {string} title
 * @param {string} glyph
 * @param {string[]} lines
 */
function planPart(title, glyph, lines) {
  if (!lines.length) return null;
  const long = lines.length > 6; // then it scrolls
  return html`<div class="pw-plan-part">
    <dt>${icon(glyph)}${title}</dt>
    <dd class=${long ? "pw-plan-long" : nothing} tabindex=${long ? "0" : nothing}>
      ${lines.map((line) => html`<div>${line}</div>`)}
    </dd>
  </div>`;
}
