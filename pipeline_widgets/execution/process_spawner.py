"""The protocol by which a supervisor starts workers, and the spawner for platforms without fork."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol

from pipeline_widgets.execution import ownership, processes, variables

LEFTOVER_GRACE = 10.0  # seconds within which the leftovers of a run have to be gone


class Worker(Protocol):
    """A process that waits for a job or executes one."""

    @property
    def pid(self) -> int:
        """The process number."""
        ...

    @property
    def line(self) -> Connection:
        """The supervisor's end of the pipe to the worker."""
        ...

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while the worker lives."""
        ...

    def describe_end(self) -> str:
        """Return in words how the worker ended, for the evidence of a crash."""
        ...

    def wait(self, timeout: float) -> None:
        """Wait until the worker ends.

        Args:
            timeout: Seconds to wait at most.
        """
        ...


class ProcessSpawner(Protocol):
    """Starts workers."""

    def spawn(self) -> Callable[[], Worker]:
        """Start a worker that waits for a job, and return a function that waits for the worker."""
        ...

    def wait_handles(self, worker: Worker) -> Sequence[socket.socket | int]:
        """Return handles that become readable when a worker ends."""
        ...

    def end_leftovers(self) -> None:
        """End the processes that workers have left behind, whatever their session and their parent are."""
        ...


class InterpreterSpawner:
    """Starts workers as fresh interpreters, where the platform has no fork.

    Args:
        adopts: Whether this process does nothing but supervise, so that all its descendants belong to its
            runs.
    """

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts
        self._waiting: list[SpawnProcess] = []
        if adopts:
            processes.adopt_orphans()

    def spawn(self) -> Callable[[], Worker]:
        """Start an interpreter that waits for a job, and return a function that returns its worker."""
        from pipeline_widgets.execution import worker  # noqa: PLC0415  with a fork server nobody needs it here

        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=worker.main, args=(theirs,))
        process.start()
        theirs.close()
        self._waiting.append(process)
        return lambda: _SpawnedWorker(ours, process)

    def wait_handles(self, worker: Worker) -> Sequence[socket.socket | int]:
        """Return the sentinel of the process."""
        return (worker.process.sentinel,) if isinstance(worker, _SpawnedWorker) else ()

    def end_leftovers(self) -> None:
        """End the processes that workers have left behind, whatever their session and their parent are."""
        if not self._adopts:
            return
        self._waiting = [process for process in self._waiting if process.is_alive()]
        own, me = os.environ.get(variables.LAUNCH), os.getpid()

        def left() -> set[int]:
            stats = processes.table()
            kept = {process.pid or 0 for process in self._waiting} | processes.pids_of_multiprocessing()
            roots = {pid for pid, stat in stats.items() if stat.parent == me} - kept
            return ownership.descendants(roots, own) - {me}

        processes.kill_all(left, LEFTOVER_GRACE)


@dataclass(frozen=True, slots=True)
class _SpawnedWorker:
    line: Connection
    process: SpawnProcess

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    def exit_code(self) -> int | None:
        return self.process.exitcode

    def describe_end(self) -> str:
        return processes.describe_exit(self.process.exitcode)

    def wait(self, timeout: float) -> None:
        self.process.join(timeout)
