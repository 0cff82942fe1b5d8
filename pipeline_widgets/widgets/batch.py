"""One action on several rows of a list: what can be done is done, and the reason is told for the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import traitlets as t

from pipeline_widgets.domain.annotation import AnnotatedKind, Annotation, parse_annotation_edit
from pipeline_widgets.domain.filtering import FieldKind, FilterSubject
from pipeline_widgets.errors import PipelineError, format_error
from pipeline_widgets.services.queries.filter_fields import NO_FIELDS, FilterFields
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.paged import PagedView

MOST_SUGGESTED = 200  # names that are sent of each kind


def filter_fields_row(subject: FilterSubject, found: FilterFields = NO_FIELDS) -> Row:
    """Return what the box of a filter suggests: fields, what they are, and values of some of them."""
    known = [{"name": name, "kind": kind.value} for name, kind in subject.fields.items()]
    config = [{"name": name, "kind": "config"} for name in found.config if name not in subject.fields]
    taken = {*subject.fields, *found.config}
    metrics = [{"name": name, "kind": "metric"} for name in found.metrics if name not in taken]
    flags = {name: ["yes", "no"] for name, kind in subject.fields.items() if kind is FieldKind.FLAG}
    values = {"status": list(subject.statuses), "tag": list(found.tags), "algorithm": list(found.algorithms)}
    return {
        "fields": [*known, *config[:MOST_SUGGESTED], *metrics[:MOST_SUGGESTED]],
        "values": {**values, **flags},
    }


class AnnotatedList(PagedView):
    """A list whose rows have notes, tags and favourites, by which they are filtered."""

    KIND: ClassVar[AnnotatedKind]
    SUBJECT: ClassVar[FilterSubject]

    #: Whether several rows can be opened in Results.
    compares = t.Bool(default_value=False).tag(sync=True)

    _project_id: int

    def do_filter_fields(self) -> Row:
        """Return what the box of the filter suggests."""
        return filter_fields_row(self.SUBJECT, self._services.filter_fields.of_project(self._project_id))

    def do_annotate(
        self,
        ids: list[int],
        note: str | None = None,
        tags: list[str] | None = None,
        added: list[str] | None = None,
        removed: list[str] | None = None,
        *,
        favourite: bool | None = None,
    ) -> Row:
        """Write to rows, all of them or none, and return what was written to them before, for an undo."""
        edit = parse_annotation_edit(
            note=note, tags=tags, added=added or (), removed=removed or (), favourite=favourite
        )
        before = self._services.annotations.edit(self.KIND, ids, edit)
        self.refresh()
        return {"before": [_before(key, each) for key, each in before.items()]}

    def do_delete_several(self, ids: list[int]) -> Row:
        """Delete rows; those that cannot be deleted stay, each with the reason."""
        delete = cast("Callable[[int], object]", getattr(self, "do_delete"))  # noqa: B009  a subclass has it
        return self.act_on_each(ids, delete)

    def act_on_each(self, ids: Sequence[int], act: Callable[[int], object]) -> Row:
        """Do something to each of several rows, and return for which, and why not for the others.

        Args:
            ids: The rows that are meant.
            act: Does it to one.
        """
        names = {row.id: row.name for row in self._shown.rows}
        done: list[int] = []
        refused: list[Row] = []
        for each in dict.fromkeys(ids):
            try:
                act(each)
            except PipelineError as error:
                refused.append({"id": each, "name": names.get(each, "It"), "reason": format_error(error)})
            else:
                done.append(each)
        self.refresh()
        return {"done": done, "refused": refused}


def written_row(listed: Any) -> Row:
    """Return what people wrote to a row; what is empty is left out."""
    shown = {"note": listed.note, "tags": list(listed.tags), "favourite": listed.favourite}
    return {name: value for name, value in shown.items() if value}


def _before(key: int, annotation: Annotation) -> Row:
    shown: dict[str, Any] = {"note": annotation.note, "tags": list(annotation.tags)}
    return {"id": key, "favourite": annotation.favourite, **shown}
