// A project: its experiments, pipelines and results, each in a tab.

import { child } from "./children.js";
import { draw, find, focused, focusOn, html, make } from "./elements.js";
import { Frame } from "./frame.js";
import { sentence } from "./line.js";
import { tabKey, tabList } from "./tabs.js";
import { isolated } from "./text.js";

export class ProjectTabs {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "project" });
    this.ending = new AbortController();
    this.frame.undo.push(() => this.ending.abort());
    this.asked = 0;
    this.names = model.get("tabs");
    this.tab = model.get("tab");
    /** @type {Set<string>} */
    this.filled = new Set();
    this.places = new Map(this.names.map((name) => [name, make(html`<div></div>`)]));
    this.frame.on("change:tab", () => this.follow());
    this.frame.on("change:views", () => this.fill());
    this.show(this.tab);
  }

  draw() {
    const { name, advanced } = this.model.get("project");
    const kind = advanced
      ? "Advanced Training project"
      : "Classic project: it cannot hold pipelines, which was fixed when it was created.";
    const at = this.names.indexOf(this.tab),
      choose = (/** @type {number} */ to) => this.ask(this.names[to]);
    draw(
      this.frame.body,
      html`<div class="pw-project-head">
          <h2>${isolated(name)}</h2>
          <span class="pw-soft">${kind}</span>
        </div>
        <div class="pw-tabs" role="tablist" aria-label=${`Project ${isolated(name)}`}
          @keydown=${(event) => tabKey(event, at, this.names.length, choose)}>
          ${tabList({
            name: this.frame.id,
            tabs: this.names,
            shown: at,
            kind: "pw-tab",
            choose,
            panel: (each) => this.panel(each),
          })}
        </div>
        ${this.names.map(
          (tab, each) =>
            html`<section class="pw-tabpanel" role="tabpanel" id=${this.panel(each)} ?hidden=${each !== at}
              aria-labelledby=${`${this.frame.id}-tab-${each}`}>${this.content(tab)}</section>`,
        )}`,
    );
  }

  /** @param {string} tab */
  content(tab) {
    if (this.filled.has(tab)) return this.places.get(tab);
    return tab === this.tab ? html`<p class="pw-empty">Loading…</p>` : null;
  }

  /** @param {number} at */
  panel(at) {
    return `${this.frame.id}-panel-${at}`;
  }

  /**
   * Show a tab at once, and let Python know, which makes what it holds.
   * @param {string} tab
   */
  async ask(tab) {
    if (tab === this.tab) return;
    this.show(tab);
    this.asked += 1;
    const done = await this.frame.run("show_tab", { tab });
    this.asked -= 1;
    if (done || !this.filled.has(this.tab)) this.follow();
  }

  /** Show the tab that Python shows, but not one that was left here meanwhile. */
  follow() {
    const tab = this.model.get("tab");
    if (this.asked || tab === this.tab) return;
    // Who pressed a button here, such as Results of a stage, goes on in the tab that it has opened.
    const here = this.frame.root.contains(focused());
    this.show(tab);
    if (here) this.focusHeading(tab);
  }

  /** @param {string} tab */
  show(tab) {
    this.tab = tab;
    this.draw();
    this.fill();
  }

  /** Let the tab that is shown hold what Python has made for it. */
  async fill() {
    const { tab } = this,
      reference = this.model.get("views")[tab],
      place = this.places.get(tab);
    if (!place || !reference || this.filled.has(tab)) return;
    this.filled.add(tab);
    this.draw();
    // A view that is only being put into the page cannot hold another one yet.
    await child(this.model, reference, place, this.ending.signal).catch((error) =>
      this.frame.notice(sentence(error), "error"),
    );
  }

  /** @param {string} tab */
  focusHeading(tab) {
    const panel = find(this.frame.body, `[id="${this.panel(this.names.indexOf(tab))}"]`);
    const focus = () => {
      const heading = panel.querySelector("h2[tabindex]");
      focusOn(heading);
      heading?.scrollIntoView({ block: "nearest" });
      return !!heading;
    };
    if (focus()) return;
    const observer = new MutationObserver(() => focus() && observer.disconnect());
    observer.observe(panel, { childList: true, subtree: true });
    this.frame.undo.push(() => observer.disconnect());
  }
}
