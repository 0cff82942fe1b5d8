"""The files of the embedded algorithms' checkpoints: arrays as .npz and facts as JSON, never pickle."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.numpy.nn import MLP, Arrays

FACTS_LIMIT = 1 << 20  # bytes that describe a part of a checkpoint
#: The part of a checkpoint that only a resumed run needs: optimizers, targets, references.
TRAINING_PART = "training"
TRAINING_ONLY = (f"{TRAINING_PART}.npz",)
FIX = "Choose another checkpoint, or run the experiment that made it again."


class PartMetadata(BaseModel):
    """The description of a part of a checkpoint beside its arrays, such as the sizes of a network."""

    model_config = ConfigDict(extra="forbid", frozen=True)


MetadataT = TypeVar("MetadataT", bound=PartMetadata)


def save(folder: Path, part: str, facts: PartMetadata, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write one part of a checkpoint. The same content gives the same bytes."""
    (folder / f"{part}.json").write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")
    save_arrays(folder, part, arrays)


def load(folder: Path, part: str, facts: type[MetadataT]) -> tuple[MetadataT, Arrays]:
    """Read one part of a checkpoint.

    Raises:
        CheckpointError: A file is missing, corrupt, or of another algorithm.
    """
    path = folder / f"{part}.json"
    try:
        described = facts.model_validate_json(_start_of(path))
    except (OSError, ValidationError) as error:
        raise unreadable(path, error) from error
    return described, load_arrays(folder, part)


def save_arrays(folder: Path, part: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays."""
    # Before numpy 2.1, `allow_pickle=False` would be saved as an array of that name.
    np.savez(folder / f"{part}.npz", **arrays)  # pyright: ignore[reportArgumentType]  all arrays


def load_arrays(folder: Path, part: str) -> Arrays:
    """Read named arrays, which take no more memory than their file takes on the disk.

    Raises:
        CheckpointError: The file is missing or corrupt, or has more in it than it is large.
    """
    path = folder / f"{part}.npz"
    try:
        # Opened here, because numpy leaves the file open when it is no archive.
        with path.open("rb") as stream:
            _check_sizes(stream)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return {name: np.asarray(archive[name]) for name in archive.files}
    except Exception as error:  # numpy and zipfile raise nearly anything on foreign bytes
        raise unreadable(path, error) from error


class Placeholder(np.random.Generator):
    """Stands for the generator of a network whose saved parameters are at hand: it draws zeros.

    It draws no more numbers than were saved. A few bytes that describe a network can name sizes for which
    no machine has the memory.
    """

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(np.random.PCG64(0))
        self._left = sum(array.size for array in arrays.values())

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """Return zeros.

        Raises:
            CheckpointError: More numbers are asked for than were saved.
        """
        self._left -= math.prod(size)
        if self._left < 0:
            what = "The checkpoint does not hold the expected weights."
            raise CheckpointError(what, "It describes a larger network than it holds.", FIX)
        return np.zeros(size)


def named(prefix: str, arrays: Sequence[npt.NDArray[Any]]) -> Arrays:
    """Give a list of arrays names, for `save` and `restore`."""
    return {f"{prefix}.{index}": array for index, array in enumerate(arrays)}


def restore(targets: Sequence[npt.NDArray[Any]], arrays: Arrays, prefix: str) -> None:
    """Copy saved arrays into arrays of the same shapes.

    Raises:
        CheckpointError: One is missing, or has another shape, or holds what is not a finite number.
    """
    for name, target in named(prefix, targets).items():
        target[...] = _check(arrays, name, target)


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


def _start_of(path: Path) -> bytes:
    """Return the description of a part, or the beginning of one that is far too long and so refused."""
    with path.open("rb") as stream:
        return stream.read(FACTS_LIMIT)


def _check_sizes(stream: BinaryIO) -> None:
    """Refuse an archive that would take more memory than its file takes on the disk.

    This package saves arrays as they are, so they are never larger than the file. What is compressed, what
    lies over each other in the file, and what an array's own header declares can be larger by any factor.
    """
    total = 0
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename!r} is compressed")
            with archive.open(member) as content:
                total += _declared_size(content)
    stream.seek(0, os.SEEK_END)
    if total > stream.tell():
        raise ValueError(f"it declares {total:,} bytes and has {stream.tell():,}")


def _declared_size(content: IO[bytes]) -> int:
    """Return the bytes that the header of an array declares."""
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(content)
    return abs(math.prod(shape)) * dtype.itemsize


def _check(arrays: Arrays, name: str, target: npt.NDArray[Any]) -> npt.NDArray[Any]:
    what = "The checkpoint does not hold the expected weights."
    if name not in arrays:
        raise CheckpointError(what, f"The array {name!r} is missing.", FIX)
    array = arrays[name]
    if array.shape != target.shape or not np.can_cast(array.dtype, target.dtype, "same_kind"):
        why = f"{name!r} is {array.dtype}{array.shape}; {target.dtype}{target.shape} is needed."
        raise CheckpointError(what, why, FIX)
    if not np.isfinite(array).all():
        why = f"{name!r} holds NaN or infinities: the training diverged."
        raise CheckpointError(what, why, "Choose an earlier checkpoint, or lower the learning rate.")
    return array
