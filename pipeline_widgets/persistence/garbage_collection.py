"""A pause of the cyclic collector while rows become values.

A transaction that reads thousands of rows makes as many values, none of which is garbage. The collector
goes through all of them again and again: half of the time of a long read, and a cost that grows faster than
the rows (`benchmarks/growth.py`).
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

_lock = threading.Lock()
_paused = 0  # transactions that want it now, in whatever thread
_was_enabled = True


@contextmanager
def pause_collection() -> Generator[None]:
    """Let the cyclic collector wait; it goes on when the last of several pauses has ended."""
    global _paused, _was_enabled  # noqa: PLW0603  the collector is one for the process
    with _lock:
        if not _paused:
            _was_enabled = gc.isenabled()
            gc.disable()
        _paused += 1
    try:
        yield
    finally:
        with _lock:
            _paused = max(0, _paused - 1)  # a fork within a pause begins at none
            if not _paused and _was_enabled:
                gc.enable()


def _go_on_after_fork() -> None:
    """Forget the pauses of threads that a fork does not have."""
    global _lock, _paused  # noqa: PLW0603
    _lock = threading.Lock()
    if _paused and _was_enabled:
        gc.enable()
    _paused = 0


os.register_at_fork(after_in_child=_go_on_after_fork)
