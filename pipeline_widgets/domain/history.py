"""The history of pipelines: what was done, and what an undo needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise, takewhile

from pipeline_widgets.directions import isolate, quote
from pipeline_widgets.domain.chain import DeploymentStage, Pipeline, Stage
from pipeline_widgets.domain.edits import Change, ChangeKind
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.errors import InUseError

KEPT_EDITS = 20  # that can be undone one after another; as many that were undone can be done again
STEPS_READ = 200  # events in which they are looked for


class EventKind(StrEnum):
    """The kind of an event."""

    CREATED = "created"
    EDITED = "edited"
    #: An undo.
    UNDONE = "undone"
    #: An edit that was undone, done again.
    REDONE = "redone"
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
    #: One sentence; of an undo or a redo, that of the edit which it took back or did again.
    sentence: str
    #: What an edit has changed; None where an older version of the package kept the event, or it is no edit.
    changes: Sequence[Change] | None = None

    @property
    def what(self) -> str:
        """The event, in one sentence."""
        if self.kind not in _WORDS:
            return self.sentence
        if self.changes is None:
            return f"Undone: {self.sentence}"
        return f"{_describe_return(self.changes)} ({_WORDS[self.kind]})"


@dataclass(frozen=True, kw_only=True, slots=True)
class EditStep:
    """An edit of a pipeline, an undo or a redo, on the way back through its history."""

    #: The id of its event.
    id: int
    kind: EventKind
    #: The version of the pipeline after it.
    version: int
    #: Whether it raised the version. To accept a stage as fresh does not, so that others' views stand.
    has_raised: bool
    #: Whether the pipeline before it is kept.
    is_kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoOptions:
    """The edit that an undo would take back, and the one that a redo would do again; None without one."""

    undo: Event | None = None
    redo: Event | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoPlan:
    """The effect that an undo or a redo would have on a pipeline."""

    event: Event
    #: The version of the pipeline that it was planned for.
    version: int
    #: The stages with runs or an agent that it would take away, a sentence for each.
    losses: Sequence[str]


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


def find_undoable(steps: Sequence[EditStep], version: int) -> tuple[EditStep, ...]:
    """Return the edits that can be undone one after another, the first to be undone first.

    Args:
        steps: The edits, undos and redos of a pipeline, newest first.
        version: The version that the pipeline has now.
    """
    return _find_returnable(_unbroken(steps, version), taken_back_by=EventKind.UNDONE)


def find_redoable(steps: Sequence[EditStep], version: int) -> tuple[EditStep, ...]:
    """Return the undos after which nothing was edited, the latest first: a redo takes back the first one."""
    since = takewhile(lambda step: step.kind in _WORDS, _unbroken(steps, version))
    return _find_returnable(since, taken_back_by=EventKind.REDONE)


def _find_returnable(steps: Iterable[EditStep], taken_back_by: EventKind) -> tuple[EditStep, ...]:
    """Return the steps that none of that kind has taken back, newest first, as far as they are kept."""
    found: list[EditStep] = []
    taken_back = 0  # steps before this one
    for step in steps:
        if step.kind is taken_back_by:
            taken_back += 1
        elif taken_back:
            taken_back -= 1
        elif not step.is_kept:
            break
        else:
            found.append(step)
    return tuple(found[:KEPT_EDITS])


def _unbroken(steps: Sequence[EditStep], version: int) -> Sequence[EditStep]:
    """Return the newest steps that follow each other without an edit in between that nobody has kept."""
    if not steps or steps[0].version != version:
        return ()
    for number, (after, before) in enumerate(pairwise(steps), 1):
        if before.version != after.version - int(after.has_raised):
            return steps[:number]
    return steps


def describe_losses(
    now: Pipeline, then: Pipeline, names: Mapping[int, str], runs: Mapping[int, int], agents: Collection[str]
) -> tuple[str, ...]:
    """Say which stages with runs or an agent a pipeline would lose, and what stays of them.

    Args:
        now: The pipeline.
        then: The pipeline as it would be.
        names: The names of the stages that it has now, by id.
        runs: How many runs those stages have, by id.
        agents: The names of the agents that there are.
    """
    left = {stage.id for stage in then.stages}
    lost: list[str] = []
    for number, stage in enumerate(now.stages, 1):
        if stage.id in left:
            continue
        stays: list[str] = []
        if count := runs.get(stage.id, 0):
            stays.append("its run" if count == 1 else f"its {count} runs")
        if isinstance(stage, DeploymentStage) and stage.agent_name in agents:
            stays.append(f"agent {quote(stage.agent_name)}")
        if stays:
            verb = "stays" if len(stays) == 1 and count <= 1 else "stay"
            lost.append(
                f"Stage {number} ({isolate(names[stage.id])}) is removed; {' and '.join(stays)} {verb}."
            )
    return tuple(lost)


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


#: What an undo and a redo are called after what they did.
_WORDS = {EventKind.UNDONE: "undo", EventKind.REDONE: "redo"}


def _describe_return(changes: Sequence[Change]) -> str:
    """Say what an undo or a redo did to a pipeline. Stages that others push along are left out."""
    said = [_RETURNS[change.kind].format(change.number) for change in changes if change.kind in _RETURNS]
    if not said:
        said = ["order of the stages restored" if changes else "acceptance changed back"]
    text = ", ".join(said)
    return text[0].upper() + text[1:]


_RETURNS = {
    ChangeKind.RENAMED: "name restored",
    ChangeKind.DESCRIBED: "description restored",
    ChangeKind.SCORED_BY: "evaluator restored",
    ChangeKind.STAGE_DELETED: "stage {} removed",
    ChangeKind.STAGE_ADDED: "stage {} restored",
    ChangeKind.STAGE_EDITED: "settings of stage {} restored",
}
