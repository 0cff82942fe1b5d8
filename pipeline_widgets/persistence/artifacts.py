"""Folders of checkpoints: published atomically, known by the digest of their content."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.errors import CheckpointError, StorageError

CHUNK = 1 << 20  # bytes read at once
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A published folder."""

    path: Path
    #: Bytes of all files.
    size: int
    #: SHA-256 over the relative names and the bytes of all files; the same content has the same digest.
    digest: str


@dataclass(slots=True)
class Publication:
    """A folder being written. `folder` is there once the block has ended."""

    path: Path
    published: Folder | None = None

    @property
    def folder(self) -> Folder:
        """What was published."""
        if self.published is None:
            raise StorageError("The folder is not published yet.", fix="Leave the with block first.")
        return self.published


@contextmanager
def publish(parent: Path, *, stem: str) -> Generator[Publication]:
    """Yield a folder to write into; when the block ends well it appears as `parent/stem-digest`.

    A folder of the same content that is there already is left as it is.

    Raises:
        StorageError: The disk is full, or the folder may not be written.
    """
    with explained(parent):
        parent.mkdir(parents=True, exist_ok=True)
        publication = Publication(path=Path(tempfile.mkdtemp(prefix=".writing-", dir=parent)))
    try:
        with explained(parent, FULL):  # another refusal in the block is the writer's own affair
            yield publication
        with explained(parent):
            publication.published = _settle(publication.path, parent, stem)
    finally:
        shutil.rmtree(publication.path, ignore_errors=True)


def copy(source: Path, parent: Path, *, stem: str) -> Folder:
    """Publish a copy of a folder."""
    with publish(parent, stem=stem) as publication:
        shutil.copytree(source, publication.path, dirs_exist_ok=True)
    return publication.folder


def measure(path: Path) -> Folder:
    """Return a folder's size and digest as they are on disk now."""
    total, digest = 0, hashlib.sha256()
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        name = file.relative_to(path).as_posix().encode()
        digest.update(len(name).to_bytes(8, "big") + name + file.stat().st_size.to_bytes(8, "big"))
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        total += file.stat().st_size
    return Folder(path=path, size=total, digest=digest.hexdigest())


def verify(folder: Folder) -> None:
    """Check that a folder still is what was published.

    Raises:
        CheckpointError: It is gone, or its content has changed.
    """
    fix = "Choose another checkpoint, or run the stage that made it again."
    if not folder.path.is_dir():
        raise CheckpointError(f"The checkpoint {folder.path} is missing.", "Its folder is gone.", fix)
    with explained(folder.path):
        now = measure(folder.path)
    if now.digest != folder.digest:
        why = f"It has {now.size} bytes, {folder.size} were saved, and the digest differs."
        raise CheckpointError(f"The checkpoint {folder.path} is corrupt.", why, fix)


@contextmanager
def explained(path: Path, codes: Collection[int] = FULL | REFUSED) -> Generator[None]:
    """Turn the system's refusals to write or read into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise
        if error.errno in FULL:
            fix = "Free some space and start again; what was saved before is intact."
            raise StorageError(f"Nothing could be saved in {path}.", "The disk is full.", fix) from error
        fix = "Give yourself the right to write there, or pass another artifacts folder."
        raise StorageError(f"{path} cannot be written.", f"{error.strerror}.", fix) from error


def _settle(path: Path, parent: Path, stem: str) -> Folder:
    for file in path.rglob("*"):
        _flush(file)
    _flush(path)
    written = measure(path)
    target = parent / f"{stem}-{written.digest[:12]}"
    if not target.exists():
        path.chmod(0o755)  # mkdtemp made it private; an artifact is as readable as any file
        path.rename(target)
        _flush(parent)
    return Folder(path=target, size=written.size, digest=written.digest)


def _flush(path: Path) -> None:
    """Bring a file or folder to the disk, so that a power cut cannot leave half of it."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder for this
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
