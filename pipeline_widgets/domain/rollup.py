"""The status of a pipeline or a project in one word, and the sentence that explains it (spec 2.5, 3.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline_widgets.domain.chain import Trigger, label_stage
from pipeline_widgets.domain.run import Status


class PipelineStatus(StrEnum):
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


_NEED = {word: need for need, word in enumerate(reversed(PipelineStatus))}
_BROKEN = {
    Status.FAILED: (PipelineStatus.FAILED, "has failed"),
    Status.CRASHED: (PipelineStatus.CRASHED, "has crashed"),
    Status.STOPPED: (PipelineStatus.STOPPED, "was stopped"),
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

    status: PipelineStatus
    detail: str

    @property
    def urgency(self) -> int:
        """Its urgency: the greatest comes first in a list that is sorted by status."""
        return _NEED[self.status]


def roll_up(stages: Sequence[StageSummary]) -> Rollup:
    """Tell where a pipeline stands: what is active, else the first stage that has not succeeded."""
    if not stages:
        return Rollup(status=PipelineStatus.EMPTY, detail="Add a stage to begin")
    active = [at for at, stage in enumerate(stages) if stage.status.active]
    if active:
        return _at_work(stages, active)
    for at, stage in enumerate(stages):
        # One that has succeeded is held when the stage before it ran again: that is to be seen as well.
        if stage.status is not Status.SUCCEEDED or stage.held is not None:
            return roll_up_unfinished(stage, at)
    return Rollup(status=PipelineStatus.SUCCEEDED, detail="Every stage has succeeded")


def roll_up_unfinished(stage: StageSummary, at: int) -> Rollup:
    """Tell where a pipeline stands that has no active stage, by its first stage that has not succeeded.

    Args:
        stage: That stage, or one that is held.
        at: Its position, counted from 0.
    """
    label = label_stage(at, stage.name)
    held = f"held: {stage.held}" if stage.held is not None else ""
    if stage.status in _BROKEN:
        word, told = _BROKEN[stage.status]
        return Rollup(status=word, detail=f"{label} {told}" + (f", and is {held}" if held else ""))
    if held:
        return Rollup(status=PipelineStatus.HELD, detail=f"{label}: {stage.held}")
    # An Auto stage waits for a person too: only a success that is yet to come would start it (spec 5.2).
    late = f": Auto starts it only when stage {at} succeeds again" if stage.trigger is Trigger.AUTO else ""
    return Rollup(status=PipelineStatus.WAITING, detail=f"{label} is next{late}")


def roll_up_project(counts: Mapping[PipelineStatus, int]) -> Rollup | None:
    """Tell where a project stands: in the word that needs a person most, and how many stand where.

    Args:
        counts: How many of its pipelines, of its experiments outside of pipelines, and of its active runs
            have a status.

    Returns:
        None where nothing has run and nothing waits.
    """
    present = [status for status in PipelineStatus if counts.get(status, 0)]
    told = [status for status in present if status is not PipelineStatus.EMPTY]
    if not told:
        return None
    detail = ", ".join(f"{counts[status]:,} {status.lower()}" for status in told)
    return Rollup(status=told[0], detail=detail)


def _at_work(stages: Sequence[StageSummary], active: Sequence[int]) -> Rollup:
    statuses = {stages[at].status for at in active}
    status = statuses.pop() if len(statuses) == 1 else Status.RUNNING
    shown = next((at for at in active if stages[at].status is status), active[0])
    detail = f"{label_stage(shown, stages[shown].name)} is {stages[shown].status.lower()}"
    more = len(active) - 1
    if more:
        detail += f", {more} more {'stage is' if more == 1 else 'stages are'} active"
    return Rollup(status=PipelineStatus(status.value), detail=detail)
