"""Runs in the process of a test, whose context keeps what is reported."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import Event, Start, StopTraining, TrainContext
from pipeline_widgets.domain.job import MetricReport, SavedCheckpoint

_numbers = itertools.count()


@dataclass
class DirectRun:
    """What came of a run."""

    events: list[Event] = field(default_factory=list[Event])
    stopped: bool = False

    @property
    def checkpoints(self) -> list[SavedCheckpoint]:
        """The checkpoints with their latest scores, in the order in which they were saved."""
        latest = {event.step: event for event in self.events if isinstance(event, SavedCheckpoint)}
        return list(latest.values())

    @property
    def reports(self) -> list[MetricReport]:
        """All reports."""
        return [event for event in self.events if isinstance(event, MetricReport)]

    @property
    def final(self) -> SavedCheckpoint:
        """The last checkpoint."""
        return self.checkpoints[-1]

    @property
    def best(self) -> SavedCheckpoint:
        """The checkpoint that the product would call Best."""
        return max(self.checkpoints, key=lambda saved: (saved.evaluation_score or 0.0, saved.step))

    def metric(self, name: str) -> list[float]:
        """Return the values of a metric, in the order of their reports."""
        return [report.metrics[name] for report in self.reports if name in report.metrics]


def start_from(saved: SavedCheckpoint, role: str = "weights", path: Path | None = None) -> Start:
    """Return a checkpoint as what a later run starts from.

    Args:
        saved: The checkpoint.
        role: What it is used as.
        path: Where it is, if that is a copy.
    """
    return Start(
        path=path or saved.folder.path,
        role=role,
        step=saved.step,
        training_score=saved.training_score,
        evaluation_score=saved.evaluation_score,
        evaluation_spread=saved.evaluation_spread,
        signature=saved.signature,
    )


def context(
    folder: Path,
    config: Any = None,
    *,
    seed: int = 0,
    start: Start | None = None,
    stop: Callable[[DirectRun], bool] = lambda _: False,
    signature: Mapping[str, Any] | None = None,
    evaluator: str | None = None,
) -> tuple[TrainContext, DirectRun]:
    """Return a context, and what will come of its run."""
    run = DirectRun()
    ctx = TrainContext(
        config=config,
        seed=seed,
        folder=folder / f"run-{next(_numbers)}",
        start=start,
        emit=run.events.append,
        stop=lambda: stop(run),
        signature=signature,
        evaluator=evaluator,
    )
    return ctx, run


def train(
    algorithm: Algorithm,
    config: Mapping[str, Any],
    folder: Path,
    *,
    seed: int = 0,
    start: Start | None = None,
    stop: Callable[[DirectRun], bool] = lambda _: False,
) -> DirectRun:
    """Train in this process.

    Args:
        algorithm: What trains.
        config: Fields of its config.
        folder: Where the folder of the run is made.
        seed: Of the run.
        start: What it starts from.
        stop: Whether it is asked to stop, from what has come of the run until then.
    """
    valid = algorithm.validate(config)
    signature, evaluator = algorithm.signature_of(valid), algorithm.evaluator_of(valid)
    ctx, run = context(
        folder, valid, seed=seed, start=start, stop=stop, signature=signature, evaluator=evaluator
    )
    try:
        algorithm(ctx)
    except StopTraining:
        run.stopped = True
    return run
