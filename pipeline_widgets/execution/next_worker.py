"""The worker of the next run, which comes up while the present one is still at work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import psutil

from pipeline_widgets.execution.preloading import ImportedModules
from pipeline_widgets.execution.process_spawner import ProcessSpawner, Worker

#: How much memory has to be free for another worker with the same libraries, by what the present one takes.
FREE_MEMORY = 2.0


class NextWorker:
    """The worker that takes the next job; spawned ahead where that is likely to come.

    Args:
        spawner: Starts workers.
        end: Ends a worker that has no job.
    """

    def __init__(self, spawner: ProcessSpawner, end: Callable[[Worker], None]) -> None:
        self._spawner, self._end = spawner, end
        self._fetch: Callable[[], Worker] | None = None
        self._importing: Worker | None = None

    def spawn(self) -> None:
        """Start to spawn it, unless that has been done."""
        if self._fetch is None and self._importing is None:
            self._fetch = self._spawner.spawn()

    def preload(self, modules: ImportedModules, present: Worker) -> None:
        """Spawn it, and let it import what the present worker has imported, if there is the memory for that.

        Args:
            modules: What to import.
            present: The worker that has imported it.

        Raises:
            ExecutionError: No process could be started.
        """
        if self._fetch is not None or self._importing is not None or not has_room_beside(present.pid):
            return
        self._importing = self._spawner.spawn()()
        with suppress(OSError):  # it has ended: `take` sees that
            self._importing.line.send(modules)

    def take(self) -> Worker:
        """Return a worker that waits for a job: with the libraries imported, where that has been done by now.

        Raises:
            ExecutionError: No process could be started.
        """
        importing, self._importing = self._importing, None
        if importing is not None:
            if _has_imported(importing):
                return importing
            self._end(importing)
        fetch, self._fetch = self._fetch or self._spawner.spawn(), None
        return fetch()

    def end(self) -> None:
        """End the worker, since no further job will come."""
        if self._importing is not None:
            self._end(self._importing)
        if self._fetch is not None:
            self._end(self._fetch())
        self._importing = self._fetch = None


def _has_imported(worker: Worker) -> bool:
    """Return whether a worker has said that its imports were all that the training before it has done."""
    try:
        return worker.exit_code() is None and worker.line.poll() and worker.line.recv() is True
    except (EOFError, OSError):
        return False


def has_room_beside(pid: int, times: float = FREE_MEMORY) -> bool:
    """Return whether so many times the memory is free that a process takes with what it has imported."""
    try:
        return psutil.virtual_memory().available > times * psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return False
