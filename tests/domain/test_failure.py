"""Which line of the user's own a failed run names, and what is kept of it (spec 7.4)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from factories.values import a_run
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.failure import (
    LONGEST_LINE,
    LONGEST_MESSAGE,
    Failure,
    TracedCall,
    find_users_call,
    make_failure,
    parse_error,
)
from pipeline_widgets.domain.run import Status

INSTALLED = ("/usr/lib/python3.12", "/venv/lib/python3.12/site-packages", "/src/pipeline_widgets")
WORKER = TracedCall(file="/src/pipeline_widgets/execution/worker.py", line=113, function="execute")
TRAIN = TracedCall(file="/home/me/train.py", line=4, function="train", end_line=5)
HELPER = TracedCall(file="/home/me/lib/helpers.py", line=12, function="loss_of")
TORCH = TracedCall(file="/venv/lib/python3.12/site-packages/torch/nn.py", line=900, function="forward")
TEXT = [
    "import torch",
    "",
    "def train(run):",
    "    loss = loss_of(",
    "        run)",
    "    return loss",
    "x = 1",
]
CELL = "/work/ipykernel_4711/1234.py"
WHOLE = """Traceback (most recent call last):
  File "/src/pipeline_widgets/execution/worker.py", line 113, in execute
    return _train(job, emit, stop, go)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/home/me/train.py", line 28, in boom
    loss = logits - target
           ~~~~~~~^~~~~~~~
  File "/venv/lib/python3.12/site-packages/torch/nn.py", line 900, in forward
    raise RuntimeError(text)
RuntimeError: The size of tensor a (128) must match the size of tensor b (64)
at dimension 1
"""


@pytest.mark.spec("7.4")
@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([WORKER, TRAIN, HELPER, TORCH], HELPER),
        ([WORKER, TRAIN, TORCH], TRAIN),
        ([WORKER, TORCH], None),
        ([], None),
    ],
)
def test_the_innermost_line_that_is_not_installed_is_the_users(
    calls: list[TracedCall], found: TracedCall | None
) -> None:
    """Neither this package, nor Python, nor what was installed with a package manager is the user's."""
    assert find_users_call(calls, INSTALLED) == found


def test_a_folder_whose_name_only_begins_alike_is_not_installed() -> None:
    """`/src/pipeline_widgets_demo` is not below `/src/pipeline_widgets`."""
    mine = TracedCall(file="/src/pipeline_widgets_demo/train.py", line=1, function="train")
    assert find_users_call([WORKER, mine], INSTALLED) == mine


def test_installed_folders_of_another_machine_are_known_by_their_names() -> None:
    """A run on a cluster has its packages elsewhere."""
    there = TracedCall(file="/opt/conda/lib/python3.11/site-packages/trl/trainer.py", line=3, function="step")
    python = TracedCall(file="/opt/conda/lib/python3.11/asyncio/tasks.py", line=3, function="wait")
    assert find_users_call([TRAIN, there, python], ()) == TRAIN


@pytest.mark.parametrize(
    ("file", "written", "is_users"),
    [
        ("<frozen importlib._bootstrap>", False, False),
        ("<string>", False, False),
        ("<cell 4>", True, True),
        ("<ipython-input-3-0123456789ab>", False, True),
        (CELL, False, True),
    ],
)
def test_cells_are_the_users_and_what_python_makes_up_is_not(
    file: str, written: object, is_users: object
) -> None:
    """A name in angle brackets is a cell's where its text is known."""
    call = TracedCall(file=file, line=2, function="train")
    found = find_users_call([WORKER, call], INSTALLED, [file] if written else ())
    assert (found == call) == is_users


def test_the_lines_around_the_statement_are_kept() -> None:
    """A statement of several lines is marked whole; the text is that of the moment."""
    failure = make_failure("ValueError: no\n", TRAIN, [f"{line}\n" for line in TEXT])
    assert failure.message == "ValueError: no"
    assert (failure.file, failure.line, failure.function) == ("/home/me/train.py", 4, "train")
    assert list(failure.lines()) == [
        (3, "def train(run):", False),
        (4, "    loss = loss_of(", True),
        (5, "        run)", True),
        (6, "    return loss", False),
    ]
    assert str(failure).splitlines()[1:3] == [
        "  /home/me/train.py:4, in train",
        "        3 | def train(run):",
    ]
    assert "  >     4 |     loss = loss_of(" in str(failure)


def test_a_file_that_was_cut_meanwhile_has_no_text() -> None:
    """A line beyond the end of the file is named, and no other line stands for it."""
    failure = make_failure("ValueError: no", replace(TRAIN, line=40, end_line=None), TEXT)
    assert (failure.line, failure.source, failure.first_line, list(failure.lines())) == (40, "", None, [])


@pytest.mark.parametrize(
    ("file", "folder", "place"),
    [
        ("/home/me/lab/train.py", "/home/me/lab", "train.py:28"),
        ("/home/me/lab/train.py", "/home/me/lab/", "train.py:28"),
        ("/home/me/lab2/train.py", "/home/me/lab", "/home/me/lab2/train.py:28"),
        (r"C:\lab\train.py", r"C:\lab", "train.py:28"),
        (CELL, "/work", "notebook cell, line 28"),
        ("<cell 3f2a>", None, "notebook cell, line 28"),
        ("/home/me/train.py", None, "/home/me/train.py:28"),
        (None, None, ""),
    ],
)
def test_a_place_is_named_as_people_do(file: str | None, folder: str | None, place: str) -> None:
    """Relative to the folder of the trigger where it is below that; a cell has no path that helps."""
    assert Failure(message="", file=file, line=28).place(folder) == place


def test_a_text_without_a_record_is_read() -> None:
    """Of a run of an older version the message and the user's line are in its traceback."""
    failure = parse_error(WHOLE)
    assert failure.message.splitlines()[0] == (
        "RuntimeError: The size of tensor a (128) must match the size of tensor b (64)"
    )
    assert (failure.file, failure.line, failure.function) == ("/home/me/train.py", 28, "boom")
    assert list(failure.lines()) == [(28, "loss = logits - target", True)]


def test_of_chained_errors_the_last_one_is_read() -> None:
    """It is the one that ended the run."""
    chained = (
        f"{WHOLE}\nDuring handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "/home/me/other.py", line 3, in <module>\n'
        "    raise KeyError(name)\nKeyError: 'name'\n"
    )
    failure = parse_error(chained)
    assert (failure.message, failure.file, failure.line) == ("KeyError: 'name'", "/home/me/other.py", 3)


def test_evidence_of_a_crash_is_its_first_line() -> None:
    """What follows is a stack, which stays in the error."""
    failure = parse_error("Killed by signal 9 (SIGKILL). (Process 12 on here.)\nThread 0x1:\n  File 'x'")
    assert failure == Failure(message="Killed by signal 9 (SIGKILL). (Process 12 on here.)")


def test_a_traceback_of_another_make_ends_in_its_message() -> None:
    """Such as that of a program which a training has started."""
    assert parse_error("Traceback:\n  File\nValueError: no data").message == "ValueError: no data"


@pytest.mark.parametrize("status", list(Status))
def test_only_what_was_broken_off_has_a_failure(status: Status) -> None:
    """The record goes before the text; a run that goes on or has succeeded has none."""
    run = replace(a_run(1, status), error=WHOLE, failure=None)
    broken = status in {Status.FAILED, Status.CRASHED, Status.STOPPED}
    assert (run.get_failure() is not None) is broken
    assert replace(run, error=None).get_failure() is None
    recorded = Failure(message="ValueError: no")
    assert replace(run, failure=recorded).get_failure() == (recorded if broken else None)


@given(st.text(), st.lists(st.text(), max_size=20), st.integers(1, 30), st.integers(0, 30))
def test_whatever_is_raised_is_kept_within_bounds(
    message: str, text: list[str], line: int, more: int
) -> None:
    """It survives its way through JSON, is of a bounded size, and holds what every database stores."""
    call = TracedCall(file="/a\x00.py", line=line, end_line=line + more, function="f")
    failure = make_failure(message, call, text)
    assert Failure.from_json(json.loads(json.dumps(failure.to_json()))) == failure
    assert len(failure.message) <= LONGEST_MESSAGE + 100
    assert all(len(each) <= LONGEST_LINE for each in failure.source.splitlines())
    assert not any(each in f"{failure.message}{failure.file}{failure.source}" for each in "\x00\ud800\udfff")
    if failure.source:
        assert any(marked for *_, marked in failure.lines()) or not text[line - 1].strip()


@given(st.text())
def test_any_text_of_an_error_can_be_read(error: str) -> None:
    """Whatever a program has left: there is a message, and no exception."""
    for text in (error, f"Traceback (most recent call last):\n{error}", f"{WHOLE}{error}"):
        if text.strip():
            assert isinstance(parse_error(text), Failure)
