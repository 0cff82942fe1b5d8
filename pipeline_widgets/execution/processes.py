"""Processes as the operating system sees them: who they are, whether they live, and how to end them."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import time
from functools import cache
from pathlib import Path

import psutil

from pipeline_widgets.domain.liveness import Process, Seen

SAME_START = 1.0  # seconds by which two readings of a start time may differ
_PR_SET_PDEATHSIG = 1


@cache
def machine() -> str:
    """Return what tells this machine from others: host name, boot id, pid namespace."""
    parts = [platform.node(), _read("/proc/sys/kernel/random/boot_id") or str(int(psutil.boot_time()))]
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115  not a path, but a name
    return "|".join(parts)


def identify(pid: int) -> Process:
    """Return who a process is; a start time of now where it has ended already."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = time.time()
    return Process(machine=machine(), pid=pid, started=started)


def look(process: Process | None) -> Seen:
    """Return what is seen of a process. A zombie is gone, and so is one whose number was given away."""
    if process is None or process.machine != machine():
        return Seen.OUT_OF_SIGHT
    try:
        found = psutil.Process(process.pid)
        if abs(found.create_time() - process.started) > SAME_START:
            return Seen.GONE
        status = found.status()
    except psutil.NoSuchProcess:
        return Seen.GONE
    except psutil.AccessDenied:
        return Seen.AT_WORK  # somebody else's, but there
    if status in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
        return Seen.GONE
    if status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}:
        return Seen.SUSPENDED
    return Seen.AT_WORK


def family(pid: int) -> list[psutil.Process]:
    """Return a process, its session and its descendants, wherever these have gone."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        found = {each.pid: each for each in (parent, *parent.children(recursive=True))}
    if hasattr(os, "getsid"):
        for each in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getsid(each.pid) == pid:
                    found[each.pid] = each
    return [each for each in found.values() if each.pid != os.getpid()]


def kill(members: list[psutil.Process]) -> None:
    """End processes at once."""
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.kill()


def ask_to_stop(pid: int) -> None:
    """Send SIGTERM to a child; not to its group, whose workers it may need to save what it has."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)


def end_group(pid: int) -> None:
    """End what is left of the process group that a child led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)


def end_orphan(child: Process | None) -> None:
    """End a training whose supervisor is gone, if it is on this machine and still the same process."""
    if child is not None and child.machine == machine():
        if look(child) is Seen.GONE and psutil.pid_exists(child.pid):
            return  # the number was given to another process
        kill([member for member in family(child.pid) if member.create_time() >= child.started - SAME_START])


def die_with_parent() -> None:
    """Let the kernel end this process when its parent ends (Linux; elsewhere only the line tells).

    The parent is the fork server, which ends when the supervisor does. A process that is deep in
    compiled code would not see for a long time that its line to the supervisor was cut.
    """
    if sys.platform.startswith("linux"):
        _prctl()(_PR_SET_PDEATHSIG, signal.SIGKILL)


def prepare() -> None:
    """Load what `die_with_parent` needs, before processes are forked that will call it."""
    if sys.platform.startswith("linux"):
        _prctl()


def describe_exit(code: int | None) -> str:
    """Return in words how a process ended, for the evidence of a crash."""
    if code is None:
        return "Its process did not end by itself and was killed."
    if code >= 0:
        return f"Its process ended with exit code {code} without having finished."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ""
    if name == "SIGKILL":
        hint = " Where nobody did that, the system may have run out of memory: see its kernel log."
    if name == "SIGSEGV":
        hint = " Compiled code has read or written where it must not."
    return f"Its process was killed by {name}.{hint}"


@cache
def _prctl():  # noqa: ANN202  ctypes has no type for a foreign function
    import ctypes  # noqa: PLC0415  Linux only

    return ctypes.CDLL(None, use_errno=True).prctl


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
