"""Which lines of code have changed: the old ones beside the new ones (spec 6.11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.code_difference import (
    LONGEST_COMPARED,
    MOST_CHANGES,
    MOST_LINES,
    CodeDifference,
    find_code_differences,
)
from pipeline_widgets.domain.code_record import CodePiece, CodeRecord, digest_of_text
from pipeline_widgets.domain.normalised_code import normalise

pytestmark = pytest.mark.spec("6.11")


def record(**files: str) -> CodeRecord:
    """Return the record of files, with their texts."""
    pieces = tuple(
        CodePiece(file=f"{name}.py", digest=normalise(text).digest, source=digest_of_text(text))
        for name, text in files.items()
    )
    return CodeRecord(pieces=pieces, texts={digest_of_text(text): text for text in files.values()})


def told(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    """Return what is told of one file."""
    found = find_code_differences(record(train=old), record(train=new))
    return [(each.place, each.old, each.new) for each in found]


def test_a_line_is_told_as_it_was_and_as_it_is() -> None:
    """With the place where it stands now, without the spaces before it."""
    old = "def f(x):\n    if x:\n        lr = 0.1\n    return lr\n"
    new = "# a comment\ndef f(x):\n    if x:\n        lr = 0.2\n    return lr\n"
    assert told(old, new) == [("train.py:4", "lr = 0.1", "lr = 0.2")]


def test_lines_that_came_or_went_have_no_counterpart() -> None:
    """Their indent among each other stays."""
    old, new = "a = 1\n", "a = 1\nfor b in ():\n    print(b)\n"
    assert told(old, new) == [("train.py:2", None, "for b in ():\n    print(b)")]
    assert told(new, old) == [("train.py:2", "for b in ():\n    print(b)", None)]


def test_what_changes_no_behaviour_is_not_told() -> None:
    """Neither a comment, nor code of which a text is missing."""
    assert told("a = 1\n", "a = 1  # one\n") == []
    gone = CodeRecord(pieces=record(train="a = 1\n").pieces)
    assert find_code_differences(gone, record(train="a = 2\n")) == ()
    assert find_code_differences(record(train="a = 1"), record(other="a = 2")) == ()


def test_long_changes_are_cut_off() -> None:
    """So many changes, so many lines of each, and nothing is compared for long."""
    old = "".join(f"a{n} = 1\nb{n} = 1\n" for n in range(20))
    new = "".join(f"a{n} = 2\nb{n} = 1\n" for n in range(20))
    assert len(told(old, new)) == MOST_CHANGES
    ((_, was, now),) = told("x = 1\n", "".join(f"y{n} = 1\n" for n in range(3 * LONGEST_COMPARED)))
    assert was == "x = 1"
    assert now is not None
    assert now.splitlines()[MOST_LINES:] == [f"… {3 * LONGEST_COMPARED - MOST_LINES} more lines"]


@given(*(st.lists(st.sampled_from(["a = 1", "b = 2", "c = a", "# c", ""]), max_size=8),) * 2)
def test_whatever_changes_is_found(old: list[str], new: list[str]) -> None:
    """Where code behaves otherwise, some lines are told, each different from those before."""
    before, after = "\n".join(old), "\n".join(new)
    found = find_code_differences(record(train=before), record(train=after))
    assert all(isinstance(each, CodeDifference) and each.old != each.new for each in found)
    if normalise(before).digest != normalise(after).digest:
        assert found
