// How an agent is asked, in the languages that programs are written in.

import { h, keyed, setText, unique } from "./elements.js";
import { copyButton } from "./files.js";

/** Code that asks the agent, a tab for each language. */
export class AgentSnippets {
  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.chosen = 0;
    this.list = h("div", { class: "pw-ag-tabs", role: "tablist", "aria-label": "Languages" });
    this.text = h("code");
    this.panel = h(
      "pre",
      {
        class: "pw-code pw-ag-code",
        role: "tabpanel",
        id: unique("code"),
        tabindex: "0",
        "data-scroll": "code",
      },
      this.text,
    );
    const copy = copyButton({ frame, label: "Copy code", text: () => this.text.textContent });
    this.el = h(
      "section",
      { class: "pw-ag-part" },
      h("div", { class: "pw-ag-bar" }, this.list, copy),
      this.panel,
    );
  }

  /**
   * @param {Row} detail
   * @param {any} key
   */
  show(detail, key) {
    this.el.hidden = !detail?.snippets.length;
    if (this.el.hidden) return;
    this.snippets = detail.snippets.map(
      (/** @type {{ language: any, code: string }} */ { language, code }) => ({
        language,
        code: key ? code.replace(detail.placeholder, () => key) : code,
      }),
    );
    keyed(
      this.list,
      this.snippets,
      (/** @type {Values} */ snippet) => snippet.language,
      (snippet, at) => this.tab(snippet.language, at),
    );
    this.draw();
  }

  /**
   * @param {any} language
   * @param {number} at
   */
  tab(language, at) {
    const el = h(
      "button",
      {
        type: "button",
        role: "tab",
        id: unique("language"),
        class: "pw-ag-tab",
        "aria-controls": this.panel.id,
        onclick: () => this.choose(at),
        onkeydown: (event) => {
          const last = this.snippets.length - 1;
          const to = {
            ArrowRight: at === last ? 0 : at + 1,
            ArrowLeft: at === 0 ? last : at - 1,
            Home: 0,
            End: last,
          }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          this.choose(to);
          this.list.children[to].focus();
        },
      },
      language,
    );
    return el;
  }

  /** @param {number} at */
  choose(at) {
    this.chosen = at;
    this.draw();
  }

  draw() {
    [...this.list.children].forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === this.chosen));
      tab.tabIndex = at === this.chosen ? 0 : -1;
    });
    this.panel.setAttribute("aria-labelledby", this.list.children[this.chosen].id);
    setText(this.text, this.snippets[this.chosen].code);
  }
}
