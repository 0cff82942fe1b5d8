// Dialogs and menus: the browser's own, above everything, and closed to the notebook's shortcuts.

import {
  arrowTo,
  buttonLabel,
  draw,
  failure,
  find,
  focused,
  focusOn,
  html,
  icon,
  make,
  named,
  placeBelow,
  unique,
} from "./elements.js";
import { sentence } from "./line.js";
import { nothing } from "./vendor/lit.js";

/**
 * Open a modal dialog. `act` is called when the form is submitted; while it throws an error, the dialog stays
 * open with what was typed, and shows the error. With `careful` it begins on the button that changes nothing.
 * @param {DialogOptions} options
 */
export const openDialog = (options) => new Dialog(options);

class Dialog {
  /** @param {DialogOptions} options */
  constructor(options) {
    this.options = options;
    this.name = unique("title");
    /** @type {Content} */
    this.error = null;
    this.busy = this.corrects = false;
    const { frame, wide, kind = "", onclose } = options;
    const back = focused();
    this.el = /** @type {HTMLDialogElement} */ (
      make(
        html`<dialog class=${`pw-dialog ${kind}${wide ? " pw-wide" : ""}`} aria-labelledby=${this.name}
          tabindex="-1">
          <form method="dialog" class="pw-form" novalidate></form>
        </dialog>`,
      )
    );
    this.form = /** @type {HTMLFormElement} */ (find(this.el, "form"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    // Who corrects the field that was refused is done with what was said of it. The field itself drops its
    // mark, keeps what is typed, and may say something else, in between.
    const corrects = (/** @type {Event} */ { target }) => {
      this.corrects = isWrong(target);
      if (this.corrects) this.error = null;
    };
    this.form.addEventListener("input", corrects, true);
    this.form.addEventListener("input", () => this.corrects && this.draw());
    this.form.addEventListener("keydown", (event) => this.key(/** @type {At} */ (event)));
    const end = frame.whenGone(() => this.el.remove());
    this.el.addEventListener("close", () => {
      end();
      focusAgain(frame, back);
      onclose?.(this.el.returnValue);
    });
    this.draw();
    // In the root, so that it wears its colours; the browser's top layer shows it above everything.
    frame.root.append(this.el);
    this.el.showModal();
    this.focusFirst();
  }

  /**
   * Show other options from now on.
   * @param {Partial<DialogOptions>} options
   */
  update(options) {
    Object.assign(this.options, options);
    this.draw();
  }

  draw() {
    const {
      title,
      body,
      confirm,
      reason,
      waits,
      cancel = "Cancel",
      danger,
      actions,
      question,
    } = this.options;
    const off = this.busy || waits || !!reason;
    draw(
      this.form,
      html`<div class="pw-dialog-title" id=${this.name}>${title}</div>
        <div class="pw-dialog-body" ?hidden=${!!question}>${typeof body === "function" ? body() : body}</div>
        ${question?.body}
        <div class="pw-dialog-error" role="alert">${this.error}</div>
        <div class="pw-dialog-actions">
          ${
            question?.actions ?? [
              actions,
              html`<button type="button" name="cancel" class="pw-button" @click=${() => this.close()}>
                <span class="pw-label">${cancel}</span>
              </button>`,
              confirm
                ? html`<button type="submit" class=${`pw-button ${danger ? "pw-danger" : "pw-primary"}`}
                    title=${reason || nothing} data-title=${reason ?? ""}
                    aria-disabled=${off ? "true" : nothing}>
                    ${buttonLabel(confirm)}
                  </button>`
                : null,
            ]
          }
        </div>`,
    );
  }

  /** The button that confirms; there is none in a dialog that only shows something. */
  get ok() {
    return /** @type {HTMLButtonElement | null} */ (this.form.querySelector("[type=submit]"));
  }

  /**
   * Show what went wrong, and perhaps what can be done about it.
   * @param {unknown} problem
   * @param {Content} [more]
   */
  fail(problem, more) {
    this.say([failure(typeof problem === "string" ? problem : sentence(problem)), more]);
    find(this.form, ".pw-dialog-error").scrollIntoView({ block: "nearest" });
  }

  /** @param {Content} [error] */
  say(error) {
    this.error = error;
    this.draw();
  }

  async submit() {
    const { ok } = this;
    if (!ok || ok.getAttribute("aria-disabled") === "true") return;
    this.busy = true;
    this.say();
    try {
      if ((await this.options.act?.(ok)) !== false) this.close("ok");
    } catch (problem) {
      this.fail(problem);
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  /**
   * In an output of JupyterLab the browser's own "Enter submits" never comes.
   * @param {At} event
   */
  key(event) {
    const { ok } = this,
      { tagName, type } = event.target;
    const isField = tagName === "INPUT" && !["checkbox", "radio", "search"].includes(type);
    if (event.key !== "Enter" || !isField || !ok || event.isComposing || event.defaultPrevented) return;
    event.preventDefault();
    this.form.requestSubmit(ok);
  }

  /**
   * Focus what comes first; with `careful` the button that changes nothing, unless there are fields.
   */
  focusFirst() {
    const { danger = false, careful = danger } = this.options;
    const first = (/** @type {string} */ what) => this.el.querySelector(`.pw-dialog-body :is(${what})`);
    const no = find(this.form, "[name=cancel]");
    const field = this.el.querySelector("[autofocus]") || first("input,select,textarea");
    (field || (careful && no) || first("button") || this.ok || no).focus();
  }

  close(value = "") {
    this.el.close(value);
  }
}

/** @param {EventTarget | null} field */
const isWrong = (field) => field instanceof Element && field.getAttribute("aria-invalid") === "true";

/**
 * Give focus back to what had it before a dialog, or to what has taken its place.
 * @param {Frame} frame
 * @param {El | null} back
 */
function focusAgain(frame, back) {
  /** @param {El | null} el */
  const seen = (el) => (el?.isConnected && el.getClientRects().length ? el : null);
  const name = back?.dataset?.f;
  focusOn(seen(back) || (name && seen(frame.root.querySelector(named(name)))) || frame.root);
}

/**
 * Sentences, one below the other.
 * @param {...string} lines
 */
export const paragraphs = (...lines) => lines.map((line) => html`<p>${line}</p>`);

/**
 * Open a menu under a button. The reason of an item is why it cannot be chosen now.
 * @param {El} opener
 * @param {(MenuItem | null)[]} items
 */
export function openMenu(opener, items) {
  const menu = make(
    html`<div class="pw-menu" role="menu" popover="auto"
      aria-label=${opener.getAttribute("aria-label") || opener.textContent}>
      ${items.map((item) => item && menuItem(item, () => choose(item)))}
    </div>`,
  );
  const entries = /** @type {El[]} */ ([...menu.children]);
  /** @param {MenuItem} item */
  const choose = (item) => {
    menu.hidePopover();
    item.onclick(opener);
  };
  (opener.closest(".pw-root") || document.body).append(menu);
  menu.addEventListener("keydown", (event) => menuKey(event, menu, entries));
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    opener.setAttribute("aria-expanded", "false");
    const inside = menu.contains(focused()) || focused() === document.body;
    menu.remove();
    if (inside) focusOn(opener);
  });
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "true");
  menu.showPopover();
  placeBelow(menu, opener.getBoundingClientRect());
  entries[0]?.focus();
}

/**
 * @param {MenuItem} item
 * @param {() => void} choose
 */
function menuItem({ label, glyph, reason, danger }, choose) {
  const id = unique("why"),
    why = reason ? html`<span class="pw-menu-why" id=${id}>${reason}</span>` : null;
  return html`<button type="button" role="menuitem" tabindex="-1" aria-label=${label}
    class=${`pw-menuitem${danger ? " pw-danger-text" : ""}`} aria-describedby=${reason ? id : nothing}
    aria-disabled=${reason ? "true" : nothing} @click=${() => reason || choose()}
  >${icon(glyph)}<span>${label}${why}</span></button>`;
}

/**
 * @param {KeyboardEvent} event
 * @param {El} menu
 * @param {El[]} entries
 */
function menuKey(event, menu, entries) {
  const at = entries.indexOf(/** @type {El} */ (focused()));
  const to = arrowTo(event.key, at, entries.length, { forth: "ArrowDown", back: "ArrowUp" });
  if (to === undefined && event.key !== "Tab") return;
  event.stopPropagation();
  if (to === undefined) return menu.hidePopover();
  event.preventDefault();
  entries[to].focus();
}
