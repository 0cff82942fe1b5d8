"""The agent of a Deployment stage: which one its panel shows, and what became of the version that it made."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.chain import DeploymentStage
from pipeline_widgets.domain.run import Status
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services.queries.agent_detail import describe_versions
from pipeline_widgets.services.queries.run_detail import RunDetail


@dataclass(frozen=True, kw_only=True, slots=True)
class StageAgent:
    """The agent of a Deployment stage at one moment."""

    #: The agent that the stage deploys to.
    name: str
    #: None where there is none of that name.
    agent_id: int | None
    #: Why what is shown is not what the latest run of the stage has made; empty where it is.
    note: str


class StageAgentQueries:
    """The read model of the agent of a Deployment stage."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, stage: DeploymentStage, run: RunDetail | None) -> StageAgent:
        """Return the agent that the latest run of a stage has made, or else the one that it would deploy to.

        Args:
            stage: The stage.
            run: Its latest run; None where it never ran.
        """
        made = run.agent if run is not None else None
        with self._store.read() as work:
            ids = () if made is None else (made.agent_id,)
            found = work.agents.matching(ids, () if ids else (stage.agent_name,))
            agent = found[0] if found else None
            if agent is None:
                was_made = run is not None and run.run.status is Status.SUCCEEDED
                note = _missing(stage.agent_name, was_made=was_made)
            elif made is None:
                note = _not_by_this_stage(agent, has_run=run is not None)
            elif agent.current.number == made.number:
                note = ""
            else:
                told = describe_versions(work, [agent.current])[agent.current.id]
                note = (
                    f"Version {agent.current.number} is current, not version {made.number}, which the "
                    f"latest run of this stage has made. {told}"
                )
        return StageAgent(
            name=stage.agent_name if agent is None else agent.name,
            agent_id=None if agent is None else agent.id,
            note=note,
        )


def _missing(name: str, *, was_made: bool) -> str:
    if was_made:
        return f"Agent {quote(name)} was deleted. Trigger the stage to make it again."
    return f"Trigger the stage: it saves the checkpoint as agent {quote(name)}, and serves it."


def _not_by_this_stage(agent: Agent, *, has_run: bool) -> str:
    number = agent.current.number
    if has_run:
        return f"The latest run of this stage has made no version of it; version {number} is the current one."
    return (
        f"This stage has not deployed to it yet; version {number} is current, and its next version will be "
        "made when the stage runs."
    )
