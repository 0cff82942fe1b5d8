"""Tells trackers of runs, in a process of its own beside the training (spec 11.4).

It reads what the supervisor has written, so that a tracker can neither end nor slow a training, whatever it
does: it may import for seconds, hang, or crash its process. It also sees how a run has ended that was killed.
In that process every tracker of a run has a thread of its own, so that one that hangs holds up no other.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from pipeline_widgets.domain.notice import describe_error
from pipeline_widgets.domain.tracking import (
    OpenTracker,
    TrackedCheckpoint,
    TrackedRun,
    Tracker,
    split_tracker,
)
from pipeline_widgets.errors import ConfigError, PipelineError, StorageError
from pipeline_widgets.execution.side_process import SideProcess
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.services.tracking import TrackingService

GROUP = "pipeline_widgets.trackers"
POLL = 1.0  # seconds between two looks at a run
END_WITHIN = 120.0  # seconds that a tracker has when a run is over: MLflow takes 30 to make a database
SILENT_WITHIN = 600.0  # seconds without a beat after which a run is taken for one of a dead supervisor
MOST_WAITING = 10_000  # calls that a tracker can be behind

_log = logging.getLogger(__name__)

T = TypeVar("T")


class TrackerProcess:
    """Starts the process that tracks the runs of a supervisor. Nothing that goes wrong here is its error.

    Args:
        service: What is read for it.
        url: The workspace.
        log: Where the process prints to.
    """

    def __init__(self, service: TrackingService, url: str, log: Path) -> None:
        self._service = service
        self._process = SideProcess(url, log)

    def follow(self, run_id: int) -> None:
        """Have a run tracked, if the workspace has trackers. One process goes on with all runs of a chain."""
        try:
            if self._service.trackers() and not self._process.is_at_work:
                self._process.start("track", str(run_id))
        except Exception as error:  # noqa: BLE001  a training is more than what is told of it
            _log.warning("Run %s is not tracked: %s", run_id, error)

    def wait(self) -> None:
        """Wait for the process for up to 15 s."""
        self._process.wait()


def check_trackers(written: tuple[str, ...]) -> None:
    """Refuse trackers that this process does not find.

    Raises:
        ConfigError: There is no entry point of that name.
    """
    known = sorted(entry_points(group=GROUP).names)
    for each in written:
        name, _ = split_tracker(each)
        if name not in known:
            raise ConfigError(f"There is no tracker named {name!r}.", fix=f"There are: {', '.join(known)}.")


def track(service: TrackingService, run_id: int, folders: Path, log_of: Callable[[int], Path]) -> None:
    """Tell the trackers of a workspace of a run, and of those that its supervisor takes after it.

    Args:
        service: What is read.
        run_id: The first run.
        folders: Where each tracker has a folder of its own.
        log_of: Returns the log of a run, in which a tracker's error is said once.
    """
    known: set[int] = set()
    broken: set[str] = set()
    while True:
        runs, goes_on = _retry(lambda: service.following(run_id))
        waiting = [each for each in runs if each not in known]
        for each in waiting:
            known.add(each)
            _follow(service, each, folders, log_of(each), broken)
        if not (waiting or goes_on):
            return
        if not waiting:
            time.sleep(POLL)


def _follow(service: TrackingService, run_id: int, folders: Path, log: Path, broken: set[str]) -> None:
    """Tell trackers of a run until it is over."""
    described = _retry(lambda: service.describe(run_id))
    names = [each for each in _retry(service.trackers) if each not in broken]
    channels = [Channel(name, folders / split_tracker(name)[0], described, log) for name in names]
    last, seen, beaten_at, heard = 0, set[int](), None, time.monotonic()
    while True:
        changes = _retry(partial(service.read, run_id, last, seen))
        last = changes.last
        for channel in channels:
            for step, metrics in changes.reports:
                channel.put(partial(_report, step, metrics))
            for saved in changes.checkpoints.values():
                channel.put(partial(_checkpoint, saved))
        seen |= changes.checkpoints.keys()
        if changes.beat_at != beaten_at:
            beaten_at, heard = changes.beat_at, time.monotonic()
        if changes.has_more:
            continue
        status, error = str(changes.status), changes.error
        if not changes.status.finished and time.monotonic() - heard > SILENT_WITHIN:
            status, error = "Crashed", "Nobody has said how it has ended."
        elif not changes.status.finished:
            time.sleep(POLL)
            continue
        until = time.monotonic() + END_WITHIN
        for channel in channels:
            channel.put(partial(_finish, status, error))
        broken.update(channel.name for channel in channels if not channel.close(until))
        return


def _report(step: int, metrics: Mapping[str, float], tracker: Tracker) -> None:
    tracker.report(step, metrics)


def _checkpoint(saved: TrackedCheckpoint, tracker: Tracker) -> None:
    tracker.checkpoint(saved)


def _finish(status: str, error: str | None, tracker: Tracker) -> None:
    tracker.finish(status, error)


class Channel:
    """The calls of one tracker for one run, one after the other, in a thread of its own.

    Args:
        name: The tracker as it was written.
        folder: The tracker's folder.
        run: The run.
        log: The log of the run.
    """

    def __init__(self, name: str, folder: Path, run: TrackedRun, log: Path) -> None:
        self.name = name
        self._log = log
        self._calls: queue.Queue[Callable[[Tracker], None] | None] = queue.Queue(MOST_WAITING)
        self._has_failed = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(folder, run), daemon=True)
        self._thread.start()

    def put(self, call: Callable[[Tracker], None] | None) -> None:
        """Have a call made. A tracker that is too far behind is given up."""
        if self._has_failed.is_set():
            return
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self._fail(f"It is {MOST_WAITING} calls behind.")

    def close(self, until: float) -> bool:
        """Wait until all calls are made; False if the tracker hangs, so that no other run is told to it."""
        self.put(None)
        self._thread.join(max(0.1, until - time.monotonic()))
        if self._thread.is_alive():
            self._fail(f"It has not finished within {END_WITHIN:.0f} s.")
        return not self._thread.is_alive()

    def _work(self, folder: Path, run: TrackedRun) -> None:
        try:
            name, location = split_tracker(self.name)
            tracker = _find(name)(location, folder)
            tracker.begin(run)
            while (call := self._calls.get()) is not None and not self._has_failed.is_set():
                call(tracker)
        except BaseException as error:  # noqa: BLE001  whatever a tracker raises, it is not the run's
            self._fail(str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        """Say once in the run's log that the run is tracked no longer."""
        if self._has_failed.is_set():
            return
        self._has_failed.set()
        name, _ = split_tracker(self.name)
        text = f"The tracker {name!r} has failed, and the run goes on without it: {describe_error(reason)}"
        _log.warning("%s", text)
        with suppress(OSError), filesystem.open_private(self._log, "a", encoding="utf-8") as log:
            log.write(f"{text}\n")


def _find(name: str) -> OpenTracker:
    for point in entry_points(group=GROUP, name=name):
        return point.load()
    raise ConfigError(f"There is no tracker named {name!r} where the run is.", fix="Install it there.")


def _retry(read: Callable[[], T]) -> T:
    """Read, again and again while the database refuses: it may be restarted."""
    until = time.monotonic() + SILENT_WITHIN
    while True:
        try:
            return read()
        except StorageError:
            if time.monotonic() > until:
                raise
            time.sleep(POLL)
