// Why a stage is stale: the reasons in words, old and new values beside each other, and what can be done.

import { button, html, icon, make, placeBelow, unique } from "./elements.js";
import { asSentence } from "./text.js";

const LONG_VALUE = 60; // characters of a value that may be cut off: it can be focused to be read

export class StaleCard {
  constructor() {
    this.heading = unique("stale");
  }

  /**
   * @param {StaleReasonRow[]} reasons
   * @param {StaleActions} on
   */
  show(reasons, { title = "Why it is stale", blocked, rerun, accept, open }) {
    return html`<div class="pw-why pw-stale" role="group" aria-labelledby=${this.heading}>
      <div class="pw-why-head">${icon("Stale")}<h4 id=${this.heading}>${title}</h4></div>
      <ul class="pw-stale-reasons">${reasons.map((reason) => staleReason(reason, open))}</ul>
      <div class="pw-why-acts">
        ${button({
          label: "Re-run from here",
          glyph: "redo",
          title: "Run it again with what there is now, and what turns stale after it; the plan comes first",
          reason: blocked,
          f: `rerun-${title}`,
          onclick: rerun,
        })}
        ${accept ? button({ label: "Accept as fresh", f: "accept", onclick: accept }) : null}
      </div>
    </div>`;
  }
}

/**
 * @param {StaleReasonRow} reason
 * @param {StaleActions["open"]} open
 */
function staleReason({ text, stage, changes }, open) {
  const said = asSentence(text);
  return html`<li>
    <div class="pw-stale-said">
      <span>${said}</span>
      ${
        stage !== null && open
          ? button({
              label: "Show stage",
              quiet: true,
              glyph: "right",
              title: `Show the stage: ${said}`,
              f: `stale-stage-${stage}-${text}`,
              onclick: () => open(stage),
            })
          : null
      }
    </div>
    ${changes.length ? changesTable(said, changes) : null}
  </li>`;
}

/**
 * The roles are said, since a narrow view shows the rows as blocks.
 * @param {string} said
 * @param {ChangeRow[]} changes
 */
const changesTable = (said, changes) => html`<table class="pw-stale-changes" role="table" aria-label=${said}>
  <thead role="rowgroup"><tr role="row">${["What", "Used", "Now"].map(
    (title) => html`<th scope="col" role="columnheader">${title}</th>`,
  )}</tr></thead>
  <tbody role="rowgroup">${changes.map(
    ({ name, old, new: now, code }) => html`<tr role="row">
      <th scope="row" role="rowheader">${name}</th>
      <td role="cell">${code ? changedLines(old) : changedValue(old)}</td>
      <td role="cell">
        <div class="pw-stale-now">
          <span class="pw-soft" aria-hidden="true">→</span>${code ? changedLines(now) : changedValue(now)}
        </div>
      </td>
    </tr>`,
  )}</tbody>
</table>`;

/**
 * Lines of code.
 * @param {string | null} lines
 */
const changedLines = (lines) =>
  lines === null
    ? html`<span class="pw-soft">no lines</span>`
    : html`<code class="pw-stale-code" dir="ltr">${lines}</code>`;

/**
 * A value. A long one is cut off, and shown whole under the mouse and with the focus; its text is all there.
 * @param {string | null} value
 */
function changedValue(value) {
  if (value === null) return html`<span class="pw-soft">not set</span>`;
  if (value.length <= LONG_VALUE) return html`<span class="pw-stale-value" dir="auto">${value}</span>`;
  return html`<span class="pw-stale-value pw-stale-long" dir="auto" tabindex="0" @focus=${showWhole}
    @mouseenter=${showWhole}>${value}</span>`;
}

/**
 * Show a value whole beside where it is cut off, which moves nothing.
 * @param {At} event
 */
function showWhole({ currentTarget: cut }) {
  const place = cut.closest(".pw-root");
  if (!place || place.querySelector(".pw-stale-whole")) return;
  const tip = make(html`<div class="pw-explained pw-stale-whole" aria-hidden="true" popover="manual"
    dir="auto">${cut.textContent}</div>`);
  place.append(tip);
  tip.showPopover();
  placeBelow(tip, cut.getBoundingClientRect(), 0);
  const ends = ["blur", "mouseleave", "keydown"];
  const end = () => {
    tip.remove();
    for (const each of ends) cut.removeEventListener(each, end);
    document.removeEventListener("scroll", end, { capture: true });
  };
  for (const each of ends) cut.addEventListener(each, end);
  document.addEventListener("scroll", end, { capture: true });
}
