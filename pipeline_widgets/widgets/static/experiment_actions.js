// What can be done with an experiment now, and how far it is: in its row, and where it is shown by itself.

import { button, html } from "./elements.js";
import { openResume } from "./resume_dialog.js";
import { progressBar, runLeft, stepsDone } from "./run_times.js";
import { isolated, remaining } from "./text.js";

/**
 * Buttons that train, stop and resume an experiment; `kind` is that of the first.
 * @param {ExperimentsHost} host
 * @param {ExperimentRow} row
 * @param {string} [kind]
 */
export function experimentActs(host, row, kind) {
  /**
   * @param {string} label
   * @param {string} glyph
   * @param {string} reason
   * @param {(pressed: El) => unknown} onclick
   * @param {string} [look]
   */
  const act = (label, glyph, reason, onclick, look) =>
    button({ label, glyph, reason, title: label, f: `${label}-${row.id}`, onclick, kind: look });
  return [
    act(
      "Train",
      "play",
      row.blockers.train,
      (pressed) => start(host, row, "train", "is training", pressed),
      kind,
    ),
    act("Stop", "stop", row.blockers.stop, (pressed) =>
      start(host, row, "stop", "is asked to stop", pressed),
    ),
    act("Resume", "resume", row.blockers.resume, (pressed) => openResume(host, row, pressed)),
  ];
}

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
