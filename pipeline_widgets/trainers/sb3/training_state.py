"""The state that a run needs, beside weights and statistics, to go on as if it had not been interrupted.

Optimizers, counters, schedules (through the counters), the returns of the last episodes, and the states of
the generators of Python, numpy, torch and the action space. Environments begin new episodes: most cannot be
saved. Nothing in the file needs unpickling of code.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers import generators

FILE = "training.pt"
_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_n_calls", "exploration_rate")
_COUNTERS_OF_PROGRESS = ("_current_progress_remaining",)
_EPISODES = ("ep_info_buffer", "ep_success_buffer")
_FIX = "Start from it instead of resuming, or choose another checkpoint."


def save(model: Any, path: Path) -> None:
    """Write the training state of a model.

    Args:
        model: An algorithm of Stable-Baselines3.
        path: The file.
    """
    import torch

    counters = [name for name in (*_COUNTERS, *_COUNTERS_OF_PROGRESS) if hasattr(model, name)]
    state = {
        "counters": {name: _plain(getattr(model, name)) for name in counters},
        "episodes": {name: _episodes(getattr(model, name)) for name in _EPISODES},
        "optimizers": {name: model.get_parameters()[name] for name in optimizer_names(model)},
        "generators": generators.capture(actions=model.action_space.np_random),
    }
    torch.save(state, path)


def read(folder: Path, device: Any = "cpu") -> dict[str, Any]:
    """Return the training state of a checkpoint.

    Args:
        folder: The checkpoint.
        device: Where the tensors of the optimizers go.

    Raises:
        CheckpointError: It has none, or it cannot be read.
    """
    import torch

    path = folder / FILE
    if not path.is_file():
        why = f"It has no file {FILE}: only weights were kept of it."
        raise CheckpointError("The checkpoint cannot be resumed.", why, _FIX)
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises nearly anything on foreign bytes
        why = f"{path.name} is corrupt ({type(error).__name__}: {error})."
        raise CheckpointError("The checkpoint cannot be resumed.", why, _FIX) from error


def optimizer_names(model: Any) -> list[str]:
    """Return the names of the optimizers of a model, as its parameters have them."""
    from stable_baselines3.common.save_util import recursive_getattr
    from torch.optim import Optimizer

    return [name for name in model.get_parameters() if isinstance(recursive_getattr(model, name), Optimizer)]


def restore_optimizers(model: Any, state: dict[str, Any]) -> None:
    """Give the optimizers of a model their moments; step sizes are set by the schedule at the next update."""
    from stable_baselines3.common.save_util import recursive_getattr

    for name in optimizer_names(model):
        if name not in state["optimizers"]:
            raise CheckpointError("The checkpoint cannot be resumed.", f"It has no {name!r}.", _FIX)
        recursive_getattr(model, name).load_state_dict(state["optimizers"][name])


def restore_counters(model: Any, state: dict[str, Any]) -> None:
    """Set steps, updates, exploration and the last episodes, which `learn()` sets back when it begins."""
    for name, value in state["counters"].items():
        setattr(model, name, value)
    for name, episodes in state["episodes"].items():
        window = getattr(model, "_stats_window_size", 100)
        setattr(model, name, None if episodes is None else deque(episodes, maxlen=window))


def restore_generators(model: Any, state: dict[str, Any]) -> None:
    """Let all generators go on from where they were."""
    generators.restore(state["generators"], actions=model.action_space.np_random)


def _episodes(kept: Any) -> list[Any] | None:
    """Return the episodes without the time that they took, by which equal runs would differ."""
    if kept is None:
        return None
    return [
        {name: _plain(value) for name, value in each.items() if name != "t"}
        if isinstance(each, dict)
        else _plain(each)
        for each in kept
    ]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
