// What an expanded agent shows: where and how to ask it, a box to try it, and its versions.

import { AgentBox } from "./agent_box.js";
import { openRollBack, openRotateKey } from "./agent_dialogs.js";
import { button, draw, focusOn, html, make, moment, named, notice, unique } from "./elements.js";
import { copyButton, Printed } from "./files.js";
import { LineagePart } from "./lineage_part.js";
import { heads, numberCell, numbers } from "./tables.js";
import { tabKey, tabList } from "./tabs.js";
import { inFull, isolated, scores } from "./text.js";

export class AgentDetail {
  /**
   * @param {AgentsHost} host
   * @param {number} id
   */
  constructor(host, id) {
    this.host = host;
    this.id = id;
    this.frame = host.frame;
    this.name = unique("agent");
    this.log = new Printed(this.frame, "");
    this.box = new AgentBox(host, id);
    const elsewhere = "Its project shows it.";
    this.lineage = new LineagePart(host.frame, { open: () => {}, why: () => elsewhere }, "agent");
    this.language = 0;
    this.el = make(html`<div class="pw-ag-detail"></div>`);
  }

  /**
   * `detail` is undefined until Python has sent it.
   * @param {AgentRow} row
   * @param {AgentDetailRow} [detail]
   */
  show(row, detail) {
    if (!detail) return this.el;
    const { endpoint, log } = detail;
    const answers = row.status === "Deployed" && !!endpoint?.url && !detail.silent;
    const compares = !!endpoint && !detail.silent && detail.counterpart !== null;
    const off = row.status !== "Deployed" && row.status !== "Pending";
    // Several agents may be open: what is in one is named after it.
    const named = (/** @type {string} */ name) => `${name} of ${isolated(row.name)}`;
    this.log.el.setAttribute("aria-label", named("Log"));
    this.log.show(log);
    this.lineage.show({ id: this.id, status: `version ${row.current_version}` });
    draw(
      this.el,
      html`<div class="pw-ag-trouble">${trouble(row, detail)}</div>
        <div class="pw-ag-part" ?hidden=${row.status !== "Failed" || !log}>
          <div class="pw-ag-bar"><h3>End of its log</h3>${copyButton(this.frame, () => this.log.text)}</div>
          ${this.log.el}
        </div>
        <div class="pw-ag-open" ?hidden=${off && !compares}>
          ${this.box.show(answers || compares ? detail : null, row, named("Try it"))}
          <div class="pw-ag-side" ?hidden=${off}>
            <section class="pw-ag-part" aria-label=${named("Endpoint")}>
              <h3>Endpoint</h3>
              ${this.endpoint(row, endpoint)}
            </section>
            <section class="pw-ag-part" aria-label=${named("Code")}
              ?hidden=${!answers || !detail.snippets.length}>
              ${answers && detail.snippets.length ? this.code(row, detail) : null}
            </section>
          </div>
        </div>
        <section class="pw-ag-part" aria-label=${named("Versions")}>
          <h3>Versions</h3>
          ${this.versions(row, detail)}
        </section>
        ${this.lineage.el}`,
    );
    return this.el;
  }

  end() {
    this.log.end();
    this.box.end();
  }

  get key() {
    return this.host.session.keys.get(this.id) ?? null;
  }

  // ---- where, and the key

  /**
   * @param {AgentRow} row
   * @param {AgentEndpoint | null} endpoint
   */
  endpoint(row, endpoint) {
    const { key } = this;
    const newKey = key ? this.newKey(key) : null;
    if (row.status === "Pending" || !endpoint?.url)
      return [html`<p class="pw-soft" role="status">It is being connected…</p>`, newKey];
    const url = `${endpoint.url}${endpoint.route}`;
    const reach = endpoint.open
      ? `It listens on ${endpoint.open}: others can reach it, over plain HTTP.`
      : "It listens on this machine only (127.0.0.1).";
    return html`<div class="pw-ag-line">
        <span class="pw-ag-term">URL</span><code class="pw-ag-url">${url}</code>
        ${copyButton(this.frame, () => url, { label: "Copy URL", quiet: true, f: `url-${this.id}` })}
      </div>
      ${newKey ?? this.oldKey(row, endpoint.hint)}
      <p class="pw-hint">${reach}</p>`;
  }

  /**
   * The key, this once. Its node carries no state that outlives the page.
   * @param {string} key
   */
  newKey(key) {
    const hide = button({
      label: "Hide",
      kind: "pw-ag-hide",
      f: `hide-${this.id}`,
      onclick: () => this.forget(),
    });
    return html`<div class="pw-ag-newkey" role="group" aria-label="New key">
      <div class="pw-ag-once">
        <div><strong>Copy the key now, it won't be shown again. </strong>Only its hash is kept.</div>
        ${hide}
      </div>
      <div class="pw-ag-line">
        <code class="pw-ag-key">${key}</code>
        ${copyButton(this.frame, () => key, { label: "Copy key", f: `key-${this.id}` })}
      </div>
    </div>`;
  }

  /**
   * @param {AgentRow} row
   * @param {string} hint
   */
  oldKey(row, hint) {
    return html`<div class="pw-ag-line">
      <span class="pw-ag-term">Key</span>
      <span class="pw-ag-say">
        ${hint ? `Key ends in …${hint}. It was shown once.` : "No key yet."}
      </span>
      ${button({
        label: hint ? "Rotate key" : "Create key",
        glyph: "key",
        f: `rotate-${this.id}`,
        onclick: (pressed) => openRotateKey(this, row, hint, pressed),
      })}
    </div>`;
  }

  forget() {
    this.host.session.keys.delete(this.id);
    this.host.draw();
    focusOn(this.el.querySelector(named(`rotate-${this.id}`)) ?? this.frame.root);
  }

  // ---- how it is asked, in the languages that programs are written in

  /**
   * @param {AgentRow} row
   * @param {AgentDetailRow} detail
   */
  code(row, detail) {
    const { key, language, name } = this;
    const snippet = detail.snippets[language] ?? detail.snippets[0];
    const text = key ? snippet.code.replace(detail.placeholder, () => key) : snippet.code;
    const tabs = detail.snippets.map((each) => each.language);
    /** @param {number} at */
    const choose = (at) => {
      this.language = at;
      this.show(row, this.host.detail(this.id));
    };
    return html`<div class="pw-ag-bar">
        <div class="pw-ag-tabs" role="tablist" aria-label="Languages"
          @keydown=${(event) => tabKey(event, language, tabs.length, choose)}>
          ${tabList({ name, tabs, shown: language, kind: "pw-ag-tab", choose, panel: () => `${name}-panel` })}
        </div>
        ${copyButton(this.frame, () => text, { label: "Copy code" })}
      </div>
      <pre class="pw-code pw-ag-code" role="tabpanel" id=${`${name}-panel`} tabindex="0"
        aria-labelledby=${`${name}-tab-${language}`}><code>${text}</code></pre>`;
  }

  // ---- versions

  /**
   * @param {AgentRow} row
   * @param {AgentDetailRow} detail
   */
  versions(row, detail) {
    const better = detail.higher_is_better ? "" : " (lower is better)",
      training = scores(detail.versions.map((each) => each.training_score)),
      evaluation = scores(detail.versions.map((each) => each.evaluation_score)),
      said = { training, evaluation };
    const columns = [
      "Version",
      "Experiment",
      ...numbers("Steps", `Training Score${better}`, `Evaluation Score${better}`),
      "Created",
      "Made by",
      /** @type {[Content]} */ ([html`<span class="pw-hidden">Actions</span>`]),
    ];
    return html`<div class="pw-ag-versions" tabindex="0" role="group" aria-label="Versions">
      <table class="pw-table" aria-label=${`Versions of ${isolated(row.name)}`}>
        ${heads(columns)}
        <tbody>${detail.versions.map((version) => this.version(version, row, detail, said))}</tbody>
      </table>
    </div>`;
  }

  /**
   * @param {AgentVersion} version
   * @param {AgentRow} row
   * @param {AgentDetailRow} detail
   * @param {Record<"training" | "evaluation", ReturnType<typeof scores>>} said
   */
  version(version, row, detail, said) {
    const { number: n, current } = version;
    const served = detail.endpoint?.version === n && row.status === "Deployed";
    const marks = [current ? "Current" : null, served && !current ? "Served" : null]
      .filter(Boolean)
      .map((mark) => html`<span class="pw-mark-word">${mark}</span>`);
    const back = button({
      label: n > row.current_version ? "Make current" : "Roll back",
      title: `Make version ${n} the current one`,
      f: `back-${this.id}-${n}`,
      onclick: () => openRollBack(this, row, version),
    });
    return html`<tr>
      <th scope="row">
        <span class="pw-ag-number">${n}</span>${marks}
      </th>
      <td dir="auto">${version.experiment}</td>
      ${numberCell(inFull(version.step))}${numberCell(said.training(version.training_score))}
      ${numberCell(said.evaluation(version.evaluation_score))}
      <td class="pw-ag-when">${moment(version.created_at)}</td>
      <td class="pw-ag-lineage" dir="auto">${version.lineage}</td>
      <td class="pw-ag-back">${current ? null : back}</td>
    </tr>`;
  }
}

/**
 * Why it does not answer.
 * @param {AgentRow} row
 * @param {AgentDetailRow} detail
 */
function trouble(row, { silent }) {
  const failed = row.status === "Failed",
    deployed = row.status === "Deployed",
    [first, ...more] = row.trouble.split("\n");
  const rest = more.length
    ? html`<pre class="pw-code pw-ag-more" tabindex="0" aria-label="More of it">${more.join("\n")}</pre>`
    : null;
  const what = failed
    ? html`<strong>Its endpoint failed: </strong>${first} Connect starts it again; its key stays.${rest}`
    : html`<strong>${deployed ? "The current version is not served: " : ""}</strong>${first}${rest}`;
  return [
    row.trouble ? notice(failed ? "error" : "warning", failed ? "Failed" : "Stale", what) : null,
    deployed && silent
      ? notice(
          "warning",
          "Stale",
          html`<strong>It can't answer: </strong>${silent} does not say how its checkpoints answer. Declare
            predict=… with @pw.algorithm, train again, and connect the agent again.`,
        )
      : null,
  ];
}
