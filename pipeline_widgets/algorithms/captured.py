"""Find the objects that the code of a by-value algorithm refers to, by name."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

_GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"})


@dataclass(frozen=True, slots=True)
class Captured:
    """An object that code refers to, with the code that does and the way in which it does."""

    name: str
    value: object
    how: str

    @property
    def sentence(self) -> str:
        """A description without a full stop: "'lock' (a _thread.lock) is a global that train() uses"."""
        kind = type(self.value)
        home = "" if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}."
        return f"{self.name!r} (a {home}{kind.__qualname__}) is {self.how}"


def find_captured(algorithm: object) -> Iterator[Captured]:
    """Yield the objects that an algorithm refers to, through all code that goes with it; no code itself."""
    seen: set[int] = set()
    left: list[object] = [algorithm]
    if is_dataclass(algorithm):
        left = [getattr(algorithm, each.name) for each in fields(algorithm)]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType) and not is_importable(value):
            found = list(_of_function(value))
        elif isinstance(value, type) and not is_importable(value):
            found = list(_of_class(value))
        else:
            continue
        for each in found:
            inner = code_in(each.value)
            left += inner
            if not inner and not isinstance(each.value, (FunctionType, type, ModuleType)):
                yield each


def _of_function(function: FunctionType) -> Iterator[Captured]:
    called = f"{function.__name__}()"
    for name in dict.fromkeys(global_names(function.__code__)):
        if name in function.__globals__:
            yield Captured(name, function.__globals__[name], f"a global that {called} uses")
    for name, value in variables_around(function):
        yield Captured(name, value, f"a variable of the function around {called}")
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for value in defaults:
        yield Captured("default", value, f"a default argument of {called}")


def variables_around(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield the variables of the functions around a function that it uses."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not assigned yet
            yield name, cell.cell_contents


def _of_class(kind: type[Any]) -> Iterator[Captured]:
    for name, value in vars(kind).items():
        if name not in {"__dict__", "__weakref__", "__module__", "__doc__"} and not name.startswith(
            "__pydantic"
        ):
            yield Captured(name, value, f"an attribute of class {kind.__name__}")
    for base in kind.__bases__:
        yield Captured(base.__name__, base, f"a base of class {kind.__name__}")


def code_in(value: object) -> list[object]:
    """Return the functions and classes that a value is or stands for."""
    if isinstance(value, (FunctionType, type)):
        return [value]
    if isinstance(value, MethodType):
        return [value.__func__, type(value.__self__)]
    if isinstance(value, property):
        return [each for each in (value.fget, value.fset, value.fdel) if each is not None]
    if isinstance(value, (staticmethod, classmethod)):
        return [cast(Any, value).__func__]
    wrapped = getattr(value, "__wrapped__", None)
    if isinstance(wrapped, FunctionType):
        return [wrapped]
    if is_dataclass(value) and type(value).__name__ == "Algorithm":  # another algorithm, or this one itself
        return [getattr(value, each.name) for each in fields(value) if callable(getattr(value, each.name))]
    return []


def global_names(code: CodeType) -> Iterator[str]:
    """Yield the global names that code uses, some more than once."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBALS:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from global_names(constant)


def is_importable(value: Any) -> bool:
    """Return whether another process finds it by its module and name."""
    module = sys.modules.get(value.__module__ or "")
    if module is None or value.__module__ == "__main__":
        return False
    found: object = module
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value
