"""Rows of SQLAlchemy stay within persistence: repositories return frozen values."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import cached_property
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from pipeline_widgets import domain
from pipeline_widgets.persistence import repositories
from pipeline_widgets.persistence.repositories.base import Repository
from pipeline_widgets.persistence.store import UnitOfWork

#: All names of the package: repositories import most types for their annotations only.
NAMES = {
    name: value
    for package in (domain, repositories)
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    for name, value in vars(importlib.import_module(found.name)).items()
}
REPOSITORIES: list[type[Repository]] = [
    get_type_hints(member.func, localns=NAMES)["return"]
    for member in vars(UnitOfWork).values()
    if isinstance(member, cached_property)
]
METHODS = [
    pytest.param(method, id=f"{kind.__name__}.{name}")
    for kind in REPOSITORIES
    for name, method in vars(kind).items()
    if inspect.isfunction(method) and not name.startswith("_")
]


def named(annotation: Any) -> Iterator[Any]:
    """Return the types that an annotation names."""
    yield get_origin(annotation) or annotation
    for each in get_args(annotation):
        if not isinstance(each, str | int):
            yield from named(each)


def test_all_repositories_are_there() -> None:
    """Those of a unit of work, and no other ones."""
    assert {kind.__name__ for kind in REPOSITORIES} == {kind.__name__ for kind in Repository.__subclasses__()}


@pytest.mark.parametrize("method", METHODS)
def test_a_repository_returns_values(method: Callable[..., object]) -> None:
    """No type of SQLAlchemy, nothing that could be anything, and no class that can be changed."""
    answer = list(named(get_type_hints(method, localns=NAMES)["return"]))
    assert Any not in answer
    for each in answer:
        module = getattr(each, "__module__", "")
        assert not module.startswith("sqlalchemy"), f"{each} is a type of SQLAlchemy"
        if module.startswith("pipeline_widgets") and is_dataclass(each):
            assert each.__dataclass_params__.frozen, f"{each} can be changed"  # pyright: ignore[reportAttributeAccessIssue]  it has them
