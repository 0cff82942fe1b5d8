// What can be done with a stage: the same in the bar below the graph and in the list.

/**
 * @param {Builder} builder
 * @param {Stage} stage
 * @returns {MenuItem[]}
 */
export const stageActions = (builder, stage) => [
  ...runActions(builder, stage),
  ...editActions(builder, stage),
];

/**
 * What is done with its runs.
 * @param {Builder} builder
 * @param {Stage} stage
 */
function runActions(builder, stage) {
  /** @type {MenuItem[]} */
  const actions = [],
    blocked = (stage.blockers || []).join(" ");
  if (stage.active)
    actions.push({
      key: "stop",
      label: "Stop",
      glyph: "stop",
      reason: stage.status === "Stopping" ? "It is already stopping." : "",
      onclick: (pressed) => builder.frame.run("stop", { stage: stage.id }, pressed),
    });
  else if (stage.resumable)
    actions.push(
      {
        key: "resume",
        label: "Resume",
        glyph: "resume",
        primary: true,
        title: "Resume from its own last checkpoint",
        onclick: () => builder.trigger(stage, true),
      },
      {
        key: "trigger",
        label: "Start over…",
        glyph: "redo",
        title: "Begin again; its checkpoints so far stay",
        reason: blocked,
        onclick: () => builder.trigger(stage, false, true),
      },
    );
  else
    actions.push({
      key: "trigger",
      label: "Trigger stage",
      glyph: "play",
      primary: true,
      reason: blocked,
      onclick: () => builder.trigger(stage),
    });
  if (stage.kind === "Experiment")
    actions.push({
      key: "results",
      label: "Results",
      glyph: "results",
      onclick: (pressed) => builder.frame.run("results", { stage: stage.id }, pressed),
    });
  return actions;
}

/**
 * What is done with its place and its settings.
 * @param {Builder} builder
 * @param {Stage} stage
 * @returns {MenuItem[]}
 */
function editActions(builder, { id, n, locked }) {
  const at = n - 1,
    last = builder.stages.length - 1;
  /**
   * @param {string} key
   * @param {string} label
   * @param {string} glyph
   * @param {MenuItem["onclick"]} onclick
   * @param {string} [reason]
   */
  const quiet = (key, label, glyph, onclick, reason) => ({ key, label, glyph, quiet: true, reason, onclick });
  return [
    { key: "edit", label: "Edit stage", glyph: "edit", reason: locked, onclick: () => builder.edit(id) },
    quiet(
      "left",
      "Move left",
      "left",
      (pressed) => builder.move(id, at - 1, pressed),
      at === 0 ? "It is the first stage." : locked,
    ),
    quiet(
      "right",
      "Move right",
      "right",
      (pressed) => builder.move(id, at + 1, pressed),
      at === last ? "It is the last stage." : locked,
    ),
    quiet("before", "Insert before", "before", () => builder.insert(at)),
    quiet("after", "Insert after", "after", () => builder.insert(at + 1)),
    { ...quiet("remove", "Delete stage", "trash", () => builder.remove(id), locked), danger: true },
  ];
}
