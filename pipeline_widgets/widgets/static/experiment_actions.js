// What can be done with an experiment now, and how far it is: in its row, and where it is shown by itself.

import { button, html } from "./elements.js";
import { openResume } from "./resume_dialog.js";
import { progressBar, runLeft, stepsDone } from "./run_times.js";
import { isolated, remaining } from "./text.js";

/**
 * What trains, stops and resumes an experiment.
 * @param {ExperimentsHost} host
 * @param {ExperimentRow} row
 * @returns {(MenuItem & { reason: string })[]}
 */
export const experimentItems = (host, row) => [
  {
    label: "Train",
    glyph: "play",
    reason: row.blockers.train,
    onclick: (pressed) => start(host, row, "train", "is training", pressed),
  },
  {
    label: "Stop",
    glyph: "stop",
    reason: row.blockers.stop,
    onclick: (pressed) => start(host, row, "stop", "is stopping", pressed),
  },
  {
    label: "Resume",
    glyph: "resume",
    reason: row.blockers.resume,
    onclick: (pressed) => openResume(host, row, pressed),
  },
];

/**
 * Buttons that train, stop and resume an experiment; `kind` is that of the first.
 * @param {ExperimentsHost} host
 * @param {ExperimentRow} row
 * @param {string} [kind]
 */
export const experimentActs = (host, row, kind) =>
  experimentItems(host, row).map((item, at) => actButton(item, row, at ? undefined : kind));

/**
 * The button of what comes next: to stop it while it is active, to go on with what has not succeeded, to
 * train it. Nothing of these is shown where none can be done now; the menu says why.
 * @param {ExperimentsHost} host
 * @param {ExperimentRow} row
 */
export function firstAct(host, row) {
  const [train, stop, resume] = experimentItems(host, row);
  const order = ["Stopped", "Failed", "Crashed"].includes(row.status)
    ? [stop, resume, train]
    : [stop, train, resume];
  const first = order.find(({ reason }) => !reason);
  return first ? actButton(first, row) : null;
}

/**
 * @param {MenuItem & { reason: string }} item
 * @param {ExperimentRow} row
 * @param {string} [kind]
 */
const actButton = ({ label, glyph, reason, onclick }, row, kind) =>
  button({ label, glyph, reason, title: label, f: `${label}-${row.id}`, onclick, kind });

/**
 * Train or stop it, and say that it does.
 * @param {ExperimentsHost} host
 * @param {ExperimentRow} row
 * @param {string} command
 * @param {string} said
 * @param {El} pressed
 */
async function start({ frame }, { id, name }, command, said, pressed) {
  if (await frame.run(command, { experiment: id }, pressed)) frame.announce(`${isolated(name)} ${said}.`);
}

/** @param {ExperimentRow} row */
export function experimentProgress(row) {
  if (!["Running", "Stopping"].includes(row.status)) return html`<div class="pw-ex-progress" hidden></div>`;
  const left = runLeft(row),
    steps = stepsDone(row, String);
  return html`<div class="pw-ex-progress">
    ${progressBar(`Progress of ${isolated(row.name)}`, row, steps)}
    <div class="pw-ex-words pw-soft">
      <span>${steps}</span>${left === null ? null : html`<span>${remaining(left)}</span>`}
    </div>
  </div>`;
}
