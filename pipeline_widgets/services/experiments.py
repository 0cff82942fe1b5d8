"""Experiments: configured in code or in the Experiments tab, not in pipelines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.algorithm import AlgorithmDeclaration, AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.edits import TEXTS, Change, ChangeKind
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_running, used_by
from pipeline_widgets.domain.names import check_name_available, name_copy, validate_name
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.errors import InUseError
from pipeline_widgets.persistence import artifact_paths
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history, references
from pipeline_widgets.services.local_code import Renewal, find_renewals, renew


class ExperimentService:
    """Use cases of experiments and their checkpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(
        self,
        project_id: int,
        name: str,
        configured: ConfiguredAlgorithm,
        *,
        seed: int,
        placement: Placement = DEFAULT_PLACEMENT,
    ) -> Experiment:
        """Make an experiment.

        Raises:
            NameTakenError: The project has one of that name.
        """
        name = validate_name(name, "experiment")
        with self._store.write() as work:
            revision = work.projects.touch(project_id)
            check_name_available(name, work.experiments.named(project_id, [name]), "experiment")
            return work.experiments.add(project_id, name, configured, seed, revision, placement=placement)

    def place(self, experiment_id: int, placement: Placement) -> Experiment:
        """Let the runs that are triggered from now on be launched elsewhere, or with other resources."""
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            work.experiments.place(experiment_id, placement, work.projects.touch(experiment.project_id))
            return work.experiments.get(experiment_id)

    def check_name(self, project_id: int, name: str, *, of: int | None = None) -> str:
        """Return the name that an experiment would get.

        Args:
            project_id: The project.
            name: What was typed.
            of: The experiment that may have it already.

        Raises:
            ConfigError: It is empty or too long.
            NameTakenError: Another experiment of the project has it.
        """
        name = validate_name(name, "experiment")
        with self._store.read() as work:
            others = work.experiments.named(project_id, [name])
        check_name_available(name, (other for other in others if other.id != of), "experiment")
        return name

    def update(
        self,
        experiment_id: int,
        configured: ConfiguredAlgorithm,
        *,
        seed: int,
        name: str | None = None,
        placement: Placement | None = None,
        expected_version: int | None = None,
    ) -> Experiment:
        """Give an experiment another config. Its runs keep the one that they ran with.

        Args:
            experiment_id: The experiment.
            configured: Its algorithm with the new config.
            seed: Its seed.
            name: Another name.
            placement: Where its runs are launched from now on, and with which resources.
            expected_version: The version that the edit is based on (spec 5.13).

        Raises:
            InUseError: It is running.
            NameTakenError: The project has one of that name.
            StaleWriteError: It was edited since that version.
        """
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            revision = work.projects.touch(experiment.project_id)
            _check_idle(work, experiment, "changed")
            history.check_version(work, experiment, expected_version)
            new_name = experiment.name if name is None else _new_name(work, experiment, name)
            if placement is not None:
                work.experiments.place(experiment_id, placement, revision)
            configured_now = work.experiments.configure(experiment, new_name, configured, seed, revision)
            _record(work, experiment, configured_now)
            return configured_now

    def rename(self, experiment_id: int, name: str, *, expected_version: int | None = None) -> Experiment:
        """Give an experiment another name.

        Raises:
            NameTakenError: The project has one of that name.
            StaleWriteError: It was renamed since `expected_version`.
        """
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            revision = work.projects.touch(experiment.project_id)
            history.check_version(work, experiment, expected_version, TEXTS)
            renamed = work.experiments.rename(experiment, _new_name(work, experiment, name), revision)
            _record(work, experiment, renamed)
            return renamed

    def duplicate(self, experiment_id: int, name: str | None = None) -> Experiment:
        """Copy an experiment without its runs, as "NAME (copy)" unless named."""
        with self._store.write() as work:
            return duplicate(work, work.experiments.get(experiment_id), name)

    def name_of_copy(self, experiment_id: int) -> str:
        """Return the name that a copy gets unless named."""
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            return name_copy(experiment.name, partial(work.experiments.named, experiment.project_id))

    def delete(self, experiment_id: int) -> None:
        """Delete an experiment with its runs and checkpoints.

        Raises:
            InUseError: A stage is bound to it, it is running, or a checkpoint of it is used elsewhere.
        """
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            work.projects.touch(experiment.project_id)
            _check_idle(work, experiment, "deleted")
            pipelines = [
                f"pipeline {quote(pipeline.name)}" for pipeline in work.pipelines.using(experiment_id)
            ]
            _refuse(f"Experiment {experiment.name!r}", pipelines, "Delete those stages first.")
            runs = work.runs.of_experiment(experiment_id)
            ids = work.checkpoints.ids_of_runs([run.id for run in runs])
            consumers = references.find_references(work, ids, but={run.id for run in runs})
            users = list(dict.fromkeys(name for names in consumers.values() for name in names))
            fix = "Keep it, so that what was made of its checkpoints can be traced."
            _refuse(f"Experiment {experiment.name!r}", users, fix)
            work.runs.remove_of_experiment(experiment_id)
            work.experiments.remove(experiment_id)
        for run in runs:
            self._store.artifact_store.remove(self._store.run_folder(run.id))

    def refresh(self, pipeline_id: int, current: Mapping[str, AlgorithmDeclaration]) -> None:
        """Let a pipeline's experiments use the algorithms as this process defines them now.

        A researcher who runs the cell that defines an algorithm again means the new code.
        """
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            bound = work.experiments.by_id(pipeline.experiment_ids)
            renewals = find_renewals(work, bound.values(), current)
        self._renew(renewals)

    def renew(self, experiment: Experiment, current: Mapping[str, AlgorithmDeclaration]) -> None:
        """Let one experiment use its algorithm as this process defines it now."""
        with self._store.read() as work:
            renewals = find_renewals(work, [experiment], current)
        self._renew(renewals)

    def _renew(self, renewals: Collection[Renewal]) -> None:
        if renewals:
            with self._store.write() as work:
                renew(work, renewals)

    def reference(self, algorithm_id: int) -> AlgorithmReference:
        """Return where a process finds an algorithm's code."""
        with self._store.read() as work:
            return work.experiments.reference(algorithm_id)

    def get(self, experiment_id: int) -> Experiment:
        """Return one experiment; NotFoundError without it."""
        with self._store.read() as work:
            return work.experiments.get(experiment_id)

    def of_project(self, project_id: int) -> tuple[Experiment, ...]:
        """Return a project's experiments in the order of their creation."""
        with self._store.read() as work:
            return work.experiments.of_project(project_id)

    def checkpoints(self, experiment_id: int) -> tuple[Checkpoint, ...]:
        """Return what all runs of an experiment saved."""
        with self._store.read() as work:
            return work.checkpoints.of_runs([run.id for run in work.runs.of_experiment(experiment_id)])

    def delete_checkpoint(self, checkpoint_id: int) -> None:
        """Delete a checkpoint and its files.

        Raises:
            InUseError: A run has consumed it, it is saved as an Agent, or a stage names it (spec 8.4).
            CheckpointError: Its row names a folder that is not a checkpoint of its run: nothing is deleted.
        """
        with self._store.write() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            run = work.runs.get(checkpoint.run_id)
            work.projects.touch(run.project_id)
            users = references.find_references(work, [checkpoint_id]).get(checkpoint_id, [])
            named = references.find_stage_references(work, work.runs.resuming([run.id]).values(), named=True)
            if run.status.active:
                users.append(f"the active {run.label} that saved it")
            what = f"The checkpoint at step {checkpoint.step}"
            fix = "Delete what uses it first, or keep it: runs stay, so that what they made can be traced."
            starting = named.get(checkpoint_id, [])
            _refuse(what, [*users, *starting], fix if users else "Let it start from another one first.")
            artifact_paths.check_deletable_checkpoint(checkpoint.path, self._store.artifacts, run.id)
            work.checkpoints.remove([checkpoint.id])
            shared = any(each.path == checkpoint.path for each in work.checkpoints.of_runs([run.id]))
        if not shared:
            self._store.artifact_store.remove(Path(checkpoint.path))


def duplicate(
    work: UnitOfWork,
    experiment: Experiment,
    name: str | None = None,
    configured: ConfiguredAlgorithm | None = None,
) -> Experiment:
    """Copy an experiment within a transaction, as it is or with another config."""
    named = partial(work.experiments.named, experiment.project_id)
    wanted = name_copy(experiment.name, named) if name is None else validate_name(name, "experiment")
    check_name_available(wanted, named([wanted]), "experiment")
    revision = work.projects.touch(experiment.project_id)
    configured = configured or ConfiguredAlgorithm(
        spec=experiment.spec,
        reference=work.experiments.reference(experiment.algorithm_id),
        config=experiment.config,
        signature=experiment.signature,
    )
    return work.experiments.add(
        experiment.project_id,
        wanted,
        configured,
        experiment.seed,
        revision,
        placement=experiment.placement,
    )


def _new_name(work: UnitOfWork, experiment: Experiment, name: str) -> str:
    """Return another name of an experiment, if it can have it."""
    name = validate_name(name, "experiment")
    others = work.experiments.named(experiment.project_id, [name])
    check_name_available(name, (other for other in others if other.id != experiment.id), "experiment")
    return name


def _record(work: UnitOfWork, before: Experiment, after: Experiment) -> None:
    """Keep what an edit has changed of an experiment."""
    changes: list[Change] = []
    done: list[str] = []
    if before.name != after.name:
        changes.append(Change(ChangeKind.RENAMED, name=before.name))
        done.append(f"Renamed from {quote(before.name)} to {quote(after.name)}.")
    if before.config_digest != after.config_digest:
        changes.append(Change(ChangeKind.CONFIGURED))
        done.append("Edited the config.")
    if before.placement != after.placement:
        done.append("Edited where its runs are launched.")
    history.record_change(work, after, " ".join(done) or "Saved unchanged.", changes)


def _check_idle(work: UnitOfWork, experiment: Experiment, verb: str) -> None:
    if active := work.runs.active_of_experiments([experiment.id]):
        why = describe_running(active[experiment.id])
        raise InUseError(f"Experiment {experiment.name!r} cannot be {verb} now.", why, "Stop it first.")


def _refuse(what: str, users: list[str], fix: str) -> None:
    if users:
        raise InUseError(f"{what} cannot be deleted.", used_by(users), fix)
