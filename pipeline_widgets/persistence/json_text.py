"""JSON as both databases take it: without characters that they refuse, and with NaN where JSON has none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pipeline_widgets.domain.text import replace_unencodable

_FLOAT = "$float"  # how PostgreSQL gets NaN and the infinities: {"$float": "nan"}
_NAMES = ("nan", "inf", "-inf")


def dump(value: Any) -> str:
    """Return a value as JSON, for SQLite, which takes NaN and Infinity as Python writes them.

    Raises:
        TypeError: It holds something that JSON cannot say.
        ValueError: It holds itself.
    """
    text = json.dumps(value)
    return json.dumps(_clean(value)) if _suspicious(text) else text


def dump_strict(value: Any) -> str:
    """Return a value as JSON by the letter of its standard, for PostgreSQL.

    Raises:
        TypeError: It holds something that JSON cannot say.
        ValueError: It holds itself.
    """
    text = dump(value)
    return json.dumps(_tag(json.loads(text))) if "NaN" in text or "Infinity" in text else text


def load_strict(text: str | bytes) -> Any:
    """Return the value that `dump_strict` was given."""
    tagged = _FLOAT.encode() in text if isinstance(text, bytes) else _FLOAT in text
    return json.loads(text, object_hook=_untag) if tagged else json.loads(text)


def _suspicious(text: str) -> bool:
    """Return whether JSON in ASCII may hold a NUL or half a surrogate pair."""
    return "\\u0000" in text or "\\ud" in text


def _clean(value: Any) -> Any:
    return _each(value, lambda one: replace_unencodable(one) if isinstance(one, str) else one)


def _tag(value: Any) -> Any:
    def tag(one: Any) -> Any:
        return {_FLOAT: repr(one)} if isinstance(one, float) and not math.isfinite(one) else one

    return _each(value, tag)


def _untag(value: dict[str, Any]) -> Any:
    return float(value[_FLOAT]) if value.keys() == {_FLOAT} and value[_FLOAT] in _NAMES else value


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value of JSON with each name and each single value of it changed."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return {change(name): _each(each, change) for name, each in pairs.items()}
    if isinstance(value, (list, tuple)):
        return [_each(each, change) for each in cast("Sequence[Any]", value)]
    return change(value)
