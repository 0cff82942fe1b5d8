// Which experiments Results shows.

import { button, h, icon, keyed, redraw, unique } from "./elements.js";
import { count } from "./text.js";

export class ResultPicker {
  /** @param {any} panel */
  constructor(panel) {
    this.panel = panel;
    this.frame = panel.frame;
    this.model = panel.model;
    this.asked = 0;
    this.wanted = null; // what is chosen here, while Python has not heard of it yet
    this.open = !this.model.get("chosen").length;
    const search = "Search experiments";
    this.search = h("input", {
      type: "search",
      placeholder: search,
      "aria-label": search,
      autocomplete: "off",
      spellcheck: "false",
      "data-f": "search",
      oninput: () => this.show(),
    });
    this.list = h("ul", { class: "pw-results-choices", "data-scroll": "choices" });
    this.none = h("p", { class: "pw-soft" });
    const all = button({
      label: "Choose all",
      "data-f": "all",
      onclick: () =>
        this.choose([...this.chosen, ...this.matching().map((/** @type {any} */ each) => each.id)]),
    });
    const clear = button({ label: "Clear", "data-f": "clear", onclick: () => this.choose([]) });
    this.tools = h(
      "div",
      { class: "pw-results-search" },
      h("div", { class: "pw-find" }, icon("search"), this.search),
      all,
      clear,
    );
    this.el = h(
      "div",
      {
        class: "pw-results-picker",
        id: unique("picker"),
        role: "group",
        "aria-label": "Experiments to show",
      },
      this.tools,
      this.list,
      this.none,
    );
    this.opener = button({
      label: "Choose experiments",
      "aria-expanded": "false",
      "aria-controls": this.el.id,
      onclick: () => this.toggle(),
    });
    this.hint = h("p", { class: "pw-soft" });
  }

  get chosen() {
    return this.wanted ?? this.model.get("chosen");
  }

  matching() {
    const sought = this.search.value.trim().toLowerCase();
    return this.model
      .get("experiments")
      .filter((/** @type {any} */ each) => `${each.name} ${each.algorithm}`.toLowerCase().includes(sought));
  }

  toggle() {
    this.open = !this.open;
    this.show();
    if (this.open) this.search.focus({ preventScroll: true });
  }

  /** @param {number[]} ids */
  async choose(ids) {
    this.wanted = [...new Set(ids)];
    this.asked += 1;
    this.show();
    await this.frame.run("choose", { experiments: this.wanted });
    this.asked -= 1;
    if (this.asked) return;
    this.wanted = null;
    this.show();
    this.frame.announce(`${this.model.get("title")}: ${count(this.model.get("total"), "run")}`);
  }

  show() {
    const found = this.model.get("experiments"),
      matching = this.matching(),
      chosen = new Set(this.chosen);
    this.el.hidden = !this.open || !found.length;
    this.opener.hidden = !found.length;
    this.opener.setAttribute("aria-expanded", String(this.open));
    redraw(
      this.opener,
      icon(this.open ? "down" : "right"),
      h("span", { class: "pw-label" }, "Choose experiments"),
      h("span", { class: "pw-soft" }, `${chosen.size} of ${found.length}`),
    );
    this.none.hidden = matching.length > 0;
    this.none.textContent = "No experiments match.";
    keyed(
      this.list,
      matching,
      (/** @type {any} */ each) => each.id,
      (each) => this.makeChoice(each.id),
      (/** @type {any} */ li, /** @type {any} */ each) => {
        li.querySelector("input").checked = chosen.has(each.id);
        redraw(
          li.querySelector("label"),
          h("span", { class: "pw-results-choice", title: each.name, dir: "auto" }, each.name),
          h(
            "span",
            { class: "pw-hint" },
            `${each.algorithm}, ${each.runs ? count(each.runs, "run") : "no runs"}`,
          ),
        );
      },
    );
    this.hint.hidden = chosen.size > 0;
    this.hint.textContent = found.length
      ? "Choose experiments to compare their runs."
      : "No experiments yet. They show their results here once they ran.";
  }

  /** @param {number} id */
  makeChoice(id) {
    const name = unique("choice");
    const box = h("input", {
      type: "checkbox",
      id: name,
      "data-f": `choice-${id}`,
      onchange: () =>
        this.choose(
          box.checked ? [...this.chosen, id] : this.chosen.filter((/** @type {any} */ each) => each !== id),
        ),
    });
    return h("li", {}, box, h("label", { for: name }));
  }
}
