// The config of an expanded experiment, as the run that is shown had it.

import { button, html } from "./elements.js";
import { nothing } from "./vendor/lit.js";

const DETAIL_FIELDS = 10; // fields of a config that are listed at once

/**
 * The config of the run that is shown; first what differs from the experiment's now, which is said.
 * @param {ExperimentRow} row
 * @param {ExperimentDetailRow} detail
 * @param {boolean} whole
 * @param {{ edit: (pressed: El) => unknown, all: () => void }} on
 */
export function experimentConfig(row, { config, run, runs }, whole, { edit, all }) {
  const differs = config.filter(({ now }) => now !== null),
    ordered = [...differs, ...config.filter(({ now }) => now === null)];
  const enough = whole || !run || config.length <= DETAIL_FIELDS + 2;
  const shown = enough ? ordered : ordered.slice(0, Math.max(DETAIL_FIELDS, differs.length));
  const told =
    runs.length > 1 || differs.length
      ? `Config of run ${run?.number}${differs.length ? "; the experiment has changed since" : ""}.`
      : "";
  return html`<div class="pw-hint" ?hidden=${!told}>${told}</div>
    <dl class="pw-xd-fields">${shown.map(configLine)}</dl>
    <div class="pw-xd-more">
      ${button({
        label: "Edit config",
        glyph: "edit",
        reason: row.blockers.change,
        f: `edit-${row.id}`,
        onclick: edit,
      })}
      ${
        enough
          ? null
          : button({ label: `Show all ${config.length} fields`, f: `whole-${row.id}`, onclick: all })
      }
    </div>`;
}

/**
 * A field of a config; what the experiment has now stands below where it is another value.
 * @param {ConfigRow} field
 */
function configLine({ label, name, value, unit, description, now }) {
  const told =
    label.toLowerCase() === name.toLowerCase() ? description : [name, description].filter(Boolean).join(": ");
  const bare = ["none", "empty"].includes(value);
  return html`<div title=${told || nothing}>
    <dt>${label}</dt>
    <dd>
      <span class=${`pw-xd-value${bare ? " pw-soft" : ""}`}>${value}</span>
      ${unit ? html`<span class="pw-soft"> ${unit}</span>` : null}
      ${now === null ? null : html`<div class="pw-xd-now">now: ${now}</div>`}
    </dd>
  </div>`;
}
