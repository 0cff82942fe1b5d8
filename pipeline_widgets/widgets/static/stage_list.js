// The list twin of the stage graph: the same stages with the same actions, as a table.

import { openMenu } from "./dialogs.js";
import { badge, button, h, icon, keyed, redraw, unique } from "./elements.js";
import { asSentence, isolated, score } from "./text.js";

export class StageList {
  /**
   * `actions(stage)` gives what can be done with a stage; the first is a button, the others are in a menu.
   * @param {StageListOptions} options
   */
  constructor({ frame, actions, select = (id) => frame.run("select", { stage: id }) }) {
    this.frame = frame;
    this.actions = actions;
    this.select = select;
    /**
     * @param {string} text
     * @param {string} [kind]
     */
    const head = (text, kind = "") => h("th", { scope: "col", class: kind }, text);
    this.rows = h("tbody");
    this.el = h(
      "div",
      { class: "pw-scroll pw-stagelist" },
      h(
        "table",
        { class: "pw-table" },
        h("caption", { class: "pw-hidden" }, "Stages"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head("#", "pw-number"),
            head("Type"),
            head("Name"),
            head("Trigger"),
            head("Status"),
            head("Evaluation score", "pw-number"),
            head("Why"),
            head("Actions", "pw-stagelist-end"),
          ),
        ),
        this.rows,
      ),
    );
    this.rows.addEventListener("click", (/** @type {any} */ event) => {
      if (!event.target.closest("button") && document.getSelection().isCollapsed)
        this.chosen(event.target.closest("tr"));
    });
    this.rows.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {Stage[]} stages
   * @param {number} selected
   */
  show(stages, selected) {
    this.stages = new Map(stages.map((stage) => [stage.id, stage]));
    const last = stages.length;
    keyed(
      this.rows,
      stages,
      (/** @type {Stage} */ stage) => stage.id,
      () => this.row(),
      (/** @type {El} */ el, /** @type {Stage} */ stage) => this.fill(el, stage, last, stage.id === selected),
    );
  }

  row() {
    const cell = (kind = "") => h("td", { class: kind });
    const el = h(
      "tr",
      {},
      cell("pw-number"),
      cell("pw-stagelist-type"),
      h("th", { scope: "row" }),
      cell(),
      cell("pw-stagelist-status"),
      cell("pw-number"),
      cell("pw-stagelist-why"),
      h(
        "td",
        { class: "pw-stagelist-end" },
        h("div", { class: "pw-stagelist-actions" }, h("span"), h("span")),
      ),
    );
    const name = h("button", {
      type: "button",
      class: "pw-stagelist-name",
      id: unique("stage"),
      onclick: () => this.chosen(el),
    });
    const more = button({
      label: "Actions",
      glyph: "more",
      quiet: true,
      "aria-haspopup": "menu",
      onclick: () => openMenu(more, this.menu(el, more)),
    });
    el.children[2].append(name);
    el.lastElementChild.firstElementChild.lastElementChild.append(more);
    return Object.assign(el, { name, more, act: el.lastElementChild.firstElementChild.firstElementChild });
  }

  /**
   * Fill a row where it has changed. What can be done also depends on how many stages there are.
   * @param {El} el
   * @param {Stage} stage
   * @param {any} last
   * @param {boolean} selected
   */
  fill(el, stage, last, selected) {
    if (el.selected !== selected) {
      el.selected = selected;
      el.name.setAttribute("aria-pressed", String(selected));
      el.classList.toggle("pw-chosen", selected);
    }
    if (el.stage === stage && el.last === last) return;
    [el.stage, el.last] = [stage, last];
    const [n, kind, , trigger, status, value, why] = el.children;
    n.textContent = String(stage.n);
    redraw(kind, icon(stage.kind === "Deployment" ? "agent" : "experiment"), " ", h("span", {}, stage.kind));
    el.name.textContent = isolated(stage.name);
    trigger.textContent = stage.auto ? "Auto" : "Manual";
    redraw(
      status,
      h(
        "div",
        { class: "pw-stagelist-marks" },
        badge(stage.status),
        stage.stale ? badge("Stale") : null,
        stage.held ? badge("Held") : null,
      ),
    );
    value.textContent = stage.kind === "Deployment" && stage.score === undefined ? "" : score(stage.score);
    redraw(
      why,
      stageReasons(stage).map((reason) => h("div", {}, reason)),
    );
    const name = `Actions for stage ${stage.n}: ${isolated(stage.name)}`;
    el.more.setAttribute("aria-label", name);
    el.more.title = name;
    const { key, label, glyph, title, reason } = this.actions(stage)[0];
    redraw(
      el.act,
      button({
        label,
        glyph,
        reason,
        title: title || label,
        "data-f": "act",
        "data-act": key,
        "aria-describedby": el.name.id,
        onclick: (event) => this.now(el)[0].onclick(event.currentTarget),
      }),
    );
  }

  /**
   * What can be done with the stage of a row now.
   * @param {El} el
   */
  now(el) {
    return this.actions(this.stages.get(Number(el.dataset.key)));
  }

  /**
   * @param {El} el
   * @param {El} opener
   */
  menu(el, opener) {
    return this.now(el)
      .slice(1)
      .map((item) => ({ ...item, onclick: () => item.onclick(opener) }));
  }

  /** @param {El} el */
  chosen(el) {
    if (el) this.select(Number(el.dataset.key));
  }

  /**
   * Up and down go from stage to stage, in the same column of buttons.
   * @param {any} event
   */
  key(event) {
    const el = event.target.closest("tr"),
      rows = this.rows;
    const to = /** @type {Values} */ ({
      ArrowDown: el.nextElementSibling,
      ArrowUp: el.previousElementSibling,
      Home: rows.firstElementChild,
      End: rows.lastElementChild,
    })[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (to === null) return;
    const column = [el.name, el.act.firstElementChild, el.more].indexOf(event.target);
    [to.name, to.act.firstElementChild, to.more][Math.max(0, column)].focus();
  }
}

/**
 * What a reader would ask about a stage: why it is stale, held, or cannot be triggered.
 * @param {Stage} stage
 */
function stageReasons(stage) {
  return [
    ...(stage.stale || []).map((reason) => `Stale: ${asSentence(reason)}`),
    stage.accepted !== undefined ? `Accepted as fresh${stage.accepted ? `: ${stage.accepted}` : "."}` : null,
    stage.held ? `Held: ${asSentence(stage.held)}` : null,
    ...(stage.active || stage.held ? [] : stage.blockers || []),
  ].filter(Boolean);
}
