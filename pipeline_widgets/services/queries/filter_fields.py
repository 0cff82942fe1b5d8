"""What a project can be filtered by beside the fields that everything has: for suggestions."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_widgets.persistence.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterFields:
    """Names that filters of a project can use, each kind by name."""

    #: Fields of the configs of its latest experiments; those of nested configs with dots.
    config: tuple[str, ...]
    metrics: tuple[str, ...]
    tags: tuple[str, ...]
    algorithms: tuple[str, ...]


NO_FIELDS = FilterFields(config=(), metrics=(), tags=(), algorithms=())


class FilterFieldQueries:
    """The read model of what filters suggest."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_project(self, project_id: int) -> FilterFields:
        """Return what a project can be filtered by."""
        with self._store.read() as work:
            return FilterFields(
                config=work.experiments.config_names(project_id),
                metrics=work.metrics.names(project_id),
                tags=work.annotations.tags(project_id),
                algorithms=work.experiments.algorithm_names(project_id),
            )
