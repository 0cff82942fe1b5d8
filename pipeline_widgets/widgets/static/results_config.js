// What the drawn runs were triggered with: the settings that differ, or all of them.

import { chartSample, chartStyle } from "./chart_style.js";
import { checkBox } from "./controls.js";
import { draw, html, make } from "./elements.js";
import { runName } from "./results_charts.js";
import { heads } from "./tables.js";
import { count } from "./text.js";
import { nothing, repeat } from "./vendor/lit.js";

export class ResultConfig {
  /** @param {import("./results.js").ResultsPanel} panel */
  constructor(panel) {
    this.panel = panel;
    this.model = panel.model;
    this.all = checkBox();
    this.all.dataset.f = "equal";
    this.all.addEventListener("change", () => this.show());
    this.el = make(html`<div class="pw-results-part" role="group" aria-label="Config"></div>`);
  }

  show() {
    const drawn = this.model.get("drawn"),
      settings = this.model.get("settings"),
      differ = settings.filter((each) => each.differs),
      one = drawn.length < 2;
    const shown = one || this.all.checked ? settings : differ;
    const said = differ.length
      ? `${differ.length} of ${count(settings.length, "setting")} ` +
        `${differ.length === 1 ? "differs" : "differ"}.`
      : `All ${settings.length} settings are equal.`;
    this.el.hidden = !drawn.length;
    draw(
      this.el,
      html`<div class="pw-results-bar">
          <h3>Config</h3>
          <span class="pw-soft">${one ? "" : said}</span>
          <span class="pw-results-check" ?hidden=${one}>
            ${this.all}<label for=${this.all.id}>Show equal settings</label>
          </span>
        </div>
        <div class="pw-scroll pw-results-config" role="group" aria-label="Config of the runs" tabindex="0"
          ?hidden=${!shown.length}>
          <table class="pw-table">
            <caption class="pw-hidden">Config of the runs</caption>
            ${heads(["Setting", ...drawn.map((id) => this.head(id, drawn.length > 1))])}
            <tbody>
              ${repeat(
                shown,
                ({ id }) => id,
                (each) => settingLine(each, each.differs && shown !== differ),
              )}
            </tbody>
          </table>
        </div>`,
    );
  }

  /**
   * @param {number} id
   * @param {boolean} several
   * @returns {[Content]}
   */
  head(id, several) {
    const run = this.panel.run(id);
    if (!run) return [html`<span class="pw-results-pick"><span>run ${id}</span></span>`];
    const name = html`<span class="pw-results-column" title=${runName(run)}>
      <span dir="auto">${run.experiment}</span><span> run ${run.number}</span>
    </span>`;
    const sample = several && run.place !== null ? chartSample(chartStyle(run.place)) : null;
    return [html`<span class="pw-results-pick">${sample}${name}</span>`];
  }
}

/**
 * @param {SettingRow} setting
 * @param {boolean} marked
 */
const settingLine = ({ id, label, told, whole }, marked) =>
  html`<tr class=${marked ? "pw-results-differs" : ""}>
    <th scope="row" class="pw-results-setting" title=${id}>${label}</th>
    ${told.map((text, at) =>
      text === null
        ? html`<td class="pw-soft" title="It has no such setting">–</td>`
        : html`<td title=${whole[at] ?? nothing}>${text}</td>`,
    )}
  </tr>`;
