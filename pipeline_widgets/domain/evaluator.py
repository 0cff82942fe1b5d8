"""Evaluators: one yardstick for the checkpoints of any algorithms, whatever these report (spec 7.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pipeline_widgets.directions import isolate, quote
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.artifact_words import describe_kinds
from pipeline_widgets.domain.compatibility import ANY, AlgorithmSpec

#: What an evaluator is called with: what the algorithm's `predict` opens, or the folder of the checkpoint.
Takes: TypeAlias = Literal["predictor", "folder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorSpec:
    """The declaration of an evaluator: everything about it but its code."""

    name: str
    #: The kinds of checkpoints that it scores; "any" takes all.
    accepts: frozenset[str]
    #: "max" where a higher score is better, "min" where a lower one is.
    score: Literal["max", "min"] = "max"
    takes: Takes = "predictor"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score wins."""
        return self.score == "max"

    def accepts_from(self, algorithm: AlgorithmSpec) -> bool:
        """Return whether it scores what an algorithm makes."""
        return ANY in self.accepts | algorithm.produces or bool(self.accepts & algorithm.produces)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorDeclaration:
    """An evaluator: its declaration, and where its code is found."""

    spec: EvaluatorSpec
    reference: AlgorithmReference


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorScore:
    """The score that an evaluator has given a checkpoint."""

    #: The checkpoint, which may be deleted since: scores stay, as results do.
    checkpoint_id: int
    #: The run that saved the checkpoint, and the step.
    saved_by: int
    step: int
    #: The name of the evaluator.
    evaluator: str
    value: float
    #: The standard error of the value; 0 for a deterministic evaluator.
    spread: float = 0.0
    #: What else the evaluator has measured.
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True, slots=True)
class Yardstick:
    """An evaluator with the scores that it has given, by the id of the checkpoint."""

    spec: EvaluatorSpec
    scores: Mapping[int, float] = field(default_factory=dict[int, float])
    #: How many of the checkpoints that there are to choose from it has not scored, where only those are known
    #: that can win; None where all are known.
    unscored: int | None = None


def find_refusal(spec: EvaluatorSpec, algorithm: AlgorithmSpec) -> str | None:
    """Return why an evaluator does not score what an algorithm makes; None where it does."""
    if spec.accepts_from(algorithm):
        return None
    wanted, made = describe_kinds(spec.accepts), describe_kinds(algorithm.produces, joined_by="and")
    return f"{quote(spec.name)} scores {wanted}, {isolate(algorithm.name)} produces {made}."


def unscored(name: str) -> str:
    """Say that an evaluator has scored none of the checkpoints that there are to choose from."""
    return f"No checkpoint is scored by {quote(name)} yet."


def how_to_score(name: str) -> str:
    """Return what to do about checkpoints without a score."""
    return f"Score them: project.evaluate({name!r}, pipeline=...)."


def best_of(scores: Sequence[EvaluatorScore], *, higher_is_better: bool) -> EvaluatorScore | None:
    """Return the best of some scores; NaN and infinities never win, ties go to the later step."""
    sign = 1 if higher_is_better else -1
    finite = [each for each in scores if abs(each.value) < float("inf")]
    return max(finite, key=lambda each: (sign * each.value, each.step), default=None)
