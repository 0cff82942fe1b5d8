// The views, by the names of their classes in Python. This is where the joined module begins and ends.

import { AgentPanel } from "./agent.js";
import { AgentsTable } from "./agents.js";
import { renderChildrenBy } from "./children.js";
import { ExperimentPanel } from "./experiment.js";
import { ExperimentsTable } from "./experiments.js";
import { Builder } from "./pipeline.js";
import { PipelineTable } from "./pipeline_list.js";
import { ProjectTabs } from "./project.js";
import { ResultsPanel } from "./results.js";
import { styleShadow } from "./shadow.js";
import { attach } from "./state.js";
import { WorkspaceHome } from "./workspace.js";

/**
 * What stands behind each view; its `frame` ends it.
 * @type {Record<string, new (rendered: Rendered) => { frame: Frame }>}
 */
const VIEWS = {
  AgentView: AgentPanel,
  AgentsView: AgentsTable,
  ExperimentView: ExperimentPanel,
  ExperimentsView: ExperimentsTable,
  PipelineView: Builder,
  PipelineList: PipelineTable,
  ProjectView: ProjectTabs,
  ResultsView: ResultsPanel,
  WorkspaceView: WorkspaceHome,
};

/**
 * Follow a model from when it is made, whether or not a view of it is there. Returns what ends that.
 * @param {{ model: Model, early: object[] }} options with the messages that have come for it before
 */
export function initialize({ model, early }) {
  return attach(model, early);
}

/**
 * Render a view of a model. Returns what ends it.
 * @param {{ model: Model, el: El }} options
 */
export function render({ model, el }) {
  const { frame } = new VIEWS[model.get("view")]({ model, el });
  styleShadow(frame, model);
  return () => frame.close();
}

renderChildrenBy({ begin: attach, render });
