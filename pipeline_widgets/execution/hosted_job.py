"""Be a job over SSH whose supervisor the launch server of its host forks.

An interpreter that has imported nothing asks it, and waits: it has the exit code of the supervisor, and hands
signals on to it. Where no launch server answers, one is started, and this process is the supervisor itself.
Nothing that is imported here is dear, since it comes before everything else of a trigger.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline_widgets.execution.launch_client import ForkedProcess, fork_process, start_server
from pipeline_widgets.execution.launch_place import LaunchPlace, find_place
from pipeline_widgets.execution.variables import LIBRARIES, find_server_log

#: The exit code of a job whose supervisor has outlived its launch server, so that nobody knows how it ended.
UNKNOWN_EXIT = 75
_OUTPUT = 1  # the log of the job


def run_forked(arguments: Sequence[str]) -> int | None:
    """Have the launch server of this host carry a command out, and wait for its end.

    Args:
        arguments: The command.

    Returns:
        Its exit code, 128 and the number for a signal; None where this process has to carry it out.
    """
    told = find_server_log(os.environ)
    place = None if told is None else find_place(os.environ, Path(told))
    if told is None or place is None or not hasattr(os, "pidfd_open"):
        return None
    log = Path(told)
    libraries = os.environ.get(LIBRARIES)
    places = [find_place(os.environ, log, libraries)] if libraries else []
    for each in (*places, place):
        forked = None if each is None else fork_process(each, arguments, os.environ, _OUTPUT)
        if forked is not None:
            return _wait(forked)
    _start_server(place)
    return None


def _start_server(place: LaunchPlace) -> None:
    """Start a launch server that is no child of this process, which would have to reap it."""
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            start_server(place, os.environ, beside=supervisor)
        os._exit(0)
    os.waitpid(child, 0)


def _wait(forked: ForkedProcess) -> int:
    """Return how a process has ended, and hand it what is sent to this one."""
    try:
        process = os.pidfd_open(forked.pid)
    except OSError:  # it has ended already, or this kernel has no such descriptors: then its line tells
        process = None

    def hand_on(number: int, _: object) -> None:
        with suppress(OSError):
            if process is not None:
                signal.pidfd_send_signal(process, number)
            else:
                os.kill(forked.pid, number)

    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, hand_on)
    told = forked.wait()
    if told is None and process is not None:  # its launch server has ended before it
        select.select([process], [], [])
    if told is None:
        return UNKNOWN_EXIT
    return 128 - told if told < 0 else told
