// What all charts of a view are told: how smooth lines are, what lies along them, and which metrics are
// shown.

import { options, textInput } from "./controls.js";
import { html, make, unique } from "./elements.js";

const METRICS_SEARCHED = 6; // more of them can be searched

export class ChartControls {
  /**
   * `changed` is called when anything was chosen.
   * @param {{ changed: () => void, timed?: boolean }} options `timed`: whether there are times
   */
  constructor({ changed, timed = true }) {
    this.smoothing = 0;
    this.along = "step";
    this.timed = timed;
    this.search = textInput("", {
      type: "search",
      "aria-label": "Search metrics",
      placeholder: "Search metrics",
    });
    this.search.dataset.f = "metric-search";
    this.search.addEventListener("input", changed);
    this.slider = /** @type {Input} */ (
      make(html`<input type="range" min="0" max="0.99" step="0.01" value="0" id=${unique("smoothing")}
        aria-valuetext="Off" data-f="smoothing" />`)
    );
    this.said = make(html`<output class="pw-chart-smoothing" for=${this.slider.id}>Off</output>`);
    this.slider.addEventListener("input", () => {
      this.smoothing = Number(this.slider.value);
      const said = this.smoothing ? this.smoothing.toFixed(2) : "Off";
      this.said.textContent = said;
      this.slider.setAttribute("aria-valuetext", said);
      changed();
    });
    this.choice = /** @type {Input} */ (
      make(html`<select aria-label="Horizontal axis" data-f="along"
        @change=${(event) => {
          this.along = event.currentTarget.value;
          changed();
        }}>${options(
          [
            ["step", "Step"],
            ["time", "Time"],
          ],
          "step",
        )}</select>`)
    );
  }

  /**
   * @param {number} [metrics] how many there are
   * @param {boolean} [charted] whether any of them is charted now
   */
  show(metrics = 0, charted = true) {
    this.search.hidden = metrics <= METRICS_SEARCHED && !this.search.value;
    const smoothing = html`<label for=${this.slider.id}>Smoothing</label>${this.slider}${this.said}`;
    return html`<div class="pw-chart-controls">
      ${charted ? [smoothing, this.timed ? this.choice : null] : null}${this.search}
    </div>`;
  }

  /**
   * Whether a metric is searched for; every one is where nothing was typed.
   * @param {string} name
   */
  finds(name) {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean),
      text = name.toLowerCase();
    return words.every((word) => text.includes(word));
  }
}
