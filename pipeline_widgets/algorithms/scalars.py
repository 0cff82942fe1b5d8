"""Scalars of other libraries as Python's own: what a database and another process can read without them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from pipeline_widgets.errors import ConfigError, format_value

_DEPTH = 3  # an item() that returns something with an item() again


def to_scalar(value: Any, depth: int = _DEPTH) -> Any:
    """Return the element of an array or tensor of one element as a Python number; anything else unchanged.

    numpy's scalars and 0-d arrays, and the tensors of torch, jax and others, have an `item()` for that.
    """
    if value is None or type(value) in {bool, int, float, str} or depth == 0:
        return value
    item = getattr(value, "item", None)
    if isinstance(value, type) or not callable(item):
        return value
    try:
        return to_scalar(item(), depth - 1)
    except (TypeError, ValueError, RuntimeError):  # it has several elements, and so no item
        return value


def to_facets(signature: Mapping[str, Any]) -> dict[str, Any]:
    """Return a signature with exactly texts, numbers and bools: what can be read without user code.

    Raises:
        ConfigError: A facet is something else.
    """
    return {str.__str__(name): _facet(name, value) for name, value in signature.items()}


def _facet(name: str, value: Any) -> Any:
    value = to_scalar(value.value if isinstance(value, Enum) else value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, PurePath):
        return str(value)
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    why = f"{name!r} is {format_value(value)}, a {type(value).__name__}."
    raise ConfigError("A facet of a signature is a text, a number or a bool.", why, "Convert it.")
