// What the drawn runs were triggered with: the settings that differ, or all of them.

import { chartSample, chartStyle } from "./chart_style.js";
import { h, keyed, redraw, setText, unique } from "./elements.js";
import { runName } from "./results_charts.js";
import { count } from "./text.js";

export class ResultConfig {
  /** @param {any} panel */
  constructor(panel) {
    this.panel = panel;
    this.model = panel.model;
    this.title = h("h3", {}, "Config");
    this.all = h("input", { type: "checkbox", "data-f": "equal", onchange: () => this.show() });
    const name = unique("equal");
    this.all.id = name;
    this.choice = h(
      "span",
      { class: "pw-results-check" },
      this.all,
      h("label", { for: name }, "Show equal settings"),
    );
    this.said = h("span", { class: "pw-soft" });
    this.head = h("tr", {});
    this.rows = h("tbody", {});
    this.table = h(
      "div",
      {
        class: "pw-scroll pw-results-config",
        role: "region",
        "aria-label": "Config of the runs",
        tabindex: "0",
      },
      h(
        "table",
        { class: "pw-table" },
        h("caption", { class: "pw-hidden" }, "Config of the runs"),
        h("thead", {}, this.head),
        this.rows,
      ),
    );
    this.el = h(
      "section",
      { class: "pw-results-part", "aria-label": "Config" },
      h("div", { class: "pw-results-bar" }, this.title, this.said, this.choice),
      this.table,
    );
  }

  show() {
    const known = new Map(this.model.get("runs").map((/** @type {Row} */ run) => [run.id, run]));
    const drawn = this.model.get("drawn"),
      settings = this.model.get("settings");
    this.el.hidden = !drawn.length;
    const differ = settings.filter((/** @type {any} */ each) => each.differs);
    const shown = drawn.length < 2 || this.all.checked ? settings : differ;
    this.choice.hidden = drawn.length < 2;
    setText(
      this.said,
      drawn.length < 2
        ? ""
        : differ.length
          ? `${differ.length} of ${count(settings.length, "setting")} ` +
            `${differ.length === 1 ? "differs" : "differ"}.`
          : `All ${settings.length} settings are equal.`,
    );
    this.table.hidden = !shown.length;
    redraw(
      this.head,
      h("th", { scope: "col" }, "Setting"),
      drawn.map((/** @type {number} */ id) => {
        const run = known.get(id);
        return h(
          "th",
          { scope: "col" },
          h(
            "span",
            { class: "pw-results-pick" },
            drawn.length > 1 && run?.drawn ? chartSample(chartStyle(run.place)) : null,
            run
              ? h(
                  "span",
                  { class: "pw-results-column", title: runName(run) },
                  h("span", { dir: "auto" }, run.experiment),
                  h("span", {}, ` run ${run.number}`),
                )
              : h("span", {}, `run ${id}`),
          ),
        );
      }),
    );
    keyed(
      this.rows,
      shown,
      (/** @type {any} */ each) => each.id,
      () => h("tr", {}),
      (/** @type {any} */ tr, /** @type {any} */ each) => {
        tr.classList.toggle("pw-results-differs", each.differs && shown !== differ);
        redraw(
          tr,
          h("th", { scope: "row", class: "pw-results-setting", title: each.id }, each.label),
          each.told.map((/** @type {string} */ text, /** @type {number} */ at) =>
            text === null
              ? h("td", { class: "pw-soft", title: "It has no such setting" }, "–")
              : h("td", { title: each.whole[at] ?? undefined }, text),
          ),
        );
      },
    );
  }
}
