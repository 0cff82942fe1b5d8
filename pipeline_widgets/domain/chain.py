"""The rules of an ordered list of stages: what may stand where, and what an edit changes along.

Two stages matter to a stage, and they are not the same: the one *before* it, whose success starts it,
and its *source*, the nearest Experiment stage before it, whose checkpoint feeds it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, TypeAlias

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.errors import NotFoundError, OrderError, PipelineError, RuleError

STOP_FIRST = "Stop it first."
FIRST_IS_MANUAL = "First stage can only be triggered manually"
UNSAVED_ID = 0  # the id of a stage that is not saved yet


class Trigger(StrEnum):
    """The trigger of a stage: a person, or the success of the stage before it."""

    MANUAL = "manual"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class FromScratch:
    """Start from nothing."""


@dataclass(frozen=True, slots=True)
class FromAgent:
    """Start from a saved Agent (first stage only)."""

    agent_id: int


@dataclass(frozen=True, slots=True)
class FromSource:
    """Start from a checkpoint of the source stage."""

    choice: Choice = "best"


Start: TypeAlias = FromScratch | FromAgent | FromSource


@dataclass(frozen=True, slots=True)
class ScoreAtLeast:
    """Gate of an Auto stage: the evaluation score must be at least this good."""

    score: float


@dataclass(frozen=True, slots=True)
class BetterThanDeployed:
    """Gate of an Auto Deployment stage: the checkpoint must score better than the agent has now."""


Gate: TypeAlias = ScoreAtLeast | BetterThanDeployed


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentStage:
    """Runs or resumes an experiment."""

    type: ClassVar[Literal["Experiment"]] = "Experiment"
    id: int = UNSAVED_ID
    experiment_id: int
    trigger: Trigger = Trigger.MANUAL
    start: Start = FromScratch()
    auto_add_agent: bool = False
    gate: Gate | None = None
    #: How often a run that crashes is retried.
    retries: int = 0
    #: Where its runs are launched; what it leaves open is as its experiment, or its workspace, says.
    placement: Placement = DEFAULT_PLACEMENT

    @property
    def choice(self) -> Choice | None:
        """The checkpoint of the source stage that it starts from."""
        return self.start.choice if isinstance(self.start, FromSource) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentStage:
    """Deploys a checkpoint of the source stage to Agents."""

    type: ClassVar[Literal["Deployment"]] = "Deployment"
    id: int = UNSAVED_ID
    agent_name: str
    agent_description: str = ""
    choice: Choice = "best"
    trigger: Trigger = Trigger.MANUAL
    gate: Gate | None = None


Stage: TypeAlias = ExperimentStage | DeploymentStage


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineEdit:
    """A pipeline after an edit, and what was changed along, one sentence each (spec 5.3)."""

    pipeline: Pipeline
    side_effects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """An ordered list of stages in one project. Positions count from 0, sentences from 1."""

    id: int
    project_id: int
    name: str
    description: str = ""
    stages: tuple[Stage, ...] = ()
    #: The evaluator by whose scores Best and gates go; None where they go by what the algorithms report.
    score_by: str | None = None
    #: Raised by each edit; an edit that names an older one is refused (spec 5.13).
    version: int = 1
    created_at: datetime
    #: The latest change to the pipeline or any of its stages.
    modified_at: datetime
    #: Where its stages stand, by their ids; filled when a position is first asked for.
    _table: dict[int, int] = field(default_factory=dict[int, int], init=False, repr=False, compare=False)

    @property
    def experiment_ids(self) -> tuple[int, ...]:
        """The experiments that its stages are bound to."""
        return tuple(stage.experiment_id for stage in _experiments(iter(self.stages)))

    @property
    def agent_ids(self) -> tuple[int, ...]:
        """The saved Agents that its stages start from."""
        starts = (stage.start for stage in _experiments(iter(self.stages)))
        return tuple(start.agent_id for start in starts if isinstance(start, FromAgent))

    def position(self, stage_id: int) -> int:
        """Return where a stage stands.

        Raises:
            NotFoundError: It does not stand in this pipeline.
        """
        if not self._table:  # of two that are not saved yet, the first counts
            self._table.update({self.stages[at].id: at for at in range(len(self.stages) - 1, -1, -1)})
        if (position := self._table.get(stage_id)) is not None:
            return position
        what = f"Pipeline {self.name!r} has no such stage."
        raise NotFoundError(what, "It was deleted, or belongs to another pipeline.", "See pipe.stages.")

    def stage(self, stage_id: int) -> Stage:
        """Return one stage."""
        return self.stages[self.position(stage_id)]

    def before(self, stage_id: int) -> Stage | None:
        """Return the previous stage, whose success starts an Auto stage."""
        at = self.position(stage_id)
        return self.stages[at - 1] if at else None

    def after(self, stage_id: int) -> Stage | None:
        """Return the next stage."""
        at = self.position(stage_id) + 1
        return self.stages[at] if at < len(self.stages) else None

    def following(self, stage_id: int) -> tuple[Stage, ...]:
        """Return all stages after one, in order."""
        return self.stages[self.position(stage_id) + 1 :]

    def source(self, stage_id: int) -> ExperimentStage | None:
        """Return the source stage: the nearest Experiment stage before it."""
        return _source_at(self.stages, self.position(stage_id))

    def source_positions(self) -> tuple[int | None, ...]:
        """Return, for each stage, the position of its source stage; None where there is none before it."""
        found: list[int | None] = []
        source: int | None = None
        for at, stage in enumerate(self.stages):
            found.append(source)
            if isinstance(stage, ExperimentStage):
                source = at
        return tuple(found)

    def deciding(self, stage_id: int) -> frozenset[int]:
        """Return the ids of the stages that decide whether one can start: it, that before it, its source."""
        others = (self.before(stage_id), self.source(stage_id))
        return frozenset({stage_id, *(other.id for other in others if other is not None)})

    def ancestors(self, stage_id: int) -> tuple[ExperimentStage, ...]:
        """Return the source stage, its source stage, and so on to the first."""
        return tuple(_experiments(reversed(self.stages[: self.position(stage_id)])))

    def fed_by(self, stage_id: int) -> tuple[Stage, ...]:
        """Return the stages that consume from this one, directly or through others, in order."""
        if isinstance(self.stage(stage_id), DeploymentStage):
            return ()
        return self.following(stage_id)

    def with_stage(self, stage: Stage, at: int | None = None) -> PipelineEdit:
        """Insert a stage before position `at`; at the end by default.

        Raises:
            OrderError: It, or a stage after it, could not stand there.
            RuleError: Another stage is bound to its experiment.
        """
        at = len(self.stages) if at is None else at
        self._check_position(at, len(self.stages))
        _check_asked(stage, at)
        _check_alone(stage, self._positions())
        return self._reorder((*self.stages[:at], stage, *self.stages[at:]))

    def with_stages(self, stages: Sequence[Stage]) -> Pipeline:
        """Return it with those stages instead, each checked as if it was added at the end.

        Raises:
            RuleError: One could not stand there; it is named by its number.
        """
        bound: dict[int, int] = {}
        for at, stage in enumerate(stages):
            try:
                _check_asked(stage, at)
                _check_first(stages)
                _check_alone(stage, bound)
            except PipelineError as error:
                raise type(error)(f"Stage {at + 1}: {error.what}", error.why, error.fix) from error
            if isinstance(stage, ExperimentStage):
                bound[stage.experiment_id] = at
        return replace(self, stages=tuple(stages))

    def with_stage_moved(self, stage_id: int, to: int) -> PipelineEdit:
        """Move a stage so that it stands at position `to`.

        Raises:
            OrderError: The stages could not stand in that order.
        """
        self._check_position(to, len(self.stages) - 1)
        rest = [stage for stage in self.stages if stage.id != stage_id]
        return self._reorder((*rest[:to], self.stage(stage_id), *rest[to:]))

    def with_stage_replaced(self, stage: Stage) -> PipelineEdit:
        """Give the stage of that id other settings.

        Raises:
            OrderError: The settings cannot hold where it stands.
            RuleError: A stage never changes its type, and shares its experiment with no other.
        """
        at = self.position(stage.id)
        if type(stage) is not type(self.stages[at]):
            fix = "Delete it and add a stage of the other type."
            raise RuleError("A stage cannot change its type.", fix=fix)
        _check_asked(stage, at)
        _check_alone(stage, self._positions(but=stage.id))
        return self._reorder((*self.stages[:at], stage, *self.stages[at + 1 :]))

    def without_stage(self, stage_id: int) -> PipelineEdit:
        """Remove a stage.

        Raises:
            OrderError: A Deployment stage would come first.
        """
        self.position(stage_id)
        return self._reorder(tuple(stage for stage in self.stages if stage.id != stage_id))

    def _reorder(self, stages: tuple[Stage, ...]) -> PipelineEdit:
        _check_first(stages)
        settled = [_settle(stage, at) for at, stage in enumerate(stages)]
        also = tuple(note for _, notes in settled for note in notes)
        return PipelineEdit(
            pipeline=replace(self, stages=tuple(stage for stage, _ in settled)), side_effects=also
        )

    def _positions(self, but: int | None = None) -> Mapping[int, int]:
        """Return the position of the stage that is bound to an experiment, by experiment."""
        return {
            stage.experiment_id: at
            for at, stage in enumerate(self.stages)
            if isinstance(stage, ExperimentStage) and stage.id != but
        }

    def _check_position(self, at: int, last: int) -> None:
        if not 0 <= at <= last:
            what = f"Pipeline {self.name!r} has no position {at}."
            raise OrderError(what, fix=f"Positions go from 0 to {last}.")


def label_stage(position: int, name: str) -> str:
    """Return how a sentence names a stage, as in "Stage 2 (grpo)"; positions count from 0."""
    return f"Stage {position + 1} ({isolate(name)})"


def describe_active(position: int, status: str) -> str:
    """Say that a stage is active, which hinders every edit of it."""
    return f"Stage {position + 1} is {status.lower()}."


def _experiments(stages: Iterator[Stage]) -> Iterator[ExperimentStage]:
    return (stage for stage in stages if isinstance(stage, ExperimentStage))


def _source_at(stages: tuple[Stage, ...], at: int) -> ExperimentStage | None:
    return next(_experiments(stages[before] for before in range(at - 1, -1, -1)), None)


def _check_first(stages: Sequence[Stage]) -> None:
    if stages and isinstance(stages[0], DeploymentStage):
        raise OrderError(
            "A Deployment stage cannot be first.",
            "It deploys the checkpoint of an Experiment stage before it.",
            "Keep an Experiment stage before it.",
        )


def _check_alone(stage: Stage, bound: Mapping[int, int]) -> None:
    """Refuse an experiment that another stage is bound to: its runs would be those of both."""
    if isinstance(stage, ExperimentStage) and stage.experiment_id in bound:
        raise RuleError(
            f"The experiment is already used by stage {bound[stage.experiment_id] + 1}.",
            "Two stages of a pipeline cannot share one experiment.",
            "Duplicate and attach it: duplicate=True.",
        )


def _check_asked(stage: Stage, at: int) -> None:
    """Refuse settings that were asked for and cannot hold at that position."""
    if at == 0 and stage.trigger is Trigger.AUTO:
        raise OrderError(f"{FIRST_IS_MANUAL}.", "No stage before it could start it.", 'Use trigger="manual".')
    if stage.gate is not None and stage.trigger is not Trigger.AUTO:
        raise OrderError("Only an Auto stage can carry a gate.", fix='Use trigger="auto", or no gate.')
    if isinstance(stage.gate, ScoreAtLeast) and math.isnan(stage.gate.score):
        raise OrderError("NaN is not a gate.", "No score is at least that good.", "Use a number.")
    if isinstance(stage, DeploymentStage):
        return
    if isinstance(stage.gate, BetterThanDeployed):
        what = "Only a Deployment stage can be compared with the agent now deployed."
        raise OrderError(what, fix="Use a score as the gate.")
    if at == 0 and isinstance(stage.start, FromSource):
        why, fix = "There is no stage before it.", 'Use start="scratch" or a saved Agent.'
        raise OrderError("The first stage cannot start from a previous checkpoint.", why, fix)
    if at > 0 and not isinstance(stage.start, FromSource):
        why = "It starts from a checkpoint of its source stage."
        fix = 'Use start="best", start="final" or a step.'
        raise OrderError("Only the first stage starts from scratch or from a saved Agent.", why, fix)


def _settle(stage: Stage, at: int) -> tuple[Stage, tuple[str, ...]]:
    """Give a stage the settings that its position demands, and say what was changed along."""
    notes: list[str] = []
    if at == 0 and stage.trigger is Trigger.AUTO:
        stage = replace(stage, trigger=Trigger.MANUAL, gate=None)
        notes.append(f"Stage 1 was set to manual: {FIRST_IS_MANUAL.lower()}.")
    if isinstance(stage, ExperimentStage):
        if at == 0 and isinstance(stage.start, FromSource):
            stage = replace(stage, start=FromScratch())
            notes.append("Stage 1 was set to 'Start from scratch': it is now first.")
        if at > 0 and not isinstance(stage.start, FromSource):
            stage = replace(stage, start=FromSource("best"))
            notes.append(f"Stage {at + 1} was set to 'Best checkpoint': it is no longer the first.")
    return stage, tuple(notes)
