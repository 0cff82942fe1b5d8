// The frame of a view: notices, what cannot be used now and why, and the lease for which Python refreshes it.

import { button, draw, explain, focusOn, html, icon, make, unique } from "./elements.js";
import { keepLease } from "./lease.js";
import { GONE, Line, sentence } from "./line.js";
import { hidePicture, picturePlaces } from "./picture.js";
import { ago } from "./text.js";
import { lockChanges } from "./trust.js";

const NOTICED = 10_000; // ms after which word of a success goes by itself

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
        <div class="pw-notices pw-floating" popover="manual"></div>
        <div class=${`pw-body pw-${name}`}></div>
        <div class="pw-hidden" role="status" aria-live="polite"></div>
      </div>`,
    );
    const [banner, trouble, notices, body, said] = /** @type {El[]} */ ([...this.root.children]);
    this.banner = banner;
    this.trouble = trouble;
    this.notices = notices;
    this.body = body;
    this.said = said;
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
    this.listen(document, "scroll", () => this.placeNotice(), { capture: true, passive: true });
    this.listen(window, "resize", () => this.placeNotice());
    const clock = setInterval(() => this.tick(), 30_000);
    this.undo.push(() => clearInterval(clock));
    this.locks = new MutationObserver(() => lockChanges(this.root, true));
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
    this.locks.disconnect();
    if (why)
      this.locks.observe(this.root, {
        childList: true,
        subtree: true,
        attributes: true,
        attributeFilter: ["aria-disabled", "data-title"],
      });
    lockChanges(this.root, !!why);
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
   * Say something to a screen reader.
   * @param {string} text
   */
  announce(text) {
    this.said.textContent = "";
    requestAnimationFrame(() => (this.said.textContent = text));
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
   * Show a notice with what was done, was changed along, or went wrong. It floats above what can be seen of
   * the view: nothing scrolls or moves. It stays until it is dismissed or the next command succeeds, or goes
   * where it is short.
   * @param {string | string[]} text
   * @param {"info" | "error"} [kind]
   */
  notice(text, kind = "info") {
    const lines = [text].flat(),
      failed = kind === "error";
    const dismiss = () => {
      this.clearNotice();
      focusOn(this.root);
    };
    this.clearNotice();
    draw(
      this.notices,
      html`<div class=${`pw-notice pw-${kind}`} role=${failed ? "alert" : "status"}>
        ${icon(failed ? "Failed" : "info")}
        <div>${lines.map((line) => html`<div>${line}</div>`)}</div>
        ${button({ label: "Dismiss", glyph: "close", quiet: true, onclick: dismiss })}
      </div>`,
    );
    this.notices.showPopover();
    this.placeNotice();
    if (!failed && lines.length === 1) this.letGo();
  }

  clearNotice() {
    clearTimeout(this.going);
    draw(this.notices, null);
    if (this.notices.matches(":popover-open")) this.notices.hidePopover();
  }

  /** Close a notice after a while, but not while somebody is at it. */
  letGo() {
    this.going = setTimeout(
      () => (this.notices.matches(":hover, :focus-within") ? this.letGo() : this.clearNotice()),
      NOTICED,
    );
  }

  /** Keep a notice at the bottom of what can be seen of the view. */
  placeNotice() {
    if (!this.notices.firstElementChild) return;
    const part = inSight(this.root);
    this.notices.style.visibility = part ? "" : "hidden";
    if (!part) return;
    const width = Math.min(600, part.right - part.left - 24),
      { height } = this.notices.getBoundingClientRect();
    Object.assign(this.notices.style, {
      width: `${width}px`,
      left: `${(part.left + part.right - width) / 2}px`,
      top: `${Math.max(part.top, part.bottom - height - 12)}px`,
    });
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
      this.clearNotice();
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
    this.root.classList.toggle("pw-dead", dead);
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

/**
 * Return the part of an element that can be seen, as a rectangle of the window; null where nothing can.
 * @param {El} el
 */
function inSight(el) {
  const part = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  for (let each = /** @type {El | null} */ (el); each && each !== document.body; each = each.parentElement) {
    if (each !== el && getComputedStyle(each).overflowY === "visible") continue;
    const { left, top, right, bottom } = each.getBoundingClientRect();
    part.left = Math.max(part.left, left);
    part.top = Math.max(part.top, top);
    part.right = Math.min(part.right, right);
    part.bottom = Math.min(part.bottom, bottom);
  }
  return part.left < part.right && part.top < part.bottom ? part : null;
}
