"""The tree of a checkpoint folder: files and folders. Links are replaced by copies of their targets."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from pipeline_widgets.errors import CheckpointError

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(slots=True)
class Tree:
    """The content of a folder; nothing was opened to find it out."""

    #: Regular files, and files behind links.
    files: list[Path] = field(default_factory=list[Path])
    #: Folders in which nothing is.
    empty: list[Path] = field(default_factory=list[Path])


def tree_of(root: Path) -> Tree:
    """Return the contents of a published folder.

    Links to folders are left out: folders that are published now have none, and those of former versions
    were digested and copied without.

    Raises:
        CheckpointError: Something in it is neither a file nor a folder, or cannot be read.
    """
    tree = Tree()
    left = [root]
    while left:
        folder = left.pop()
        entries = _entries(root, folder)
        if not entries and folder != root:
            tree.empty.append(folder)
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                left.append(path)
            elif entry.is_symlink() and path.is_dir():
                continue
            else:
                with _readable(root, path):
                    mode = path.stat().st_mode
                if not stat.S_ISREG(mode):
                    raise _special(root, path, mode)
                tree.files.append(path)
    return tree


def materialize(root: Path) -> None:
    """Replace all links in a folder by copies of what they lead to, so that it is whole wherever it is moved.

    Files that also have a name outside the folder (hard links) are copied as well: whoever goes on writing
    to them would change what was saved.

    Raises:
        CheckpointError: A link leads nowhere or in a circle, something is neither a file nor a folder, or
            something cannot be read. The message names it.
    """
    names: Counter[tuple[int, int]] = Counter()
    shared: list[tuple[Path, os.stat_result]] = []
    left = [root]
    while left:
        folder = left.pop()
        for entry in _entries(root, folder):
            path = folder / entry.name
            if entry.is_symlink():
                _follow(root, path)
                continue
            with _readable(root, path):
                found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                left.append(path)
            elif not stat.S_ISREG(found.st_mode):
                raise _special(root, path, found.st_mode)
            elif not os.access(path, os.R_OK):
                raise _unreadable(root, path)
            elif found.st_nlink > 1:
                names[found.st_dev, found.st_ino] += 1
                shared.append((path, found))
    for path, found in shared:
        if names[found.st_dev, found.st_ino] < found.st_nlink:
            _replace(path, path)


def _follow(root: Path, link: Path) -> None:
    real = _target(root, link)
    if real.is_dir():
        inside = Path(os.path.realpath(link.parent))
        _check_circle(root, link, real, (inside, *inside.parents))
        link.unlink()
        _bring(root, real, link, (real, inside, *inside.parents))
    else:
        _check_regular(root, link, real)
        _replace(real, link)


def _bring(root: Path, source: Path, place: Path, above: tuple[Path, ...]) -> None:
    """Copy a folder that lies elsewhere, with all that is linked in it; `above` are the folders around it."""
    place.mkdir()
    for entry in _entries(root, source, place):
        path = place / entry.name
        real = _target(root, path, source / entry.name)
        if real.is_dir():
            _check_circle(root, path, real, above)
            _bring(root, real, path, (real, *above))
        else:
            _check_regular(root, path, real)
            with _readable(root, path):
                shutil.copyfile(real, path)


def _target(root: Path, link: Path, source: Path | None = None) -> Path:
    try:
        return Path(os.path.realpath(source or link, strict=True))
    except PermissionError as error:
        raise _unreadable(root, link) from error
    except OSError as error:  # nothing is there, or the links form a circle
        why = f"It leads to nothing that is there: {error.strerror}."
        raise _refusal(root, link, "is a link that leads nowhere.", why) from error


def _check_circle(root: Path, link: Path, real: Path, above: tuple[Path, ...]) -> None:
    if real in above:
        raise _refusal(root, link, "is a link that leads in a circle.", f"It leads back to {real}.")


def _check_regular(root: Path, path: Path, real: Path) -> None:
    with _readable(root, path):
        mode = real.stat().st_mode
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its other end
        raise _special(root, path, mode)


def _replace(source: Path, place: Path) -> None:
    """Put a copy of a file in a place where something else is; the copy belongs to nobody else."""
    copied = place.with_name(f".{uuid4().hex}")
    shutil.copyfile(source, copied)
    copied.replace(place)


def _entries(root: Path, folder: Path, place: Path | None = None) -> list[os.DirEntry[str]]:
    with _readable(root, place or folder), os.scandir(folder) as entries:
        return list(entries)


@contextmanager
def _readable(root: Path, path: Path) -> Generator[None]:
    try:
        yield
    except PermissionError as error:
        raise _unreadable(root, path) from error
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG}:
            raise  # a disk that is full says so itself
        raise _refusal(root, path, "cannot be read.", f"{error.strerror}.") from error


def _unreadable(root: Path, path: Path) -> CheckpointError:
    return _refusal(root, path, "cannot be read.", "You have no right to read it.")


def _special(root: Path, path: Path, mode: int) -> CheckpointError:
    kind = _KINDS.get(stat.S_IFMT(mode), "neither a file nor a folder")
    return _refusal(root, path, f"is {kind}.", "A checkpoint consists of files and folders.")


def _refusal(root: Path, path: Path, problem: str, why: str) -> CheckpointError:
    name = os.fsencode(path.relative_to(root)).decode("utf-8", "replace")
    fix = "Leave it out of the checkpoint, or put the file itself there."
    return CheckpointError(f"{name!r} in the checkpoint {problem}", why, fix)
