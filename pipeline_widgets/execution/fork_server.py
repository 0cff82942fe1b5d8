"""Fork workers from a small process beside the supervisor.

The fork server is forked from the supervisor before the supervisor imports the database layer, so it is
small. A fork copies the page table: forked from the supervisor itself, a worker would take three times as
long. `multiprocessing` has a fork server as well, which starts two more interpreters and pickles its way into
the worker.

The fork server also adopts the processes that a worker leaves behind: one that has detached itself from a
training becomes a child of the fork server when its parent ends. When a worker has ended, the fork server
ends these processes by itself, and reports when none is left. It ends everything when the supervisor is gone.
"""

from __future__ import annotations

import gc
import importlib
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
from typing import Any, Protocol

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import ownership, processes, streams, variables
from pipeline_widgets.execution.process_spawner import (
    LEFTOVER_GRACE,
    InterpreterSpawner,
    ProcessSpawner,
    Worker,
)

_MESSAGE = struct.Struct("!cqq")  # kind, process number, exit code
_FORKED, _ENDED, _CLEARED = b"F", b"E", b"C"
_FORK = b"+"
RESTARTS = 3  # restarts of the fork server before a worker is given up
WAIT_POLL = 0.02  # seconds between two checks of a worker whose end nobody reports
PRELOAD_AFTER = 1.0  # seconds of quiet after the first worker before a process with one core preloads


def create_spawner(method: str | None = None) -> ProcessSpawner:
    """Return the process spawner of a process that does nothing but supervise.

    Args:
        method: "fork" or "spawn"; by default "fork" where the platform has it.
    """
    ownership.own_launch()  # set before the first fork, so that every worker inherits it
    if (method or ("fork" if hasattr(os, "fork") else "spawn")) == "spawn":
        return InterpreterSpawner(adopts=True)
    return ForkServer(adopts=True)


class ForkServer:
    """Forks workers from a small process. Create it before anything large is imported.

    Args:
        adopts: Whether this process does nothing but supervise, so that all its descendants belong to its
            runs. It then adopts the processes of a fork server that was killed, and ends them.
    """

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts
        if adopts:
            processes.adopt_orphans()
        self._pid, self._control = _forked_server()
        self._reset()
        #: How the last fork server that was lost has ended.
        self._lost = ""

    def _reset(self) -> None:
        self._forked: deque[int] = deque()
        self._ended: dict[int, int] = {}
        self._uncleared: set[int] = set()  # workers that have ended, and may have left something
        self._gone = False

    def spawn(self) -> Callable[[], Worker]:
        """Start to fork a worker that waits for a job, and return a function that waits for the worker.

        Raises:
            ExecutionError: No process could be forked. The returned function raises it as well.
        """
        requested = self._request()

        def fetch() -> Worker:
            worker = self._fetch(requested)
            for _ in range(RESTARTS):
                if worker is not None:
                    break
                self._restart()
                worker = self._fetch(self._request())
            if worker is None:
                what = "No process could be started."
                raise ExecutionError(what, f"{self._lost} That happened again.", "Trigger it again.")
            return worker

        return fetch

    def _request(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        with theirs, suppress(OSError):  # a fork server that is gone is noticed by `fetch`
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
        """Start another fork server as a fresh interpreter, since this process has become large."""
        self.end_leftovers()
        self._control.close()
        self._pid, self._control = _started_server()
        self._reset()

    def wait_handles(self, worker: Worker) -> Sequence[socket.socket | int]:
        """Return the control line, which reports the end of a worker. Its own line may outlive it."""
        del worker
        return () if self._gone else (self._control,)

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of a worker; None while it lives, and where nobody can tell."""
        self.listen(0)
        if self._gone and pid not in self._ended:
            with suppress(ChildProcessError):  # this process may have adopted it
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._ended[pid] = os.waitstatus_to_exitcode(status)
                return self._ended.get(pid)
            if not processes.is_alive(pid):  # the system kills the children of a fork server that is gone
                self._ended[pid] = -signal.SIGKILL
        return self._ended.get(pid)

    def describe_end(self, pid: int) -> str:
        """Return in words how a worker ended."""
        code = self.exit_code(pid)
        if self._gone and code == -signal.SIGKILL:
            return f"{self._lost} With it the system has ended the process of the run."
        return processes.describe_exit(code)

    def listen(self, timeout: float) -> None:
        """Receive the reports of the fork server.

        Args:
            timeout: Seconds to wait for the first report.
        """
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

    def end_leftovers(self) -> None:
        """Wait until the fork server has ended what workers have left; if it was killed, do that here."""
        while self._uncleared and not self._gone:
            self._receive()
        if self._gone and self._adopts:
            own, me = os.environ.get(variables.LAUNCH), os.getpid()
            processes.kill_all(lambda: ownership.descendants([me], own) - {me}, LEFTOVER_GRACE)

    def close(self) -> None:
        """End the fork server, and with it every worker that is left."""
        self._control.close()
        self._gone = True

    def _receive(self) -> None:
        """Receive the next report of the fork server."""
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
            self._uncleared.discard(pid)
        else:
            self._ended[pid] = code
            self._uncleared.add(pid)

    def _lose(self) -> None:
        """Remember how the fork server itself has ended."""
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
            else:  # the fork server is gone, and nobody reports the end
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
    started.returncode = 0  # `_lose` waits for the process, not Popen
    return started.pid, ours


def serve(control: socket.socket | int) -> None:
    """Fork on request and report which workers have ended, until the supervisor is gone. Leave nothing then.

    Args:
        control: The line to the supervisor, or its file descriptor.
    """
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):  # it ends with its supervisor, which may have to save first
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    line = socket.socket(fileno=control) if isinstance(control, int) else control
    processes.adopt_orphans()
    server, code = _Server(line), 1
    if is_preloaded() or _usable_cores() > 1:
        preload()
    try:
        server.run()
        code = 0
    except Exception:  # noqa: BLE001  nothing is left behind, whatever has failed
        traceback.print_exc()
    finally:
        signal.set_wakeup_fd(-1)  # its socket is closed by now
        server.end_leftovers(everything=True)
        os._exit(code)


class _Server:
    """The process at the other end of a ForkServer."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: set[int] = set()
        self._uncleared: list[int] = []  # workers that have ended, and may have left something
        self._sockets: tuple[socket.socket, ...] = ()
        self._has_forked = False

    def run(self) -> None:
        """Serve the supervisor until it is gone."""
        awake, alarm = socket.socketpair()
        self._sockets = (awake, alarm)  # open for as long as signals are written to them
        alarm.setblocking(False)  # noqa: FBT003  the socket's own interface
        signal.set_wakeup_fd(alarm.fileno())
        signal.signal(signal.SIGCHLD, _wake_up)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while True:
                quiet = PRELOAD_AFTER if self._has_forked and not is_preloaded() else None
                ready = selector.select(quiet)
                if not ready:
                    preload()
                for key, _ in ready:
                    if key.fileobj is awake:
                        awake.recv(4096)
                        self._handle_ends()
                    elif not self._answer_request((awake, alarm, selector)):
                        return

    def end_leftovers(self, *, everything: bool = False) -> None:
        """End the processes that workers have left behind; with `everything`, the workers as well."""
        until = time.monotonic() + LEFTOVER_GRACE
        own = os.environ.get(variables.LAUNCH)
        while time.monotonic() < until:
            self._reap(report=not everything)
            left = set(processes.children(os.getpid())) - (set() if everything else self._workers)
            left = ownership.descendants(left, own) if left else left
            if not left:
                return
            processes.kill(left)
            time.sleep(processes.KILL_POLL)

    def _handle_ends(self) -> None:
        """Report which workers have ended, and once more when nothing of them is left."""
        self._reap()
        if self._uncleared:
            self.end_leftovers()
        while self._uncleared:
            self._report(_CLEARED, self._uncleared.pop())

    def _answer_request(self, inherited: Sequence[_Closable]) -> bool:
        """Fork a worker if the supervisor asks for one; return False if the supervisor is gone."""
        asked, lines, _, _ = socket.recv_fds(self._control, 1, 1)
        if asked:
            self._fork(lines[0], inherited)
        return bool(asked)

    def _fork(self, line: int, inherited: Sequence[_Closable]) -> None:
        """Fork a worker with the line that came with the request."""
        # With one core, as most jobs of an engine have, the first is forked at once: what it imports would
        # hold up the supervisor, which waits for it before the run is Running.
        if self._has_forked and not is_preloaded():
            preload()
        self._has_forked = True
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                processes.die_with_parent()
                if os.getppid() != server:  # the server was killed before `die_with_parent` took effect
                    os.kill(os.getpid(), signal.SIGKILL)
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (self._control, *inherited):
                    each.close()
                _work(line)
            finally:
                os._exit(1)
        os.close(line)
        self._workers.add(pid)
        self._report(_FORKED, pid)

    def _reap(self, *, report: bool = True) -> None:
        """Reap every zombie, and report the ends of those that were workers."""
        with suppress(ChildProcessError):
            while (reaped := os.waitpid(-1, os.WNOHANG))[0] != 0:
                pid, status = reaped
                if pid in self._workers:
                    self._workers.discard(pid)
                    self._uncleared.append(pid)
                    if report:
                        self._report(_ENDED, pid, os.waitstatus_to_exitcode(status))

    def _report(self, kind: bytes, pid: int, code: int = 0) -> None:
        self._control.sendall(_MESSAGE.pack(kind, pid, code))


def _work(line: int) -> None:
    connection = Connection(line)
    if not is_preloaded():
        connection.poll(None)  # until its job comes, the core is the supervisor's
    from pipeline_widgets.execution import worker  # noqa: PLC0415  preloaded

    numpy: Any = sys.modules.get("numpy")  # `random` seeds itself after a fork
    if numpy is not None:
        numpy.random.seed()
    worker.main(connection)
    os._exit(0)


def is_preloaded() -> bool:
    """Return whether this process has what every worker needs."""
    return "pipeline_widgets.execution.worker" in sys.modules


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def preload() -> None:
    """Import once what every worker needs, but not numpy: it may start threads, and they do not fork."""
    from pydantic import create_model  # noqa: PLC0415

    for module in ("pipeline_widgets.algorithms.by_value", "pipeline_widgets.execution.worker"):
        importlib.import_module(module)
    create_model("Preloaded", field=(int, 0))  # the first model that is made imports most of pydantic
    streams.lose_what_cannot_be_printed()
    gc.collect()
    gc.freeze()  # a worker need not copy pages that the collector leaves alone


def _wake_up(*_: object) -> None:
    """Do nothing: SIGCHLD only has to wake the loop."""


class _Closable(Protocol):
    def close(self) -> None: ...
