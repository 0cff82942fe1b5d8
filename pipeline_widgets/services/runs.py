"""Runs: trigger, plan, stop, resume; their metrics and logs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from pipeline_widgets.domain.algorithm import ConfiguredAlgorithm
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_running
from pipeline_widgets.domain.history import EventKind
from pipeline_widgets.domain.metric_block import MetricColumns
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.plan import Plan, Problem, describe_other_code, find_problems, make_plan
from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.domain.run import Progress, Run, Status
from pipeline_widgets.domain.run_record import TriggerPlace
from pipeline_widgets.domain.triggering import (
    RunStart,
    assess_scratch_fit,
    stage_label,
)
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.errors import ConfigError, PipelineError, RuleError, TriggerError
from pipeline_widgets.persistence.logs import LOG_MOST, read_log
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history, pipeline_facts
from pipeline_widgets.services.experiments import duplicate
from pipeline_widgets.services.local_code import RefusalOf, check_refusal, find_code, record_origin
from pipeline_widgets.services.notices import enqueue_end_notices
from pipeline_widgets.services.run_queue import (
    PlacementCheck,
    enqueue_experiment_run,
    enqueue_run,
    find_placement,
    verify_start,
)
from pipeline_widgets.services.stage_experiments import rebind_stage
from pipeline_widgets.services.stage_trigger import (
    StageTrigger,
    TriggerOptions,
    describe_folder_of,
    record_done,
)

ENOUGH_DISK = 256 << 20  # bytes that a check of the pipeline wants to see free


def _takes_all(_: object, __: object) -> None:
    return None


class RunService:
    """Use cases of runs.

    Args:
        store: The workspace.
        find_refusal: Returns the error with which the code of this process refuses an experiment, if it does.
        check_placement: Refuses what cannot run where it would be launched; it may ask an engine, so that it
            is called outside of a transaction.
    """

    def __init__(
        self, store: Store, find_refusal: RefusalOf = _takes_all, check_placement: PlacementCheck = _takes_all
    ) -> None:
        self._store = store
        self._find_refusal = find_refusal
        self._check_placement = check_placement
        self._stage_trigger = StageTrigger(store, find_refusal, check_placement)

    def trigger(self, stage_id: int, options: TriggerOptions | None = None, *, resume: bool = False) -> Run:
        """Start a run of a stage: write a Pending run, which whoever comes next launches.

        Args:
            stage_id: The stage.
            options: How it is triggered, and what this process brings along.
            resume: Resume from its own last checkpoint; in place of options.

        Raises:
            TriggerError: It cannot start now; the reason is one of its blockers.
            ConfigError: Its algorithm, as this process has it, refuses its config.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
            ExecutionError: It cannot run where it would be launched.
        """
        return self._stage_trigger.trigger(stage_id, options or TriggerOptions(resume=resume))

    def train(self, experiment_id: int, place: TriggerPlace | None = None) -> Run:
        """Start a run of an experiment by itself, from scratch, triggered from a folder.

        Raises:
            TriggerError: It is running, or its algorithm cannot start from scratch or needs another Python.
            ConfigError: Its algorithm, as this process has it, refuses its config.
            ExecutionError: It cannot run where it would be launched.
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            _check_trainable(work, experiment)
            check_refusal(work, self._find_refusal, experiment)
            code = find_code(work, experiment)
            placement = find_placement(work, None, experiment)
        self._check_placement(placement, experiment.python)
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            revision = work.projects.touch(experiment.project_id)
            _check_trainable(work, experiment)
            recorded = record_origin(work, place, code, RunStart())
            return enqueue_experiment_run(work, experiment, RunStart(), revision, recorded)

    def resume(
        self,
        experiment_id: int,
        checkpoint_id: int,
        name: str,
        configure: Callable[[], ConfiguredAlgorithm] | None = None,
        place: TriggerPlace | None = None,
    ) -> tuple[Experiment, Run]:
        """Go on from a checkpoint of an experiment, as a new experiment of that name (spec 9.1).

        Where the experiment belongs to one pipeline, its stage is bound to the new experiment, and the
        run is the stage's. `configure` gives the new one another config, such as one of more steps; it is
        called once nothing else hinders.

        Raises:
            NameTakenError: The project has an experiment of that name.
            RuleError: The checkpoint is not of this experiment.
            InUseError: The stage is active.
            ConfigError: Its algorithm, as this process has it, refuses its config.
            ExecutionError: It cannot run where it would be launched.
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            _check_idle(work, experiment)
            _check_python(work, experiment)
            check_refusal(work, self._find_refusal, experiment, is_configured=configure is None)
            code = find_code(work, experiment)
            run_start = RunStart(checkpoint=work.checkpoints.get(checkpoint_id))
            placement = find_placement(work, None, experiment)
        self._check_placement(placement, experiment.python)
        verify_start(run_start, self._store)
        configured = configure() if configure is not None else None
        with self._store.write() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            maker = work.runs.get(checkpoint.run_id)
            if maker.experiment_id != experiment_id:
                fix = "Choose one of experiment.checkpoints."
                raise RuleError("The checkpoint was saved by another experiment.", fix=fix)
            original = work.experiments.get(experiment_id)
            revision = work.projects.touch(original.project_id)
            _check_idle(work, original)
            _check_python(work, original)
            copy = duplicate(work, original, name, configured)
            run_start = RunStart(
                checkpoint=checkpoint,
                role="resume",
                source_checkpoint_id=maker.source_checkpoint_id,
                source_run_id=maker.source_run_id,
                resumed_run_id=maker.id,
            )
            bound = rebind_stage(work, original, copy, revision)
            recorded = record_origin(work, place, code, run_start)
            if bound is None:
                return copy, enqueue_experiment_run(work, copy, run_start, revision, recorded)
            known = pipeline_facts.load(work, bound[0], {bound[1].id})
            return copy, enqueue_run(
                work, bound[0], bound[1], known, run_start, revision=revision, code=recorded
            )

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
                pipeline = work.pipelines.get(run.pipeline_id)
                name = work.pipelines.summary(run.stage_id).name
                record_done(work, pipeline, run.stage_id, "Stopped", name)
            return _stop_pending(work, run, revision)

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
            known = pipeline_facts.load(work, pipeline)
            history.record_event(work, pipeline, EventKind.RAN, "Stopped all that was active.")
            latest = [known.for_stage(stage.id).latest for stage in pipeline.stages]
            return tuple(
                _stop_pending(work, run, revision)
                for run in latest
                if run is not None and run.status.active and run.status is not Status.STOPPING
            )

    def is_settled(self, pipeline_id: int) -> bool:
        """Return whether no run of a pipeline is active, so that without a person nothing will happen."""
        with self._store.read() as work:
            return not work.runs.any_active_in(pipeline_id)

    def plan(self, stage_id: int, *, resume: bool = False) -> Plan:
        """Return what triggering a stage will do."""
        with self._store.read() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            known = pipeline_facts.load(work, pipeline)
        note = describe_folder_of(known, stage_id, resume=resume)
        return make_plan(pipeline, stage_id, known, resume=resume, folder_note=note)

    def check(self, pipeline_id: int) -> tuple[Problem, ...]:
        """Return what would stop a chain: what does not fit, refused configs, missing files, a full disk."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            known = pipeline_facts.load(work, pipeline)
            refused = self._find_refusals(work, pipeline, known)
            offered = pipeline_facts.list_offered(work, known)
        return (*find_problems(pipeline, known), *refused, *self._unreachable(pipeline, known, offered))

    def code_notes(self, pipeline_id: int) -> tuple[str, ...]:
        """Return where the code of this process differs from what the stages ran, or were set up with."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            return tuple(describe_other_code(pipeline.stages, pipeline_facts.load(work, pipeline)))

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

    def latest_of_stage(self, stage_id: int) -> Run | None:
        """Return the latest run of a stage with its experiment; NotFoundError where the stage is gone."""
        with self._store.read() as work:
            work.pipelines.stage(stage_id)
            return work.runs.latest_of_stage(stage_id)

    def latest_of_experiment(self, experiment_id: int) -> Run | None:
        """Return the latest run of an experiment, in whatever stage."""
        with self._store.read() as work:
            return work.runs.latest_of_experiment(experiment_id)

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

    def usage(self, run_id: int) -> tuple[Usage, ...]:
        """Return the samples of what the processes of a run use, in their order."""
        with self._store.read() as work:
            return work.metrics.usage(run_id)

    def metrics(self, run_ids: Collection[int]) -> MetricColumns:
        """Return all metrics of runs, in the order of their report."""
        with self._store.read() as work:
            return work.metrics.of_runs(run_ids)

    def log(self, run_id: int, tail: int | None = None) -> str:
        """Return what a run has printed so far, or the last `tail` lines, for which the end is read only."""
        return read_log(self._store.artifact_store.log(run_id, LOG_MOST, waits=True), tail)

    def progress(self, run_id: int) -> Progress:
        """Return how far a run has come, and the time left at its own pace."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            now = datetime.fromtimestamp(work.now, tz=UTC)
            return run.progress(now, begun=pipeline_facts.start_steps(work, [run]).get(run_id, 0))

    def _refusal_of(self, work: UnitOfWork, experiment: Experiment) -> PipelineError | None:
        return self._find_refusal(experiment, work.experiments.stored_reference(experiment.algorithm_id))

    def _find_refusals(self, work: UnitOfWork, pipeline: Pipeline, known: PipelineFacts) -> list[Problem]:
        bound = [(stage, known.for_stage(stage.id).experiment) for stage in pipeline.stages]
        return [
            Problem(stage=stage_label(pipeline, stage, known), problem=_describe_refusal(error))
            for stage, experiment in bound
            if experiment is not None and (error := self._refusal_of(work, experiment)) is not None
        ]

    def _unreachable(
        self, pipeline: Pipeline, known: PipelineFacts, offered: Mapping[int, Sequence[Checkpoint]]
    ) -> list[Problem]:
        found: list[Problem] = []
        for stage in pipeline.stages:
            for checkpoint in offered[stage.id]:
                if not self._store.artifact_store.may_have(checkpoint.path):
                    problem = f"The checkpoint at step {checkpoint.step} is missing: {checkpoint.path}."
                    found.append(Problem(stage=stage_label(pipeline, stage, known), problem=problem))
            version = known.agents.get(getattr(getattr(stage, "start", None), "agent_id", 0))
            if version is not None and not self._store.artifact_store.may_have(version.path):
                problem = f"The copy of its saved Agent is missing: {version.path}."
                found.append(Problem(stage=stage_label(pipeline, stage, known), problem=problem))
        left = shutil.disk_usage(self._store.artifacts).free
        if left < ENOUGH_DISK:
            problem = f"Only {left >> 20} MiB are free in {self._store.artifacts}."
            found.append(Problem(stage="", problem=problem))
        return found


def _stop_pending(work: UnitOfWork, run: Run, revision: int) -> Run:
    """One that has not started is Stopped at once."""
    status = Status.STOPPED if run.status is Status.PENDING else Status.STOPPING
    stopped = work.runs.set_status(run, status, revision)
    enqueue_end_notices(work, run.id)
    return stopped


def _check_idle(work: UnitOfWork, experiment: Experiment) -> None:
    if active := work.runs.active_of_experiments([experiment.id]):
        what = f"Experiment {experiment.name!r} cannot start."
        raise TriggerError(what, describe_running(active[experiment.id]), "Wait for it, or stop it first.")


def _check_trainable(work: UnitOfWork, experiment: Experiment) -> None:
    fit = assess_scratch_fit(experiment.spec)
    if not fit.fits:
        fix = "Add it to a pipeline, after a stage that makes what it needs."
        raise TriggerError(f"Experiment {experiment.name!r} cannot start.", fit.reason, fix)
    _check_idle(work, experiment)
    _check_python(work, experiment)


def _check_python(work: UnitOfWork, experiment: Experiment) -> None:
    python = pipeline_facts.find_required_python(work, experiment.spec.name, experiment.python)
    if (why := foreign_reason(python)) is not None:
        raise TriggerError(f"Experiment {experiment.name!r} cannot start.", why, foreign_fix(python))


def _describe_refusal(error: PipelineError) -> str:
    """Return why a stage's experiment cannot run here, as a problem of the pipeline."""
    if isinstance(error, ConfigError):
        return f"Its config is no longer taken. {error.what} {error.why}".strip()
    return str(error)
