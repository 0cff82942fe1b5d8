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
#: Of a workspace as a whole: a project that is made or deleted changes the latter numbers.
_ALL_REVISIONS = select(
    func.coalesce(func.sum(schema.projects.c.revision), 0).label("written"),
    _OF_WORKSPACE.label("workspace"),
    func.coalesce(func.sum(schema.projects.c.reports), 0).label("reports"),
    func.count(schema.projects.c.id).label("count"),
    func.coalesce(func.max(schema.projects.c.id), 0).label("latest"),
)

Answer = TypeVar("Answer")


class _Asking(threading.local):
    """What a thread asks."""

    def __init__(self) -> None:
        #: The answers within `ask_once`; None outside of it.
        self.known: dict[Hashable, Any] | None = None
        self.holds_reports = False
        #: The revisions of its blocks so far, by what was asked.
        self.before: dict[Hashable, Revisions] = {}


class Changes:
    """The revisions of a workspace, and what has been reported since.

    Args:
        database: The database of the workspace.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = _Asking()

    @contextmanager
    def ask_once(self, *, holds_reports: bool = False) -> Generator[None]:
        """Let this thread ask what `once` is asked for one time within the block, however many views do.

        What is written meanwhile is seen after the block: whoever compares a revision reads it first.

        Args:
            holds_reports: Whether the revisions are those of the block before, where runs have reported since
                and nothing else has happened.
        """
        own = self._thread
        before = own.known, own.holds_reports
        if own.known is None:
            own.known, own.holds_reports = {}, holds_reports
        try:
            yield
        finally:
            own.known, own.holds_reports = before

    @property
    def holds_reports(self) -> bool:
        """Whether what runs report and print is left to a later round."""
        return self._thread.holds_reports

    def once(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """Return what a function returns, or has returned within the same `ask_once`."""
        known = self._thread.known
        if known is None:
            return ask()
        if question not in known:
            known[question] = ask()
        return known[question]

    def _settle(self, question: Hashable, now: Revisions) -> Revisions:
        """Return the revisions of the block before in place of those of now, where these are to wait."""
        own = self._thread
        before = own.before.get(question)
        if own.holds_reports and before is not None and now.has_only_reports_since(before):
            return before
        if own.known is not None:
            own.before[question] = now
        return now

    def revision(self, project_id: int) -> int:
        """Return a project's revision, agents included: equal means that no view of it has changed."""
        return self.revisions(project_id).all

    def revisions(self, project_id: int) -> Revisions:
        """Return the revisions of a project, by one statement."""

        def ask() -> Revisions:
            row = self._database.look_up(_REVISIONS, project=project_id)
            now = Revisions(int(row.written), int(row.workspace), int(row.reports)) if row else Revisions()
            return self._settle(question, now)

        question = "revisions", project_id
        return self.once(question, ask)

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

    def all_revisions(self) -> Revisions:
        """Return the revisions of all projects as one, by one statement.

        Equal means that no view of any project has changed.
        """

        def ask() -> Revisions:
            row = self._database.look_up(_ALL_REVISIONS)
            if row is None:
                return Revisions()
            written, workspace, reports, *projects = map(int, row)
            return self._settle("all", Revisions(written, workspace, reports, (projects[0], projects[1])))

        return self.once("all", ask)
