"""Results: the runs of some experiments side by side, in a table and as curves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import traitlets as t

from pipeline_widgets.domain.comparison import ABSENT, Setting
from pipeline_widgets.domain.experiment import is_finite
from pipeline_widgets.errors import RuleError
from pipeline_widgets.services.views.comparison import run_values, runs_csv
from pipeline_widgets.services.views.overview import ExperimentRow, ResultRow
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
DRAWN = 10  # runs in a chart by themselves
MOST_DRAWN = 20  # runs in a chart that were asked for: as many as can be told apart
LONGEST = 200  # characters of a setting's value
FILES = {"runs": "runs.csv", "metrics": "metrics.csv"}


class ResultsView(View):
    """The runs of some experiments, live.

    Args:
        services: The workspace.
        project_id: The project.
        chosen: The experiments whose runs are listed.
        hidden: Those of their runs that are not drawn; runs that come later are.
    """

    _esm = assets.script(assets.CHARTS, "metric_chart", "results_runs", "results_config", "results")
    _css = assets.style(assets.CHARTS, "metric_chart", "results")

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
    #: What the drawn runs were triggered with: a row for each setting, with a text for each run.
    settings = t.List(t.Dict()).tag(sync=True)

    def __init__(
        self,
        services: Services,
        project_id: int,
        chosen: Iterable[int] = (),
        *,
        hidden: Iterable[int] = (),
    ) -> None:
        self._project_id = project_id
        self._wanted = tuple(dict.fromkeys(chosen))
        self._hidden, self._asked = set(hidden), set[int]()
        self._revision = -1
        self._live = False
        self._compared: tuple[int, ...] = ()
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

    def do_draw(self, run: int, shown: bool) -> None:  # noqa: FBT001  as the browser sends it
        """Draw a run, or draw it no longer."""
        if shown and run not in self.drawn and len(self.drawn) >= MOST_DRAWN:
            why = f"{MOST_DRAWN} are drawn, and more cannot be told apart."
            raise RuleError("No more runs can be drawn.", why, "Take another run out first.")
        self._hidden, self._asked = self._hidden - {run}, self._asked - {run}
        (self._asked if shown else self._hidden).add(run)
        self._show_runs(self._services.overview.results(self._project_id, self.chosen))
        self._refresher.wake()

    def do_lineage(self, run: int) -> dict[str, list[str]]:
        """Return where a run comes from and what came of it, in sentences."""
        found = self._services.lineages.of_run(run)
        return {
            "from": [f"{_capital(each.handed)} of {each.label}" for each in found.ancestors],
            "into": [f"{each.label}, by {each.handed}" for each in found.descendants],
            "depths": [str(each.depth) for each in found.descendants],
        }

    def do_csv(self, table: str) -> Row:
        """Return the runs that are listed, or what the drawn ones reported, as a file."""
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
        names = {each.id: each.name for each in found}
        chosen = [each for each in self._wanted if each in names]  # the others were deleted meanwhile
        self.show(title=_title([names[each] for each in chosen]))
        self.show_rows("experiments", [_choice(each) for each in found])
        self.show(chosen=chosen)

    def _show_runs(self, found: Sequence[ResultRow]) -> None:
        latest = _latest_first(found)
        listed, drawn = set(latest[:LISTED]), self._to_draw(latest)
        self._listed = tuple(each for each in found if each.run_id in listed)
        curves = self._curves.read(drawn)
        self._live = any(each.status.active for each in self._listed) or not curves.whole
        self.show(total=len(found), undrawn=curves.undrawn)
        self.show_rows("runs", [_run(each, drawn=each.run_id in drawn) for each in self._listed])
        self.show_rows("curves", curves.rows)
        self._show_settings([each.run_id for each in self._listed if each.run_id in drawn])

    def _to_draw(self, latest: Sequence[int]) -> list[int]:
        """The latest ones but for those that are hidden, and what was asked for beside them."""
        drawn = self._asked | {*latest[:DRAWN]} - self._hidden
        return [run for run in latest if run in drawn]

    def _show_settings(self, drawn: Sequence[int]) -> None:
        """Show the settings of the drawn runs, which never change, where other runs are drawn now."""
        if tuple(drawn) == self._compared:
            return
        told = self._services.comparisons.runs(drawn)
        self._compared = tuple(drawn)
        self.show(drawn=[run.id for run in told.runs])
        self.show_rows("settings", [_setting(each) for each in told.settings])

    def _table(self) -> list[tuple[Any, ...]]:
        return [run_values(each) for each in self._listed]


def _setting(setting: Setting) -> Row:
    return {
        "id": setting.name,
        "differs": setting.differs,
        "told": [None if value is ABSENT else _text(value) for value in setting.told],
    }


def _text(value: Any) -> str:
    """A value as one reads it: text as it is, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
