"""What the file system says, in words: refusals, and whether it is on another machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from pipeline_widgets.errors import StorageError

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
