// The config of an expanded experiment, as the run that is shown had it.

import { detailPart } from "./detail_part.js";
import { button, h, redraw, setText } from "./elements.js";
import { openEditConfig } from "./experiment_dialogs.js";

const DETAIL_FIELDS = 10; // fields of a config that are listed at once

export class ExperimentConfig {
  /** @param {any} table */
  constructor(table) {
    this.table = table;
    this.fields = h("dl", { class: "pw-xd-fields" });
    this.of = h("div", { class: "pw-hint" });
    this.edit = h("div", { class: "pw-xd-more" });
    this.el = detailPart("Config", this.of, this.fields, this.edit);
  }

  /**
   * Show the config of the run that is shown; first what differs from the experiment's now, which is said.
   * @param {Row} row
   * @param {Row} detail
   */
  show(row, detail) {
    const { config, run, runs } = detail;
    const differs = config.filter((/** @type {{ now: number }} */ { now }) => now !== null),
      ordered = [...differs, ...config.filter((/** @type {{ now: number }} */ { now }) => now === null)];
    const enough = this.whole || !run || config.length <= DETAIL_FIELDS + 2;
    const shown = enough ? ordered : ordered.slice(0, Math.max(DETAIL_FIELDS, differs.length));
    const told =
      runs.length > 1 || differs.length
        ? `As run ${run?.number} had it${differs.length ? "; the experiment was changed since" : ""}.`
        : "";
    setText(this.of, told);
    this.of.hidden = !told;
    redraw(
      this.fields,
      shown.map((field) => configLine(field)),
    );
    redraw(
      this.edit,
      button({
        label: "Edit config",
        glyph: "edit",
        reason: row.blockers.change,
        "data-f": `edit-${row.id}`,
        onclick: (event) => openEditConfig(this.table, row, event.currentTarget),
      }),
      enough
        ? null
        : button({
            label: `Show all ${config.length} fields`,
            "data-f": `whole-${row.id}`,
            onclick: () => {
              this.whole = true;
              this.show(row, detail);
            },
          }),
    );
  }
}

/**
 * Draw a field of a config; what the experiment has now stands below where it is another value.
 * @param {{ label: string, name: string, value: any, unit: any, description: string, now: number }} options
 */
function configLine({ label, name, value, unit, description, now }) {
  const told =
    label.toLowerCase() === name.toLowerCase() ? description : [name, description].filter(Boolean).join(": ");
  const bare = ["none", "empty"].includes(value);
  return h(
    "div",
    { title: told || undefined },
    h("dt", {}, label),
    h(
      "dd",
      {},
      h("span", { class: `pw-xd-value${bare ? " pw-soft" : ""}` }, value),
      unit ? h("span", { class: "pw-soft" }, ` ${unit}`) : null,
      now === null ? null : h("div", { class: "pw-xd-now" }, `now: ${now}`),
    ),
  );
}
