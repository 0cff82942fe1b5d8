"""The layers of a model that peft has given an adapter."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


def layers_with_adapter(model: Any) -> Generator[tuple[str, Any]]:
    """Yield the layers with an adapter named "default", and their names in the model without one."""
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight") and "default" in getattr(module, "lora_A", {}):
            yield name, module
