// The dialog that frees the disk space of checkpoints: first what would go and why the rest stays, then the
// deed.

import { openDialog, radios } from "./dialogs.js";
import { h, redraw, setText } from "./elements.js";
import { bytes, count, inFull } from "./text.js";

const KEEPS = [
  { value: "best+final", label: "Best and final checkpoint" },
  { value: "best", label: "Best checkpoint" },
  { value: "final", label: "Final checkpoint" },
];
const ALWAYS =
  "Whatever you choose, these stay: what a run has consumed, what is saved as an Agent, what a stage " +
  "would start from, and what can be resumed from.";

/**
 * @param {any} table
 * @param {El} pressed
 */
export async function openCleanUp(table, pressed) {
  const { frame } = table;
  const first = await frame.run("clean_up_form", { keep: KEEPS[0].value }, pressed);
  if (!first) return;
  const told = h("div", { class: "pw-cu-told" });
  let keep = KEEPS[0].value,
    asked = 0,
    /** @type {any} */ freed = null;
  const dialog = openDialog({
    frame,
    title: "Clean up checkpoints",
    confirm: "Free",
    danger: true,
    wide: true,
    body: [
      radios("Keep of each run", "keep", KEEPS, keep, choose),
      h("div", { class: "pw-hint" }, ALWAYS),
      told,
    ],
    act: async (button) => {
      freed = await frame.line.ask("clean_up", { keep }, button);
    },
    onclose: () => freed && queueMicrotask(() => frame.notice(freedWords(freed))),
  });
  const ok = dialog.form.querySelector("button[type=submit]");
  show(first);

  /** @param {any} value */
  async function choose(value) {
    keep = value;
    asked += 1;
    const mine = asked; // a late answer to an earlier choice is not shown
    ok.setAttribute("aria-disabled", "true");
    try {
      const found = await frame.line.ask("clean_up_form", { keep });
      if (mine === asked) show(found);
    } catch (problem) {
      if (mine === asked) dialog.fail(problem);
    }
  }

  /** @param {any} found */
  function show(found) {
    const { freed: gone, freed_size: size, checkpoints, size: whole } = found.all;
    const nothing = checkpoints
      ? "Every checkpoint is needed: nothing can be freed."
      : "No checkpoint has been saved yet.";
    setText(ok.querySelector(".pw-label"), gone ? `Free ${bytes(size)}` : "Free");
    ok.title = gone ? "" : nothing;
    if (gone) ok.removeAttribute("aria-disabled");
    else ok.setAttribute("aria-disabled", "true");
    redraw(
      told,
      h(
        "p",
        { class: "pw-cu-sum", role: "status" },
        gone
          ? `${inFull(gone)} of ${count(checkpoints, "checkpoint")} would be deleted, ${bytes(size)} of ` +
              `${bytes(whole)}. That cannot be undone.`
          : nothing,
      ),
      gone ? freedTable(found) : null,
      found.kept.length ? keptTable(found) : null,
    );
  }
}

/** @param {{ freed: number, freed_size: number }} done */
function freedWords({ freed, freed_size: size }) {
  return `${count(freed, "checkpoint")} deleted, ${bytes(size)} freed.`;
}

/** @param {{ experiments: Row[], more_experiments: any }} options */
function freedTable({ experiments, more_experiments: more }) {
  return h(
    "div",
    {
      class: "pw-cu-scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "What would be deleted",
      "data-scroll": "freed",
    },
    h(
      "table",
      { class: "pw-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Experiment"),
          h("th", { scope: "col", class: "pw-number" }, "Deleted"),
          h("th", { scope: "col", class: "pw-number" }, "Stay"),
          h("th", { scope: "col", class: "pw-number" }, "Freed"),
        ),
      ),
      h(
        "tbody",
        {},
        experiments.map((each) =>
          h(
            "tr",
            {},
            h("th", { scope: "row", class: "pw-cu-name", dir: "auto" }, each.experiment),
            h("td", { class: "pw-number" }, inFull(each.freed)),
            h("td", { class: "pw-number" }, inFull(each.checkpoints - each.freed)),
            h("td", { class: "pw-number" }, each.freed ? bytes(each.freed_size) : "–"),
          ),
        ),
      ),
    ),
    more ? h("div", { class: "pw-hint" }, `${count(more, "more experiment")}.`) : null,
  );
}

/** @param {{ kept: any, more_kept: any }} options */
function keptTable({ kept, more_kept: more }) {
  return h(
    "details",
    { class: "pw-cu-kept" },
    h("summary", {}, `Why ${inFull(kept.length + more)} ${kept.length + more === 1 ? "stays" : "stay"}`),
    h(
      "div",
      {
        class: "pw-cu-scroll",
        tabindex: "0",
        role: "region",
        "aria-label": "What stays",
        "data-scroll": "kept",
      },
      h(
        "table",
        { class: "pw-table" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Experiment"),
            h("th", { scope: "col", class: "pw-number" }, "Run"),
            h("th", { scope: "col", class: "pw-number" }, "Step"),
            h("th", { scope: "col", class: "pw-number" }, "Size"),
            h("th", { scope: "col" }, "Because"),
          ),
        ),
        h(
          "tbody",
          {},
          kept.map((/** @type {any} */ each) =>
            h(
              "tr",
              {},
              h("th", { scope: "row", class: "pw-cu-name", dir: "auto" }, each.experiment),
              h("td", { class: "pw-number" }, each.run),
              h("td", { class: "pw-number" }, inFull(each.step)),
              h("td", { class: "pw-number" }, bytes(each.size)),
              h("td", { class: "pw-cu-why" }, each.reasons.join("; ")),
            ),
          ),
        ),
      ),
      more
        ? h("div", { class: "pw-hint" }, `${count(more, "more checkpoint")}; project.gc().df has all.`)
        : null,
    ),
  );
}
