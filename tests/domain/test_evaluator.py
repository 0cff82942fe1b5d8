"""Which checkpoint is best, and whether a gate is met, by the scores of an evaluator (spec 7.9)."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Literal

import pytest
from factories.values import GRPO, PPO, SFT, a_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import BetterThanDeployed, ScoreAtLeast
from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint
from pipeline_widgets.domain.compatibility import ANY
from pipeline_widgets.domain.evaluator import EvaluatorScore, EvaluatorSpec, Yardstick, best_of, find_refusal
from pipeline_widgets.domain.triggering import find_gate_blocker
from pipeline_widgets.errors import NoCheckpointError

pytestmark = pytest.mark.spec("7.9")

EXACT = EvaluatorSpec(name="exact answers", accepts=frozenset({"lm"}))
#: Of a checkpoint: its step, what its algorithm reported, and its score by the evaluator, if it has one.
SAVED = st.lists(
    st.tuples(st.integers(0, 50), st.floats(0, 1), st.none() | st.floats()),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each[0],
)


def chosen(
    saved: list[tuple[int, float, float | None]], score: Literal["max", "min"]
) -> tuple[Checkpoint, dict[int, float]]:
    """Return the best by the evaluator, and the scores by step."""
    checkpoints = [a_checkpoint(step, reported) for step, reported, _ in saved]
    scores = {1000 + step: value for step, _, value in saved if value is not None}
    yardstick = Yardstick(spec=replace(EXACT, score=score), scores=scores)
    best = choose_checkpoint(checkpoints, "best", higher_is_better=score == "min", yardstick=yardstick)
    return best.checkpoint, {key - 1000: value for key, value in scores.items()}


@given(SAVED, st.sampled_from(["max", "min"]))
def test_best_is_what_the_evaluator_says_and_nothing_else(
    saved: list[tuple[int, float, float | None]], score: Literal["max", "min"]
) -> None:
    """No other finite score is better, a later step breaks ties, and what is not scored never wins."""
    if all(value is None for _, _, value in saved):
        with pytest.raises(NoCheckpointError, match="No checkpoint is scored by 'exact answers' yet"):
            chosen(saved, score)
        return
    best, scores = chosen(saved, score)
    finite = {step: value for step, value in scores.items() if math.isfinite(value)}
    if not finite:
        assert best.step == max(step for step, _, _ in saved)
        return
    sign = 1 if score == "max" else -1
    assert best.step in finite
    for step, value in finite.items():
        assert (sign * value, step) <= (sign * finite[best.step], best.step)


def test_the_reason_names_the_evaluator_and_what_it_left_out() -> None:
    """A researcher reads by what the checkpoint was chosen, and that one has no score."""
    checkpoints = [a_checkpoint(10, 0.9), a_checkpoint(20, 0.1), a_checkpoint(30, 0.2)]
    yardstick = Yardstick(spec=EXACT, scores={1010: 0.5, 1020: 0.75})
    found = choose_checkpoint(checkpoints, "best", higher_is_better=True, yardstick=yardstick)
    assert (found.checkpoint.step, found.reason) == (
        20,
        "best by 'exact answers': 0.75, step 20 (1 not scored)",
    )


@pytest.mark.parametrize(("choice", "step"), [("final", 30), (10, 10)])
def test_final_and_a_step_need_no_score(choice: Literal["final"] | int, step: int) -> None:
    """An evaluator decides what is best, and nothing else."""
    checkpoints = [a_checkpoint(10), a_checkpoint(30)]
    yardstick = Yardstick(spec=EXACT)
    assert (
        choose_checkpoint(checkpoints, choice, higher_is_better=True, yardstick=yardstick).checkpoint.step
        == step
    )


def test_kinds_decide_what_an_evaluator_scores() -> None:
    """It says what it scores and what the algorithm makes; "any" on either side fits."""
    assert find_refusal(EXACT, SFT) is None
    assert find_refusal(EXACT, PPO) == "'exact answers' scores a language model, PPO produces a policy."
    assert find_refusal(replace(EXACT, accepts=frozenset({ANY})), PPO) is None
    assert find_refusal(EXACT, replace(GRPO, produces=frozenset({ANY}))) is None


def test_a_gate_goes_by_the_evaluator() -> None:
    """Its direction counts, and a checkpoint without a score is held with what to do."""
    blocker = partial(find_gate_blocker, higher_is_better=False, evaluator="errors")
    assert blocker(ScoreAtLeast(0.2), 0.1, None) is None
    assert blocker(ScoreAtLeast(0.2), 0.3, None) == "Score 0.3, needs at most 0.2."
    assert blocker(BetterThanDeployed(), 0.1, 0.2) is None
    held = blocker(ScoreAtLeast(0.2), None, None)
    assert held == (
        "The checkpoint has no score by 'errors' to compare. "
        "Score them: project.evaluate('errors', pipeline=...)."
    )


@given(st.lists(st.tuples(st.integers(0, 20), st.floats()), max_size=10), st.booleans())
def test_the_best_of_a_run_is_finite(told: list[tuple[int, float]], higher: bool) -> None:  # noqa: FBT001  from Hypothesis
    """What a table shows of a run is the best finite score, or nothing."""
    scores = [
        EvaluatorScore(checkpoint_id=at, saved_by=1, step=step, evaluator="x", value=value)
        for at, (step, value) in enumerate(told)
    ]
    best = best_of(scores, higher_is_better=higher)
    finite = [value for _, value in told if math.isfinite(value)]
    assert (best.value if best else None) == ((max if higher else min)(finite) if finite else None)
