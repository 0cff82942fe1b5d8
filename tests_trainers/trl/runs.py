"""Trainings with TRL within the process of the test: a context that keeps what was reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import Event, SavedCheckpoint, Start, StopTraining, TrainContext
from pipeline_widgets.domain.job import MetricReport


@dataclass
class Run:
    """What came of a training."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    stopped: bool = False

    @property
    def checkpoints(self) -> list[SavedCheckpoint]:
        """The checkpoints by step, with the scores that are known by now."""
        latest = {event.step: event for event in self.events if isinstance(event, SavedCheckpoint)}
        return [latest[step] for step in sorted(latest)]

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
        """The checkpoint that the product calls Best."""
        return max(self.checkpoints, key=lambda saved: (saved.evaluation_score or 0.0, saved.step))

    @property
    def model(self) -> Path:
        """The model folder of the last checkpoint."""
        return self.final.folder.path / "model"


def start_from(saved: SavedCheckpoint, role: str = "weights", path: Path | None = None) -> Start:
    """Return what a run starts from: a checkpoint, or a changed copy of it that has its signature still."""
    return Start(
        path=path or saved.folder.path,
        role=role,
        step=saved.step,
        evaluation_score=saved.evaluation_score,
        evaluation_spread=saved.evaluation_spread,
        signature=saved.signature,
    )


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
    run = Run(folder / f"run-{uuid4().hex[:8]}")
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
