// What can be done with a stage: the same in the bar below the graph and in the list.

/**
 * @param {Builder} builder
 * @param {Stage} stage
 * @returns {MenuItem[]}
 */
export function stageActions(builder, stage) {
  return [...runActions(builder, stage), ...editActions(builder, stage)];
}

/**
 * What is done with its runs.
 * @param {Builder} builder
 * @param {Stage} stage
 */
function runActions(builder, stage) {
  /** @type {MenuItem[]} */
  const actions = [];
  if (stage.active)
    actions.push({
      key: "stop",
      label: "Stop",
      glyph: "stop",
      reason: stage.status === "Stopping" ? "It is stopping already." : "",
      onclick: (/** @type {El} */ pressed) => builder.stop(stage, pressed),
    });
  else
    actions.push({
      key: "trigger",
      label: "Trigger stage",
      glyph: "play",
      primary: true,
      reason: (stage.blockers || []).join(" "),
      onclick: () => builder.trigger(stage),
    });
  if (stage.resumable)
    actions.push({
      key: "resume",
      label: "Resume",
      glyph: "resume",
      title: "Go on from its own last checkpoint",
      onclick: () => builder.trigger(stage, true),
    });
  if (stage.kind === "Experiment")
    actions.push({
      key: "results",
      label: "Results",
      glyph: "results",
      onclick: (/** @type {El} */ pressed) => builder.frame.run("results", { stage: stage.id }, pressed),
    });
  return actions;
}

/**
 * What is done with its place and its settings.
 * @param {Builder} builder
 * @param {Stage} stage
 * @returns {MenuItem[]}
 */
function editActions(builder, stage) {
  const last = builder.stages.length,
    at = stage.n - 1;
  return [
    {
      key: "edit",
      label: "Edit stage",
      glyph: "edit",
      reason: stage.locked,
      onclick: () => builder.edit(stage.id),
    },
    {
      key: "left",
      label: "Move left",
      glyph: "left",
      quiet: true,
      reason: at === 0 ? "It is the first stage." : stage.locked,
      onclick: (/** @type {El} */ pressed) => builder.move(stage.id, at - 1, pressed),
    },
    {
      key: "right",
      label: "Move right",
      glyph: "right",
      quiet: true,
      reason: at === last - 1 ? "It is the last stage." : stage.locked,
      onclick: (/** @type {El} */ pressed) => builder.move(stage.id, at + 1, pressed),
    },
    {
      key: "before",
      label: "Insert before",
      glyph: "before",
      quiet: true,
      onclick: () => builder.insert(at),
    },
    {
      key: "after",
      label: "Insert after",
      glyph: "after",
      quiet: true,
      onclick: () => builder.insert(at + 1),
    },
    {
      key: "remove",
      label: "Delete stage",
      glyph: "trash",
      quiet: true,
      danger: true,
      reason: stage.locked,
      onclick: () => builder.remove(stage.id),
    },
  ];
}
