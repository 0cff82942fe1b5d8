"""Whether the process behind an active run is at work, and what to do if it is not (spec 6.9)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline_widgets.domain.run import Status

LAUNCH_AFTER = 2.0  # seconds: whoever triggered it has had time to launch it
RELAUNCH_AFTER = 15.0  # seconds: a supervisor that was launched has had time to take it
MAX_LAUNCHES = 2  # the first, and once again


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How often a supervisor beats, and after how long a silent one on another host is given up; seconds."""

    beat_every: float = 5.0
    grace: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process, told apart from a later one with the same number by its start time and its machine."""

    #: Host name, boot id and pid namespace.
    machine: str
    pid: int
    #: Seconds since 1970.
    started: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who carries out an active run. Times are on the database's clock."""

    run_id: int
    status: Status
    created_at: float
    token: str | None = None
    supervisor: Process | None = None
    #: The process that trains; its session bears the same number.
    child: Process | None = None
    beat_at: float | None = None
    launches: int = 0
    launched_at: float | None = None


class Seen(StrEnum):
    """What the operating system says of a process."""

    AT_WORK = "at work"
    SUSPENDED = "suspended"  # SIGSTOP, or under a debugger
    GONE = "gone"
    OUT_OF_SIGHT = "out of sight"  # on another machine


class Action(StrEnum):
    """What to do about an active run."""

    LEAVE = "leave"
    LAUNCH = "launch"
    GIVE_UP = "give up"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What to do about an active run, and the evidence."""

    action: Action
    evidence: str = ""


def judge(lease: Lease, seen: Seen, *, now: float, grace: float) -> Judgement:
    """Judge an active run by what is seen of its supervisor.

    A supervisor that is seen at work is believed, however old its last beat is: a laptop that slept comes
    back with old beats and healthy runs.
    """
    if lease.supervisor is None or (lease.status is Status.PENDING and seen is Seen.GONE):
        return _unstarted(lease, now)
    silent = now - (lease.beat_at or lease.created_at)
    if seen is Seen.GONE:
        process = lease.supervisor
        evidence = f"Its supervisor, process {process.pid} on {host(process)}, is gone"
        return Judgement(action=Action.GIVE_UP, evidence=f"{evidence}; last beat {silent:.1f} s ago.")
    if seen is Seen.AT_WORK or silent <= grace:
        return Judgement(action=Action.LEAVE)
    evidence = (
        f"Its supervisor, process {lease.supervisor.pid} on {host(lease.supervisor)}, is {seen} "
        f"and silent for {silent:.1f} s; the grace is {grace:.0f} s."
    )
    return Judgement(action=Action.GIVE_UP, evidence=evidence)


def host(process: Process) -> str:
    """Return the host name of a process's machine."""
    return process.machine.partition("|")[0]


def _unstarted(lease: Lease, now: float) -> Judgement:
    """Launch a run whose process was never started, once again at most."""
    waited = now - (lease.launched_at or lease.created_at)
    patience = RELAUNCH_AFTER if lease.launches else LAUNCH_AFTER
    if lease.supervisor is None and waited < patience:
        return Judgement(action=Action.LEAVE)
    if lease.launches < MAX_LAUNCHES:
        return Judgement(action=Action.LAUNCH)
    evidence = f"Its process was launched {lease.launches} times and never started."
    return Judgement(action=Action.GIVE_UP, evidence=evidence)
