"""Notes, tags and favourites of runs, experiments and pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from pipeline_widgets.api.handle import Handle
from pipeline_widgets.application import Services
from pipeline_widgets.domain.annotation import (
    AnnotatedKind,
    Annotation,
    AnnotationEdit,
    parse_annotation_edit,
)


class Annotated(Handle):
    """Something to which people write a note and tags, and which they mark as a favourite."""

    @property
    def note(self) -> str:
        """What somebody has written to it; empty without a note."""
        return self._annotation.note

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags, in the order in which they were given."""
        return self._annotation.tags

    @property
    def favourite(self) -> bool:
        """Whether it is marked as a favourite."""
        return self._annotation.favourite

    def annotate(
        self,
        *,
        note: str | None = None,
        tags: str | Iterable[str] | None = None,
        favourite: bool | None = None,
    ) -> None:
        """Write a note or tags to it, or mark it as a favourite; what is left out stays.

        Nothing turns stale by that, and no run is in its way.

        Args:
            note: The note; an empty one deletes it.
            tags: All its tags from now on: one, or several. Upper and lower case are the same.
            favourite: Whether it is a favourite.

        Raises:
            ConfigError: A tag is empty, too long or one too many; or the note is too long.
        """
        self._write(parse_annotation_edit(note=note, tags=tags, favourite=favourite))

    def tag(self, *tags: str) -> None:
        """Give it more tags.

        Args:
            *tags: The tags; what it has already stays.

        Raises:
            ConfigError: A tag is empty, too long or one too many.
        """
        self._write(parse_annotation_edit(added=tags))

    def untag(self, *tags: str) -> None:
        """Take tags from it.

        Args:
            *tags: The tags; one that it has not is left out.

        Raises:
            ConfigError: A tag is empty or too long.
        """
        self._write(parse_annotation_edit(removed=tags))

    def _write(self, edit: AnnotationEdit) -> None:
        self._services.annotations.edit(self._annotated, [self._id], edit)

    @property
    def _annotated(self) -> AnnotatedKind:
        return cast("AnnotatedKind", self.kind)

    @property
    def _annotation(self) -> Annotation:
        return self._services.annotations.get(self._annotated, self._id)


def annotation_columns(annotation: Annotation) -> dict[str, Any]:
    """Return what was written to something as columns of a row; its tags are one text.

    Args:
        annotation: What was written.
    """
    return {
        "favourite": annotation.favourite,
        "tags": ", ".join(annotation.tags),
        "note": annotation.note,
    }


def with_annotations(
    services: Services, kind: AnnotatedKind, rows: Mapping[int, dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    """Return rows with the columns of what was written to them.

    Args:
        services: The workspace.
        kind: What the rows are about.
        rows: The rows, by id.
    """
    found = services.annotations.find(kind, list(rows))
    return {id_: {**row, **annotation_columns(found.get(id_, Annotation()))} for id_, row in rows.items()}
