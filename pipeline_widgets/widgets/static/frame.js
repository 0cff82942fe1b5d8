// The frame of a view: notices, what cannot be used now and why, and the lease for which Python refreshes it.

import { button, draw, explain, html, icon, make, unique } from "./elements.js";
import { keepLease } from "./lease.js";
import { GONE, Line, sentence } from "./line.js";
import { hidePicture, picturePlaces } from "./picture.js";
import { ago } from "./text.js";
import { Toast } from "./toast.js";
import { lockChanges } from "./trust.js";

/**
 * The frame of a view: a root that keeps keys from the notebook, a place for notices, and a lease that
 * Python refreshes the view for as long as it can be seen.
 */
export class Frame {
  /** @param {{ model: Model, el: El, name: string }} options */
  constructor({ model, el, name }) {
    this.model = model;
    this.line = new Line(model);
    this.id = unique("view");
    this.gone = this.closed = false;
    /** @type {(() => void)[]} */
    this.undo = [];
    this.root = make(
      html`<div class="pw-root" tabindex="-1" data-pw-shows=${model.get("picture")}>
        <div class="pw-notices"></div>
        <div class="pw-notices"></div>
        <div class=${`pw-body pw-${name}`}></div>
        <div class="pw-hidden" role="status" aria-live="polite"></div>
      </div>`,
    );
    const [banner, trouble, body, said] = /** @type {El[]} */ ([...this.root.children]);
    this.banner = banner;
    this.trouble = trouble;
    this.body = body;
    this.said = said;
    /** @type {string[]} */
    this.saying = [];
    this.toast = new Toast(this);
    body.before(this.toast.el);
    el.append(this.root);
    this.undo.push(hidePicture(model.get("picture")));
    this.on("change:trouble", () => this.showTrouble());
    this.on("change:untrusted", () => this.showTrust());
    this.on("comm_live_update", () => this.showTrouble());
    this.line.ready.then(
      (line) => {
        line.on("comm_live_update", () => this.showTrouble());
        this.attend();
      },
      () => this.showTrouble(),
    );
    this.listen(this.root, "click", (event) => this.why(event), { capture: true });
    const clock = setInterval(() => this.tick(), 30_000);
    this.undo.push(() => clearInterval(clock));
    this.dead = false;
    this.locks = new MutationObserver(() => this.lock());
    this.undo.push(() => this.locks.disconnect());
    this.showTrouble();
    this.showTrust();
  }

  /** Say why nothing can be changed here, and let who knows the workspace trust it. */
  showTrust() {
    const why = this.model.get("untrusted");
    draw(
      this.banner,
      why
        ? html`<div class="pw-notice pw-untrusted" role="status">
            ${icon("info")}
            <div>
              This workspace is open for reading only. ${why} If you know where it comes from, trust it: from
              then on it may run the code that it holds, as you.
            </div>
            ${button({ label: "Trust this workspace", onclick: (pressed) => this.run("trust", {}, pressed) })}
          </div>`
        : null,
    );
    this.showLocks();
  }

  /** Lock what cannot be used now, and what comes later as well. */
  showLocks() {
    this.locks.disconnect();
    if (this.dead || this.model.get("untrusted"))
      this.locks.observe(this.root, {
        childList: true,
        subtree: true,
        attributes: true,
        attributeFilter: ["aria-disabled", "data-title"],
      });
    this.lock();
  }

  lock() {
    lockChanges(this.root, { untrusted: !!this.model.get("untrusted"), dead: this.dead });
  }

  /**
   * Listen to the model until the view is gone.
   * @template Message
   * @param {string} event
   * @param {(message: Message) => unknown} heard
   */
  on(event, heard) {
    this.model.on(event, heard);
    this.undo.push(() => this.model.off(event, heard));
  }

  /**
   * Listen to anything until the view is gone.
   * @param {EventTarget} target
   * @param {string} event
   * @param {(event: Event) => unknown} heard
   * @param {AddEventListenerOptions} [options]
   */
  listen(target, event, heard, options) {
    target.addEventListener(event, heard, options);
    this.undo.push(() => target.removeEventListener(event, heard, options));
  }

  /**
   * Have `end` called when the view is gone. Returns what ends it before.
   * @param {() => void} end
   */
  whenGone(end) {
    const now = () => {
      this.undo = this.undo.filter((each) => each !== now);
      end();
    };
    this.undo.push(now);
    return now;
  }

  /**
   * Say something to a screen reader; what comes at the same moment is said together.
   * @param {string} text
   */
  announce(text) {
    this.said.textContent = "";
    if (this.saying.push(text) > 1) return;
    requestAnimationFrame(() => (this.said.textContent = [...new Set(this.saying.splice(0))].join(" ")));
  }

  /**
   * A control that cannot be used now says why, in its tooltip; who presses it is told the same.
   * @param {Event} event
   */
  why(event) {
    const pressed = /** @type {Element | null} */ (event.target);
    const control = /** @type {El | null} */ (pressed?.closest?.('[aria-disabled="true"][title]'));
    if (!control || control.closest(".pw-root") !== this.root) return;
    if (control.dataset.locked !== undefined) event.stopPropagation();
    explain(control, control.title);
  }

  /**
   * Show what was done, was changed along, or went wrong, as a toast, which a screen reader says too.
   * @param {string | string[]} text
   * @param {"info" | "error"} [kind]
   * @param {ToastAction | null} [action] What can be done about it, such as "View" or "Undo".
   */
  notice(text, kind = "info", action = null) {
    this.toast.show([text].flat(), kind === "error", action);
  }

  /**
   * Ask for a command, and show its error as a notice. Returns undefined then.
   * @template {string} Name
   * @param {Name} command
   * @param {Args} [args]
   * @param {El | null} [pressed]
   * @returns {Promise<Answer<Name> | undefined>}
   */
  async run(command, args, pressed) {
    try {
      const result = await this.line.ask(command, args, pressed);
      this.toast.clear();
      return result ?? /** @type {Answer<Name>} */ ({});
    } catch (error) {
      if (error === GONE)
        this.showTrouble(); // which says it, once
      else this.notice(sentence(error), "error");
      return undefined;
    }
  }

  showTrouble() {
    const { line, model } = this;
    const dead = line.dead || model.comm_live === false || (!!line.line && !line.live);
    const text = dead ? sentence(GONE) : model.get("trouble");
    if (dead !== this.dead) {
      this.dead = dead;
      this.showLocks();
    }
    draw(
      this.trouble,
      text
        ? html`<div class=${`pw-notice pw-warning${dead ? " pw-gone" : ""}`} role="status">
            ${icon("Stale")}<div>${text}</div>
          </div>`
        : null,
    );
  }

  tick() {
    for (const el of this.root.querySelectorAll("time[data-at]")) el.textContent = ago(Number(el.dataset.at));
  }

  /** Begin to talk with Python: the kernel is there. */
  attend() {
    keepLease(this);
    if (this.gone) return this.close();
    const drawn = picturePlaces(this.model).map((place) => place.drawn);
    if (drawn.length) this.line.tell("picture", { drawn }); // the page may have missed one
    this.greet();
  }

  /**
   * Say hello until the kernel answers from the shell that stays clear of cells: JupyterLab makes that one
   * only when the first message is on its way.
   */
  async greet() {
    for (const pause of [0, 300, 3000]) {
      await new Promise((go) => setTimeout(go, pause));
      if (this.gone) return;
      await this.line.ask("hello").catch(() => {});
    }
  }

  close() {
    if (this.gone && !this.undo.length) return;
    this.gone = true;
    for (const undo of this.undo.splice(0).reverse()) undo();
    this.line.close();
    this.root.remove();
  }
}
