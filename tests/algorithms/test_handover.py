"""`ctx.check_handover`: the start checkpoint is scored before the first step (spec 7.6)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_widgets.algorithms.context import Event, Start, TrainContext
from pipeline_widgets.domain.job import MetricReport, SavedCheckpoint
from pipeline_widgets.errors import ConfigError, HandoverError

EXACT = "exact answers"


def context(
    tmp_path: Path, *, score: float | None = 0.9, by: str | None = EXACT, **more: Any
) -> TrainContext:
    """Return the context of a run by `EXACT` that starts from a checkpoint with a score by an evaluator."""
    signature: Mapping[str, Any] = {"evaluator": by} if by else {}
    start = Start(
        path=tmp_path,
        role="weights",
        step=7,
        evaluation_score=score,
        evaluation_spread=0.0,
        signature=signature,
    )
    options: dict[str, Any] = {"start": start, "evaluator": EXACT, **more}
    return TrainContext(config=None, seed=0, folder=tmp_path, **options)


@pytest.mark.spec("7.6")
def test_a_checkpoint_that_scores_otherwise_ends_the_run(tmp_path: Path) -> None:
    """The error has both numbers, the evaluator, and what usually causes it."""
    with pytest.raises(HandoverError) as caught:
        context(tmp_path).check_handover(0.25, 0.0)
    told = str(caught.value)
    assert "scores 0.25 now, and was saved with 0.9" in told
    assert EXACT in told
    assert "statistics of a normalization" in told
    assert "chat template" in told


def test_a_checkpoint_that_scores_the_same_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good handover raises nothing, and the log has both scores."""
    context(tmp_path).check_handover(0.9, 0.0)
    assert "The checkpoint of step 7 scores 0.9 now, and was saved with 0.9." in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        {"by": None},
        {"by": "another evaluator"},
        {"score": None},
        {"start": None},
        {"evaluator": None},
    ],
)
def test_only_scores_by_one_evaluator_are_compared(tmp_path: Path, options: dict[str, Any]) -> None:
    """Without two scores by the same evaluator there is nothing to check."""
    ctx = context(tmp_path, **options)
    assert not ctx.can_check_handover
    ctx.check_handover(0.1)


def test_the_check_can_warn_or_be_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning has the same words and goes on; a check that is off says nothing."""
    context(tmp_path).check_handover(0.25, mode="warn")
    assert "Warning: The checkpoint of step 7 scores 0.25 now" in capsys.readouterr().out
    context(tmp_path).check_handover(0.25, mode="off")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("given", [{"score": "high"}, {"score": 0.9, "mode": "maybe"}, {"score": [1, 2]}])
def test_a_wrong_argument_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    """A score that is not a number, and a mode that does not exist, are named."""
    with pytest.raises(ConfigError):
        context(tmp_path).check_handover(**given)


@pytest.mark.spec("7.6")
def test_checkpoints_state_their_evaluator_and_spread(tmp_path: Path) -> None:
    """What a later stage compares is saved along: the evaluator's name, the score, and its standard error."""
    events: list[Event] = []
    ctx = TrainContext(config=None, seed=0, folder=tmp_path, emit=events.append, evaluator=EXACT)
    ctx.report(3, evaluation_score=0.5, evaluation_spread=0.02)
    with ctx.checkpoint(3) as folder:
        (folder / "weights").write_text("w")
    saved = next(each for each in events if isinstance(each, SavedCheckpoint))
    assert saved.signature == {"evaluator": EXACT}
    assert (saved.evaluation_score, saved.evaluation_spread) == (0.5, 0.02)


def test_a_spread_of_nothing_is_no_curve(tmp_path: Path) -> None:
    """The spread is a metric as well, unless the evaluator has none."""
    events: list[Event] = []
    ctx = TrainContext(config=None, seed=0, folder=tmp_path, emit=events.append)
    ctx.report(1, evaluation_score=0.5, evaluation_spread=0.0)
    ctx.report(2, evaluation_score=0.5, evaluation_spread=0.1)
    first, second = (each.metrics for each in events if isinstance(each, MetricReport))
    assert set(first) == {"evaluation_score"}
    assert set(second) == {"evaluation_score", "evaluation_spread"}
