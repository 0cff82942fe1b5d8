"""Notes, tags and favourites of runs, experiments and pipelines."""

from __future__ import annotations

from collections.abc import Collection

from pipeline_widgets.domain.annotation import AnnotatedKind, Annotation, AnnotationEdit
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence.store import Store


class AnnotationService:
    """Use cases of notes, tags and favourites."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: AnnotatedKind, id_: int) -> Annotation:
        """Return what was written to one thing; NotFoundError where it is gone."""
        with self._store.read() as work:
            found = work.annotations.of(kind, [id_])
            _check_all(found, kind, [id_])
        return found[id_]

    def find(self, kind: AnnotatedKind, ids: Collection[int]) -> dict[int, Annotation]:
        """Return what was written to things, by id; what is gone is left out."""
        with self._store.read() as work:
            return work.annotations.of(kind, ids)

    def edit(self, kind: AnnotatedKind, ids: Collection[int], edit: AnnotationEdit) -> dict[int, Annotation]:
        """Change what is written to things, all of them or none; return what was written before, by id.

        Raises:
            NotFoundError: One is gone.
            ConfigError: One would have too many tags.
        """
        with self._store.write() as work:
            found = work.annotations.with_projects(kind, ids)
            _check_all(found, kind, ids)
            edited = {
                key: (project_id, after)
                for key, (project_id, before) in found.items()
                if (after := edit.apply(before)) != before
            }
            projects = sorted({project_id for project_id, _ in edited.values()})
            revisions = {each: work.projects.touch(each) for each in projects}
            for key, (project_id, after) in edited.items():
                work.annotations.write(kind, key, after, revisions[project_id])
        return {key: before for key, (_, before) in found.items()}

    def tags(self, project_id: int) -> tuple[str, ...]:
        """Return all tags that are given in a project, by name."""
        with self._store.read() as work:
            return work.annotations.tags(project_id)


def _check_all(found: Collection[int], kind: AnnotatedKind, ids: Collection[int]) -> None:
    if len(found) < len({*ids}):
        why = "It was deleted meanwhile."
        raise NotFoundError(f"There is no such {kind}.", why, "List what exists and choose from there.")
