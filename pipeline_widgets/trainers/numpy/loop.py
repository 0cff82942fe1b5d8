"""The loop that all embedded trainers share: when to report, to evaluate and to save, and how to resume.

Everything random that happens after a checkpoint is drawn from a generator made of the seed and the step of
that checkpoint. So the same seed gives the same bytes, and a resumed run goes on exactly as the run that was
stopped would have gone on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline_widgets.algorithms.context import EVALUATION_SCORE, StopTraining, TrainContext

EVALUATIONS = 8  # evaluations, with a checkpoint each, in a run
SPREAD = 0.0  # of a score: every evaluation has the same episodes, rows, or random numbers
REPORTS = 100  # reports of metrics in a run, at most

# Independent streams of random numbers below one seed.
INITIALIZATION, TRAINING, EVALUATION = range(3)


class Trainer(Protocol):
    """The interface of a trainer that `run` drives."""

    def begin(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on: called at the start and after each checkpoint."""

    def advance(self, step: int) -> dict[str, float]:
        """Do one update after `step` steps were done, and return its metrics."""
        ...

    def evaluate(self) -> dict[str, float]:
        """Return the training score and the evaluation score, and other metrics."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that prediction, the next stage and a resumed run need."""


def generator(seed: int, *stream: int) -> np.random.Generator:
    """Return the generator of one stream of random numbers below a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))


def run(
    ctx: TrainContext,
    trainer: Trainer,
    *,
    total: int,
    stride: int = 1,
    signature: Mapping[str, Any] | None = None,
    show: Callable[[int], object] = lambda _: None,
) -> None:
    """Train from `ctx.start_step` until `total` steps are done.

    Args:
        ctx: What the train function got.
        trainer: Does the work.
        total: Steps in all, rounded up to whole updates.
        stride: Steps that one update counts for.
        signature: Facets that the checkpoints state.
        show: Called after each evaluation with its step, to show what the policy does by now.
    """
    step = ctx.start_step
    total = max(-(-total // stride) * stride, step)
    if ctx.can_check_handover and ctx.config.handover != "off":
        ctx.check_handover(trainer.evaluate()[EVALUATION_SCORE], SPREAD, mode=ctx.config.handover)
    trainer.begin(generator(ctx.seed, TRAINING, step))
    while step < total:
        metrics = trainer.advance(step)
        step += stride
        if _due(step, stride, total, EVALUATIONS):
            _evaluate(ctx, trainer, step, total, metrics, signature)
            show(step)
            trainer.begin(generator(ctx.seed, TRAINING, step))
        elif _due(step, stride, total, REPORTS):
            ctx.report(step, total=total, **metrics)
        elif ctx.should_stop:
            raise StopTraining
    if step == ctx.start_step:  # resumed when nothing was left to do: the run has a checkpoint nevertheless
        _evaluate(ctx, trainer, step, total, {}, signature)
        show(step)


def _due(step: int, stride: int, total: int, times: int) -> bool:
    """Return whether the update that ended at `step` passed one of the even marks on the way to the total."""
    return step * times // total > (step - stride) * times // total


def _evaluate(
    ctx: TrainContext,
    trainer: Trainer,
    step: int,
    total: int,
    metrics: Mapping[str, float],
    signature: Mapping[str, Any] | None,
) -> None:
    ctx.report(step, total=total, evaluation_spread=SPREAD, **{**metrics, **trainer.evaluate()})
    with ctx.checkpoint(step, signature=signature) as folder:
        trainer.save(folder)
