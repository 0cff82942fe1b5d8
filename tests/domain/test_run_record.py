"""What is kept of how a run came about, and what tells two runs apart."""

from __future__ import annotations

import pytest

from pipeline_widgets.domain.code_record import CodePiece, CodeRecord, digest_of_text
from pipeline_widgets.domain.normalised_code import normalise
from pipeline_widgets.domain.run_record import (
    Difference,
    Environment,
    RunCode,
    RunRecord,
    choose_folder,
    compare_records,
    describe_folder,
)


def a_record(*, text: str = "x = 1\n", commit: str = "abc", **machine: object) -> RunRecord:
    """Return a record with one file."""
    source = digest_of_text(text)
    piece = CodePiece(file="helpers.py", digest=normalise(text).digest, source=source)
    return RunRecord(
        environment=Environment.from_json(
            {"python": "CPython 3.11", "packages": {"numpy": "2.0"}, **machine}
        ),
        code=RunCode(commit=commit, folder="/here"),
        sources=CodeRecord(pieces=(piece,), texts={source: text}),
    )


@pytest.mark.spec("6.10")
def test_what_differs_between_two_runs_is_a_list_of_rows() -> None:
    """Code with file and line, commit, machine, packages that came, went and changed, variables."""
    before = a_record(packages={"numpy": "2.0", "old": "1"}, variables={"CUDA_VISIBLE_DEVICES": "0"})
    after = a_record(
        text="# A comment.\nx = 2\n",
        commit="def",
        host="other",
        packages={"numpy": "2.1", "new": "3"},
        variables={"CUDA_VISIBLE_DEVICES": "1"},
    )
    rows = [(each.kind, each.name, each.before, each.after) for each in compare_records(before, after)]
    assert [(kind, name) for kind, name, _, _ in rows] == [
        ("code", "helpers.py:2"),
        ("git", "commit"),
        ("machine", "host"),
        ("package", "numpy"),
        ("package", "old"),
        ("package", "new"),
        ("variable", "CUDA_VISIBLE_DEVICES"),
    ]
    assert rows[1:] == [
        ("git", "commit", "abc", "def"),
        ("machine", "host", None, "other"),
        ("package", "numpy", "2.0", "2.1"),
        ("package", "old", "1", None),
        ("package", "new", None, "3"),
        ("variable", "CUDA_VISIBLE_DEVICES", "0", "1"),
    ]


def test_a_comment_is_no_difference() -> None:
    """Nor is a record of itself."""
    assert compare_records(a_record(), a_record(text="x = 1  # one\n")) == ()


def test_a_run_without_a_record_differs_by_all_that_the_other_one_has() -> None:
    """Runs of older versions have none."""
    nothing = RunRecord(environment=None, code=RunCode(), sources=None)
    found = compare_records(nothing, a_record())
    assert Difference(kind="package", name="numpy", before=None, after="2.0") in found
    assert found[0].name == "helpers.py"
    assert compare_records(nothing, nothing) == ()


def test_a_record_comes_back_from_its_plain_values() -> None:
    """Also from those of a later version, which may have more."""
    code = RunCode(folder="/a", commit="abc", untracked=("b",), is_diff_cut=True, digest="d", record="r")
    assert RunCode.from_json({**code.to_json(), "later": 1}) == code
    machine = Environment(python="3", gpus=("H100",), packages={"a": "1"}, variables={"X": None})
    assert Environment.from_json({**machine.to_json(), "later": 1}) == machine
    assert machine.digest != Environment(python="3", gpus=("H100", "H100")).digest


@pytest.mark.parametrize(
    ("first", "now", "there", "chosen", "said"),
    [
        ("/a", "/a", True, "/a", ""),
        ("/a", "/b", True, "/a", "It resumes in /a, where it was first triggered; this is /b."),
        ("/a", "/b", False, "/b", "not there: relative paths are looked up in /b."),
        (None, "/b", False, "/b", ""),
    ],
)
def test_habit_21_a_resumed_run_works_where_it_was_first_triggered(
    first: str | None,
    now: str,
    there: bool,  # noqa: FBT001  a case of the table
    chosen: str,
    said: str,
) -> None:
    """As long as that folder is there; a difference is said."""
    assert choose_folder(first, now, exists=lambda _: there) == chosen
    told = describe_folder(first, now, exists=lambda _: there)
    assert (told or "").endswith(said)
    assert bool(told) == bool(said)
