"""Where children come from: a fork server beside the supervisor, or fresh interpreters without fork.

The fork server is forked from the supervisor before that imports the database layer, so it is small. A
fork costs what its pages cost: forked from the supervisor itself, a child would take three times as long.
It is not that of `multiprocessing`, which starts two more interpreters and pickles its way into the child.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import selectors
import signal
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import processes

_MESSAGE = struct.Struct("!cqq")  # kind, process number, exit code
_FORKED, _ENDED = b"F", b"E"
#: How the number of a process that ended unseen is reported.
UNSEEN = 255


class Child(Protocol):
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

    def wait(self, timeout: float) -> None:
        """Wait until it ends, for so many seconds at most."""
        ...


class Nursery(Protocol):
    """Makes children."""

    def order(self) -> Callable[[], Child]:
        """Have a process started that waits for a job; calling what this returns fetches it."""
        ...

    def signs(self, child: Child) -> Sequence[socket.socket | int]:
        """What becomes readable when a child ends."""
        ...


def nursery(method: str | None = None) -> Nursery:
    """Return where children come from: "fork" or "spawn"; by default what the platform has."""
    if (method or ("fork" if hasattr(os, "fork") else "spawn")) == "spawn":
        return SpawnNursery()
    return ForkServer()


class ForkServer:
    """Forks children from a small process. Make it before anything large is imported."""

    def __init__(self) -> None:
        self._control = _forked_server()
        self._forked: deque[int] = deque()
        self._ended: dict[int, int] = {}
        self._gone = False

    def order(self) -> Callable[[], Child]:
        """Have a child forked that waits for a job, while the caller does something else.

        Raises:
            ExecutionError: No process could be forked.
        """
        ours, theirs = multiprocessing.Pipe()
        with theirs, suppress(OSError):  # a fork server that is gone is noticed below
            socket.send_fds(self._control, [b"+"], [theirs.fileno()])
        return lambda: self._fetch(ours)

    def _fetch(self, ours: Connection) -> Child:
        while not (self._forked or self._gone):
            self._receive()
        if self._forked:
            return _ForkedChild(self._forked.popleft(), ours, self)
        ours.close()
        raise ExecutionError("No process could be started.", "The fork server is gone.", "Trigger it again.")

    def signs(self, child: Child) -> Sequence[socket.socket | int]:
        """The control line says that a child has ended; the child's own line may outlive it."""
        del child
        return () if self._gone else (self._control,)

    def exit_code(self, pid: int) -> int | None:
        """Return how a child ended; None while it lives."""
        self.listen(0)
        return self._ended.get(pid, UNSEEN if self._gone else None)

    def listen(self, timeout: float) -> None:
        """Take note of the ends that are told within so many seconds."""
        while not self._gone:
            self._control.settimeout(timeout)
            try:
                ready = self._control.recv(1, socket.MSG_PEEK)
            except (TimeoutError, BlockingIOError):
                return
            finally:
                self._control.settimeout(None)
            self._gone = not ready
            if ready:
                self._receive()
            timeout = 0

    def close(self) -> None:
        """End the fork server, and with it every child that is left."""
        self._control.close()
        self._gone = True

    def _receive(self) -> None:
        """Take note of what the fork server tells next."""
        told = self._control.recv(_MESSAGE.size, socket.MSG_WAITALL)
        if len(told) < _MESSAGE.size:
            self._gone = True
            return
        kind, pid, code = _MESSAGE.unpack(told)
        if kind == _FORKED:
            self._forked.append(pid)
        else:
            self._ended[pid] = code


@dataclass(frozen=True, slots=True)
class _ForkedChild:
    pid: int
    line: Connection
    server: ForkServer

    def exit_code(self) -> int | None:
        return self.server.exit_code(self.pid)

    def wait(self, timeout: float) -> None:
        if self.exit_code() is None:
            self.server.listen(timeout)


class SpawnNursery:
    """Starts children as fresh interpreters, where the platform has no fork."""

    def order(self) -> Callable[[], Child]:
        """Have an interpreter started that waits for a job."""
        from pipeline_widgets.execution import child  # noqa: PLC0415  the fork server imports it, too

        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=child.main, args=(theirs,))
        process.start()
        theirs.close()
        return lambda: _SpawnedChild(ours, process)

    def signs(self, child: Child) -> Sequence[socket.socket | int]:
        """The sentinel of the process."""
        return (child.process.sentinel,) if isinstance(child, _SpawnedChild) else ()


@dataclass(frozen=True, slots=True)
class _SpawnedChild:
    line: Connection
    process: SpawnProcess

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    def exit_code(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float) -> None:
        self.process.join(timeout)


def _forked_server() -> socket.socket:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            _serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return ours


def _serve(control: socket.socket) -> None:
    """Fork when asked to, and tell who has ended; until the supervisor is gone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.die_with_parent()
    _preload()
    awake, alarm = socket.socketpair()
    alarm.setblocking(False)  # noqa: FBT003  the socket's own interface
    signal.set_wakeup_fd(alarm.fileno())
    signal.signal(signal.SIGCHLD, _noted)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(awake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is awake:
                    awake.recv(4096)
                    _tell_ends(control)
                elif not _fork(control, (awake, alarm, selector)):
                    return


def _fork(control: socket.socket, inherited: Sequence[_Closable]) -> bool:
    """Fork a child with the line that comes with the request; False when the supervisor is gone."""
    asked, lines, _, _ = socket.recv_fds(control, 1, 1)
    if not asked:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (control, *inherited):
                each.close()
            _work(lines[0])
        finally:
            os._exit(1)
    os.close(lines[0])
    control.sendall(_MESSAGE.pack(_FORKED, pid, 0))
    return True


def _work(line: int) -> None:
    from pipeline_widgets.execution import child  # noqa: PLC0415  preloaded

    child.main(Connection(line))
    os._exit(0)


def _tell_ends(control: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            control.sendall(_MESSAGE.pack(_ENDED, pid, os.waitstatus_to_exitcode(status)))


def _preload() -> None:
    """Import once what each child needs, but for numpy: that may start threads, and they do not fork."""
    import cloudpickle  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    from pydantic import create_model  # noqa: PLC0415

    from pipeline_widgets.execution import child  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

    create_model("Preloaded", field=(int, 0))  # the first model that is made imports most of pydantic
    gc.collect()
    gc.freeze()  # what the collector leaves alone is on pages that a child need not copy


def _noted(*_: object) -> None:
    """SIGCHLD only has to wake the loop."""


class _Closable(Protocol):
    def close(self) -> None: ...
