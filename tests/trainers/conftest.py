"""How the tests of the trainers train: directly, with a context that keeps what was reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from pipeline_widgets.algorithms.context import (
    Event,
    MetricReport,
    SavedCheckpoint,
    Start,
    StopTraining,
    TrainContext,
)
from pipeline_widgets.algorithms.registry import Algorithm


@dataclass
class Trained:
    """What came of a run."""

    events: list[Event] = field(default_factory=list[Event])
    stopped: bool = False

    @property
    def checkpoints(self) -> list[SavedCheckpoint]:
        """All checkpoints, in the order in which they were saved."""
        return [event for event in self.events if isinstance(event, SavedCheckpoint)]

    @property
    def reports(self) -> list[MetricReport]:
        """All reports."""
        return [event for event in self.events if isinstance(event, MetricReport)]

    @property
    def digests(self) -> list[str]:
        """The digests of all checkpoints."""
        return [checkpoint.folder.digest for checkpoint in self.checkpoints]

    @property
    def final(self) -> SavedCheckpoint:
        """The last checkpoint."""
        return self.checkpoints[-1]

    @property
    def best(self) -> SavedCheckpoint:
        """The checkpoint that the product would call Best."""
        return max(self.checkpoints, key=lambda saved: (saved.evaluation_score or 0.0, saved.step))

    def start(self, role: str, *, best: bool = True) -> Start:
        """Return a start from the best or else the final checkpoint."""
        saved = self.best if best else self.final
        return Start(
            path=saved.folder.path,
            role=role,
            step=saved.step,
            training_score=saved.training_score,
            evaluation_score=saved.evaluation_score,
            evaluation_spread=saved.evaluation_spread,
            signature=saved.signature,
        )


class Train(Protocol):
    """The fixture `train`."""

    def __call__(
        self,
        algorithm: Algorithm,
        config: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        start: Start | None = None,
        stop_after: int | None = None,
    ) -> Trained:
        """Train, and ask to stop at the report of a step of at least `stop_after`."""
        ...


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Train in a folder of its own."""
    runs = iter(range(1_000))

    def run(
        algorithm: Algorithm,
        config: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        start: Start | None = None,
        stop_after: int | None = None,
    ) -> Trained:
        trained = Trained()
        valid = algorithm.validate(config or {})
        ctx = TrainContext(
            config=valid,
            evaluator=algorithm.evaluator_of(valid),
            seed=seed,
            folder=tmp_path / str(next(runs)),
            start=start,
            emit=trained.events.append,
            stop=_stopping(trained, stop_after),
        )
        try:
            algorithm(ctx)
        except StopTraining:
            trained.stopped = True
        return trained

    return run


def _stopping(trained: Trained, stop_after: int | None) -> Callable[[], bool]:
    def stop() -> bool:
        return stop_after is not None and any(event.step >= stop_after for event in trained.reports)

    return stop
