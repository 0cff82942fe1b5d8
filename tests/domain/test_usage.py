"""When samples of what a run uses are taken, and what they amount to (spec 6.14)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.usage import (
    FIRST_INTERVAL,
    SHARE,
    Peak,
    Usage,
    extend_usage,
    find_interval,
    find_told,
)

pytestmark = pytest.mark.spec("6.14")

WEEK = 7 * 24 * 3600
SAMPLES = st.builds(
    Usage,
    seconds=st.floats(0, WEEK),
    cpu=st.floats(0, 256),
    memory=st.integers(0, 2**44),
    gpu=st.none() | st.floats(0, 8),
    gpu_memory=st.none() | st.integers(0, 2**40),
)


def test_a_run_of_a_week_has_few_samples_and_one_of_a_minute_has_many() -> None:
    """A sample a second at first, more and more rarely afterwards."""
    taken, now, within_a_minute = 0, 0.0, 0
    while now < WEEK:
        now += find_interval(taken, 0.001)
        taken += 1
        within_a_minute += now <= 60
    assert within_a_minute == 60
    assert taken <= 3300


@given(st.integers(0, 100_000), st.floats(0, 10))
def test_taking_samples_costs_less_than_a_percent_of_a_cpu(taken: int, cost: float) -> None:
    """One that takes long, since a machine has many processes, is followed by a longer pause."""
    interval = find_interval(taken, cost)
    assert interval >= FIRST_INTERVAL
    assert cost <= SHARE * interval * (1 + 1e-9)
    assert SHARE < 0.01


@given(st.lists(SAMPLES, max_size=20), st.lists(SAMPLES, max_size=20))
def test_the_peak_of_all_samples_is_that_of_the_peaks_of_their_parts(
    first: list[Usage], rest: list[Usage]
) -> None:
    """It is the most of each resource, and nothing where no sample has told."""
    whole = Peak.of([*first, *rest])
    for name in ("cpu", "memory", "gpu_memory"):
        parts = [getattr(Peak.of(part), name) for part in (first, rest)]
        known = [each for each in parts if each is not None]
        assert getattr(whole, name) == (max(known) if known else None)


def test_a_curve_is_made_of_each_resource_that_is_told() -> None:
    """Over milliseconds, and thinned; one that no sample tells has none, and a gap stays a gap."""
    samples = [Usage(seconds=1 + at, cpu=at / 2, memory=100 + at) for at in range(1000)]
    curves = find_told(extend_usage({}, samples, 60))
    assert [*curves] == ["cpu", "memory"]
    assert len(curves["cpu"]) <= 60
    assert curves["cpu"][0] == (1000, 0.0)
    assert curves["memory"][-1] == (1_000_000, 1099)
    on_gpu = Usage(seconds=2.5, cpu=1.0, memory=1, gpu=0.5, gpu_memory=7)
    curves = find_told(extend_usage({}, [samples[0], on_gpu], 60))
    assert curves["gpu"] == ((1000, None), (2500, 0.5))
    assert find_told(extend_usage({}, [], 60)) == {}


@given(st.lists(st.lists(SAMPLES, max_size=40), max_size=6), st.integers(5, 40))
def test_curves_that_are_read_in_parts_keep_the_peaks(parts: list[list[Usage]], most: int) -> None:
    """However many samples come, in however many looks, the most memory and CPU are on the curves."""
    curves: dict[str, Curve] = {}
    samples: list[Usage] = []
    for part in parts:
        later = [replace(each, seconds=float(len(samples) + at)) for at, each in enumerate(part)]
        samples += later
        curves = extend_usage(curves, later, most)
    for name, curve in find_told(curves).items():
        told = [value for each in samples if (value := getattr(each, name)) is not None]
        assert max(value for _, value in curve if value is not None) == max(told)
        assert len(curve) <= max(most, 5)


def test_samples_that_come_one_by_one_make_the_curves_of_all() -> None:
    """With the first and the last one and the peaks; a GPU that comes late has gaps before."""
    samples = [
        Usage(seconds=1 + at, cpu=at % 7, memory=at % 50, gpu=None if at < 400 else at % 9, gpu_memory=None)
        for at in range(1000)
    ]
    curves: dict[str, Curve] = {}
    for each in samples:
        curves = extend_usage(curves, [each], 60)
    found = find_told(curves)
    assert [*found] == ["cpu", "memory", "gpu"]
    for name, curve in found.items():
        values = [getattr(each, name) for each in samples]
        assert len(curve) <= 60
        assert (curve[0], curve[-1]) == ((1000, values[0]), (1_000_000, values[-1]))
        assert max(value or 0 for _, value in curve) == max(value or 0 for value in values)
    assert found["gpu"][1][1] is None
