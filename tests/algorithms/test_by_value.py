"""Algorithms that are sent by value: what they take with them, and what cannot be sent."""

from __future__ import annotations

import base64
import platform
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cloudpickle
import numpy as np
import pytest
from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.algorithms import by_value, registry
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.python_version import HERE
from pipeline_widgets.errors import AlgorithmNotFoundError, ConfigError


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no other test have been warned, and no definition outlive the test."""
    monkeypatch.setattr(by_value, "_warned", set[str]())
    monkeypatch.setattr(registry, "catalogue", replace(registry.catalogue, defined={}))
    return iter([None])


def of_main(source: str, **names: Any) -> Algorithm:
    """Return the algorithm `train` of a program, as if it were a notebook's."""
    namespace: dict[str, Any] = {"__name__": "__main__", "pw": pw, **names}
    exec(source, namespace)  # noqa: S102  that is how a notebook does it
    return namespace["train"]


USING = """
def helper():
    return NAME
@pw.algorithm("Mine", produces={"thing"})
def train(ctx):
    helper()
"""


@pytest.mark.spec("7.1")
def test_habit_09_a_large_object_is_named_once_with_its_size() -> None:
    """More than 10 MB that go with an algorithm are told, with the global and with what to do."""
    large = of_main(USING, NAME=np.zeros(2_500_000))
    words = r"Mine takes 20 MB with it.*'NAME' \(a numpy.ndarray\) is a global that helper\(\) uses \(20 MB\)"
    with pytest.warns(UserWarning, match=words + ".*Load it within the function"):
        reference = large.reference
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert large.reference == reference  # the same content is the same row


def test_habit_09_what_is_small_is_sent_without_a_word() -> None:
    """A megabyte is not a reason to speak."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert of_main(USING, NAME=np.zeros(100_000)).reference.value


def test_habit_09_what_is_too_large_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a limit the object has to come in another way."""
    monkeypatch.setattr(by_value, "WARN_ABOVE", 1_000_000)
    monkeypatch.setattr(by_value, "MOST", 2_000_000)
    large = of_main(USING, NAME=np.zeros(400_000))
    with pytest.raises(ConfigError, match=r"it takes 3 MB with it. At most 2 MB can be sent. 'NAME'"):
        _ = large.reference


def test_habit_09_the_form_of_former_versions_is_still_read() -> None:
    """They kept the algorithm itself, in base85."""
    made = of_main(USING, NAME=3)
    former = base64.b85encode(cloudpickle.dumps(made)).decode()
    assert registry.load(AlgorithmReference(value=former)).spec == made.spec


CLOSURE = """
def outer():
    held = NAME
    @pw.algorithm("Mine", produces={"thing"})
    def train(ctx): held
    return train
train = outer()
"""
ATTRIBUTE = """
class Net:
    lock = NAME
@pw.algorithm("Mine", produces={"thing"})
def train(ctx): Net()
"""
DEFAULT = """
@pw.algorithm("Mine", produces={"thing"})
def train(ctx, lock=NAME): pass
"""
HELD = """
class Data:
    def __init__(self): self.lock = NAME
data = Data()
@pw.algorithm("Mine", produces={"thing"})
def train(ctx): data
"""
UNPICKLABLE = {
    "global": (USING, r"'NAME' \(a _thread.lock\) is a global that helper\(\) uses"),
    "closure": (CLOSURE, r"'held' \(a _thread.lock\) is a variable of the function around train\(\)"),
    "attribute": (ATTRIBUTE, r"'lock' \(a _thread.lock\) is an attribute of class Net"),
    "default": (DEFAULT, r"is a default argument of train\(\)"),
    "held by another object": (HELD, r"'data' \(a Data\) is a global that train\(\) uses"),
}


@pytest.mark.parametrize("name", UNPICKLABLE)
def test_habit_25_what_cannot_be_pickled_is_named(name: str) -> None:
    """The refusal says which name in which function or class it is."""
    source, words = UNPICKLABLE[name]
    with pytest.raises(ConfigError, match=f"{words}; it cannot be pickled. TypeError") as refused:
        _ = of_main(source, NAME=threading.Lock()).reference
    assert refused.value.fix


def test_case_6_a_value_bears_the_python_that_made_it() -> None:
    """Another Python does not open it, and says which one can; the child's last line of defence."""
    reference = of_main(USING, NAME=3).reference
    assert reference.python == HERE
    other = AlgorithmReference(value=reference.value, root=reference.root, python="cpython 2.7")
    words = rf"It was defined under Python 2\.7; this is Python [\d.]+ on {re.escape(platform.node())}\."
    with pytest.raises(AlgorithmNotFoundError, match=words):
        registry.load(other)
    imported = (
        registry.find("Imitate").reference
        if "Imitate" in registry.names()
        else AlgorithmReference(path="x:y")
    )
    assert imported.python is None


CONFIGURED = """
class Config(BaseModel):
    steps: int = 3
class Net: pass
def square(x): return x * x
@pw.algorithm("Mine", produces={"thing"}, config=Config)
def train(ctx):
    return [Net, square, Config]
"""


def test_habit_04_a_kernel_keeps_its_own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened in a user's process adds no name there; pickle finds it all the same."""
    import __main__  # noqa: PLC0415  it is that of the tests

    made = of_main(CONFIGURED, BaseModel=BaseModel)
    before = set(vars(__main__))
    monkeypatch.setattr(__main__, "__getattr__", None, raising=False)
    delattr(__main__, "__getattr__")
    opened: Callable[[Any], list[Any]] = registry.load(made.reference).train  # pyright: ignore[reportAssignmentType]
    net, square, config = opened(None)
    assert set(vars(__main__)) - before <= {"__getattr__"}
    assert (__main__.Net, __main__.square, __main__.Config) == (net, square, config)
    assert square(3) == 9
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        getattr(__main__, "Other")  # noqa: B009  the attribute that is not there
