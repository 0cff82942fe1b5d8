// What an expanded agent shows: where and how to ask it, a box to try it, and its versions.

import { AgentBox } from "./agent_box.js";
import { openRollBack, openRotateKey } from "./agent_dialogs.js";
import { AgentSnippets } from "./agent_snippets.js";
import { button, h, icon, redraw } from "./elements.js";
import { copyButton, Printed } from "./files.js";
import { inFull, isolated, moment, score } from "./text.js";

export class AgentDetail {
  /**
   * @param {any} table
   * @param {number} id
   */
  constructor(table, id) {
    this.table = table;
    this.id = id;
    this.frame = table.frame;
    this.trouble = h("div", { class: "pw-ag-trouble" });
    this.log = new Printed(this.frame, "");
    this.logged = h(
      "div",
      { class: "pw-ag-part" },
      h(
        "div",
        { class: "pw-ag-bar" },
        h("h3", {}, "End of its log"),
        copyButton({ frame: this.frame, text: () => this.log.text }),
      ),
      this.log.el,
    );
    this.endpoint = h("section", { class: "pw-ag-part" });
    this.code = new AgentSnippets(this.frame);
    this.box = new AgentBox(this);
    this.open = h(
      "div",
      { class: "pw-ag-open" },
      h("div", { class: "pw-ag-side" }, this.endpoint, this.code.el),
      this.box.el,
    );
    this.versions = h("section", { class: "pw-ag-part" });
    this.el = h("div", { class: "pw-ag-detail" }, this.trouble, this.logged, this.open, this.versions);
  }

  /**
   * @param {Row} row
   * @param {Row} detail
   */
  show(row, detail) {
    this.row = row;
    this.detail = detail;
    const { endpoint } = detail;
    const deployed = row.status === "Deployed" && !!endpoint?.url,
      answers = deployed && !detail.silent;
    // Several agents may be open: what is in one is named after it.
    const parts = {
      Endpoint: this.endpoint,
      Code: this.code.el,
      "Try it": this.box.el,
      Log: this.log.el,
      Versions: this.versions,
    };
    for (const [name, el] of Object.entries(parts))
      el.setAttribute("aria-label", `${name} of ${isolated(row.name)}`);
    this.open.hidden = row.status !== "Deployed" && row.status !== "Pending";
    this.showTrouble(row, detail);
    this.showEndpoint(row, endpoint);
    this.code.show(answers ? detail : null, this.key);
    this.box.show(answers ? endpoint : null);
    this.showVersions(row, detail);
  }

  end() {
    this.log.end();
    this.box.end();
  }

  get key() {
    return this.table.keys.get(this.id)?.key ?? null;
  }

  /**
   * @param {Row} row
   * @param {any} options
   */
  showTrouble(row, { silent, log }) {
    const failed = row.status === "Failed",
      deployed = row.status === "Deployed",
      [first, ...more] = row.trouble.split("\n");
    /**
     * @param {string} kind
     * @param {string} glyph
     * @param {string} what
     * @param {...Child} said
     */
    const notice = (kind, glyph, what, ...said) =>
      h("div", { class: `pw-notice pw-${kind}` }, icon(glyph), h("div", {}, h("strong", {}, what), said));
    const rest = more.length
      ? h(
          "pre",
          { class: "pw-code pw-ag-more", tabindex: "0", "data-scroll": "more", "aria-label": "More of it" },
          more.join("\n"),
        )
      : null;
    redraw(
      this.trouble,
      !row.trouble
        ? null
        : failed
          ? notice(
              "error",
              "Failed",
              "Its endpoint failed: ",
              `${first} Connect starts it again; its key stays.`,
              rest,
            )
          : notice("warning", "Stale", deployed ? "The current version is not served: " : "", first, rest),
      deployed && silent
        ? notice(
            "warning",
            "Stale",
            "It cannot be asked: ",
            `${silent} does not say how its checkpoints answer. Declare predict=… with @pw.algorithm, ` +
              "train again, and connect the agent again.",
          )
        : null,
    );
    this.logged.hidden = !failed || !log;
    this.log.show(log);
  }

  // ---- where, and the key

  /**
   * @param {Row} row
   * @param {Values} endpoint
   */
  showEndpoint(row, endpoint) {
    const heading = h("h3", {}, "Endpoint");
    const newKey = this.key ? this.newKey() : null;
    if (row.status === "Pending" || !endpoint?.url)
      return redraw(
        this.endpoint,
        heading,
        h("p", { class: "pw-soft", role: "status" }, "It is being connected…"),
        newKey,
      );
    const url = `${endpoint.url}${endpoint.route}`;
    redraw(
      this.endpoint,
      heading,
      h(
        "div",
        { class: "pw-ag-line" },
        h("span", { class: "pw-ag-term" }, "URL"),
        h("code", { class: "pw-ag-url" }, url),
        copyButton({
          frame: this.frame,
          label: "Copy URL",
          text: () => url,
          quiet: true,
          "data-f": `url-${this.id}`,
        }),
      ),
      newKey || this.oldKey(endpoint),
      h(
        "p",
        { class: "pw-hint" },
        endpoint.open
          ? `It listens on ${endpoint.open}: others can reach it, over plain HTTP.`
          : "It listens on this machine only (127.0.0.1).",
      ),
    );
  }

  /** The key, this once. Its node carries no state that outlives the page. */
  newKey() {
    const { key } = this;
    return h(
      "div",
      { class: "pw-ag-newkey", role: "group", "aria-label": "New key" },
      h(
        "div",
        { class: "pw-ag-once" },
        h("div", {}, h("strong", {}, "Its key is shown this once. "), "Copy it now: only its hash is kept."),
        button({
          label: "Hide",
          kind: "pw-ag-hide",
          "data-f": `hide-${this.id}`,
          onclick: () => this.forget(),
        }),
      ),
      h(
        "div",
        { class: "pw-ag-line" },
        h("code", { class: "pw-ag-key" }, key),
        copyButton({ frame: this.frame, label: "Copy key", text: () => key, "data-f": `key-${this.id}` }),
      ),
    );
  }

  /** @param {Values} endpoint */
  oldKey(endpoint) {
    /** @param {string} label */
    const rotate = (label) =>
      button({
        label,
        glyph: "key",
        "data-f": `rotate-${this.id}`,
        onclick: (event) => openRotateKey(this, endpoint.hint, event.currentTarget),
      });
    if (!endpoint.hint)
      return h(
        "div",
        { class: "pw-ag-line" },
        h("span", { class: "pw-ag-term" }, "Key"),
        h("span", { class: "pw-ag-say" }, "It has no key yet, so nobody can ask it."),
        rotate("Make a key"),
      );
    return h(
      "div",
      { class: "pw-ag-line" },
      h("span", { class: "pw-ag-term" }, "Key"),
      h("span", { class: "pw-ag-say" }, `Key ends in …${endpoint.hint}; it was shown once.`),
      rotate("Rotate key"),
    );
  }

  forget() {
    this.table.keys.delete(this.id);
    this.table.draw();
    (this.endpoint.querySelector(`[data-f="rotate-${this.id}"]`) || this.frame.root).focus({
      preventScroll: true,
    });
  }

  // ---- versions

  /**
   * @param {Row} row
   * @param {Row} detail
   */
  showVersions(row, detail) {
    const better = detail.higher_is_better ? "" : " (lower is better)";
    /**
     * @param {Child} text
     * @param {string} [kind]
     */
    const head = (text, kind) => h("th", { scope: "col", class: kind }, text);
    redraw(
      this.versions,
      h("h3", {}, "Versions"),
      h(
        "div",
        {
          class: "pw-ag-versions",
          "data-scroll": "versions",
          tabindex: detail.versions.length > 8 ? "0" : undefined,
        },
        h(
          "table",
          { class: "pw-table", "aria-label": `Versions of ${isolated(row.name)}` },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              head("Version"),
              head("Experiment"),
              head("Step", "pw-number"),
              head(`Training Score${better}`, "pw-number"),
              head(`Evaluation Score${better}`, "pw-number"),
              head("Created"),
              head("Made by"),
              head(h("span", { class: "pw-hidden" }, "Actions")),
            ),
          ),
          h(
            "tbody",
            {},
            detail.versions.map((/** @type {Row} */ version) => this.version(version, detail)),
          ),
        ),
      ),
    );
  }

  /**
   * @param {Row} version
   * @param {Row} detail
   */
  version(version, detail) {
    const served = detail.endpoint?.version === version.number && this.row.status === "Deployed";
    const marks = [version.current ? "Current" : null, served && !version.current ? "Served" : null].filter(
      Boolean,
    );
    const step = inFull(version.step);
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("span", { class: "pw-ag-number" }, String(version.number)),
        marks.map((mark) => h("span", { class: "pw-mark-word" }, mark)),
      ),
      h("td", { dir: "auto" }, version.experiment),
      h("td", { class: "pw-number" }, step),
      h("td", { class: "pw-number" }, score(version.training_score)),
      h("td", { class: "pw-number" }, score(version.evaluation_score)),
      h("td", { class: "pw-ag-when" }, moment(version.created_at)),
      h("td", { class: "pw-ag-lineage", dir: "auto" }, version.lineage),
      h(
        "td",
        { class: "pw-ag-back" },
        version.current
          ? null
          : button({
              label: version.number > this.row.current_version ? "Make current" : "Roll back",
              title: `Make version ${version.number} the current one`,
              "data-f": `back-${this.id}-${version.number}`,
              onclick: () => openRollBack(this, version),
            }),
      ),
    );
  }
}
