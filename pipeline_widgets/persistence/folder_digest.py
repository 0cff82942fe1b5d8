"""The digest of a folder: SHA-256 over the names and the bytes of all its files, in the order of names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pipeline_widgets.persistence.folder_tree import tree_of

CHUNK = 1 << 20  # bytes read at once


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
