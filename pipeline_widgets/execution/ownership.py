"""Find the processes of a launch, so that all of them can be ended, and no other process ever is.

A launcher gives every process that it starts a random number in the environment. The descendants of that
process inherit the number, whatever their session and their parent are. A supervisor holds its run under a
token, which is a digest of the number: the token in a row tells which processes belong to the run, and a row
that names somebody else's process proves nothing.

A process that clears its environment, and has lost all its ancestors, is not found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

import psutil

from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.variables import LAUNCH, URL, new_launch, token_of

BEGIN_POLL = 0.002  # seconds between two looks at a process that begins


def own_launch() -> str:
    """Return the number of the launch that this process belongs to; make one if there is none."""
    return os.environ.setdefault(LAUNCH, new_launch())


def launch_of(pid: int) -> str | None:
    """Return the number of the launch that a process belongs to; None for any other process."""
    return _environment(pid).get(LAUNCH)


def launched_with(token: str, url: str | None = None) -> set[int]:
    """Return the processes that belong to the launch that holds its run under a token.

    Args:
        token: The token.
        url: The workspace that they have to belong to; a copy of it has the same tokens. None where the token
            is of a launch that was made here, and of no row.
    """
    found: set[int] = set()
    for pid in psutil.pids():
        environment = _environment(pid)
        if LAUNCH not in environment or token_of(environment[LAUNCH]) != token:
            continue
        if url is None or _place(environment.get(URL, "")) == _place(url):
            found.add(pid)
    return found


def belonging_to(launch: str) -> set[int]:
    """Return the processes of this machine that belong to the launch of a number; never the caller."""
    return {pid for pid in psutil.pids() if launch_of(pid) == launch} - {os.getpid()}


def is_launched(
    process: Process | None, url: str, token: str | None = None, command: Sequence[str] = ("supervise",)
) -> bool:
    """Return whether a process that a row names was launched by this package for this workspace.

    Args:
        process: The process that the row names.
        url: The workspace.
        token: The token under which it holds its run.
        command: Words of its command line. They identify a process that holds nothing yet, or one of an
            older version, which has no number.
    """
    if process is None or not processes.is_there(process):
        return False
    environment = _environment(process.pid)
    if _place(environment.get(URL, "")) != _place(url):
        return False
    launch = environment.get(LAUNCH)
    if token is not None and launch is not None:
        return token_of(launch) == token
    return _has_command(process.pid, command)


def family(pid: int) -> set[int]:
    """Return a process, its session and its descendants, without those of other launches.

    A training may itself start runs or endpoints, which have launches of their own.
    """
    return _without_others(processes.family(pid), launch_of(pid))


def descendants(pids: Collection[int], launch: str | None) -> set[int]:
    """Return processes and their descendants, without those of other launches."""
    return _without_others(processes.descendants(pids, processes.table()), launch)


def end_launch(token: str | None, roots: Collection[Process | None], url: str) -> None:
    """End every process that is left of a launch on this machine, even if its first process is gone.

    Args:
        token: The token under which its process holds its run.
        roots: The processes that the row names, such as the supervisor and the worker.
        url: The workspace.
    """
    here = [root for root in roots if root is not None and processes.is_here(root)]
    if not here:
        return

    def left() -> set[int]:
        found: set[int] = set() if token is None else launched_with(token, url)
        for root in here:
            if is_launched(root, url, token):
                found |= family(root.pid)
        own = next((launch for launch in map(launch_of, found) if launch), None)
        return descendants(found, own) - {os.getpid()}

    processes.kill_all(left)


def end_token(token: str) -> None:
    """End every process on this machine of the launch that holds its run under a token."""

    def left() -> set[int]:
        found = launched_with(token)
        own = next((launch for launch in map(launch_of, found) if launch), None)
        return descendants(found, own) - {os.getpid()}

    processes.kill_all(left)


def _without_others(pids: Collection[int], launch: str | None) -> set[int]:
    """Return the processes without those that bear the number of another launch."""
    return {pid for pid in pids if launch is None or launch_of(pid) in {None, launch}}


def _environment(pid: int) -> Mapping[str, str]:
    """Return the environment of a process if it has a variable of ours; else, or if unreadable, nothing."""
    if pid <= 1:
        return {}
    try:
        told = _read_environment(pid)
        while not told and processes.is_beginning(pid):
            time.sleep(BEGIN_POLL)
            told = _read_environment(pid)
    except FileNotFoundError:
        return {} if os.path.isdir("/proc/self") else _psutil_environment(pid)  # noqa: PTH112  as above
    except OSError:
        return {}
    if LAUNCH.encode() not in told and URL.encode() not in told:
        return {}
    pairs = (each.partition(b"=") for each in told.rstrip(b"\0").split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _read_environment(pid: int) -> bytes:
    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  read for each process of a machine
        return file.read()


def _psutil_environment(pid: int) -> Mapping[str, str]:
    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}


def _has_command(pid: int, command: Sequence[str]) -> bool:
    """Return whether a process of this user was started by a launcher, by its command line."""
    try:
        found = psutil.Process(pid)
        line = found.cmdline()
        ours = not hasattr(os, "getuid") or found.uids().effective == os.geteuid()
    except psutil.Error:
        return False
    return ours and {"pipeline_widgets", *command} <= {*line}


def _place(url: str) -> tuple[str | None, int | None, str]:
    """Return host, port and path of a URL, without the user who connects."""
    try:
        parts = urlsplit(url)
        place = (parts.hostname, parts.port, parts.path)
    except ValueError:
        return None, None, url
    return place
