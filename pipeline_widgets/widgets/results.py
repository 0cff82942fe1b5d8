"""Results: the runs of some experiments side by side, in a table and as curves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.domain.comparison import assign_places
from pipeline_widgets.errors import RuleError
from pipeline_widgets.services.queries.comparison import (
    best_runs,
    latest_first,
    run_values,
    runs_csv,
    sorted_runs,
)
from pipeline_widgets.services.queries.overview import ExperimentRow, ResultRow
from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.results_curves import Curves
from pipeline_widgets.widgets.results_rows import choice, run_row, setting_rows, title
from pipeline_widgets.widgets.snapshot import table_html, table_text
from pipeline_widgets.widgets.steps import Step, step_up

COLUMNS = (
    "Experiment", "Run", "Status", "Steps", "Checkpoints", "Best training score", "Best evaluation score",
    "Started", "Finished",
)  # fmt: skip
LISTED = 200  # runs in the table
DRAWN = 10  # runs in a chart by themselves
MOST_DRAWN = 20  # runs in a chart that were asked for: as many as can be told apart
FILES = {"runs": "runs.csv", "metrics": "metrics.csv"}


class ResultsView(View):
    """The runs of some experiments, live.

    Args:
        services: The workspace.
        project_id: The project.
        chosen: The experiments whose runs are listed; the only one of the project by default.
        single: Of some of these experiments, the runs that are drawn, and no others unless they are ticked.
    """

    view = t.Unicode("ResultsView").tag(sync=True)

    title = t.Unicode("Results").tag(sync=True)
    #: What can be chosen.
    experiments = t.List(t.Dict()).tag(sync=True)
    chosen = t.List(t.Int()).tag(sync=True)
    runs = t.List(t.Dict()).tag(sync=True)
    #: How many runs there are in all.
    total = t.Int(0).tag(sync=True)
    #: A row for each run and metric that is drawn.
    curves = t.List(t.Dict()).tag(sync=True)
    #: How many metrics are not drawn.
    undrawn = t.Int(0).tag(sync=True)
    #: The runs that are drawn, in the order of the columns of `settings`.
    drawn = t.List(t.Int()).tag(sync=True)
    #: Whether these are the latest, since nobody has said which.
    latest = t.Bool(True).tag(sync=True)  # noqa: FBT003  as traitlets has it
    #: The column by which the runs are sorted, and whether the highest comes first.
    order = t.Dict().tag(sync=True)
    #: What the drawn runs were triggered with: a row for each setting, with a text for each run.
    settings = t.List(t.Dict()).tag(sync=True)

    def __init__(
        self,
        services: Services,
        project_id: int,
        chosen: Iterable[int] = (),
        *,
        single: Mapping[int, Collection[int]] | None = None,
    ) -> None:
        self._project_id = project_id
        self._wanted = tuple(dict.fromkeys(chosen))
        self._alone = not self._wanted  # the only experiment is chosen by itself
        self._sort, self._descending = "started", True
        self._places: dict[int, int] = {}  # of the drawn runs: how each is drawn
        self._single = single or {}
        self._hidden, self._asked = set[int](), set[int]()
        self._revision = -1
        self._live = False
        self._compared: tuple[int, ...] = ()
        self._listed: tuple[ResultRow, ...] = ()
        self._curves = Curves(services.run_details)
        super().__init__(services)
        self.refresh()

    def choose(self, ids: Iterable[int]) -> None:
        """Show the runs of these experiments, in the order in which they were chosen."""
        with self._guard:
            self._wanted, self._alone = tuple(dict.fromkeys(ids)), False
            self._revision = -1
            self.refresh()
        self._refresher.wake()

    def do_choose(self, experiments: list[int]) -> None:
        """Show the runs of these experiments."""
        self.choose(experiments)

    def do_draw(self, run: int, shown: bool) -> None:  # noqa: FBT001  as the browser sends it
        """Draw a run, or draw it no longer."""
        if shown and run not in self.drawn and len(self.drawn) >= MOST_DRAWN:
            why = f"{MOST_DRAWN} are drawn, and more cannot be told apart."
            raise RuleError("No more runs can be drawn.", why, "Take another run out first.")
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
        return {"rows": self._curves.look(metric, between)}

    def do_lineage(self, run: int) -> dict[str, list[str]]:
        """Return where a run comes from and what came of it, in sentences."""
        found = self._services.lineages.of_run(run)
        return {
            "from": [
                f"{each.handed[:1].upper()}{each.handed[1:]} of {each.label}" for each in found.ancestors
            ],
            "into": [f"{each.label}, by {each.handed}" for each in found.descendants],
            "depths": [str(each.depth) for each in found.descendants],
        }

    def do_csv(self, table: str) -> Row:
        """Return all runs of the chosen experiments, also unlisted ones, or what the drawn ones reported."""
        listed = self._services.overview.results(self._project_id, self.chosen)
        if table == "runs":
            return {"name": FILES[table], "text": runs_csv(listed)}
        drawn = [each for each in listed if each.run_id in self.drawn]
        return {"name": FILES["metrics"], "text": self._services.comparisons.metrics_csv(drawn)}

    def update(self) -> bool:
        """Read what there is where anything has changed, and the runs that are shown where one is active."""
        revision = self._services.store.revision(self._project_id)
        moved = revision != self._revision
        if moved:
            self._show_experiments(self._services.overview.experiments(self._project_id))
        if moved or self._live:
            self._show_runs(self._services.overview.results(self._project_id, self.chosen))
        self._revision = revision
        return self._live

    def static_html(self) -> str:
        """Return the table as it is now."""
        return table_html(self.title, COLUMNS, self._table(), at=datetime.now(UTC), noun="run")

    def static_text(self) -> str:
        """Return the table as it is now, in a few lines."""
        return table_text(self.title, COLUMNS, self._table(), at=datetime.now(UTC))

    def _show_experiments(self, found: Sequence[ExperimentRow]) -> None:
        if self._alone and len(found) == 1:
            self._wanted = (found[0].id,)
        names = {each.id: each.name for each in found}
        chosen = [each for each in self._wanted if each in names]  # the others were deleted meanwhile
        self.show(title=title([names[each] for each in chosen]))
        self.show_rows("experiments", [choice(each) for each in reversed(found)])
        self.show(chosen=chosen)

    def _show_runs(self, found: Sequence[ResultRow]) -> None:
        drawn = self._to_draw(found)
        self._places = assign_places(self._places, [each.run_id for each in found if each.run_id in drawn])
        order = sorted_runs(found, self._sort, datetime.now(UTC), descending=self._descending)
        self._listed = tuple(
            each for at, each in enumerate(order) if at < LISTED or each.run_id in self._places
        )
        curves = self._curves.read([*self._places])
        self._live = any(each.status.active for each in self._listed) or not curves.whole
        best = best_runs(self._listed)
        rows = [
            run_row(each, self._places.get(each.run_id), best=each.run_id in best) for each in self._listed
        ]
        told = {each.run_id for each in found} & (self._hidden | self._asked)
        self.show(total=len(found), undrawn=curves.undrawn, latest=not told and not self._single)
        self.show(order={"sort": self._sort, "descending": self._descending})
        self.show_rows("runs", rows)
        self.show_rows("curves", curves.rows)
        self._show_settings([*self._places])

    def _to_draw(self, found: Sequence[ResultRow]) -> set[int]:
        """The latest ones but for those that are hidden, and what was asked for beside them."""
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
        told = self._services.comparisons.runs(drawn)
        self._compared = tuple(drawn)
        self.show(drawn=[run.id for run in told.runs])
        self.show_rows("settings", setting_rows(told.settings))

    def _table(self) -> list[tuple[Any, ...]]:
        return [run_values(each) for each in self._listed]
