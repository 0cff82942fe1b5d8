"""The number of CPU threads with which a model computes in the process of a run."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ONE_THREAD_BELOW = 2_000_000  # parameters


def use_one_thread_if_small(model: Any) -> None:
    """Compute a tiny model on the CPU with one thread from now on: several would mostly wait for each other.

    Args:
        model: A `torch.nn.Module`.
    """
    torch: Any = import_module("torch")  # not installed where types are checked

    parameters = list(model.parameters())
    on_cpu = all(each.device.type == "cpu" for each in parameters)
    if on_cpu and sum(each.numel() for each in parameters) < ONE_THREAD_BELOW:
        torch.set_num_threads(1)
