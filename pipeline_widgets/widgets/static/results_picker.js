// Which experiments Results shows.

import { searchBox, searchInput } from "./controls.js";
import { button, focusOn, html, icon, unique } from "./elements.js";
import { count } from "./text.js";
import { live, repeat } from "./vendor/lit.js";

export class ResultPicker {
  /** @param {import("./results.js").ResultsPanel} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    this.id = unique("picker");
    this.asked = 0;
    /** @type {number[] | null} */
    this.wanted = null; // what is chosen here, while Python has not heard of it yet
    this.open = !this.model.get("chosen").length;
    this.search = searchInput("Search experiments");
    this.search.dataset.f = "search";
    this.search.addEventListener("input", () => panel.show());
  }

  get chosen() {
    return this.wanted ?? this.model.get("chosen");
  }

  get matching() {
    const sought = this.search.value.trim().toLowerCase();
    return this.model
      .get("experiments")
      .filter(({ name, algorithm }) => `${name} ${algorithm}`.toLowerCase().includes(sought));
  }

  toggle() {
    this.open = !this.open;
    this.panel.show();
    if (this.open) focusOn(this.search);
  }

  /** @param {number[]} ids */
  async choose(ids) {
    this.wanted = [...new Set(ids)];
    this.asked += 1;
    this.panel.show();
    await this.frame.run("choose", { experiments: this.wanted });
    this.asked -= 1;
    if (this.asked) return;
    this.wanted = null;
    this.panel.show();
    this.frame.announce(`${this.model.get("title")}: ${count(this.model.get("total"), "run")}`);
  }

  opener() {
    const found = this.model.get("experiments");
    return html`<button type="button" class="pw-button" aria-expanded=${String(this.open)}
      aria-controls=${this.id}
      ?hidden=${!found.length} @click=${() => this.toggle()}
    >${icon(this.open ? "down" : "right")}<span class="pw-label">Choose experiments</span>
      <span class="pw-soft">${this.chosen.length} of ${found.length}</span></button>`;
  }

  hint() {
    const said = this.model.get("experiments").length
      ? "Choose experiments to compare their runs."
      : "No experiments yet. Their results show here once they have run.";
    const leads = this.model.get("leads") && !this.model.get("experiments").length;
    const lead = button({
      label: "Go to Experiments",
      glyph: "right",
      f: "experiments",
      onclick: (pressed) => this.frame.run("experiments", {}, pressed),
    });
    return html`<p class="pw-soft" ?hidden=${this.chosen.length > 0}>${said}</p>
      ${leads ? lead : null}`;
  }

  choices() {
    const { matching } = this,
      chosen = new Set(this.chosen);
    const all = () => this.choose([...this.chosen, ...this.matching.map(({ id }) => id)]);
    return html`<div class="pw-results-picker" id=${this.id} role="group" aria-label="Experiments to show"
      ?hidden=${!this.open || !this.model.get("experiments").length}>
      <div class="pw-results-search">
        ${searchBox(this.search)}${button({ label: "Choose all", f: "all", onclick: all })}
        ${button({ label: "Clear", f: "clear", onclick: () => this.choose([]) })}
      </div>
      <ul class="pw-results-choices">
        ${repeat(
          matching,
          ({ id }) => id,
          (each) => this.choice(each, chosen.has(each.id)),
        )}
      </ul>
      <p class="pw-soft" ?hidden=${matching.length > 0}>No experiments match.</p>
    </div>`;
  }

  /**
   * @param {ResultChoice} experiment
   * @param {boolean} chosen
   */
  choice({ id, name, algorithm, runs }, chosen) {
    const box = `${this.id}-${id}`;
    const change = (/** @type {At} */ { currentTarget }) =>
      this.choose(currentTarget.checked ? [...this.chosen, id] : this.chosen.filter((each) => each !== id));
    return html`<li>
      <input type="checkbox" id=${box} data-f=${`choice-${id}`} .checked=${live(chosen)} @change=${change} />
      <label for=${box}>
        <span class="pw-results-choice" title=${name} dir="auto">${name}</span>
        <span class="pw-hint">${algorithm}, ${runs ? count(runs, "run") : "no runs"}</span>
      </label>
    </li>`;
  }
}
