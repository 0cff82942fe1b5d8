"""How the tests of the trainers train: directly, with a context that keeps what was reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from direct_runs import DirectRun, start_from

from pipeline_widgets.algorithms.context import (
    Start,
    StopTraining,
    TrainContext,
)
from pipeline_widgets.algorithms.registry import Algorithm


class Trained(DirectRun):
    """What came of a run of a trainer that comes along."""

    @property
    def digests(self) -> list[str]:
        """The digests of all checkpoints."""
        return [checkpoint.folder.digest for checkpoint in self.checkpoints]

    def start(self, role: str, *, best: bool = True) -> Start:
        """Return a start from the best or else the final checkpoint."""
        return start_from(self.best if best else self.final, role)


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
