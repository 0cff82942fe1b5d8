"""A metric's curve, thinned to what a small chart can show without losing its spikes.

The steps are cut into buckets of equal width, and of each bucket the lowest and the highest value stay, as
in M4 (Jugel et al. 2014, "M4: A Visualization-Oriented Time Series Data Aggregation", PVLDB 7). Widths are
powers of two, so that a bucket of a longer curve is made of whole buckets of a shorter one: a curve that
grows can be thinned again and again, and only as many points as are shown ever have to be kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import ge
from typing import TypeAlias

#: A step and its value; None is a gap, where a NaN or an infinity was reported.
Point: TypeAlias = tuple[int, float | None]
#: Points in the order of their steps.
Curve: TypeAlias = tuple[Point, ...]

FEWEST = 5  # the first, the last, and a bucket with a lowest value, a highest value and a gap


def extend_curve(
    curve: Curve, reports: Iterable[Point], most: int = 200, *, is_selected: bool = False
) -> Curve:
    """Return a curve with later reports, thinned. A step that is reported again has its later value.

    Args:
        curve: The curve.
        reports: The reports, in their order.
        most: How many points there are at most.
        is_selected: Whether the reports are those of more that can stay, so that few are thinned, too.
    """
    points = [*curve, *reports]
    steps = [step for step, _ in points]
    if any(map(ge, steps, steps[1:])):  # rare, and sorting takes its time
        points = sorted(dict(points).items(), key=_step)
    return thin_curve(points, most, is_selected=is_selected)


def join_curves(before: Curve, after: Curve, until: int | None, most: int = 200) -> Curve:
    """Return the curve of a run that went on from another one, thinned.

    Args:
        before: The curve of the run that was resumed.
        after: The curve of the run that resumed it.
        until: The step at which it did; points of the earlier run that come later are left out. None keeps
            them all.
        most: How many points there are at most.
    """
    first = after[0][0] if after else None
    kept = [
        point
        for point in before
        if (until is None or point[0] <= until) and (first is None or point[0] < first)
    ]
    return thin_curve([*kept, *after], most) if kept else after


def thin_curve(points: Sequence[Point], most: int = 200, *, is_selected: bool = False) -> Curve:
    """Return at most that many points, the shape being kept.

    The first and the last point stay, and of each bucket the lowest and the highest value, and one gap.

    Args:
        points: In the order of their steps, each step once.
        most: Less than five counts as five.
        is_selected: Whether they are those of more points that can stay.
    """
    clean = [
        point if point[1] is not None and math.isfinite(point[1]) else (point[0], None) for point in points
    ]
    if len(clean) <= max(most, FEWEST) and not is_selected:
        return tuple(clean)
    first = clean[0][0]
    has_gaps = any(value is None for _, value in clean)
    shift = find_bucket_shift(clean[-1][0] - first, most, has_gaps=has_gaps)
    lows: dict[int, tuple[float, int]] = {}
    highs: dict[int, tuple[float, int]] = {}
    gaps: dict[int, int] = {}
    for at, (step, value) in enumerate(clean):
        bucket = (step - first) >> shift
        if value is None:
            gaps.setdefault(bucket, at)
        elif bucket not in lows:
            lows[bucket] = highs[bucket] = value, at
        elif value < lows[bucket][0]:
            lows[bucket] = value, at
        elif value > highs[bucket][0]:
            highs[bucket] = value, at
    extremes = (at for found in (lows, highs) for _, at in found.values())
    kept = {0, len(clean) - 1, *extremes, *gaps.values()}
    return tuple(clean[at] for at in sorted(kept))


def find_bucket_shift(width: int, most: int = 200, *, has_gaps: bool) -> int:
    """Return which power of two is the width of a bucket, so that few enough points are kept.

    Args:
        width: From the first to the last step.
        most: How many points there are at most; less than five counts as five.
        has_gaps: Whether any value is missing.
    """
    marks = 3 if has_gaps else 2
    buckets = (max(most, FEWEST) - 2) // marks
    shift = 0
    while width >> shift >= buckets:
        shift += 1
    return shift


def _step(point: Point) -> int:
    return point[0]
