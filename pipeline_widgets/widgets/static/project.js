// A project: its experiments, pipelines and results, each in a tab.

import { child } from "./children.js";
import { h, redraw, unique } from "./elements.js";
import { Frame } from "./frame.js";
import { sentence } from "./line.js";
import { isolated } from "./text.js";

export class ProjectTabs {
  /** @param {{ model: Model, el: El }} options */
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "project" });
    this.ending = new AbortController();
    this.frame.undo.push(() => this.ending.abort());
    this.asked = 0;
    const { name, advanced } = model.get("project");
    this.list = h("div", { class: "pw-tabs", role: "tablist", "aria-label": `Project ${isolated(name)}` });
    this.tabs = new Map(model.get("tabs").map((tab) => [tab, this.makeTab(tab)]));
    this.frame.body.append(
      h(
        "div",
        { class: "pw-project-head" },
        h("h2", {}, isolated(name)),
        advanced
          ? h("span", { class: "pw-soft" }, "Advanced Training project")
          : h(
              "span",
              { class: "pw-soft" },
              "Classic project: it cannot hold pipelines, which was fixed when it was created.",
            ),
      ),
      this.list,
      ...[...this.tabs.values()].map(({ panel }) => panel),
    );
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.frame.on("change:tab", () => this.follow());
    this.frame.on("change:views", () => this.fill());
    this.show(model.get("tab"));
  }

  /** @param {string} tab */
  makeTab(tab) {
    /** @type {{ filled: boolean, panel: El, button: El }} */
    const made = { filled: false, panel: null, button: null };
    made.panel = h("section", { class: "pw-tabpanel", role: "tabpanel", id: unique("panel"), hidden: true });
    made.button = h(
      "button",
      {
        type: "button",
        role: "tab",
        id: unique("tab"),
        class: "pw-tab",
        tabindex: "-1",
        "aria-selected": "false",
        "aria-controls": made.panel.id,
        onclick: () => this.ask(tab),
      },
      tab,
    );
    made.panel.setAttribute("aria-labelledby", made.button.id);
    this.list.append(made.button);
    return made;
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
    if (done || !this.tabs.get(this.tab).filled) this.follow();
  }

  /** Show the tab that Python shows, but not one that was left here meanwhile. */
  follow() {
    const tab = this.model.get("tab");
    if (this.asked || tab === this.tab) return;
    // Who pressed a button here, such as Results of a stage, goes on in the tab that it has opened.
    const here = this.frame.root.contains(document.activeElement);
    this.show(tab);
    if (here) this.focusHeading(tab);
  }

  /** @param {string} tab */
  show(tab) {
    this.tab = tab;
    for (const [name, { button: el, panel }] of this.tabs) {
      const shown = name === tab;
      el.setAttribute("aria-selected", String(shown));
      el.tabIndex = shown ? 0 : -1;
      panel.hidden = !shown;
    }
    this.fill();
  }

  /** Let the tab that is shown hold what Python has made for it. */
  async fill() {
    const held = this.tabs.get(this.tab),
      reference = this.model.get("views")[this.tab];
    if (!held || held.filled) return;
    if (!reference) return redraw(held.panel, h("p", { class: "pw-empty" }, "Loading…"));
    held.filled = true;
    // A view that is only being put into the page cannot hold another one yet.
    while (!held.panel.isConnected && !this.frame.gone) await new Promise(requestAnimationFrame);
    held.panel.replaceChildren();
    await child(this.model, reference, held.panel, this.ending.signal).catch((error) =>
      this.frame.notice(sentence(error), "error"),
    );
  }

  /** @param {string} tab */
  focusHeading(tab) {
    const { panel } = this.tabs.get(tab);
    const focus = () => {
      const heading = panel.querySelector("h2[tabindex]");
      heading?.focus({ preventScroll: true });
      heading?.scrollIntoView({ block: "nearest" });
      return !!heading;
    };
    if (focus()) return;
    const observer = new MutationObserver(() => focus() && observer.disconnect());
    observer.observe(panel, { childList: true, subtree: true });
    this.frame.undo.push(() => observer.disconnect());
  }

  /** @param {any} event */
  move(event) {
    const names = [...this.tabs.keys()],
      at = names.indexOf(this.tab);
    const to = /** @type {Values} */ ({
      ArrowRight: (at + 1) % names.length,
      ArrowLeft: (at - 1 + names.length) % names.length,
      Home: 0,
      End: names.length - 1,
    })[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.tabs.get(names[to]).button.focus();
    this.ask(names[to]);
  }
}
