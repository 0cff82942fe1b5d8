"""The details of an expanded agent: its versions, and which run and pipeline made each, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.agent import Agent, AgentVersion
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.run import Run, trained_experiment_ids
from pipeline_widgets.domain.snippets import Snippet, make_snippets
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.queries.lineage import place


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


class AgentDetailQueries:
    """The read model of one agent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, agent_id: int) -> AgentDetail:
        """Return what is to be seen of an agent.

        Raises:
            NotFoundError: It is gone.
        """
        with self._store.read() as work:
            agent = work.agents.get(agent_id)
            versions = work.agents.versions(agent_id)
            told = describe_versions(work, versions)
        endpoint = agent.endpoint
        return AgentDetail(
            agent=agent,
            versions=tuple(VersionRow(version=each, lineage=told[each.id]) for each in reversed(versions)),
            snippets=make_snippets(endpoint, agent.name)
            if endpoint is not None and endpoint.url is not None
            else (),
        )


def describe_versions(work: UnitOfWork, versions: Sequence[AgentVersion]) -> Mapping[int, str]:
    """Describe how each version came about, by its id, with as many queries for one as for many."""
    makers = work.runs.by_id({each.checkpoint.run_id for each in versions})
    savers = work.runs.by_id({each.run_id for each in versions if each.run_id is not None})
    runs = [*makers.values(), *savers.values()]
    pipelines = work.pipelines.by_id({run.pipeline_id for run in runs if run.pipeline_id is not None})
    experiments = work.experiments.by_id(trained_experiment_ids(makers.values()))
    projects = {each.id: each.name for each in work.projects.all()}
    found: dict[int, str] = {}
    for each in versions:
        maker = makers[each.checkpoint.run_id]
        named = experiments[maker.trained_experiment_id].name
        of = f" of project {quote(projects[maker.project_id])}" if len(projects) > 1 else ""
        where = place(maker, pipelines)
        trained = f"trained in {where}" if where else "trained on its own"
        made = f"Step {each.checkpoint.step} of {maker.label} of experiment {quote(named)}{of}, {trained}."
        found[each.id] = f"{made} {_describe_origin(savers.get(each.run_id or 0), maker, pipelines)}"
    return found


def _describe_origin(run: Run | None, maker: Run, pipelines: Mapping[int, Pipeline]) -> str:
    """Say what made a version: a run that deployed it, one that added it as it completed, or a person."""
    if run is None:
        return "Saved by hand."
    if not run.is_deployment:
        return f"Added when {'that run' if run == maker else run.label} completed."
    where = place(run, pipelines)
    return f"Deployed by {where}, {run.label}." if where else f"Deployed by {run.label}."
