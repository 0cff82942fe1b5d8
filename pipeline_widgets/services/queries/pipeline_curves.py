"""One metric over all stages of a pipeline, end to end (spec 9.5)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.metric_block import MetricColumns
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


@dataclass(slots=True)
class StageMetricColumns:
    """Metrics of the stages of a pipeline, by column: 8 bytes a value where a tuple would take 200."""

    #: Counted from 1.
    stages: array[int] = field(default_factory=lambda: array("q"))
    stage_names: list[str] = field(default_factory=list[str])
    #: The numbers of the runs that reported them.
    runs: array[int] = field(default_factory=lambda: array("q"))
    steps: array[int] = field(default_factory=lambda: array("q"))
    names: list[str] = field(default_factory=list[str])
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.steps)

    def rows(self) -> Iterator[tuple[int, str, int, int, str, float]]:
        """Yield stage, its name, run, step, metric and value of each point."""
        columns = (self.stages, self.stage_names, self.runs, self.steps, self.names, self.values)
        return zip(*columns, strict=True)

    def extend(
        self, stage: _Trained, run: int, until: int | None, read: MetricColumns, places: array[int]
    ) -> None:
        """Append the points of a run, up to a step where one is given."""
        steps, values = read.steps, read.values
        if until is not None:
            places = array("q", (place for place in places if steps[place] <= until))
        self.stages.extend(repeat(stage.number, len(places)))
        self.stage_names.extend(repeat(stage.name, len(places)))
        self.runs.extend(repeat(run, len(places)))
        self.steps.extend(map(steps.__getitem__, places))
        self.names.extend(map(read.names.__getitem__, places))
        self.values.extend(map(values.__getitem__, places))


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

    def metrics(self, pipeline: PipelineState) -> StageMetricColumns:
        """Return all metrics of the stages' latest runs, each after those of the runs that it resumed."""
        trained = _trained(pipeline)
        with self._store.read() as work:
            parts = find_parts(work, [each.run.id for each in trained])
            read = work.metrics.of_runs({part.run.id for of_run in parts.values() for part in of_run})
        places: dict[int, array[int]] = {}
        for place, run_id in enumerate(read.runs):
            if run_id not in places:
                places[run_id] = array("q")
            places[run_id].append(place)
        found = StageMetricColumns()
        for stage in trained:
            for part in parts.get(stage.run.id, ()):
                found.extend(stage, part.run.number, part.until, read, places.get(part.run.id, array("q")))
        return found


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
