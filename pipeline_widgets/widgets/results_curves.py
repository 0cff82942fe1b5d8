"""The curves that Results draws: those of finished runs are read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.services.views.glimpse import FIRST, GlimpseService, MetricCurve
from pipeline_widgets.widgets.base import Row

POINTS = 100  # of a curve
METRICS = 24  # that are drawn
AT_ONCE = 50_000  # metrics of one run that a look reads; the next look goes on
DIGITS = 6  # of a value that is drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What is drawn now."""

    #: A row for each metric and run, the scores first.
    rows: Sequence[Row]
    #: How many metrics are not drawn.
    undrawn: int
    #: Whether all that was reported has been read.
    whole: bool


class Curves:
    """Reads the curves of runs, and keeps those that will not change again."""

    def __init__(self, glimpses: GlimpseService) -> None:
        self._glimpses = glimpses
        self._kept: dict[int, tuple[MetricCurve, ...]] = {}

    def read(self, run_ids: Sequence[int]) -> Drawn:
        """Return the curves of runs, in their order."""
        whole, read = True, dict[int, tuple[MetricCurve, ...]]()
        for run_id in run_ids:
            if run_id in self._kept:
                read[run_id] = self._kept[run_id]
                continue
            try:
                glimpse = self._glimpses.run(run_id, points=POINTS, lines=0, metrics=AT_ONCE)
            except NotFoundError:  # deleted since the table was read
                continue
            read[run_id] = glimpse.curves
            whole = whole and glimpse.whole
            if glimpse.whole and glimpse.run.status.finished:
                self._kept[run_id] = glimpse.curves
        self._kept = {run_id: curves for run_id, curves in self._kept.items() if run_id in read}
        names = sorted({curve.name for curves in read.values() for curve in curves}, key=_scores_first)
        shown = names[:METRICS]
        rows = [
            {"id": f"{run_id} {name}", "run": run_id, "metric": name, "points": _points(curve.points)}
            for name in shown
            for run_id, curves in read.items()
            for curve in curves
            if curve.name == name
        ]
        return Drawn(rows=rows, undrawn=len(names) - len(shown), whole=whole)


def _scores_first(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


def _points(curve: Curve) -> list[tuple[int, float | None]]:
    """The points as they go down: more digits than a chart can show would only be bytes."""
    return [(step, None if value is None else float(f"{value:.{DIGITS}g}")) for step, value in curve]
