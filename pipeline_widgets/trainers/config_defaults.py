"""Config models of ready algorithms with the defaults that a user chooses for one of their own."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, TypeVar

from pydantic import BaseModel, create_model

from pipeline_widgets.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)


def with_defaults(
    base: type[Settings], algorithm: str, title: str, defaults: Mapping[str, Any]
) -> type[Settings]:
    """Return a config model with other defaults, which goes to other processes by value.

    The defaults are validated when a config is made of it, as any other values are.

    Args:
        base: The config model.
        algorithm: What errors call the algorithm.
        title: The name of the new class.
        defaults: Values by the names of fields.

    Raises:
        ConfigError: There is no such field.
    """
    fields: dict[str, Any] = {}
    for field, value in defaults.items():
        if field not in base.model_fields:
            known = ", ".join(base.model_fields)
            raise ConfigError(f"{algorithm} has no config field {field!r}.", fix=f"Its fields are {known}.")
        info = base.model_fields[field]
        fields[field] = (info.annotation, _with_default(info, value))
    module = "__main__"  # cloudpickle keeps by value what is of no module that others could import
    return create_model(title, __base__=base, __module__=module, **fields)


def _with_default(info: Any, value: Any) -> Any:
    changed = copy(info)
    changed.default, changed.validate_default = value, True
    changed._attributes_set = {**info._attributes_set, "default": value, "validate_default": True}  # noqa: SLF001
    return changed
