"""The paths of published folders in a workspace, and whether a path that a row names is one of them.

A row can name any path: the file may come from somebody else, or be damaged. Nothing is read, copied or
deleted by such a path unless it is a place that this package gives to folders, below the artifact folder.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence.log_times import TIMES

RUNS, CHECKPOINTS, SHOWN, AGENTS = "runs", "checkpoints", "shown", "agents"
LOG = "log.txt"
#: What this package itself keeps in the folder of a run; anything else was put there by a training.
OWN_OF_RUNS = frozenset({CHECKPOINTS, SHOWN, LOG, TIMES})
_RUN = re.compile(r"\d{8,}")
_PUBLISHED = re.compile(r"\d{10,}-(?:[0-9a-f]{32}-)?[0-9a-f]{16}")
_UNPUBLISHED = re.compile(r"\.writing-[0-9a-f]{32}")
_SAFE_REMOVAL = shutil.rmtree.avoids_symlink_attacks and os.open in os.supports_dir_fd


def is_published_name(name: str) -> bool:
    """Return whether a folder has a name that publishing gives, before or after it has ended."""
    return (_PUBLISHED.fullmatch(name) or _UNPUBLISHED.fullmatch(name)) is not None


def is_checkpoint_folder(path: str | Path, root: Path, run_id: int | None = None) -> bool:
    """Return whether a path is a place for checkpoints, of that run where one is given.

    Args:
        path: What a row names.
        root: The artifact folder.
        run_id: The run that has saved it; None where any run may have.
    """
    parts = _parts(path, root)
    if len(parts) != 4 or (parts[0], parts[2]) != (RUNS, CHECKPOINTS):  # noqa: PLR2004  runs/ID/checkpoints/NAME
        return False
    own = _RUN.fullmatch(parts[1]) is not None and run_id in {None, int(parts[1])}
    return own and _PUBLISHED.fullmatch(parts[3]) is not None and _is_really_there(root, parts)


def is_agent_folder(path: str | Path, root: Path) -> bool:
    """Return whether a path is a place for the frozen copies of agents."""
    parts = _parts(path, root)
    fits = len(parts) == 2 and parts[0] == AGENTS and _PUBLISHED.fullmatch(parts[1]) is not None  # noqa: PLR2004
    return fits and _is_really_there(root, parts)


def check_readable(path: str | Path, root: Path) -> None:
    """Refuse to read a folder that is not one of this workspace's, also by a link.

    Whatever its own name is: only what is deleted has to bear one that publishing gives.

    Raises:
        CheckpointError: It is not.
    """
    parts = _parts(path, root)
    match parts:
        case ("runs", run, "checkpoints" | "shown", _):
            is_own = _RUN.fullmatch(run) is not None
        case ("agents", _):
            is_own = True
        case _:
            is_own = False
    if not is_own or os.path.islink(path) or not _is_really_there(root, parts):  # noqa: PTH114  paths of rows are texts
        raise _foreign(path, root)


def check_deletable_checkpoint(path: str | Path, root: Path, run_id: int) -> None:
    """Refuse to delete a folder that is not a place for the checkpoints of that run.

    Raises:
        CheckpointError: It is not.
    """
    if not is_checkpoint_folder(path, root, run_id):
        raise _foreign(path, root)


def check_deletable_copy(path: str | Path, root: Path) -> None:
    """Refuse to delete a folder that is not a place for the copies of agents.

    Raises:
        CheckpointError: It is not.
    """
    if not is_agent_folder(path, root):
        raise _foreign(path, root)


def remove(path: Path, root: Path) -> None:
    """Delete a folder of a run, a checkpoint, a shown item or an agent, as far as the system lets us.

    A link in its place is unlinked, and not followed: somebody keeps the files elsewhere, and they stay
    theirs. No folder on the way to it may be a link, but for `runs` and `agents` themselves.

    Raises:
        StorageError: It is not such a folder.
    """
    parts = _parts(path, root)
    if not _is_removable(parts):
        what = f"{path} is not deleted."
        raise StorageError(what, f"It is not a folder of a run, a checkpoint or an agent in {root}.")
    with suppress(OSError):
        if not _SAFE_REMOVAL:
            if _is_really_there(root, parts):
                _delete(path)
            return
        parent = _open_parent(root, parts)
        try:
            _delete_in(parent, parts[-1])
        finally:
            os.close(parent)


def _delete(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _delete_in(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)  # a link, or a file in its place; a folder refuses
    except OSError:
        shutil.rmtree(name, ignore_errors=True, dir_fd=parent)


def _open_parent(root: Path, parts: tuple[str, ...]) -> int:
    """Open the folder that holds a path, without following a link below `root/runs` and `root/agents`."""
    opened = os.open(root / parts[0], os.O_RDONLY | os.O_DIRECTORY)
    for part in parts[1:-1]:
        try:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
        finally:
            os.close(opened)
        opened = below
    return opened


def _is_removable(parts: tuple[str, ...]) -> bool:
    match parts:
        case ("runs", run):
            return _RUN.fullmatch(run) is not None
        case ("runs", run, "checkpoints" | "shown", name):
            return _RUN.fullmatch(run) is not None and is_published_name(name)
        case ("runs", run, name):
            return _RUN.fullmatch(run) is not None and name not in OWN_OF_RUNS
        case ("agents", name):
            return is_published_name(name)
        case _:
            return False


def _parts(path: str | Path, root: Path) -> tuple[str, ...]:
    """Return the parts of a path below the root; none where it is not below it as it is written."""
    try:
        parts = Path(path).relative_to(root).parts
    except ValueError:
        return ()
    return () if ".." in parts else parts


def _is_really_there(root: Path, parts: tuple[str, ...]) -> bool:
    """Return whether no link leads the folder that holds a path elsewhere."""
    holder = os.path.realpath(root.joinpath(*parts[:-1]))
    return holder == str(Path(os.path.realpath(root / parts[0]), *parts[1:-1]))


def _foreign(path: str | Path, root: Path) -> CheckpointError:
    why = f"It is not a folder that this workspace keeps in {root}, but the database names it."
    fix = "Nothing there was read or deleted. Restore the database, or choose another checkpoint."
    return CheckpointError(f"The folder {path} is not used.", why, fix)
