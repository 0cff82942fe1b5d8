"""Values as the browser gets them: frozen dataclasses become mappings of JSON under the same names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, cast

from pipeline_widgets.widgets.steps import step_down


def encode(value: Any) -> Any:
    """Return a value as JSON.

    Times are seconds since 1970, numbers that are not finite are None, and integers beyond 2**53, which are
    steps, are text.

    Raises:
        TypeError: JSON has nothing for it.
    """
    match value:
        case Enum():
            return encode(value.value)
        case None | bool() | str():
            return value
        case int():
            return step_down(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.timestamp()
        case Mapping():
            return {name: encode(each) for name, each in cast("Mapping[str, Any]", value).items()}
        case Sequence():
            return [encode(each) for each in cast("Sequence[Any]", value)]
        case _ if is_dataclass(value):
            return encode_fields(value, *(field.name for field in fields(value)))
        case _:
            raise TypeError(f"{type(value).__name__} cannot be sent to a browser.")


def encode_fields(value: object, *names: str) -> dict[str, Any]:
    """Return attributes of a value, properties among them, as JSON under their own names."""
    return {name: encode(getattr(value, name)) for name in names}
