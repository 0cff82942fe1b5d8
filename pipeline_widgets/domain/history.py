"""What was done to a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.errors import InUseError


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that was done, by whom and when."""

    id: int
    at: datetime
    who: str
    #: One sentence.
    what: str


def check_undo(now: Pipeline, then: Pipeline, facts: PipelineFacts) -> None:
    """Refuse an undo that would change, move or delete a stage that is active.

    Raises:
        InUseError: It would.
    """
    before = {stage.id: (at, stage) for at, stage in enumerate(then.stages)}
    for at, stage in enumerate(now.stages):
        status = facts.for_stage(stage.id).status
        if before.get(stage.id) != (at, stage) and status.active:
            why = f"It concerns stage {at + 1}, which is {status.lower()}."
            raise InUseError("The last edit cannot be undone.", why, "Stop it first.")
