"""Results: the runs of some experiments side by side, in a table and as curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import traitlets as t

from pipeline_widgets.domain.experiment import is_finite
from pipeline_widgets.services.overview import ExperimentRow, ResultRow
from pipeline_widgets.widgets import assets
from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.results_curves import Curves
from pipeline_widgets.widgets.snapshot import table_html, table_text
from pipeline_widgets.wiring import Services

COLUMNS = (
    "Experiment", "Run", "Status", "Steps", "Checkpoints", "Best training score", "Best evaluation score",
    "Started", "Finished",
)  # fmt: skip
LISTED = 200  # runs in the table
DRAWN = 10  # runs in a chart: as many as can be told apart


class ResultsView(View):
    """The runs of some experiments, live.

    Args:
        services: The workspace.
        project_id: The project.
        chosen: The experiments whose runs are shown.
    """

    _esm = assets.script("results")
    _css = assets.style("results")

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

    def __init__(self, services: Services, project_id: int, chosen: tuple[int, ...] = ()) -> None:
        self._project_id = project_id
        self._wanted = tuple(dict.fromkeys(chosen))
        self._revision = -1
        self._live = False
        self._listed: tuple[ResultRow, ...] = ()
        self._curves = Curves(services.glimpses)
        super().__init__(services)
        self.refresh()

    def choose(self, ids: Iterable[int]) -> None:
        """Show the runs of these experiments, in the order in which they were chosen."""
        with self._guard:
            self._wanted = tuple(dict.fromkeys(ids))
            self._revision = -1
            self.refresh()
        self._refresher.wake()

    def do_choose(self, experiments: list[int]) -> None:
        """Show the runs of these experiments."""
        self.choose(experiments)

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
        return table_html(self.title, COLUMNS, self._table(), at=datetime.now(UTC))

    def static_text(self) -> str:
        """Return the table as it is now, in a few lines."""
        return table_text(self.title, COLUMNS, self._table(), at=datetime.now(UTC))

    def _show_experiments(self, found: Sequence[ExperimentRow]) -> None:
        names = {each.id: each.name for each in found}
        chosen = [each for each in self._wanted if each in names]  # the others were deleted meanwhile
        self.show(title=_title([names[each] for each in chosen]))
        self.show_rows("experiments", [_choice(each) for each in found])
        self.show(chosen=chosen)

    def _show_runs(self, found: Sequence[ResultRow]) -> None:
        latest = _latest_first(found)
        listed, drawn = set(latest[:LISTED]), latest[:DRAWN]
        self._listed = tuple(each for each in found if each.run_id in listed)
        curves = self._curves.read(drawn)
        self._live = any(each.status.active for each in self._listed) or not curves.whole
        self.show(total=len(found), undrawn=curves.undrawn)
        self.show_rows("runs", [_run(each, drawn=each.run_id in drawn) for each in self._listed])
        self.show_rows("curves", curves.rows)

    def _table(self) -> list[tuple[Any, ...]]:
        return [
            (
                each.experiment, each.number, each.status, each.steps, each.checkpoints,
                each.training_score, each.evaluation_score, each.started_at, each.finished_at,
            )
            for each in self._listed
        ]  # fmt: skip


def _latest_first(found: Sequence[ResultRow]) -> list[int]:
    """The ids of runs: the latest of each experiment, then the one before of each, and so on."""
    seen: dict[int, int] = {}
    age: dict[int, int] = {}
    for each in reversed(found):
        age[each.run_id] = seen.setdefault(each.experiment_id, 0)
        seen[each.experiment_id] += 1
    return sorted((each.run_id for each in found), key=lambda run: age[run])


def _title(names: Sequence[str]) -> str:
    match names:
        case []:
            return "Results"
        case [one]:
            return f"Results of {one}"
        case [one, other]:
            return f"Results of {one} and {other}"
        case [one, other, *more]:
            return f"Results of {one}, {other} and {len(more)} more"
        case _:
            raise AssertionError(names)


def _choice(row: ExperimentRow) -> Row:
    return {
        "id": row.id,
        "name": row.name,
        "algorithm": row.algorithm,
        "status": str(row.status),
        "runs": row.runs,
    }


def _run(row: ResultRow, *, drawn: bool) -> Row:
    return {
        "id": row.run_id,
        "experiment": row.experiment,
        "n": row.number,
        "status": str(row.status),
        "active": row.status.active,
        "steps": row.steps,
        "checkpoints": row.checkpoints,
        "training": row.training_score if is_finite(row.training_score) else None,
        "evaluation": row.evaluation_score if is_finite(row.evaluation_score) else None,
        "started": row.started_at.timestamp() if row.started_at else None,
        "finished": row.finished_at.timestamp() if row.finished_at else None,
        "drawn": drawn,
    }
