"""A start checkpoint has to score what it scored when it was saved, within what chance allows (spec 7.6)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.handover import ROUNDING, Score, assess_handover

FINITE = st.floats(-1e6, 1e6)
SPREADS = st.none() | st.floats(0, 1e3)


@pytest.mark.spec("7.6")
@given(FINITE, SPREADS)
def test_a_score_agrees_with_itself(value: float, spread: float | None) -> None:
    """The same score is never held, whatever its spread."""
    assert assess_handover(Score(value=value, spread=spread), Score(value=value, spread=spread))


@given(FINITE, FINITE, SPREADS, SPREADS)
def test_the_two_scores_are_treated_alike(
    one: float, other: float, spread: float | None, others: float | None
) -> None:
    """It does not matter which of two scores came first."""
    first, second = Score(value=one, spread=spread), Score(value=other, spread=others)
    assert assess_handover(first, second).allowed == assess_handover(second, first).allowed


@pytest.mark.parametrize(
    ("saved", "now", "agrees"),
    [
        (Score(value=0.93, spread=0.0), Score(value=0.93, spread=0.0), True),
        (Score(value=0.93, spread=0.0), Score(value=0.9301, spread=0.0), True),
        (Score(value=0.93, spread=0.0), Score(value=0.92, spread=0.0), False),
        (Score(value=200.0, spread=5.0), Score(value=180.0, spread=5.0), True),
        (Score(value=200.0, spread=5.0), Score(value=150.0, spread=5.0), False),
        (Score(value=200.0, spread=None), Score(value=180.0, spread=5.0), True),
        (Score(value=0.2, spread=0.01), Score(value=0.9, spread=0.01), False),
        (Score(value=-100.0, spread=0.0), Score(value=-100.05, spread=0.0), True),
        (Score(value=0.5, spread=math.nan), Score(value=0.9, spread=0.01), False),
    ],
)
def test_the_spreads_say_how_far_apart_two_scores_may_lie(saved: Score, now: Score, *, agrees: bool) -> None:
    """Four standard errors of the difference and a thousandth are allowed, up and down."""
    assert bool(assess_handover(saved, now)) is agrees


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_does_not_agree(now: float) -> None:
    """A checkpoint that gives NaN where it gave a number is not the one that was saved."""
    assert not assess_handover(Score(value=0.9, spread=0.1), Score(value=now, spread=0.1))


def test_a_good_handover_is_rarely_held_and_a_bad_one_found() -> None:
    """Of 20,000 pairs of scores of the same policy at most 10 are held; of a worse one most are found."""
    rng = np.random.default_rng(0)
    n, std = 20, 60.0
    episodes = rng.normal(300.0, std, (20_000, 2, n))
    means, errors = episodes.mean(axis=2), episodes.std(axis=2, ddof=1) / math.sqrt(n)
    pairs = [
        [Score(value=m, spread=e) for m, e in zip(*each, strict=True)]
        for each in zip(means.tolist(), errors.tolist(), strict=True)
    ]
    assert sum(not assess_handover(*pair) for pair in pairs) <= 10
    worse = [(saved, Score(value=now.value - 150.0, spread=now.spread)) for saved, now in pairs[:1000]]
    assert sum(not assess_handover(*pair) for pair in worse) > 900


def test_rounding_is_relative_to_the_score() -> None:
    """Without a spread, a thousandth of the larger score is allowed."""
    assert assess_handover(Score(value=500.0), Score(value=499.0)).allowed == 500.0 * ROUNDING
