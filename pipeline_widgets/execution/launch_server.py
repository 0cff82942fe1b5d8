"""A process that forks supervisors, so that a trigger need not wait for an interpreter and its imports.

The first trigger of a workspace on a machine starts it, beside a supervisor that is started as ever. It has
imported what a supervisor needs, has no thread and no connection, and ends when nobody has asked for a while,
when code that it has imported changes, and when the workspace is gone. Nobody depends on it: a supervisor
that it has forked is in a session of its own, and a trigger that it does not answer goes without.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipeline_widgets.execution import fork_server, fresh_process, rehearsal
from pipeline_widgets.execution.launch_client import (
    ANSWER,
    ANSWER_WITHIN,
    GO,
    LENGTH,
    READY,
    REFUSED,
    STARTING,
    is_left_alone,
    peer_of,
)
from pipeline_widgets.execution.launch_place import find_siblings
from pipeline_widgets.execution.next_worker import has_room_beside
from pipeline_widgets.execution.preloading import (
    ImportedModules,
    find_hindrance,
    find_threads,
    import_libraries,
)
from pipeline_widgets.execution.variables import URL

LOOK_EVERY = 5.0  # seconds between two looks at code and workspace
LARGEST = 16_000_000  # bytes of a request
#: Seconds for which a request waits for a thread that is awake, and between two looks at it.
AWAKE_FOR, AWAKE_POLL = 0.1, 0.002
RECEIVE = 65_536
#: How much memory has to be free, by what a launch server with libraries takes: else it makes room.
FREE_MEMORY = 1.0
#: Launch servers with libraries that a workspace has at most, since each keeps these in memory.
MOST_WITH_LIBRARIES = 3
#: The folder in which it rehearses, beside its socket.
REHEARSAL = ".rehearsal"
#: What a supervisor imports until its run is Running; `tests/execution/test_launch_server.py` holds that.
MODULES = (
    "pipeline_widgets.execution.supervisor",
    "pipeline_widgets.execution.tracking",
    "pipeline_widgets.execution.assembly",
    "pipeline_widgets.execution.streams",
    "pipeline_widgets.persistence.migrate",
    "sqlalchemy.dialects.sqlite",
    "encodings.ascii",
)


@dataclass(frozen=True, slots=True)
class _Request:
    arguments: Sequence[str]
    environment: Mapping[str, str]
    umask: int
    ignored: Sequence[int]
    blocked: Sequence[int]


class _Line:
    """A connection to a process that asks for another one, as far as it has asked."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.descriptors: list[int] = []
        self._received = b""

    def receive(self) -> _Request | None:
        """Return the request; None while a part of it is missing.

        Raises:
            ValueError: It is none.
            ConnectionError: Nothing more will come.
        """
        more, descriptors, _, _ = socket.recv_fds(self.connection, RECEIVE, 4)
        self.descriptors += descriptors
        self._received += more
        if not more or len(self._received) > LARGEST:
            raise ConnectionError
        if len(self._received) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._received)
        if len(self._received) < LENGTH.size + length:
            return None
        if len(self.descriptors) != 2:  # noqa: PLR2004  where it prints to, and its folder
            raise ValueError(self.descriptors)
        return _Request(**cast("dict[str, Any]", json.loads(self._received[LENGTH.size :])))

    def close(self) -> None:
        """Forget it."""
        self.connection.close()
        for each in self.descriptors:
            os.close(each)
        self.descriptors = []


class LaunchServer:
    """Forks processes on request.

    Args:
        path: The socket on which it listens.
        log: Where it writes what goes wrong, in the folder of its workspace.
        lock: The descriptor of a locked file, for as long as it is the launch server.
        idle: Seconds without a request after which it ends.
        since: When it was started, in seconds since 1970.
        variables: What the libraries have set that it has imported; None for one without libraries.
        is_declared: Whether an algorithm declares these libraries.
    """

    def __init__(
        self,
        path: Path,
        log: Path,
        lock: int,
        idle: float,
        since: float,
        variables: Mapping[str, str | None] | None = None,
        *,
        is_declared: bool = False,
    ) -> None:
        self._variables, self._is_declared = variables, is_declared
        self._path, self._log, self._lock, self._idle = path, log, lock, idle
        self._code = _stamps()
        self._is_code_changed = any(stamp[0] > since * 1e9 for stamp in self._code.values())
        self._workspace = _place_of(log.parent)
        self._asked_at = time.monotonic()
        self._lines: dict[socket.socket, _Line] = {}
        self._children: dict[int, socket.socket] = {}

    def serve(self) -> Sequence[str] | None:
        """Answer until there is a reason to end.

        Returns:
            In a process that was forked, the arguments of its command; None in the launch server at its end.
        """
        if self._is_code_changed:
            self.say("It ends. Code that it has imported was changed while it started.")
            return None
        if self._workspace is None:  # it was deleted while this process started
            os.ftruncate(self._lock, 0)  # so that the next trigger may start another one at once
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(self._path))
            listening.listen(64)
            listening.setblocking(False)  # noqa: FBT003  the socket's own interface
            self._socket = _place_of(self._path)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, READY, 0)
            _print_to_nothing()
            try:
                return self._answer_all(listening)
            except Exception as error:
                self.say(f"It ends: {type(error).__name__}: {error}")
                raise

    def refuse(self, reason: str) -> None:
        """Say why nothing can be forked from this process, so that no other one is started for a while."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, REFUSED, 0)
        self.say(f"It ends. {reason}")

    def _answer_all(self, listening: socket.socket) -> Sequence[str] | None:
        awake, alarm = socket.socketpair()
        alarm.setblocking(False)  # noqa: FBT003  as above
        with awake, alarm, selectors.DefaultSelector() as selector:
            signal.set_wakeup_fd(alarm.fileno())
            signal.signal(signal.SIGCHLD, _wake_up)
            selector.register(listening, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            looked_at, look_every = time.monotonic(), min(LOOK_EVERY, self._idle / 2)
            while True:
                for key, _ in selector.select(look_every):
                    if key.fileobj is listening:
                        self._accept(listening, selector)
                    elif key.fileobj is awake:
                        awake.recv(RECEIVE)
                    elif isinstance(key.fileobj, socket.socket):
                        selector.unregister(key.fileobj)
                        answered = self._answer(self._lines.pop(key.fileobj), selector)
                        if answered is not None:
                            return answered
                self._reap()
                if time.monotonic() - looked_at >= look_every or self._is_code_changed:
                    looked_at = time.monotonic()
                    if (reason := self._reason_to_end()) is not None:
                        self._end(reason)
                        return None

    def _accept(self, listening: socket.socket, selector: selectors.BaseSelector) -> None:
        with suppress(BlockingIOError):
            connection, _ = listening.accept()
            if peer_of(connection) != os.geteuid():
                connection.close()
                return
            connection.setblocking(False)  # noqa: FBT003  as above
            self._lines[connection] = _Line(connection)
            selector.register(connection, selectors.EVENT_READ)

    def _answer(self, line: _Line, selector: selectors.BaseSelector) -> Sequence[str] | None:
        """Go on with a request; return arguments in the process that was forked for it."""
        try:
            request = line.receive()
            if request is None:
                self._lines[line.connection] = line
                selector.register(line.connection, selectors.EVENT_READ)
                return None
            if not self._can_fork():
                line.close()
                return None
            pid = os.fork()
        except (OSError, ValueError, TypeError) as error:
            self.say(f"It did not fork as asked: {type(error).__name__}: {error}")
            line.close()
            return None
        if pid == 0:
            for each in (*self._lines, *self._children.values()):
                each.close()
            return self._begin(request, line)
        self._asked_at = time.monotonic()
        for each in line.descriptors:
            os.close(each)
        line.descriptors = []
        self._children[pid] = line.connection
        return None

    def _begin(self, request: _Request, line: _Line) -> Sequence[str]:
        """Become the process that was asked for, and wait until who has asked knows of it."""
        code = os.EX_SOFTWARE
        try:
            output, folder = line.descriptors
            connection = line.connection
            connection.setblocking(True)  # noqa: FBT003  as above
            os.setsid()
            os.umask(request.umask)
            os.fchdir(folder)
            fresh_process.set_signals(request.ignored, request.blocked)
            fresh_process.set_environment(request.environment)
            fresh_process.change_environment(self._variables or {})
            shown = [*sys.orig_argv[: sys.orig_argv.index("pipeline_widgets") + 1], *request.arguments]
            fresh_process.show(shown, request.environment)
            fresh_process.renew(shown, request.arguments)
            fresh_process.set_streams(output)
            connection.sendall(ANSWER.pack(b"F", os.getpid(), 0))
            connection.settimeout(2 * ANSWER_WITHIN)
            if connection.recv(1) == GO:  # else who has asked did not wait for it
                line.close()
                code = os.EX_OK
            else:
                code = os.EX_TEMPFAIL
        except Exception as error:  # noqa: BLE001  who has asked starts a process, whatever has failed
            self.say(f"It could not fork as asked: {type(error).__name__}: {error}")
        finally:
            if code != os.EX_OK:
                os._exit(code)
        return request.arguments

    def _can_fork(self) -> bool:
        """Return whether a fork is as good as a start: code is as it was, and there is no thread."""
        if self._has_code_changed() or (find_threads() and not self._is_declared):
            self._is_code_changed = True
            return False
        if not self._is_declared:
            return True
        # Last, and the fork follows at once: a thread that is awake waits again in a moment.
        until = time.monotonic() + AWAKE_FOR
        while (hindrance := find_hindrance(is_declared=True)) is not None:
            if time.monotonic() > until:
                self.say(f"It did not fork as asked. {hindrance}")
                return False
            time.sleep(AWAKE_POLL)
        return True

    def _reap(self) -> None:
        """Reap what has ended, and tell who asked for it how."""
        with suppress(ChildProcessError):
            while (reaped := os.waitpid(-1, os.WNOHANG))[0] != 0:
                pid, status = reaped
                line = self._children.pop(pid, None)
                if line is not None:
                    with line, suppress(OSError):
                        line.sendall(ANSWER.pack(b"E", pid, os.waitstatus_to_exitcode(status)))

    def _reason_to_end(self) -> str | None:
        if time.monotonic() - self._asked_at > self._idle:
            return ""
        if self._has_code_changed():
            return "Code that it has imported was changed."
        if self._variables is not None and not has_room_beside(os.getpid(), FREE_MEMORY):
            return "The memory that its libraries take is needed."
        if _place_of(self._log.parent) != self._workspace or _place_of(self._path) != self._socket:
            return ""
        return None

    def _has_code_changed(self) -> bool:
        return self._is_code_changed or any(_stamp(path) != stamp for path, stamp in self._code.items())

    def _end(self, reason: str) -> None:
        if _place_of(self._path) == self._socket:
            self._path.unlink(missing_ok=True)
        if reason:
            self.say(f"It ends. {reason}")

    def say(self, text: str) -> None:
        """Write to the log, which is not open meanwhile: a folder could not be unmounted."""
        with suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} Launch server {os.getpid()}: {text}\n")


def serve(path: Path, log: Path, lock: int, idle: float, since: float) -> Sequence[str] | None:
    """Be a launch server; return arguments in a process that was forked, and None at the end.

    Args:
        path: The socket.
        log: Where it writes what goes wrong.
        lock: The descriptor of a locked file.
        idle: Seconds without a request after which it ends.
        since: When it was started, in seconds since 1970.
    """
    os.set_inheritable(lock, False)  # noqa: FBT003  the function's own interface
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _sweep(path)
    libraries = _read_libraries(path.with_suffix(".libraries"))
    import_all()
    variables, refusal = (None, None) if libraries is None else import_libraries(libraries)
    failed = None if refusal is not None else _prepare_database(path.with_suffix(REHEARSAL))
    gc.collect()
    gc.freeze()
    is_declared = libraries is not None and libraries.is_declared
    server = LaunchServer(path, log, lock, idle, since, variables, is_declared=is_declared)
    if refusal is not None:
        server.refuse(refusal)
        return None
    if libraries is not None:
        for oldest in find_siblings(path)[: 1 - MOST_WITH_LIBRARIES]:
            oldest.unlink(missing_ok=True)  # it sees that at its next look, and ends
    if failed is not None:
        server.say(f"It could not rehearse what supervisors do. {failed}")
    arguments = server.serve()
    if arguments is not None:
        fresh_process.close_descriptors()
    return arguments


def _prepare_database(folder: Path) -> str | None:
    """Make the workspace's database ahead; return what has failed: then supervisors make it as ever."""
    url = os.environ.get(URL)
    try:
        if url is not None:
            rehearsal.prepare_database(url, folder)
    except Exception as error:  # noqa: BLE001  only a trigger takes longer for that
        return f"{type(error).__name__}: {error}"
    return None


def import_all() -> None:
    """Import what supervisors and their fork servers need."""
    gc.disable()
    fork_server.preload()
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("pipeline_widgets.execution.supervisor").import_rest()
    gc.collect()
    gc.freeze()  # what is forked need not copy pages that the collector leaves alone
    gc.enable()


def _read_libraries(path: Path) -> ImportedModules | None:
    """Return the modules to import in addition, and remove their file; None for one without libraries."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return ImportedModules(
            names=tuple(told["names"]), variables=told["variables"], is_declared=told["is_declared"]
        )
    except (OSError, ValueError, KeyError):
        return None


def _sweep(own: Path) -> None:
    """Remove what launch servers have left that were killed, where nobody holds their lock."""
    import fcntl  # noqa: PLC0415  not on Windows

    own.unlink(missing_ok=True)
    for path in own.parent.glob("*.lock"):
        if path.stem == own.stem:
            continue
        with suppress(OSError):
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_left_alone(os.read(lock, len(STARTING)), os.fstat(lock).st_mtime):
                    continue  # it says that none is to be started for a while
                if os.path.samestat(os.fstat(lock), path.stat()):
                    for ending in (".sock", ".libraries"):
                        path.with_suffix(ending).unlink(missing_ok=True)
                    shutil.rmtree(path.with_suffix(REHEARSAL), ignore_errors=True)
                    path.unlink()
            finally:
                os.close(lock)


def _stamps() -> dict[str, tuple[int, ...]]:
    """Return all files that were imported, and the folders with installed packages, as they are now."""
    files = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    links = [str(each) for folder in folders for each in Path(folder).glob("*.pth")]
    paths = {each for each in (*files, *folders, *links) if isinstance(each, str)}
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116  of some hundred files before each fork
    except OSError:
        return (0,)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _place_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _print_to_nothing() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def _wake_up(*_: object) -> None:
    """Do nothing: SIGCHLD only has to wake the loop."""
