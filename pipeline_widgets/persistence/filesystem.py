"""What the file system says, in words: refusals, and whether it is on another machine."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline_widgets.errors import StorageError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "fuse.sshfs", "9p"})


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
        fix = "Give yourself the right to write there, or choose another folder."
        raise StorageError(f"{path} cannot be written.", f"{error.strerror}.", fix) from error


def make_private_folder(path: Path) -> None:
    """Make a folder that only its user can enter, whatever the umask, with its parents.

    A folder that is there already keeps its mode. In one that is shared with a group (setgid, as after
    `chmod g+rwxs`) a new folder is shared with the group as well, and a new file can be read by it.
    """
    try:
        path.mkdir(PRIVATE_FOLDER)
        if shared := _shared_bits(path.parent):
            path.chmod(PRIVATE_FOLDER | stat.S_ISGID | shared)
    except FileExistsError:
        if not path.is_dir():
            raise
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_private_folder(path.parent)
        make_private_folder(path)


def open_private(path: Path, mode: str, buffering: int = -1, **text: Any) -> IO[Any]:
    """Open a file for writing; a new one can be read by its user only, whatever the umask.

    Args:
        path: The file; one that is there already keeps its mode.
        mode: As for `open`.
        buffering: As for `open`.
        **text: The encoding and the like, as for `open`.
    """
    return open(path, mode, buffering, opener=_private, **text)


def _private(path: str, flags: int) -> int:
    shared = flags & os.O_CREAT and _shared_bits(Path(path).parent)
    return os.open(path, flags, PRIVATE_FILE | (stat.S_IRGRP if shared else 0))


def _shared_bits(folder: Path) -> int:
    """Return what a folder grants to the group with which it is shared; 0 where it is shared with none."""
    mode = folder.stat().st_mode
    return mode & stat.S_IRWXG if mode & stat.S_ISGID else 0


def flush(path: Path) -> None:
    """Bring a file or folder to the disk, so that a power cut cannot leave half of it."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder for this
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_network(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether a folder is on a network file system, where SQLite's WAL does not work.

    Where the system does not tell (outside Linux) the answer is no.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return False
    kinds: dict[Path, str] = {}
    for line in lines:
        left, _, right = line.partition(" - ")
        kinds[Path(left.split()[4].replace("\\040", " "))] = right.split()[0]
    folder = folder.resolve()
    holder = next((kinds[place] for place in (folder, *folder.parents) if place in kinds), "")
    return holder in NETWORK
