"""Who did what to a pipeline and when, and undoing the last edit."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pipeline_widgets.domain.chain import DeploymentStage, Pipeline, Stage
from pipeline_widgets.domain.edits import describe_changes
from pipeline_widgets.domain.history import Event, check_undo
from pipeline_widgets.domain.names import check_name_available
from pipeline_widgets.errors import NotFoundError, RuleError, StaleWriteError
from pipeline_widgets.persistence.repositories.events import stages_from_plain, stages_to_plain
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts

LONGEST = 200  # characters of who


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoResult:
    """An edit that was undone."""

    pipeline: Pipeline
    #: The sentence of the edit.
    what: str
    also: tuple[str, ...] = ()


class HistoryService:
    """Read the history of pipelines, and undo the last edit of one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(self, pipeline_id: int, *, last: int | None = None) -> tuple[Event, ...]:
        """Return what was done to a pipeline, or the last of it, oldest first."""
        with self._store.read() as work:
            work.pipelines.get(pipeline_id)
            return work.events.of_pipeline(pipeline_id, last)

    def undoable(self, pipeline_id: int) -> str | None:
        """Return the sentence of the edit that an undo would undo; None where there is none."""
        with self._store.read() as work:
            last = work.events.last_edit(pipeline_id)
            fresh = last is not None and last["version"] == work.pipelines.get(pipeline_id).version
            return str(last["what"]) if fresh and last is not None else None

    def undo(self, pipeline_id: int, *, seen: Pipeline | None = None) -> UndoResult:
        """Undo the last edit of a pipeline. Undoing again does it again.

        A stage that was deleted comes back with its runs, and with why it was held and what was accepted.

        Raises:
            RuleError: There is no edit to undo.
            InUseError: A stage that it concerns is active.
            StaleWriteError: The pipeline has changed since it was seen.
            NotFoundError: An experiment or agent that a stage was bound to is gone.
        """
        with self._store.write() as work:
            now = work.pipelines.get(pipeline_id)
            revision = work.projects.touch(now.project_id)
            if seen is not None and seen.version != now.version:
                what = f"Pipeline {now.name!r} was changed meanwhile."
                raise StaleWriteError(what, " ".join(describe_changes(seen, now)), "Look at it again.")
            last = work.events.last_edit(pipeline_id)
            if last is None or last["version"] != now.version:
                raise RuleError("There is no edit to undo.", fix="See pipe.history for what was done.")
            then = _then(now, last["before"])
            known = pipeline_facts.load(work, now)
            check_undo(now, then, known)
            others = work.pipelines.named(now.project_id, [then.name])
            check_name_available(then.name, (each for each in others if each.id != now.id), "pipeline")
            _check_bound(work, then)
            runs, marks = _by_id(last["before"]["runs"]), _by_id(last["before"].get("marks", {}))
            kept = capture_edit(work, now, then, marked=marks)
            after = work.pipelines.save(then, revision)
            work.events.restore_runs(runs, pipeline_id)
            over = _ran_since(work, then, last["before"].get("last_run"))
            for stage_id, mark in marks.items():
                held = known.for_stage(stage_id).held if stage_id in over else mark["held"]
                work.pipelines.mark(stage_id, {**mark, "held": held})
            record_edit(work, after, _undone(str(last["what"])), kept)
            return UndoResult(pipeline=after, what=str(last["what"]))


def record_event(work: UnitOfWork, pipeline: Pipeline, what: str) -> None:
    """Keep that something was done to a pipeline, in the transaction that does it."""
    work.events.add(pipeline.project_id, pipeline.id, current_user(), what)


def capture_edit(
    work: UnitOfWork, before: Pipeline, after: Pipeline, *, marked: Collection[int] = ()
) -> dict[str, Any]:
    """Return what an undo needs: the pipeline before the edit, and what stages lose by it.

    That is their runs, where they are deleted; why they are held and what was accepted, where they are
    edited or `marked`.
    """
    left = {stage.id: stage for stage in after.stages}
    gone = [stage.id for stage in before.stages if stage.id not in left]
    changed = [s.id for s in before.stages if left.get(s.id) != s or s.id in marked]
    return {
        "name": before.name,
        "description": before.description,
        "stages": stages_to_plain(before.stages),
        "runs": work.events.runs_of(gone) if gone else {},
        "last_run": max((run.id for run in work.runs.telling([s.id for s in before.stages])), default=0),
        "marks": {key: dict(mark) for key, mark in work.pipelines.marks(changed).items()},
    }


def record_edit(work: UnitOfWork, after: Pipeline, what: str, kept: Mapping[str, Any]) -> None:
    """Keep that a pipeline was edited, so that it can be undone."""
    work.events.add(after.project_id, after.id, current_user(), what, before=kept, version=after.version)
    last = work.events.last_edit(after.id)
    if last is not None:
        work.events.forget_before(after.id, last["id"])


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


def _then(now: Pipeline, before: Mapping[str, Any]) -> Pipeline:
    stages = stages_from_plain(before["stages"])
    return replace(now, name=before["name"], description=before["description"], stages=stages)


def _ran_since(work: UnitOfWork, then: Pipeline, last_run: int | None) -> set[int]:
    """Return the stages that have run since an edit, or whose previous stage has.

    Why such a stage was held before the edit is over (spec 6.7). An edit of an older version does not say.
    """
    if last_run is None:
        return set()
    new = {run.stage_id for run in work.runs.telling([s.id for s in then.stages]) if run.id > last_run}
    pairs = zip((None, *then.stages), then.stages, strict=False)
    return {stage.id for before, stage in pairs if {stage.id, before.id if before else None} & new}


def _by_id(kept: Mapping[str, Any]) -> dict[int, Any]:
    """What was kept by the ids of stages, which JSON has made texts of."""
    return {int(key): value for key, value in kept.items()}


def _check_bound(work: UnitOfWork, then: Pipeline) -> None:
    experiments, agents = set(then.experiment_ids), set(then.agent_ids)
    there = {agent.id for agent in work.agents.matching(agents, ())}
    if experiments - work.experiments.by_id(experiments).keys() or agents - there:
        why = "An experiment or agent that a stage was bound to was deleted since."
        raise NotFoundError("The last edit cannot be undone.", why, "Make it again by hand.")


def _undone(what: str) -> str:
    return what.removeprefix("Undone: ") if what.startswith("Undone: ") else f"Undone: {what}"
