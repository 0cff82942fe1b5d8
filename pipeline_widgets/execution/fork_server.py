"""Where children come from: a fork server beside the supervisor, or fresh interpreters without fork.

The fork server is forked from the supervisor before that imports the database layer, so it is small. A
fork costs what its pages cost: forked from the supervisor itself, a child would take three times as long.
It is not that of `multiprocessing`, which starts two more interpreters and pickles its way into the child.

It also adopts what its children leave behind: a process that has detached itself from a training is a child
of the fork server in the end. So it knows them all, and ends them when the run has ended, or its supervisor.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from subprocess import DEVNULL, Popen
from typing import Protocol

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import ownership, processes
from pipeline_widgets.execution.process_spawner import CLEAR_GRACE, InterpreterSpawner, ProcessSpawner, Worker

_MESSAGE = struct.Struct("!cqq")  # kind, process number, exit code
_FORKED, _ENDED, _CLEARED = b"F", b"E", b"C"
_FORK, _CLEAR = b"+", b"-"
RESTARTS = 3  # of the fork server, until a process is given up
WAIT_POLL = 0.02  # seconds between two looks at a child whose end nobody tells


def create_spawner(method: str | None = None) -> ProcessSpawner:
    """Return where the children of a process come from that does nothing but supervise.

    Args:
        method: "fork" or "spawn"; by default what the platform has.
    """
    ownership.own_launch()  # what is forked from now on inherits it
    if (method or ("fork" if hasattr(os, "fork") else "spawn")) == "spawn":
        return InterpreterSpawner(adopts=True)
    return ForkServer(adopts=True)


class ForkServer:
    """Forks children from a small process. Make it before anything large is imported.

    Args:
        adopts: Whether this process does nothing but supervise, so that all its descendants are of its runs:
            it is left the processes of a fork server that was killed, and ends them.
    """

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts
        if adopts:
            processes.adopt_orphans()
        self._pid, self._control = _forked_server()
        self._reset()
        #: How the last fork server ended that did not end because it was told to.
        self._lost = ""

    def _reset(self) -> None:
        self._forked: deque[int] = deque()
        self._ended: dict[int, int] = {}
        self._cleared = 0
        self._gone = False

    def spawn(self) -> Callable[[], Worker]:
        """Have a child forked that waits for a job, while the caller does something else.

        Raises:
            ExecutionError: No process could be forked; also from what this returns.
        """
        ordered = self._order()

        def fetch() -> Worker:
            worker = self._fetch(ordered)
            for _ in range(RESTARTS):
                if worker is not None:
                    break
                self._restart()
                worker = self._fetch(self._order())
            if worker is None:
                what = "No process could be started."
                raise ExecutionError(what, f"{self._lost} That happened again.", "Trigger it again.")
            return worker

        return fetch

    def _order(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        with theirs, suppress(OSError):  # a fork server that is gone is noticed when the child is fetched
            socket.send_fds(self._control, [_FORK], [theirs.fileno()])
        return ours

    def _fetch(self, ours: Connection) -> Worker | None:
        while not (self._forked or self._gone):
            self._receive()
        if self._forked:
            return _ForkedWorker(self._forked.popleft(), ours, self)
        ours.close()
        return None

    def _restart(self) -> None:
        """Start another fork server, as an interpreter of its own: this process has become large."""
        self.clear()
        self._control.close()
        self._pid, self._control = _started_server()
        self._reset()

    def wait_handles(self, worker: Worker) -> Sequence[socket.socket | int]:
        """The control line says that a child has ended; the child's own line may outlive it."""
        del worker
        return () if self._gone else (self._control,)

    def exit_code(self, pid: int) -> int | None:
        """Return how a child ended; None while it lives, and where nobody can say."""
        self.listen(0)
        if self._gone and pid not in self._ended:
            with suppress(ChildProcessError):  # it was left to this process
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._ended[pid] = os.waitstatus_to_exitcode(status)
                return self._ended.get(pid)
            if not processes.is_alive(pid):
                self._ended[
                    pid
                ] = -signal.SIGKILL  # by the system, which does so with a fork server's children
        return self._ended.get(pid)

    def describe_end(self, pid: int) -> str:
        """Return in words how a child ended."""
        code = self.exit_code(pid)
        if self._gone and code == -signal.SIGKILL:
            return f"{self._lost} With it the system has ended the process of the run."
        return processes.describe_exit(code)

    def listen(self, timeout: float) -> None:
        """Take note of the ends that are told within so many seconds."""
        while not self._gone:
            self._control.settimeout(timeout)
            try:
                ready = self._control.recv(1, socket.MSG_PEEK)
            except (TimeoutError, BlockingIOError):
                return
            except OSError:
                ready = b""
            finally:
                self._control.settimeout(None)
            if ready:
                self._receive()
            else:
                self._lose()
            timeout = 0

    def clear(self) -> None:
        """End what children that have ended have left behind, wherever that has gone."""
        if not self._gone:
            cleared = self._cleared
            with suppress(OSError):
                self._control.sendall(_CLEAR)
            while self._cleared == cleared and not self._gone:
                self._receive()
        if self._gone and self._adopts:
            own, me = os.environ.get(ownership.LAUNCH), os.getpid()
            processes.kill_all(lambda: ownership.descendants([me], own) - {me}, CLEAR_GRACE)

    def close(self) -> None:
        """End the fork server, and with it every child that is left."""
        self._control.close()
        self._gone = True

    def _receive(self) -> None:
        """Take note of what the fork server tells next."""
        try:
            told = self._control.recv(_MESSAGE.size, socket.MSG_WAITALL)
        except OSError:
            told = b""
        if len(told) < _MESSAGE.size:
            self._lose()
            return
        kind, pid, code = _MESSAGE.unpack(told)
        if kind == _FORKED:
            self._forked.append(pid)
        elif kind == _CLEARED:
            self._cleared += 1
        else:
            self._ended[pid] = code

    def _lose(self) -> None:
        """Take note of how the fork server itself has ended."""
        self._gone, how = True, "has ended"
        with suppress(ChildProcessError):
            _, status = os.waitpid(self._pid, 0)
            code = os.waitstatus_to_exitcode(status)
            how = (
                f"was killed by {processes.signal_name(-code)}"
                if code < 0
                else f"{how} with exit code {code}"
            )
        self._lost = f"The fork server of its supervisor, process {self._pid}, {how}."


@dataclass(frozen=True, slots=True)
class _ForkedWorker:
    pid: int
    line: Connection
    server: ForkServer

    def exit_code(self) -> int | None:
        return self.server.exit_code(self.pid)

    def describe_end(self) -> str:
        return self.server.describe_end(self.pid)

    def wait(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        while self.exit_code() is None and (left := until - time.monotonic()) > 0:
            if self.server.wait_handles(self):
                self.server.listen(left)
            else:  # the fork server is gone, and nobody tells of the end
                time.sleep(min(left, WAIT_POLL))


def _forked_server() -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return pid, ours


def _started_server() -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    code = f"from pipeline_widgets.execution import fork_server; fork_server.serve({theirs.fileno()})"
    command = [sys.executable, "-P", "-c", code]
    with theirs:
        started = Popen(command, stdin=DEVNULL, pass_fds=[theirs.fileno()])  # noqa: S603  our own module
    started.returncode = 0  # it is waited for where its end is noticed
    return started.pid, ours


def serve(control: socket.socket | int) -> None:
    """Fork when asked to, and tell who has ended; until the supervisor is gone, with all that it has left.

    Args:
        control: The line to the supervisor, or the number of its file.
    """
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):  # it ends when its supervisor does, which may have to save
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    line = socket.socket(fileno=control) if isinstance(control, int) else control
    processes.adopt_orphans()
    _preload()
    server, code = _Server(line), 1
    try:
        server.run()
        code = 0
    except Exception:  # noqa: BLE001  whatever it is, nothing is left behind
        traceback.print_exc()
    finally:
        signal.set_wakeup_fd(-1)  # its socket is closed by now
        server.clear(everything=True)
        os._exit(code)


class _Server:
    """The other end of a ForkServer."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        self._sockets: tuple[socket.socket, ...] = ()

    def run(self) -> None:
        """Do what the supervisor asks for, until it is gone."""
        awake, alarm = socket.socketpair()
        self._sockets = (awake, alarm)  # open until the signals are no longer told
        alarm.setblocking(False)  # noqa: FBT003  the socket's own interface
        signal.set_wakeup_fd(alarm.fileno())
        signal.signal(signal.SIGCHLD, _noted)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is awake:
                        awake.recv(4096)
                        self._reap()
                    elif not self._obey((awake, alarm, selector)):
                        return

    def clear(self, *, everything: bool = False) -> None:
        """End what is left of children that have ended, or all children with what is left of them."""
        until = time.monotonic() + CLEAR_GRACE
        own = os.environ.get(ownership.LAUNCH)
        while time.monotonic() < until:
            self._reap(tell=not everything)
            left = set(processes.children(os.getpid())) - (set() if everything else self._children)
            left = ownership.descendants(left, own) if left else left
            if not left:
                return
            processes.kill(left)
            time.sleep(processes.KILL_POLL)

    def _obey(self, inherited: Sequence[_Closable]) -> bool:
        """Do what the supervisor asks for next; False when it is gone."""
        asked, lines, _, _ = socket.recv_fds(self._control, 1, 1)
        if asked == _CLEAR:
            self.clear()
            self._control.sendall(_MESSAGE.pack(_CLEARED, 0, 0))
        elif asked:
            self._fork(lines[0], inherited)
        return bool(asked)

    def _fork(self, line: int, inherited: Sequence[_Closable]) -> None:
        """Fork a child with the line that comes with the request."""
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                processes.die_with_parent()
                if os.getppid() != server:  # it was killed before that could count
                    os.kill(os.getpid(), signal.SIGKILL)
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (self._control, *inherited):
                    each.close()
                _work(line)
            finally:
                os._exit(1)
        os.close(line)
        self._children.add(pid)
        self._control.sendall(_MESSAGE.pack(_FORKED, pid, 0))

    def _reap(self, *, tell: bool = True) -> None:
        """Let none stay a zombie, and tell of the ends of children; not of what they had left behind."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._children:
                    self._children.discard(pid)
                    if tell:
                        code = os.waitstatus_to_exitcode(status)
                        self._control.sendall(_MESSAGE.pack(_ENDED, pid, code))


def _work(line: int) -> None:
    from pipeline_widgets.execution import worker  # noqa: PLC0415  preloaded

    worker.main(Connection(line))
    os._exit(0)


def _preload() -> None:
    """Import once what each child needs, but for numpy: that may start threads, and they do not fork."""
    import cloudpickle  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    from pydantic import create_model  # noqa: PLC0415

    from pipeline_widgets.execution import worker  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

    create_model("Preloaded", field=(int, 0))  # the first model that is made imports most of pydantic
    gc.collect()
    gc.freeze()  # what the collector leaves alone is on pages that a child need not copy


def _noted(*_: object) -> None:
    """SIGCHLD only has to wake the loop."""


class _Closable(Protocol):
    def close(self) -> None: ...
