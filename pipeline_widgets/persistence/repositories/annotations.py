"""Notes, tags and favourites, in the rows of what they are written to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import bindparam, select

from pipeline_widgets.domain.annotation import AnnotatedKind, Annotation, tags_from_text, tags_to_text
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.repositories.base import Repository

_TABLES = {"run": schema.runs, "experiment": schema.experiments, "pipeline": schema.pipelines}
_OF = {
    kind: select(table.c.id, table.c.project_id, table.c.note, table.c.tags, table.c.favourite).where(
        table.c.id.in_(bindparam("ids", expanding=True))
    )
    for kind, table in _TABLES.items()
}


class Annotations(Repository):
    """The notes, tags and favourites of runs, experiments and pipelines."""

    def of(self, kind: AnnotatedKind, ids: Collection[int]) -> dict[int, Annotation]:
        """Return annotations by id; those of what is gone are left out."""
        return {row["id"]: _to_annotation(row) for row in self._of(_OF[kind], ids)}

    def with_projects(self, kind: AnnotatedKind, ids: Collection[int]) -> dict[int, tuple[int, Annotation]]:
        """Return, by id, the project of a thing and its annotation; what is gone is left out."""
        return {row["id"]: (row["project_id"], _to_annotation(row)) for row in self._of(_OF[kind], ids)}

    def write(self, kind: AnnotatedKind, key: int, annotation: Annotation, revision: int) -> None:
        """Store the annotation of one thing. It is no edit of what that does: its version stays."""
        tags, note = tags_to_text(annotation.tags), annotation.note or None
        values = {"note": note, "tags": tags, "favourite": annotation.favourite, "revision": revision}
        self._set(_TABLES[kind], key, **values)

    def tags(self, project_id: int) -> tuple[str, ...]:
        """Return all tags that are given in a project, by name."""
        found: dict[str, str] = {}
        for table in _TABLES.values():
            query = select(table.c.tags).where((table.c.project_id == project_id) & table.c.tags.is_not(None))
            for text in self.connection.scalars(query.distinct()):
                found |= {tag.lower(): tag for tag in tags_from_text(text)}
        return tuple(found[key] for key in sorted(found))


def _to_annotation(row: Mapping[Any, Any]) -> Annotation:
    return Annotation(
        note=row["note"] or "", tags=tags_from_text(row["tags"]), favourite=bool(row["favourite"])
    )
