"""The one place that is asked for the folder of a checkpoint, wherever that is kept.

Without a URL the artifact folder has everything. With one, a checkpoint counts once it is below the URL, and
the artifact folder is where trainings write, and a cache of what is used on this machine.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import FrozenCopy, PublishedFolder
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import artifact_folders, artifact_paths, artifacts, filesystem
from pipeline_widgets.persistence.artifact_paths import AGENTS, CHECKPOINTS, LOG, RUNS, SHOWN
from pipeline_widgets.persistence.cache import ArtifactCache
from pipeline_widgets.persistence.progress import ProgressLines

if TYPE_CHECKING:
    from pipeline_widgets.persistence.remote.folders import RemoteFolders
    from pipeline_widgets.persistence.remote.logs import RemoteLogs

PATIENCE_VARIABLE = "PIPELINE_WIDGETS_UPLOAD_PATIENCE"
UPLOAD_PATIENCE = 600.0  # seconds for which an upload is tried again
FETCH_PATIENCE = 60.0  # the same of a download, for which somebody waits

_log = logging.getLogger(__name__)


class ArtifactStore:
    """The checkpoints, copies of agents and logs of a workspace.

    Args:
        root: The artifact folder of this machine.
        url: The URL below which they are kept; None where the folder has everything.
        prepare: Called by each thread that sends or receives.
        say: Takes lines about transfers that take their time; by default they go to the log of this process.
        fetch_patience: Seconds for which it is tried again to bring something here.
    """

    def __init__(
        self,
        root: Path,
        url: str | None = None,
        *,
        prepare: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = _log.info,
        fetch_patience: float = FETCH_PATIENCE,
    ) -> None:
        self.root = root
        self.url = url
        self._prepare, self._say = prepare, say
        self._fetch_patience = fetch_patience

    @property
    def is_remote(self) -> bool:
        """Whether artifacts are kept below a URL."""
        return self.url is not None

    @cached_property
    def remote(self) -> RemoteFolders:
        """The folders below the URL; nothing is connected before the first use."""
        from pipeline_widgets.persistence.remote.folders import RemoteFolders  # noqa: PLC0415  not before Running

        if self.url is None:
            raise StorageError("The artifacts of this workspace are in its folder alone.")
        return RemoteFolders(self.url, self._prepare)

    @cached_property
    def cache(self) -> ArtifactCache:
        """This machine's copies of them."""
        return ArtifactCache(self.root)

    def open(self, folder: PublishedFolder, *, is_adopted: bool = False) -> Path:
        """Return where the files of a folder are, once it is known that they are what was saved.

        What is not on this machine is brought here first, by one process for all that ask. It stays for as
        long as this process lives.

        Args:
            folder: What a row tells of it.
            is_adopted: Whether it may be outside of the workspace, since the user has adopted it.

        Raises:
            CheckpointError: It is gone, its content has changed, or it is not a folder of the workspace.
            StorageError: It cannot be brought here.
        """
        if self.url is None or is_adopted:
            artifacts.verify(folder, None if is_adopted else self.root, self._say)
            return folder.path
        artifact_paths.check_readable(folder.path, self.root)
        return self._fetch(folder, is_checked=True)

    def find(self, folder: PublishedFolder) -> Path:
        """Return where the files of a folder are, as `open` does, but read none that are there already.

        Raises:
            CheckpointError: It was brought here, and is not what was saved.
            StorageError: It cannot be brought here.
        """
        if self.url is None or not folder.path.is_relative_to(self.root):
            return folder.path
        artifact_paths.check_readable(folder.path, self.root)
        return self._fetch(folder, is_checked=False)

    def may_have(self, path: str | Path) -> bool:
        """Return whether a folder is there, as far as can be told without asking another machine."""
        return Path(path).is_dir() or (self.is_remote and Path(path).is_relative_to(self.root))

    def check(self, folder: PublishedFolder, verify_up_to: int) -> None:
        """Check that a folder is there; its content, too, where it is on this machine and small.

        Args:
            folder: What a row tells of it.
            verify_up_to: Bytes up to which its content is read.

        Raises:
            CheckpointError: It is gone, or its content has changed.
            StorageError: Nobody answers where it is kept.
        """
        is_here = folder.path.is_dir()
        if self.url is None or not folder.path.is_relative_to(self.root):
            if not is_here or folder.size <= verify_up_to:
                artifacts.verify(folder)
            return
        if is_here:
            with suppress(CheckpointError):  # then it is brought here again
                if folder.size <= verify_up_to:
                    artifacts.verify(folder)
                return
        manifest = self.remote.read_manifest(self._key(folder.path))
        if manifest is None:
            raise artifacts.missing(folder.path)

    @contextmanager
    def publish(self, parent: Path, *, stem: str) -> Generator[artifacts.Publication]:
        """Publish a folder that only its user can enter, as `artifacts.publish` does.

        Raises:
            CheckpointError: What was written cannot be kept.
            StorageError: It cannot be kept below the URL, or the disk is full.
        """
        settle = self.settle if self.is_remote else None
        with artifacts.publish(parent, stem=stem, private=True, settle=settle, say=self._say) as publication:
            yield publication

    def settle(
        self, draft: Path, parent: Path, stem: str, progress: Callable[[int, int], None] | None = None
    ) -> PublishedFolder:
        """Send a draft while its digest is computed, and let it appear here and below the URL.

        Args:
            draft: The folder that was written.
            parent: Where it is to appear on this machine, and in the same place below the URL.
            stem: What its name begins with.
            progress: Called with the bytes that were sent of how many, from several threads.

        Raises:
            CheckpointError: Something in it cannot be kept.
            StorageError: It was tried in vain. It is on this machine then, whole and under its name.
        """
        tell = artifacts.sign_of_life(draft)
        artifacts.seal_tree(draft, tell)
        lines = ProgressLines(self._say, f"Sending {stem} to {self.url}")
        from pipeline_widgets.persistence.remote.pool import Patience  # noqa: PLC0415  not before Running

        patience = Patience(upload_patience(), tell=self._tell_of(lines, tell), reconnect=self._reconnect)

        def told(sent: int, total: int) -> None:
            tell(0)
            lines.tell_of(sent, total)
            if progress is not None:
                progress(sent, total)

        key = self._key(parent)
        target = None
        try:
            sent = self.remote.send(draft, key, stem, patience, told)
            size, digest = sent.manifest.size, sent.manifest.digest
            target = artifacts.give_name(draft, parent, stem, digest)
            self.remote.confirm(key, target.name, sent, patience)
            lines.finish()
        except StorageError as error:
            kept = target or artifacts.settle_here(draft, parent, stem).path
            raise self._unsent(error, kept) from error
        self.cache.mark(f"{key}/{target.name}", size)
        self.cache.make_room()
        return PublishedFolder(path=target, size=size, digest=digest)

    def freeze(
        self,
        checkpoint: Checkpoint,
        name: str,
        parent: str,
        training_only: Collection[str] = (),
        *,
        is_adopted: bool = False,
    ) -> FrozenCopy:
        """Copy a checkpoint for an agent, as `artifacts.freeze` does.

        Raises:
            CheckpointError: It is missing or corrupt, or no folder of the workspace.
            StorageError: The copy cannot be written or sent.
        """
        if self.is_remote:
            self.open(artifacts.folder_of(checkpoint), is_adopted=is_adopted)
        settle = self.settle if self.is_remote else None
        return artifacts.freeze(
            checkpoint,
            name,
            parent,
            training_only,
            is_adopted=is_adopted,
            settle=settle,
            say=self._say,
        )

    def log(self, run_id: int, most: int, *, waits: bool) -> Path:
        """Return where the log of a run is on this machine, or what there is of it below the URL.

        Args:
            run_id: The run.
            most: The bytes of its end that are wanted.
            waits: Whether the caller waits for what is brought here; a view shows what is here already.
        """
        run = f"{run_id:08d}"
        path = self.root / RUNS / run / LOG
        if self.url is None or path.exists():
            return path
        return self._logs.fetch(run, most, waits=waits)

    @cached_property
    def _logs(self) -> RemoteLogs:
        from pipeline_widgets.persistence.remote.logs import RemoteLogs  # noqa: PLC0415  not before Running

        return RemoteLogs(self.remote, self.root)

    def remove(self, path: Path) -> None:
        """Delete a folder of a run, a checkpoint or an agent, here and below the URL, as far as is possible.

        What cannot be deleted there now is found by a later clean-up.

        Raises:
            StorageError: It is not such a folder.
        """
        artifact_paths.remove(path, self.root)
        if not self.is_remote:
            return
        key = self._key(path)
        is_run = len(Path(key).parts) == 2 and key.startswith(f"{RUNS}/")  # noqa: PLR2004  runs/ID
        try:
            if is_run:
                self.remote.delete_run(path.name)
            else:
                self.remote.delete(key)
                self.cache.forget(key)
        except StorageError as error:
            _log.warning("%s", error)

    def sweep_runs(self, saved: Mapping[int, Collection[str]], known: Callable[[], Collection[int]]) -> None:
        """Delete checkpoints and shown items of ended runs that no row names, here and below the URL.

        Args:
            saved: The paths of the folders that stay, by run.
            known: Returns the runs that there are; what there is of others below the URL is deleted.
        """
        for run_id, paths in saved.items():
            for parent in (CHECKPOINTS, SHOWN):
                artifact_folders.sweep(self.root / RUNS / f"{run_id:08d}" / parent, self.root, paths)
        if not self.is_remote:
            return
        try:
            there = {int(name): name for name in self.remote.list_runs() if name.isdecimal()}
            runs = known()  # after the listing: a run has its row before it has a folder
            for name in (name for run_id, name in there.items() if run_id not in runs):
                self.remote.delete_run(name)
            ended = saved.keys() & there.keys()
            kept = {there[run_id]: {Path(path).name for path in saved[run_id]} for run_id in ended}
            self.remote.sweep_runs(kept)
            if saved:  # also of those of which nothing else is there
                self.remote.abort_unfinished({f"{run_id:08d}" for run_id in saved})
        except StorageError as error:
            _log.warning("%s", error)

    def sweep_agents(self, paths: Collection[str], age: float) -> None:
        """Delete copies of agents that no row names, here and below the URL.

        Args:
            paths: The paths of those that stay.
            age: Only what was written that many seconds ago goes.
        """
        artifact_folders.sweep(self.root / AGENTS, self.root, paths, age=age)
        if self.is_remote:
            try:
                self.remote.sweep_agents({Path(path).name for path in paths}, age)
            except StorageError as error:
                _log.warning("%s", error)

    def _fetch(self, folder: PublishedFolder, *, is_checked: bool) -> Path:
        key = self._key(folder.path)
        self.cache.hold(key, folder.size)
        if self._is_here(folder, is_checked=is_checked):
            return folder.path
        try:
            with self.cache.fetching(key):
                if not self._is_here(folder, is_checked=is_checked):  # another process was not faster
                    self._receive(folder, key)
        except BaseException:
            self.cache.forget(key)
            raise
        return folder.path

    def _is_here(self, folder: PublishedFolder, *, is_checked: bool) -> bool:
        if not folder.path.is_dir():
            return False
        if is_checked:
            try:
                artifacts.verify(folder)
            except CheckpointError as error:
                self._say(f"{error.what} It is brought here again from {self.url}.")
                return False
        return True

    def _receive(self, folder: PublishedFolder, key: str) -> None:
        self.cache.make_room(folder.size)
        parent = folder.path.parent
        draft = artifacts.make_draft(parent)
        tell = artifacts.sign_of_life(draft)
        lines = ProgressLines(self._say, f"Bringing {key} here from {self.url}")
        from pipeline_widgets.persistence.remote.pool import Patience  # noqa: PLC0415  not before Running

        patience = Patience(self._fetch_patience, tell=self._tell_of(lines, tell), reconnect=self._reconnect)

        def told(received: int, total: int) -> None:
            tell(0)
            lines.tell_of(received, total)

        try:
            self.remote.receive(folder, key, draft, patience, told)
            lines.finish()
            with filesystem.translate_os_errors(parent):
                artifacts.seal_tree(draft, tell)
                former = parent / artifacts.name_draft()
                with suppress(FileNotFoundError):
                    folder.path.rename(former)  # it was not what was saved
                try:
                    draft.rename(folder.path)
                except OSError:
                    if not folder.path.is_dir():  # else another machine that shares the folder was faster
                        raise
                filesystem.flush(parent)
            shutil.rmtree(former, ignore_errors=True)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _reconnect(self) -> None:
        self.remote.objects.reconnect()

    def _tell_of(self, lines: ProgressLines, tell: Callable[[int], None]) -> Callable[[Exception], None]:
        def told(error: Exception) -> None:
            tell(0)
            from pipeline_widgets.persistence.remote.folders import describe_error  # noqa: PLC0415  not before Running

            lines.tell(f"{self.url} does not answer, and is asked again. {describe_error(error)}")

        return told

    def _unsent(self, error: StorageError, kept: Path) -> StorageError:
        noun = "shown file" if kept.parent.name == SHOWN else "checkpoint"
        what = f"A {noun} could not be sent to {self.url}."
        fix = f"It is in {kept} of this machine until the next clean-up: copy it elsewhere, or adopt it."
        return StorageError(what, error.why, fix)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def upload_patience() -> float:
    """Return the seconds for which an upload is tried again, as the user has set them."""
    with suppress(ValueError):
        return float(os.environ.get(PATIENCE_VARIABLE, UPLOAD_PATIENCE))
    return UPLOAD_PATIENCE
