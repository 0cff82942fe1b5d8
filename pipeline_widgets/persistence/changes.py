"""Whether what views show has changed: single statements, which all views of a round can share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import bindparam, func, select

from pipeline_widgets.domain.revisions import ReportingRuns, Revisions
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database

_OF_WORKSPACE = select(schema.workspace.c.revision).scalar_subquery()
#: Agents belong to no project, and raise the number of the workspace.
_REVISIONS = select(
    schema.projects.c.revision.label("written"),
    _OF_WORKSPACE.label("workspace"),
    schema.projects.c.reports.label("reports"),
).where(schema.projects.c.id == bindparam("project"))
#: By the index of a project's runs by revision.
_REPORTED = select(schema.runs.c.id, schema.runs.c.pipeline_id, schema.runs.c.experiment_id).where(
    schema.runs.c.project_id == bindparam("project"), schema.runs.c.revision > bindparam("since")
)
_WORKSPACE_REVISION = select(schema.workspace.c.revision)
#: Of a workspace as a whole: a project that is made or deleted changes the latter numbers.
_ALL_REVISIONS = select(
    func.coalesce(func.sum(schema.projects.c.revision), 0).label("written"),
    _OF_WORKSPACE.label("workspace"),
    func.coalesce(func.sum(schema.projects.c.reports), 0).label("reports"),
    func.count(schema.projects.c.id).label("count"),
    func.coalesce(func.max(schema.projects.c.id), 0).label("latest"),
)

Answer = TypeVar("Answer")


class Changes:
    """The revisions of a workspace, and what has been reported since.

    Args:
        database: The database of the workspace.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answers = threading.local()  # what a thread has asked within `ask_once`

    @contextmanager
    def ask_once(self) -> Generator[None]:
        """Let this thread ask what `once` is asked for one time within the block, however many views do.

        What is written meanwhile is seen after the block: whoever compares a revision reads it first.
        """
        before = getattr(self._answers, "known", None)
        self._answers.known = {} if before is None else before
        try:
            yield
        finally:
            self._answers.known = before

    def once(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """Return what a function returns, or has returned within the same `ask_once`."""
        known: dict[Hashable, Any] | None = getattr(self._answers, "known", None)
        if known is None:
            return ask()
        if question not in known:
            known[question] = ask()
        return known[question]

    def revision(self, project_id: int) -> int:
        """Return a project's revision, agents included: equal means that no view of it has changed."""
        return self.revisions(project_id).all

    def revisions(self, project_id: int) -> Revisions:
        """Return the revisions of a project, by one statement."""

        def ask() -> Revisions:
            row = self._database.look_up(_REVISIONS, project=project_id)
            return Revisions(int(row.written), int(row.workspace), int(row.reports)) if row else Revisions()

        return self.once(("revisions", project_id), ask)

    def reported(self, project_id: int, since: Revisions) -> ReportingRuns:
        """Return which runs of a project were written since, by one statement."""

        def ask() -> ReportingRuns:
            rows = self._database.look_up_all(_REPORTED, project=project_id, since=since.written)
            return ReportingRuns(
                runs=frozenset(row.id for row in rows),
                pipelines=frozenset(row.pipeline_id for row in rows),
                experiments=frozenset(row.experiment_id for row in rows),
            )

        return self.once(("reported", project_id, since.written), ask)

    def workspace_revision(self) -> int:
        """Return the revision of what belongs to no project, that is of agents."""

        def ask() -> int:
            row = self._database.look_up(_WORKSPACE_REVISION)
            return int(row.revision) if row else 0

        return self.once("workspace", ask)

    def all_revisions(self) -> Revisions:
        """Return the revisions of all projects as one, by one statement.

        Equal means that no view of any project has changed.
        """

        def ask() -> Revisions:
            row = self._database.look_up(_ALL_REVISIONS)
            if row is None:
                return Revisions()
            written, workspace, reports, *projects = map(int, row)
            return Revisions(written, workspace, reports, (projects[0], projects[1]))

        return self.once("all", ask)
