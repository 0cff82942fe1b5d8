"""What the Experiments tab shows, as JSON: the list, what an expanded row holds, what resuming offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.config_form import SEED
from pipeline_widgets.algorithms.config_schema import FormField, Kind, list_fields
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_algorithm
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import AlgorithmNotFoundError
from pipeline_widgets.services.queries.experiment_detail import ExperimentDetail, RunRow
from pipeline_widgets.services.queries.experiment_list import ListedExperiment
from pipeline_widgets.services.queries.resume_options import ResumableRun, ResumeOptions
from pipeline_widgets.services.queries.run_detail import CheckpointRow, MetricCurve, RunDetail
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import points_down, step_down, step_or_none

SCORES = ("training_score", "evaluation_score")
BOTH = "scores"  # the metric that stands for both of them in one chart


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
        "step": step_or_none(row.step),
        "total": step_or_none(row.total),
        "pipelines": list(row.pipelines),
        "why_not": asdict(row.blockers),
    }


def detail_row(
    detail: ExperimentDetail, run_detail: RunDetail | None, metric: str | None, listed: int | None
) -> Row:
    """Return what an expanded experiment shows.

    Args:
        detail: The experiment.
        run_detail: The run that is shown; None where there is none.
        metric: The one that was chosen; None for the scores, or what there is.
        listed: How many checkpoints of that run are listed at most; None for those of all runs.
    """
    names = metric_names(run_detail.curves if run_detail else ())
    chosen = metric if metric in names else next(iter(names), None)
    experiment = detail.experiment
    return {
        "id": experiment.id,
        "says": describe_algorithm(experiment.spec),
        "higher_is_better": experiment.spec.higher_is_better,
        "config": config_rows(experiment, run_detail.run if run_detail else None),
        "uses": [{"pipeline": use.pipeline, "stage": use.stage} for use in detail.uses],
        "run": _run(run_detail) if run_detail else None,
        "metrics": names,
        "metric": chosen,
        "curves": _curves(run_detail.curves, chosen) if run_detail and chosen else [],
        "runs": [_run_row(each) for each in detail.runs],
        **_checkpoints(detail, run_detail, listed),
    }


def metric_names(curves: Sequence[MetricCurve]) -> list[str]:
    """Return what can be charted; both scores in one chart come first."""
    names = [curve.name for curve in curves]
    return [BOTH, *names] if all(score in names for score in SCORES) else names


def resume_row(offer: ResumeOptions) -> Row:
    """Return what a dialog for resuming offers; each run's checkpoints as a checkpoint picker takes them."""
    return {
        "name": offer.name,
        "warning": offer.warning,
        "obstacle": offer.blocker,
        "runs": [_saved(each, offer.experiment) for each in offer.saved],
    }


def config_rows(experiment: Experiment, run: Run | None) -> list[Row]:
    """Return a config and the seed as they are read: each field's name, value, unit and description.

    Args:
        experiment: The experiment.
        run: The run whose config is shown; what the experiment has now is said beside what differs.
    """
    known, now = known_fields(experiment.spec.name), experiment.config
    shown = run.config if run else now
    rows = [
        _config_row(
            known.get(name) or FormField(name=name, label=name, kind=Kind.JSON, required=False), shown, now
        )
        for name in {**shown, **now}
    ]
    seed = {SEED.name: run.seed if run else experiment.seed}
    return [*rows, _config_row(SEED, seed, {SEED.name: experiment.seed})]


def _config_row(field: FormField, shown: Mapping[str, Any], now: Mapping[str, Any]) -> Row:
    value, other = shown.get(field.name), now.get(field.name)
    return {
        "name": field.name,
        "label": field.label,
        "value": said(value),
        "unit": "" if value is None else field.unit,
        "description": field.description,
        "now": None if value == other else said(other),
    }


def said(value: Any) -> str:
    """Return a value of a config as it is read."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value or "empty"
    return json.dumps(value, ensure_ascii=False)


def known_fields(algorithm: str) -> Mapping[str, FormField]:
    """Return the fields that this process knows of an algorithm's config."""
    try:
        return _fields_by_name(registry.find(algorithm).config)
    except AlgorithmNotFoundError:
        return {}


@lru_cache(maxsize=32)
def _fields_by_name(model: type[Any] | None) -> Mapping[str, FormField]:
    """Return the fields of a model; a row that is expanded asks for them at each refresh."""
    return {each.name: each for each in list_fields(model)}


def _saved(saved: ResumableRun, experiment: Experiment) -> Row:
    known = known_fields(experiment.spec.name).get(saved.length or "")
    return {
        "id": saved.run_id,
        "label": saved.run.capitalize(),
        "checkpoints": [
            {
                "step": step_down(each.step),
                "training_score": each.training_score,
                "evaluation_score": each.evaluation_score,
                "size": each.size,
            }
            for each in saved.checkpoints
        ],
        "best": {"step": step_or_none(saved.best), "reason": saved.best_reason},
        "final": {"step": step_or_none(saved.final), "reason": saved.final_reason},
        "higher_is_better": experiment.spec.higher_is_better,
        "ends": step_or_none(saved.ends),
        "length": {"name": known.name, "label": known.label} if known else None,
    }


def _run(run_detail: RunDetail) -> Row:
    run = run_detail.run
    best = next((each.step for each in run_detail.checkpoints if each.id == run_detail.best), None)
    return {
        "id": run.id,
        "number": run.number,
        "status": str(run.status),
        "start": run_detail.start,
        "error": run.error,
        "best": step_or_none(best),
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
        "step": step_or_none(run.step),
        "total": step_or_none(run.total),
        "checkpoints": row.checkpoints,
        "pipeline": row.pipeline,
        "same_config": row.same_config,
    }


def _checkpoints(detail: ExperimentDetail, run_detail: RunDetail | None, listed: int | None) -> Row:
    """Return the checkpoints that are listed, best and final first, then the latest; and how many are."""
    if listed is None or run_detail is None:
        found, best, final, saved = detail.checkpoints, detail.best, detail.final, detail.saved
    else:
        found, best, saved = run_detail.checkpoints[::-1], run_detail.best, len(run_detail.checkpoints)
        final = found[0].id if found else None
    pinned = [each for id_ in dict.fromkeys((best, final)) for each in found if each.id == id_]
    others = [each for each in found if each.id not in {best, final}]
    shown = [*pinned, *others][: listed or len(found)]
    return {
        "checkpoints": [
            {**_checkpoint(each), "best": each.id == best, "final": each.id == final} for each in shown
        ],
        "saved": saved,
        "every": listed is None,
    }


def _checkpoint(row: CheckpointRow) -> Row:
    return {
        "id": row.id,
        "step": step_down(row.step),
        "run": row.run,
        "training": row.training_score,
        "evaluation": row.evaluation_score,
        "size": row.size,
    }


def _curves(curves: Sequence[MetricCurve], chosen: str) -> list[Row]:
    wanted = SCORES if chosen == BOTH else (chosen,)
    return [
        {"name": curve.name, "points": [*map(list, points_down(curve.points))]}
        for curve in curves
        if curve.name in wanted
    ]


def _moment(at: datetime | None) -> float | None:
    return at.timestamp() if at else None
