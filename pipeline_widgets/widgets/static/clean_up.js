// The dialog that frees the disk space of checkpoints: first what would go and why the rest stays, then the
// deed.

import { radios } from "./controls.js";
import { openDialog } from "./dialogs.js";
import { html, unique } from "./elements.js";
import { heads, numberCell, numbers } from "./tables.js";
import { bytes, count, inFull } from "./text.js";

const KEEPS = [
  { value: "best+final", label: "Best and final checkpoint" },
  { value: "best", label: "Best checkpoint" },
  { value: "final", label: "Final checkpoint" },
];
const ALWAYS =
  "Whatever you choose, these stay: what a run has consumed, what is saved as an Agent, what a stage " +
  "would start from, and what can be resumed from.";

/**
 * @param {Frame} frame
 * @param {El} pressed
 */
export async function openCleanUp(frame, pressed) {
  let keep = KEEPS[0].value,
    found = await frame.run("clean_up_form", { keep }, pressed),
    asked = 0;
  if (!found) return;
  const group = unique("keep");
  /** @type {Freed | null} */
  let freed = null;
  const dialog = openDialog({
    frame,
    title: "Clean up checkpoints",
    danger: true,
    wide: true,
    body: () => [
      radios({ legend: "For each run, keep", group, choices: KEEPS, chosen: keep, onchange: choose }),
      html`<div class="pw-hint">${ALWAYS}</div>`,
      found ? html`<div class="pw-cu-told">${whatGoes(found)}</div>` : null,
    ],
    ...confirming(found),
    act: async (button) => {
      freed = await frame.line.ask("clean_up", { keep }, button);
    },
    onclose: () => freed && frame.notice(freedWords(freed)),
  });

  /** @param {string} value */
  async function choose(value) {
    keep = value;
    asked += 1;
    const mine = asked; // a late answer to an earlier choice is not shown
    dialog.update({ waits: true });
    try {
      const now = await frame.line.ask("clean_up_form", { keep });
      if (mine !== asked) return;
      found = now;
      dialog.update(confirming(now));
    } catch (problem) {
      if (mine === asked) dialog.fail(problem);
    }
  }
}

/** @param {CleanUp} found */
const confirming = ({ all }) => ({
  waits: false,
  confirm: all.freed ? `Free ${bytes(all.freed_size)}` : "Free",
  reason: all.freed ? null : nothingToFree(all),
});

/** @param {Freed} all */
const nothingToFree = ({ checkpoints }) =>
  checkpoints ? "Every checkpoint is needed: nothing can be freed." : "No checkpoint has been saved yet.";

/** @param {Freed} done */
const freedWords = ({ freed, freed_size: size }) =>
  `${count(freed, "checkpoint")} deleted, ${bytes(size)} freed.`;

/** @param {CleanUp} found */
function whatGoes(found) {
  const { freed, freed_size: size, checkpoints, size: whole } = found.all;
  const sum =
    `${inFull(freed)} of ${count(checkpoints, "checkpoint")} would be deleted, ${bytes(size)} of ` +
    `${bytes(whole)}. That cannot be undone.`;
  return html`<p class="pw-cu-sum" role="status">${freed ? sum : nothingToFree(found.all)}</p>
    ${freed ? freedTable(found) : null}${found.kept.length ? keptTable(found) : null}`;
}

/**
 * @param {string} label
 * @param {Content} content
 * @param {string | null} more
 */
const scrolled = (label, content, more) =>
  html`<div class="pw-cu-scroll" tabindex="0" role="group" aria-label=${label}>
    <table class="pw-table">${content}</table>
    ${more ? html`<div class="pw-hint">${more}</div>` : null}
  </div>`;

/** @param {string} name */
const nameCell = (name) => html`<th scope="row" class="pw-cu-name" dir="auto">${name}</th>`;

/** @param {CleanUp} found */
const freedTable = ({ experiments, more_experiments: more }) =>
  scrolled(
    "What would be deleted",
    html`${heads(["Experiment", ...numbers("Deleted", "Kept", "Freed")])}
      <tbody>
        ${experiments.map(
          (each) => html`<tr>
            ${nameCell(each.experiment)}${numberCell(inFull(each.freed))}
            ${numberCell(inFull(each.checkpoints - each.freed))}
            ${numberCell(each.freed ? bytes(each.freed_size) : "–")}
          </tr>`,
        )}
      </tbody>`,
    more ? `${count(more, "more experiment")}.` : null,
  );

/** @param {CleanUp} found */
function keptTable({ kept, more_kept: more }) {
  const stay = kept.length + more;
  return html`<details class="pw-cu-kept">
    <summary>Why ${inFull(stay)} ${stay === 1 ? "stays" : "stay"}</summary>
    ${scrolled(
      "What stays",
      html`${heads(["Experiment", ...numbers("Run", "Steps", "Size"), "Because"])}
        <tbody>
          ${kept.map(
            (each) => html`<tr>
              ${nameCell(each.experiment)}${numberCell(each.run)}${numberCell(inFull(each.step))}
              ${numberCell(bytes(each.size))}
              <td class="pw-cu-why">${each.reasons.join("; ")}</td>
            </tr>`,
          )}
        </tbody>`,
      more ? `${count(more, "more checkpoint")}; project.gc().df has all.` : null,
    )}
  </details>`;
}
