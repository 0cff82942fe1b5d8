"""Notes, tags and favourites: what people write to runs, experiments and pipelines. They change no result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from pipeline_widgets.domain.names import check_encodable
from pipeline_widgets.errors import ConfigError, format_value

#: What can have notes, tags and a star.
AnnotatedKind: TypeAlias = Literal["run", "experiment", "pipeline"]

LONGEST_NOTE = 10_000  # characters
LONGEST_TAG = 64
MOST_TAGS = 50  # of one thing


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """What people wrote to one thing."""

    note: str = ""
    #: In the order in which they were given.
    tags: tuple[str, ...] = ()
    favourite: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotationEdit:
    """What is to change of annotations; what is None stays. `parse_annotation_edit` makes one."""

    note: str | None = None
    tags: tuple[str, ...] | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    favourite: bool | None = None

    def apply(self, annotation: Annotation) -> Annotation:
        """Return an annotation after the edit.

        Raises:
            ConfigError: There would be too many tags.
        """
        tags = annotation.tags if self.tags is None else self.tags
        gone = {tag.lower() for tag in self.removed}
        kept = _without_repeats([*(tag for tag in tags if tag.lower() not in gone), *self.added])
        if len(kept) > MOST_TAGS:
            fix = f"Remove some; {MOST_TAGS} are possible."
            raise ConfigError(f"{len(kept)} tags are too many.", fix=fix)
        note = annotation.note if self.note is None else self.note
        favourite = annotation.favourite if self.favourite is None else self.favourite
        return replace(annotation, note=note, tags=kept, favourite=favourite)


def parse_annotation_edit(
    *,
    note: str | None = None,
    tags: str | Iterable[str] | None = None,
    added: str | Iterable[str] = (),
    removed: str | Iterable[str] = (),
    favourite: bool | None = None,
) -> AnnotationEdit:
    """Return the edit of annotations that somebody asks for; what is left out stays.

    Raises:
        ConfigError: A tag is empty, too long or of several lines; or the note is too long.
    """
    return AnnotationEdit(
        note=None if note is None else validate_note(note),
        tags=None if tags is None else validate_tags(tags),
        added=validate_tags(added),
        removed=validate_tags(removed),
        favourite=favourite,
    )


def validate_note(text: str) -> str:
    """Return a note without the spaces around it; it may be empty.

    Raises:
        ConfigError: It is not a text, or too long.
    """
    text = check_encodable(text, "note")
    if len(text) > LONGEST_NOTE:
        why = f"It has {len(text):,} characters, {LONGEST_NOTE:,} are possible."
        raise ConfigError("The note is too long.", why, "Shorten it.")
    return text


def validate_tags(tags: str | Iterable[str]) -> tuple[str, ...]:
    """Return tags without the spaces around them, and without those that are there already.

    Raises:
        ConfigError: One is not a text, empty, too long, or of several lines.
    """
    found: list[str] = []
    for tag in [tags] if isinstance(tags, str) else tags:
        text = " ".join(check_encodable(tag, "tag").split())
        if not text:
            raise ConfigError("A tag cannot be empty.", f"Got {format_value(tag)}.", "Write a short word.")
        if len(text) > LONGEST_TAG:
            why = f"It has {len(text)} characters, {LONGEST_TAG} are possible."
            raise ConfigError(f"The tag {format_value(text)} is too long.", why, "Shorten it.")
        found.append(text)
    return _without_repeats(found)


def tags_to_text(tags: Iterable[str]) -> str | None:
    """Return tags as one text, each between two line feeds; None where there are none."""
    listed = list(tags)
    return "\n" + "".join(f"{tag}\n" for tag in listed) if listed else None


def tags_from_text(text: str | None) -> tuple[str, ...]:
    """Return the tags that `tags_to_text` was given."""
    return tuple(tag for tag in (text or "").split("\n") if tag)


def _without_repeats(tags: Iterable[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for tag in tags:
        kept.setdefault(tag.lower(), tag)
    return tuple(kept.values())
