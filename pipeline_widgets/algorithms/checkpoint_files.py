"""The files of the embedded algorithms' checkpoints: arrays as .npz and facts as JSON, never pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline_widgets.algorithms.nn import MLP, Arrays
from pipeline_widgets.errors import CheckpointError

FIX = "Choose another checkpoint, or run the experiment that made it again."


class Facts(BaseModel):
    """What else than its arrays describes a part of a checkpoint, such as the sizes of a network."""

    model_config = ConfigDict(extra="forbid", frozen=True)


FactsT = TypeVar("FactsT", bound=Facts)


def save(folder: Path, part: str, facts: Facts, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write one part of a checkpoint. The same content gives the same bytes."""
    (folder / f"{part}.json").write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")
    save_arrays(folder, part, arrays)


def load(folder: Path, part: str, facts: type[FactsT]) -> tuple[FactsT, Arrays]:
    """Read one part of a checkpoint.

    Raises:
        CheckpointError: A file is missing, corrupt, or of another algorithm.
    """
    path = folder / f"{part}.json"
    try:
        described = facts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise unreadable(path, error) from error
    return described, load_arrays(folder, part)


def save_arrays(folder: Path, part: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays."""
    # Before numpy 2.1, `allow_pickle=False` would be saved as an array of that name.
    np.savez(folder / f"{part}.npz", **arrays)  # pyright: ignore[reportArgumentType]  all arrays


def load_arrays(folder: Path, part: str) -> Arrays:
    """Read named arrays.

    Raises:
        CheckpointError: The file is missing or corrupt.
    """
    path = folder / f"{part}.npz"
    try:
        # Opened here, because numpy leaves the file open when it is no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}
    except Exception as error:  # numpy and zipfile raise nearly anything on foreign bytes
        raise unreadable(path, error) from error


def named(prefix: str, arrays: Sequence[npt.NDArray[Any]]) -> Arrays:
    """Give a list of arrays names, for `save` and `restore`."""
    return {f"{prefix}.{index}": array for index, array in enumerate(arrays)}


def restore(targets: Sequence[npt.NDArray[Any]], arrays: Arrays, prefix: str) -> None:
    """Copy saved arrays into arrays of the same shapes.

    Raises:
        CheckpointError: One is missing, or has another shape, or holds what is not a finite number.
    """
    for name, target in named(prefix, targets).items():
        target[...] = _checked(arrays, name, target)


def restore_network(network: MLP, arrays: Arrays, prefix: str) -> None:
    """Copy saved parameters into a network of the same sizes."""
    restore(network.parameters, arrays, prefix)


def unreadable(path: Path, error: Exception) -> CheckpointError:
    """Return the error for a file that is not what this package saved."""
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"The checkpoint has no file {path.name}.", f"{path} does not exist.", FIX)
    problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    why = f"It is corrupt or comes from another algorithm ({type(error).__name__}: {problem})."
    return CheckpointError(f"The checkpoint file {path} cannot be read.", why, FIX)


def _checked(arrays: Arrays, name: str, target: npt.NDArray[Any]) -> npt.NDArray[Any]:
    what = "The checkpoint does not hold the expected weights."
    if name not in arrays:
        raise CheckpointError(what, f"The array {name!r} is missing.", FIX)
    array = arrays[name]
    if array.shape != target.shape or not np.can_cast(array.dtype, target.dtype, "same_kind"):
        why = f"{name!r} is {array.dtype}{array.shape}, needed is {target.dtype}{target.shape}."
        raise CheckpointError(what, why, FIX)
    if not np.isfinite(array).all():
        why = f"{name!r} holds NaN or infinities: the training diverged."
        raise CheckpointError(what, why, "Choose an earlier checkpoint, or lower the learning rate.")
    return array
