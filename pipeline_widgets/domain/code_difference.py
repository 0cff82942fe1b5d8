"""Which lines of code have changed: the old ones beside the new ones."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from pipeline_widgets.domain.code_record import CodePiece, CodeRecord
from pipeline_widgets.domain.normalised_code import find_first_difference

MOST_CHANGES = 5  # that are told of a stage
MOST_LINES = 12  # of a change that are told, old or new
LONGEST_COMPARED = (
    1_000  # lines that are compared with each other, which takes a time that grows as their square
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeDifference:
    """Lines that were others when a run used them."""

    #: The file and the line at which they begin now, such as "helpers.py:12".
    place: str
    #: The lines; None where there are none.
    old: str | None
    new: str | None


def find_code_differences(before: CodeRecord, after: CodeRecord) -> tuple[CodeDifference, ...]:
    """Return the first lines that have changed in pieces of code that behave otherwise now.

    Lines that are blank or comments do not count by themselves.

    Args:
        before: The code of a run, with its texts. A piece of which a text is missing tells nothing.
        after: The code as it is now, with its texts.
    """
    former = {piece.key: piece for piece in before.pieces}
    found: list[CodeDifference] = []
    for piece in after.pieces:
        old = _text(former.get(piece.key), before)
        new = _text(piece, after)
        if old is None or new is None or former[piece.key].digest == piece.digest:
            continue
        found += (
            CodeDifference(place=piece.at(line), old=was, new=now) for line, was, now in _compare(old, new)
        )
        if len(found) >= MOST_CHANGES:
            break
    return tuple(found[:MOST_CHANGES])


def _text(piece: CodePiece | None, record: CodeRecord) -> str | None:
    return None if piece is None else record.texts.get(piece.source or "")


@lru_cache(maxsize=64)  # a view asks anew at each look, and a thousand stages may share a file
def _compare(old: str, new: str) -> tuple[tuple[int, str | None, str | None], ...]:
    """Return the lines at which changes begin, counted from 1, with the old and the new lines."""
    if find_first_difference(old, new) is None:
        return ()
    ours, theirs = old.splitlines(), new.splitlines()
    start = _count_alike(ours, theirs)
    end = _count_alike(ours[start:][::-1], theirs[start:][::-1])
    ours, theirs = ours[start : len(ours) - end], theirs[start : len(theirs) - end]
    if max(len(ours), len(theirs)) > LONGEST_COMPARED:
        parts = [(0, len(ours), 0, len(theirs))]
    else:
        matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
        parts = [tuple(places) for tag, *places in matcher.get_opcodes() if tag != "equal"]
    return tuple(
        (start + at + 1, *_without_indent(ours[was:until], theirs[at:to]))
        for was, until, at, to in parts
        if any(map(_is_code, (*ours[was:until], *theirs[at:to])))
    )


def _count_alike(ours: list[str], theirs: list[str]) -> int:
    pairs = zip(ours, theirs, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(ours), len(theirs)))


def _is_code(line: str) -> bool:
    said = line.strip()
    return bool(said) and not said.startswith("#")


def _without_indent(old: list[str], new: list[str]) -> tuple[str | None, str | None]:
    """Return lines without the spaces with which all of them begin."""
    full = [line for line in (*old, *new) if line.strip()]
    indent = min(len(line) - len(line.lstrip(" ")) for line in full)
    return _join(old, indent), _join(new, indent)


def _join(lines: list[str], indent: int) -> str | None:
    if not lines:
        return None
    more = len(lines) - MOST_LINES
    told = [line[indent:].rstrip() for line in lines[:MOST_LINES]]
    return "\n".join([*told, *([f"… {more} more lines"] if more > 0 else [])])
