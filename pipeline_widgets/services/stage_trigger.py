"""Trigger a stage: one transaction reads what that needs, another one writes the Pending run."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.algorithm import AlgorithmDeclaration
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.history import EventKind
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.plan import find_notes
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.run_record import TriggerPlace, describe_folder
from pipeline_widgets.domain.triggering import (
    RunStart,
    find_blockers,
    resolve_resume,
    resolve_start,
    stage_label,
    stage_name,
    trigger_error,
)
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history, pipeline_facts
from pipeline_widgets.services.local_code import (
    RefusalOf,
    Renewal,
    check_refusal,
    find_code,
    find_renewals,
    record_origin,
    renew,
)
from pipeline_widgets.services.run_queue import PlacementCheck, enqueue_run, find_placement, verify_start
from pipeline_widgets.services.stage_experiments import bind_copy


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerOptions:
    """How a stage is triggered, and what the process that does so brings along."""

    #: Go on from the stage's own last checkpoint instead of starting over.
    resume: bool = False
    #: Bind the stage to a copy of its experiment first (spec 5.7).
    duplicate: bool = False
    #: Returns the folder that it is triggered from.
    find_place: Callable[[], TriggerPlace | None] | None = None
    #: The algorithms that the pipeline's experiments are to use, as this process declares them.
    algorithms: Mapping[str, AlgorithmDeclaration] | None = None
    #: Keeps the evaluator of that name as this process has it.
    keep_evaluator: Callable[[str], object] | None = None
    #: Stages after it that its chain goes on to, though they are not Auto.
    run_through: Collection[int] = ()
    #: Is told the notes of the plan, before anything is written.
    tell: Callable[[tuple[str, ...]], None] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _ReadyStage:
    """What was read of a stage that can start."""

    pipeline: Pipeline
    known: PipelineFacts
    run_start: RunStart
    #: As long as the project has that number of changes, the rest holds.
    changes: int
    code: CodeRecord | None
    placement: Placement
    python: str | None


class StageTrigger:
    """Triggers stages. What was read is read again in the write only if the project has changed meanwhile."""

    def __init__(self, store: Store, find_refusal: RefusalOf, check_placement: PlacementCheck) -> None:
        self._store = store
        self._find_refusal = find_refusal
        self._check_placement = check_placement

    def trigger(self, stage_id: int, options: TriggerOptions) -> Run:
        """Write a Pending run of a stage, and return it."""
        ready = self._prepare(stage_id, options)
        self._check_placement(ready.placement, ready.python)
        verify_start(ready.run_start, self._store)
        place = options.find_place() if options.find_place is not None else None
        project_id, done = ready.pipeline.project_id, "Resumed" if options.resume else "Triggered"
        with self._store.write() as work:
            revision = work.projects.touch(project_id)
            pipeline, known, run_start = ready.pipeline, ready.known, ready.run_start
            if options.duplicate:
                bind_copy(work, work.pipelines.of_stage(stage_id), stage_id, revision)
            if options.duplicate or work.projects.count_changes(project_id) != ready.changes + 1:
                pipeline = work.pipelines.of_stage(stage_id)
                known = pipeline_facts.load(work, pipeline, pipeline.deciding(stage_id), consumption=False)
                run_start = _resolve(pipeline, stage_id, known, resume=options.resume)
            stage = pipeline.stage(stage_id)
            record_done(work, pipeline, stage_id, done, stage_name(stage, known))
            origin = record_origin(work, place, ready.code, run_start)
            written: dict[str, Any] = {"revision": revision, "code": origin}
            through = options.run_through
            return enqueue_run(work, pipeline, stage, known, run_start, run_through=through, **written)

    def _prepare(self, stage_id: int, options: TriggerOptions) -> _ReadyStage:
        """Let the experiments use the code of this process, and return what a trigger needs."""
        with self._store.read() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            known = _load(work, pipeline, stage_id, options)
            renewals = _find_renewals(work, pipeline, known, options)
            evaluator = pipeline.score_by if options.keep_evaluator is not None else None
            if not renewals and evaluator is None:
                return self._check(work, pipeline, stage_id, known, options)
        if renewals:
            with self._store.write() as work:
                renew(work, renewals)
        if evaluator is not None and options.keep_evaluator is not None:
            options.keep_evaluator(evaluator)
        with self._store.read() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            known = pipeline_facts.load(work, pipeline, pipeline.deciding(stage_id), consumption=False)
            return self._check(work, pipeline, stage_id, known, options)

    def _check(
        self,
        work: UnitOfWork,
        pipeline: Pipeline,
        stage_id: int,
        known: PipelineFacts,
        options: TriggerOptions,
    ) -> _ReadyStage:
        run_start = _resolve(pipeline, stage_id, known, resume=options.resume)
        experiment = known.for_stage(stage_id).experiment
        check_refusal(work, self._find_refusal, experiment)
        return _ReadyStage(
            pipeline=pipeline,
            known=known,
            run_start=run_start,
            changes=work.projects.count_changes(pipeline.project_id),
            code=find_code(work, experiment),
            placement=find_placement(work, pipeline.stage(stage_id), experiment),
            python=experiment.python if experiment is not None else None,
        )


def record_done(work: UnitOfWork, pipeline: Pipeline, stage_id: int, done: str, name: str) -> None:
    """Keep in the history that a stage was triggered, resumed or stopped."""
    label = f"{pipeline.position(stage_id) + 1} ({isolate(name)})"
    history.record_event(work, pipeline, EventKind.RAN, f"{done} stage {label}.")


def describe_folder_of(known: PipelineFacts, stage_id: int, *, resume: bool) -> str | None:
    """Say in which folder a resumed run goes on, if that is not the current one."""
    latest = known.for_stage(stage_id).latest
    first = latest.code.folder if resume and latest and latest.code else None
    return describe_folder(first, _current_folder(), exists=os.path.isdir)


def _load(work: UnitOfWork, pipeline: Pipeline, stage_id: int, options: TriggerOptions) -> PipelineFacts:
    """Load what is known; the notes are told first, as they are about the code that was there before."""
    if options.tell is None:
        return pipeline_facts.load(work, pipeline, pipeline.deciding(stage_id), consumption=False)
    known = pipeline_facts.load(work, pipeline)
    folder = describe_folder_of(known, stage_id, resume=options.resume)
    options.tell(find_notes(pipeline, pipeline.stage(stage_id), known, folder))
    return known


def _find_renewals(
    work: UnitOfWork, pipeline: Pipeline, known: PipelineFacts, options: TriggerOptions
) -> tuple[Renewal, ...]:
    if options.algorithms is None:
        return ()
    loaded = {each.experiment.id: each.experiment for each in known.stages.values() if each.experiment}
    if missing := set(pipeline.experiment_ids) - loaded.keys():
        loaded |= work.experiments.by_id(missing)
    return find_renewals(work, loaded.values(), options.algorithms)


def _resolve(pipeline: Pipeline, stage_id: int, known: PipelineFacts, *, resume: bool) -> RunStart:
    """Return what a stage starts from.

    Raises:
        TriggerError: It cannot start now.
    """
    if found := find_blockers(pipeline, stage_id, known, resume=resume):
        raise trigger_error(stage_label(pipeline, pipeline.stage(stage_id), known), found)
    return resolve_resume(known.for_stage(stage_id)) if resume else resolve_start(pipeline, stage_id, known)


def _current_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return None
