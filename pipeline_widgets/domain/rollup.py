"""What one word says of a whole pipeline, and the sentence that explains it (spec 3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline_widgets.directions import isolated
from pipeline_widgets.domain.chain import Trigger
from pipeline_widgets.domain.run import Status


class Word(StrEnum):
    """The words of a roll-up, from what needs a person most to what needs nobody."""

    FAILED = "Failed"
    CRASHED = "Crashed"
    HELD = "Held"
    STOPPED = "Stopped"
    WAITING = "Waiting for you"
    STOPPING = "Stopping"
    RUNNING = "Running"
    PENDING = "Pending"
    SUCCEEDED = "Succeeded"
    EMPTY = "No stages"


_NEED = {word: need for need, word in enumerate(reversed(Word))}
_BROKEN = {
    Status.FAILED: (Word.FAILED, "has failed"),
    Status.CRASHED: (Word.CRASHED, "has crashed"),
    Status.STOPPED: (Word.STOPPED, "was stopped"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSummary:
    """As much of a stage as its pipeline's roll-up asks for."""

    #: Its experiment's or its agent's name.
    name: str
    #: The status of its latest run with the experiment that it is bound to now.
    status: Status = Status.DRAFT
    trigger: Trigger = Trigger.MANUAL
    #: Why it did not start although the stage before it succeeded.
    held: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollup:
    """The status of a pipeline in one word, and in a sentence that names the stage."""

    word: Word
    detail: str

    @property
    def need(self) -> int:
        """How much it needs a person; the greatest comes first in a list that is sorted by status."""
        return _NEED[self.word]


def rollup(stages: Sequence[StageSummary]) -> Rollup:
    """Tell where a pipeline stands: what is active, else the first stage that has not succeeded."""
    if not stages:
        return Rollup(word=Word.EMPTY, detail="Add a stage to begin")
    active = [at for at, stage in enumerate(stages) if stage.status.active]
    if active:
        return _at_work(stages, active)
    for at, stage in enumerate(stages):
        # One that has succeeded is held when the stage before it ran again: that is to be seen as well.
        if stage.status is not Status.SUCCEEDED or stage.held is not None:
            return _unfinished(stage, at)
    return Rollup(word=Word.SUCCEEDED, detail="Every stage has succeeded")


def _at_work(stages: Sequence[StageSummary], active: Sequence[int]) -> Rollup:
    statuses = {stages[at].status for at in active}
    status = statuses.pop() if len(statuses) == 1 else Status.RUNNING
    shown = next((at for at in active if stages[at].status is status), active[0])
    detail = f"{_label(stages[shown], shown)} is {stages[shown].status.lower()}"
    more = len(active) - 1
    if more:
        detail += f", {more} more {'stage is' if more == 1 else 'stages are'} active"
    return Rollup(word=Word(status.value), detail=detail)


def _unfinished(stage: StageSummary, at: int) -> Rollup:
    label = _label(stage, at)
    held = f"held: {stage.held}" if stage.held is not None else ""
    if stage.status in _BROKEN:
        word, told = _BROKEN[stage.status]
        return Rollup(word=word, detail=f"{label} {told}" + (f", and is {held}" if held else ""))
    if held:
        return Rollup(word=Word.HELD, detail=f"{label} is {held}")
    # An Auto stage waits for a person too: only a success that is yet to come would start it (spec 5.2).
    late = f": Auto starts it only when stage {at} succeeds again" if stage.trigger is Trigger.AUTO else ""
    return Rollup(word=Word.WAITING, detail=f"{label} is next{late}")


def _label(stage: StageSummary, at: int) -> str:
    return f"Stage {at + 1} ({isolated(stage.name)})"
