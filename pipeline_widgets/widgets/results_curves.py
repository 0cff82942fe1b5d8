"""The curves that Results draws: those of finished runs are read once, and all of them share some points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline_widgets.domain.curve import Curve, thin_curve
from pipeline_widgets.services.queries.run_detail import FIRST, MetricCurve, RunDetailQueries
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import Step, points_down

SHARED = 12_000  # points of all curves that are drawn
POINTS = 1_000  # of a curve at most: more than two for each pixel of a chart
FEWEST = 100  # of a curve in any case
METRICS = 24  # that are drawn
AT_ONCE = 50_000  # metrics of one run that a look reads; the next look goes on
PART = 500_000  # metrics that a look at a part of the steps reads
ORDER = (*FIRST, "loss")  # which metrics come before all others

Point = tuple[Step, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlottedSeries:
    """What is drawn now."""

    #: A row for each metric and run, the scores first.
    rows: Sequence[Row]
    #: How many metrics are not drawn.
    undrawn: int
    #: Whether all that was reported has been read.
    whole: bool


class Curves:
    """Reads the curves of runs, and keeps those that will not change again."""

    def __init__(self, run_details: RunDetailQueries) -> None:
        self._run_details = run_details
        self._kept: dict[int, tuple[MetricCurve, ...]] = {}
        self._read: dict[int, tuple[MetricCurve, ...]] = {}

    def read(self, run_ids: Sequence[int]) -> PlottedSeries:
        """Return the curves of runs, in their order."""
        asked = [each for each in run_ids if each not in self._kept]
        told = self._run_details.curves(asked, points=POINTS, metrics=AT_ONCE) if asked else {}
        new = {run_id: each.curves for run_id, each in told.items()}
        known = {**self._kept, **new}
        self._read = {run_id: known[run_id] for run_id in run_ids if run_id in known}
        self._kept = {
            run_id: curves
            for run_id, curves in self._read.items()
            if run_id not in told or told[run_id].final
        }
        names = _names(self._read)
        rows, undrawn = _rows(self._read, names[:METRICS]), max(0, len(names) - METRICS)
        return PlottedSeries(rows=rows, undrawn=undrawn, whole=all(each.whole for each in told.values()))

    def look(self, metric: str | None, part: tuple[int, int] | None) -> list[Row]:
        """Return what is drawn in more detail, as far as that can be had.

        Args:
            metric: The only one that is looked at; all by default.
            part: The first and the last step; all of them by default.
        """
        curves: Mapping[int, tuple[MetricCurve, ...]] = self._read
        if part is not None:
            curves = self._run_details.part([*self._read], *part, points=POINTS, most=PART)
        return _rows(curves, _names(curves)[:METRICS] if metric is None else [metric])


def _rows(read: Mapping[int, Sequence[MetricCurve]], names: Sequence[str]) -> list[Row]:
    """The curves of these metrics, in this order, each with its share of the points."""
    shown = [
        (name, run_id, each.points)
        for name in names
        for run_id, told in read.items()
        for each in told
        if each.name == name
    ]
    share = _share(len(curve) for _, _, curve in shown)
    return [
        {"id": f"{run_id} {name}", "run": run_id, "metric": name, "points": _points(curve, share)}
        for name, run_id, curve in shown
    ]


def _share(lengths: Iterable[int]) -> int:
    """Return how many points a curve may have, so that all together have no more than what they share."""
    left, ordered = SHARED, sorted(lengths)
    for at, length in enumerate(ordered):
        share = left // (len(ordered) - at)
        if length > share:
            return max(FEWEST, share)
        left -= length
    return POINTS


def _names(read: Mapping[int, Sequence[MetricCurve]]) -> list[str]:
    names = {each.name for told in read.values() for each in told}
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


@lru_cache(maxsize=512)  # a look while one run is active draws the others as before
def _points(curve: Curve, most: int) -> list[Point]:
    """The points as they go down."""
    return points_down(thin_curve(curve, most))
