"""The children of a supervisor, and where they come from without fork: fresh interpreters."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol

from pipeline_widgets.execution import ownership, processes

CLEAR_GRACE = 10.0  # seconds that what a run has left behind has to be gone in


class Worker(Protocol):
    """A process that waits for a job or does one."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def line(self) -> Connection:
        """The line to it."""
        ...

    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it lives."""
        ...

    def describe_end(self) -> str:
        """Return in words how it ended, for the evidence of a crash."""
        ...

    def wait(self, timeout: float) -> None:
        """Wait until it ends, for so many seconds at most."""
        ...


class ProcessSpawner(Protocol):
    """Makes children."""

    def spawn(self) -> Callable[[], Worker]:
        """Have a process started that waits for a job; calling what this returns fetches it."""
        ...

    def wait_handles(self, worker: Worker) -> Sequence[socket.socket | int]:
        """What becomes readable when a child ends."""
        ...

    def clear(self) -> None:
        """End what children that have ended have left behind, wherever that has gone."""
        ...


class InterpreterSpawner:
    """Starts children as fresh interpreters, where the platform has no fork."""

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts
        self._waiting: list[SpawnProcess] = []
        if adopts:
            processes.adopt_orphans()

    def spawn(self) -> Callable[[], Worker]:
        """Have an interpreter started that waits for a job."""
        from pipeline_widgets.execution import worker  # noqa: PLC0415  the fork server imports it, too

        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=worker.main, args=(theirs,))
        process.start()
        theirs.close()
        self._waiting.append(process)
        return lambda: _SpawnedWorker(ours, process)

    def wait_handles(self, worker: Worker) -> Sequence[socket.socket | int]:
        """The sentinel of the process."""
        return (worker.process.sentinel,) if isinstance(worker, _SpawnedWorker) else ()

    def clear(self) -> None:
        """End what children that have ended have left behind, wherever that has gone."""
        if not self._adopts:
            return
        self._waiting = [process for process in self._waiting if process.is_alive()]
        own, me = os.environ.get(ownership.LAUNCH), os.getpid()

        def left() -> set[int]:
            stats = processes.table()
            kept = {process.pid or 0 for process in self._waiting} | processes.pids_of_multiprocessing()
            roots = {pid for pid, stat in stats.items() if stat.parent == me} - kept
            return ownership.descendants(roots, own) - {me}

        processes.kill_all(left, CLEAR_GRACE)


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
