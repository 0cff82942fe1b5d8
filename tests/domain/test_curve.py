"""Thinning a metric's curve without losing its shape."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.curve import FEWEST, Point, extend_curve, thin_curve

values = st.none() | st.floats(allow_nan=True, allow_infinity=True)
bounds = st.integers(FEWEST, 40)


@st.composite
def curves(draw: st.DrawFn, first: int = -50, fewest: int = 1) -> list[Point]:
    """Points in the order of their steps, evenly spaced or with leaps, some of them no numbers."""
    strides = draw(st.lists(st.sampled_from([1, 1, 1, 2, 1000]), min_size=fewest, max_size=120))
    step, made = draw(st.integers(first, first + 50)), list[Point]()
    for stride in strides:
        step += stride
        made.append((step, draw(values)))
    return made


def finite(points: list[Point] | tuple[Point, ...]) -> list[float]:
    """Return the values that are numbers."""
    return [value for _, value in points if value is not None and math.isfinite(value)]


@given(curves(), bounds)
def test_a_thinned_curve_is_a_short_selection_with_the_same_ends(points: list[Point], most: int) -> None:
    """At most so many points are left, in their order, each one that was there, the ends among them."""
    thinned = thin_curve(points, most)
    steps = [step for step, _ in thinned]
    clean = {step: value if value is not None and math.isfinite(value) else None for step, value in points}
    assert len(thinned) <= most
    assert steps == sorted(set(steps))
    assert all(clean[step] == value for step, value in thinned)
    assert (steps[0], steps[-1]) == (points[0][0], points[-1][0])


@given(curves(), bounds)
def test_extremes_and_gaps_are_never_lost(points: list[Point], most: int) -> None:
    """The lowest and the highest value stay, and a curve with a gap still has one."""
    thinned, numbers = thin_curve(points, most), finite(points)
    assert (min(numbers, default=None), max(numbers, default=None)) == (
        min(finite(thinned), default=None),
        max(finite(thinned), default=None),
    )
    assert any(value is None for _, value in thinned) == (len(numbers) < len(points))


def test_a_bound_holds_where_every_part_has_a_gap() -> None:
    """Gaps count: low, high and gap in turns are still at most so many points."""
    thinned = thin_curve([(step, (0.0, 1.0, None)[step % 3]) for step in range(1000)], 40)
    assert len(thinned) <= 40
    assert {value for _, value in thinned} == {0.0, 1.0, None}


@given(st.integers(0, 999), st.sampled_from([-1.0, 1.0]), bounds)
def test_a_single_spike_stays_wherever_it_is(at: int, spike: float, most: int) -> None:
    """One step that stands out of a thousand is seen, upwards and downwards."""
    points: list[Point] = [(step, spike if step == at else 0.0) for step in range(1000)]
    assert (at, spike) in thin_curve(points, most)


def test_every_part_of_the_curve_keeps_its_own_extremes() -> None:
    """A saw of a hundred teeth, thinned to forty points, still rises and falls everywhere."""
    thinned = thin_curve([(step, float(step % 10)) for step in range(1000)], 40)
    for quarter in range(4):
        part = [value for step, value in thinned if quarter * 250 <= step < (quarter + 1) * 250]
        assert {0.0, 9.0} <= set(part)


@given(curves(), curves(first=200_000, fewest=41), bounds)
def test_a_curve_can_be_thinned_as_it_grows(early: list[Point], late: list[Point], most: int) -> None:
    """Thinning what was thinned together with what came since is as good as thinning all at once."""
    kept = [*thin_curve(early, most), *late]
    assert thin_curve(kept, most) == thin_curve([*early, *late], most)


@given(curves(), st.integers(41, 80), bounds)
def test_a_curve_can_be_thinned_twice(points: list[Point], first: int, most: int) -> None:
    """To some points to be kept, and to fewer to be drawn: its ends, its extremes and its gaps are there."""
    twice = thin_curve(thin_curve(points, first), most)
    assert len(twice) <= most
    assert (twice[0][0], twice[-1][0]) == (points[0][0], points[-1][0])
    numbers = finite(points)
    assert (min(finite(twice), default=None), max(finite(twice), default=None)) == (
        min(numbers, default=None),
        max(numbers, default=None),
    )
    assert any(value is None for _, value in twice) == (len(numbers) < len(points))


@pytest.mark.parametrize("gap", [None, math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_a_gap(gap: float | None) -> None:
    """What cannot be drawn stays at its step as None, in a short curve and in a long one."""
    assert thin_curve([(0, 1.0), (1, gap), (2, 3.0)]) == ((0, 1.0), (1, None), (2, 3.0))
    assert (500, None) in thin_curve([(step, gap if step == 500 else 1.0) for step in range(1000)], 20)


def test_few_points_are_left_as_they_are() -> None:
    """Where nothing has to go, nothing goes; less than five points are never asked for."""
    points: list[Point] = [(step, float(step)) for step in range(FEWEST)]
    assert thin_curve(points, FEWEST) == tuple(points)
    assert thin_curve(points, 0) == tuple(points)
    assert thin_curve([], 10) == ()


def test_a_step_that_is_reported_again_has_its_later_value() -> None:
    """Later reports replace earlier ones, and one that comes late is put in its place."""
    curve = extend_curve((), [(10, 1.0), (20, 2.0), (10, 3.0)])
    assert curve == ((10, 3.0), (20, 2.0))
    assert extend_curve(curve, [(20, 5.0), (15, 4.0)]) == ((10, 3.0), (15, 4.0), (20, 5.0))


@pytest.mark.parametrize("most", [60, 120, 1000])
def test_a_curve_that_grows_keeps_what_comes_before_its_last_bucket(most: int) -> None:
    """Most of it changes a few times only while its steps double: so few points travel at a time."""
    curve, changed = (), list[int]()
    for step in range(1, 6_001):
        grown = extend_curve(curve, [(step, math.sin(step))], most)
        both = enumerate(zip(curve, grown, strict=False))
        kept = next((at for at, (one, other) in both if one != other), len(curve))
        if kept < len(curve) // 2:
            changed.append(step)
        curve = grown
    assert len(changed) <= 2 * math.log2(6_000 / most) + 2
