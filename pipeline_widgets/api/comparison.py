"""Experiments and runs side by side, as a user holds them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pipeline_widgets.api import display
from pipeline_widgets.api.frames import column_frame, data_frame
from pipeline_widgets.application import Services
from pipeline_widgets.domain.comparison import ABSENT
from pipeline_widgets.domain.overview import ResultRow
from pipeline_widgets.services.queries.comparison import (
    METRIC_COLUMNS,
    SCORE_COLUMNS,
    find_evaluators,
    run_columns,
    run_values,
)

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_widgets.widgets.results import ResultsView


class Comparison(display.ShowsView):
    """Runs side by side. As the last line of a cell it shows Results of them, live."""

    def __init__(
        self, services: Services, project_id: int, experiments: Collection[int], runs: Collection[int]
    ) -> None:
        self._services = services
        self._project_id = project_id
        self._whole = tuple(dict.fromkeys(experiments))  # of which all runs are shown, later ones too
        self._runs = frozenset(runs)  # and these of others
        self._experiments = services.comparisons.experiments(project_id, self._whole, tuple(runs))

    def __repr__(self) -> str:
        return self.runs.to_string(index=False)

    @property
    def runs(self) -> pd.DataFrame:
        """A row for each run: what the table of Results shows. Times are in UTC, without a zone.

        The best score by an evaluator is in a column of its own. peak_cpu (CPUs), peak_memory and
        peak_gpu_memory (bytes) are the most that the processes of a run have used.
        """
        listed = self._listed
        names = find_evaluators(listed)
        return data_frame((run_values(each, names) for each in listed), columns=run_columns(names))

    @property
    def scores(self) -> pd.DataFrame:
        """The scores by evaluators: columns experiment, run, step, evaluator, score, spread."""
        origin = {each.run_id: (each.experiment, each.number) for each in self._listed}
        rows = [
            (*origin[each.saved_by], each.step, each.evaluator, each.value, each.spread)
            for each in self._services.evaluations.scores(list(origin))
        ]
        return data_frame(rows, columns=SCORE_COLUMNS)

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics of the runs: columns experiment, run, step, metric, value."""
        origin = {each.run_id: (each.experiment, each.number) for each in self._listed}
        told = self._services.runs.metrics(list(origin))
        experiments, numbers = ([origin[run][at] for run in told.runs] for at in (0, 1))
        values = told.values  # noqa: PD011  no pandas yet
        columns = (experiments, numbers, told.steps, told.names, values)
        return column_frame(dict(zip(METRIC_COLUMNS, columns, strict=True)))

    @property
    def config(self) -> pd.DataFrame:
        """A row for each setting and a column for each run; what a run does not have is pandas.NA there."""
        return self._settings(all_=True)

    @property
    def differences(self) -> pd.DataFrame:
        """Only the settings that differ."""
        return self._settings(all_=False)

    def view(self) -> ResultsView:
        """Return a new live view, as the last line of a cell shows it.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.results import ResultsView  # noqa: PLC0415  only for a notebook
        single = {key: self._runs for key in self._experiments if key not in self._whole}
        return ResultsView(self._services, self._project_id, chosen=self._experiments, single=single)

    def _settings(self, *, all_: bool) -> pd.DataFrame:
        import pandas as pd  # noqa: PLC0415  importing the package must not import pandas

        listed = self._listed
        compared = self._services.comparisons.runs([each.run_id for each in listed])
        chosen = [each for each in compared.settings if all_ or each.differs]
        rows = [[pd.NA if value is ABSENT else value for value in each.values] for each in chosen]  # noqa: PD011  a setting's
        labels = [f"{each.experiment} run {each.number}" for each in listed]
        return data_frame(rows, index=[each.name for each in chosen], columns=labels, dtype=object)

    @property
    def _listed(self) -> list[ResultRow]:
        return [each for each in self._all if each.experiment_id in self._whole or each.run_id in self._runs]

    @property
    def _all(self) -> tuple[ResultRow, ...]:
        return self._services.overview.results(self._project_id, self._experiments)
