"""The curves of runs, each with those of the runs that it resumed, as far as they were gone on from.

Metrics are append-only, so a look reads those that came since the last look at the same run, and thins them
into the curves that it had then. Only the first look at a long run reads all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline_widgets.domain.curve import Curve, join_curves
from pipeline_widgets.domain.run import Run
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services.queries.curve_points import extend_curves, extend_times

FIRST = ("training_score", "evaluation_score")  # the curves that are shown before all others
AT_ONCE = 1_000_000  # metrics that are held in memory together
KEPT = 64  # runs whose curves are kept for the next look


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricCurve:
    """The points of one metric of a run, thinned."""

    name: str
    points: Curve


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCurves:
    """The points of all metrics of a run, thinned, after those of the runs that it resumed."""

    #: The scores first, then the other metrics by name.
    curves: tuple[MetricCurve, ...]
    #: Seconds of training by step, those of the resumed runs included; empty where no times are known.
    clock: Curve
    #: The steps at which it, and the runs before it, were resumed.
    resumed: tuple[int, ...]
    #: Whether they hold all that was reported.
    whole: bool
    #: Whether they hold all that it will ever report.
    final: bool


@dataclass(frozen=True, slots=True)
class _ReadCurves:
    """The curves of a run as far as they were read, and whether that was all there was."""

    #: How many points were read.
    count: int = 0
    whole: bool = False
    curves: Mapping[str, Curve] = field(default_factory=dict[str, Curve])
    #: Seconds since 1970 by step.
    times: Curve = ()
    #: Whether no more will be reported.
    final: bool = False


@dataclass(frozen=True, slots=True)
class RunPart:
    """A run, and the step at which the one after it went on from it; None for the last one."""

    run: Run
    until: int | None


class CurveReader:
    """Reads the curves of runs within a unit of work, and keeps them for the next look."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _ReadCurves] = {}

    def read(
        self, work: UnitOfWork, run_ids: Collection[int], points: int, metrics: int | None = None
    ) -> dict[int, RunCurves]:
        """Return the curves of runs, of those that are there still.

        Args:
            work: The transaction.
            run_ids: The runs.
            points: How many points a curve has at most.
            metrics: How many metrics of a run are read; by default all that are new. After a look that left
                some, `whole` is false, and the next one goes on.
        """
        return {
            run_id: self._joined(work, parts, points, metrics)
            for run_id, parts in find_parts(work, run_ids).items()
        }

    def part(
        self, work: UnitOfWork, run_ids: Collection[int], low: int, high: int, *, points: int, most: int
    ) -> dict[int, tuple[MetricCurve, ...]]:
        """Return the curves of runs from one step to another, with as many points as whole ones have.

        Args:
            work: The transaction.
            run_ids: The runs.
            low: The first step.
            high: The last step.
            points: How many points a curve has at most.
            most: How many metrics may be read; where there are more, there is nothing in the answer.
        """
        found: dict[int, tuple[MetricCurve, ...]] = {}
        for run_id, parts in find_parts(work, run_ids).items():
            joined: Mapping[str, Curve] = {}
            for each in parts:
                last = high if each.until is None else min(high, each.until)
                blocks = work.metrics.between(each.run.id, low, last, most)
                if blocks is None:
                    return {}
                most -= sum(map(len, blocks))
                joined = _join(joined, extend_curves({}, blocks, points), None, points)
            found[run_id] = sort_curves(joined)
        return found

    def _joined(
        self, work: UnitOfWork, parts: Sequence[RunPart], points: int, metrics: int | None
    ) -> RunCurves:
        curves: Mapping[str, Curve] = {}
        clock: Curve = ()
        whole, until = True, None
        for each in parts:
            read = self._read(work, each.run, points, metrics)
            curves = _join(curves, read.curves, until, points)
            clock = _join_clock(clock, _since_start(read.times, each.run), until, points)
            whole, until = whole and read.whole, each.until
        return RunCurves(
            curves=sort_curves(curves),
            clock=clock,
            resumed=tuple(each.until for each in parts if each.until is not None),
            whole=whole,
            final=whole and parts[-1].run.status.finished,
        )

    def _read(self, work: UnitOfWork, run: Run, points: int, most: int | None) -> _ReadCurves:
        """Read on from where the last look at the run has ended.

        Two looks at the same instant replace each other's curves with ones that are as good.
        """
        key = (run.id, points)
        read, left = self._known.get(key, _ReadCurves()), sys.maxsize if most is None else max(1, most)
        while left > 0 and not read.final:
            limit = min(left, AT_ONCE)
            blocks = work.metrics.after(run.id, read.count, limit)
            new = sum(map(len, blocks))
            grown = extend_curves(read.curves, blocks, points)
            times = extend_times(read.times, blocks, points)
            whole = new < limit
            read = _ReadCurves(read.count + new, whole, grown, times, final=whole and run.status.finished)
            if read.whole:
                break
            left -= limit
        self._known.pop(key, None)
        self._known[key] = read  # last, so that the ones longest unseen come first
        for oldest in list(self._known)[:-KEPT]:
            self._known.pop(oldest, None)
        return read


def sort_curves(curves: Mapping[str, Curve]) -> tuple[MetricCurve, ...]:
    """Return curves with the scores first, then the other metrics by name."""
    return tuple(MetricCurve(name=name, points=curves[name]) for name in sort_names(curves))


def sort_names(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the names of metrics, each once: the scores first, then the others by name."""
    names = set(metrics)
    return (*(name for name in FIRST if name in names), *sorted(names - set(FIRST)))


def find_parts(work: UnitOfWork, run_ids: Collection[int]) -> dict[int, list[RunPart]]:
    """Return of each run those that it resumed, the first one first, and itself, by two statements."""
    runs = work.runs.resumed(run_ids)
    starts = {run.start_checkpoint_id or 0 for run in runs.values() if run.resumed_run_id is not None}
    steps = {key: each.step for key, each in work.checkpoints.by_id(starts).items()}
    found: dict[int, list[RunPart]] = {}
    for run_id in run_ids:
        run, until = runs.get(run_id), None
        parts: list[RunPart] = []
        while run is not None:
            parts.append(RunPart(run, until))
            until = steps.get(run.start_checkpoint_id or 0)
            run = runs.get(run.resumed_run_id or 0) if until is not None else None
        if parts:
            found[run_id] = parts[::-1]
    return found


def _join(
    before: Mapping[str, Curve], after: Mapping[str, Curve], until: int | None, points: int
) -> Mapping[str, Curve]:
    """Return the curves of a run after those of the one that it resumed at a step."""
    if not before:
        return after
    names = dict.fromkeys((*before, *after))
    joined = {name: join_curves(before.get(name, ()), after.get(name, ()), until, points) for name in names}
    return {name: curve for name, curve in joined.items() if curve}


def _join_clock(before: Curve, after: Curve, until: int | None, points: int) -> Curve:
    """Return the seconds of both runs; those of the later one count from where the earlier one had come."""
    kept = [each for each in before if until is None or each[0] <= until]
    spent = kept[-1][1] or 0.0 if kept else 0.0
    return join_curves(tuple(kept), tuple((step, spent + (at or 0.0)) for step, at in after), until, points)


def _since_start(times: Curve, run: Run) -> Curve:
    """Return the seconds since the run started."""
    if run.started_at is None:
        return ()
    start = run.started_at.timestamp()
    return tuple((step, max(0.0, at - start)) for step, at in times if at is not None)
