"""Checkpoints: which one is Best, which one is Final, and which one a choice means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeGuard

from pipeline_widgets.domain.compatibility import Signature
from pipeline_widgets.errors import NoCheckpointError

#: "best", "final", or a specific step.
Choice: TypeAlias = Literal["best", "final"] | int
LAST_STEP = 2**63 - 1  # as far as a database counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What a run saved at a step."""

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
    """Whether a score was reported, and is not NaN or infinite."""
    return score is not None and math.isfinite(score)


def choose_checkpoint(
    checkpoints: Sequence[Checkpoint], choice: Choice, *, higher_is_better: bool
) -> ChosenCheckpoint:
    """Resolve a choice. NaN and infinities never win; ties go to the later step.

    Best is the highest evaluation score (the lowest, where lower is better); without evaluation scores,
    the training score; without any score, the final checkpoint.

    Raises:
        NoCheckpointError: There is none at all, or none at that step.
    """
    if not checkpoints:
        raise NoCheckpointError("There is no checkpoint yet.", fix="Run the source stage first.")
    final = max(checkpoints, key=lambda c: c.step)
    if choice == "final":
        return ChosenCheckpoint(checkpoint=final, reason=f"final, step {final.step}")
    if choice != "best":
        return _at_step(checkpoints, choice)
    sign = 1 if higher_is_better else -1
    for name in ("evaluation_score", "training_score"):
        scored = [(sign * score, c.step, c) for c in checkpoints if is_finite(score := getattr(c, name))]
        if scored:
            _, _, best = max(scored, key=lambda each: each[:2])
            reason = f"best {name.replace('_', ' ')} {getattr(best, name):.4g}, step {best.step}"
            return ChosenCheckpoint(checkpoint=best, reason=reason)
    return ChosenCheckpoint(checkpoint=final, reason=f"no scores were reported: final, step {final.step}")


def _at_step(checkpoints: Sequence[Checkpoint], step: int) -> ChosenCheckpoint:
    for checkpoint in checkpoints:
        if checkpoint.step == step:
            return ChosenCheckpoint(checkpoint=checkpoint, reason=f"step {step}")
    steps = ", ".join(str(c.step) for c in sorted(checkpoints, key=lambda c: c.step))
    raise NoCheckpointError(f"There is no checkpoint at step {step}.", fix=f"There are {steps}.")
