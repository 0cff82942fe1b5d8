"""Processes as the operating system sees them: how to identify, observe and end them.

On Linux a process is identified by its number and its start in clock ticks since the machine booted. The wall
clock plays no part: it may be stepped while a run trains.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path

import psutil

from pipeline_widgets.domain.liveness import SINCE_1970, Process, ProcessState

SAME_START = 1.0  # seconds by which two readings of a start time since 1970 may differ
KILL_GRACE = 5.0  # seconds within which killed processes have to be gone
KILL_POLL = 0.005
BEGIN_WITHIN = 1.0  # seconds after its start within which a process without an environment may get one
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
#: A thread's own faults; blocked, they would end the process without a word.
_OF_FAULTS = {
    signal.SIGSEGV,
    signal.SIGFPE,
    signal.SIGABRT,
    signal.SIGILL,
    getattr(signal, "SIGBUS", signal.SIGILL),
}
_KERNEL_THREADS = 2  # the parent of all of them, which have no environment
_LINUX = sys.platform.startswith("linux")
_TICKS = os.sysconf("SC_CLK_TCK") if _LINUX else 1
_GONE_STATES = {"Z", "X", "x"}
_SUSPENDED_STATES = {"T", "t"}


@dataclass(frozen=True, slots=True)
class Stat:
    """An entry of the process table."""

    #: As in /proc: "Z" for a zombie, "T" for a suspended process.
    state: str
    parent: int
    session: int
    #: Seconds since the machine booted on Linux, else since 1970.
    started: float


@cache
def machine() -> str:
    """Return what identifies this machine: host name, boot id and pid namespace."""
    parts = [platform.node(), _read("/proc/sys/kernel/random/boot_id") or str(int(psutil.boot_time()))]
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115  not a path, but a name
    return "|".join(parts)


def is_here(process: Process | None) -> bool:
    """Return whether a process is on this machine, where its number means something."""
    return process is not None and process.machine == machine()


def identify(pid: int) -> Process:
    """Return the identity of a process; its start is now if it has ended already."""
    stat = read_stat(pid)
    now = time.clock_gettime(time.CLOCK_BOOTTIME) if _LINUX else time.time()
    return Process(machine=machine(), pid=pid, started=now if stat is None else stat.started)


def probe(process: Process | None) -> ProcessState:
    """Return the state of a process. A zombie is gone, and so is one whose number belongs to another."""
    if process is None or not is_here(process):
        return ProcessState.OUT_OF_SIGHT
    stat = read_stat(process.pid)
    if stat is None:
        return ProcessState.AT_WORK if _is_hidden(process.pid) else ProcessState.GONE
    if not _is_same(process, stat) or stat.state in _GONE_STATES:
        return ProcessState.GONE
    return ProcessState.SUSPENDED if stat.state in _SUSPENDED_STATES else ProcessState.AT_WORK


def is_there(process: Process | None) -> bool:
    """Return whether a process is in the process table of this machine, perhaps as a zombie."""
    stat = read_stat(process.pid) if process is not None and is_here(process) else None
    return process is not None and stat is not None and _is_same(process, stat)


def age(process: Process | None) -> float | None:
    """Return the seconds since a process of this machine began; None if only a wall clock could tell."""
    if not _LINUX or process is None or not is_here(process) or process.started >= SINCE_1970:
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started


def is_alive(pid: int) -> bool:
    """Return whether a number belongs to a process that is not a zombie."""
    stat = read_stat(pid)
    return stat is not None and stat.state not in _GONE_STATES


def is_beginning(pid: int) -> bool:
    """Return whether a process has just been started, so that its environment may not be there yet (Linux).

    A start returns when the new program has taken the place of the old one, and the kernel shows the
    environment of the new one a moment later: of 400 processes that were looked at at once, 24 had none.
    """
    stat = read_stat(pid) if _LINUX else None
    if stat is None or stat.state in _GONE_STATES or stat.parent == _KERNEL_THREADS:
        return False
    return time.clock_gettime(time.CLOCK_BOOTTIME) - stat.started < BEGIN_WITHIN


def progress(pid: int) -> int | None:
    """Return a number that grows whenever a process goes to sleep; None if the system tells none.

    A supervisor wakes four times a second, whatever its training and the database do.
    """
    if _LINUX:
        for line in _read(f"/proc/{pid}/status").splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                return int(line.split()[1])
        return None
    try:
        return psutil.Process(pid).num_ctx_switches().voluntary
    except (psutil.Error, NotImplementedError):
        return None


def read_stat(pid: int) -> Stat | None:
    """Return the entry of a process in the process table; None if there is no such process."""
    if not _LINUX:
        return _psutil_stat(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  read for each process of a machine
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Stat(fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]) / _TICKS)


def table() -> Mapping[int, Stat]:
    """Return the whole process table."""
    found = {pid: read_stat(pid) for pid in psutil.pids()}
    return {pid: stat for pid, stat in found.items() if stat is not None}


def children(pid: int) -> list[int]:
    """Return the children of a process, zombies included."""
    if _LINUX:
        found: list[int] = []
        with contextlib.suppress(OSError):  # one short file for every thread, where the kernel has them
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  read after each run
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                    found += map(int, file.read().split())
            return found
    return [each for each, stat in table().items() if stat.parent == pid]


def descendants(pids: Collection[int], stats: Mapping[int, Stat]) -> set[int]:
    """Return processes and their descendants; only those that are in the table, and no zombies."""
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return {pid for pid in found if pid in stats and stats[pid].state not in _GONE_STATES}


def family(pid: int) -> set[int]:
    """Return a process, its session, and the descendants of all of these; never the caller."""
    stats = table()
    session = [each for each, stat in stats.items() if stat.session == pid]
    return descendants([pid, *session], stats) - {os.getpid()}


def kill(pids: Collection[int]) -> None:
    """End processes at once."""
    for pid in pids:
        if pid <= 1:  # would mean a process group, or init
            continue
        with contextlib.suppress(OSError, OverflowError):
            os.kill(pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def kill_all(find: Callable[[], Collection[int]], within: float = KILL_GRACE) -> None:
    """Kill processes until none is found any more: a killed process may have forked meanwhile.

    Args:
        find: Returns the numbers of the processes that are left.
        within: Seconds to try at most.
    """
    until = time.monotonic() + within
    while found := find():
        kill(found)
        if time.monotonic() > until:
            return
        time.sleep(KILL_POLL)


def pids_of_multiprocessing() -> set[int]:
    """Return the helper processes of multiprocessing, which end with this process."""
    tracker: object = getattr(resource_tracker, "_resource_tracker", None)
    pid = getattr(tracker, "_pid", None)
    return {pid} if isinstance(pid, int) else set()


def ask_to_stop(pid: int) -> None:
    """Send SIGTERM to a worker, but not to its group: it may need its own workers to save its state."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)


def leave_signals_to_training() -> None:
    """Let the calling thread, and those that it starts, receive no signal that asks for something.

    A process's signal goes to any thread that takes it. Only in the main thread does it end a wait, such as
    a sleep, so that the handler of a training would not run before that is over.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _OF_FAULTS)


def die_with_parent() -> None:
    """Let the kernel end this process when its parent ends (Linux; elsewhere only the line can tell).

    The parent is the fork server, which ends when the supervisor does. A process that is deep in
    compiled code would notice late that its line to the supervisor is cut.
    """
    if _LINUX:
        _prctl()(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux), so that none is lost."""
    if _LINUX:
        _prctl()(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def describe_exit(code: int | None) -> str:
    """Return in words how a process ended, for the evidence of a crash."""
    if code is None:
        return "Its process did not end by itself and was killed."
    if code >= 0:
        return f"Its process ended with exit code {code} without having finished."
    hint = ""
    if -code == getattr(signal, "SIGKILL", None):
        hint = " Where nobody did that, the system may have run out of memory: see its kernel log."
        if count_memory_kills():
            hint = " Its job was out of memory (OUT_OF_MEMORY): ask for more, or train in smaller batches."
    if -code == signal.SIGSEGV:
        hint = " Compiled code has read or written where it must not."
    return f"Its process was killed by {signal_name(-code)}.{hint}"


def count_memory_kills() -> int:
    """Return how many processes of this process's job have met the limit of its memory; 0 outside of a job.

    Slurm makes a cgroup for each job, in which the kernel counts them. Slurm itself says so only when the
    whole job has ended.
    """
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if "/job_" not in path or controllers not in {"", "memory"}:
            continue
        told = _read(
            f"/sys/fs/cgroup/{controllers}{path}/memory.{'oom_control' if controllers else 'events'}"
        )
        for counter in told.splitlines():
            name, _, count = counter.partition(" ")
            if name == "oom_kill" and count.isdecimal():
                return int(count)
    return 0


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _is_same(process: Process, stat: Stat) -> bool:
    """Return whether the process in the table is this one, and not a later one with its number."""
    if not _LINUX:
        return abs(stat.started - process.started) <= SAME_START
    if process.started < SINCE_1970:
        return abs(stat.started - process.started) < 0.5 / _TICKS
    try:  # recorded by an older version, whose runs go on after an upgrade
        return abs(psutil.Process(process.pid).create_time() - process.started) <= SAME_START
    except psutil.Error:
        return False


def _is_hidden(pid: int) -> bool:
    """Return whether a process of another user is there that the process table does not show."""
    if not _LINUX:
        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _psutil_stat(pid: int) -> Stat | None:
    """Return the entry of a process where there is no /proc."""
    states = {
        **dict.fromkeys((psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD), "Z"),
        **dict.fromkeys((psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP), "T"),
    }
    try:
        found = psutil.Process(pid)
        with found.oneshot():
            session = os.getsid(pid) if hasattr(os, "getsid") else 0
            return Stat(states.get(found.status(), "S"), found.ppid(), session, found.create_time())
    except psutil.ZombieProcess:
        return Stat("Z", 0, 0, 0.0)
    except (psutil.Error, OSError):
        return None


@cache
def _prctl():  # noqa: ANN202  ctypes has no type for a foreign function
    import ctypes  # noqa: PLC0415  Linux only

    return ctypes.CDLL(None, use_errno=True).prctl


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
