"""Runs: trigger, plan, stop, resume; their metrics and logs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.algorithm import AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.chain import ExperimentStage, Pipeline
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_running
from pipeline_widgets.domain.history import EventKind
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.plan import Plan, Problem, describe_other_code, find_problems, make_plan
from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.domain.run import Progress, Run, Status
from pipeline_widgets.domain.run_record import TriggerPlace, choose_folder, describe_folder
from pipeline_widgets.domain.triggering import (
    RunStart,
    assess_scratch_fit,
    find_blockers,
    resolve_resume,
    resolve_start,
    stage_label,
    trigger_error,
)
from pipeline_widgets.errors import ConfigError, PipelineError, RuleError, TriggerError
from pipeline_widgets.persistence.logs import LOG_MOST, read_log
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history, pipeline_facts
from pipeline_widgets.services.experiments import duplicate
from pipeline_widgets.services.notices import enqueue_end_notices
from pipeline_widgets.services.pipeline_facts import CodeFacts
from pipeline_widgets.services.run_queue import (
    enqueue_experiment_run,
    enqueue_run,
    find_placement,
    verify_start,
)
from pipeline_widgets.services.stage_experiments import bind_copy, rebind_stage

ENOUGH_DISK = 256 << 20  # bytes that a check of the pipeline wants to see free


#: Returns the error with which this process refuses an experiment whose code is there, if it does.
RefusalOf = Callable[[Experiment, AlgorithmReference], PipelineError | None]


def _takes_all(_: Experiment, __: AlgorithmReference) -> None:
    return None


class RunService:
    """Use cases of runs.

    Args:
        store: The workspace.
        find_refusal: Returns the error with which the code of this process refuses an experiment, if it does.
    """

    def __init__(self, store: Store, find_refusal: RefusalOf = _takes_all) -> None:
        self._store = store
        self._refusal_of = find_refusal

    def trigger(
        self,
        stage_id: int,
        *,
        resume: bool = False,
        duplicate: bool = False,
        place: TriggerPlace | None = None,
    ) -> Run:
        """Start a run of a stage: write a Pending run, which whoever comes next launches.

        Args:
            stage_id: The stage.
            resume: Go on from the stage's own last checkpoint instead of starting over.
            duplicate: Bind the stage to a copy of its experiment first (spec 5.7).
            place: The folder that it is triggered from.

        Raises:
            TriggerError: It cannot start now; the reason is one of its blockers.
            ConfigError: Its algorithm, as this process has it, refuses its config.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
        """
        with self._store.read() as work:  # files are read, and code is asked, outside the write transaction
            _, known, run_start = _ready(work, stage_id, resume=resume)
            experiment = known.for_stage(stage_id).experiment
            self._check_refusal(work, experiment)
            code = _current_code(work, experiment)
        verify_start(run_start, self._store)
        with self._store.write() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            revision = work.projects.touch(pipeline.project_id)
            if duplicate:
                bind_copy(work, pipeline, stage_id, revision)
            pipeline, known, run_start = _ready(work, stage_id, resume=resume)
            _note(work, pipeline, stage_id, "Resumed" if resume else "Triggered")
            recorded = _record(work, place, code, run_start)
            stage = pipeline.stage(stage_id)
            return enqueue_run(work, pipeline, stage, known, run_start, revision=revision, code=recorded)

    def train(self, experiment_id: int, place: TriggerPlace | None = None) -> Run:
        """Start a run of an experiment by itself, from scratch, triggered from a folder.

        Raises:
            TriggerError: It is running, or its algorithm cannot start from scratch or needs another Python.
            ConfigError: Its algorithm, as this process has it, refuses its config.
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            _check_trainable(work, experiment)
            self._check_refusal(work, experiment)
            code = _current_code(work, experiment)
        with self._store.write() as work:
            experiment = work.experiments.get(experiment_id)
            revision = work.projects.touch(experiment.project_id)
            _check_trainable(work, experiment)
            recorded = _record(work, place, code, RunStart())
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
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            _check_idle(work, experiment)
            _check_python(work, experiment)
            self._check_refusal(work, experiment, is_configured=configure is None)
            code = _current_code(work, experiment)
            run_start = RunStart(checkpoint=work.checkpoints.get(checkpoint_id))
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
            recorded = _record(work, place, code, run_start)
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
                _note(work, work.pipelines.get(run.pipeline_id), run.stage_id, "Stopped")
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

    def find_placement(
        self, *, stage_id: int | None = None, experiment_id: int | None = None
    ) -> tuple[Placement, str | None]:
        """Return where a run of a stage or an experiment would be launched, and which Python its code needs.

        The Python is None where any can run the code.
        """
        with self._store.read() as work:
            stage = None
            if stage_id is not None:
                stage = work.pipelines.of_stage(stage_id).stage(stage_id)
                experiment_id = stage.experiment_id if isinstance(stage, ExperimentStage) else None
            experiment = None if experiment_id is None else work.experiments.get(experiment_id)
            placement = find_placement(work, stage, experiment)
        return placement, experiment.python if experiment is not None else None

    def is_settled(self, pipeline_id: int) -> bool:
        """Return whether no run of a pipeline is active, so that without a person nothing will happen."""
        with self._store.read() as work:
            return not work.runs.any_active_in(pipeline_id)

    def plan(self, stage_id: int, *, resume: bool = False) -> Plan:
        """Return what triggering a stage will do."""
        with self._store.read() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            known = pipeline_facts.load(work, pipeline)
        latest = known.for_stage(stage_id).latest
        first = latest.code.folder if resume and latest and latest.code else None
        note = describe_folder(first, _current_folder(), exists=os.path.isdir)
        return make_plan(pipeline, stage_id, known, resume=resume, folder_note=note)

    def check(self, pipeline_id: int) -> tuple[Problem, ...]:
        """Return what would stop a chain: what does not fit, refused configs, missing files, a full disk."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            known = pipeline_facts.load(work, pipeline)
            refused = self._find_refusals(work, pipeline, known)
        return (*find_problems(pipeline, known), *refused, *self._unreachable(pipeline, known))

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

    def metrics(self, run_ids: list[int]) -> list[tuple[int, int, str, float]]:
        """Return run, step, name and value of all metrics, in the order of their report."""
        with self._store.read() as work:
            return work.runs.metrics(run_ids)

    def log(self, run_id: int, tail: int | None = None) -> str:
        """Return what a run has printed so far, or the last `tail` lines, for which the end is read only."""
        return read_log(self._store.artifact_store.log(run_id, LOG_MOST, waits=True), tail)

    def progress(self, run_id: int) -> Progress:
        """Return how far a run has come, and the time left at its own pace."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            now = datetime.fromtimestamp(work.now, tz=UTC)
            return run.progress(now, begun=pipeline_facts.start_steps(work, [run]).get(run_id, 0))

    def _check_refusal(
        self, work: UnitOfWork, experiment: Experiment | None, *, is_configured: bool = True
    ) -> None:
        """Refuse what this process cannot import, and, once an experiment is configured, its config."""
        refusal = self._find_refusal(work, experiment) if experiment is not None else None
        if experiment is None or refusal is None:
            return
        if not isinstance(refusal, ConfigError):
            raise refusal
        if is_configured:
            what = f"Experiment {experiment.name!r} has a config that its algorithm no longer takes."
            why = f"{refusal.what} {refusal.why}".strip()
            raise ConfigError(what, why, "Give it another one: experiment.update(config=...).")

    def _find_refusal(self, work: UnitOfWork, experiment: Experiment) -> PipelineError | None:
        return self._refusal_of(experiment, work.experiments.stored_reference(experiment.algorithm_id))

    def _find_refusals(self, work: UnitOfWork, pipeline: Pipeline, known: PipelineFacts) -> list[Problem]:
        bound = [(stage, known.for_stage(stage.id).experiment) for stage in pipeline.stages]
        return [
            Problem(stage=stage_label(pipeline, stage, known), problem=_describe_refusal(error))
            for stage, experiment in bound
            if experiment is not None and (error := self._find_refusal(work, experiment)) is not None
        ]

    def _unreachable(self, pipeline: Pipeline, known: PipelineFacts) -> list[Problem]:
        found: list[Problem] = []
        for stage in pipeline.stages:
            for checkpoint in known.for_stage(stage.id).checkpoints:
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


def _note(work: UnitOfWork, pipeline: Pipeline, stage_id: int, done: str) -> None:
    at = pipeline.position(stage_id)
    name = history.stage_name(work, pipeline.stages[at])
    history.record_event(work, pipeline, EventKind.RAN, f"{done} stage {at + 1} ({isolate(name)}).")


def _ready(work: UnitOfWork, stage_id: int, *, resume: bool) -> tuple[Pipeline, PipelineFacts, RunStart]:
    pipeline = work.pipelines.of_stage(stage_id)
    known = pipeline_facts.load(work, pipeline)
    if found := find_blockers(pipeline, stage_id, known, resume=resume):
        raise trigger_error(stage_label(pipeline, pipeline.stage(stage_id), known), found)
    run_start = (
        resolve_resume(known.for_stage(stage_id)) if resume else resolve_start(pipeline, stage_id, known)
    )
    return pipeline, known, run_start


def _current_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return None


def _current_code(work: UnitOfWork, experiment: Experiment | None) -> CodeRecord | None:
    """Return the code that a run of an experiment will load."""
    return CodeFacts(work, [experiment]).now(experiment) if experiment is not None else None


def _record(
    work: UnitOfWork, place: TriggerPlace | None, code: CodeRecord | None, run_start: RunStart
) -> Mapping[str, object] | None:
    """Keep where a run is triggered and which code it will load. One that resumes stays in its folder."""
    if place is None and code is None:
        return None
    kept = work.records.keep_place(place)
    if run_start.resumed_run_id is not None:
        folder = (work.runs.get(run_start.resumed_run_id).code or kept).folder
        kept = replace(kept, folder=choose_folder(folder, kept.folder, exists=os.path.isdir))
    if code is not None:
        ours = work.records.keep_code(code)
        kept = replace(kept, digest=ours.digest, record=ours.record)
    return kept.to_json()


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
