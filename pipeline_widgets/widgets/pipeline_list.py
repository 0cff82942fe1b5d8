"""The list of a project's pipelines; a row that is expanded holds the pipeline's builder (spec 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import ipywidgets
import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.filter_subjects import PIPELINES
from pipeline_widgets.domain.revisions import Revisions
from pipeline_widgets.domain.rollup import PipelineStatus
from pipeline_widgets.domain.template import Template
from pipeline_widgets.errors import NotFoundError, RuleError, StaleWriteError
from pipeline_widgets.services.queries.overview import PipelinePage, PipelineRow
from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.batch import AnnotatedList, written_row
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.paged import Query
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.pipeline_runs import pipeline_plan_row, start_pipeline_run
from pipeline_widgets.widgets.snapshot import Rows

COLUMNS = ("Name", "Status", "Stages", "Last modified", "Description")
LIVE = (PipelineStatus.PENDING, PipelineStatus.RUNNING, PipelineStatus.STOPPING)
NAMED = 3  # shared experiments that a row names; the others it counts


class PipelineList(AnnotatedList):
    """A project's pipelines, live.

    Args:
        services: The workspace.
        project_id: The project.
        on_results: Opens Results for an experiment; without it they open below its graph.
        on_compare: Opens Results for several experiments; without it pipelines cannot be compared.

    Raises:
        ClassicProjectError: The project is not an Advanced Training project.
    """

    view = t.Unicode("PipelineList").tag(sync=True)

    TITLE = "Pipelines"
    noun = "pipeline"
    KIND = "pipeline"
    SUBJECT = PIPELINES

    #: The builders of the rows that are expanded, by the id of the pipeline.
    builders: Any = t.Dict().tag(sync=True, **ipywidgets.widget_serialization)

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
        services.pipelines.check_project(project_id)
        super().__init__(services, compares=on_compare is not None)

    # ---- commands: looking

    def do_expand(self, pipeline: int) -> None:
        """Show a pipeline's builder."""
        if pipeline not in self.builders:
            builder = PipelineView(self._services, pipeline, headed=False, on_results=self._on_results)
            builder.observe(self._refresher.wake, names="pipeline")  # an edit in it shows in the row at once
            self.show(builders={**self.builders, pipeline: builder})

    def do_collapse(self, pipeline: int) -> None:
        """Close a pipeline's builder."""
        builder: View | None = self.builders.get(pipeline)
        if builder is not None:
            self.show(builders={each: kept for each, kept in self.builders.items() if each != pipeline})
            builder.close()

    def show_pipeline(self, pipeline_id: int, stage_id: int | None = None) -> None:
        """Show the page that holds a pipeline, and expand it, with one of its stages selected."""
        self.reveal(pipeline_id)
        self.do_expand(pipeline_id)
        if stage_id is not None:
            self.builders[pipeline_id].do_select(stage_id)

    # ---- commands: editing

    def do_create(self, name: str, description: str = "") -> Row:
        """Make a pipeline, show it, and expand it."""
        made = self._services.pipelines.create(self._project_id, name, description)
        self.reveal(made.id)
        self.do_expand(made.id)
        return {"id": made.id, "name": made.name}

    def do_import(self, text: str, name: str = "", rename: bool = False) -> Row:  # noqa: FBT001, FBT002
        """Make a pipeline of YAML, and show it; `rename`: experiments whose name is taken get a new one."""
        made = self._services.transfer.import_pipeline(
            self._project_id, text, name=name.strip() or None, rename=rename
        )
        self.reveal(made.pipeline.id)
        self.do_expand(made.pipeline.id)
        return {"id": made.pipeline.id, "name": made.pipeline.name, "also": list(made.also)}

    def do_templates(self) -> list[Row]:
        """Return the templates for new pipelines, the ready ones first."""
        return [template_row(each) for each in self._services.templates.all()]

    def do_create_from_template(self, template: str, name: str = "") -> Row:
        """Make a pipeline of a template, show it, and expand it."""
        made = self._services.templates.create_pipeline(self._project_id, template, name.strip() or None)
        self.reveal(made.id)
        self.do_expand(made.id)
        return {"id": made.id, "name": made.name}

    def do_delete_template(self, template: str) -> list[Row]:
        """Delete a template of this workspace; return those that are left."""
        self._services.templates.delete(template)
        return self.do_templates()

    def do_duplicate(self, pipeline: int) -> Row:
        """Copy a pipeline's stages and settings, and show the copy."""
        copy = self._services.pipelines.duplicate(pipeline)
        self.reveal(copy.id)
        return {"id": copy.id, "name": copy.name}

    def do_delete(self, pipeline: int) -> None:
        """Delete a pipeline."""
        self._services.pipelines.delete(pipeline)
        self.do_collapse(pipeline)
        self.refresh()

    def do_edit(
        self, pipeline: int, version: int, name: str | None = None, description: str | None = None
    ) -> Row:
        """Give a pipeline another name or description, and return its version after that.

        Args:
            pipeline: The pipeline.
            version: The version that its row had when the edit began (spec 5.13).
            name: Another name.
            description: Another description.
        """
        try:
            edited = self._services.pipelines.update(
                pipeline, name=name, description=description, expected_version=version
            )
        except StaleWriteError:
            self.refresh()
            raise
        self.refresh()
        if pipeline in self.builders:
            self.builders[pipeline].refresh()
        return {"version": edited.version}

    # ---- commands: running

    def do_plan_run(
        self, pipeline: int, goal: str, *, run_through: bool = False, start_over: bool = False
    ) -> Row:
        """Return what running a pipeline, or bringing it up to date, will do (spec 4.8)."""
        return pipeline_plan_row(
            self._services, pipeline, goal, run_through=run_through, start_over=start_over
        )

    def do_run(
        self,
        pipeline: int,
        goal: str,
        stage: int,
        *,
        run_through: bool = False,
        start_over: bool = False,
        duplicate: bool = False,
    ) -> Row:
        """Run a pipeline, or bring it up to date."""
        started = start_pipeline_run(
            self._services,
            pipeline,
            goal,
            stage,
            run_through=run_through,
            start_over=start_over,
            duplicate=duplicate,
        )
        self.refresh()
        if pipeline in self.builders:
            self.builders[pipeline].refresh()
            self.builders[pipeline].do_select(stage)
        self._refresher.wake()
        return started

    def do_stop_several(self, ids: list[int]) -> Row:
        """Ask all active runs of pipelines to stop; those where nothing is active are told."""

        def stop(pipeline_id: int) -> None:
            if not self._services.stop_all(pipeline_id):
                raise RuleError("None of its stages is active.")

        return self.act_on_each(ids, stop)

    def do_compare(self, ids: list[int]) -> None:
        """Open Results for all experiments of pipelines."""
        if self._on_compare is not None:
            found = [self._services.pipelines.get(each) for each in ids]
            self._on_compare([each for pipeline in found for each in pipeline.experiment_ids])

    # ---- reading

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the page as a table."""
        rows = [
            (row.name, (row.rollup.status, row.rollup.detail), row.stages, row.modified_at, row.description)
            for row in self._shown.rows
        ]
        return self.title, COLUMNS, rows

    def read_revision(self) -> Revisions:
        """Return the project's revisions."""
        return self._services.store.changes.revisions(self._project_id)

    def show_reports(self, before: Revisions, now: Revisions) -> bool:
        """Leave the page as it is: no row shows how far a run is. A filter can ask for metrics."""
        return now.has_only_reports_since(before) and not self._query.search

    def is_live(self, listed: PipelineRow) -> bool:
        """Return whether one of its runs is active."""
        return listed.rollup.status in LIVE

    def read_page(self, query: Query, holding: int | None = None) -> PipelinePage:
        """Read a page of the project's pipelines."""
        return self._services.overview.pipelines(self._project_id, **asdict(query), holding=holding)

    def row_of(self, listed: PipelineRow, found: PipelinePage) -> Row:
        """Return what the row of a pipeline shows."""
        del found
        shown = encode_fields(listed, "id", "version", "name", "description")
        shown |= encode_fields(listed, "modified_at", "stages", "stale", "runs", "statuses")
        shown |= written_row(listed)
        if listed.best is not None:
            shown["best"] = encode(listed.best)
        return {**shown, **encode(listed.rollup), "shares": _shares(listed.shared)}

    def page_shown(self) -> None:
        """Close the builders of pipelines that are gone; on another page they stay open."""
        for pipeline_id in {*self.builders} - {row.id for row in self._shown.rows}:
            try:
                self._services.pipelines.get(pipeline_id)
            except NotFoundError:
                self.do_collapse(pipeline_id)


def template_row(template: Template) -> Row:
    """Return what the dialog for a new pipeline shows of a template."""
    shown = encode_fields(template, "name", "chain", "is_ready")
    return {**shown, "description": template.document.description}


def _shares(names: Sequence[str]) -> str:
    """Say which experiments other pipelines use as well (spec 3.4)."""
    if not names:
        return ""
    more = len(names) - NAMED
    named = ", ".join(map(isolate, names[:NAMED]))
    return f"Shares {named}{f' and {more} more' if more > 0 else ''} with other pipelines"
