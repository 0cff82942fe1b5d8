"""The edits of a pipeline, and undoing them one after another."""

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
from pipeline_widgets.domain.history import (
    STEPS_READ,
    EditStep,
    Event,
    EventKind,
    PipelineSnapshot,
    UndoOptions,
    UndoPlan,
    check_undo,
    describe_losses,
    find_redoable,
    find_undoable,
)
from pipeline_widgets.domain.names import check_name_available
from pipeline_widgets.errors import NotFoundError, RuleError
from pipeline_widgets.persistence.repositories.events import Subject
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts

LONGEST = 200  # characters of who


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoResult:
    """An edit that was undone, or done again."""

    pipeline: Pipeline
    #: The edit.
    undone: Event
    #: What the undo did, as the history has it.
    done: Event


class HistoryService:
    """Read the history of pipelines, and undo their edits from the last one back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(self, pipeline_id: int, *, last: int | None = None) -> tuple[Event, ...]:
        """Return what was done to a pipeline, or the last of it, oldest first."""
        with self._store.read() as work:
            work.pipelines.get(pipeline_id)
            return work.events.of_pipeline(pipeline_id, last)

    def options(self, pipeline_id: int) -> UndoOptions:
        """Return the edit that an undo would take back, and the one that a redo would do again."""
        with self._store.read() as work:
            version = work.pipelines.get(pipeline_id).version
            steps = work.events.steps(pipeline_id, STEPS_READ)
            next_ = [found[:1] for found in (find_undoable(steps, version), find_redoable(steps, version))]
            events = work.events.by_id([step.id for found in next_ for step in found])
            undo, redo = (events[found[0].id] if found else None for found in next_)
            return UndoOptions(undo=undo, redo=redo)

    def plan(self, pipeline_id: int, *, redo: bool = False) -> UndoPlan:
        """Return the effect of an undo or a redo, with the stages with runs or an agent that would go.

        Raises:
            RuleError: There is no edit to undo, or to do again.
        """
        with self._store.read() as work:
            now = work.pipelines.get(pipeline_id)
            step = _next_step(work, now, redo=redo)
            then = work.events.snapshot(step.id).restore(now)
            gone = [stage.id for stage in now.stages if stage.id not in {left.id for left in then.stages}]
            runs = {key: len(ids) for key, ids in work.events.runs_of(gone).items()} if gone else {}
            agents = {agent.name for agent in work.agents.matching((), _deployed_names(now))}
            names = work.pipelines.stage_names(pipeline_id)
            losses = describe_losses(now, then, names, runs, agents)
            event = work.events.by_id([step.id])[step.id]
            return UndoPlan(event=event, version=now.version, losses=losses)

    def undo(self, pipeline_id: int, *, expected_version: int | None = None) -> UndoResult:
        """Undo the last edit of a pipeline that is not undone yet, whoever made it.

        A stage that was deleted comes back with its runs, and with why it was held and what was accepted.

        Raises:
            RuleError: There is no edit to undo.
            InUseError: A stage that it concerns is active.
            StaleWriteError: The pipeline has changed since `expected_version`.
            NotFoundError: An experiment or agent that a stage was bound to is gone.
        """
        return self._return(pipeline_id, expected_version, redo=False)

    def redo(self, pipeline_id: int, *, expected_version: int | None = None) -> UndoResult:
        """Do the edit again that was undone last, if nothing was edited since.

        Raises:
            RuleError: There is no such edit.
            InUseError: A stage that it concerns is active.
            StaleWriteError: The pipeline has changed since `expected_version`.
            NotFoundError: An experiment or agent that a stage was bound to is gone.
        """
        return self._return(pipeline_id, expected_version, redo=True)

    def _return(self, pipeline_id: int, expected_version: int | None, *, redo: bool) -> UndoResult:
        with self._store.write() as work:
            now = work.pipelines.get(pipeline_id)
            revision = work.projects.touch(now.project_id)
            check_version(work, now, expected_version)
            step = _next_step(work, now, redo=redo)
            undone, before = work.events.by_id([step.id])[step.id], work.events.snapshot(step.id)
            then = before.restore(now)
            known = pipeline_facts.load(work, now)
            check_undo(now, then, known)
            others = work.pipelines.named(now.project_id, [then.name])
            check_name_available(then.name, (other for other in others if other.id != now.id), "pipeline")
            _check_bound(work, then)
            snapshot = take_snapshot(work, now, then, marked=before.marks)
            after = work.pipelines.save(then, revision, before=now)
            work.events.restore_runs(before.runs, pipeline_id)
            over = _ran_since(work, then, before.last_run)
            for stage_id, marks in before.marks.items():
                held = known.for_stage(stage_id).held if stage_id in over else marks.held
                work.pipelines.set_marks(stage_id, replace(marks, held=held))
            kind = EventKind.REDONE if redo else EventKind.UNDONE
            done = record_edit(work, now, after, undone.sentence, snapshot, kind=kind)
            return UndoResult(pipeline=after, undone=undone, done=done)


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
) -> Event:
    """Keep that a pipeline was edited, so that it can be undone; return the event."""
    key = work.events.add(
        after,
        kind,
        current_user(),
        sentence,
        before=snapshot,
        version=after.version,
        changes=edits.find_changes(before, after),
    )
    steps = work.events.steps(after.id, STEPS_READ)
    kept = (*find_undoable(steps, after.version), *find_redoable(steps, after.version))
    work.events.keep_snapshots(after.id, [step.id for step in kept])
    return work.events.by_id([key])[key]


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


def _next_step(work: UnitOfWork, now: Pipeline, *, redo: bool) -> EditStep:
    """Return the edit to undo, or the undo to take back."""
    steps = work.events.steps(now.id, STEPS_READ)
    found = find_redoable(steps, now.version) if redo else find_undoable(steps, now.version)
    if found:
        return found[0]
    if redo:
        what, fix = "There is no edit to redo.", "A redo follows an undo, before any other edit."
        raise RuleError(what, fix=fix)
    raise RuleError("There is no edit to undo.", fix="See pipe.history for what was done.")


def _deployed_names(pipeline: Pipeline) -> list[str]:
    return [stage.agent_name for stage in pipeline.stages if isinstance(stage, DeploymentStage)]


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
        raise NotFoundError("The last edit cannot be undone.", why, "Recreate it by hand.")
