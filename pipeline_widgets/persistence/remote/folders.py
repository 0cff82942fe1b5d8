"""Folders below a URL: whole or not there at all, and known by the digest of their content.

A folder `runs/00000012/checkpoints/0000000100-1f3a...` is there when its manifest is: an object of that name
with ".json" after it, which is written last. Its files are objects below another name beside it, since the
digest in the folder's own name is known only when all of its bytes were sent.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError, PipelineError, StorageError
from pipeline_widgets.persistence.artifact_paths import AGENTS, CHECKPOINTS, LOG, RUNS, SHOWN
from pipeline_widgets.persistence.remote import manifest as manifests
from pipeline_widgets.persistence.remote.download import INSTEAD, download
from pipeline_widgets.persistence.remote.manifest import SUFFIX, Manifest
from pipeline_widgets.persistence.remote.objects import Entry, Objects, open_objects
from pipeline_widgets.persistence.remote.pool import Patience, Pool
from pipeline_widgets.persistence.remote.upload import DamagedError, SentFolder, Upload

UNANSWERED = "unanswered"  # the code of the error where a file system has not done what it was asked
LOG_SENT = 16 << 20  # bytes of the end of a log
RUNS_AT_ONCE = 16  # whose folders are listed ahead
MOST_DAMAGED = 3  # times that a folder is sent whose objects are not what was sent


def _no_progress(_: int, __: int) -> None:
    pass


class RemoteFolders:
    """The folders of a workspace below a URL.

    Args:
        url: The URL.
        prepare: Called by each thread that sends or receives.
    """

    def __init__(self, url: str, prepare: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self.objects: Objects = open_objects(url)
        self._prepare = prepare

    @contextmanager
    def translate_errors(self) -> Generator[None]:
        """Turn what a file system raises into a StorageError that says what to do."""
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:
            fix = "Look whether it can be reached, and with which credentials, and try again."
            what = f"{self.url} does not answer."
            raise StorageError(what, describe_error(error), fix, code=UNANSWERED) from error

    def send(
        self,
        folder: Path,
        parent: str,
        stem: str,
        patience: Patience,
        progress: Callable[[int, int], None] = _no_progress,
    ) -> SentFolder:
        """Send the files of a folder while its digest is computed, and check that they have arrived.

        Args:
            folder: The folder on this machine.
            parent: The folder below the URL in which it is to appear.
            stem: What its name begins with.
            patience: For how long what fails is tried again.
            progress: Called with the bytes that were sent of how many, from several threads.

        Raises:
            CheckpointError: Something in the folder cannot be kept.
            StorageError: It was tried in vain.
        """
        pool = Pool(self._prepare)

        def attempt() -> SentFolder:
            key = f"{parent}/{stem}-{uuid4().hex}"
            return Upload(self.objects, key, patience.fresh(), progress).send(folder, pool)

        independent = self.objects.parts_are_independent
        damaged = 0
        try:
            with self.translate_errors():
                while True:
                    try:  # where a part cannot be sent again by itself, the whole is
                        return attempt() if independent else patience.retry(attempt, final=(DamagedError,))
                    except DamagedError:
                        damaged += 1
                        if damaged == MOST_DAMAGED:
                            raise
        finally:
            pool.close()

    def confirm(self, parent: str, name: str, sent: SentFolder, patience: Patience) -> None:
        """Write the manifest of a folder that was sent: from now on it is there.

        Raises:
            StorageError: It was tried in vain.
        """
        data = manifests.to_bytes(sent.manifest)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        key = f"{parent}/{name}{SUFFIX}"
        with self.translate_errors():
            if not patience.retry(lambda: self.objects.write(key, data, md5)):
                patience.retry(lambda: self._check(key, data))

    def read_manifest(self, key: str) -> Manifest | None:
        """Return the manifest of a folder; None where it is not there.

        Raises:
            CheckpointError: It is corrupt.
            StorageError: Nobody answers.
        """
        with self.translate_errors():
            return self._manifest(key)

    def receive(
        self,
        folder: PublishedFolder,
        key: str,
        draft: Path,
        patience: Patience,
        progress: Callable[[int, int], None] = _no_progress,
    ) -> None:
        """Bring a folder back into an empty one, several chunks at a time, and check its digest.

        Args:
            folder: What a row tells of it.
            key: Its name below the URL.
            draft: Where its files are written.
            patience: For how long what fails is tried again.
            progress: Called with the bytes that were received of how many.

        Raises:
            CheckpointError: It is not there, or is not what was saved; the object that differs is named.
            StorageError: It was tried in vain, or the disk is full.
        """
        pool = Pool(self._prepare)
        try:
            with self.translate_errors():
                manifest = patience.retry(lambda: self._manifest(key))
                if manifest is None:
                    what = f"The checkpoint {folder.path} is missing."
                    raise CheckpointError(what, f"It is not in {self.url}, either.", INSTEAD)
                if manifest.size != folder.size:
                    why = f"It tells of {manifest.size} bytes, and {folder.size} were saved."
                    raise CheckpointError(f"The object {self.url}/{key}{SUFFIX} is corrupt.", why, INSTEAD)
                data = f"{key.rpartition('/')[0]}/{manifest.data}"
                digests = download(
                    self.objects,
                    data,
                    manifest,
                    draft,
                    pool=pool,
                    patience=patience.fresh(),
                    progress=progress,
                )
        finally:
            pool.close()
        if folder.digest not in digests:
            what = f"The checkpoint {self.url}/{data} is corrupt."
            raise CheckpointError(what, "Its digest is not that of what was saved.", INSTEAD)

    def delete(self, key: str) -> None:
        """Delete a folder: its manifest first, so that no half of it looks whole.

        Raises:
            StorageError: Nobody answers; what is left is found by the next clean-up.
        """
        with self.translate_errors():
            manifest = None
            with suppress(CheckpointError):
                manifest = self._manifest(key)
            self.objects.delete(f"{key}{SUFFIX}")
            if manifest is not None:
                self.objects.delete_below(f"{key.rpartition('/')[0]}/{manifest.data}")

    def delete_run(self, run: str) -> None:
        """Delete all that there is of a run, and what was never finished.

        Raises:
            StorageError: Nobody answers.
        """
        with self.translate_errors():
            self.objects.delete_below(f"{RUNS}/{run}")
            self.abort_unfinished([run])

    def list_runs(self) -> list[str]:
        """Return the names of the runs of which there is anything.

        Raises:
            StorageError: Nobody answers.
        """
        with self.translate_errors():
            return [each.name for each in self.objects.entries(RUNS) if each.is_folder]

    def sweep_runs(self, kept: Mapping[str, Collection[str]]) -> None:
        """Delete checkpoints and shown items of ended runs which no row names; of several runs at a time.

        Args:
            kept: The names of the folders that stay, by run, as its folder is named.

        Raises:
            StorageError: Nobody answers.
        """
        pool = Pool(self._prepare)
        tasks = (
            (1, partial(self._sweep, f"{RUNS}/{run}/{parent}", names, None))
            for run, names in kept.items()
            for parent in (CHECKPOINTS, SHOWN)
        )
        try:
            for _ in pool.map(tasks, RUNS_AT_ONCE):
                pass
        finally:
            pool.close()

    def abort_unfinished(self, runs: Collection[str]) -> None:
        """Delete the parts of objects that were never finished, where the file system can list them.

        Args:
            runs: The runs that have ended, as their folders are named.

        Raises:
            StorageError: Nobody answers.
        """
        below = f"{RUNS}/{next(iter(runs))}" if len(runs) == 1 else RUNS
        with self.translate_errors():
            for upload in self.objects.list_unfinished(below):
                if upload.key.split("/")[1] in runs:
                    self.objects.abort(upload)

    def sweep_agents(self, kept: Collection[str], age: float) -> None:
        """Delete copies of agents which no row names, and what was never finished.

        Args:
            kept: The names of the copies that stay.
            age: Only what was written that many seconds ago goes.

        Raises:
            StorageError: Nobody answers.
        """
        before = time.time() - age
        self._sweep(AGENTS, kept, before)
        with self.translate_errors():
            for upload in self.objects.list_unfinished(AGENTS):
                if _may_go(upload.started_at, before):
                    self.objects.abort(upload)

    def send_log(self, run: str, path: Path) -> None:
        """Send the log of a run, its last 16 MiB, instead of what was sent before.

        Raises:
            StorageError: Nobody answers.
        """
        with self.translate_errors():
            with path.open("rb") as log:
                size = log.seek(0, 2)
                log.seek(max(0, size - LOG_SENT))
                data = log.read(LOG_SENT)
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self.objects.write(f"{RUNS}/{run}/{LOG}", data, md5)

    def read_log(self, run: str, most: int) -> bytes:
        """Return the last bytes of the log of a run; nothing where none was sent.

        Raises:
            StorageError: Nobody answers.
        """
        with self.translate_errors(), suppress(FileNotFoundError):
            return self.objects.read_end(f"{RUNS}/{run}/{LOG}", most)
        return b""

    def _manifest(self, key: str) -> Manifest | None:
        try:
            data = self.objects.read(f"{key}{SUFFIX}")
        except FileNotFoundError:
            return None
        return manifests.from_bytes(data, f"{self.url}/{key}{SUFFIX}")

    def _check(self, key: str, data: bytes) -> None:
        if self.objects.read(key) != data:
            raise DamagedError(f"{self.url}/{key} is not what was sent.")

    def _sweep(self, parent: str, kept: Collection[str], before: float | None) -> None:
        """Delete what is in a folder of folders, but for those that stay."""
        with self.translate_errors():
            found = list(self.objects.entries(parent))
            named = {each.name.removesuffix(SUFFIX) for each in found if each.name.endswith(SUFFIX)}
            data = [each for each in found if each.is_folder]
            stays = named & set(kept)
            gone = [each for each in found if not each.is_folder and _may_go(each.modified_at, before)]
            for each in gone:
                if each.name.removesuffix(SUFFIX) not in stays:
                    self.delete(f"{parent}/{each.name.removesuffix(SUFFIX)}")
            if len(data) > len(stays):
                manifests_of = [self._manifest(f"{parent}/{name}") for name in stays]
                in_use = {each.data for each in manifests_of if each is not None}
                for each in data:
                    if each.name not in in_use and self._is_old(f"{parent}/{each.name}", each, before):
                        self.objects.delete_below(f"{parent}/{each.name}")

    def _is_old(self, key: str, folder: Entry, before: float | None) -> bool:
        """Return whether nothing in a folder was written after a time; many stores tell objects only."""
        if before is None or folder.modified_at is not None:
            return _may_go(folder.modified_at, before)
        return all(
            self._is_old(f"{key}/{each.name}", each, before)
            if each.is_folder
            else _may_go(each.modified_at, before)
            for each in self.objects.entries(key)
        )


def describe_error(error: Exception) -> str:
    """Return what a file system has raised, as a sentence; it may say nothing but its class."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text.rstrip('.')}." if text else f"{type(error).__name__}."


def _may_go(modified_at: float | None, before: float | None) -> bool:
    return before is None or (modified_at is not None and modified_at <= before)
