"""The history of pipelines: what was done, and what an undo needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pipeline_widgets.domain.chain import Pipeline, Stage
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.errors import InUseError


class EventKind(StrEnum):
    """The kind of an event."""

    CREATED = "created"
    EDITED = "edited"
    #: An undo. Undoing that in turn is an edit again.
    UNDONE = "undone"
    #: Runs were triggered, resumed or stopped.
    RAN = "ran"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that was done, by whom and when."""

    id: int
    at: datetime
    who: str
    kind: EventKind
    #: One sentence; of an undo, that of the edit which it took back.
    sentence: str

    @property
    def what(self) -> str:
        """The event, in one sentence."""
        return f"Undone: {self.sentence}" if self.kind is EventKind.UNDONE else self.sentence


@dataclass(frozen=True, kw_only=True, slots=True)
class StageMarks:
    """Why a stage is held, and what was accepted as fresh."""

    held: str | None = None
    accepted_run_id: int | None = None
    accepted_state: str | None = None
    accepted_note: str | None = None
    accepted_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineSnapshot:
    """A pipeline before an edit, with everything that its stages lose by the edit."""

    name: str
    description: str
    stages: tuple[Stage, ...]
    #: The runs of the stages that the edit deletes.
    runs: Mapping[int, Sequence[int]]
    #: The latest run of any stage; None where an older version of the package kept the snapshot.
    last_run: int | None
    #: The marks of the stages that the edit changes.
    marks: Mapping[int, StageMarks]
    #: The evaluator by whose scores Best and gates went.
    score_by: str | None = None

    def restore(self, now: Pipeline) -> Pipeline:
        """Return the pipeline as it was."""
        texts = {"name": self.name, "description": self.description}
        return replace(now, **texts, stages=self.stages, score_by=self.score_by)


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoableEdit:
    """The latest edit of a pipeline."""

    event: Event
    #: The version of the pipeline after it.
    version: int
    before: PipelineSnapshot


def check_undo(now: Pipeline, then: Pipeline, facts: PipelineFacts) -> None:
    """Refuse an undo that would change, move or delete a stage that is active, or how it is scored.

    Raises:
        InUseError: It would.
    """
    before = {stage.id: (at, stage) for at, stage in enumerate(then.stages)}
    for at, stage in enumerate(now.stages):
        status = facts.for_stage(stage.id).status
        concerned = before.get(stage.id) != (at, stage) or now.score_by != then.score_by
        if concerned and status.active:
            why = f"It concerns stage {at + 1}, which is {status.lower()}."
            raise InUseError("The last edit cannot be undone.", why, "Stop it first.")
