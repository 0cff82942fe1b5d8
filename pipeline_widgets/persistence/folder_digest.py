"""The digest of a folder: SHA-256 over the names and the bytes of all its files, in the order of names."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.folder_tree import tree_of

CHUNK = 1 << 20  # bytes read at once
#: Bytes from which on it is remembered what a folder's digest was: what is smaller is read as quickly.
REMEMBERED_FROM = 16 << 20
#: A file that was changed less than these seconds before it was read could be changed again within the same
#: tick of its file system's clock: its times would not tell. Ticks are 10 ms or shorter.
SETTLED_FOR = 0.02
MOST_REMEMBERED = 256


class FolderDigest:
    """The digest of a folder whose files are passed by, in the order of their names."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0

    def begin(self, name: str, size: int) -> None:
        """Begin a file.

        Args:
            name: Its path in the folder, with slashes.
            size: Its bytes, which follow by `update`.
        """
        self._sha256.update(_entry(name, size))
        self.size += size

    def update(self, data: bytes) -> None:
        """Take in the next bytes of the file."""
        self._sha256.update(data)

    def finish(self, empty: Iterable[str]) -> tuple[str, str]:
        """Return the digest, and the one without empty folders, by which former versions knew the folder.

        Args:
            empty: The paths of the folders in which nothing is.
        """
        former = self._sha256.hexdigest()
        for name in sorted(empty):
            self._sha256.update(_entry(f"{name}/", 0))  # no file has such a name
        return self._sha256.hexdigest(), former


@dataclass(frozen=True, slots=True)
class MeasuredFolder:
    """A folder as it was on disk."""

    folder: PublishedFolder
    #: The digest without empty folders, by which former versions knew it.
    former: str

    @property
    def digests(self) -> tuple[str, str]:
        """Both digests; a row has either of them."""
        return self.folder.digest, self.former


#: What tells that a file was not written since: its name, number, size and times.
_FileState = tuple[str, int, int, int, int]
_remembered: dict[str, tuple[list[_FileState], MeasuredFolder]] = {}


def measure_folder(path: Path, tell: Callable[[int], None] = lambda _: None) -> MeasuredFolder:
    """Read a folder as it is on disk now. This process remembers the digest of a large one.

    Args:
        path: The folder.
        tell: Called with the bytes of each part that was read.

    Raises:
        CheckpointError: Something in it is neither a file nor a folder, or cannot be read.
    """
    digest, (files, empty) = FolderDigest(), list_files(path)
    states: list[_FileState] = []
    is_settled = _let_settle([file for _, file in files])
    for name, file in files:
        with file.open("rb", 0) as stream:
            state = _state_of(name, os.fstat(stream.fileno()))
            is_settled = is_settled and time.time() - state[-1] / 1e9 > SETTLED_FOR
            states.append(state)
            digest.begin(name, state[2])
            while part := stream.read(CHUNK):
                digest.update(part)
                tell(len(part))
    whole, former = digest.finish(empty)
    measured = MeasuredFolder(PublishedFolder(path=path, size=digest.size, digest=whole), former)
    forget(path)
    if is_settled and not filesystem.is_network(path):
        while len(_remembered) >= MOST_REMEMBERED:
            _remembered.pop(next(iter(_remembered)), None)
        _remembered[str(path)] = states, measured
    return measured


def _let_settle(files: Iterable[Path]) -> bool:
    """Wait for a moment where large files have just been written; False where they are small."""
    found = [file.stat() for file in files]
    if sum(each.st_size for each in found) < REMEMBERED_FROM:
        return False
    age = time.time() - max(each.st_ctime for each in found)
    if 0 <= age <= SETTLED_FOR:
        time.sleep(SETTLED_FOR - age + 0.001)
    return True


def recall_measurement(path: Path) -> MeasuredFolder | None:
    """Return what this process has read of a folder, if no file of it was written since; else None."""
    states, measured = _remembered.get(str(path), (None, None))
    if measured is not None:
        with suppress(OSError, CheckpointError):
            if [_state_of(name, file.stat()) for name, file in list_files(path)[0]] == states:
                return measured
    return None


def move_measurement(path: Path, target: Path) -> None:
    """Remember a folder by its new name."""
    states, measured = _remembered.pop(str(path), (None, None))
    if states is not None and measured is not None:
        _remembered[str(target)] = states, replace(measured, folder=replace(measured.folder, path=target))


def forget(path: Path) -> None:
    """Forget what was read of a folder."""
    _remembered.pop(str(path), None)


def _state_of(name: str, found: os.stat_result) -> _FileState:
    return name, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def list_files(path: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """Return the files of a folder by their names in it, in the order of the digest, and its empty folders.

    Raises:
        CheckpointError: Something in it is neither a file nor a folder, or cannot be read.
    """
    tree = tree_of(path)
    files = sorted((file.relative_to(path).as_posix(), file) for file in tree.files)
    return files, [folder.relative_to(path).as_posix() for folder in tree.empty]


def _entry(name: str, size: int) -> bytes:
    encoded = name.encode("utf-8", "surrogateescape")  # a name on a disk need not be text
    return b"%d:%b:%d:" % (len(encoded), encoded, size)
