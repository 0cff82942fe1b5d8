"""Long curves are selected by numpy, and are those that the domain says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.metric_block import MetricBlock, make_block
from pipeline_widgets.services.queries import curve_points
from pipeline_widgets.services.queries.curve_points import extend_curves, extend_times

values = st.sampled_from([0.0, 1.0, -1.0, math.nan, math.inf, -math.inf]) | st.floats()
#: Mostly steps that grow, as trainings report them; some again, some late, some far away.
strides = st.sampled_from([1, 1, 1, 1, 1, 0, 3, -2, 1000, 2**40])


@st.composite
def series(draw: st.DrawFn) -> list[MetricBlock]:
    """What a run has reported, in blocks."""
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True))
    grows = draw(st.booleans())
    step, blocks = draw(st.integers(0, 100)), list[MetricBlock]()
    for _ in range(draw(st.integers(1, 5))):
        rows: list[tuple[int, str, float]] = []
        for _ in range(draw(st.integers(1, 60))):
            stride = draw(strides)
            step = min(max(0, step + (abs(stride) or 1 if grows else stride)), 2**63 - 1)
            told = draw(st.sampled_from([names, names[:1]]))
            rows += [(step, name, draw(values)) for name in told]
        at = draw(st.none() | st.floats(1, 100))
        blocks.append(make_block(rows, at))
    return blocks


def read(blocks: Sequence[MetricBlock], points: int) -> tuple[dict[str, Curve], Curve]:
    """Return the curves and times of blocks that are read one after the other, with what they are without."""
    curves: dict[str, Curve] = {}
    times: Curve = ()
    for block in blocks:
        curves, times = extend_curves(curves, [block], points), extend_times(times, [block], points)
    return curves, times


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(series(), st.integers(5, 40))
def test_a_selection_is_thinned_to_what_the_whole_would_be(blocks: list[MetricBlock], points: int) -> None:
    """Curves and times, block by block, and all blocks at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve_points, "FEW", 10**9)
        expected = read(blocks, points)
        at_once = extend_curves({}, blocks, points), extend_times((), blocks, points)
        patch.setattr(curve_points, "FEW", 0)
        assert read(blocks, points) == expected
        assert (extend_curves({}, blocks, points), extend_times((), blocks, points)) == at_once


def test_a_spike_of_a_million_points_is_kept() -> None:
    """And so are a gap and both ends."""
    rows = [(step, "loss", 0.5) for step in range(1_000_000)]
    rows[123_456], rows[777_777] = (123_456, "loss", 9.0), (777_777, "loss", math.nan)
    blocks = [make_block(rows[at : at + 20_000], float(at)) for at in range(0, len(rows), 20_000)]
    curve = extend_curves({}, blocks, 120)["loss"]
    assert len(curve) <= 120
    assert {(0, 0.5), (123_456, 9.0), (777_777, None), (999_999, 0.5)} <= set(curve)
    clock = extend_times((), blocks, 120)
    assert (clock[0], clock[-1]) == ((0, 0.0), (999_999, 980_000.0))
