"""Which processes belong to a launch, so that all of them can be ended, and no other process ever is.

A launcher gives each process that it starts a random number of its own in the environment. All that this
process starts inherits it, in whatever session and below whatever parent it is. What holds a run or an
endpoint does so under a token that is a digest of that number: who reads the token in a row can tell which
processes belong to it, and a row that names somebody else's process proves nothing.

What clears its environment, and has lost all its ancestors, is not found.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

import psutil

from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.execution import processes

LAUNCH, URL = "PIPELINE_WIDGETS_LAUNCH", "PIPELINE_WIDGETS_URL"
TOKEN_LENGTH = 32  # hexadecimal digits, as the column of a row has


def new_launch() -> str:
    """Return the number of a new launch."""
    return secrets.token_hex(16)


def own_launch() -> str:
    """Return the number of the launch that this process belongs to; it gets one if it has none."""
    return os.environ.setdefault(LAUNCH, new_launch())


def token_of(launch: str) -> str:
    """Return the token under which the process of a launch holds its run."""
    return hashlib.sha256(f"launch {launch}".encode()).hexdigest()[:TOKEN_LENGTH]


def launch_of(pid: int) -> str | None:
    """Return the number of the launch that a process belongs to; None for a process of somebody else's."""
    return _environment(pid).get(LAUNCH)


def launched_with(token: str, url: str) -> set[int]:
    """Return the processes of this workspace that belong to the launch that holds its run under a token."""
    found: set[int] = set()
    for pid in psutil.pids():
        environment = _environment(pid)
        if LAUNCH not in environment or token_of(environment[LAUNCH]) != token:
            continue
        if _place(environment.get(URL, "")) == _place(url):  # a copy of a workspace has the same tokens
            found.add(pid)
    return found


def is_launched(
    process: Process | None, url: str, token: str | None = None, command: Sequence[str] = ("supervise",)
) -> bool:
    """Whether a process that a row names was launched by this package for this workspace.

    Args:
        process: What the row names.
        url: The workspace.
        token: Under which it holds its run.
        command: The words in its command line, by which one is known that holds nothing yet, and one of an
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
    """Return a process, its session and its descendants, but none that was launched to stay.

    A training may itself start runs or endpoints. These have launches of their own.
    """
    return _without_others(processes.family(pid), launch_of(pid))


def descendants(pids: Collection[int], launch: str | None) -> set[int]:
    """Return processes and their descendants, but none of another launch than this."""
    return _without_others(processes.descendants(pids, processes.table()), launch)


def end_launch(token: str | None, roots: Collection[Process | None], url: str) -> None:
    """End all that is left of a launch, if it was on this machine, whatever has become of its first process.

    Args:
        token: Under which its process holds its run.
        roots: The processes that the row names, such as the supervisor and the training.
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


def _without_others(pids: Collection[int], launch: str | None) -> set[int]:
    """Leave out what bears the number of another launch."""
    return {pid for pid in pids if launch is None or launch_of(pid) in {None, launch}}


def _environment(pid: int) -> Mapping[str, str]:
    """Return the variables of ours in a process's environment; none where it cannot be read."""
    if pid <= 1:
        return {}
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  read for each process of a machine
            told = file.read()
    except FileNotFoundError:
        return {} if os.path.isdir("/proc/self") else _psutil_environment(pid)  # noqa: PTH112  as above
    except OSError:
        return {}
    if LAUNCH.encode() not in told and URL.encode() not in told:
        return {}
    pairs = (each.partition(b"=") for each in told.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _psutil_environment(pid: int) -> Mapping[str, str]:
    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}


def _has_command(pid: int, command: Sequence[str]) -> bool:
    """Whether a process of this user is one that a launcher starts, by its command line."""
    try:
        found = psutil.Process(pid)
        line = found.cmdline()
        ours = not hasattr(os, "getuid") or found.uids().effective == os.geteuid()
    except psutil.Error:
        return False
    return ours and {"pipeline_widgets", *command} <= {*line}


def _place(url: str) -> tuple[str | None, int | None, str]:
    """Return which database a URL means, whoever connects to it."""
    try:
        parts = urlsplit(url)
        place = (parts.hostname, parts.port, parts.path)
    except ValueError:
        return None, None, url
    return place
