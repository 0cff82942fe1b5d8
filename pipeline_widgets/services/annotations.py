"""Notes, tags and favourites of runs, experiments and pipelines."""

from __future__ import annotations

from collections.abc import Collection

from pipeline_widgets.domain.annotation import AnnotatedKind, Annotation, AnnotationEdit
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence.store import Store, UnitOfWork


class AnnotationService:
    """Use cases of notes, tags and favourites."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: AnnotatedKind, id_: int) -> Annotation:
        """Return what was written to one thing; NotFoundError where it is gone."""
        with self._store.read() as work:
            return _require(work, kind, [id_])[id_]

    def of(self, kind: AnnotatedKind, ids: Collection[int]) -> dict[int, Annotation]:
        """Return what was written to things that are there, by id."""
        with self._store.read() as work:
            return work.annotations.of(kind, ids)

    def edit(self, kind: AnnotatedKind, ids: Collection[int], edit: AnnotationEdit) -> dict[int, Annotation]:
        """Change what is written to things, all of them or none, and return it by id.

        Raises:
            NotFoundError: One is gone.
            ConfigError: One would have too many tags.
        """
        with self._store.write() as work:
            projects = work.annotations.projects_of(kind, ids)
            revisions = {each: work.projects.touch(each) for each in sorted(set(projects.values()))}
            before = _require(work, kind, ids)
            after = {key: edit.apply(annotation) for key, annotation in before.items()}
            for key, annotation in after.items():
                if annotation != before[key]:
                    work.annotations.write(kind, key, annotation, revisions[projects[key]])
        return after

    def tags(self, project_id: int) -> tuple[str, ...]:
        """Return all tags that are given in a project, by name."""
        with self._store.read() as work:
            return work.annotations.tags(project_id)


def _require(work: UnitOfWork, kind: AnnotatedKind, ids: Collection[int]) -> dict[int, Annotation]:
    found = work.annotations.of(kind, ids)
    if len(found) < len({*ids}):
        why = "It was deleted meanwhile."
        raise NotFoundError(f"There is no such {kind}.", why, "List what there is and take it from there.")
    return found
