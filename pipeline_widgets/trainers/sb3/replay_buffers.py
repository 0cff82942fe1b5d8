"""Replay buffers as files that are as large as their content.

The library pickles a buffer as it was allocated: a million rows, if ten are filled. Its own classes are kept
here as arrays of the filled rows; a class of somebody else's is pickled as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline_widgets.errors import CheckpointError

_OWN = frozenset({"ReplayBuffer", "DictReplayBuffer"})
_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_FIX = "Start from it instead of resuming, or resume with the config that it was made with."


def save(buffer: Any, folder: Path, name: str) -> None:
    """Write a replay buffer.

    Args:
        buffer: A ReplayBuffer of Stable-Baselines3, or of a subclass.
        folder: Where its file goes.
        name: The name of the file, without its ending.
    """
    if not _is_own(buffer):
        from stable_baselines3.common.save_util import save_to_pkl

        save_to_pkl(folder / f"{name}.pkl", buffer)
        return
    # With `optimize_memory_usage` the row at the position holds the last observation.
    rows = buffer.buffer_size if buffer.full else min(buffer.pos + 1, buffer.buffer_size)
    arrays = {key: array[:rows] for key, array in _arrays(buffer).items()}
    counters = {"pos": np.array(buffer.pos), "full": np.array(buffer.full)}
    np.savez(folder / f"{name}.npz", **arrays, **counters)  # pyright: ignore[reportArgumentType]  all arrays


def restore(model: Any, folder: Path, name: str) -> None:
    """Fill the replay buffer of a model with the transitions of a checkpoint.

    Args:
        model: An off-policy algorithm of Stable-Baselines3.
        folder: The checkpoint.
        name: The name of the file, without its ending.

    Raises:
        CheckpointError: It has none, or it is of another size, or of other environments.
    """
    if (folder / f"{name}.pkl").is_file():
        model.load_replay_buffer(folder / f"{name}.pkl")
        return
    path, buffer = folder / f"{name}.npz", model.replay_buffer
    if not path.is_file() or not _is_own(buffer):
        why = f"It has no replay buffer for a {type(buffer).__name__}."
        raise CheckpointError("The checkpoint cannot be resumed.", why, _FIX)
    with np.load(path, allow_pickle=False) as saved:
        full, pos = bool(saved["full"]), int(saved["pos"])
        for key, target in _arrays(buffer).items():
            rows = saved[key] if key in saved.files else None
            if rows is None or rows.shape[1:] != target.shape[1:] or len(rows) > len(target):
                there = "missing" if rows is None else f"of {rows.shape}"
                why = f"Its {key} are {there}, the buffer of this run has {target.shape}."
                raise CheckpointError("The replay buffer does not fit the config.", why, _FIX)
            if full and len(rows) != len(target):
                why = f"It was full with {len(rows)} rows, the buffer of this run has {len(target)}."
                raise CheckpointError("The replay buffer does not fit the config.", why, _FIX)
            target[: len(rows)] = rows
    buffer.pos, buffer.full = pos, full


def _arrays(buffer: Any) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for name in _ARRAYS:
        value = getattr(buffer, name, None)
        if isinstance(value, dict):
            arrays |= {f"{name}.{key}": array for key, array in value.items()}
        elif value is not None:
            arrays[name] = value
    return arrays


def _is_own(buffer: Any) -> bool:
    return type(buffer).__name__ in _OWN and type(buffer).__module__ == "stable_baselines3.common.buffers"
