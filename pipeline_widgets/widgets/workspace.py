"""A workspace: its projects, what is active, what waits for a person, and its agents (spec 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import ipywidgets
import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.chain import label_stage
from pipeline_widgets.domain.filter_subjects import PROJECTS
from pipeline_widgets.domain.overview import ActiveRun
from pipeline_widgets.domain.project import describe_kind
from pipeline_widgets.domain.revisions import Revisions
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.services.queries.workspace_overview import ListedProject, WaitingStage, WorkspacePage
from pipeline_widgets.widgets.agents import AgentsView
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.batch import filter_fields_row
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.paged import PagedView, Query
from pipeline_widgets.widgets.project import ProjectView
from pipeline_widgets.widgets.snapshot import Marks, Rows

COLUMNS = ("Name", "Kind", "Experiments", "Pipelines", "Status", "Where it stands", "Last modified")


class WorkspaceView(PagedView):
    """A workspace, live. A project opens in its place, with a way back."""

    view = t.Unicode("WorkspaceView").tag(sync=True)

    TITLE = "Projects"
    noun = "project"

    workspace = t.Dict().tag(sync=True)
    #: What is active in any project.
    active = t.List(t.Dict()).tag(sync=True)
    #: The stages of any project that wait for a person.
    waiting = t.List(t.Dict()).tag(sync=True)
    #: The project that is shown in place of the list.
    opened: Any = t.Instance(ProjectView, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    #: The agents, as soon as there is something that an agent could be made of.
    agents: Any = t.Instance(AgentsView, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, services: Services) -> None:
        self._opened_id: int | None = None
        database = services.store.database
        place = str(database.path or database.safe_url)
        super().__init__(services, workspace={"name": database.name, "place": place})

    # ---- commands: looking

    def do_open(
        self,
        project: int,
        pipeline: int | None = None,
        stage: int | None = None,
        experiment: int | None = None,
    ) -> None:
        """Show a project in place of the list, at one of its pipelines or experiments if asked."""
        view = ProjectView(self._services, project)
        try:
            if pipeline is not None:
                view.show_pipeline(pipeline, stage)
            elif experiment is not None:
                view.show_experiment(experiment)
        except NotFoundError:  # it was deleted since: its list shows what there is
            pass
        self._put(view, project)

    def do_back(self) -> None:
        """Show the workspace again."""
        self._put(None, None)

    def do_filter_fields(self) -> Row:
        """Return what the box of the filter suggests."""
        return filter_fields_row(PROJECTS)

    # ---- commands: editing

    def do_create(self, name: str, *, advanced: bool = True) -> Row:
        """Make a project, and show it."""
        made = self._services.projects.create(name, advanced_training=advanced)
        self.refresh()
        self.do_open(made.id)
        return {"id": made.id, "name": made.name}

    def do_rename(self, project: int, name: str) -> None:
        """Give a project another name."""
        self._services.projects.rename(project, name)
        self.refresh()

    def do_delete(self, project: int) -> None:
        """Delete a project with everything that belongs to it; agents stay."""
        self._services.projects.delete(project)
        self.refresh()

    def _put(self, view: ProjectView | None, project: int | None) -> None:
        """Let a project, or none, stand in place of the list, and end the view before it."""
        before = self.opened
        self._opened_id = project
        self.show(opened=view)
        if before is not None:
            before.close()

    # ---- reading

    def update(self) -> bool:
        """Read the page where anything has changed; return to it where the project that is shown is gone."""
        return super().update() or bool(self.active)

    def close(self) -> None:
        """End the view and what it holds."""
        for held in (self.opened, self.agents):
            if held is not None:
                held.close()
        super().close()

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the page as a table."""
        return f"{self.title} of {isolate(self.workspace['name'])}", COLUMNS, table_rows(self._shown.rows)

    def read_revision(self) -> Revisions:
        """Return the revisions of all projects."""
        return self._services.store.changes.all_revisions()

    def show_reports(self, before: Revisions, now: Revisions) -> bool:
        """Read how far the active runs are; nothing else that is shown comes from their reports."""
        if not now.has_only_reports_since(before):
            return False
        self._shown = replace(self._shown, active=self._services.workspace_overview.active_runs())
        self._show_active()
        return True

    def is_live(self, listed: ListedProject) -> bool:
        """Return False: what is active is listed by itself."""
        del listed
        return False

    def read_page(self, query: Query, holding: int | None = None) -> WorkspacePage:
        """Read a page of the projects."""
        return self._services.workspace_overview.page(**asdict(query), holding=holding)

    def row_of(self, listed: ListedProject, found: WorkspacePage) -> Row:
        """Return what the row of a project shows."""
        del found
        status, detail = (listed.rollup.status, listed.rollup.detail) if listed.rollup else ("", "")
        shown = encode_fields(listed, "id", "name", "experiments", "pipelines", "modified_at")
        return {
            **shown,
            "kind": describe_kind(advanced_training=listed.advanced_training),
            "status": encode(status),
            "detail": detail,
        }

    def about_page(self, found: WorkspacePage) -> Row:
        """Tell how much is active and waits."""
        return encode_fields(found, "all_active", "all_waiting")

    def page_shown(self) -> None:
        """Show what is active, what waits, and the agents; leave a project that is gone."""
        found: WorkspacePage = self._shown
        self._show_active()
        self.show_rows("waiting", list(map(waiting_row, found.waiting)))
        if found.has_agents and self.agents is None:
            self.show(agents=AgentsView(self._services))
        if self._opened_id is not None:
            try:
                self._services.projects.get(self._opened_id)
            except NotFoundError:
                self.do_back()

    def _show_active(self) -> None:
        self.show_rows("active", list(map(active_row, self._shown.active)))


def active_row(run: ActiveRun) -> Row:
    """Return an active run, and the names of where it belongs."""
    shown = encode_fields(run, "id", "status", "project_id", "pipeline_id", "stage_id", "experiment_id")
    shown |= encode_fields(run, "started_at", "step", "total", "waits")
    return {**shown, "name": _name(run), "place": _place(run.pipeline, run.project)}


def waiting_row(waiting: WaitingStage) -> Row:
    """Return a stage that waits, why, and the names of where it stands."""
    stage = waiting.stage
    shown = encode_fields(stage, "id", "project_id", "pipeline_id")
    return {**shown, **encode(waiting.rollup), "place": _place(stage.pipeline, stage.project)}


def table_rows(found: Sequence[ListedProject]) -> list[tuple[object, ...]]:
    """Return projects as rows of the table where there is no kernel."""
    return [
        (
            each.name,
            describe_kind(advanced_training=each.advanced_training),
            each.experiments,
            each.pipelines,
            Marks((str(each.rollup.status),)) if each.rollup else None,
            each.rollup.detail if each.rollup else None,
            each.modified_at,
        )
        for each in found
    ]


def _name(run: ActiveRun) -> str:
    """Return how a list names a run: by its stage, its experiment, or its number."""
    if run.kind == "evaluation":
        return f"Evaluation {run.number}"
    if run.position is not None:
        return label_stage(run.position, run.name or "")
    if run.name is not None:
        return f"Experiment {isolate(run.name)}"
    return f"Deployment run {run.number}"  # its stage was deleted


def _place(pipeline: str | None, project: str) -> list[str]:
    """Return the names of the pipeline, if any, and the project."""
    return [project] if pipeline is None else [pipeline, project]
