"""The points of curves, taken from blocks of metrics.

Of millions of points few are drawn. Those that `extend_curve` would leave out are left out here by numpy, at
a tenth of the time; what stays is for it to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline_widgets.domain.curve import FEWEST, Curve, Point, extend_curve, find_bucket_shift
from pipeline_widgets.domain.metric_block import MetricBlock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW = 2_000  # points that are sorted faster without numpy, which would have to be imported


def extend_curves(
    curves: Mapping[str, Curve], blocks: Sequence[MetricBlock], points: int
) -> dict[str, Curve]:
    """Return the curves of metrics, by name, with what was reported after them, thinned to so many points."""
    if sum(map(len, blocks)) > FEW:
        return {**curves, **_Columns(blocks).extend(curves, points)}
    new: dict[str, list[Point]] = {}
    for block in blocks:
        for step, name, value in block.rows():
            new.setdefault(name, []).append((step, value))
    added = {name: extend_curve(curves.get(name, ()), each, points) for name, each in new.items()}
    return {**curves, **added}


def extend_times(times: Curve, blocks: Sequence[MetricBlock], points: int) -> Curve:
    """Return when steps were reported, each once, and none before one that was reported earlier."""
    if sum(map(len, blocks)) > FEW:
        return _extend_long_times(times, blocks, points)
    last = times[-1][0] if times else -1
    new: list[Point] = []
    for block in blocks:
        steps = iter(block.steps)
        for count, at in zip(block.counts, block.times, strict=True):
            for _ in range(count):
                step = next(steps)
                if step > last and not math.isnan(at):
                    new.append((step, at))
                    last = step
    return extend_curve(times, new, points) if new else times


@dataclass(frozen=True, slots=True)
class _Column:
    """Points with their steps in the order of their report."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def extend(self, curve: Curve, points: int) -> Curve:
        """Return a curve with these points after it, thinned."""
        count, most = len(self.steps), max(points, FEWEST)
        if len(curve) + count <= most or not self._follows(curve):
            return extend_curve(curve, _zip(self.steps, self.values), points)
        first = curve[0][0] if curve else int(self.steps[0])
        has_gaps = self._has_gaps() or any(value is None for _, value in curve)
        shift = find_bucket_shift(int(self.steps[-1]) - first, points, has_gaps=has_gaps)
        return extend_curve(curve, self._select(first, shift), points, is_selected=True)

    def _follows(self, curve: Curve) -> bool:
        """Return whether each step is higher than the one before it."""
        import numpy as np  # noqa: PLC0415  only for long curves

        first = int(self.steps[0])
        return first > (curve[-1][0] if curve else first - 1) and bool(
            np.all(self.steps[1:] > self.steps[:-1])
        )

    def _has_gaps(self) -> bool:
        import numpy as np  # noqa: PLC0415  only for long curves

        return not bool(np.all(np.isfinite(self.values)))

    def _select(self, first: int, shift: int) -> list[Point]:
        """Return the ends and, of each bucket, the first lowest, the first highest and the first gap."""
        import numpy as np  # noqa: PLC0415  only for long curves

        bucket = (self.steps - first) >> shift
        starts = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
        sizes = np.diff(starts, append=len(bucket))
        is_finite = np.isfinite(self.values)
        chosen = [np.array([0, len(bucket) - 1])]
        for worst, extreme in ((np.inf, np.minimum), (-np.inf, np.maximum)):
            values = np.where(is_finite, self.values, worst)
            is_extreme = values == np.repeat(extreme.reduceat(values, starts), sizes)
            chosen.append(_find_first(is_extreme, starts, sizes))
        chosen.append(_find_first(~is_finite, starts, sizes))
        places = np.unique(np.concatenate(chosen))
        return _zip(self.steps[places], self.values[places])


class _Columns:
    """The points of blocks by name."""

    def __init__(self, blocks: Sequence[MetricBlock]) -> None:
        import numpy as np  # noqa: PLC0415  only for long curves

        known: dict[str, int] = {}
        for block in blocks:
            for name in block.names:
                known.setdefault(name, len(known))
        kind = np.uint16 if len(known) <= 2**16 else np.uint32  # short keys are sorted by radix
        keys = np.concatenate([_find_keys(block, known, kind) for block in blocks])
        order = np.argsort(keys, kind="stable")
        self._names = list(known)
        self._ends = np.cumsum(np.bincount(keys, minlength=len(known))).tolist()
        self._steps = _join_steps(blocks)[order]
        self._values = np.concatenate([np.frombuffer(block.values) for block in blocks])[order]

    def extend(self, curves: Mapping[str, Curve], points: int) -> dict[str, Curve]:
        """Return the curves of these names with the points after them."""
        found: dict[str, Curve] = {}
        start = 0
        for name, end in zip(self._names, self._ends, strict=True):
            if end > start:
                column = _Column(self._steps[start:end], self._values[start:end])
                found[name] = column.extend(curves.get(name, ()), points)
            start = end
        return found


def _extend_long_times(times: Curve, blocks: Sequence[MetricBlock], points: int) -> Curve:
    import numpy as np  # noqa: PLC0415  only for long curves

    at = np.concatenate(
        [np.repeat(np.frombuffer(block.times), np.frombuffer(block.counts, np.int64)) for block in blocks]
    )
    is_known = ~np.isnan(at)
    at, steps = at[is_known], _join_steps(blocks)[is_known]
    before = np.concatenate(([times[-1][0] if times else -1], steps))
    is_later = steps > np.maximum.accumulate(before)[:-1]
    if not is_later.any():
        return times
    return _Column(steps[is_later], at[is_later]).extend(times, points)


def _find_keys(block: MetricBlock, known: Mapping[str, int], kind: type[Any]) -> NDArray[Any]:
    """Return the number of the name of each point."""
    import numpy as np  # noqa: PLC0415  only for long curves

    own = np.array([known[name] for name in block.names], kind)
    return own[np.frombuffer(block.indices, block.indices.typecode)]


def _join_steps(blocks: Sequence[MetricBlock]) -> NDArray[np.int64]:
    import numpy as np  # noqa: PLC0415  only for long curves

    return np.concatenate([np.frombuffer(block.steps, np.int64) for block in blocks])


def _find_first(
    is_chosen: NDArray[np.bool_], starts: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the first place that is chosen of each bucket that has one."""
    import numpy as np  # noqa: PLC0415  only for long curves

    places = np.append(np.flatnonzero(is_chosen), len(is_chosen))
    first = places[np.searchsorted(places, starts)]
    return first[first < starts + sizes]


def _zip(steps: NDArray[np.int64], values: NDArray[np.float64]) -> list[Point]:
    return list(zip(steps.tolist(), values.tolist(), strict=True))
