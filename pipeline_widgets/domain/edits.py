"""The changes of an edit, as codes for the database and as sentences (spec 5.13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.errors import StaleWriteError


class ChangeKind(StrEnum):
    """The subject of a change, in the order in which changes are told."""

    RENAMED = "renamed"
    DESCRIBED = "described"
    SCORED_BY = "scored_by"
    CONFIGURED = "configured"
    VERSION_CHOSEN = "version_chosen"
    STAGE_DELETED = "stage_deleted"
    STAGE_ADDED = "stage_added"
    STAGE_EDITED = "stage_edited"
    STAGE_MOVED = "stage_moved"


#: The name and the description: what a row of a list lets one edit.
TEXTS = frozenset({ChangeKind.RENAMED, ChangeKind.DESCRIBED})


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a row.

    Args:
        kind: Its subject.
        number: The stage, counted from 1 as it was before where it was deleted or moved; or the version.
        to: Where a stage was moved, counted from 1.
        name: The former name; or the evaluator by whose scores Best goes now, empty for none.
    """

    kind: ChangeKind
    number: int = 0
    to: int = 0
    name: str = ""

    @property
    def sentence(self) -> str:
        """The change in a sentence."""
        match self.kind:
            case ChangeKind.RENAMED:
                return f"It was renamed from {quote(self.name)}."
            case ChangeKind.SCORED_BY:
                return describe_score_by(self.name or None)
            case ChangeKind.DESCRIBED | ChangeKind.CONFIGURED:
                return f"Its {'description' if self.kind is ChangeKind.DESCRIBED else 'config'} was edited."
            case ChangeKind.VERSION_CHOSEN:
                return f"Version {self.number} is the current one now."
            case ChangeKind.STAGE_DELETED:
                return f"Stage {self.number} was deleted."
            case ChangeKind.STAGE_ADDED:
                return f"A stage was added as stage {self.number}."
            case ChangeKind.STAGE_EDITED:
                return f"The settings of stage {self.number} were edited."
            case ChangeKind.STAGE_MOVED:
                return f"Stage {self.number} is stage {self.to} now."


def describe_score_by(evaluator: str | None) -> str:
    """Say by whose scores Best and gates go."""
    by = "the scores that the algorithms report" if evaluator is None else f"scores by {quote(evaluator)}"
    return f"Best and gates go by {by} now."


def find_changes(before: Pipeline, after: Pipeline) -> tuple[Change, ...]:
    """Return the changes that an edit makes to a pipeline."""
    found: list[Change] = []
    if before.name != after.name:
        found.append(Change(ChangeKind.RENAMED, name=before.name))
    if before.description != after.description:
        found.append(Change(ChangeKind.DESCRIBED))
    if before.score_by != after.score_by:
        found.append(Change(ChangeKind.SCORED_BY, name=after.score_by or ""))
    old = {stage.id: (number, stage) for number, stage in enumerate(before.stages, 1)}
    new = {stage.id: (number, stage) for number, stage in enumerate(after.stages, 1)}
    found += [Change(ChangeKind.STAGE_DELETED, number) for key, (number, _) in old.items() if key not in new]
    for key, (number, stage) in new.items():
        if key not in old:
            found.append(Change(ChangeKind.STAGE_ADDED, number))
            continue
        old_number, old_stage = old[key]
        if old_stage != stage:
            found.append(Change(ChangeKind.STAGE_EDITED, number))
        elif old_number != number:
            found.append(Change(ChangeKind.STAGE_MOVED, old_number, number))
    return tuple(found)


def describe_changes(changes: Iterable[Change]) -> str:
    """Return changes in sentences: of the texts first, of the stages in the order in which they were made."""
    ordered = sorted(changes, key=lambda change: change.kind not in TEXTS)
    return " ".join(dict.fromkeys(change.sentence for change in ordered))


def check_version(
    label: str,
    version: int,
    expected: int | None,
    changes: Collection[Change] | None,
    concerning: Collection[ChangeKind] = frozenset(ChangeKind),
) -> None:
    """Refuse an edit that is based on an older version of a row: the one optimistic lock.

    Args:
        label: The row in words, as "Pipeline 'letters'".
        version: The version that the row has now.
        expected: The version that the edit is based on; None where it is based on none.
        changes: What was changed since that one; None where that is not known.
        concerning: The changes that matter to the edit. It may be done in spite of any others.

    Raises:
        StaleWriteError: A change that matters was made since.
    """
    if expected is None or expected == version:
        return
    if changes is None or any(change.kind in concerning for change in changes):
        raise stale_write(label, changes or ())


def stale_write(label: str, changes: Iterable[Change] = ()) -> StaleWriteError:
    """Return the error of an edit that is based on an older version of a row."""
    why = describe_changes(changes) or "The edit was based on an older view of it."
    return StaleWriteError(f"{label} was changed meanwhile.", why, "Look at it again and repeat the edit.")
