"""The edits of a pipeline, and undoing the last one."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

from pipeline_widgets.domain import edits
from pipeline_widgets.domain.chain import DeploymentStage, Pipeline, Stage
from pipeline_widgets.domain.edits import Change, ChangeKind
from pipeline_widgets.domain.history import Event, EventKind, PipelineSnapshot, check_undo
from pipeline_widgets.domain.names import check_name_available
from pipeline_widgets.errors import NotFoundError, RuleError
from pipeline_widgets.persistence.repositories.events import Subject
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts

LONGEST = 200  # characters of who


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoResult:
    """An edit that was undone."""

    pipeline: Pipeline
    #: The edit.
    undone: Event


class HistoryService:
    """Read the history of pipelines, and undo the last edit of one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(self, pipeline_id: int, *, last: int | None = None) -> tuple[Event, ...]:
        """Return what was done to a pipeline, or the last of it, oldest first."""
        with self._store.read() as work:
            work.pipelines.get(pipeline_id)
            return work.events.of_pipeline(pipeline_id, last)

    def undoable(self, pipeline_id: int) -> Event | None:
        """Return the edit that an undo would undo; None where there is none."""
        with self._store.read() as work:
            last = work.events.last_edit(pipeline_id)
            now = work.pipelines.get(pipeline_id)
            return last.event if last is not None and last.version == now.version else None

    def undo(self, pipeline_id: int, *, expected_version: int | None = None) -> UndoResult:
        """Undo the last edit of a pipeline. Undoing again does it again.

        A stage that was deleted comes back with its runs, and with why it was held and what was accepted.

        Raises:
            RuleError: There is no edit to undo.
            InUseError: A stage that it concerns is active.
            StaleWriteError: The pipeline has changed since `expected_version`.
            NotFoundError: An experiment or agent that a stage was bound to is gone.
        """
        with self._store.write() as work:
            now = work.pipelines.get(pipeline_id)
            revision = work.projects.touch(now.project_id)
            check_version(work, now, expected_version)
            last = work.events.last_edit(pipeline_id)
            if last is None or last.version != now.version:
                raise RuleError("There is no edit to undo.", fix="See pipe.history for what was done.")
            before, undone = last.before, last.event
            then = before.restore(now)
            known = pipeline_facts.load(work, now)
            check_undo(now, then, known)
            others = work.pipelines.named(now.project_id, [then.name])
            check_name_available(then.name, (each for each in others if each.id != now.id), "pipeline")
            _check_bound(work, then)
            snapshot = take_snapshot(work, now, then, marked=before.marks)
            after = work.pipelines.save(then, revision, before=now)
            work.events.restore_runs(before.runs, pipeline_id)
            over = _ran_since(work, then, before.last_run)
            for stage_id, marks in before.marks.items():
                held = known.for_stage(stage_id).held if stage_id in over else marks.held
                work.pipelines.set_marks(stage_id, replace(marks, held=held))
            kind = EventKind.EDITED if undone.kind is EventKind.UNDONE else EventKind.UNDONE
            record_edit(work, now, after, undone.sentence, snapshot, kind=kind)
            return UndoResult(pipeline=after, undone=undone)


def check_version(
    work: UnitOfWork,
    subject: Subject,
    expected: int | None,
    concerning: Collection[ChangeKind] = frozenset(ChangeKind),
) -> None:
    """Refuse an edit that is based on an older version of a pipeline, an experiment or an agent.

    Args:
        work: The transaction.
        subject: The row as it is now.
        expected: The version that the edit is based on; None where it is based on none.
        concerning: The changes that matter to the edit.

    Raises:
        StaleWriteError: Such a change was made since; it says which ones.
    """
    if expected not in {None, subject.version}:
        changes = work.events.changes_since(subject, expected or 0)
        label = f"{type(subject).__name__} {subject.name!r}"
        edits.check_version(label, subject.version, expected, changes, concerning)


def record_event(work: UnitOfWork, pipeline: Pipeline, kind: EventKind, sentence: str) -> None:
    """Keep that something was done to a pipeline, in the transaction that does it."""
    work.events.add(pipeline, kind, current_user(), sentence)


def record_change(work: UnitOfWork, after: Subject, sentence: str, changes: Sequence[Change]) -> None:
    """Keep that an experiment or an agent was edited."""
    work.events.add(after, EventKind.EDITED, current_user(), sentence, version=after.version, changes=changes)


def take_snapshot(
    work: UnitOfWork, before: Pipeline, after: Pipeline, *, marked: Collection[int] = ()
) -> PipelineSnapshot:
    """Return what an undo needs: the pipeline before the edit, and what stages lose by it.

    That is their runs, where they are deleted; why they are held and what was accepted, where they are
    edited or `marked`.
    """
    left = {stage.id: stage for stage in after.stages}
    gone = [stage.id for stage in before.stages if stage.id not in left]
    changed = [s.id for s in before.stages if left.get(s.id) != s or s.id in marked]
    return PipelineSnapshot(
        name=before.name,
        description=before.description,
        stages=before.stages,
        runs=work.events.runs_of(gone) if gone else {},
        last_run=work.runs.last_of_pipeline(before.id),
        marks=work.pipelines.marks(changed),
        score_by=before.score_by,
    )


def record_edit(
    work: UnitOfWork,
    before: Pipeline,
    after: Pipeline,
    sentence: str,
    snapshot: PipelineSnapshot,
    *,
    kind: EventKind = EventKind.EDITED,
) -> None:
    """Keep that a pipeline was edited, so that it can be undone."""
    key = work.events.add(
        after,
        kind,
        current_user(),
        sentence,
        before=snapshot,
        version=after.version,
        changes=edits.find_changes(before, after),
    )
    work.events.forget_before(after.id, key)


def stage_name(work: UnitOfWork, stage: Stage) -> str:
    """Return the name that a stage is known by: that of its experiment or its agent."""
    if isinstance(stage, DeploymentStage):
        return stage.agent_name
    return work.experiments.get(stage.experiment_id).name


@cache
def current_user() -> str:
    """Return who works in this process: user and host."""
    try:
        user = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for the number of its user
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
    return f"{user}@{platform.node()}"[:LONGEST]


def _ran_since(work: UnitOfWork, then: Pipeline, last_run: int | None) -> set[int]:
    """Return the stages that have run since an edit, or whose previous stage has.

    Why such a stage was held before the edit is over (spec 6.7). An edit of an older version does not say.
    """
    if last_run is None:
        return set()
    new = {run.stage_id for run in work.runs.telling([s.id for s in then.stages]) if run.id > last_run}
    pairs = zip((None, *then.stages), then.stages, strict=False)
    return {stage.id for before, stage in pairs if {stage.id, before.id if before else None} & new}


def _check_bound(work: UnitOfWork, then: Pipeline) -> None:
    experiments, agents = set(then.experiment_ids), set(then.agent_ids)
    there = {agent.id for agent in work.agents.matching(agents, ())}
    if experiments - work.experiments.by_id(experiments).keys() or agents - there:
        why = "An experiment or agent that a stage was bound to was deleted since."
        raise NotFoundError("The last edit cannot be undone.", why, "Make it again by hand.")
