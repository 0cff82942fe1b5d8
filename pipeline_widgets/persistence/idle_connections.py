"""Connections are closed when they rest, so that a workspace is one file again whenever nobody works on it.

SQLite writes its write-ahead log back into the file, and removes it, when the last connection closes.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from operator import itemgetter
from typing import Protocol
from weakref import WeakSet


class Closable(Protocol):
    """Something that holds connections."""

    def close_if_idle(self, now: float) -> float | None:
        """Close connections that rest, and return when to ask again; None where none is open."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...

    def prepare_fork(self) -> None:
        """Close what a fork must not inherit, and open nothing until `resume` is called."""
        ...

    def resume(self) -> None:
        """Go on after a fork."""
        ...

    def forget_connections(self) -> None:
        """Let go of connections that belong to the process that this one was forked from."""
        ...


class _Closer:
    """Asks each database whether its connections rest, from one thread that ends when all are closed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Closable, float] = {}
        self._thread: threading.Thread | None = None

    def watch(self, database: Closable, at: float) -> None:
        """Ask a database at that time, on the monotonic clock."""
        with self._changed:
            self._due[database] = at
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pipeline_widgets idle", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._due:
                    self._thread = None
                    return
                now = time.monotonic()
                at, database = min(((at, database) for database, at in self._due.items()), key=itemgetter(0))
                if at > now:
                    self._changed.wait(at - now)
                    continue
                del self._due[database]
            again = database.close_if_idle(now)
            if again is not None:
                with self._changed:
                    self._due.setdefault(database, again)


_closer = _Closer()
_databases: WeakSet[Closable] = WeakSet()
_fork = threading.Lock()  # two threads that fork at once would wait for each other's databases
_prepared: list[Closable] = []


def watch(database: Closable, at: float) -> None:
    """Close a database's connections when they rest; ask first at that time, on the monotonic clock."""
    _closer.watch(database, at)


def register(database: Closable) -> None:
    """Close a database when this process ends, and let a fork of it open its own connections."""
    _databases.add(database)


def _close_all() -> None:
    for database in list(_databases):
        database.close()


def _before_fork() -> None:
    _fork.acquire()
    _prepared.extend(_databases)
    for database in _prepared:
        database.prepare_fork()


def _after_fork_in_parent() -> None:
    for database in _prepared:
        database.resume()
    _prepared.clear()
    _fork.release()


def _after_fork() -> None:
    global _closer, _fork
    _closer, _fork = _Closer(), threading.Lock()
    _prepared.clear()
    for database in list(_databases):
        database.forget_connections()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork
    )
