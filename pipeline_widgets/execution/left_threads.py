"""Wait for the threads that a training has left, as Python does at the end of a program."""

from __future__ import annotations

import sys
import threading
import time

THREADS_WITHIN = 60.0  # seconds
SAID_AFTER = 1.0  # seconds after which the log says for what the run waits


def await_threads(within: float = THREADS_WITHIN) -> None:
    """Wait for all threads that are no daemons, such as one that uploads; idle executors are shut down.

    Args:
        within: Seconds to wait at most. The log names the threads that are waited for, and those that are
            still at work then; they end with the process.
    """
    if not _find_left():
        return
    # At the end of a program an executor is told to finish what it has, and to end its threads.
    finishing = threading.Thread(target=_finish_executors, daemon=True)
    finishing.start()
    began, is_said = time.monotonic(), False
    while left := _find_left():
        waited = time.monotonic() - began
        if waited >= within:
            _log(f"Threads that are still at work after {within:.0f} s end with the run: {_names(left)}.")
            return
        if waited >= SAID_AFTER and not is_said:
            is_said = True
            _log(f"Waiting up to {within:.0f} s for threads that the training has left: {_names(left)}.")
        left[0].join(0.05)


def _find_left() -> list[threading.Thread]:
    return [
        each
        for each in threading.enumerate()
        if not each.daemon and each not in {threading.main_thread(), threading.current_thread()}
    ]


def _finish_executors() -> None:
    """Do what `threading._shutdown` does first; it would also wait without a limit."""
    for finish in reversed(getattr(threading, "_threading_atexits", ())):
        finish()


def _names(threads: list[threading.Thread]) -> str:
    return ", ".join(sorted(each.name for each in threads))


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
