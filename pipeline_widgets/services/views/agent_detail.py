"""What an expanded agent shows: its versions, and which run and pipeline made each, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.experiment import Agent, AgentVersion
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.snippets import Snippet, snippets
from pipeline_widgets.persistence.store import Store, Work
from pipeline_widgets.services.views.lineage import place


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRow:
    """A version of an agent as a table shows it."""

    version: AgentVersion
    #: Which run and pipeline made it, and what saved it, in sentences.
    lineage: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentDetail:
    """An agent at one moment."""

    agent: Agent
    #: Latest first.
    versions: tuple[VersionRow, ...]
    #: Without the key, which nobody knows; none as long as it was never connected.
    snippets: tuple[Snippet, ...]


class AgentDetailService:
    """The read model of one agent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def look(self, agent_id: int) -> AgentDetail:
        """Return what is to be seen of an agent.

        Raises:
            NotFoundError: It is gone.
        """
        with self._store.read() as work:
            agent = work.agents.get(agent_id)
            versions = work.agents.versions(agent_id)
            told = _lineages(work, agent, versions)
        endpoint = agent.endpoint
        return AgentDetail(
            agent=agent,
            versions=tuple(VersionRow(version=each, lineage=told[each.id]) for each in reversed(versions)),
            snippets=snippets(endpoint) if endpoint is not None and endpoint.url is not None else (),
        )


def _lineages(work: Work, agent: Agent, versions: Sequence[AgentVersion]) -> Mapping[int, str]:
    """Say of each version how it came about, with as many questions for one as for many."""
    checkpoints = {each.checkpoint.id for each in versions}
    makers = work.runs.by_id({each.checkpoint.run_id for each in versions})
    users = work.runs.using(checkpoints)
    runs = [*makers.values(), *users]
    pipelines = work.pipelines.by_id({run.pipeline_id for run in runs if run.pipeline_id is not None})
    experiments = work.experiments.by_id({run.experiment_id or 0 for run in makers.values()})
    projects = {each.id: each.name for each in work.projects.all()}
    found: dict[int, str] = {}
    for each in versions:
        maker = makers[each.checkpoint.run_id]
        named = experiments[maker.experiment_id or 0].name
        of = f" of project {projects[maker.project_id]!r}" if len(projects) > 1 else ""
        where = place(maker, pipelines)
        trained = f"trained in {where}" if where else "trained by itself"
        made = f"Step {each.checkpoint.step} of {maker.label} of experiment {named!r}{of}, {trained}."
        found[each.id] = f"{made} {_saved(agent, each, maker, users, pipelines)}"
    return found


def _saved(
    agent: Agent, version: AgentVersion, maker: Run, users: Sequence[Run], pipelines: Mapping[int, Pipeline]
) -> str:
    """Say what made a version: a training saves one as it ends, a deployment before it is served."""
    for run in users:
        deploys = run.experiment_id is None and run.config.get("agent_name") == agent.name
        if deploys and run.start_checkpoint_id == version.checkpoint.id and run.spans(version.created_at):
            where = place(run, pipelines)
            return f"Deployed by {where}, {run.label}." if where else f"Deployed by {run.label}."
    return "Added when that run completed." if maker.finished_at == version.created_at else "Saved by hand."
