"""Checkpoints: which one is Best, which one is Final, and which one a choice means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeGuard

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.compatibility import Signature
from pipeline_widgets.domain.evaluator import Yardstick, how_to_score, unscored
from pipeline_widgets.errors import NoCheckpointError

#: "best", "final", or a specific step.
Choice: TypeAlias = Literal["best", "final"] | int
LAST_STEP = 2**63 - 1  # as far as a database counts
NEAREST = 3  # steps before and after one that was not saved, which its refusal names


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint, saved by a run at a step."""

    id: int
    run_id: int
    step: int
    path: str
    #: Bytes of all files.
    size: int
    #: Digest of the content: the same content has the same digest.
    digest: str
    created_at: datetime
    training_score: float | None = None
    evaluation_score: float | None = None
    #: The standard error of the evaluation score; None where the training did not tell it.
    evaluation_spread: float | None = None
    signature: Signature = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenCheckpoint:
    """The checkpoint that a choice resolves to, and by what it won."""

    checkpoint: Checkpoint
    reason: str


def is_finite(score: float | None) -> TypeGuard[float]:
    """Return whether a score was reported, and is not NaN or infinite."""
    return score is not None and math.isfinite(score)


def choose_checkpoint(
    checkpoints: Sequence[Checkpoint],
    choice: Choice,
    *,
    higher_is_better: bool,
    yardstick: Yardstick | None = None,
) -> ChosenCheckpoint:
    """Resolve a choice. NaN and infinities never win; ties go to the later step.

    Best is the highest evaluation score (the lowest, where lower is better); without evaluation scores,
    the training score; without any score, the final checkpoint.

    Args:
        checkpoints: What there is to choose from.
        choice: "best", "final" or a step.
        higher_is_better: The direction of the scores that the algorithm has reported.
        yardstick: The evaluator by whose scores Best is chosen instead. What it has not scored never wins.

    Raises:
        NoCheckpointError: There is none at all, none at that step, or none that the evaluator has scored.
    """
    if not checkpoints:
        raise NoCheckpointError("There is no checkpoint yet.", fix="Run the source stage first.")
    final = max(checkpoints, key=lambda c: c.step)
    if choice == "final":
        return ChosenCheckpoint(checkpoint=final, reason=f"final, step {final.step}")
    if choice != "best":
        return _at_step(checkpoints, choice)
    if yardstick is not None:
        return _best_by(checkpoints, yardstick)
    sign = 1 if higher_is_better else -1
    for name in ("evaluation_score", "training_score"):
        scored = [(sign * score, c.step, c) for c in checkpoints if is_finite(score := getattr(c, name))]
        if scored:
            _, _, best = max(scored, key=lambda each: each[:2])
            reason = f"best {name.replace('_', ' ')} {getattr(best, name):.4g}, step {best.step}"
            return ChosenCheckpoint(checkpoint=best, reason=reason)
    return ChosenCheckpoint(checkpoint=final, reason=f"no scores were reported: final, step {final.step}")


def join_lineage(
    before: Sequence[Checkpoint], own: Sequence[Checkpoint], resumed_at: int | None
) -> tuple[Checkpoint, ...]:
    """Return what a run has that went on from another one: what that had until then, and its own.

    Args:
        before: The lineage of the run that was resumed.
        own: What the run has saved itself. A step that it has saved again counts as its own.
        resumed_at: The step at which it went on; None where that is not known any more.
    """
    taken = {each.step for each in own}
    kept = (each for each in before if resumed_at is None or each.step <= resumed_at)
    return (*(each for each in kept if each.step not in taken), *own)


def _best_by(checkpoints: Sequence[Checkpoint], yardstick: Yardstick) -> ChosenCheckpoint:
    """Choose the best by the scores of an evaluator."""
    name, higher = yardstick.spec.name, yardstick.spec.higher_is_better
    scored = [each for each in checkpoints if each.id in yardstick.scores]
    if not scored:
        raise NoCheckpointError(unscored(name), fix=how_to_score(name))
    sign = 1 if higher else -1
    finite = [each for each in scored if is_finite(yardstick.scores[each.id])]
    if not finite:
        final = max(checkpoints, key=lambda each: each.step)
        reason = f"no score by {quote(name)} is finite: final, step {final.step}"
        return ChosenCheckpoint(checkpoint=final, reason=reason)
    best = max(finite, key=lambda each: (sign * yardstick.scores[each.id], each.step))
    reason = f"best by {quote(name)}: {yardstick.scores[best.id]:.4g}, step {best.step}"
    if left := len(checkpoints) - len(scored) if yardstick.unscored is None else yardstick.unscored:
        reason += f" ({left} not scored)"
    return ChosenCheckpoint(checkpoint=best, reason=reason)


def _at_step(checkpoints: Sequence[Checkpoint], step: int) -> ChosenCheckpoint:
    for checkpoint in checkpoints:
        if checkpoint.step == step:
            return ChosenCheckpoint(checkpoint=checkpoint, reason=f"step {step}")
    steps = sorted({c.step for c in checkpoints})
    before, after = [each for each in steps if each < step], [each for each in steps if each > step]
    named = [
        *(["..."] if len(before) > NEAREST else []),
        *map(str, before[-NEAREST:] + after[:NEAREST]),
        *(["..."] if len(after) > NEAREST else []),
    ]
    raise NoCheckpointError(f"There is no checkpoint at step {step}.", fix=f"There are {', '.join(named)}.")
