"""The states of a job in an engine such as Slurm or Ray, which a launcher has submitted it to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """The state of a job, as its engine tells it."""

    WAITING = "waiting"  # in its queue
    AT_WORK = "at work"
    SUSPENDED = "suspended"  # it has begun, and stands still until its engine lets it go on
    ENDED = "ended"
    UNKNOWN = "unknown"  # the engine does not answer, or has forgotten the job


@dataclass(frozen=True, kw_only=True, slots=True)
class JobObservation:
    """An engine's word on a job: a hint, since it may call a job ended whose process still works."""

    state: JobState
    #: In the engine's own words: for what it waits ("Resources"), or how it ended ("TIMEOUT").
    reason: str = ""
    #: The exit code of a job that has ended, negative for a signal; None where it is unknown.
    exit_code: int | None = None
    #: The names of the machines on which it is, or was, as the engine calls them.
    hosts: tuple[str, ...] = ()
    #: Whether it has ended only since its engine lets no job wait in its queue for longer.
    has_waited_too_long: bool = False

    def describe(self, engine: str, job_id: str) -> str:
        """Return in a sentence what the engine says, for the evidence of a crash."""
        if self.state is JobState.UNKNOWN:
            more = f" ({self.reason})" if self.reason else ""
            return f"{engine} does not answer, or does not know job {job_id}{more}."
        code = "" if self.exit_code is None else f", exit code {self.exit_code}"
        if self.exit_code is not None and self.exit_code < 0:
            code = f", signal {-self.exit_code}"
        return f"{engine} says of job {job_id}: {self.reason or self.state}{code}."


def name_engine(launcher: str) -> str:
    """Return how a sentence names the engine behind a launcher, such as "Slurm" for "slurm://?..."."""
    scheme = launcher.partition(":")[0]
    return {"ssh": "SSH"}.get(scheme, scheme[:1].upper() + scheme[1:])
