// Which experiments Results shows.

import { button, focusOn, html, icon, unique } from "./elements.js";
import { sentence } from "./line.js";
import { TableSearch } from "./table_search.js";
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
    /** @type {Set<number> | null} */
    this.found = null; // those for which the filter holds; null for all
    this.search = new TableSearch({
      label: "Filter experiments",
      ask: (text) => this.find(text),
      failed: (error) => this.frame.notice(sentence(error), "error"),
      shown: () => panel.show(),
      fields: () => this.frame.line.ask("filter_fields"),
    });
    this.search.input.dataset.f = "search";
    const again = () => this.found && this.find(this.search.input.value.trim()).catch(() => {});
    this.frame.on("change:experiments", again);
    this.frame.undo.push(() => this.search.end());
  }

  /** @param {string} text */
  async find(text) {
    const ids = text ? (await this.frame.line.ask("find", { search: text })).ids : null;
    if (text !== this.search.input.value.trim()) return; // more was typed since
    this.found = ids && new Set(ids);
    this.panel.show();
  }

  get chosen() {
    return this.wanted ?? this.model.get("chosen");
  }

  get matching() {
    const { found } = this;
    return this.model.get("experiments").filter(({ id }) => !found || found.has(id));
  }

  toggle() {
    this.open = !this.open;
    this.panel.show();
    if (this.open) focusOn(this.search.input);
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
        ${this.search.box()}${button({ label: "Choose all", f: "all", onclick: all })}
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
