"""A stop, as a worker passes it on: to the train function, and where that does not look, to its programs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection
from contextlib import suppress

import psutil

from pipeline_widgets.execution import ownership, processes, variables

PROGRAMS_AFTER = 0.5  # seconds without a look at the stop, after which programs are asked to end
FAMILY_AFTER = 5.0  # seconds after which everything that the training has started is asked to end
_POLL = 0.02
#: In the command lines of processes that multiprocessing and joblib start for what their parent does.
_PARTS_OF_THEIR_PARENT = ("--multiprocessing-fork", "multiprocessing.", "joblib.externals.loky")


class StopRequest:
    """Whether the run was asked to stop, and whether its training has seen that.

    A train function that waits for a program that it has started, such as `subprocess.run(script)`, does
    not look. SIGTERM asks that program to end, and the programs that this has started in turn. Processes
    that are parts of another one (the workers of a DataLoader, forks) are left alone at first: whoever they
    work for may need them to save.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._is_seen = False
        self.is_passed_on = False

    def ask(self) -> None:
        """Ask for a stop."""
        self._asked.set()

    def heed(self) -> bool:
        """Return whether a stop was asked for, as the training sees it."""
        if self._asked.is_set():
            self._is_seen = True
            return True
        return False

    def is_asked(self) -> bool:
        """Return whether a stop was asked for, when it is not the training that looks."""
        return self._asked.is_set()

    def pass_on(self) -> None:
        """Ask what the training has started to end, as long as the training itself has not looked."""
        began = time.monotonic()
        for after, everything in ((PROGRAMS_AFTER, False), (FAMILY_AFTER, True)):
            while (rest := began + after - time.monotonic()) > 0 and not self._is_seen:
                time.sleep(min(rest, _POLL))
            if self._is_seen:
                return
            family = ownership.descendants([os.getpid()], os.environ.get(variables.LAUNCH)) - {os.getpid()}
            for pid in family if everything else find_programs(family):
                self.is_passed_on = True
                with suppress(OSError):
                    os.kill(pid, signal.SIGTERM)


def find_programs(pids: Collection[int]) -> set[int]:
    """Return those processes that are programs of their own, and no part of what has started them.

    A fork has the command line of its parent; what multiprocessing and joblib start is known by theirs.
    """
    found: set[int] = set()
    for pid in pids:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            words = process.cmdline()
            parent = process.parent()
            if parent is not None and words == parent.cmdline():
                continue
            if not any(part in word for word in words for part in _PARTS_OF_THEIR_PARENT):
                found.add(pid)
    return found - processes.pids_of_multiprocessing()
