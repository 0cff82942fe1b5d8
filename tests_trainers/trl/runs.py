"""Trainings with TRL within the process of the test: a context that keeps what was reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from direct_runs import DirectRun, start_from

from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import Start, StopTraining, TrainContext

__all__ = ["Run", "context", "furthest", "start_from", "train", "weights"]


@dataclass
class Run(DirectRun):
    """What came of a training."""

    folder: Path = field(kw_only=True)

    @property
    def model(self) -> Path:
        """The model folder of the last checkpoint."""
        return self.final.folder.path / "model"


def context(
    folder: Path,
    algorithm: Algorithm | None = None,
    *,
    seed: int = 0,
    start: Start | None = None,
    stop: Callable[[], bool] = lambda: False,
    **config: Any,
) -> tuple[TrainContext, Run]:
    """Return a context as the process of a run makes it, and what will come of it."""
    run = Run(folder=folder / f"run-{uuid4().hex[:8]}")
    valid = algorithm.validate(config) if algorithm is not None else None
    made = TrainContext(
        config=valid,
        seed=seed,
        folder=run.folder,
        start=start,
        emit=run.events.append,
        stop=stop,
        signature=algorithm.signature_of(valid) if algorithm is not None else {},
        evaluator=algorithm.evaluator_of(valid) if algorithm is not None else "the test's own",
    )
    return made, run


def train(algorithm: Algorithm, folder: Path, **options: Any) -> Run:
    """Train, and return what came of it."""
    ctx, run = context(folder, algorithm, **options)
    try:
        algorithm.train(ctx)
    except StopTraining:
        run.stopped = True
    return run


def weights(folder: Path) -> dict[str, Any]:
    """Return the weights of a model folder, by name."""
    from safetensors.torch import load_file

    return {
        name: value
        for file in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(file).items()
    }


def furthest(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return how far apart two sets of weights are at most; they have to have the same names."""
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)
