"""The tree of errors, which is the docstring of its module."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

import pipeline_widgets as pw
from pipeline_widgets import errors
from pipeline_widgets.errors import LONGEST, PipelineError, WaitTimeoutError, format_value

CLASSES = [
    each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__
]


def drawn() -> dict[str, str]:
    """Return the parent of each class as the docstring draws it: `*` root, `x` its children, `+` theirs."""
    parents: dict[str, str] = {}
    branch = ""
    for mark, name in re.findall(r"([*x+]) (\w+Error)", errors.__doc__ or ""):
        if mark == "x":
            parents[name] = "PipelineError"
            branch = name
        elif mark == "+":
            parents[name] = branch
    return parents


@pytest.mark.spec("10.3")
def test_the_docstring_is_the_tree() -> None:
    """Each class has the parent that the module docstring draws, and no class is missing there."""
    real = {each.__name__: each.__bases__[0].__name__ for each in CLASSES if each is not PipelineError}
    assert drawn() == real


@pytest.mark.spec("10.3")
def test_there_is_one_root_and_it_is_public() -> None:
    """Catching `pw.PipelineError` catches everything that the package raises on purpose."""
    assert pw.PipelineError is PipelineError
    assert all(issubclass(each, PipelineError) for each in CLASSES)


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_what_why_and_what_to_do(kind: type[PipelineError]) -> None:
    """The three parts can be read, make up the message, and survive a trip between processes."""
    error = kind("What.", "Why.", "Do this.")
    assert str(error) == "What. Why. Do this."
    assert str(kind("What.", fix="Do this.")) == "What. Do this."
    assert str(kind("What.")) == "What."
    for each in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301  our own
        assert (each.what, each.why, each.fix, str(each)) == ("What.", "Why.", "Do this.", str(error))


def test_a_timeout_is_pythons_timeout_too() -> None:
    """Code that catches TimeoutError catches ours."""
    with pytest.raises(TimeoutError):
        raise WaitTimeoutError("It took too long.")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_sentence(kind: type[PipelineError]) -> None:
    """The docstring of a class says when it is raised."""
    first = (kind.__doc__ or "").split("\n")[0]
    assert first.endswith(".")


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("value", ["x" * 1000, 10**5000, {"a": [10**5000]}, "\ud800"], ids=type)
def test_a_value_is_shown_in_a_short_line(value: object) -> None:
    """Also where Python refuses to write it."""
    assert 0 < len(format_value(value)) <= LONGEST
