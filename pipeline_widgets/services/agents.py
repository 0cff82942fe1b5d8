"""Agents: checkpoints saved under a name, in versions."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline_widgets.domain.experiment import Agent, AgentStatus, AgentVersion, Checkpoint, Reference
from pipeline_widgets.domain.job import Frozen
from pipeline_widgets.domain.snippets import Snippet, snippets
from pipeline_widgets.errors import InUseError, NotFoundError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.store import Store, Work
from pipeline_widgets.services.names import free, trimmed


class AgentService:
    """What can be done with agents."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, checkpoint_id: int, description: str = "") -> Agent:
        """Save a checkpoint as an agent: as a frozen copy.

        Raises:
            NameTakenError: There is an agent of that name.
            CheckpointError: The checkpoint is missing.
        """
        name = trimmed(name, "agent")
        with self._store.read() as work:
            free(name, work.agents.matching((), [name]), "agent")
            checkpoint = work.checkpoints.get(checkpoint_id)
        frozen = artifacts.freeze(checkpoint, name, agents_folder(self._store))
        with self._store.write() as work:
            free(name, work.agents.matching((), [name]), "agent")
            run = work.runs.get(checkpoint.run_id)
            work.projects.touch(run.project_id)
            return save(work, frozen, checkpoint, description)

    def all(self) -> tuple[Agent, ...]:
        """Return all agents in the order of their creation."""
        with self._store.read() as work:
            return work.agents.all()

    def get(self, agent_id: int) -> Agent:
        """Return one agent; NotFoundError without it."""
        with self._store.read() as work:
            return work.agents.get(agent_id)

    def versions(self, agent_id: int) -> tuple[AgentVersion, ...]:
        """Return the versions of an agent, oldest first."""
        with self._store.read() as work:
            return work.agents.versions(agent_id)

    def rollback(self, agent_id: int, number: int) -> Agent:
        """Make a former version the current one.

        Raises:
            NotFoundError: There is no such version.
        """
        with self._store.write() as work:
            numbers = [version.number for version in work.agents.versions(agent_id)]
            if number not in numbers:
                fix = f"There are {', '.join(map(str, numbers))}."
                raise NotFoundError(f"The agent has no version {number}.", fix=fix)
            work.agents.use(agent_id, number)
            return work.agents.get(agent_id)

    def describe(self, agent_id: int, description: str) -> Agent:
        """Give an agent another description."""
        with self._store.write() as work:
            work.agents.get(agent_id)
            work.agents.describe(agent_id, description.strip())
            return work.agents.get(agent_id)

    def snippets(self, agent_id: int, key: str | None = None) -> tuple[Snippet, ...]:
        """Return code that asks an agent; none as long as it was never connected."""
        endpoint = self.get(agent_id).endpoint
        return snippets(endpoint, key) if endpoint is not None and endpoint.url is not None else ()

    def delete(self, agent_id: int) -> None:
        """Delete an agent with its frozen copies; the checkpoints stay.

        Raises:
            InUseError: It is connected, or a stage starts from it.
        """
        with self._store.write() as work:
            agent = work.agents.get(agent_id)
            if agent.status in {AgentStatus.PENDING, AgentStatus.DEPLOYED}:
                what, why = f"Agent {agent.name!r} cannot be deleted.", f"It is {agent.status.lower()}."
                raise InUseError(what, why, "Disconnect it first.")
            if users := work.pipelines.starting_from(agent_id):
                why = f"The first stage of pipeline {users[0].name!r} starts from it."
                what = f"Agent {agent.name!r} cannot be deleted."
                raise InUseError(what, why, "Let that stage start from something else first.")
            copies = {version.path for version in work.agents.versions(agent_id)}
            work.agents.remove(agent_id)
            kept = {each.path for other in work.agents.all() for each in work.agents.versions(other.id)}
        for path in copies - kept:
            shutil.rmtree(path, ignore_errors=True)

    def reference(self, version: AgentVersion) -> Reference:
        """Return where a process finds the code of the algorithm that made a version."""
        with self._store.read() as work:
            return work.experiments.reference(version.algorithm_id)


def agents_folder(store: Store) -> str:
    """Return where the frozen copies of agents are."""
    return str(store.artifacts / "agents")


def save(work: Work, frozen: Frozen, checkpoint: Checkpoint, description: str | None) -> Agent:
    """Give an agent a version within a transaction."""
    maker = work.experiments.get(work.runs.get(checkpoint.run_id).experiment_id or 0)
    return work.agents.save(frozen.name, description, checkpoint, Path(frozen.path), maker)
