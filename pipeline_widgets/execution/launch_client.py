"""Ask the launch server of a workspace for a process, and start the server where there is none.

Nothing here is an error of whoever triggers: where no process comes of it in time, one is started as ever.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from pipeline_widgets.execution.launch_place import LaunchPlace, idle_seconds, read_status
from pipeline_widgets.execution.variables import LAUNCH, new_launch

if TYPE_CHECKING:
    from pipeline_widgets.execution.detached_process import DetachedProcess
    from pipeline_widgets.execution.preloading import ImportedModules

ANSWER_WITHIN = 0.5  # seconds that a launch server has to fork, before a process is started as ever
LEFT_ALONE = 30.0  # seconds for which one that did not answer is not asked again
REFUSED_FOR = 3600.0  # seconds for which none is started after one whose libraries do not fork
FAILED_FOR = 60.0  # seconds for which none is started after one that ended before it was ready
BEGIN_AFTER = 1.0  # seconds that a launch server leaves to the run beside which it is started
LONGEST_LOG = 64_000  # bytes after which the log begins anew
PADDING = "PIPELINE_WIDGETS_PADDING"
ROOM, MOST_ROOM = 32_768, 120_000  # bytes for variables that a forked process has in addition
NOWHERE = -3  # `subprocess.DEVNULL`
GO = b"G"
#: What comes back: "F", a process and 0 when it waits for GO; "E", the process and its exit code.
ANSWER = struct.Struct("!cqq")
LENGTH = struct.Struct("!I")
STARTING, READY, REFUSED = b"starting\n", b"ready\n", b"refused\n"

#: Until when sockets are not asked, since nobody has answered in time.
_silent: dict[str, float] = {}
_lock = threading.Lock()


class ForkedProcess:
    """A process that a launch server has forked for this one.

    Args:
        pid: The process number.
        line: The line on which the server tells how it has ended.
    """

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self._line: socket.socket | None = line
        self._code: int | None = None
        line.setblocking(False)  # noqa: FBT003  the socket's own interface

    def __del__(self) -> None:
        """Let go of it: it outlives who has started it, which is nothing to warn about."""
        if self._line is not None:
            self._line.close()

    def poll(self) -> int | None:
        """Return its exit code; None while it lives, and where its server has ended before it."""
        with _lock, suppress(BlockingIOError):
            if self._line is not None:
                self._code = self._read_end(self._line)
                self._line.close()
                self._line = None
        return self._code

    def wait(self) -> int | None:
        """Wait for its exit code; None where its server has ended before it."""
        line = self._line
        while line is not None and self._line is not None:
            select.select([line], [], [])
            self.poll()
        return self._code

    @staticmethod
    def _read_end(line: socket.socket) -> int | None:
        try:
            told = line.recv(ANSWER.size)
        except BlockingIOError:
            raise
        except OSError:
            return None
        return ANSWER.unpack(told)[2] if len(told) == ANSWER.size else None


def fork_process(
    place: LaunchPlace, arguments: Sequence[str], environment: Mapping[str, str], output: IO[bytes] | int
) -> ForkedProcess | None:
    """Have a process forked that runs a command of this package; None where none came of it in time.

    Args:
        place: Where the launch server is.
        arguments: The command.
        environment: All variables of the process.
        output: Where it prints to.
    """
    path = str(place.socket)
    if time.monotonic() < _silent.get(path, 0.0) or not place.is_private():
        return None
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(ANSWER_WITHIN)
        line.connect(path)
        if peer_of(line) != os.geteuid():
            raise PermissionError(path)
        pid = _ask(line, arguments, environment, output)
    except TimeoutError:
        line.close()
        _silent[path] = time.monotonic() + LEFT_ALONE
        return None
    except (OSError, ValueError, struct.error):  # it is gone, or is about to end
        line.close()
        return None
    return ForkedProcess(pid, line)


def start_server(
    place: LaunchPlace,
    environment: Mapping[str, str],
    *,
    beside: int = 0,
    begin_after: float | None = None,
    libraries: ImportedModules | None = None,
) -> DetachedProcess | None:
    """Start a launch server, unless there is one, or the last one ended before it was ready.

    Args:
        place: Where it is to be.
        environment: The variables of the processes that it will fork.
        beside: The supervisor that was started instead, from which it takes no time until that has begun.
        begin_after: Seconds that it waits at least; by default `BEGIN_AFTER`.
        libraries: What it imports in addition.
    """
    try:
        place.socket.parent.mkdir(mode=0o700, exist_ok=True)
        lock = _take_lock(place) if place.is_private() else None
        if lock is None:
            return None
        with os.fdopen(lock, "r+b") as held:
            if is_left_alone(held.read(), os.fstat(lock).st_mtime):
                return None
            _silent.pop(str(place.socket), None)
            held.seek(0)
            held.write(STARTING)
            held.truncate()
            held.flush()
            if libraries is not None:
                from dataclasses import asdict  # noqa: PLC0415  who only asks does not need it

                from pipeline_widgets.persistence import filesystem  # noqa: PLC0415  as above

                with filesystem.open_private(place.libraries, "w", encoding="utf-8") as file:
                    json.dump(asdict(libraries), file)
            after = BEGIN_AFTER if begin_after is None else begin_after
            return _start(place, environment, lock, (f"{after:g}", str(beside)))
    except OSError:
        return None


def is_left_alone(told: bytes, at: float) -> bool:
    """Return whether none is to be started for a while, by what the lock of the last one says since when."""
    seconds = {STARTING: FAILED_FOR, REFUSED: REFUSED_FOR}.get(told[: told.find(b"\n") + 1], 0.0)
    return time.time() - at < seconds


def peer_of(line: socket.socket) -> int:
    """Return the user of the process at the other end of a Unix socket."""
    told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return struct.unpack("iII", told)[1]


def environment_bytes(environment: Mapping[str, str]) -> bytes:
    """Return variables as the kernel shows them."""
    return b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in environment.items())


def _ask(
    line: socket.socket, arguments: Sequence[str], environment: Mapping[str, str], output: IO[bytes] | int
) -> int:
    """Send a request, and return the number of the process, which begins now."""
    until = time.monotonic() + ANSWER_WITHIN
    ignored = int(read_status("SigIgn"), 16)
    told = {
        "arguments": [*arguments],
        "environment": {**environment},
        "umask": int(read_status("Umask"), 8),
        "ignored": [number for number in range(1, 65) if ignored >> (number - 1) & 1],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    }
    body = json.dumps(told).encode()
    folder = os.open(".", os.O_PATH | os.O_DIRECTORY)
    nothing = os.open(os.devnull, os.O_WRONLY) if output == NOWHERE else None
    try:
        printed = nothing if nothing is not None else output if isinstance(output, int) else output.fileno()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [printed, folder]))
        message = LENGTH.pack(len(body)) + body
        sent = line.sendmsg([message], [rights])
        line.sendall(message[sent:])
    finally:
        os.close(folder)
        if nothing is not None:
            os.close(nothing)
    answer = b""
    while len(answer) < ANSWER.size:
        line.settimeout(max(0.001, until - time.monotonic()))
        more = line.recv(ANSWER.size - len(answer))
        if not more:
            raise ConnectionError
        answer += more
    kind, pid, _ = ANSWER.unpack(answer)
    if kind != b"F":
        raise ConnectionError
    line.sendall(GO)
    return pid


def _take_lock(place: LaunchPlace) -> int | None:
    """Return a locked file; None while a launch server has it."""
    import fcntl  # noqa: PLC0415  not on Windows

    for _ in range(3):
        lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        with suppress(OSError):
            if os.path.samestat(os.fstat(lock), place.lock.stat()):
                return lock
        os.close(lock)  # it was swept a moment ago
    return None


def _start(
    place: LaunchPlace, environment: Mapping[str, str], lock: int, begin: tuple[str, str]
) -> DetachedProcess | None:
    from subprocess import DEVNULL  # noqa: PLC0415  who only asks does not need it

    from pipeline_widgets.execution.detached_process import DetachedProcess  # noqa: PLC0415  as above
    from pipeline_widgets.execution.interpreter import command  # noqa: PLC0415  as above
    from pipeline_widgets.persistence import filesystem  # noqa: PLC0415  as above

    # Without the variables of a run: what is not read when modules are loaded comes with each request.
    own = {**environment, LAUNCH: new_launch()}
    own[PADDING] = "." * min(MOST_ROOM, len(environment_bytes(own)) + ROOM)
    told = ("launch-server", str(place.socket), str(place.log))
    settings = (str(lock), f"{idle_seconds(environment):g}", *begin)
    with suppress(OSError):
        if place.log.stat().st_size > LONGEST_LOG:
            place.log.unlink()
    try:
        output: IO[bytes] | int = filesystem.open_private(place.log, "ab")
    except OSError:
        output = DEVNULL
    try:
        return DetachedProcess(command([*told, *settings]), own, output, folder="/", inherited=[lock])
    finally:
        if not isinstance(output, int):
            output.close()
