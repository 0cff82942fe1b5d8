"""One experiment by itself: config, runs, curves, checkpoints and log, and what can be done (spec 2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import ipywidgets
import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.services.queries.experiment_list import ListedExperiment
from pipeline_widgets.services.queries.paging import Page
from pipeline_widgets.widgets.experiments import COLUMNS, ExperimentsView, table_rows
from pipeline_widgets.widgets.paged import Query
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.widgets.snapshot import Rows, samples_html, table_html


class ExperimentView(ExperimentsView):
    """An experiment, live: what its row in the list and the expanded row have, without the list.

    Args:
        services: The workspace.
        experiment_id: The experiment.

    Raises:
        NotFoundError: There is no such experiment.
    """

    view = t.Unicode("ExperimentView").tag(sync=True)

    #: Its runs beside others, below; None until that is asked for.
    compared: Any = t.Instance(ResultsView, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, services: Services, experiment_id: int) -> None:
        self._only = experiment_id
        project_id = services.experiments.get(experiment_id).project_id
        super().__init__(services, project_id)
        self.do_expand(experiment_id)

    def do_show(self, experiment: int) -> None:
        """Show another experiment of the project in place of this one, such as one that resumes it."""
        self._services.experiments.get(experiment)
        self.do_close_results()
        self._only = experiment
        self.show_page(self._query)
        self.do_expand(experiment)

    def show_experiment(self, experiment_id: int) -> None:
        """Show another experiment in place of this one."""
        if experiment_id != self._only:
            self.do_show(experiment_id)

    def do_results(self, experiment: int) -> None:
        """Show its runs in a table with charts, where others can be set beside them."""
        if self.compared is None:
            chosen = (experiment,)
            self.show(compared=ResultsView(self._services, self._project_id, chosen=chosen))

    def do_close_results(self) -> None:
        """Close that again."""
        before = self.compared
        self.show(compared=None)
        if before is not None:
            before.close()

    def close(self) -> None:
        """End the view and its results."""
        if self.compared is not None:
            self.compared.close()
        super().close()

    def read_page(self, query: Query, holding: int | None = None) -> Page[ListedExperiment]:
        """Read the experiment; the page is empty where it was deleted."""
        del holding
        return self._services.experiment_list.page(self._project_id, **asdict(query), only=self._only)

    def static_html(self) -> str:
        """Return the experiment as a table of one row, with the samples that its run has shown last."""
        runs = [each["run"] for each in self.details if each["run"]]
        samples = self._services.shown_items.latest_samples([each["id"] for each in runs])
        named = {each["id"]: f"run {each['number']}" for each in runs}
        more = samples_html(samples, named)
        return table_html(*self.read_table(), at=datetime.now(UTC), noun=self.noun, more=more)

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the experiment as a table of one row."""
        rows = self._shown.rows
        title = f"Experiment {isolate(rows[0].name)}" if rows else "A deleted experiment"
        return title, COLUMNS, table_rows(rows)
