"""The experiments of a project: a list that trains, and in an expanded row what an experiment has done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.experiment_actions import describe_algorithm
from pipeline_widgets.domain.filter_subjects import EXPERIMENTS
from pipeline_widgets.domain.overview import ExperimentRow
from pipeline_widgets.domain.retention import list_deletable, parse_keep, summarize_clean_up
from pipeline_widgets.domain.revisions import Revisions
from pipeline_widgets.domain.stage_settings import choice_from_text, describe_placement, parse_choice
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.services.queries.curves import MetricCurve
from pipeline_widgets.services.queries.experiment_detail import ExperimentDetail, RunRow, Use
from pipeline_widgets.services.queries.experiment_list import ListedExperiment
from pipeline_widgets.services.queries.paging import Page
from pipeline_widgets.services.queries.run_detail import RunDetail
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.batch import AnnotatedList, written_row
from pipeline_widgets.widgets.clean_up import clean_up_row
from pipeline_widgets.widgets.deploying import DeployingView
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.experiment_form import (
    config_rows,
    filled_form,
    new_form,
    resume_row,
    submitted,
)
from pipeline_widgets.widgets.failure_card import failure_row
from pipeline_widgets.widgets.lineage import LineageView
from pipeline_widgets.widgets.paged import Query
from pipeline_widgets.widgets.scoring import ScoringView
from pipeline_widgets.widgets.showing import ShowingView, summary_row
from pipeline_widgets.widgets.snapshot import Rows
from pipeline_widgets.widgets.stale_card import reason_rows
from pipeline_widgets.widgets.steps import clock_down, points_down, step_down
from pipeline_widgets.widgets.triggering import TriggeringView

COLUMNS = ("Name", "Algorithm", "Status", "Runs", "Best evaluation score", "Last modified")
SCORES = ("training_score", "evaluation_score")
BOTH = "scores"  # the metric that stands for both of them in one chart
POINTS = 600  # of a curve, at most
PRINTED = 40  # lines of a log that an expanded row shows
LISTED = 50  # checkpoints that an expanded row lists; as many more each time that one asks


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpandedRow:
    """The expanded part of an experiment's row."""

    #: The run that is shown; None for the latest.
    run: int | None = None
    metric: str | None = None
    checkpoints: int = LISTED
    #: Whether the checkpoints of all runs are listed.
    every: bool = False


class ExperimentsView(AnnotatedList, TriggeringView, LineageView, ScoringView, DeployingView, ShowingView):
    """A project's experiments, live.

    Args:
        services: The workspace.
        project_id: The project.
        on_results: Opens Results for an experiment; without it the list offers none.
        on_compare: Opens Results for several experiments; without it they cannot be compared.
    """

    view = t.Unicode("ExperimentsView").tag(sync=True)

    TITLE = "Experiments"
    noun = "experiment"
    KIND = "experiment"
    SUBJECT = EXPERIMENTS

    #: What the rows that are expanded show, by the experiment's id.
    details = t.List(t.Dict()).tag(sync=True)
    #: Whether Results can be opened from here.
    results = t.Bool(default_value=False).tag(sync=True)

    def __init__(
        self,
        services: Services,
        project_id: int,
        *,
        on_results: Callable[[int], None] | None = None,
        on_compare: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        self._project_id = project_id
        self._on_results = on_results
        self._on_compare = on_compare
        self._open: dict[int, ExpandedRow] = {}
        self._previewed = set[int]()
        self._scored = set[int]()  # the experiments whose checkpoints are being scored
        super().__init__(services, results=on_results is not None, compares=on_compare is not None)

    # ---- commands: looking

    def do_expand(self, experiment: int) -> None:
        """Expand the row of an experiment."""
        self._services.experiments.get(experiment)
        self._open.setdefault(experiment, ExpandedRow())
        self.page_shown()

    def show_experiment(self, experiment_id: int) -> None:
        """Show the page that holds an experiment, and expand it."""
        self.reveal(experiment_id)
        self.do_expand(experiment_id)

    def do_collapse(self, experiment: int) -> None:
        """Collapse its row."""
        self._open.pop(experiment, None)
        self.page_shown()

    def do_look(
        self,
        experiment: int,
        run: int | None = None,
        metric: str | None = None,
        *,
        more: bool = False,
        every: bool | None = None,
    ) -> None:
        """Show another run or metric of an experiment; list more checkpoints, or those of every run."""
        look = self._open.get(experiment, ExpandedRow())
        self._open[experiment] = ExpandedRow(
            run=run or look.run,
            metric=metric or look.metric,
            checkpoints=look.checkpoints + (LISTED if more else 0),
            every=look.every if every is None else every,
        )
        self.page_shown()

    def do_show_run(self, experiment: int, run: int) -> None:
        """Show a run, such as a relative of another one, in its own experiment."""
        if self._services.experiments.get(experiment).project_id != self._project_id:
            raise NotFoundError("That run is of another project.", fix="Open that project.")
        self.show_experiment(experiment)
        self.do_look(experiment, run)

    def do_results(self, experiment: int) -> None:
        """Open Results for an experiment."""
        if self._on_results is not None:
            self._on_results(experiment)

    # ---- commands: forms

    def do_form(self, algorithm: str | None = None, experiment: int | None = None) -> Row:
        """Return the form of a new experiment with that algorithm, or of one that is there."""
        if experiment is not None:
            return filled_form(self._services.experiments.get(experiment))
        return new_form(algorithm)

    def do_create(self, **sent: Any) -> Row:
        """Make an experiment and show it, or return what is wrong with the form."""
        made, refused = submitted(self._services, self._project_id, sent)
        if made is None:
            return {"refused": refused}
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_change(self, experiment: int, **sent: Any) -> Row:
        """Give an experiment another config, or return what is wrong with the form."""
        before = self._services.experiments.get(experiment)
        made, refused = submitted(self._services, self._project_id, sent, changed=before)
        self.refresh()
        return {"refused": refused} if made is None else {"id": made.id, "name": made.name}

    def do_resume_form(self, experiment: int) -> Row:
        """Return what an experiment can go on from, and what that does to its pipeline."""
        return resume_row(self._services.resume_options.find_options(experiment))

    # ---- commands: doing

    def do_train(self, experiment: int) -> None:
        """Train an experiment by itself."""
        self._services.train(experiment)
        self.refresh()

    def do_stop(self, experiment: int) -> None:
        """Ask its active run to stop."""
        self._services.stop_experiment(experiment)
        self.refresh()

    def do_resume(
        self, experiment: int, run: int, choice: Choice, name: str, config: dict[str, Any] | None = None
    ) -> Row:
        """Go on from a checkpoint of one of its runs, as a new experiment, with these fields changed."""
        chosen = self._services.resume_options.chosen(experiment, run, parse_choice(choice_from_text(choice)))
        made, _ = self._services.resume(experiment, chosen.id, name, config)
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_duplicate(self, experiment: int, name: str | None = None) -> Row:
        """Copy an experiment without its runs."""
        made = self._services.experiments.duplicate(experiment, name)
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_copy_name(self, experiment: int) -> str:
        """Return the name that a copy would get."""
        return self._services.experiments.name_of_copy(experiment)

    def do_delete(self, experiment: int) -> None:
        """Delete an experiment with its runs and checkpoints."""
        self._services.experiments.delete(experiment)
        self._open.pop(experiment, None)
        self.refresh()

    def do_delete_checkpoint(self, checkpoint: int) -> None:
        """Delete a checkpoint and its files."""
        self._services.experiments.delete_checkpoint(checkpoint)
        self.refresh()

    def do_clean_up_form(self, keep: str) -> Row:
        """Return which checkpoints a clean-up would free, and why the others stay."""
        found = self._services.retention.preview(self._project_id, parse_keep(keep))
        self._previewed = {each.id for each in list_deletable(found)}
        return clean_up_row(found)

    def do_clean_up(self, keep: str) -> Row:
        """Free the checkpoints of the latest preview, but those that have been used since."""
        found = self._services.retention.delete_unreferenced(
            self._project_id, parse_keep(keep), only=self._previewed
        )
        self.refresh()
        return encode(summarize_clean_up(found))

    def do_stop_several(self, ids: list[int]) -> Row:
        """Ask the active runs of experiments to stop; those that are not active are told."""
        return self.act_on_each(ids, self._services.stop_experiment)

    def do_compare(self, ids: list[int]) -> None:
        """Open Results for experiments."""
        if self._on_compare is not None:
            self._on_compare(ids)

    # ---- reading

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the page as a table."""
        return self.title, COLUMNS, table_rows(self._shown.rows)

    def read_revision(self) -> Revisions:
        """Return the project's revisions."""
        return self._services.store.changes.revisions(self._project_id)

    def show_reports(self, before: Revisions, now: Revisions) -> bool:
        """Read the rows of this page whose runs have reported. A filter can ask for metrics."""
        if not now.has_only_reports_since(before) or self._query.search:
            return False
        reported = self._services.store.changes.reported(self._project_id, before).experiments
        if here := [row.id for row in self._shown.rows if row.id in reported]:
            self.replace_rows(self._services.experiment_list.rows(here))
            if not self._open.keys().isdisjoint(here):
                self.page_shown()
        return True

    def is_live(self, listed: ListedExperiment) -> bool:
        """Return whether its latest run is active, or its checkpoints are being scored."""
        return listed.status.active or listed.id in self._scored

    def project_to_score(self) -> int:
        """Return the project."""
        return self._project_id

    def update(self) -> bool:
        """Read the page where anything has changed, and expanded rows while their checkpoints are scored."""
        if self._scored:
            self.page_shown()
        return super().update()

    def read_page(self, query: Query, holding: int | None = None) -> Page[ListedExperiment]:
        """Read a page of the project's experiments."""
        return self._services.experiment_list.page(self._project_id, **asdict(query), holding=holding)

    def row_of(self, listed: ListedExperiment, found: Page[ListedExperiment]) -> Row:
        """Return what the row of an experiment shows."""
        del found
        written = ("note", "tags", "favourite")
        shown = {name: value for name, value in encode(listed).items() if name not in written}
        return shown | written_row(listed)

    def page_shown(self) -> None:
        """Read what the expanded rows of this page show; on another page they stay expanded."""
        shown = [row.id for row in self._shown.rows if row.id in self._open]
        self._scored.clear()
        found = [self._detail(each, self._open[each]) for each in shown]
        self.show_patched(details=[each for each in found if each is not None])

    def _detail(self, experiment_id: int, look: ExpandedRow) -> Row | None:
        try:
            detail = self._services.experiment_details.get(experiment_id, checkpoints=look.checkpoints)
            latest = detail.runs[0].run.id if detail.runs else None
            charted = latest if look.run is None else look.run
            run_detail = None
            if charted is not None:
                run_detail = self._services.run_details.run(
                    charted, points=POINTS, lines=PRINTED, checkpoints=look.checkpoints
                )
        except NotFoundError:  # it was deleted since the page was read
            return None
        listed = None if look.every else look.checkpoints
        row = detail_row(detail, run_detail, look.metric, listed)
        row["evaluations"], active = self.open_evaluations([each["id"] for each in row["checkpoints"]])
        if active:
            self._scored.add(experiment_id)
        return row


def table_rows(found: Sequence[ExperimentRow | ListedExperiment]) -> list[tuple[Any, ...]]:
    """Return experiments as rows of the table where there is no kernel."""
    return [
        (each.name, each.algorithm, each.status, each.runs, each.best, each.modified_at) for each in found
    ]


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
        "placed": describe_placement(experiment.placement),
        "higher_is_better": experiment.spec.higher_is_better,
        "config": config_rows(experiment, run_detail.run if run_detail else None),
        "uses": [_use_row(use) for use in detail.uses],
        "run": _run(run_detail, can_resume=not any(each.run.status.active for each in detail.runs))
        if run_detail
        else None,
        "metrics": names,
        "metric": chosen,
        "curves": _curves(run_detail.curves, chosen) if run_detail and chosen else [],
        "clock": clock_down(run_detail.clock) if run_detail else [],
        "resumed": [step_down(each) for each in run_detail.resumed] if run_detail else [],
        "runs": [_run_row(each) for each in detail.runs],
        **_checkpoints(detail, run_detail, listed),
    }


def metric_names(curves: Sequence[MetricCurve]) -> list[str]:
    """Return the metrics that can be charted; both scores in one chart come first."""
    names = [curve.name for curve in curves]
    return [BOTH, *names] if all(score in names for score in SCORES) else names


def _run(run_detail: RunDetail, *, can_resume: bool) -> Row:
    best = next((each.step for each in run_detail.checkpoints if each.id == run_detail.best), None)
    shown = encode_fields(run_detail.run, "id", "number", "status", "error")
    told = encode_fields(run_detail, "start", "log")
    last = max((each.step for each in run_detail.checkpoints), default=None)
    failure = failure_row(run_detail.run, last if can_resume else None)
    return {
        **shown,
        **told,
        "failure": failure,
        "best": encode(best),
        "shown": summary_row(run_detail.shown),
    }


def _use_row(use: Use) -> Row:
    return {
        **encode_fields(use, "pipeline", "stage", "stage_id"),
        "blocked": " ".join(use.blockers),
        "reasons": reason_rows(use.staleness.reasons) if use.staleness.stale else [],
    }


def _run_row(row: RunRow) -> Row:
    return {
        **encode_fields(row.run, "id", "number", "status", "created_at", "started_at", "finished_at"),
        **encode_fields(row.run, "step", "total"),
        **encode_fields(row, "checkpoints", "pipeline", "same_config"),
    }


def _checkpoints(detail: ExperimentDetail, run_detail: RunDetail | None, listed: int | None) -> Row:
    """Return the checkpoints that are listed, best and final first, then the latest; and how many are."""
    if listed is None or run_detail is None:
        found, best, final, saved = detail.checkpoints, detail.best, detail.final, detail.saved
    else:
        found, best, saved = run_detail.checkpoints[::-1], run_detail.best, run_detail.saved
        final = found[0].id if found else None
    pinned = [each for id_ in dict.fromkeys((best, final)) for each in found if each.id == id_]
    others = [each for each in found if each.id not in {best, final}]
    shown = [*pinned, *others][: listed or len(found)]
    return {
        "checkpoints": [
            {**encode(each), "best": each.id == best, "final": each.id == final} for each in shown
        ],
        "saved": saved,
        "every": listed is None,
    }


def _curves(curves: Sequence[MetricCurve], chosen: str) -> list[Row]:
    wanted = SCORES if chosen == BOTH else (chosen,)
    return [
        {"name": curve.name, "points": list(map(list, points_down(curve.points)))}
        for curve in curves
        if curve.name in wanted
    ]
