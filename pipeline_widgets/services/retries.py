"""Retries of runs that have crashed, written in the transaction that writes the crash (spec 6.12)."""

from __future__ import annotations

from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.retry import EndedRun, decide_retry
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.triggering import RunStart
from pipeline_widgets.errors import NotFoundError, UntrustedError
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.code_references import find_code_references
from pipeline_widgets.services.run_queue import find_unreachable_reason, frozen_start


def enqueue_retry(
    work: UnitOfWork, store: Store, run: Run, *, was_stopping: bool, **columns: object
) -> Run | None:
    """Insert the retry of a run that has crashed, with all that the run had frozen.

    A run that its stage asks to retry, and that is not, says why in its error.

    Args:
        work: The transaction in which the run has crashed.
        store: The workspace.
        run: The run, as it has ended.
        was_stopping: Whether it was asked to stop before.
        **columns: The revision, and who has taken the retry already.

    Returns:
        The retry, Pending; None where there is none.
    """
    if run.status is not Status.CRASHED or run.pipeline_id is None or run.stage_id is None:
        return None
    pipeline = work.pipelines.get(run.pipeline_id)
    ended = _load(work, pipeline, run, was_stopping=was_stopping)
    decision = decide_retry(ended)
    if decision is None:
        return None
    start, reason = decision.start, decision.reason
    if start is not None:
        reason = _find_obstacle(work, store, pipeline, run, start)
    if start is None or reason is not None:
        work.runs.add_to_error(run, reason or "")
        return None
    new = work.runs.add_retry(run, **frozen_start(start), **columns)
    resumed = start.checkpoint if start.role == "resume" else None
    begin = f"resumes from step {resumed.step}" if resumed else "starts over"
    work.runs.add_to_error(run, f"Retried: {new.label} {begin}.")
    work.pipelines.touch(pipeline.id)
    return new


def _load(work: UnitOfWork, pipeline: Pipeline, run: Run, *, was_stopping: bool) -> EndedRun:
    """Return what decides whether a run is retried."""
    try:
        stage = pipeline.stage(run.stage_id or 0)
    except NotFoundError:
        stage = None
    runs = work.runs.of_stage(run.stage_id or 0) if run.retry else ()
    earlier = [each for each in runs if each.id < run.id]
    key, version = run.start_checkpoint_id, run.start_agent_version_id
    start = RunStart(
        checkpoint=work.checkpoints.by_id([key]).get(key) if key is not None else None,
        agent_version=work.agents.version(version) if version is not None else None,
        role=run.start_role,
        source_checkpoint_id=run.source_checkpoint_id,
        source_run_id=run.source_run_id,
        resumed_run_id=run.resumed_run_id,
    )
    return EndedRun(
        run=run,
        stage=stage,
        start=start,
        saved=work.checkpoints.deciding_of(run.id),
        retried=earlier[-1] if earlier else None,
        was_stopping=was_stopping,
    )


def _find_obstacle(
    work: UnitOfWork, store: Store, pipeline: Pipeline, run: Run, start: RunStart
) -> str | None:
    """Return why a retry could not begin: what it starts from is gone, or code is not trusted."""
    if start.checkpoint is None and run.start_checkpoint_id is not None:
        return "Not retried: the checkpoint that it started from is gone."
    if (reason := find_unreachable_reason(start, store)) is not None:
        return f"Not retried: {reason}"
    try:
        find_code_references(work, pipeline, run.experiment_id, run.algorithm_id, start.checkpoint)
    except UntrustedError as error:
        return f"Not retried: {error}"
    return None
