"""Whether the process that holds a run or an endpoint is at work, and what to do if it is not (spec 6.9)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline_widgets.domain.run import Status

LAUNCH_AFTER = 2.0  # seconds: whoever triggered it has had time to launch it
RELAUNCH_AFTER = 15.0  # seconds: what was launched has had time to take it, where its process is unknown
RELAUNCH_ELSEWHERE_AFTER = 120.0  # seconds: the same, where its process is on another machine
HANGS_AFTER = 900.0  # seconds: imports from a network disk may take minutes
MAX_LAUNCHES = 2  # the first, and once again
SINCE_1970 = 1e9  # a start time from here on is one since 1970; no machine has been up for so many seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How often the holder of a lease beats, and after how long a silent one is given up; seconds."""

    beat_every: float = 5.0
    grace: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process, told apart from a later one with the same number by its start time and its machine."""

    #: Host name, boot id and pid namespace.
    machine: str
    pid: int
    #: Seconds since its machine has booted; where the system tells no such time, seconds since 1970.
    started: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Which process holds an active run or an endpoint. Times are on the database's clock."""

    #: The id of the run, or of the agent behind the endpoint.
    subject_id: int
    created_at: float
    #: The status of the run; None for an endpoint.
    status: Status | None = None
    token: str | None = None
    #: The supervisor of the run, or the process behind the endpoint; None until one has taken the lease.
    holder: Process | None = None
    #: The process that trains; its session bears the same number.
    worker: Process | None = None
    beat_at: float | None = None
    launches: int = 0
    launched_at: float | None = None
    #: The process that was launched to take the lease, where that is known.
    launched: Process | None = None

    @property
    def is_begun(self) -> bool:
        """Whether a holder that is gone has left work half done; if not, another process can begin it."""
        return self.status is not Status.PENDING

    def describe_holder(self, process: Process) -> str:
        """Return how a sentence names the process that holds the lease."""
        where = f"process {process.pid} on {host_of(process)}"
        return f"Its {where}" if self.status is None else f"Its supervisor, {where},"


class ProcessState(StrEnum):
    """What the operating system says of a process."""

    AT_WORK = "at work"
    SUSPENDED = "suspended"  # SIGSTOP, or under a debugger
    GONE = "gone"
    OUT_OF_SIGHT = "out of sight"  # on another machine


class LivenessAction(StrEnum):
    """The action that a lease calls for."""

    LEAVE = "leave"
    LAUNCH = "launch"
    GIVE_UP = "give up"


@dataclass(frozen=True, kw_only=True, slots=True)
class LivenessDecision:
    """The action that a lease calls for, and the evidence."""

    action: LivenessAction
    evidence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessObservation:
    """The last observation of a process, and since when it has not changed."""

    process: Process | None
    beat_at: float | None
    #: A number that grows whenever the process goes to sleep; None if unknown.
    progress: int | None
    #: Seconds on the observer's own clock, which does not count the sleep of a laptop.
    since: float

    def merge(self, later: ProcessObservation) -> ProcessObservation:
        """Return the pulse after another observation: the same one if nothing has changed, else a new one."""
        same = (self.process, self.beat_at, self.progress) == (later.process, later.beat_at, later.progress)
        return self if same and later.progress is not None else later


def assess(
    lease: Lease,
    seen: ProcessState,
    *,
    now: float,
    grace: float,
    launched: ProcessState = ProcessState.OUT_OF_SIGHT,
    age: float | None = None,
    still: float = 0.0,
) -> LivenessDecision:
    """Decide what to do about a lease, by what is seen of the process that holds it.

    A process that is seen at work is believed, however old its last beat is: a laptop that slept comes
    back with old beats and healthy processes. One that does not even wake any more, although it should do so
    several times a second, hangs.

    Args:
        lease: The lease.
        seen: What is seen of the process that holds it.
        now: Seconds, on the database's clock.
        grace: Seconds for which that process may be silent.
        launched: What is seen of the process that was launched to take the lease.
        age: Seconds since the launched process began, on its machine's clock since boot; None where unknown.
        still: Seconds for which the observer has seen the process neither beat nor wake.
    """
    if lease.holder is None or (seen is ProcessState.GONE and not lease.is_begun):
        return _assess_launch(lease, now, launched, age=age, is_still=still > grace)
    heard = lease.beat_at or lease.created_at
    silent = count_silent_seconds(now, heard, still)
    who = lease.describe_holder(lease.holder)
    if seen is ProcessState.GONE:
        return _give_up(f"{who} is gone{describe_last_beat(now, heard)}.")
    if silent <= grace or (seen is ProcessState.AT_WORK and still <= grace):
        return LivenessDecision(action=LivenessAction.LEAVE)
    at_work = seen is ProcessState.AT_WORK
    how = f"hangs: it has not moved for {still:.1f} s and is" if at_work else f"is {seen} and"
    return _give_up(f"{who} {how} silent for {silent:.1f} s; the grace is {grace:.0f} s.")


def count_silent_seconds(now: float, heard: float, still: float) -> float:
    """Return the seconds since something was heard of a process.

    A beat of the future was written before the clock was put back, and tells no age: then what the observer
    has seen counts, on its own clock.
    """
    return now - heard if now >= heard else still


def describe_last_beat(now: float, heard: float) -> str:
    """Return how long ago the last beat was, for the evidence; nothing where the clock cannot tell."""
    return f"; last beat {now - heard:.1f} s ago" if now >= heard else ""


def count_waiting_seconds(now: float, since: float) -> float:
    """Return the seconds that something has been waited for.

    A beginning in the future, beyond what the clocks of two machines differ by, is as good as one long ago:
    the clock was put back since, and nothing may wait until it gets there again.
    """
    return abs(now - since)


def host_of(process: Process) -> str:
    """Return the host name of a process's machine."""
    return process.machine.partition("|")[0]


def _assess_launch(
    lease: Lease, now: float, seen: ProcessState, *, age: float | None, is_still: bool
) -> LivenessDecision:
    """Decide what to do about a lease that no process has begun to work on: launch one, twice at most.

    Args:
        lease: The lease.
        now: Seconds, on the database's clock.
        seen: What is seen of the launched process.
        age: Seconds since that process began, which no step of a wall clock changes; None where unknown.
        is_still: Whether an observer has seen no progress of it for the grace.
    """
    waited = count_waiting_seconds(now, lease.launched_at or lease.created_at)
    if lease.holder is not None:  # it has taken the lease, and is gone
        seen, waited = ProcessState.GONE, float("inf")
    launches, process = lease.launches, lease.launched or lease.holder
    if launches == 0:
        action = LivenessAction.LEAVE if waited < LAUNCH_AFTER else LivenessAction.LAUNCH
        return LivenessDecision(action=action)
    if process is None or seen is ProcessState.OUT_OF_SIGHT:
        if waited < (RELAUNCH_AFTER if process is None else RELAUNCH_ELSEWHERE_AFTER):
            return LivenessDecision(action=LivenessAction.LEAVE)
        evidence = f"Its process was launched {launches} times and never started."
    elif seen is ProcessState.GONE:
        evidence = f"Its process was launched {launches} times and ended each time before it had begun."
    elif (old := waited if age is None else age) > HANGS_AFTER and is_still:
        where = f"Its process {process.pid} on {host_of(process)}"
        return _give_up(f"{where} was launched {old:.0f} s ago and hangs.")
    else:
        return LivenessDecision(action=LivenessAction.LEAVE)
    if launches < MAX_LAUNCHES:
        return LivenessDecision(action=LivenessAction.LAUNCH)
    return _give_up(evidence)


def _give_up(evidence: str) -> LivenessDecision:
    return LivenessDecision(action=LivenessAction.GIVE_UP, evidence=evidence)
