"""Whether the process that holds a run or an endpoint is at work, and what to do if it is not (spec 6.9)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from pipeline_widgets.domain.engine_job import JobObservation, JobState, name_engine
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.domain.run import Status

BEAT_EVERY = 5.0  # seconds
LAUNCH_AFTER = 2.0  # seconds: whoever triggered it has had time to launch it
RELAUNCH_AFTER = 15.0  # seconds: what was launched has had time to take it, where its process is unknown
RELAUNCH_ELSEWHERE_AFTER = 120.0  # seconds: the same, where its process is on another machine
HANGS_AFTER = 900.0  # seconds: imports from a network disk may take minutes
MAX_LAUNCHES = 2  # the first, and once again
ENDED_AFTER = 2  # beats: an engine may call a job ended that still beats
ENGINE_GRACES = 3  # for so many graces a silent process is believed of which its engine says that it works
WORDS_WITHIN = 4.0  # seconds in which an engine can tell how a job has ended whose process is gone
SINCE_1970 = 1e9  # a start time from here on is one since 1970; no machine has been up for so many seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """The beat of the holder of a lease, and the silence after which it is given up; seconds."""

    beat_every: float = BEAT_EVERY
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
    """The process that holds an active run or an endpoint. Times are on the database's clock."""

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
    placement: Placement = DEFAULT_PLACEMENT
    #: The host on which it is launched where that is local; None for any.
    home: str | None = None
    #: By which the engine of its launcher knows it.
    job: str | None = None
    #: For what it waits, as its row says.
    waits: str | None = None

    @property
    def engine(self) -> str | None:
        """The name in a sentence of the engine that was given its job; None for a process of this machine."""
        return None if self.placement.launcher is None else name_engine(self.placement.launcher)

    @property
    def is_suspended(self) -> bool:
        """Whether its engine had suspended its job when somebody looked last: nothing else begun waits."""
        return self.is_begun and self.waits is not None

    @property
    def status_without_process(self) -> Status:
        """The status of a run whose process is gone.

        One that was to stop while its engine had suspended it was ended by that engine, as was asked for.
        """
        is_stopped = self.is_suspended and self.status is Status.STOPPING
        return Status.STOPPED if is_stopped else Status.CRASHED

    @property
    def is_begun(self) -> bool:
        """Whether a holder that is gone has left work half done; if not, another process can begin it."""
        return self.status is not Status.PENDING

    def describe_holder(self, process: Process) -> str:
        """Return how a sentence names the process that holds the lease."""
        where = f"process {process.pid} on {host_of(process)}"
        return f"Its {where}" if self.status is None else f"Its supervisor, {where},"


class ProcessState(StrEnum):
    """The state of a process, as the operating system tells it."""

    AT_WORK = "at work"
    SUSPENDED = "suspended"  # SIGSTOP, or under a debugger
    GONE = "gone"
    OUT_OF_SIGHT = "out of sight"  # on another machine


@dataclass(frozen=True, kw_only=True, slots=True)
class JobReport:
    """The last word of an engine on a job, and for how many seconds it has been that."""

    observation: JobObservation
    seconds: float = 0.0

    @property
    def state(self) -> JobState:
        """The state of the job."""
        return self.observation.state


class LivenessAction(StrEnum):
    """The action that a lease calls for."""

    LEAVE = "leave"
    CANCEL = "cancel"  # its job, which cannot do so itself
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
    job: JobReport | None = None,
    gone_for: float = math.inf,
    beat_every: float = BEAT_EVERY,
) -> LivenessDecision:
    """Decide what to do about a lease, by what is seen of the process that holds it.

    A process that is seen at work is believed, however old its last beat is: a laptop that slept comes
    back with old beats and healthy processes. One that does not even wake any more, although it should do so
    several times a second, hangs.

    What an engine says of a job is a hint: Ray has called one failed whose training still ran, so that a beat
    counts more than the word "ended". The word "suspended" is believed, since nothing beats meanwhile.

    Args:
        lease: The lease.
        seen: What is seen of the process that holds it.
        now: Seconds, on the database's clock.
        grace: Seconds for which that process may be silent.
        launched: What is seen of the process that was launched to take the lease.
        age: Seconds since the launched process began, on its machine's clock since boot; None where unknown.
        still: Seconds for which the observer has seen the process neither beat nor wake.
        job: What the engine says of the job; None where there is no engine, or it was not asked yet.
        gone_for: Seconds for which the observer has seen that the process that holds it is gone.
        beat_every: Seconds between two beats.
    """
    heard = lease.beat_at or lease.created_at
    silent = count_silent_seconds(now, heard, still)
    if lease.is_suspended and job is not None:  # its silence counts from when its engine let it go on
        silent, still = min(silent, job.seconds), min(still, job.seconds)
    has_ended = job is not None and job.state is JobState.ENDED
    if seen is ProcessState.OUT_OF_SIGHT and has_ended and silent > ENDED_AFTER * beat_every:
        seen = ProcessState.GONE
    if lease.holder is None or (seen is ProcessState.GONE and not lease.is_begun):
        return _assess_launch(lease, now, launched, age=age, is_still=still > grace, job=job)
    who, said = lease.describe_holder(lease.holder), _describe_job(lease, job)
    if seen is ProcessState.GONE:
        if lease.job is not None and not has_ended and gone_for < WORDS_WITHIN:
            return LivenessDecision(action=LivenessAction.LEAVE)
        return _give_up(f"{who} is gone{describe_last_beat(now, heard)}.{said}")
    if job is not None and job.state is JobState.SUSPENDED:
        is_stopping = lease.status is Status.STOPPING
        return LivenessDecision(action=LivenessAction.CANCEL if is_stopping else LivenessAction.LEAVE)
    believed = grace * (ENGINE_GRACES if _is_believed_longer(lease, seen, job) else 1)
    if silent <= believed or (seen is ProcessState.AT_WORK and still <= grace):
        return LivenessDecision(action=LivenessAction.LEAVE)
    if lease.job is not None and lease.engine is not None and job is None:
        return LivenessDecision(action=LivenessAction.LEAVE)  # its engine may have suspended it: it is asked
    at_work = seen is ProcessState.AT_WORK
    how = f"hangs: it has not moved for {still:.1f} s and is" if at_work else f"is {seen} and"
    return _give_up(f"{who} {how} silent for {silent:.1f} s; the grace is {believed:.0f} s.{said}")


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


def describe_wait_for_home(lease: Lease, waited: float = 0.0, grace: float = math.inf) -> str | None:
    """Return for what a run waits that only a process of its own host begins; None where any host can be it.

    Args:
        lease: Its lease.
        waited: Seconds for which it has waited.
        grace: Seconds after which that machine may be gone.
    """
    if lease.home is None or waited <= grace:
        return lease.home
    fix = "open the workspace there, or stop the run and trigger it here"
    return f"{lease.home}, where nothing has begun it yet: {fix}"


def host_of(process: Process) -> str:
    """Return the host name of a process's machine."""
    return process.machine.partition("|")[0]


def _assess_launch(
    lease: Lease,
    now: float,
    seen: ProcessState,
    *,
    age: float | None,
    is_still: bool,
    job: JobReport | None,
) -> LivenessDecision:
    """Decide what to do about a lease that no process has begun to work on: launch one, twice at most.

    Args:
        lease: The lease.
        now: Seconds, on the database's clock.
        seen: What is seen of the launched process.
        age: Seconds since that process began, which no step of a wall clock changes; None where unknown.
        is_still: Whether an observer has seen no progress of it for the grace.
        job: What the engine says of the job that was to take it.
    """
    waited = count_waiting_seconds(now, lease.launched_at or lease.created_at)
    if lease.holder is not None:  # it has taken the lease, and is gone
        seen, waited = ProcessState.GONE, float("inf")
    elif lease.launches and lease.job is not None and lease.engine is not None:
        return _assess_job(lease, job)
    launches, process = lease.launches, lease.launched or lease.holder
    if launches == 0:
        # A launch that an engine did not take, since it did not answer, is not counted, and repeated later.
        waits = LAUNCH_AFTER if lease.launched_at is None else RELAUNCH_AFTER
        return LivenessDecision(action=LivenessAction.LEAVE if waited < waits else LivenessAction.LAUNCH)
    if process is None or seen is ProcessState.OUT_OF_SIGHT:
        elsewhere = process is not None or lease.engine is not None
        if waited < (RELAUNCH_ELSEWHERE_AFTER if elsewhere else RELAUNCH_AFTER):
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


def _assess_job(lease: Lease, job: JobReport | None) -> LivenessDecision:
    """Decide what to do about a lease that no process has taken, by what the engine says of its job."""
    leave = LivenessDecision(action=LivenessAction.LEAVE)
    match job.state if job is not None else None:
        case JobState.ENDED if job is not None and job.observation.has_waited_too_long:
            return LivenessDecision(action=LivenessAction.LAUNCH)  # it waits on, as in any other queue
        case JobState.ENDED:
            evidence = f"Its job was launched {lease.launches} times and ended each time before it had begun."
        case JobState.UNKNOWN if job is not None and job.seconds > RELAUNCH_ELSEWHERE_AFTER:
            evidence = f"Its job was launched {lease.launches} times and never started."
        case JobState.AT_WORK if job is not None and job.seconds > HANGS_AFTER:
            evidence = f"Its job has been at work for {job.seconds:.0f} s and has not begun with the run."
            return _give_up(f"{evidence}{_describe_job(lease, job)}")
        case _:  # it waits, however long; it is about to begin; or the engine was not asked yet
            return leave
    if lease.launches < MAX_LAUNCHES:
        return LivenessDecision(action=LivenessAction.LAUNCH)
    return _give_up(f"{evidence}{_describe_job(lease, job)}")


def _is_believed_longer(lease: Lease, seen: ProcessState, job: JobReport | None) -> bool:
    """Return whether a process may be silent for its network, or for an engine that has suspended it."""
    if job is None:
        return False
    if job.state is JobState.UNKNOWN:
        return lease.is_suspended
    return job.state is JobState.AT_WORK and seen is ProcessState.OUT_OF_SIGHT


def describe_suspension(engine: str) -> str:
    """Return for what a run waits whose engine has suspended its job."""
    return f"{engine}, which has suspended it"


def _describe_job(lease: Lease, job: JobReport | None) -> str:
    """Return what the engine says of a job, to be put behind a sentence; empty where it was not asked."""
    if job is None or lease.engine is None or lease.job is None:
        return ""
    return f" {job.observation.describe(lease.engine, lease.job)}"


def _give_up(evidence: str) -> LivenessDecision:
    return LivenessDecision(action=LivenessAction.GIVE_UP, evidence=evidence)
