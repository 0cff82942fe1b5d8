"""Runs side by side: what they were triggered with, and their tables as text (spec 9.3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.checkpoint import is_finite
from pipeline_widgets.domain.comparison import Setting, compare_settings, find_leaders, merge_config, to_csv
from pipeline_widgets.domain.curve import Point
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.overview import ResultRow
from pipeline_widgets.domain.run import Run, trained_experiment_ids
from pipeline_widgets.domain.run_record import RunCode
from pipeline_widgets.errors import ConfigError, ForeignError, RuleError
from pipeline_widgets.persistence.repositories.base import require
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.queries.curves import MetricCurve

RUN_COLUMNS = (
    "experiment", "run", "status", "steps", "checkpoints", "training_score", "evaluation_score",
    "started_at", "finished_at",
)  # fmt: skip
PEAK_COLUMNS = ("peak_cpu", "peak_memory", "peak_gpu_memory")
#: What each column of the table of runs is sorted by; None where there is nothing.
_SORTS: dict[str, Callable[[ResultRow, datetime], Any]] = {
    "experiment": lambda each, _: (each.experiment.casefold(), each.number),
    "run": lambda each, _: each.number,
    "status": lambda each, _: str(each.status),
    "steps": lambda each, _: each.steps,
    "checkpoints": lambda each, _: each.checkpoints,
    "training": lambda each, _: _finite(each.training_score),
    "evaluation": lambda each, _: _finite(each.evaluation_score),
    "memory": lambda each, _: each.peak_memory,
    "gpu memory": lambda each, _: each.peak_gpu_memory,
    "duration": lambda each, now: each.started_at and (each.finished_at or now) - each.started_at,
    "started": lambda each, _: each.run_id,  # one that has not started yet is the latest
}
SCORE_COLUMNS = ("experiment", "run", "step", "evaluator", "score", "spread")
SCORE = "score:"  # comes before the name of an evaluator by whose scores the table of runs is sorted
SHORT = 8  # characters of a digest that are shown
METRIC_COLUMNS = ("experiment", "run", "step", "metric", "value")
MOST_METRICS = 500_000  # rows that a browser is sent


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedRuns:
    """Runs side by side; each setting has a value for each of them."""

    runs: tuple[Run, ...]
    settings: tuple[Setting, ...]


class ComparisonQueries:
    """Set runs side by side."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def runs(self, run_ids: Sequence[int]) -> ComparedRuns:
        """Return what runs were triggered with: algorithm, start, seed and config."""
        with self._store.read() as work:
            known = work.runs.by_id(run_ids)
            runs = tuple(known[each] for each in run_ids if each in known)
            starts = _starts(work, runs)
            specs = work.experiments.by_id(trained_experiment_ids(runs))
        told = [merge_config(_itself(run, specs, starts), run.config) for run in runs]
        return ComparedRuns(runs=runs, settings=compare_settings(told))

    def experiments(
        self, project_id: int, experiment_ids: Sequence[int], run_ids: Sequence[int]
    ) -> tuple[int, ...]:
        """Return those experiments of a project, and those whose runs these are, each once.

        Raises:
            ForeignError: One is of another project.
            RuleError: A run is of a Deployment stage, which reports no metrics.
            NotFoundError: One is gone.
        """
        with self._store.read() as work:
            runs, experiments = work.runs.by_id(run_ids), work.experiments.by_id(experiment_ids)
        for each in run_ids:
            require(runs.get(each), "run")
        for each in experiment_ids:
            require(experiments.get(each), "experiment")
        if any(each.project_id != project_id for each in (*runs.values(), *experiments.values())):
            why = "Only what is in one project can be compared."
            raise ForeignError(
                "This belongs to another project.", why, "Choose one from project.experiments."
            )
        trained = (runs[each] for each in run_ids if runs[each].is_training)
        of_runs = [run.trained_experiment_id for run in trained]
        if len(of_runs) < len(run_ids):
            what = "Only runs that train can be compared."
            why = "Deployments and evaluations report no metrics."
            fix = "Compare the run whose checkpoint it deployed or scored: run.lineage names it."
            raise RuleError(what, why, fix)
        return tuple(dict.fromkeys((*experiment_ids, *of_runs)))

    def score_curves(self, run_ids: Sequence[int]) -> dict[int, tuple[MetricCurve, ...]]:
        """Return the scores by evaluators of what runs have saved, as curves over the steps, by run."""
        with self._store.read() as work:
            scores = work.evaluators.scores_of_runs(run_ids)
        points: dict[tuple[int, str], list[Point]] = {}
        for each in scores:
            value = each.value if is_finite(each.value) else None
            points.setdefault((each.saved_by, each.evaluator), []).append((each.step, value))
        found: dict[int, list[MetricCurve]] = {}
        for (run_id, name), told in points.items():
            curve = MetricCurve(name=score_metric(name), points=tuple(told))
            found.setdefault(run_id, []).append(curve)
        return {run_id: tuple(curves) for run_id, curves in found.items()}

    def metrics_csv(self, listed: Sequence[ResultRow]) -> str:
        """Return what those runs reported, as CSV: experiment, run, step, metric, value.

        Raises:
            RuleError: That is more than a browser should be sent.
        """
        origin = {each.run_id: (each.experiment, each.number) for each in listed}
        with self._store.read() as work:
            many = work.metrics.count(origin)
            if many > MOST_METRICS:
                what = f"{many:,} rows are more than a browser should be sent."
                raise RuleError(what, fix="In Python, project.results(...).to_csv(path) writes them all.")
            told = work.metrics.of_runs(origin)
        return to_csv(METRIC_COLUMNS, ((*origin[run], *point) for run, *point in told.rows()))


def latest_first(found: Iterable[ResultRow]) -> list[ResultRow]:
    """Return runs in another order: the latest of each experiment, then the one before of each, and so on."""
    seen: dict[int, int] = {}
    age: dict[int, int] = {}
    latest = sorted(found, key=lambda each: each.run_id, reverse=True)
    for each in latest:
        age[each.run_id] = seen.setdefault(each.experiment_id, 0)
        seen[each.experiment_id] += 1
    return sorted(latest, key=lambda each: age[each.run_id])


def sorted_runs(found: Iterable[ResultRow], sort: str, now: datetime, *, descending: bool) -> list[ResultRow]:
    """Return runs by a column of their table, those last that have nothing there.

    Args:
        found: The runs.
        sort: The column.
        now: Until when those that are active have taken.
        descending: Whether the highest, the latest, or the last in the alphabet comes first.

    Raises:
        ConfigError: The table cannot be sorted by that.
    """
    latest = sorted(found, key=lambda each: each.run_id, reverse=True)
    key = _SORTS.get(sort)
    if sort.startswith(SCORE):
        name = sort.removeprefix(SCORE)
        keys: dict[int, Any] = {each.run_id: each.scores.get(name) for each in latest}
    elif key is not None:
        keys = {each.run_id: key(each, now) for each in latest}
    else:
        what = f"The table of runs cannot be sorted by {sort!r}."
        raise ConfigError(what, fix=f"Choose one of {', '.join(_SORTS)}.")
    told = [each for each in latest if keys[each.run_id] is not None]
    told.sort(key=lambda each: keys[each.run_id], reverse=descending)
    return [*told, *(each for each in latest if keys[each.run_id] is None)]


def best_runs(found: Collection[ResultRow]) -> frozenset[int]:
    """Return which of these have the best evaluation score; none where they disagree about what is better."""
    directions = {each.higher_is_better for each in found if each.evaluation_score is not None}
    if len(directions) != 1:
        return frozenset()
    scores = {each.run_id: each.evaluation_score for each in found}
    return find_leaders(scores, higher_is_better=directions.pop())


def find_evaluators(found: Iterable[ResultRow]) -> tuple[str, ...]:
    """Return the names of the evaluators that have scored any of these, in the order of the alphabet."""
    return tuple(sorted({name for each in found for name in each.scores}))


def score_metric(evaluator: str) -> str:
    """Return how a chart and a column call the scores by an evaluator."""
    return f"score by {evaluator}"


def run_columns(evaluators: Sequence[str]) -> list[str]:
    """Return the columns of a table of runs, with one for each of these evaluators."""
    return [*RUN_COLUMNS, *map(score_metric, evaluators), *PEAK_COLUMNS]


def runs_csv(listed: Sequence[ResultRow]) -> str:
    """Return a table of runs as CSV; times are ISO 8601 in UTC, memory is in bytes."""
    names = find_evaluators(listed)
    return to_csv(run_columns(names), (run_values(each, names, iso=True) for each in listed))


def run_values(row: ResultRow, evaluators: Sequence[str] = (), *, iso: bool = False) -> tuple[object, ...]:
    """Return the row of a run, by the columns of its table."""
    return (*reached_values(row, evaluators, iso=iso), row.peak_cpu, row.peak_memory, row.peak_gpu_memory)


def reached_values(
    row: ResultRow, evaluators: Sequence[str] = (), *, iso: bool = False
) -> tuple[object, ...]:
    """Return the same without what it used at most."""
    times = (row.started_at, row.finished_at)
    told = [at.isoformat() if iso and at is not None else at for at in times]
    return (
        row.experiment, row.number, str(row.status), row.steps, row.checkpoints, row.training_score,
        row.evaluation_score, *told, *(row.scores.get(name) for name in evaluators),
    )  # fmt: skip


def _itself(run: Run, experiments: Mapping[int, Experiment], starts: Mapping[int, str]) -> dict[str, object]:
    """Return the attributes of a run beside its config."""
    name = "Deployment" if run.is_deployment else experiments[run.trained_experiment_id].spec.name
    code = run.code or RunCode()
    recorded = {"code": code.digest, "commit": code.commit, "environment": run.environment_digest}
    known = {what: digest[:SHORT] for what, digest in recorded.items() if digest is not None}
    return {"algorithm": name, "starts from": starts[run.id], "seed": run.seed, **known}


def _starts(work: UnitOfWork, runs: Sequence[Run]) -> dict[int, str]:
    """Say of each run what it started from."""
    ids = {run.start_checkpoint_id for run in runs if run.start_checkpoint_id is not None}
    checkpoints = work.checkpoints.by_id(ids)
    makers = work.runs.by_id({each.run_id for each in checkpoints.values()})
    names = work.experiments.by_id(trained_experiment_ids(makers.values()))
    found: dict[int, str] = {}
    for run in runs:
        checkpoint = checkpoints.get(run.start_checkpoint_id or 0)
        if checkpoint is None:
            found[run.id] = "scratch"
            continue
        maker = makers[checkpoint.run_id]
        found[run.id] = (
            f"{isolate(names[maker.trained_experiment_id].name)}, {maker.label}, step {checkpoint.step}"
        )
    return found


def _finite(score: float | None) -> float | None:
    return score if is_finite(score) else None
