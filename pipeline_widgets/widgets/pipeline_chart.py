"""The chart of one metric over all stages of a pipeline."""

from __future__ import annotations

from pipeline_widgets.services.queries.pipeline_curves import PipelineCurve, StageCurve
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import points_down, step_down


def pipeline_chart_row(curve: PipelineCurve) -> Row:
    """Return what the browser draws of a metric over all stages."""
    return {
        "metrics": list(curve.metrics),
        "metric": curve.metric,
        "stages": [_stage_row(each) for each in curve.stages],
    }


def _stage_row(stage: StageCurve) -> Row:
    return {
        "id": stage.run.id,
        "number": stage.number,
        "name": stage.name,
        "run": stage.run.number,
        "active": stage.run.status.active,
        "first": step_down(stage.first),
        "last": step_down(stage.last),
        "points": list(map(list, points_down(stage.points))),
        "resumed": [step_down(each) for each in stage.resumed],
    }
