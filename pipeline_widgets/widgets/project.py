"""A project: its experiments, pipelines and results, each in a tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.widgets.base import TableView, View
from pipeline_widgets.widgets.experiments import COLUMNS as EXPERIMENT_COLUMNS
from pipeline_widgets.widgets.experiments import ExperimentsView, table_rows
from pipeline_widgets.widgets.pipeline_list import PipelineList
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.widgets.snapshot import Marks, Rows

EXPERIMENTS, PIPELINES, RESULTS = "Experiments", "Pipelines", "Results"
COLUMNS = ("Name", "Stages", "Status", "Where it stands", "Last modified")
SHOWN = 100  # pipelines in the picture that is read without a kernel


class ProjectView(TableView):
    """A project, live. What a tab holds is made when the tab is first shown."""

    view = t.Unicode("ProjectView").tag(sync=True)

    project = t.Dict().tag(sync=True)
    tabs = t.List(t.Unicode()).tag(sync=True)
    tab = t.Unicode().tag(sync=True)
    #: What the tabs hold, by their names.
    views = t.Dict().tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, services: Services, project_id: int) -> None:
        project = services.projects.get(project_id)
        advanced = project.advanced_training
        self._project_id = project_id
        self._revision = services.store.changes.revisions(project_id)
        self.noun = "pipeline" if advanced else "experiment"
        super().__init__(
            services,
            project={"name": project.name, "advanced": advanced},
            tabs=[EXPERIMENTS, PIPELINES, RESULTS] if advanced else [EXPERIMENTS, RESULTS],
        )
        self.do_show_tab(PIPELINES if advanced else EXPERIMENTS)

    def update(self) -> bool:
        """Read the name where anything has changed; what the tabs hold is refreshed by itself."""
        revision = self._services.store.changes.revisions(self._project_id)
        if not revision.has_only_reports_since(self._revision):
            project = self._services.projects.get(self._project_id)
            self.show(project={"name": project.name, "advanced": project.advanced_training})
            self._revision = revision
        return False

    def do_show_tab(self, tab: str) -> None:
        """Show a tab."""
        if tab == PIPELINES:
            self._services.pipelines.check_project(self._project_id)
        if tab not in self.tabs:
            raise NotFoundError(f"There is no tab {tab!r}.", fix=f"There are {', '.join(self.tabs)}.")
        self._open_tab(tab)
        self.show(tab=tab)

    def show_results(self, experiment_id: int) -> None:
        """Show Results of one experiment (spec 4.3)."""
        with self._guard:
            self._open_tab(RESULTS).choose((experiment_id,))
            self.show(tab=RESULTS)

    def compare(self, experiment_ids: Sequence[int]) -> None:
        """Show Results of several experiments."""
        with self._guard:
            self._open_tab(RESULTS).choose(tuple(dict.fromkeys(experiment_ids)))
            self.show(tab=RESULTS)

    def show_pipeline(self, pipeline_id: int, stage_id: int | None = None) -> None:
        """Show a pipeline of the list, expanded, with one of its stages selected."""
        with self._guard:
            self._open_tab(PIPELINES).show_pipeline(pipeline_id, stage_id)
            self.show(tab=PIPELINES)

    def show_experiment(self, experiment_id: int) -> None:
        """Show an experiment of the list, expanded."""
        with self._guard:
            self._open_tab(EXPERIMENTS).show_experiment(experiment_id)
            self.show(tab=EXPERIMENTS)

    def show_experiments(self) -> None:
        """Show the list of experiments."""
        with self._guard:
            self._open_tab(EXPERIMENTS)
            self.show(tab=EXPERIMENTS)

    def close(self) -> None:
        """End the view and what its tabs hold."""
        for held in self.views.values():
            held.close()
        super().close()

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the project's pipelines, or its experiments where it cannot hold pipelines."""
        name = self.project["name"]
        if PIPELINES not in self.tabs:
            found = self._services.overview.experiments(self._project_id)
            return f"Experiments of {isolate(name)}", EXPERIMENT_COLUMNS, table_rows(found)
        page = self._services.overview.pipelines(self._project_id, size=SHOWN)
        which = f"The latest {SHOWN} of {page.total:,} pipelines" if page.pages > 1 else "Pipelines"
        rows = [
            (each.name, each.stages, Marks((str(each.rollup.status),)), each.rollup.detail, each.modified_at)
            for each in page.rows
        ]
        return f"{which} of {isolate(name)}", COLUMNS, rows

    def _open_tab(self, tab: str) -> Any:
        """Return what a tab holds."""
        if tab not in self.views:
            self.show(views={**self.views, tab: self._make_view(tab)})
        return self.views[tab]

    def _make_view(self, tab: str) -> View:
        if tab == EXPERIMENTS:
            return ExperimentsView(
                self._services, self._project_id, on_results=self.show_results, on_compare=self.compare
            )
        if tab == RESULTS:
            return ResultsView(self._services, self._project_id, on_experiments=self.show_experiments)
        return PipelineList(
            self._services, self._project_id, on_results=self.show_results, on_compare=self.compare
        )
