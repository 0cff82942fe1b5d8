"""Folders of checkpoints: published atomically, known by the digest of their content."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import FrozenCopy, PublishedFolder
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import artifact_paths, filesystem
from pipeline_widgets.persistence.artifact_folders import DRAFT, bytes_in
from pipeline_widgets.persistence.file_copies import clone_file, link_file, read_file
from pipeline_widgets.persistence.folder_digest import (
    FolderDigest,
    MeasuredFolder,
    list_files,
    measure_folder,
    move_measurement,
    recall_measurement,
)
from pipeline_widgets.persistence.folder_tree import materialize
from pipeline_widgets.persistence.progress import ProgressLines

#: Takes a line of a log.
Say: TypeAlias = Callable[[str], None]
#: Reads what was written once, and gives it its name: draft, parent, and what the name begins with.
Settle: TypeAlias = Callable[[Path, Path, str], PublishedFolder]

COPIED_MODE = (
    "Files of a saved checkpoint are read-only, and shutil.copy and copytree copy that as well. "
    "Copy them with shutil.copyfile, or copytree(..., copy_function=shutil.copyfile)."
)
INSTEAD = "Choose another checkpoint, or run the stage that made it again."


def be_silent(_: str) -> None:
    """Drop a line."""


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
    parent: Path,
    *,
    stem: str,
    private: bool = False,
    settle: Settle | None = None,
    say: Say = be_silent,
) -> Generator[Publication]:
    """Yield a folder to write into; when the block ends well it appears as `parent/stem-digest`.

    A folder of the same content that is there already is left as it is.

    Links are replaced by copies of what they lead to. Its files can be read only from then on, so that other
    folders of the workspace can share them.

    Args:
        parent: Where it appears; it is made where there is none, for its user only.
        stem: What its name begins with.
        private: Whether only its user can enter it, as what a workspace keeps. Otherwise the umask decides,
            but nobody else can write there.
        settle: Reads what was written and gives it its name; by default `settle_here`.
        say: Takes lines about what takes over a second.

    Raises:
        CheckpointError: What was written cannot be kept: a link to nothing, a named pipe, and the like.
        StorageError: The disk is full, or the folder may not be written.
    """
    publication = Publication(path=make_draft(parent, private=private))
    try:
        # Another refusal in the block is the writer's own affair.
        with filesystem.translate_os_errors(parent, filesystem.FULL), explain_read_only(publication.path):
            yield publication
        with filesystem.translate_os_errors(parent):
            materialize(publication.path)
            settle = settle or partial(settle_here, say=say)
            publication.published = settle(publication.path, parent, stem)
    finally:
        shutil.rmtree(publication.path, ignore_errors=True)


@contextmanager
def explain_read_only(draft: Path) -> Generator[None]:
    """Say, where a file in a draft may not be written, why that is: it was copied with its mode."""
    try:
        yield
    except PermissionError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(draft):
            error.add_note(COPIED_MODE)
        raise


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


def copy(
    source: PublishedFolder,
    parent: Path,
    *,
    stem: str,
    leave_out: Collection[str] = (),
    settle: Settle | None = None,
    can_share: bool = True,
    say: Say = be_silent,
) -> PublishedFolder:
    """Publish a copy of a folder, which nobody else can enter.

    Nothing is written where files can share their content: files that nobody can change by a second name
    (`link_file`), others where the file system copies them when they are changed. Otherwise a file is read
    once, for its copy and its digest.

    Args:
        source: The folder, as it was published.
        parent: Where the copy appears.
        stem: What its name begins with.
        leave_out: Glob patterns of files and folders that are not copied.
        settle: As for `publish`.
        can_share: Whether its files are the workspace's own, which can be given a second name.
        say: Takes lines about a copy that takes over a second.

    Raises:
        CheckpointError: The folder is gone, its content has changed, or nothing of it would be copied.
    """
    if not source.path.is_dir():
        raise missing(source.path)
    with filesystem.translate_os_errors(parent):
        copying = _Copying(source, leave_out, can_share=can_share)
        draft = make_draft(parent)
        try:
            lines = ProgressLines(say, f"Copying {source.path.name}")
            tell = sign_of_life(draft, lines, source.size)
            written = copying.fill(draft, tell)
            if settle is not None:
                return settle(draft, parent, stem)
            seal_tree(draft, tell, flushed=copying.linked)
            target = give_name(draft, parent, stem, written.digest)
            lines.finish()
            return replace(written, path=target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


class _Copying:
    """A copy of a folder, or of some of its files, that is checked against what was published."""

    def __init__(self, source: PublishedFolder, leave_out: Collection[str], *, can_share: bool) -> None:
        self._source, self._can_share = source, can_share
        self._files, empty = list_files(source.path)
        self._empty = empty
        self._kept = {name for name, _ in self._files if not _matches(Path(name), leave_out)}
        self._kept_empty = [name for name in empty if not _matches(Path(name), leave_out)]
        #: Files that share their content, which was brought to the disk when it was published.
        self.linked: set[Path] = set()
        if self._files and not self._kept:
            why = f"All of its files match {', '.join(map(repr, leave_out))}."
            what = f"Nothing of the checkpoint {source.path} is for an agent."
            raise CheckpointError(what, why, "Correct training_only of its algorithm.")

    @property
    def _is_whole(self) -> bool:
        return len(self._kept) == len(self._files) and len(self._kept_empty) == len(self._empty)

    def fill(self, draft: Path, tell: Callable[[int], None]) -> PublishedFolder:
        """Write the copy into a folder; return its size and digest.

        Raises:
            CheckpointError: The content of the source is not what was published.
        """
        known = recall_measurement(self._source.path)
        if known is not None and self._source.digest not in known.digests:
            raise corrupt(self._source, known.folder)
        whole, own = FolderDigest(), FolderDigest()
        digests = () if known else (whole,)
        own_digests = digests if self._is_whole else (*digests, own)
        for name, file in self._files:
            if name not in self._kept:
                if digests:
                    read_file(name, file, digests, tell)
                continue
            target = draft / name
            filesystem.make_private_folder(target.parent)
            is_shared = self._share(file, target)
            if own_digests or not is_shared:
                read_file(
                    name, target if is_shared else file, own_digests, tell, None if is_shared else target
                )
        for name in self._kept_empty:
            filesystem.make_private_folder(draft / name)
        found = known or self._measured(whole, self._empty)
        # Only now, so that a change meanwhile is noticed.
        if self._source.digest not in found.digests:
            raise corrupt(self._source, found.folder)
        copied = found if self._is_whole else self._measured(own, self._kept_empty)
        return replace(copied.folder, path=draft)

    def _share(self, file: Path, target: Path) -> bool:
        if self._can_share and link_file(file, target):
            self.linked.add(target)
            return True
        return clone_file(file, target)

    def _measured(self, digest: FolderDigest, empty: Collection[str]) -> MeasuredFolder:
        whole, former = digest.finish(empty)
        folder = PublishedFolder(path=self._source.path, size=digest.size, digest=whole)
        return MeasuredFolder(folder, former)


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
    say: Say = be_silent,
) -> FrozenCopy:
    """Copy a checkpoint below `parent`, for an agent of that name, into a folder of its own.

    Two copies never share one, so that deleting an agent cannot take the files of another; what these hold
    they may share (`copy`). Files that match a pattern of `training_only`, such as the state of an optimizer,
    are left out.

    Args:
        checkpoint: The checkpoint.
        name: The name of the agent.
        parent: Where copies of agents are.
        training_only: Glob patterns of files that are left out.
        is_adopted: Whether its folder may be outside of the workspace, since the user has adopted it.
        settle: As for `publish`.
        say: As for `copy`.

    Raises:
        CheckpointError: It is missing or corrupt, or no folder of the workspace.
        StorageError: The copy cannot be written.
    """
    if not is_adopted:
        artifact_paths.check_readable(checkpoint.path, Path(parent).parent)
    stem = f"{checkpoint.step:010d}-{uuid4().hex}"
    copied = copy(
        folder_of(checkpoint),
        Path(parent),
        stem=stem,
        leave_out=training_only,
        settle=settle,
        can_share=not is_adopted,
        say=say,
    )
    return FrozenCopy(
        name=name,
        step=checkpoint.step,
        digest=checkpoint.digest,
        path=str(copied.path),
        copy_digest=copied.digest,
        copy_size=copied.size,
    )


def measure(path: Path) -> PublishedFolder:
    """Return a folder's size and digest as they are on disk now.

    Raises:
        CheckpointError: Something in it is neither a file nor a folder, or cannot be read.
    """
    return measure_folder(path).folder


def verify(folder: PublishedFolder, root: Path | None = None, say: Say = be_silent) -> None:
    """Check that a folder still is what was published.

    Args:
        folder: What a row tells of it.
        root: The artifact folder, where the row may come from anybody: then the folder has to be in it.
        say: Takes lines about a check that takes over a second.

    Raises:
        CheckpointError: It is gone, its content has changed, or it is not a folder of the workspace.
    """
    if root is not None:
        artifact_paths.check_readable(folder.path, root)
    if not folder.path.is_dir():
        raise missing(folder.path)
    lines, done = ProgressLines(say, f"Checking {folder.path.name}"), 0

    def tell(read: int) -> None:
        nonlocal done
        done += read
        lines.tell_of(done, folder.size)

    with filesystem.translate_os_errors(folder.path):
        now = measure_folder(folder.path, tell)
    lines.finish()
    if folder.digest not in now.digests:
        raise corrupt(folder, now.folder)


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


def settle_here(path: Path, parent: Path, stem: str, say: Say = be_silent) -> PublishedFolder:
    """Bring a draft to the disk, and let it appear under its name and digest."""
    lines = ProgressLines(say, f"Saving {stem}")
    tell = sign_of_life(path, lines, bytes_in(path))
    seal_tree(path, tell)
    written = measure_folder(path, tell).folder
    target = give_name(path, parent, stem, written.digest)
    move_measurement(path, target)
    lines.finish()
    return replace(written, path=target)


def seal_tree(
    path: Path, tell: Callable[[int], None] = lambda _: None, flushed: Collection[Path] = ()
) -> None:
    """Bring a folder with all that is in it to the disk, and let nobody change its files.

    Args:
        path: The folder.
        tell: Called with 0 after each file.
        flushed: Files that are on the disk already.
    """
    files: list[Path] = []
    folders: list[Path] = []
    for folder, _, names in os.walk(path, topdown=False):
        folders.append(Path(folder))
        files.extend(file for file in (Path(folder, name) for name in names) if file not in flushed)
    for file in files:
        filesystem.make_read_only(file)
    filesystem.flush_all([*files, *folders], path, lambda: tell(0))


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


def sign_of_life(path: Path, lines: ProgressLines | None = None, total: int = 0) -> Callable[[int], None]:
    """Return a function that takes the bytes that were read since, and tells of progress.

    At most once a second it changes the time of the folder, and asks for a line.

    Args:
        path: The folder that is written.
        lines: Lines for who waits for it.
        total: The bytes that are to be read.
    """
    told_at, done = 0.0, 0

    def tell(read: int = 0) -> None:
        nonlocal told_at, done
        now, done = time.monotonic(), done + read
        if now - told_at >= 1:
            told_at = now
            if lines is not None:
                lines.tell_of(done, total)
            with suppress(OSError):
                os.utime(path)

    return tell
