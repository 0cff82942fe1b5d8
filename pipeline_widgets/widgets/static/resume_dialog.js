// The dialog that goes on from a checkpoint, in a new experiment.

import { field, openDialog } from "./dialogs.js";
import { h, icon, redraw } from "./elements.js";
import { CheckpointPicker } from "./pickers.js";
import { isStep, stepOrder } from "./steps.js";
import { count, isolated } from "./text.js";

/**
 * @param {any} table
 * @param {Row} row
 * @param {El} pressed
 * @returns {Promise<any>}
 */
export async function openResume(table, row, pressed) {
  const { frame } = table;
  const offer = await frame.run("resume_form", { experiment: row.id }, pressed);
  if (!offer) return;
  if (!offer.runs.length)
    return void frame.notice(`${isolated(row.name)} cannot be resumed. ${offer.obstacle}`, "error");
  const name = h("input", { type: "text", value: offer.name, autocomplete: "off", spellcheck: "false" });
  const from = resumeChoice(offer);
  /** @type {any} */
  let made = null;
  const dialog = openDialog({
    frame,
    title: `Resume “${isolated(row.name)}”`,
    confirm: "Resume",
    wide: true,
    body: [
      offer.warning
        ? h("div", { class: "pw-notice pw-warning" }, icon("Stale"), h("div", {}, offer.warning))
        : null,
      ...from.parts,
      field(
        "Name of the new experiment",
        name,
        "It has the same config and seed otherwise, and goes on from that checkpoint. This one stays as " +
          "it is.",
      ),
    ].filter(Boolean),
    act: async (button) => {
      made = await frame.line.ask(
        "resume",
        { experiment: row.id, name: name.value, ...from.chosen() },
        button,
      );
    },
    onclose: () =>
      made && queueMicrotask(() => table.arrive(made, `Resumed as ${isolated(made.name)}.`, true)),
  });
  if (!offer.obstacle) return;
  const ok = dialog.form.querySelector("button[type=submit]");
  ok.setAttribute("aria-disabled", "true");
  ok.title = offer.obstacle;
  dialog.fail(offer.obstacle);
}

/**
 * What a new experiment goes on from: a run, one of its checkpoints, and where it ends.
 * @param {Values} offer
 */
function resumeChoice(offer) {
  const place = h("div"),
    last = h("div"),
    nothing = h("div", { role: "status" });
  let /** @type {any} */ run,
    /** @type {any} */ choice,
    /** @type {any} */ length = null;
  /** @param {number} id */
  const pick = (id) => {
    run = offer.runs.find((/** @type {any} */ each) => each.id === Number(id));
    choice = "final";
    length =
      run.length &&
      h("input", {
        type: "text",
        inputmode: "numeric",
        value: String(run.ends ?? ""),
        autocomplete: "off",
        spellcheck: "false",
        oninput: warn,
      });
    place.replaceChildren(
      new CheckpointPicker({
        legend: "Checkpoint",
        offer: run,
        choice,
        onchange: (chosen) => {
          choice = chosen;
          warn();
        },
      }).el,
    );
    last.replaceChildren(
      ...(length ? [field(run.length.label, length, "The new experiment ends at this step.")] : []),
    );
    last.hidden = !length;
    warn();
  };
  const warn = () => {
    redraw(nothing, trainsNothing(run, choice, length?.value));
    nothing.hidden = !nothing.firstChild;
  };
  const runs = h(
    "select",
    { onchange: () => pick(runs.value) },
    offer.runs.map(
      (/** @type {{ id: number, label: string, checkpoints: Values[] }} */ { id, label, checkpoints }) =>
        h("option", { value: id }, `${label}, ${count(checkpoints.length, "checkpoint")}`),
    ),
  );
  pick(offer.runs[0].id);
  const chosen = () => {
    const longer = length && length.value.trim() !== String(run.ends);
    return { run: run.id, choice, config: longer ? { [run.length.name]: length.value.trim() } : null };
  };
  return { parts: [offer.runs.length > 1 ? field("Run", runs) : null, place, nothing, last], chosen };
}

/**
 * Warn where the chosen checkpoint is at the end of what the new experiment will train.
 * @param {{ best: any, final: any, ends: any, length: any }} options
 * @param {Step} choice
 * @param {any} typed
 */
function trainsNothing({ best, final, ends, length }, choice, typed) {
  const step = { best, final }[choice]?.step ?? choice,
    end = typed === undefined ? ends : typed.trim();
  if (!Number(end) || (isStep(end) ? stepOrder(step, end) < 0 : step < Number(end))) return null;
  const todo = length ? `Raise ${length.label} below.` : "Raise it in the config first.";
  return h(
    "div",
    { class: "pw-notice pw-warning" },
    icon("Stale"),
    h(
      "div",
      {},
      `This checkpoint is at step ${step} of ${end}: resumed as it is, it trains nothing. ${todo}`,
    ),
  );
}
