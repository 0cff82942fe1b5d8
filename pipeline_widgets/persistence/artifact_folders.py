"""What lies in the folders of a workspace: drafts that grow, what publishing has left, and other files."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.persistence import artifact_paths

DRAFT = ".writing-"  # what the name of a folder begins with that is being written


@dataclass(frozen=True, slots=True)
class WriteProgress:
    """The progress of folders that are being written; a later value differs as long as one grows."""

    files: int
    size: int
    changed_at: int


def read_write_progress(parent: Path) -> WriteProgress | None:
    """Return how far the folders have come that `publish` writes below `parent`; None without any.

    While such a folder is hashed, its own time of change tells that this goes on.
    """
    files, size, changed_at, found = 0, 0, 0, False
    with suppress(OSError):
        for draft in parent.glob(f"{DRAFT}*"):
            found = True
            for folder, _, names in os.walk(draft):
                for path in (Path(folder), *(Path(folder, name) for name in names)):
                    with suppress(OSError):  # it was moved or deleted meanwhile
                        stat = path.stat(follow_symlinks=False)
                        files, size = files + 1, size + stat.st_size
                        changed_at = max(changed_at, stat.st_mtime_ns)
    return WriteProgress(files, size, changed_at) if found else None


def sweep(parent: Path, root: Path, kept: Collection[str], *, age: float = 0.0) -> None:
    """Delete folders that `publish` has left below `parent`, as far as the system lets us.

    Args:
        parent: Where they are; nothing else that is there is touched.
        root: The artifact folder; where a link leads `parent` out of it, nothing is touched.
        kept: The paths of those that stay.
        age: Only what was written that many seconds ago goes.
    """
    until = time.time() - age
    with suppress(OSError):  # nothing was ever saved, or somebody else tidies up as well
        for each in list(os.scandir(parent)):
            ours = artifact_paths.is_published_name(each.name) and each.path not in kept
            if ours and each.stat(follow_symlinks=False).st_mtime <= until:
                artifact_paths.remove(Path(each.path), root)


def remove_drafts(parent: Path, root: Path) -> None:
    """Delete folders below `parent` that a process which is gone was writing, as far as the system lets us.

    Args:
        parent: Where they are; nothing else that is there is touched.
        root: The artifact folder.
    """
    with suppress(OSError):
        for draft in list(parent.glob(f"{DRAFT}*")):
            if artifact_paths.is_published_name(draft.name):
                artifact_paths.remove(draft, root)


def list_other_files(run_folder: Path) -> dict[Path, int]:
    """Return what a training has written into its run's folder beside checkpoints and log, with bytes."""
    found: dict[Path, int] = {}
    with suppress(OSError):
        for entry in os.scandir(run_folder):
            if entry.name not in artifact_paths.OWN_OF_RUNS:
                found[Path(entry.path)] = _bytes_below(entry)
    return found


def _bytes_below(entry: os.DirEntry[str]) -> int:
    if not entry.is_dir(follow_symlinks=False):
        return entry.stat(follow_symlinks=False).st_size
    return bytes_in(entry.path)


def bytes_in(path: str | Path) -> int:
    """Return the bytes of all files below a folder, as far as they can be told."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += Path(folder, name).stat(follow_symlinks=False).st_size
    return total
