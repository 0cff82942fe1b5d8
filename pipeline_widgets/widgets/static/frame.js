// The frame of a view: notices, what cannot be used now and why, and the lease for which Python refreshes it.

import { button, explain, h, icon, redraw, unique } from "./elements.js";
import { GONE, Line, sentence } from "./line.js";
import { hidePicture, picturePlaces } from "./picture.js";
import { ago } from "./text.js";

const RENEW = 10_000; // ms between two renewals of a lease; Python drops one after 30 s
const NOTICED = 10_000; // ms after which word of a success goes by itself

/**
 * The labels of all controls that change or run something: in a workspace that is not trusted they cannot be
 * used.
 */
const CHANGES = new Set([
  "Accept as fresh",
  "Add stage",
  "Clean up",
  "Connect",
  "Delete",
  "Delete stage",
  "Deploy",
  "Disconnect",
  "Duplicate",
  "Edit config",
  "Edit description",
  "Edit name",
  "Edit stage",
  "Import pipeline",
  "Insert after",
  "Insert before",
  "Make a key",
  "Move left",
  "Move right",
  "New Agent",
  "New Pipeline",
  "New experiment",
  "Redo",
  "Resume",
  "Roll back",
  "Rotate key",
  "Send",
  "Stop",
  "Train",
  "Trigger stage",
  "Undo",
]);

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
    this.undo = [];
    this.said = h("div", { class: "pw-hidden", role: "status", "aria-live": "polite" });
    this.trouble = h("div", { class: "pw-notices" });
    this.banner = h("div", { class: "pw-notices" });
    this.notices = h("div", { class: "pw-notices pw-floating", popover: "manual" });
    this.body = h("div", { class: `pw-body pw-${name}` });
    this.root = h(
      "div",
      { class: "pw-root", tabindex: "-1", "data-pw-shows": model.get("picture") },
      this.banner,
      this.trouble,
      this.notices,
      this.body,
      this.said,
    );
    el.append(this.root);
    this.undo.push(hidePicture(model.get("picture")));
    this.on("change:trouble", () => this.showTrouble());
    this.on("change:untrusted", () => this.showTrust());
    this.on("comm_live_update", () => this.showTrouble());
    this.line.ready.then(
      (/** @type {El} */ line) => {
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
    this.locks = new MutationObserver(() => this.lock());
    this.undo.push(() => this.locks.disconnect());
    this.showTrouble();
    this.showTrust();
  }

  /** Say why nothing can be changed here, and let who knows the workspace trust it. */
  showTrust() {
    const why = this.model.get("untrusted");
    redraw(
      this.banner,
      why
        ? h(
            "div",
            { class: "pw-notice pw-untrusted", role: "status" },
            icon("info"),
            h(
              "div",
              {},
              `This workspace is open for reading only. ${why} If you know where it comes from, trust ` +
                "it: from then on it may run the code that it holds, as you.",
            ),
            button({
              label: "Trust this workspace",
              onclick: (event) => this.run("trust", {}, event.currentTarget),
            }),
          )
        : null,
    );
    this.locks.disconnect();
    if (why)
      this.locks.observe(this.root, {
        childList: true,
        subtree: true,
        attributes: true,
        attributeFilter: ["aria-disabled"],
      });
    this.lock();
  }

  /** Lock what changes or runs something, with the reason, as long as the workspace is not trusted. */
  lock() {
    const why = this.model.get("untrusted");
    for (const el of this.root.querySelectorAll(
      why ? "button:not([data-locked][aria-disabled])" : "button[data-locked]",
    )) {
      if (!why) {
        el.removeAttribute("aria-disabled");
        el.title = el.dataset.locked;
        delete el.dataset.locked;
      } else if (
        "changes" in el.dataset ||
        CHANGES.has(el.getAttribute("aria-label") || el.querySelector(".pw-label")?.textContent)
      ) {
        el.dataset.locked ??= el.title;
        el.title = "This workspace is open for reading only: trust it first, above.";
        el.setAttribute("aria-disabled", "true");
      }
    }
  }

  /**
   * Listen to the model until the view is gone.
   * @param {any} event
   * @param {(message: any) => unknown} heard
   */
  on(event, heard) {
    this.model.on(event, heard);
    this.undo.push(() => this.model.off(event, heard));
  }

  /**
   * Listen to anything until the view is gone.
   * @param {any} target
   * @param {any} event
   * @param {(message: any) => unknown} heard
   * @param {AddEventListenerOptions} [options]
   */
  listen(target, event, heard, options) {
    target.addEventListener(event, heard, options);
    this.undo.push(() => target.removeEventListener(event, heard, options));
  }

  /**
   * Have `end` called when the view is gone. Returns what ends it before.
   * @param {any} end
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
   * @param {any} event
   */
  why(event) {
    const control = event.target.closest?.('[aria-disabled="true"][title]');
    if (control?.closest(".pw-root") !== this.root) return;
    if (control.dataset.locked !== undefined) event.stopPropagation();
    explain(control, control.title);
  }

  /**
   * Show a notice with what was done, was changed along, or went wrong. It floats above what can be seen of
   * the view: nothing scrolls or moves. It stays until it is dismissed or the next command succeeds, or goes
   * where it is short.
   * @param {string | string[]} text
   * @param {string} [kind]
   */
  notice(text, kind = "info") {
    const lines = [text].flat();
    const close = button({
      label: "Dismiss",
      glyph: "close",
      quiet: true,
      onclick: () => {
        this.clearNotice();
        this.root.focus({ preventScroll: true });
      },
    });
    const el = h(
      "div",
      { class: `pw-notice pw-${kind}`, role: kind === "error" ? "alert" : "status" },
      icon(kind === "error" ? "Failed" : "info"),
      h(
        "div",
        {},
        lines.map((line) => h("div", {}, line)),
      ),
      close,
    );
    this.clearNotice();
    this.notices.append(el);
    this.notices.showPopover();
    this.placeNotice();
    if (kind === "info" && lines.length === 1) this.letGo();
    return el;
  }

  clearNotice() {
    clearTimeout(this.going);
    this.notices.replaceChildren();
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
    if (!this.notices.firstChild) return;
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
   * @param {string} command
   * @param {Values} [args]
   * @param {El} [pressed]
   */
  async run(command, args, pressed) {
    try {
      const result = await this.line.ask(command, args, pressed);
      this.clearNotice();
      return result ?? {};
    } catch (error) {
      if (error === GONE)
        this.showTrouble(); // which says it, once
      else this.notice(sentence(error), "error");
      return undefined;
    }
  }

  showTrouble() {
    const dead = this.line.dead || this.model.comm_live === false || (this.line.line && !this.line.live);
    const text = dead ? `${GONE.what} ${GONE.why} ${GONE.fix}` : this.model.get("trouble");
    this.root.classList.toggle("pw-dead", !!dead);
    redraw(
      this.trouble,
      text
        ? h(
            "div",
            { class: `pw-notice pw-warning${dead ? " pw-gone" : ""}`, role: "status" },
            icon("Stale"),
            h("div", {}, text),
          )
        : null,
    );
  }

  tick() {
    for (const el of this.root.querySelectorAll("time[data-at]")) el.textContent = ago(Number(el.dataset.at));
  }

  /** Keep a lease while the view can be seen. */
  attend() {
    let seen = false,
      leased = false,
      /** @type {any} */ timer = null;
    const settle = () => {
      const wanted = seen && document.visibilityState === "visible" && !this.closed;
      if (wanted === leased) return;
      leased = wanted;
      clearInterval(timer);
      this.line.tell(wanted ? "lease" : "release", { view: this.id });
      if (wanted) timer = setInterval(() => this.line.tell("lease", { view: this.id }), RENEW);
    };
    const observer = new IntersectionObserver((entries) => {
      seen = entries[entries.length - 1].isIntersecting;
      settle();
      this.placeNotice();
    });
    observer.observe(this.root);
    this.listen(document, "visibilitychange", settle);
    this.listen(window, "pagehide", () => {
      this.closed = true;
      settle();
    });
    this.listen(window, "pageshow", () => {
      this.closed = false;
      settle();
    });
    this.undo.push(() => {
      observer.disconnect();
      this.closed = true;
      settle();
      clearInterval(timer);
    });
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
  for (let each = el; each && each !== document.body; each = each.parentElement) {
    if (each !== el && getComputedStyle(each).overflowY === "visible") continue;
    const { left, top, right, bottom } = each.getBoundingClientRect();
    part.left = Math.max(part.left, left);
    part.top = Math.max(part.top, top);
    part.right = Math.min(part.right, right);
    part.bottom = Math.min(part.bottom, bottom);
  }
  return part.left < part.right && part.top < part.bottom ? part : null;
}
