"""What the Experiments tab shows, as JSON: the list, what an expanded row holds, what resuming offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.config_schema import FormField, fields_of
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.training import described
from pipeline_widgets.errors import AlgorithmNotFoundError
from pipeline_widgets.services.views.experiment_detail import ExperimentDetail, RunRow
from pipeline_widgets.services.views.experiment_list import ListedExperiment
from pipeline_widgets.services.views.glimpse import CheckpointRow, MetricCurve, RunGlimpse
from pipeline_widgets.services.views.resume_offer import ResumeOffer, Saved
from pipeline_widgets.widgets.base import Row

if TYPE_CHECKING:
    from pydantic import BaseModel

SCORES = ("training_score", "evaluation_score")
BOTH = "scores"  # the metric that stands for both of them in one chart
DIGITS = 6  # of a curve's values, which are drawn in pixels and read as text


def list_row(row: ListedExperiment) -> Row:
    """Return what the list shows of an experiment."""
    return {
        "id": row.id,
        "name": row.name,
        "algorithm": row.algorithm,
        "status": str(row.status),
        "modified": row.modified_at.timestamp(),
        "runs": row.runs,
        "checkpoints": row.checkpoints,
        "best": row.best,
        "started": _moment(row.started_at),
        "begun": row.begun,
        "step": row.step,
        "total": row.total,
        "pipelines": list(row.pipelines),
        "why_not": asdict(row.obstacles),
    }


def detail_row(detail: ExperimentDetail, glimpse: RunGlimpse | None, metric: str | None) -> Row:
    """Return what an expanded experiment shows.

    Args:
        detail: The experiment.
        glimpse: The run whose metrics are charted; None where there is none.
        metric: The one that was chosen; None for the scores, or what there is.
    """
    names = metric_names(glimpse.curves if glimpse else ())
    chosen = metric if metric in names else next(iter(names), None)
    experiment = detail.experiment
    return {
        "id": experiment.id,
        "says": described(experiment.spec),
        "higher_is_better": experiment.spec.higher_is_better,
        "seed": experiment.seed,
        "config": config_rows(experiment),
        "uses": [{"pipeline": use.pipeline, "stage": use.stage} for use in detail.uses],
        "run": _run(glimpse) if glimpse else None,
        "metrics": names,
        "metric": chosen,
        "curves": _curves(glimpse.curves, chosen) if glimpse and chosen else [],
        "runs": [_run_row(each) for each in detail.runs],
        "checkpoints": [
            {**_checkpoint(each), "best": each.id == detail.best, "final": each.id == detail.final}
            for each in detail.checkpoints
        ],
        "saved": detail.saved,
    }


def metric_names(curves: Sequence[MetricCurve]) -> list[str]:
    """Return what can be charted; both scores in one chart come first."""
    names = [curve.name for curve in curves]
    return [BOTH, *names] if all(score in names for score in SCORES) else names


def resume_row(offer: ResumeOffer) -> Row:
    """Return what a dialog for resuming offers; each run's checkpoints as a checkpoint picker takes them."""
    return {
        "name": offer.name,
        "warning": offer.warning,
        "obstacle": offer.obstacle,
        "runs": [_saved(each, higher=offer.experiment.spec.higher_is_better) for each in offer.saved],
    }


def config_rows(experiment: Experiment) -> list[Row]:
    """Return a config as it is read: each field's name, value, unit and description."""
    known = known_fields(experiment.spec.name)
    return [
        {
            "name": name,
            "label": known[name].label if name in known else name,
            "value": value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False),
            "unit": known[name].unit if name in known else "",
            "description": known[name].description if name in known else "",
        }
        for name, value in experiment.config.items()
    ]


def known_fields(algorithm: str) -> Mapping[str, FormField]:
    """Return the fields that this process knows of an algorithm's config."""
    try:
        return _fields_by_name(registry.find(algorithm).config)
    except AlgorithmNotFoundError:
        return {}


@lru_cache(maxsize=32)
def _fields_by_name(model: type[BaseModel] | None) -> Mapping[str, FormField]:
    """Return the fields of a model; a row that is expanded asks for them at each refresh."""
    return {each.name: each for each in fields_of(model)}


def _saved(saved: Saved, *, higher: bool) -> Row:
    return {
        "id": saved.run_id,
        "label": saved.run.capitalize(),
        "checkpoints": [
            {
                "step": each.step,
                "training_score": each.training_score,
                "evaluation_score": each.evaluation_score,
                "size": each.size,
            }
            for each in saved.checkpoints
        ],
        "best": {"step": saved.best, "reason": saved.best_reason},
        "final": {"step": saved.final, "reason": saved.final_reason},
        "higher_is_better": higher,
    }


def _run(glimpse: RunGlimpse) -> Row:
    run = glimpse.run
    best = next((each.step for each in glimpse.checkpoints if each.id == glimpse.best), None)
    return {
        "id": run.id,
        "number": run.number,
        "status": str(run.status),
        "start": glimpse.start,
        "error": run.error,
        "best": best,
    }


def _run_row(row: RunRow) -> Row:
    run = row.run
    return {
        "id": run.id,
        "number": run.number,
        "status": str(run.status),
        "created": run.created_at.timestamp(),
        "started": _moment(run.started_at),
        "finished": _moment(run.finished_at),
        "step": run.step,
        "total": run.total,
        "checkpoints": row.checkpoints,
        "pipeline": row.pipeline,
        "same_config": row.same_config,
    }


def _checkpoint(row: CheckpointRow) -> Row:
    return {
        "id": row.id,
        "step": row.step,
        "run": row.run,
        "training": row.training_score,
        "evaluation": row.evaluation_score,
        "size": row.size,
    }


def _curves(curves: Sequence[MetricCurve], chosen: str) -> list[Row]:
    wanted = SCORES if chosen == BOTH else (chosen,)
    return [
        {"name": curve.name, "points": [[step, _rounded(value)] for step, value in curve.points]}
        for curve in curves
        if curve.name in wanted
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _moment(at: datetime | None) -> float | None:
    return at.timestamp() if at else None
