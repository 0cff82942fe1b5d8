"""Results: the runs of some experiments side by side, in a table and as curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.checkpoint import is_finite
from pipeline_widgets.domain.comparison import ABSENT, Setting, assign_places
from pipeline_widgets.domain.curve import Curve, thin_curve
from pipeline_widgets.domain.filter_subjects import EXPERIMENTS
from pipeline_widgets.domain.overview import ExperimentRow, ResultRow
from pipeline_widgets.domain.revisions import NEVER
from pipeline_widgets.errors import RuleError
from pipeline_widgets.services.queries.comparison import (
    ComparisonQueries,
    best_runs,
    find_evaluators,
    latest_first,
    reached_values,
    runs_csv,
    score_metric,
    sorted_runs,
)
from pipeline_widgets.services.queries.curves import FIRST, MetricCurve, RunCurves
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.widgets.base import Row, TableView
from pipeline_widgets.widgets.batch import filter_fields_row
from pipeline_widgets.widgets.deploying import DeployingView
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.experiment_form import known_fields
from pipeline_widgets.widgets.lineage import LineageView
from pipeline_widgets.widgets.scoring import ScoringView, evaluation_row
from pipeline_widgets.widgets.showing import ShowingView, summary_row
from pipeline_widgets.widgets.snapshot import Rows
from pipeline_widgets.widgets.steps import Step, clock_down, points_down, step_down, step_up

COLUMNS = (
    "Experiment", "Run", "Status", "Steps", "Checkpoints", "Best training score", "Best evaluation score",
    "Started", "Finished",
)  # fmt: skip
LISTED = 200  # runs in the table
DRAWN = 10  # runs in a chart by themselves
MOST_DRAWN = 20  # runs in a chart that were asked for: as many as can be told apart
SHARED = 12_000  # points of all curves that are drawn
POINTS = 1_000  # of a curve at most: more than two for each pixel of a chart
FEWEST = 100  # of a curve in any case
METRICS = 24  # that are drawn
AT_ONCE = 10_000_000  # metrics of all runs that a look reads: about a second; the next look goes on
PART = 2_000_000  # metrics that a look at a part of the steps reads
ORDER = (*FIRST, "loss")  # which metrics come before all others
LONGEST_VALUE = 200  # characters of a setting's value
VALUE_DIGITS = 6  # of a setting's value: 5e-06, not 4.9999999999999996e-06
FILES = {"runs": "runs.csv", "metrics": "metrics.csv"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlottedSeries:
    """The curves that are drawn now."""

    #: A row for each metric and run, the scores first.
    rows: Sequence[Row]
    #: A row for each run: when its steps were reported, and at which it was resumed.
    timelines: Sequence[Row]
    #: How many metrics are not drawn.
    undrawn: int
    #: Whether all that was reported has been read.
    whole: bool


class Curves:
    """Reads the curves of runs, and keeps those that will not change again."""

    def __init__(self, run_details: RunDetailQueries, comparisons: ComparisonQueries) -> None:
        self._run_details = run_details
        self._comparisons = comparisons
        self._kept: dict[int, RunCurves] = {}
        self._read: dict[int, tuple[MetricCurve, ...]] = {}
        self._scored: Mapping[int, tuple[MetricCurve, ...]] = {}

    def read(self, run_ids: Sequence[int], *, is_edited: bool = True) -> PlottedSeries:
        """Return the curves of runs, in their order; without an edit evaluators have scored nothing since."""
        asked = [each for each in run_ids if each not in self._kept]
        share = AT_ONCE // max(1, len(asked))
        reported = self._run_details.curves(asked, points=POINTS, metrics=share) if asked else {}
        known = {**self._kept, **reported}
        self._kept = {
            run_id: known[run_id]
            for run_id in run_ids
            if run_id in known and (run_id not in reported or reported[run_id].final)
        }
        if is_edited:
            self._scored = self._comparisons.score_curves(run_ids)  # which may come long after the training
        scored = self._scored
        self._read = {
            run_id: (*known[run_id].curves, *scored.get(run_id, ())) for run_id in run_ids if run_id in known
        }
        timelines = [timeline_row(run_id, known[run_id]) for run_id in run_ids if run_id in known]
        names = _names(self._read)
        rows, undrawn = _rows(self._read, names[:METRICS]), max(0, len(names) - METRICS)
        whole = all(each.whole for each in reported.values())
        return PlottedSeries(rows=rows, timelines=timelines, undrawn=undrawn, whole=whole)

    def read_range(self, metric: str | None, part: tuple[int, int] | None) -> list[Row]:
        """Return what is drawn in more detail, as far as that can be had.

        Args:
            metric: The only one that is looked at; all by default.
            part: The first and the last step; all of them by default.
        """
        curves: Mapping[int, tuple[MetricCurve, ...]] = self._read
        if part is not None:
            curves = self._run_details.part([*self._read], *part, points=POINTS, most=PART)
        return _rows(curves, _names(curves)[:METRICS] if metric is None else [metric])


class ResultsView(TableView, LineageView, ScoringView, DeployingView, ShowingView):
    """The runs of some experiments, live.

    Args:
        services: The workspace.
        project_id: The project.
        chosen: The experiments whose runs are listed; the only one of the project by default.
        single: Of some of these experiments, the runs that are drawn, and no others unless they are ticked.
        on_experiments: Opens the experiments of the project, where there are none to choose yet.
    """

    view = t.Unicode("ResultsView").tag(sync=True)

    noun = "run"

    title = t.Unicode("Results").tag(sync=True)
    #: What can be chosen.
    experiments = t.List(t.Dict()).tag(sync=True)
    chosen = t.List(t.Int()).tag(sync=True)
    runs = t.List(t.Dict()).tag(sync=True)
    #: How many runs there are in all.
    total = t.Int(0).tag(sync=True)
    #: A row for each run and metric that is drawn.
    curves = t.List(t.Dict()).tag(sync=True)
    #: A row for each run that is drawn: its clock, and where it was resumed.
    timelines = t.List(t.Dict()).tag(sync=True)
    #: How much runs have shown, of those in the table that have shown anything.
    shown = t.List(t.Dict()).tag(sync=True)
    #: How many metrics are not drawn.
    undrawn = t.Int(0).tag(sync=True)
    #: The evaluators that have a column: those that have scored any of these runs.
    evaluators = t.List(t.Unicode()).tag(sync=True)
    #: The evaluations that were asked for here, and go on or have failed.
    evaluations = t.List(t.Dict()).tag(sync=True)
    #: The runs that are drawn, in the order of the columns of `settings`.
    drawn = t.List(t.Int()).tag(sync=True)
    #: Whether these are the latest, since nobody has said which.
    latest = t.Bool(True).tag(sync=True)  # noqa: FBT003  as traitlets has it
    #: The column by which the runs are sorted, and whether the highest comes first.
    order = t.Dict().tag(sync=True)
    #: What the drawn runs were triggered with: a row for each setting, with a text for each run.
    settings = t.List(t.Dict()).tag(sync=True)
    #: Whether it leads to the experiments where there are none yet.
    leads = t.Bool(default_value=False).tag(sync=True)

    def __init__(
        self,
        services: Services,
        project_id: int,
        chosen: Iterable[int] = (),
        *,
        single: Mapping[int, Collection[int]] | None = None,
        on_experiments: Callable[[], None] | None = None,
    ) -> None:
        self._project_id = project_id
        self._on_experiments = on_experiments
        self._wanted = tuple(dict.fromkeys(chosen))
        self._alone = not self._wanted  # the only experiment is chosen by itself
        self._sort, self._descending = "started", True
        self._places: dict[int, int] = {}  # of the drawn runs: how each is drawn
        self._single = single or {}
        self._hidden, self._asked = set[int](), set[int]()
        self._revision = NEVER
        self._live, self._whole = False, True
        self._evaluations: list[int] = []  # the latest that was asked for here
        self._compared: tuple[int, ...] = ()
        self._listed: tuple[ResultRow, ...] = ()
        self._curves = Curves(services.run_details, services.comparisons)
        super().__init__(services, leads=on_experiments is not None)
        self.refresh()

    def do_experiments(self) -> None:
        """Open the experiments of the project."""
        if self._on_experiments is not None:
            self._on_experiments()

    def choose(self, ids: Iterable[int]) -> None:
        """Show the runs of these experiments, in the order in which they were chosen."""
        with self._guard:
            self._wanted, self._alone = tuple(dict.fromkeys(ids)), False
            self._revision = NEVER
            self.refresh()
        self._refresher.wake()

    def do_find(self, search: str) -> Row:
        """Return the experiments for which a filter holds."""
        return {
            "ids": [each.id for each in self._services.overview.experiment_names(self._project_id, search)]
        }

    def do_filter_fields(self) -> Row:
        """Return what the box of that filter suggests."""
        return filter_fields_row(EXPERIMENTS, self._services.filter_fields.of_project(self._project_id))

    def do_choose(self, experiments: list[int]) -> None:
        """Show the runs of these experiments."""
        self.choose(experiments)

    def do_draw(self, run: int, shown: bool) -> None:  # noqa: FBT001  as the browser sends it
        """Draw a run, or draw it no longer."""
        if shown and run not in self.drawn and len(self.drawn) >= MOST_DRAWN:
            why = f"{MOST_DRAWN} are charted; more cannot be told apart."
            raise RuleError("No more runs can be charted.", why, "Remove another run first.")
        self._hidden, self._asked = self._hidden - {run}, self._asked - {run}
        (self._asked if shown else self._hidden).add(run)
        self._show_runs(self._services.overview.results(self._project_id, self.chosen))
        self._refresher.wake()

    def do_sort(self, sort: str, descending: bool) -> None:  # noqa: FBT001  as the browser sends it
        """Sort all runs by a column; those that come first are listed."""
        found = self._services.overview.results(self._project_id, self.chosen)
        sorted_runs(found, sort, datetime.now(UTC), descending=descending)  # refuses what is not a column
        self._sort, self._descending = sort, descending
        self._show_runs(found)

    def do_look(self, metric: str | None = None, part: tuple[Step, Step] | None = None) -> Row:
        """Return the curves of a metric, or between two steps, with more points than those of all have."""
        between = None if part is None else (step_up(part[0]), step_up(part[1]))
        return {"rows": self._curves.read_range(metric, between)}

    def do_csv(self, table: str) -> Row:
        """Return all runs of the chosen experiments, also unlisted ones, or what the drawn ones reported."""
        listed = self._services.overview.results(self._project_id, self.chosen)
        if table == "runs":
            return {"name": FILES[table], "text": runs_csv(listed)}
        drawn = [each for each in listed if each.run_id in self.drawn]
        return {"name": FILES["metrics"], "text": self._services.comparisons.metrics_csv(drawn)}

    def project_to_score(self) -> int:
        """Return the project."""
        return self._project_id

    def evaluation_started(self, run_id: int) -> None:
        """Show the evaluation until it has succeeded, or another one is asked for."""
        self._evaluations = [run_id]

    def update(self) -> bool:
        """Read what there is where anything has changed, and the runs that are shown where one is active."""
        changes = self._services.store.changes
        revision = changes.revisions(self._project_id)
        is_edited = not revision.has_only_reports_since(self._revision)
        if is_edited:
            self._show_experiments(self._services.overview.experiments(self._project_id))
        # A long run is read over several looks, one after the other.
        reads_on = self._live and not (self._whole and changes.holds_reports)
        if is_edited or reads_on or revision != self._revision:
            found = self._services.overview.results(self._project_id, self.chosen)
            self._show_runs(found, is_edited=is_edited)
        self._revision = revision
        return self._live

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the table as it is now."""
        names = find_evaluators(self._listed)
        columns = [*COLUMNS, *map(score_metric, names)]
        return self.title, columns, [reached_values(each, names) for each in self._listed]

    def _show_experiments(self, found: Sequence[ExperimentRow]) -> None:
        if self._alone and len(found) == 1:
            self._wanted = (found[0].id,)
        names = {each.id: each.name for each in found}
        chosen = [each for each in self._wanted if each in names]  # the others were deleted meanwhile
        self.show(title=describe_chosen([names[each] for each in chosen]))
        self.show_rows(
            "experiments",
            [encode_fields(each, "id", "name", "algorithm", "status", "runs") for each in reversed(found)],
        )
        self.show(chosen=chosen)

    def _show_runs(self, found: Sequence[ResultRow], *, is_edited: bool = True) -> None:
        """Show these runs; without an edit since then, only what they have reported has changed."""
        drawn = self._to_draw(found)
        self._places = assign_places(self._places, [each.run_id for each in found if each.run_id in drawn])
        order = sorted_runs(found, self._sort, datetime.now(UTC), descending=self._descending)
        self._listed = tuple(
            each for at, each in enumerate(order) if at < LISTED or each.run_id in self._places
        )
        curves = self._curves.read([*self._places], is_edited=is_edited)
        evaluations = [self._services.runs.get(each) for each in self._evaluations]
        active = any(each.status.active for each in (*self._listed, *evaluations))
        self._live, self._whole = active or not curves.whole, curves.whole
        self.show_rows(
            "evaluations", [evaluation_row(each) for each in evaluations if each.status != "Succeeded"]
        )
        best = best_runs(self._listed)
        rows = [
            run_row(each, self._places.get(each.run_id), best=each.run_id in best) for each in self._listed
        ]
        chosen = {each.run_id for each in found} & (self._hidden | self._asked)
        self.show(total=len(found), undrawn=curves.undrawn, latest=not chosen and not self._single)
        self.show(order={"sort": self._sort, "descending": self._descending})
        self.show(evaluators=list(find_evaluators(found)))
        self.show_rows("runs", rows)
        self.show_patched(timelines=list(curves.timelines))
        if is_edited:
            shown = self._services.shown_items.summaries([each.run_id for each in self._listed])
            self.show_rows("shown", [summary_row(shown[row["id"]]) for row in rows if row["id"] in shown])
        self.show_patched(curves=list(curves.rows))
        self._show_settings([*self._places])

    def _to_draw(self, found: Sequence[ResultRow]) -> set[int]:
        """Return the runs to draw: the latest but for hidden ones, and those that were asked for."""
        latest = [
            each.run_id
            for each in latest_first(found)
            if each.run_id in self._single.get(each.experiment_id, (each.run_id,))
        ]
        return (self._asked & {each.run_id for each in found}) | {*latest[:DRAWN]} - self._hidden

    def _show_settings(self, drawn: Sequence[int]) -> None:
        """Show the settings of the drawn runs, which never change, where other runs are drawn now."""
        if tuple(drawn) == self._compared:
            return
        compared = self._services.comparisons.runs(drawn)
        self._compared = tuple(drawn)
        self.show(drawn=[run.id for run in compared.runs])
        self.show_rows("settings", setting_rows(compared.settings))


def setting_rows(settings: Sequence[Setting]) -> list[Row]:
    """Return settings with a text for each run, labelled as their experiments' forms have it."""
    algorithms = next((each.values for each in settings if each.name == "algorithm"), ())
    labels = _labels(str(each) for each in algorithms)
    return [
        {
            "id": each.name,
            "label": labels.get(each.name, each.name),
            "differs": each.differs,
            "told": [None if value is ABSENT else _short(value) for value in each.values],
            #: What is said in full where it is shown in fewer digits.
            "whole": [_whole(value) for value in each.values],
        }
        for each in settings
    ]


def describe_chosen(names: Sequence[str]) -> str:
    """Return the title of the results of these experiments."""
    match names:
        case []:
            return "Results"
        case [one]:
            return f"Results of {isolate(one)}"
        case [one, other]:
            return f"Results of {isolate(one)} and {isolate(other)}"
        case [one, other, *more]:
            return f"Results of {isolate(one)}, {isolate(other)} and {len(more)} more"
        case _:
            raise AssertionError(names)


def run_row(row: ResultRow, place: int | None, *, best: bool) -> Row:
    """Return what the table shows of a run, and its place in the charts; None where it is not drawn."""
    return {
        **encode_fields(row, "experiment", "number", "status", "steps", "checkpoints", "training_score"),
        **encode_fields(row, "evaluation_score", "started_at", "finished_at"),
        **encode_fields(row, "peak_memory", "peak_gpu_memory"),
        "scores": encode(row.scores),
        "id": row.run_id,
        "active": row.status.active,
        "best": best,
        "place": place,
        "drawn": place is not None,
    }


def timeline_row(run_id: int, curves: RunCurves) -> Row:
    """Return when the steps of a run were reported, and at which it was resumed."""
    return {
        "id": run_id,
        "clock": clock_down(curves.clock),
        "resumed": [step_down(each) for each in curves.resumed],
    }


def _labels(algorithms: Iterable[str]) -> dict[str, str]:
    """Return how settings are called, but for those that two algorithms call differently."""
    labels: dict[str, set[str]] = {
        "algorithm": {"Algorithm"},
        "starts from": {"Starts from"},
        "seed": {"Seed"},
    }
    for algorithm in dict.fromkeys(algorithms):
        for name, field in known_fields(algorithm).items():
            labels.setdefault(name, set()).add(field.label)
    return {name: next(iter(found)) for name, found in labels.items() if len(found) == 1}


def _short(value: Any) -> str:
    """Return a value for reading: text as it is, a number without its noise, all else as JSON."""
    if _whole(value) is not None:
        return f"{value:.{VALUE_DIGITS}g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _whole(value: Any) -> str | None:
    """Return a number with all its digits; None where no more than those are shown."""
    rounded = isinstance(value, float) and is_finite(value) and float(f"{value:.{VALUE_DIGITS}g}") != value
    return repr(value) if rounded else None


def _rows(read: Mapping[int, Sequence[MetricCurve]], names: Sequence[str]) -> list[Row]:
    """Return the curves of these metrics, in this order; all share the points evenly."""
    shown = [
        (name, run_id, each.points)
        for name in names
        for run_id, of_run in read.items()
        for each in of_run
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
    names = {each.name for of_run in read.values() for each in of_run}
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


@lru_cache(maxsize=512)  # a look while one run is active draws the others as before
def _points(curve: Curve, most: int) -> list[tuple[Step, float | None]]:
    """Return the thinned points as the browser gets them."""
    return points_down(thin_curve(curve, most))
