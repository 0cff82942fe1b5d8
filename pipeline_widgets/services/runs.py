"""Runs: trigger, plan, stop, resume; their metrics and logs."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from pipeline_widgets.domain.chain import DeploymentStage, Pipeline, Stage
from pipeline_widgets.domain.experiment import Checkpoint, Configured, Experiment
from pipeline_widgets.domain.facts import Facts
from pipeline_widgets.domain.job import Folder
from pipeline_widgets.domain.plan import Plan, Problem, plan, problems
from pipeline_widgets.domain.run import Progress, Run, Status
from pipeline_widgets.domain.training import running
from pipeline_widgets.domain.triggering import (
    Begin,
    blockers,
    label,
    refusal,
    resolve,
    resumed,
    scratch_fit,
)
from pipeline_widgets.errors import CheckpointError, RuleError, TriggerError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.logs import log_text
from pipeline_widgets.persistence.store import Store, Work
from pipeline_widgets.services import facts, history
from pipeline_widgets.services.experiments import duplicate
from pipeline_widgets.services.resuming import rebound

VERIFY_UP_TO = 64 << 20  # bytes that are read again before a trigger; above, the run itself reads them
ENOUGH_DISK = 256 << 20  # bytes that a check of the pipeline wants to see free


class RunService:
    """What can be done with runs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def trigger(self, stage_id: int, *, resume: bool = False) -> Run:
        """Start a run of a stage: write a Pending run, which whoever comes next launches.

        Args:
            stage_id: The stage.
            resume: Go on from the stage's own last checkpoint instead of starting over.

        Raises:
            TriggerError: It cannot start now; the reason is one of its blockers.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
        """
        with self._store.read() as work:  # files are read outside the write transaction
            verify(_ready(work, stage_id, resume=resume)[2])
        with self._store.write() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            revision = work.projects.touch(pipeline.project_id)
            pipeline, known, begin = _ready(work, stage_id, resume=resume)
            _note(work, pipeline, stage_id, "Resumed" if resume else "Triggered")
            return pend(work, pipeline, pipeline.stage(stage_id), known, begin, revision=revision)

    def train(self, experiment_id: int) -> Run:
        """Start a run of an experiment by itself, from scratch.

        Raises:
            TriggerError: It is running, or its algorithm cannot start from scratch.
        """
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            revision = work.projects.touch(experiment.project_id)
            verdict = scratch_fit(experiment.spec)
            if not verdict.fits:
                fix = "Add it to a pipeline, after a stage that makes what it needs."
                raise TriggerError(f"Experiment {experiment.name!r} cannot start.", verdict.reason, fix)
            return _pend_experiment(work, experiment, Begin(), revision)

    def resume(
        self, experiment_id: int, checkpoint_id: int, name: str, configured: Configured | None = None
    ) -> tuple[Experiment, Run]:
        """Go on from a checkpoint of an experiment, as a new experiment of that name (spec 9.1).

        Where the experiment belongs to one pipeline, its stage is bound to the new experiment, and the
        run is the stage's. `configured` gives the new one another config, such as one of more steps.

        Raises:
            NameTakenError: The project has an experiment of that name.
            RuleError: The checkpoint is not of this experiment.
            InUseError: The stage is active.
        """
        with self._store.read() as work:
            verify(Begin(checkpoint=work.checkpoints.get(checkpoint_id)))
        with self._store.write() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            maker = work.runs.get(checkpoint.run_id)
            if maker.experiment_id != experiment_id:
                fix = "Choose one of experiment.checkpoints."
                raise RuleError("The checkpoint was saved by another experiment.", fix=fix)
            original = work.experiments.get(experiment_id)
            revision = work.projects.touch(original.project_id)
            _check_idle(work, original)
            copy = duplicate(work, original, name, configured)
            begin = Begin(
                checkpoint=checkpoint,
                role="resume",
                source_checkpoint_id=maker.source_checkpoint_id,
                source_run_id=maker.source_run_id,
                resumed_run_id=maker.id,
            )
            bound = rebound(work, original, copy, revision)
            if bound is None:
                return copy, _pend_experiment(work, copy, begin, revision)
            known = facts.load(work, bound[0], {bound[1].id})
            return copy, pend(work, bound[0], bound[1], known, begin, revision=revision)

    def stop(self, run_id: int) -> Run:
        """Ask a run to stop; one that has not started is Stopped at once.

        Raises:
            RuleError: It is not active.
        """
        with self._store.write() as work:
            run = work.runs.get(run_id)
            if not run.status.active:
                why = f"{run.label.capitalize()} is {run.status.lower()}."
                raise RuleError("There is nothing to stop.", why, "Only an active run can be stopped.")
            if run.status is Status.STOPPING:
                return run
            revision = work.projects.touch(run.project_id)
            if run.pipeline_id is not None and run.stage_id is not None:
                _note(work, work.pipelines.get(run.pipeline_id), run.stage_id, "Stopped")
            return _stopped(work, run, revision)

    def stop_experiment(self, experiment_id: int) -> Run:
        """Ask the active run of an experiment to stop, in whatever stage it is.

        Raises:
            RuleError: It is not running.
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            active = work.runs.active_of_experiments([experiment_id]).get(experiment_id)
        if active is None:
            raise RuleError("There is nothing to stop.", f"Experiment {experiment.name!r} is not running.")
        return self.stop(active.id)

    def stop_all(self, pipeline_id: int) -> tuple[Run, ...]:
        """Ask all active runs of a pipeline to stop, at once: no Auto stage slips through."""
        with self._store.write() as work:
            pipeline = work.pipelines.get(pipeline_id)
            revision = work.projects.touch(pipeline.project_id)
            known = facts.load(work, pipeline)
            history.note(work, pipeline, "Stopped all that was active.")
            latest = [known.of(stage.id).latest for stage in pipeline.stages]
            return tuple(
                _stopped(work, run, revision)
                for run in latest
                if run is not None and run.status.active and run.status is not Status.STOPPING
            )

    def is_settled(self, pipeline_id: int) -> bool:
        """Whether no run of a pipeline is active, so that without a person nothing will happen."""
        with self._store.read() as work:
            return not work.runs.any_active_in(pipeline_id)

    def plan(self, stage_id: int, *, resume: bool = False) -> Plan:
        """Return what triggering a stage will do."""
        with self._store.read() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            return plan(pipeline, stage_id, facts.load(work, pipeline), resume=resume)

    def check(self, pipeline_id: int) -> tuple[Problem, ...]:
        """Return what would stop a chain: bindings, pairs that do not fit, missing files, a full disk."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            known = facts.load(work, pipeline)
        return (*problems(pipeline, known), *self._unreachable(pipeline, known))

    def get(self, run_id: int) -> Run:
        """Return one run; NotFoundError without it."""
        with self._store.read() as work:
            return work.runs.get(run_id)

    def of_stage(self, stage_id: int) -> tuple[Run, ...]:
        """Return the runs of a stage, oldest first."""
        with self._store.read() as work:
            return work.runs.of_stage(stage_id)

    def of_experiment(self, experiment_id: int) -> tuple[Run, ...]:
        """Return the runs of an experiment, in whatever stage, oldest first."""
        with self._store.read() as work:
            return work.runs.of_experiment(experiment_id)

    def checkpoints(self, run_id: int) -> tuple[Checkpoint, ...]:
        """Return what a run saved, in the order of the steps."""
        with self._store.read() as work:
            return work.checkpoints.of_runs([run_id])

    def start_checkpoint(self, run: Run) -> Checkpoint | None:
        """Return what a run started from."""
        if run.start_checkpoint_id is None:
            return None
        with self._store.read() as work:
            return work.checkpoints.get(run.start_checkpoint_id)

    def metrics(self, run_ids: list[int]) -> list[tuple[int, int, str, float]]:
        """Return run, step, name and value of all metrics, in the order of their report."""
        with self._store.read() as work:
            return work.runs.metrics(run_ids)

    def log(self, run_id: int, tail: int | None = None) -> str:
        """Return what a run has printed so far, or the last `tail` lines, for which the end is read only."""
        return log_text(self._store.log_path(run_id), tail)

    def progress(self, run_id: int) -> Progress:
        """Return how far a run has come, and the time left at its own pace."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            now = datetime.fromtimestamp(work.now, tz=UTC)
            return run.progress(now, begun=facts.begun(work, [run]).get(run_id, 0))

    def _unreachable(self, pipeline: Pipeline, known: Facts) -> list[Problem]:
        found: list[Problem] = []
        for stage in pipeline.stages:
            for checkpoint in known.of(stage.id).checkpoints:
                if not Path(checkpoint.path).is_dir():
                    problem = f"The checkpoint at step {checkpoint.step} is missing: {checkpoint.path}."
                    found.append(Problem(stage=label(pipeline, stage, known), problem=problem))
            version = known.agents.get(getattr(getattr(stage, "start", None), "agent_id", 0))
            if version is not None and not Path(version.path).is_dir():
                problem = f"The copy of its saved Agent is missing: {version.path}."
                found.append(Problem(stage=label(pipeline, stage, known), problem=problem))
        left = shutil.disk_usage(self._store.artifacts).free
        if left < ENOUGH_DISK:
            problem = f"Only {left >> 20} MiB are free in {self._store.artifacts}."
            found.append(Problem(stage="", problem=problem))
        return found


def verify(begin: Begin) -> None:
    """Check that what a run starts from is on disk as it was saved.

    Raises:
        CheckpointError: It is missing or corrupt.
    """
    if begin.checkpoint is None:
        return
    folder = _folder(begin)
    if not folder.path.is_dir() or folder.size <= VERIFY_UP_TO:
        artifacts.verify(folder)


def reachable(begin: Begin) -> str | None:
    """Return why what a run starts from is not there; None where it is. Reads no content."""
    if begin.checkpoint is None or _folder(begin).path.is_dir():
        return None
    return f"The checkpoint {_folder(begin).path} is missing."


def pend(work: Work, pipeline: Pipeline, stage: Stage, known: Facts, begin: Begin, **columns: object) -> Run:
    """Insert a Pending run of a stage, with all that it will use frozen into it.

    Args:
        work: The transaction.
        pipeline: The pipeline in which the stage stands.
        stage: The stage.
        known: What is known about it.
        begin: What it starts from.
        **columns: The revision, and who has taken it already.
    """
    work.pipelines.touch(pipeline.id)
    if known.of(stage.id).held is not None:
        work.pipelines.hold(stage.id, None)
    if (after := pipeline.after(stage.id)) is not None:  # what its last success was held for is over
        work.pipelines.hold(after.id, None)
    common = {
        "project_id": pipeline.project_id,
        "pipeline_id": pipeline.id,
        "stage_id": stage.id,
        **_frozen(begin),
        **columns,
    }
    if isinstance(stage, DeploymentStage):
        config = {"agent_name": stage.agent_name, "agent_description": stage.agent_description}
        return work.runs.add(**common, config=config, seed=0, signature={})
    experiment = known.of(stage.id).experiment or work.experiments.get(stage.experiment_id)
    return work.runs.add(**common, **_of_experiment(experiment))


def _stopped(work: Work, run: Run, revision: int) -> Run:
    """One that has not started is Stopped at once."""
    status = Status.STOPPED if run.status is Status.PENDING else Status.STOPPING
    return work.runs.move(run, status, revision)


def _note(work: Work, pipeline: Pipeline, stage_id: int, done: str) -> None:
    at = pipeline.position(stage_id)
    name = history.stage_name(work, pipeline.stages[at])
    history.note(work, pipeline, f"{done} stage {at + 1} ({name}).")


def _ready(work: Work, stage_id: int, *, resume: bool) -> tuple[Pipeline, Facts, Begin]:
    pipeline = work.pipelines.of_stage(stage_id)
    known = facts.load(work, pipeline)
    if found := blockers(pipeline, stage_id, known, resume=resume):
        raise refusal(label(pipeline, pipeline.stage(stage_id), known), found)
    begin = resumed(known.of(stage_id)) if resume else resolve(pipeline, stage_id, known)
    return pipeline, known, begin


def _pend_experiment(work: Work, experiment: Experiment, begin: Begin, revision: int) -> Run:
    _check_idle(work, experiment)
    project = {"project_id": experiment.project_id, "revision": revision}
    return work.runs.add(**project, **_frozen(begin), **_of_experiment(experiment))


def _check_idle(work: Work, experiment: Experiment) -> None:
    if active := work.runs.active_of_experiments([experiment.id]):
        what = f"Experiment {experiment.name!r} cannot start."
        raise TriggerError(what, running(active[experiment.id]), "Wait for it, or stop it first.")


def _of_experiment(experiment: Experiment) -> dict[str, object]:
    return {
        "experiment_id": experiment.id,
        "algorithm_id": experiment.algorithm_id,
        "config": dict(experiment.config),
        "config_digest": experiment.config_digest,
        "seed": experiment.seed,
        "signature": dict(experiment.signature),
    }


def _frozen(begin: Begin) -> dict[str, object]:
    return {
        "start_checkpoint_id": begin.checkpoint.id if begin.checkpoint else None,
        "start_agent_version_id": begin.agent_version.id if begin.agent_version else None,
        "start_role": begin.role,
        "source_checkpoint_id": begin.source_checkpoint_id,
        "source_run_id": begin.source_run_id,
        "resumed_run_id": begin.resumed_run_id,
    }


def _folder(begin: Begin) -> Folder:
    if begin.checkpoint is None:
        raise CheckpointError("There is no checkpoint.", fix="Run the source stage first.")
    path = begin.agent_version.path if begin.agent_version else begin.checkpoint.path
    return Folder(path=Path(path), size=begin.checkpoint.size, digest=begin.checkpoint.digest)
