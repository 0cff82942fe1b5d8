"""Refusals of the file system in words, and whether it is on another machine."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline_widgets.errors import StorageError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
WRITABLE = 0o222
FLUSH_THREADS = 16
#: From so many files on, the whole file system is brought to the disk by one call. It also waits for what
#: others have written, but not for a commit of the journal for each file.
FLUSH_AS_ONE = 128
SYNCFS_TELLS_ERRORS = (5, 8)  # since this Linux
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
#: File systems of this machine's own disks and memory: the only ones on which SQLite's WAL, which processes
#: share through memory, is known to work. Any other may be shared with another machine or kernel.
LOCAL = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "nilfs2"),
        *("tmpfs", "ramfs", "overlay", "aufs", "ecryptfs", "squashfs", "vfat", "exfat", "ntfs3"),
        *("apfs", "hfs", "ufs", "ntfs", "refs", "fat32"),
    }
)
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


@contextmanager
def translate_os_errors(path: Path, codes: Collection[int] = FULL | REFUSED) -> Generator[None]:
    """Turn the system's refusals to write or read into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise
        if error.errno in FULL:
            fix = "Free some space and start again; what was saved before is intact."
            raise StorageError(f"Nothing could be saved in {path}.", "The disk is full.", fix) from error
        fix = "Get permission to write there, or choose another folder."
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
    """Return the permissions of the group that a folder is shared with; 0 where it is not shared."""
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


def flush_all(files: Sequence[Path], folder: Path, tell: Callable[[], None] = lambda: None) -> None:
    """Bring files to the disk: many as one, a few at the same time.

    Args:
        files: The files.
        folder: A folder on their file system.
        tell: Called now and then, also from other threads.
    """
    if len(files) >= FLUSH_AS_ONE and _flush_filesystem(folder):
        return
    if len(files) < FLUSH_THREADS:  # no thread is worth it
        for file in files:
            flush(file)
            tell()
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  for those who publish many files

    def flush_one(file: Path) -> None:
        flush(file)
        tell()

    with ThreadPoolExecutor(FLUSH_THREADS) as pool:
        for flushed in [pool.submit(flush_one, file) for file in files]:
            flushed.result()


def _flush_filesystem(folder: Path) -> bool:
    """Bring all of a file system of this machine to the disk; False where that cannot be told for certain."""
    if sys.platform != "linux" or _linux() < SYNCFS_TELLS_ERRORS or is_network(folder):
        return False
    import ctypes  # noqa: PLC0415  for those who publish many files

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)
    return True


def _linux() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def make_read_only(path: Path) -> None:
    """Let nobody change a file, as far as the file system lets us.

    Not on Windows, where it could not be deleted then.
    """
    if os.name == "nt":
        return
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & WRITABLE:
            path.chmod(mode & ~WRITABLE)


def is_network(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Return whether a folder may be on another machine, where SQLite's WAL does not work.

    A file system counts as local only if it is known to be. Linux tells by its table of mounts; elsewhere the
    system's list of partitions is asked. Where nothing is told the answer is yes: a rollback journal works on
    every file system.
    """
    folder = folder.resolve()
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return _partition_kind(folder) not in LOCAL
    return _mounted_kind(folder, table) not in LOCAL


@dataclass(frozen=True, slots=True)
class _Mount:
    id: str
    parent: str
    point: str
    kind: str


def _mounted_kind(folder: Path, table: str) -> str:
    """Return the kind of the file system that a folder is on; empty where the table does not tell."""
    mounts: list[_Mount] = []
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) >= 5 and kind:  # noqa: PLR2004  the fifth field is where it is mounted
            mounts.append(_Mount(fields[0], fields[1], _unescape(fields[4]), kind[0]))
    parents = {mount.id: mount.parent for mount in mounts}
    seen = [
        mount
        for at, mount in enumerate(mounts)
        if _is_within(str(folder), mount.point)  # first: few are left, and a machine may have hundreds
        and not any(_covers(later, mount, parents) for later in mounts[at + 1 :])
    ]
    nearest = max(seen, key=lambda mount: len(mount.point), default=None)
    return nearest.kind if nearest else ""


def _is_within(path: str, folder: str) -> bool:
    """Return whether an absolute path is that of a folder, or below; `Path` would take ten times as long."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _covers(later: _Mount, earlier: _Mount, parents: Mapping[str, str]) -> bool:
    """Return whether a mount hides an earlier one: it lies over its folder or above, without carrying it."""
    if not _is_within(earlier.point, later.point):
        return False
    above, seen = earlier.parent, {earlier.id}
    while above in parents and above not in seen:
        if above == later.id:
            return False
        seen.add(above)
        above = parents[above]
    return True


def _unescape(text: str) -> str:
    """Return a field of the table of mounts, in which spaces and the like are octal numbers."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)


def _partition_kind(folder: Path) -> str:
    """Return the kind of a folder's file system as macOS, Windows and BSD tell it, or nothing."""
    import psutil  # noqa: PLC0415  not on Linux

    with suppress(OSError, RuntimeError, NotImplementedError):
        partitions = [each for each in psutil.disk_partitions(all=True) if each.mountpoint]
        holding = [each for each in partitions if folder.is_relative_to(each.mountpoint)]
        nearest = max(holding, key=lambda each: len(Path(each.mountpoint).parts), default=None)
        if nearest is not None and "remote" not in nearest.opts.split(","):
            return nearest.fstype.lower()
    return ""
