"""Agents: checkpoints saved under a name, in versions."""

from __future__ import annotations

from pathlib import Path

from pipeline_widgets.domain.agent import Agent, AgentVersion
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.edits import TEXTS, Change, ChangeKind
from pipeline_widgets.domain.job import FrozenCopy
from pipeline_widgets.domain.names import check_name_available, validate_description, validate_name
from pipeline_widgets.domain.snippets import Snippet, make_snippets
from pipeline_widgets.errors import ConflictError, InUseError, NotFoundError
from pipeline_widgets.persistence import artifact_paths
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history


class AgentService:
    """Use cases of agents."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, checkpoint_id: int, description: str = "") -> Agent:
        """Save a checkpoint as an agent: as a frozen copy.

        Raises:
            NameTakenError: There is an agent of that name.
            CheckpointError: The checkpoint is missing.
            NotFoundError: It was deleted meanwhile.
        """
        self._store.trust.check()  # before a file is copied
        name, description = validate_name(name, "agent"), validate_description(description, "agent")
        with self._store.read() as work:
            check_name_available(name, work.agents.matching((), [name]), "agent")
            checkpoint = work.checkpoints.get(checkpoint_id)
            spec = work.experiments.get(work.runs.get(checkpoint.run_id).trained_experiment_id).spec
        parent = str(self._store.agents_folder)
        is_adopted = self._store.trust.is_vouched_for(checkpoint.path, checkpoint.digest)
        frozen = self._store.artifact_store.freeze(
            checkpoint, name, parent, spec.training_only, is_adopted=is_adopted
        )
        try:
            return self._save(frozen, checkpoint_id, description)
        except Exception:
            self._store.artifact_store.remove(Path(frozen.path))
            raise

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

    def rollback(self, agent_id: int, number: int, *, expected_version: int | None = None) -> Agent:
        """Make a former version the current one.

        Raises:
            NotFoundError: There is no such version.
            StaleWriteError: Another one has become the current one since `expected_version` of the row.
        """
        with self._store.write() as work:
            agent = work.agents.get(agent_id)
            history.check_version(work, agent, expected_version, {ChangeKind.VERSION_CHOSEN})
            numbers = [version.number for version in work.agents.versions(agent_id)]
            if number not in numbers:
                fix = f"There are {', '.join(map(str, numbers))}."
                raise NotFoundError(f"The agent has no version {number}.", fix=fix)
            return choose_version(work, agent, number)

    def describe(self, agent_id: int, description: str, *, expected_version: int | None = None) -> Agent:
        """Give an agent another description.

        Raises:
            StaleWriteError: It was described otherwise since `expected_version` of the row (spec 5.13).
        """
        description = validate_description(description, "agent")
        with self._store.write() as work:
            agent = work.agents.get(agent_id)
            history.check_version(work, agent, expected_version, TEXTS)
            if description == agent.description:
                return agent
            described = work.agents.describe(agent, description)
            history.record_change(work, described, "Edited the description.", [Change(ChangeKind.DESCRIBED)])
            return described

    def snippets(self, agent_id: int, key: str | None = None) -> tuple[Snippet, ...]:
        """Return code that asks an agent; none as long as it was never connected."""
        agent = self.get(agent_id)
        if agent.endpoint is None or agent.endpoint.url is None:
            return ()
        return make_snippets(agent.endpoint, agent.name, key)

    def delete(self, agent_id: int) -> None:
        """Delete an agent with its frozen copies; the checkpoints stay.

        Raises:
            InUseError: It is connected, or a stage starts from it.
            CheckpointError: Its row names a folder that is not a copy of an agent; nothing is deleted then.
        """
        with self._store.write() as work:
            agent = work.agents.get(agent_id)
            if agent.deletion_blocker:
                what = f"Agent {agent.name!r} cannot be deleted."
                raise InUseError(what, agent.deletion_blocker, "Disconnect it first.")
            if users := work.pipelines.starting_from(agent_id):
                why = f"The first stage of pipeline {users[0].name!r} starts from it."
                what = f"Agent {agent.name!r} cannot be deleted."
                raise InUseError(what, why, "Let that stage start from something else first.")
            copies = {version.path for version in work.agents.versions(agent_id)}
            for path in copies:
                artifact_paths.check_deletable_copy(path, self._store.artifacts)
            work.agents.remove(agent_id)
            copies -= work.agents.paths()  # older copies of the same content share a folder
        for path in copies:
            self._store.artifact_store.remove(Path(path))
        for kept in (self._store.endpoint_log(agent_id), self._store.endpoint_key(agent_id)):
            kept.unlink(missing_ok=True)

    def reference(self, version: AgentVersion) -> AlgorithmReference:
        """Return where a process finds the code of the algorithm that made a version."""
        with self._store.read() as work:
            return work.experiments.reference(version.algorithm_id, version.checkpoint.run_id)

    def _save(self, frozen: FrozenCopy, checkpoint_id: int, description: str) -> Agent:
        """Give a copy to a new agent, unless the name or the checkpoint was taken away meanwhile."""
        with self._store.write() as work:
            check_name_available(frozen.name, work.agents.matching((), [frozen.name]), "agent")
            checkpoint = work.checkpoints.get(checkpoint_id)
            if checkpoint.digest != frozen.digest:
                what = f"The checkpoint at step {checkpoint.step} was saved anew meanwhile."
                raise ConflictError(what, fix="Look at it again and repeat what you did.")
            work.projects.touch(work.runs.get(checkpoint.run_id).project_id)
            return save(work, frozen, checkpoint, description)


def save(
    work: UnitOfWork,
    frozen: FrozenCopy,
    checkpoint: Checkpoint,
    description: str | None,
    *,
    made_by: int | None = None,
) -> Agent:
    """Give an agent a version within a transaction; `made_by` is the run that does, if it is one."""
    maker = work.experiments.get(work.runs.get(checkpoint.run_id).trained_experiment_id)
    known = work.agents.matching((), [frozen.name])
    if not known:
        return work.agents.add(frozen, description or "", checkpoint, maker, made_by)
    before = known[0]
    text = before.description if description is None else description
    saved = work.agents.add_version(before, frozen, text, checkpoint, maker, made_by)
    number = saved.current.number
    changes = [Change(ChangeKind.VERSION_CHOSEN, number)]
    changes += [Change(ChangeKind.DESCRIBED)] if text != before.description else []
    history.record_change(work, saved, f"Saved version {number}.", changes)
    return saved


def choose_version(work: UnitOfWork, agent: Agent, number: int) -> Agent:
    """Make another version of an agent the current one, within a transaction."""
    chosen = work.agents.use(agent, number)
    changes = [Change(ChangeKind.VERSION_CHOSEN, number)]
    history.record_change(work, chosen, f"Made version {number} the current one.", changes)
    return chosen
