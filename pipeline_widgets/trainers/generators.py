"""The generators that a training draws from: seeding, and their states without any pickle."""

from __future__ import annotations

import importlib
import json
import random
from typing import Any

import numpy as np


def seed_all(seed: int) -> None:
    """Seed the generators of Python, numpy and torch.

    Args:
        seed: A whole number from 0.
    """
    torch: Any = importlib.import_module("torch")
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  the one that libraries draw from
    torch.manual_seed(seed)


def capture(**others: Any) -> dict[str, Any]:
    """Return the states of the generators of Python, numpy and torch, for `torch.save`.

    Args:
        **others: Generators of numpy, by a name.
    """
    torch: Any = importlib.import_module("torch")
    return {
        "python": json.dumps(random.getstate()),
        "numpy": _to_json(np.random.get_state(legacy=False)),  # noqa: NPY002
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        **{name: _to_json(generator.bit_generator.state) for name, generator in others.items()},
    }


def restore(saved: dict[str, Any], **others: Any) -> None:
    """Let the generators go on from where they were.

    Args:
        saved: What `capture` returned.
        **others: The same generators, by the same names.
    """
    torch: Any = importlib.import_module("torch")
    version, numbers, gauss = json.loads(saved["python"])
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(_of_json(saved["numpy"]))  # noqa: NPY002
    torch.set_rng_state(saved["torch"].cpu())
    if saved["cuda"] and torch.cuda.is_available() and len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([each.cpu() for each in saved["cuda"]])
    for name, generator in others.items():
        if name in saved:
            generator.bit_generator.state = _of_json(saved[name])


def derived(seed: int, step: int) -> int:
    """Return the seed of what begins again at a step, such as the episodes of a resumed run.

    Args:
        seed: Of the run.
        step: Where it goes on.
    """
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0]) % 2**31


def _to_json(state: Any) -> str:
    return json.dumps(state, default=lambda value: {"array": value.tolist(), "dtype": str(value.dtype)})


def _of_json(text: str) -> Any:
    def made(value: dict[str, Any]) -> Any:
        return np.array(value["array"], value["dtype"]) if set(value) == {"array", "dtype"} else value

    return json.loads(text, object_hook=made)
