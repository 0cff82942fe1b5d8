"""Folders of checkpoints: published atomically, known by the digest of their content."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import FrozenCopy, PublishedFolder
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import artifact_paths, filesystem
from pipeline_widgets.persistence.folder_digest import CHUNK, FolderDigest, list_files
from pipeline_widgets.persistence.folder_tree import materialize, tree_of

#: Reads what was written once, and gives it its name: draft, parent, and what the name begins with.
Settle: TypeAlias = Callable[[Path, Path, str], PublishedFolder]

DRAFT = ".writing-"
INSTEAD = "Choose another checkpoint, or run the stage that made it again."


@dataclass(slots=True)
class Publication:
    """A folder being written. `folder` is there once the block has ended."""

    path: Path
    published: PublishedFolder | None = None

    @property
    def folder(self) -> PublishedFolder:
        """The content that was published."""
        if self.published is None:
            raise StorageError("The folder is not published yet.", fix="Leave the with block first.")
        return self.published


@contextmanager
def publish(
    parent: Path, *, stem: str, private: bool = False, settle: Settle | None = None
) -> Generator[Publication]:
    """Yield a folder to write into; when the block ends well it appears as `parent/stem-digest`.

    A folder of the same content that is there already is left as it is.

    Links are replaced by copies of what they lead to.

    Args:
        parent: Where it appears; it is made where there is none, for its user only.
        stem: What its name begins with.
        private: Whether only its user can enter it, as what a workspace keeps. Otherwise the umask decides,
            but nobody else can write there.
        settle: Reads what was written and gives it its name; by default `settle_here`.

    Raises:
        CheckpointError: What was written cannot be kept: a link to nothing, a named pipe, and the like.
        StorageError: The disk is full, or the folder may not be written.
    """
    publication = Publication(path=make_draft(parent, private=private))
    try:
        with filesystem.translate_os_errors(
            parent, filesystem.FULL
        ):  # another refusal in the block is the writer's own affair
            yield publication
        with filesystem.translate_os_errors(parent):
            materialize(publication.path)
            publication.published = (settle or settle_here)(publication.path, parent, stem)
    finally:
        shutil.rmtree(publication.path, ignore_errors=True)


def make_draft(parent: Path, *, private: bool = True) -> Path:
    """Make a folder to write into, which has no name of its own yet.

    Args:
        parent: Where it is to appear; it is made where there is none, for its user only.
        private: Whether only its user can enter it.

    Raises:
        StorageError: It may not be made there.
    """
    with filesystem.translate_os_errors(parent):
        filesystem.make_private_folder(parent)
        draft = parent / name_draft()
        if private:
            filesystem.make_private_folder(draft)
        else:
            draft.mkdir(0o755)
    return draft


def name_draft() -> str:
    """Return a name for a folder that is being written; `remove_drafts` finds it."""
    return f"{DRAFT}{uuid4().hex}"


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


def copy(
    source: PublishedFolder,
    parent: Path,
    *,
    stem: str,
    leave_out: Collection[str] = (),
    settle: Settle | None = None,
) -> PublishedFolder:
    """Publish a copy of a folder, whose files can be read by their user only.

    Args:
        source: The folder, as it was published.
        parent: Where the copy appears.
        stem: What its name begins with.
        leave_out: Glob patterns of files and folders that are not copied.
        settle: As for `publish`.

    Raises:
        CheckpointError: The folder is gone, its content has changed, or nothing of it would be copied.
    """
    if not source.path.is_dir():
        raise missing(source.path)
    with publish(parent, stem=stem, private=True, settle=settle) as publication:
        with filesystem.translate_os_errors(parent):
            tree = tree_of(source.path)
            files = [file for file in tree.files if not _matches(file.relative_to(source.path), leave_out)]
            if tree.files and not files:
                why = f"All of its files match {', '.join(map(repr, leave_out))}."
                what = f"Nothing of the checkpoint {source.path} is for an agent."
                raise CheckpointError(what, why, "Correct training_only of its algorithm.")
            for file in files:
                target = publication.path / file.relative_to(source.path)
                filesystem.make_private_folder(target.parent)
                filesystem.open_private(target, "xb").close()
                shutil.copyfile(file, target)
            for folder in tree.empty:
                if _matches(folder.relative_to(source.path), leave_out):
                    continue
                filesystem.make_private_folder(publication.path / folder.relative_to(source.path))
        # Only now, so that a change meanwhile is noticed; a whole copy is measured in place of the original.
        copied = _measure(publication.path if len(files) == len(tree.files) else source.path)
        if source.digest not in copied.digests:
            raise corrupt(source, copied.folder)
    return publication.folder


def folder_of(checkpoint: Checkpoint) -> PublishedFolder:
    """Return the folder of a checkpoint as it was published."""
    return PublishedFolder(path=Path(checkpoint.path), size=checkpoint.size, digest=checkpoint.digest)


def freeze(
    checkpoint: Checkpoint,
    name: str,
    parent: str,
    training_only: Collection[str] = (),
    *,
    is_adopted: bool = False,
    settle: Settle | None = None,
) -> FrozenCopy:
    """Copy a checkpoint below `parent`, for an agent of that name, into a folder of its own.

    Two copies never share one, so that deleting an agent cannot take the files of another. Files that match a
    pattern of `training_only`, such as the state of an optimizer, are left out.

    Args:
        checkpoint: The checkpoint.
        name: The name of the agent.
        parent: Where copies of agents are.
        training_only: Glob patterns of files that are left out.
        is_adopted: Whether its folder may be outside of the workspace, since the user has adopted it.
        settle: As for `publish`.

    Raises:
        CheckpointError: It is missing or corrupt, or no folder of the workspace.
        StorageError: The copy cannot be written.
    """
    if not is_adopted:
        artifact_paths.check_readable(checkpoint.path, Path(parent).parent)
    stem = f"{checkpoint.step:010d}-{uuid4().hex}"
    copied = copy(folder_of(checkpoint), Path(parent), stem=stem, leave_out=training_only, settle=settle)
    return FrozenCopy(
        name=name,
        step=checkpoint.step,
        digest=checkpoint.digest,
        path=str(copied.path),
        copy_digest=copied.digest,
        copy_size=copied.size,
    )


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
    total = 0
    for folder, _, names in os.walk(entry.path):
        for name in names:
            with suppress(OSError):
                total += Path(folder, name).stat(follow_symlinks=False).st_size
    return total


def measure(path: Path) -> PublishedFolder:
    """Return a folder's size and digest as they are on disk now.

    Raises:
        CheckpointError: Something in it is neither a file nor a folder, or cannot be read.
    """
    return _measure(path).folder


def verify(folder: PublishedFolder, root: Path | None = None) -> None:
    """Check that a folder still is what was published.

    Args:
        folder: What a row tells of it.
        root: The artifact folder, where the row may come from anybody: then the folder has to be in it.

    Raises:
        CheckpointError: It is gone, its content has changed, or it is not a folder of the workspace.
    """
    if root is not None:
        artifact_paths.check_readable(folder.path, root)
    if not folder.path.is_dir():
        raise missing(folder.path)
    with filesystem.translate_os_errors(folder.path):
        now = _measure(folder.path)
    if folder.digest not in now.digests:
        raise corrupt(folder, now.folder)


@dataclass(frozen=True, slots=True)
class _Measured:
    folder: PublishedFolder
    #: The digest without empty folders, by which former versions knew it.
    former: str

    @property
    def digests(self) -> tuple[str, str]:
        return self.folder.digest, self.former


def _measure(path: Path, tell: Callable[[], None] = lambda: None) -> _Measured:
    digest, (files, empty) = FolderDigest(), list_files(path)
    for name, file in files:
        digest.begin(name, file.stat().st_size)
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                tell()
    whole, former = digest.finish(empty)
    return _Measured(PublishedFolder(path=path, size=digest.size, digest=whole), former)


def _matches(path: Path, patterns: Collection[str]) -> bool:
    """Return whether a relative path, or a folder above it, matches a pattern from its right end."""
    return any(each.match(pattern) for each in (path, *path.parents[:-1]) for pattern in patterns)


def missing(path: Path) -> CheckpointError:
    """Return the error of a checkpoint whose folder is gone."""
    return CheckpointError(f"The checkpoint {path} is missing.", "Its folder is gone.", INSTEAD)


def corrupt(saved: PublishedFolder, now: PublishedFolder) -> CheckpointError:
    """Return the error of a checkpoint whose content has changed."""
    why = f"It has {now.size} bytes, {saved.size} were saved, and the digest differs."
    return CheckpointError(f"The checkpoint {saved.path} is corrupt.", why, INSTEAD)


def settle_here(path: Path, parent: Path, stem: str) -> PublishedFolder:
    """Bring a draft to the disk, and let it appear under its name and digest."""
    tell = sign_of_life(path)
    flush_tree(path, tell)
    written = _measure(path, tell).folder
    target = give_name(path, parent, stem, written.digest)
    return PublishedFolder(path=target, size=written.size, digest=written.digest)


def flush_tree(path: Path, tell: Callable[[], None] = lambda: None) -> None:
    """Bring a folder with all that is in it to the disk.

    Args:
        path: The folder.
        tell: Called after each file.
    """
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            filesystem.flush(Path(folder, name))
            tell()
        filesystem.flush(Path(folder))


def give_name(path: Path, parent: Path, stem: str, digest: str) -> Path:
    """Let a draft appear as `parent/stem-digest`, and return that. One that is there already stays."""
    target = parent / f"{stem}-{digest[:16]}"
    if not target.exists():
        try:
            path.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster, with the same content
                raise
        filesystem.flush(parent)
    return target


def sign_of_life(path: Path) -> Callable[[], None]:
    """Return a function that changes the time of a folder, at most once a second: a sign of progress."""
    told_at = 0.0

    def tell() -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= 1:
            told_at = now
            with suppress(OSError):
                os.utime(path)

    return tell
