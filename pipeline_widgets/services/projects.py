"""Projects."""

from __future__ import annotations

from pipeline_widgets.domain.names import check_name_available, validate_name
from pipeline_widgets.domain.project import Project
from pipeline_widgets.persistence.store import Store


class ProjectService:
    """Use cases of projects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, *, advanced_training: bool) -> Project:
        """Make a project. Whether it is an Advanced Training project never changes.

        Raises:
            NameTakenError: There is one of that name.
            ConfigError: The name is empty or too long.
        """
        name = validate_name(name, "project")
        with self._store.write() as work:
            check_name_available(name, work.projects.named([name]), "project")
            return work.projects.add(name, advanced_training=advanced_training)

    def all(self) -> tuple[Project, ...]:
        """Return all projects in the order of their creation."""
        with self._store.read() as work:
            return work.projects.all()

    def get(self, project_id: int) -> Project:
        """Return one project; NotFoundError without it."""
        with self._store.read() as work:
            return work.projects.get(project_id)
