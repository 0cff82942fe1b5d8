"""A worker's uploads of checkpoints, shown files and the log, while its training goes on."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline_widgets.algorithms.context import Event
from pipeline_widgets.domain.job import Job, PublishedFolder, SavedCheckpoint, ShowReport
from pipeline_widgets.domain.training import StopTraining
from pipeline_widgets.errors import PipelineError, StorageError
from pipeline_widgets.execution import processes
from pipeline_widgets.persistence import artifacts, filesystem
from pipeline_widgets.persistence.artifact_paths import LOG
from pipeline_widgets.persistence.artifact_store import ArtifactStore, upload_patience
from pipeline_widgets.persistence.artifacts import Publication, explain_read_only
from pipeline_widgets.persistence.folder_tree import materialize

MOST_WAITING = 4  # folders that are saved and not sent; then the training waits for the first of them
LOG_EVERY, LOG_RARELY = 10.0, 60.0  # seconds between two sendings of a log; the second of a large one
LOG_LARGE = 1 << 20  # bytes
LOG_WITHIN = 10.0  # seconds that the end of a run waits for its log


def open_artifact_store(job: Job) -> ArtifactStore:
    """Return the artifacts of a job's workspace, as its worker finds them."""
    root = Path(job.folder).parent.parent
    prepare = processes.leave_signals_to_training
    return ArtifactStore(root, job.remote, prepare=prepare, say=print_line, fetch_patience=upload_patience())


def print_line(line: str) -> None:
    """Write a line to the log of the run. Where nothing can be printed any more, it is lost."""
    with suppress(Exception):  # training code may have closed it, or put anything there, also None
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A folder that is written, and has no name yet: its digest is computed while it is sent."""

    path: Path
    parent: Path
    stem: str


class FolderUploads:
    """Sends the checkpoints and shown files of a training in a thread, and tells of each once it is there.

    Args:
        store: Where they go.
        tell: Takes what the training reports; a folder only once it was sent.
    """

    def __init__(self, store: ArtifactStore, tell: Callable[[Event], None]) -> None:
        self._store, self._tell = store, tell
        self._changed = threading.Condition()
        self._waiting: deque[_Draft] = deque()
        #: What is told of a folder that is not sent yet, by its draft; scores may come later.
        self._events: dict[Path, SavedCheckpoint | ShowReport] = {}
        self._sent: dict[Path, PublishedFolder] = {}
        self._errors: list[PipelineError] = []
        self._thread: threading.Thread | None = None
        #: Bytes of the last one: the next one is likely to need as many.
        self._size = 0

    @contextmanager
    def publish(self, parent: Path, *, stem: str, private: bool = True) -> Generator[Publication]:
        """Yield a folder to write into; when the block ends well it is sent, and the training goes on.

        Raises:
            CheckpointError: What was written cannot be kept.
            StorageError: The disk is full, or a folder before this one could not be sent.
        """
        self._store.cache.make_room(self._size)
        draft = _Draft(artifacts.make_draft(parent, private=private), parent, stem)
        publication = Publication(path=draft.path)
        try:
            with filesystem.translate_os_errors(parent, filesystem.FULL), explain_read_only(draft.path):
                yield publication
            with filesystem.translate_os_errors(parent):
                materialize(draft.path)
        except BaseException:
            shutil.rmtree(draft.path, ignore_errors=True)
            raise
        publication.published = PublishedFolder(path=draft.path, size=0, digest="")
        self._enqueue(draft)

    def tell(self, event: Event) -> None:
        """Pass a report on; that of a checkpoint or a shown file waits until it was sent."""
        if isinstance(event, (SavedCheckpoint, ShowReport)) and event.folder is not None:
            with self._changed:
                draft = event.folder.path
                sent = self._sent.get(draft)
                if sent is None:
                    self._events[draft] = event
                    return
            event = replace(event, folder=sent)
        self._tell(event)

    @contextmanager
    def finishing(self) -> Generator[None]:
        """Wait at the end of the block until all is sent, however the block ends.

        Raises:
            StorageError: Something could not be sent. Where the block itself has failed, the log says so.
        """
        try:
            yield
        except BaseException as ending:
            self._wait()
            if self._errors and _is_no_failure(ending):
                raise self._errors[0] from ending
            for error in self._errors:
                print_line(str(error))
            raise
        self._wait()
        if self._errors:
            raise self._errors[0]

    def _enqueue(self, draft: _Draft) -> None:
        with self._changed:
            self._waiting.append(draft)
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="uploads", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._waiting) <= MOST_WAITING or self._errors)
            if self._errors:
                raise self._errors[0]

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)

    def _send_all(self) -> None:
        processes.leave_signals_to_training()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                draft = self._waiting[0]
            try:
                self._send(draft)
            except PipelineError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001  a bug of ours must not leave a run that waits for ever
                self._fail(
                    StorageError("A checkpoint could not be sent.", f"{type(error).__name__}: {error}.")
                )
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()

    def _send(self, draft: _Draft) -> None:
        if self._errors:  # nobody answers: what is left stays on this machine
            artifacts.settle_here(draft.path, draft.parent, draft.stem)
            return
        sent = self._store.settle(draft.path, draft.parent, draft.stem)
        shutil.rmtree(draft.path, ignore_errors=True)  # the same content was there already
        with self._changed:
            self._sent[draft.path] = sent
            self._size = sent.size
            event = self._events.pop(draft.path, None)
        if event is not None:
            self.tell(event)

    def _fail(self, error: PipelineError) -> None:
        with self._changed:
            self._errors.append(error)
            self._changed.notify_all()


def _is_no_failure(ending: BaseException) -> bool:
    """Return whether a training that ends so has stopped or succeeded."""
    return isinstance(ending, StopTraining) or (isinstance(ending, SystemExit) and not ending.code)


def start_log_upload(job: Job) -> Callable[[], None]:
    """Send the log of a job now and then, where artifacts are kept at a URL; return what sends its end."""
    if job.remote is None:
        return lambda: None
    return LogUpload(open_artifact_store(job), Path(job.folder)).finish


def send_log_of_dead_worker(job: Job) -> None:
    """Send the end of the log of a job whose worker cannot do that any more; wait a few seconds for it."""
    if job.remote is not None:
        LogUpload(open_artifact_store(job), Path(job.folder)).finish()


class LogUpload:
    """Sends the log of a run now and then, and at its end.

    Args:
        store: Where it goes.
        folder: The run's own folder.
    """

    def __init__(self, store: ArtifactStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._path = folder / LOG
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Send it a last time; for that an end waits a few seconds at most."""
        self._ending.set()
        self._thread.join(LOG_WITHIN)

    def _run(self) -> None:
        processes.leave_signals_to_training()
        sent, at = -1, 0.0
        while True:
            is_ending = self._ending.wait(LOG_EVERY)
            size = self._size()
            is_due = size < LOG_LARGE or time.monotonic() - at >= LOG_RARELY
            if size != sent and (is_due or is_ending):
                with suppress(PipelineError, OSError):  # the next one tries again
                    self._store.remote.send_log(self._folder.name, self._path)
                    sent, at = size, time.monotonic()
            if is_ending:
                return

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size  # noqa: PTH116  as often as this it is asked
        except OSError:
            return -1
