// Dialogs, menus and fields: the browser's own, above everything, and closed to the notebook's shortcuts.

import { h, icon, placeBelow, unique } from "./elements.js";
import { sentence } from "./line.js";

/**
 * Open a modal dialog. `act` is called when the form is submitted; while it throws an error, the dialog stays
 * open with what was typed, and shows the error. With `careful` it begins on the button that changes nothing.
 * @param {DialogOptions} options
 */
export function openDialog({
  frame,
  title,
  body,
  confirm,
  danger = false,
  careful = danger,
  act,
  cancel = "Cancel",
  wide = false,
  onclose,
}) {
  const back = /** @type {El} */ (document.activeElement);
  const { el, form, error, ok, no } = dialogParts({ title, body, confirm, cancel, danger, wide });
  /** @param {any} problem */
  const fail = (problem) => {
    error.replaceChildren(
      icon("Failed"),
      h("span", {}, typeof problem === "string" ? problem : sentence(problem)),
    );
    error.scrollIntoView({ block: "nearest" });
  };
  /** @param {any} event */
  const submit = async (event) => {
    event?.preventDefault();
    if (!ok || ok.getAttribute("aria-disabled") === "true") return;
    error.replaceChildren();
    ok.setAttribute("aria-disabled", "true");
    try {
      if ((await act(ok)) !== false) el.close("ok");
    } catch (problem) {
      fail(problem);
    } finally {
      ok.removeAttribute("aria-disabled");
    }
  };
  form.addEventListener("submit", submit);
  // Who corrects the field that was refused is done with what was said of it; the field itself drops its mark
  // after this.
  form.addEventListener(
    "input",
    (/** @type {{ target: any }} */ { target }) =>
      target.getAttribute("aria-invalid") === "true" && error.replaceChildren(),
    true,
  );
  // In an output of JupyterLab the browser's own "Enter submits" never comes.
  form.addEventListener("keydown", (/** @type {any} */ event) => {
    const field =
      event.target.tagName === "INPUT" && !["checkbox", "radio", "search"].includes(event.target.type);
    if (event.key !== "Enter" || !field || !ok || event.isComposing || event.defaultPrevented) return;
    event.preventDefault();
    form.requestSubmit(ok);
  });
  const end = frame.whenGone(() => el.remove());
  el.addEventListener("close", () => {
    end();
    onclose?.(el.returnValue);
    focusAgain(frame, back);
  });
  // In the root, so that it wears its colours; the browser's top layer shows it above everything.
  frame.root.append(el);
  el.showModal();
  focusFirst(el, careful, ok, no);
  return { el, form, fail, submit, close: () => el.close() };
}

/**
 * Make what a dialog is of: a form with its buttons, and a place for an error.
 * @param {Pick<DialogOptions, "title" | "body" | "confirm" | "cancel" | "danger" | "wide">} options
 */
function dialogParts({ title, body, confirm, cancel, danger, wide }) {
  const name = unique("title");
  const error = h("div", { class: "pw-dialog-error", role: "alert" });
  const ok = confirm
    ? h(
        "button",
        { type: "submit", class: `pw-button ${danger ? "pw-danger" : "pw-primary"}` },
        h("span", { class: "pw-label" }, confirm),
      )
    : null;
  const no = h(
    "button",
    { type: "button", class: "pw-button", onclick: () => el.close() },
    h("span", { class: "pw-label" }, cancel),
  );
  const form = h(
    "form",
    { method: "dialog", class: "pw-form", novalidate: true },
    h("div", { class: "pw-dialog-title", id: name }, title),
    h("div", { class: "pw-dialog-body" }, body),
    error,
    h("div", { class: "pw-dialog-actions" }, no, ok),
  );
  const el = h(
    "dialog",
    { class: `pw-dialog${wide ? " pw-wide" : ""}`, "aria-labelledby": name, tabindex: "-1" },
    form,
  );
  return { el, form, error, ok, no };
}

/**
 * Focus what comes first in a dialog; with `careful` the button that changes nothing, unless there are fields.
 * @param {El} el
 * @param {boolean} careful
 * @param {El | null} ok
 * @param {El} no
 */
function focusFirst(el, careful, ok, no) {
  /** @param {string} what */
  const first = (what) => el.querySelector(`.pw-dialog-body :is(${what})`);
  const field = el.querySelector("[autofocus]") || first("input,select,textarea");
  (field || (careful && no) || first("button") || ok || no).focus();
}

/**
 * Give focus back to what had it before a dialog, or to what has taken its place.
 * @param {Frame} frame
 * @param {El} back
 */
function focusAgain(frame, back) {
  /** @param {El} el */
  const seen = (el) => (el?.isConnected && el.getClientRects().length ? el : null);
  const name = back?.dataset?.f;
  const target = seen(back) || (name && seen(frame.root.querySelector(`[data-f="${CSS.escape(name)}"]`)));
  (target || frame.root).focus({ preventScroll: true });
}

/**
 * Ask before something is destroyed.
 * @param {Omit<DialogOptions, "body"> & { text: string | string[] }} options
 */
export function confirmDialog({ frame, title, text, confirm, act }) {
  return openDialog({
    frame,
    title,
    body: [text].flat().map((line) => h("p", {}, line)),
    confirm,
    danger: true,
    act,
  });
}

/**
 * Open a menu under a button. Items: {label, glyph, onclick, reason, danger}; the reason is why it cannot be
 * chosen now.
 * @param {El} opener
 * @param {(MenuItem | null)[]} items
 */
export function openMenu(opener, items) {
  const menu = h("div", {
    class: "pw-menu",
    role: "menu",
    popover: "auto",
    "aria-label": opener.getAttribute("aria-label") || opener.textContent,
  });
  const entries = items.filter(Boolean).map((item) => {
    const why = item.reason ? h("span", { class: "pw-menu-why", id: unique("why") }, item.reason) : null;
    return h(
      "button",
      {
        type: "button",
        role: "menuitem",
        tabindex: "-1",
        class: `pw-menuitem${item.danger ? " pw-danger-text" : ""}`,
        "aria-label": item.label,
        "aria-describedby": why?.id,
        "aria-disabled": why ? "true" : undefined,
        onclick: () => {
          if (why) return;
          menu.hidePopover();
          item.onclick(opener);
        },
      },
      icon(item.glyph || ""),
      h("span", {}, item.label, why),
    );
  });
  menu.append(...entries);
  const root = opener.closest(".pw-root") || document.body;
  root.append(menu);
  /** @param {number} by */
  const step = (by) =>
    entries[
      (entries.indexOf(/** @type {El} */ (document.activeElement)) + by + entries.length) % entries.length
    ].focus();
  menu.addEventListener("keydown", (event) => {
    const act = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Home: () => entries[0].focus(),
      End: () => entries[entries.length - 1].focus(),
      Tab: () => menu.hidePopover(),
    }[event.key];
    if (!act) return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
    act();
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    opener.setAttribute("aria-expanded", "false");
    const inside = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (inside) opener.focus({ preventScroll: true });
  });
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "true");
  menu.showPopover();
  placeBelow(menu, opener.getBoundingClientRect());
  entries[0]?.focus();
}

/**
 * Make a labelled field; `hint` is read with it.
 * @param {string} label
 * @param {El} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  const id = control.id || unique("field");
  control.id = id;
  const note = hint ? h("div", { class: "pw-hint", id: `${id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "pw-field" }, h("label", { for: id }, label), control, note);
}

/**
 * Mark a field as wrong until it is changed, and go there. Returns the error, to be thrown.
 * @param {El} control
 * @param {any} error
 */
export function wrongField(control, error) {
  control.setAttribute("aria-invalid", "true");
  control.addEventListener("input", () => control.removeAttribute("aria-invalid"), { once: true });
  control.focus();
  return error;
}

/**
 * Make a group of radio buttons. Options: {value, label, hint, reason}.
 * @param {string} legend
 * @param {string} name
 * @param {Values[]} options
 * @param {any} chosen
 * @param {(value: any) => unknown} onchange
 */
export function radios(legend, name, options, chosen, onchange) {
  const group = unique(name);
  return h(
    "fieldset",
    { class: "pw-radios" },
    h("legend", {}, legend),
    options.map(({ value, label, hint, reason }) => {
      const id = unique(name);
      const input = h("input", {
        type: "radio",
        name: group,
        id,
        value,
        checked: value === chosen ? true : undefined,
        disabled: reason ? true : undefined,
        onchange: () => onchange(value),
        "aria-describedby": hint || reason ? `${id}-hint` : undefined,
      });
      return h(
        "div",
        { class: "pw-radio" },
        input,
        h("label", { for: id }, label),
        hint || reason ? h("div", { class: "pw-hint", id: `${id}-hint` }, reason || hint) : null,
      );
    }),
  );
}
