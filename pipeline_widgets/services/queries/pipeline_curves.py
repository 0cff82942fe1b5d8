"""One metric over all stages of a pipeline, end to end (spec 9.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.run import Run
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services.queries.curves import CurveReader, RunCurves, find_parts, sort_names
from pipeline_widgets.services.queries.pipeline_state import PipelineState

PREFERRED = ("evaluation_score", "training_score")  # the metric that is shown first, where it is there
#: The columns of the metrics of a pipeline.
STAGE_METRIC_COLUMNS = ("stage", "name", "run", "step", "metric", "value")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageCurve:
    """The curve of a stage's latest run, at its place behind the stages before it."""

    #: Counted from 1.
    number: int
    name: str
    run: Run
    #: Where step 0 of the run lies, and where its band ends.
    first: int
    last: int
    #: The places of the points are the steps of the run and `first`.
    points: Curve
    #: Where the run, and those before it, were resumed.
    resumed: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineCurve:
    """A metric over all stages that have run."""

    #: The metrics of all stages: the scores first, then the others by name.
    metrics: tuple[str, ...]
    #: The one that is shown; None where nothing has been reported.
    metric: str | None
    stages: tuple[StageCurve, ...]
    #: Whether all that was reported has been read.
    whole: bool


class PipelineCurveQueries:
    """Lays the curves of a pipeline's stages end to end, and keeps what it has read for the next look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._curves = CurveReader()

    def curve(
        self,
        pipeline: PipelineState,
        metric: str | None = None,
        *,
        points: int = 300,
        metrics: int | None = None,
    ) -> PipelineCurve:
        """Return a metric over all stages.

        Args:
            pipeline: The pipeline.
            metric: The metric; by default, and where it is gone, the evaluation score or what there is.
            points: How many points a stage has at most.
            metrics: How many metrics of a run are read; by default all that are new.
        """
        trained = _trained(pipeline)
        with self._store.read() as work:
            read = self._curves.read(work, [each.run.id for each in trained], points, metrics)
        names = sort_names(curve.name for each in read.values() for curve in each.curves)
        chosen = next((each for each in (metric, *PREFERRED, *names) if each in names), None)
        return PipelineCurve(
            metrics=names,
            metric=chosen,
            stages=_lay(trained, read, chosen),
            whole=all(each.whole for each in read.values()),
        )

    def metrics(self, pipeline: PipelineState) -> list[tuple[int, str, int, int, str, float]]:
        """Return all metrics of the stages' latest runs, each after those of the runs that it resumed.

        Returns:
            Stage (counted from 1), its name, the number of the run that reported it, step, metric, value.
        """
        trained = _trained(pipeline)
        with self._store.read() as work:
            parts = find_parts(work, [each.run.id for each in trained])
            reported: dict[int, list[tuple[int, str, float]]] = {}
            read = work.metrics.of_runs({part.run.id for of_run in parts.values() for part in of_run})
            for run_id, step, name, value in read.rows():
                reported.setdefault(run_id, []).append((step, name, value))
        return [
            (stage.number, stage.name, part.run.number, step, name, value)
            for stage in trained
            for part in parts.get(stage.run.id, ())
            for step, name, value in reported.get(part.run.id, ())
            if part.until is None or step <= part.until
        ]


@dataclass(frozen=True, slots=True)
class _Trained:
    """A stage that trains, and its latest run."""

    number: int
    name: str
    run: Run


def _trained(pipeline: PipelineState) -> Sequence[_Trained]:
    return [
        _Trained(each.position + 1, each.name, each.run)
        for each in pipeline.stages
        if each.run is not None and each.run.is_training
    ]


def _lay(
    trained: Sequence[_Trained], read: Mapping[int, RunCurves], metric: str | None
) -> tuple[StageCurve, ...]:
    """Give the run of each stage the place behind the one before it."""
    found: list[StageCurve] = []
    first = 0
    for stage in trained:
        curves = read.get(stage.run.id)
        if curves is None:  # it was deleted since
            continue
        points = next((each.points for each in curves.curves if each.name == metric), ())
        ends = [each.points[-1][0] for each in curves.curves if each.points]
        total = stage.run.total if stage.run.status.active else None
        last = first + max([stage.run.step or 0, total or 0, *ends])
        found.append(
            StageCurve(
                number=stage.number,
                name=stage.name,
                run=stage.run,
                first=first,
                last=last,
                points=tuple((first + step, value) for step, value in points),
                resumed=tuple(first + step for step in curves.resumed),
            )
        )
        first = last + 1  # a place belongs to one stage
    return tuple(found)
