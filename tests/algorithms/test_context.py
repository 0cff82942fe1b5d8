"""What a train function reports and saves, as its supervisor is told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline_widgets as pw
from pipeline_widgets.algorithms.context import Event, MetricReport, SavedCheckpoint, TrainContext
from pipeline_widgets.errors import ConfigError


class Told(list[Event]):
    """What a context has told so far."""

    @property
    def scores(self) -> dict[int, tuple[float | None, float | None]]:
        """The scores of each checkpoint as they were told last, training before evaluation."""
        return {
            e.step: (e.training_score, e.evaluation_score) for e in self if isinstance(e, SavedCheckpoint)
        }

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics, whatever their step."""
        return {name: value for e in self if isinstance(e, MetricReport) for name, value in e.metrics.items()}


@pytest.fixture
def told() -> Told:
    """What the context tells."""
    return Told()


@pytest.fixture
def ctx(tmp_path: Path, told: Told) -> TrainContext:
    """A context of a training that nobody stops."""
    return TrainContext(config=None, seed=0, folder=tmp_path, emit=told.append)


def save(ctx: TrainContext, step: int) -> None:
    """Save a checkpoint."""
    with ctx.checkpoint(step) as folder:
        (folder / "x").write_text(str(step))


def late(ctx: TrainContext) -> None:
    save(ctx, 5)
    save(ctx, 10)
    ctx.report(5, evaluation_score=0.9)
    ctx.report(10, evaluation_score=0.1)


def before_both(ctx: TrainContext) -> None:
    ctx.report(5, evaluation_score=0.9)
    ctx.report(10, evaluation_score=0.1)
    save(ctx, 5)
    save(ctx, 10)


def twice(ctx: TrainContext) -> None:
    save(ctx, 5)
    ctx.report(5, evaluation_score=0.2)
    save(ctx, 10)
    ctx.report(10, evaluation_score=0.1)
    ctx.report(5, evaluation_score=0.9)


def backwards(ctx: TrainContext) -> None:
    ctx.report(10, evaluation_score=0.1)
    ctx.report(7, evaluation_score=7.0)
    ctx.report(5, evaluation_score=0.9)
    save(ctx, 10)
    save(ctx, 5)


def from_a_thread(ctx: TrainContext) -> None:
    save(ctx, 5)
    save(ctx, 10)
    thread = threading.Thread(target=ctx.report, args=(5,), kwargs={"evaluation_score": 0.9})
    thread.start()
    thread.join()
    ctx.report(10, evaluation_score=0.1)


def saved_again(ctx: TrainContext) -> None:
    ctx.report(5, evaluation_score=0.9)
    save(ctx, 5)
    ctx.report(10, evaluation_score=0.1)
    save(ctx, 10)
    save(ctx, 5)


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("do", [late, before_both, twice, backwards, from_a_thread, saved_again])
def test_case_13_a_score_finds_the_checkpoint_of_its_step(
    ctx: TrainContext, told: Told, do: Callable[[TrainContext], None]
) -> None:
    """Whenever a score comes, it belongs to the checkpoint of its step, and to no other."""
    do(ctx)
    assert told.scores == {5: (None, 0.9), 10: (None, 0.1)}


def test_case_13_both_scores_of_a_step_may_come_apart(ctx: TrainContext, told: Told) -> None:
    """A later evaluation does not take the training score away."""
    ctx.report(1, training_score=1.0)
    save(ctx, 1)
    ctx.report(2, training_score=2.0)
    ctx.report(1, evaluation_score=0.5)
    assert told.scores == {1: (1.0, 0.5)}


def test_case_13_a_million_scores_are_remembered_cheaply(tmp_path: Path) -> None:
    """A checkpoint that is saved at the end still gets the score of any of a million steps."""
    told = Told()
    ctx = TrainContext(
        config=None,
        seed=0,
        folder=tmp_path,
        emit=lambda e: told.append(e) if isinstance(e, SavedCheckpoint) else None,
    )
    for step in range(1_000_000):
        ctx.report(step, evaluation_score=step / 2)
    save(ctx, 123_456)
    assert told.scores == {123_456: (None, 61_728.0)}


class Tensor:
    """A tensor as torch has it, as far as `item()` goes."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def item(self) -> float:
        """Return the only element."""
        if len(self.values) != 1:
            raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")
        return self.values[0]


@pytest.mark.parametrize("number", [np.int64(3), np.array(3), np.array([3]), Tensor(3)])
def test_habit_14_numbers_of_other_libraries_are_metrics_and_steps(
    ctx: TrainContext, told: Told, number: Any
) -> None:
    """A numpy scalar, an array of one element and a tensor count as the number that they hold."""
    half: Any = np.float32(0.5)
    ctx.report(number, loss=number, half=half, total=4)
    assert told == [MetricReport(step=3, total=4, metrics={"loss": 3.0, "half": 0.5})]
    with pytest.raises(ConfigError, match="'loss' is"):
        ctx.report(1, loss=Tensor(1, 2))  # pyright: ignore[reportArgumentType]


class Size(Enum):
    """A facet that an enumeration names."""

    SMALL = "small"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),  # noqa: FBT003  the value itself
        (np.str_("a"), "a"),
        (np.array(3), 3),
        (Tensor(3), 3),
        (Size.SMALL, "small"),
        (Path("a"), "a"),
        (None, None),
    ],
)
def test_habit_14_facets_of_other_libraries_are_pythons_own(
    ctx: TrainContext, told: Told, given: Any, kept: Any
) -> None:
    """A facet of a checkpoint is stored as exactly a text, a number or a bool."""
    with ctx.checkpoint(1, signature={"facet": given}):
        pass
    (saved,) = told
    assert isinstance(saved, SavedCheckpoint)
    assert saved.signature == {"facet": kept}
    assert type(saved.signature["facet"]) is type(kept)


def test_habit_14_a_facet_that_is_no_scalar_is_refused(ctx: TrainContext) -> None:
    """An array of several elements is named, with what to do."""
    with (
        pytest.raises(ConfigError, match="'shape' is array"),
        ctx.checkpoint(1, signature={"shape": np.ones(2)}),
    ):
        pass


def test_habit_17_logs_are_taken_as_a_mapping(ctx: TrainContext, told: Told) -> None:
    """Names that `report` uses itself are metrics there, and scores are scores."""
    ctx.report(1, {"loss": 1, "step": 2, "total": 3, "evaluation_score": 0.5}, total=9, lr=0.1)
    metrics = {"loss": 1, "step": 2, "total": 3, "evaluation_score": 0.5, "lr": 0.1}
    assert told == [MetricReport(step=1, total=9, metrics=metrics)]
    save(ctx, 1)
    assert told.scores == {1: (None, 0.5)}
    with pytest.raises(ConfigError, match="a mapping from names to numbers"):
        ctx.report(1, 0.5)  # pyright: ignore[reportArgumentType]


def test_habit_18_a_stop_passes_through_except_exception(tmp_path: Path) -> None:
    """`except Exception` does not swallow a stop; where something does, the next report says it again."""
    ctx = TrainContext(config=None, seed=0, folder=tmp_path, stop=lambda: True)

    def loop() -> None:
        for step in range(3):
            with suppress(Exception):
                ctx.report(step)

    with pytest.raises(pw.StopTraining):
        loop()
    with pytest.raises(pw.StopTraining):
        ctx.report(4)
