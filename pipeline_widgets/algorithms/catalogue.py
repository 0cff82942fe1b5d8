"""The algorithms and evaluators that this process knows: decorated here, or named by an entry point."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pipeline_widgets.algorithms.code_reference import open_code
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.errors import ConfigError, NotFoundError, format_error, format_value

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Catalogue(Generic[Made]):
    """Algorithms, or evaluators, by name: what this process has defined or loaded, and what is installed.

    Args:
        kind: The class of what the decorator makes.
        group: The group of their entry points.
        word: What errors call one: "algorithm".
        decorator: What makes one: "@pw.algorithm".
        again: What is done once one was defined again: "trigger the stage again".
        not_found: The class of the error for one that is not there.
    """

    kind: type[Made]
    group: str
    word: str
    decorator: str
    again: str
    not_found: type[NotFoundError]
    defined: dict[str, Made] = field(default_factory=dict[str, Made])

    def find(self, name: str) -> Made:
        """Return what has that name: what this process defined, else what is installed.

        Args:
            name: The name that it was registered under.

        Raises:
            NotFoundError: There is none, or it cannot be imported.
        """
        if name not in self.defined:
            installed = find_entry_points(self.group)
            if name not in installed:
                known = ", ".join(map(repr, self.names()))
                fix = f"Known: {known}; define others with" if known else "Define it with"
                raise self.not_found(
                    f"There is no {self.word} named {name!r}.", fix=f"{fix} {self.decorator}."
                )
            self.defined[name] = self._open(installed[name].value, installed[name].load)
        return self.defined[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all that this process can find."""
        return tuple(sorted(self.defined.keys() | find_entry_points(self.group).keys()))

    def load(self, reference: AlgorithmReference) -> Made:
        """Return what a reference leads to, in any process.

        Args:
            reference: An import path, or the code itself by value.

        Raises:
            NotFoundError: Its module or name is gone, its pickled value cannot be opened, or another Python
                has made that.
        """
        if (why := foreign_reason(reference.python, host=platform.node())) is not None:
            fix = foreign_fix(reference.python, self.decorator)
            raise self.not_found(f"The {self.word} cannot be loaded.", why, fix)
        origin = f"the pickled {self.word}" if reference.value is not None else str(reference.path)
        return self._open(origin, lambda: open_code(reference))

    def misdeclared(self, argument: str, given: object, wanted: str) -> ConfigError:
        """Return the error for an argument of the decorator that is not what it has to be.

        Args:
            argument: Its name.
            given: Its value.
            wanted: What to pass instead.
        """
        what = f"{self.decorator} cannot use {format_value(given)} as {argument}."
        return ConfigError(what, fix=f"Pass {wanted}.")

    def to_list(self, argument: str, given: Any, wanted: str) -> list[Any]:
        """Return an argument of the decorator as a list.

        Args:
            argument: Its name.
            given: Its value.
            wanted: What to pass instead.

        Raises:
            ConfigError: It has no items.
        """
        try:
            return list(given)
        except TypeError as error:
            raise self.misdeclared(argument, given, wanted) from error

    def _open(self, origin: str, opened: Callable[[], Any]) -> Made:
        try:
            value = opened()
        except Exception as error:
            install = f"Install what it needs on {platform.node()}"
            fix = f"{install}, or define it again with {self.decorator} and {self.again}."
            raise self.not_found(f"{origin} cannot be loaded.", format_error(error), fix) from error
        if not isinstance(value, self.kind):
            raise self.not_found(
                f"{origin} is not an {self.word}.", fix=f"Decorate it with {self.decorator}."
            )
        return value


@cache
def find_entry_points(group: str) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by their names."""
    return {point.name: point for point in entry_points(group=group)}
