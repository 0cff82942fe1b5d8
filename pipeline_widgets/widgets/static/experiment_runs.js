// All runs of an expanded experiment.

import { detailPart } from "./detail_part.js";
import { badge, button, h, keyed, redraw } from "./elements.js";
import { duration, isolated, moment } from "./text.js";

const DETAIL_RUNS = 8; // runs that are listed at once

export class ExperimentRuns {
  constructor() {
    this.history = h("tbody");
    this.table = h(
      "div",
      { class: "pw-scroll pw-xd-scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
      h(
        "table",
        { class: "pw-table" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Run", "Status", "Started", "Steps"].map((text, at) =>
              h("th", { scope: "col", class: at % 3 ? "" : "pw-number" }, text),
            ),
          ),
        ),
        this.history,
      ),
    );
    this.none = h("div", { class: "pw-soft" }, "It has not run yet.");
    this.el = detailPart("Runs", this.table, this.none);
  }

  /** @param {Row[]} runs */
  show(runs) {
    const shown = this.all ? runs : runs.slice(0, DETAIL_RUNS);
    this.listed = runs;
    this.table.hidden = !runs.length;
    this.none.hidden = runs.length > 0;
    keyed(
      this.history,
      shown,
      (/** @type {any} */ each) => each.id,
      () => h("tr"),
      runRow,
    );
    if (shown.length < runs.length && !this.allButton) {
      this.allButton = button({
        label: `Show all ${runs.length} runs`,
        onclick: () => {
          this.all = true;
          this.allButton.remove();
          this.show(this.listed);
          this.table.focus();
        },
      });
      this.table.after(h("div", { class: "pw-xd-more" }, this.allButton));
    }
  }
}

/**
 * Draw a run in its row.
 * @param {El} el
 * @param {Row} run
 */
function runRow(el, run) {
  const took =
    run.finished_at !== null && run.started_at !== null ? duration(run.finished_at - run.started_at) : "";
  const hints = [
    took ? `took ${took}` : null,
    run.same_config ? null : "another config",
    run.pipeline ? `in ${isolated(run.pipeline)}` : null,
  ].filter(Boolean);
  redraw(
    el,
    h("th", { scope: "row", class: "pw-number", "aria-label": `Run ${run.number}` }, String(run.number)),
    h("td", {}, badge(run.status)),
    h(
      "td",
      {},
      moment(run.started_at ?? run.created_at),
      hints.length
        ? h(
            "div",
            { class: "pw-hint" },
            hints.map((hint, at) => h("span", {}, at + 1 < hints.length ? `${hint}, ` : hint)),
          )
        : null,
    ),
    h(
      "td",
      { class: "pw-number" },
      run.step === null ? "N/A" : run.total ? `${run.step} of ${run.total}` : String(run.step),
    ),
  );
}
