"""Files that share their content with others where that is safe, and copies that are digested on the way."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from pathlib import Path

from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.folder_digest import CHUNK, FolderDigest

_CLONE = 0x40049409  # FICLONE of linux/fs.h: Btrfs, XFS, bcachefs, overlays of them


def link_file(source: Path, target: Path) -> bool:
    """Give a file a second name, where nobody changes it by one of them; return whether it has it.

    That is a file of this user's that even this user may not write: published files are such, but for root,
    whom no mode keeps from writing.

    Args:
        source: The file.
        target: The second name, which nothing has yet.
    """
    if os.name == "nt":
        return False
    with suppress(OSError, NotImplementedError):  # another file system, or one without links
        found = source.lstat()
        is_fixed = stat.S_ISREG(found.st_mode) and not found.st_mode & filesystem.WRITABLE
        if is_fixed and found.st_uid == os.geteuid() and not _can_write(source):
            os.link(source, target, follow_symlinks=False)
            return True
    return False


def clone_file(source: Path, target: Path) -> bool:
    """Let a new file have the content of another one without copying it, until one of them changes.

    Args:
        source: The file.
        target: The new file; where its file system cannot do that, it is empty.

    Returns:
        Whether it has the content.
    """
    with filesystem.open_private(target, "xb") as made:
        try:
            import fcntl  # noqa: PLC0415  not on Windows

            with source.open("rb") as file:
                fcntl.ioctl(made.fileno(), _CLONE, file.fileno())
        except (ImportError, OSError):
            return False
    return True


def read_file(
    name: str,
    path: Path,
    digests: Iterable[FolderDigest],
    tell: Callable[[int], None],
    target: Path | None = None,
) -> None:
    """Take a file into digests, and copy it on the way: its bytes are read once.

    Args:
        name: Its name in the folder, with slashes.
        path: The file.
        digests: Digests of folders that it is in.
        tell: Called with the bytes of each part that was read.
        target: Where it is copied to; it is there, and empty.
    """
    digests = [*digests]
    with path.open("rb", 0) as source, nullcontext() if target is None else target.open("wb") as copied:
        size = os.fstat(source.fileno()).st_size
        for digest in digests:
            digest.begin(name, size)
        while part := source.read(CHUNK):
            for digest in digests:
                digest.update(part)
            if copied is not None:
                copied.write(part)
            tell(len(part))


def _can_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
