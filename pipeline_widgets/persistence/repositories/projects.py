"""Projects and their revisions."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, select, update

from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import NamedRow, Repository, require

if TYPE_CHECKING:
    from pipeline_widgets.domain.overview import ProjectRow
    from pipeline_widgets.domain.project import Project

_TOUCH = (
    update(schema.projects)
    .where(schema.projects.c.id == bindparam("project"))
    .values(revision=schema.projects.c.revision + 1)
    .returning(schema.projects.c.revision)
)
_TOUCH_BY_REPORT = _TOUCH.values(reports=schema.projects.c.reports + 1)
_NAMED = select(schema.projects.c.id, schema.projects.c.name).where(
    schema.projects.c.name.in_(bindparam("names", expanding=True))
)
_P = schema.projects.c
_CHANGES = select(
    (_P.revision + select(schema.workspace.c.revision).scalar_subquery()).label("changes")
).where(_P.id == bindparam("project"))


def _count(table: Table) -> ColumnElement[int]:
    mine = select(func.count()).where(table.c.project_id == _P.id)
    return mine.correlate(schema.projects).scalar_subquery().label(table.name)


_LISTED = select(
    _P.id, _P.name, _P.advanced_training, _count(schema.experiments), _count(schema.pipelines)
).order_by(_P.id)


class Projects(Repository):
    """The projects of a workspace."""

    def add(self, name: str, *, advanced_training: bool) -> Project:
        """Insert a project."""
        new = self._add(
            schema.projects, name=name, advanced_training=advanced_training, created_at=self.now, revision=1
        )
        return self.get(new)

    def all(self) -> tuple[Project, ...]:
        """Return all projects in the order of their creation."""
        return tuple(
            map(row_mapping.to_project, self._all(select(schema.projects).order_by(schema.projects.c.id)))
        )

    def listed(self) -> tuple[ProjectRow, ...]:
        """Return all projects in the order of their creation, with how much they hold."""
        from pipeline_widgets.domain.overview import ProjectRow  # noqa: PLC0415  not before Running

        return tuple(ProjectRow(**row) for row in self._all(_LISTED))

    def get(self, project_id: int) -> Project:
        """Return one project; NotFoundError without it."""
        row = self._first(select(schema.projects).where(schema.projects.c.id == project_id))
        return row_mapping.to_project(require(row, "project"))

    def named(self, names: Collection[str]) -> tuple[NamedRow, ...]:
        """Return which projects bear one of those names."""
        return self._bearers(_NAMED, names=list(names))

    def count_changes(self, project_id: int) -> int:
        """Return a number that every write to a project raises by one, and every write to an agent.

        Where it is what it was, so is everything that the rules know of the project's pipelines.
        """
        return int(require(self._first(_CHANGES, project=project_id), "project")["changes"])

    def touch(self, project_id: int, *, is_report: bool = False) -> int:
        """Raise a project's revision and return it; first in every write, so that it locks the project.

        Args:
            project_id: The project.
            is_report: Whether only metrics, progress and usage of one run are written.
        """
        row = self._first(_TOUCH_BY_REPORT if is_report else _TOUCH, project=project_id)
        return int(require(row, "project")["revision"])

    def rename(self, project_id: int, name: str) -> Project:
        """Give a project another name."""
        self._set(schema.projects, project_id, name=name)
        self._touch_workspace()
        return self.get(project_id)

    def remove(self, project_id: int) -> None:
        """Delete a project that has no runs left, with all other rows that belong to it.

        Those that refer to others go before these.
        """
        stages = schema.stages
        chains = select(schema.pipelines.c.id).where(schema.pipelines.c.project_id == project_id)
        self.connection.execute(delete(stages).where(stages.c.pipeline_id.in_(chains)))
        for table in (schema.events, schema.pipelines, schema.experiments):
            self.connection.execute(delete(table).where(table.c.project_id == project_id))
        self.connection.execute(delete(schema.projects).where(_P.id == project_id))
        self._touch_workspace()
