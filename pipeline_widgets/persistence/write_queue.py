"""The queue of those who wait to write to a SQLite file: first come, first served.

SQLite has none: who finds the file locked sleeps for up to 100 ms and tries again, so that whoever comes at
the right moment goes first, and one of many writers may wait for half a minute. Here only the first in the
queue asks SQLite. Threads stand in line within their process, and processes at a lock of the workspace's
folder, which Linux gives to those who wait in their order.

It decides the order and nothing else: SQLite's own lock is what keeps writers apart. So who has waited for
long (a process ahead may be suspended) goes on without its turn, and so do all where no folder can be locked.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

TURN_WITHIN = 5.0  # seconds that one waits for its turn
LEFT_ALONE = 30.0  # seconds without a queue after one did not come to its turn


class WriteQueue:
    """The queue of the writers of one file."""

    def __init__(self) -> None:
        #: The folder at which processes stand in line; without one only the threads of this process do.
        self.folder: Path | None = None
        self._line = _ThreadLine()
        self._locked: set[int] = set()  # descriptors of the folder
        self._alone_until = 0.0

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait for one's turn, and keep it for the block: until one's transaction has begun."""
        until = time.monotonic() + TURN_WITHIN
        if until - TURN_WITHIN < self._alone_until:
            yield
            return
        line = self._line  # a fork within the block has another one
        if not line.enter(TURN_WITHIN):
            self._alone_until = time.monotonic() + LEFT_ALONE
            yield
            return
        try:
            with self._lock_folder(until):
                yield
        finally:
            line.leave()

    def forget(self) -> None:
        """Leave the queue in a process that was forked from one that stood in it."""
        for each in self._locked:
            with suppress(OSError):
                os.close(each)
        self._line, self._locked, self._alone_until = _ThreadLine(), set(), 0.0

    @contextmanager
    def _lock_folder(self, until: float) -> Generator[None]:
        lock = None if self.folder is None else _open_folder(self.folder)
        if lock is None:
            yield
            return
        self._locked.add(lock)
        waiting = _FolderLock(lock)
        try:
            if not waiting.take(until):
                self._alone_until = time.monotonic() + LEFT_ALONE
            yield
        finally:
            self._locked.discard(lock)
            waiting.release()


class _ThreadLine:
    """A lock that threads are given in the order in which they have come; those of Python know no order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def enter(self, within: float) -> bool:
        """Wait for the lock; False if it was not given in so many seconds."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            own = threading.Lock()
            own.acquire()
            self._waiting.append(own)
        try:
            if own.acquire(timeout=within):
                return True
        except BaseException:  # an interrupt of the user
            if not self._step_out(own):
                self.leave()
            raise
        return not self._step_out(own)

    def leave(self) -> None:
        """Give it to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False

    def _step_out(self, own: threading.Lock) -> bool:
        """Return whether a thread could step out of the line; it was given the lock a moment ago if not."""
        with self._lock:
            with suppress(ValueError):
                self._waiting.remove(own)
                return True
            return False


class _FolderLock:
    """The lock of an open folder."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changing = threading.Lock()
        self._is_waited_for = self._is_released = False

    def take(self, until: float) -> bool:
        """Wait for the lock, in a thread that can be left behind: no system call waits for so long only."""
        import fcntl  # noqa: PLC0415  not on Windows

        with suppress(BlockingIOError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        taken = threading.Event()
        self._is_waited_for = True

        def wait() -> None:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            with self._changing:
                self._is_waited_for = False
                if self._is_released:
                    self._close()
            taken.set()

        threading.Thread(target=wait, name="pipeline_widgets write queue", daemon=True).start()
        return taken.wait(until - time.monotonic())

    def release(self) -> None:
        """Release it, or do so once it is given."""
        with self._changing:
            self._is_released = True
            if not self._is_waited_for:
                self._close()

    def _close(self) -> None:
        import fcntl  # noqa: PLC0415  as above

        with suppress(OSError):  # a process that was forked meanwhile has the same lock, and must not keep it
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        with suppress(OSError):
            os.close(self._descriptor)


def _open_folder(folder: Path) -> int | None:
    """Return a descriptor of a folder; None where folders cannot be locked."""
    try:
        import fcntl  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

        return os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except (ImportError, AttributeError, OSError):
        return None
