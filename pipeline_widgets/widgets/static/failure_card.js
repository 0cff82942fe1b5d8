// Why a run ended without success: the message first, the user's own line, and what can be done about it.

import { button, find, html, icon, make, unique } from "./elements.js";
import { copyButton, Printed } from "./files.js";
import { logButton } from "./log_dialog.js";
import { inFull } from "./text.js";
import { nothing } from "./vendor/lit.js";

const LONG_MESSAGE = 240; // characters from which a message may have to be scrolled
/** @type {Record<string, string>} */
const ENDED = { Failed: "failed", Crashed: "crashed", Stopped: "was stopped" };

export class FailureCard {
  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.printed = new Printed(frame, "Error");
    this.heading = unique("failure");
    this.whole = make(html`<details class="pw-fail-whole"><summary></summary>${this.printed.el}</details>`);
  }

  /**
   * The card of a run that was broken off; nothing of any other.
   * @param {FailedRun | null} run
   * @param {FailureActions} on
   */
  show(run, on) {
    const failure = run?.failure;
    if (!run || !failure) return null;
    const { message, place, step, total } = failure,
      at = step === null ? "before its first step" : `at step ${inFull(step)}`;
    const of = step !== null && total ? ` of ${inFull(total)}` : "";
    const ended = `Run ${run.number} ${ENDED[run.status]} ${at}${of}`;
    const copy = copyButton(this.frame, () => this.printed.text || message, {
      label: "Copy error",
      quiet: true,
      f: "copy-error",
    });
    return html`<div class="pw-why pw-fail" role="group" data-status=${run.status}
      aria-labelledby=${this.heading}>
      <div class="pw-why-head">
        ${icon(run.status)}
        <h4 id=${this.heading}>${ended}</h4>
        ${run.error ? copy : null}
      </div>
      ${message ? raised(message) : null}
      ${place ? ownLine(failure) : null}
      <div class="pw-why-acts">${this.acts(run, failure, on)}</div>
      <div ?hidden=${!run.error || run.error.trim() === message}>${this.whole}</div>
    </div>`;
  }

  /**
   * @param {FailedRun} run
   * @param {FailureRow} failure
   * @param {FailureActions} on
   */
  acts(run, { resume }, on) {
    return [
      resume === null
        ? null
        : button({
            label: `Resume from step ${inFull(resume)}`,
            glyph: "resume",
            title: "Go on from its own last checkpoint",
            kind: on.primary ? "pw-primary" : "",
            f: "fail-resume",
            onclick: on.resume,
          }),
      on.edit
        ? button({ label: "Edit config", glyph: "edit", f: "fail-edit", reason: on.locked, onclick: on.edit })
        : null,
      button({
        label: on.asks ? "Start over…" : "Start over",
        glyph: "redo",
        title: "Begin again; its checkpoints so far stay",
        reason: on.blocked,
        f: "fail-over",
        onclick: on.over,
      }),
      run.log ? logButton(this.frame, run, "fail-log") : null,
    ];
  }

  /**
   * Take the whole error; `anew` is that of another run.
   * @param {FailedRun | null} run
   * @param {boolean} anew
   */
  tell(run, anew) {
    this.printed.show(run?.error ?? "", anew);
    find(this.whole, "summary").textContent = run?.status === "Failed" ? "Traceback" : "Evidence";
    if (anew) /** @type {HTMLDetailsElement} */ (this.whole).open = false;
  }

  end() {
    this.printed.end();
  }
}

/**
 * The message of an exception, whose type stands out.
 * @param {string} message
 */
function raised(message) {
  const [, kind = ""] = /^([A-Za-z_][\w.]*)(?=:\s|$)/.exec(message) ?? [],
    long = message.length > LONG_MESSAGE;
  return html`<p class="pw-fail-message" tabindex=${long ? "0" : nothing} role=${long ? "group" : nothing}
    aria-label=${long ? "Message" : nothing}
  ><strong>${kind}</strong>${message.slice(kind.length)}</p>`;
}

/**
 * The line of the user's own code, between its neighbours.
 * @param {FailureRow} failure
 */
const ownLine = ({ place, function: within, lines }) => html`<div class="pw-fail-own">
  <div class="pw-fail-place"><span class="pw-fail-file" dir="auto">${place}</span>${
    within && !within.startsWith("<") ? html`<span class="pw-soft"> in ${within}</span>` : null
  }</div>
  ${
    lines.length
      ? html`<pre class="pw-fail-code" tabindex="0" role="group"
          aria-label=${`Code at ${place}`}>${lines.map(
            ([number, text, failed]) =>
              html`<span class=${`pw-fail-line${failed ? " pw-fail-marked" : ""}`}
              ><span class="pw-fail-number" aria-hidden="true">${failed ? "›" : ""}${number}</span
              ><code>${text || " "}</code></span>`,
          )}</pre>`
      : null
  }
</div>`;
