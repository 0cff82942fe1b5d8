"""Read what squeue and sacct print of jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.domain.engine_job import JobObservation, JobState

#: What separates two fields: nothing that a name, a comment or a path of ours holds.
SEPARATOR = "\x1f"
#: What squeue is asked for. The path comes last.
_SQUEUE = (
    *("JobID", "State", "Reason", "exit_code", "RestartCnt", "NodeList", "TimeLeft", "PreemptTime"),
    *("Comment", "STDOUT"),
)
SQUEUE_FORMAT = ",".join(f"{name}:{SEPARATOR}" for name in _SQUEUE)
SACCT_FORMAT = "JobIDRaw,State,ExitCode,NodeList"
#: With this the comment of a job of ours begins.
MARK = "pipeline_widgets"
#: Seconds by which Slurm may send a signal too early, as its manual says, and some for the way.
EARLY = 65.0

_WAITING = frozenset(
    {
        *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"),
        *("SPECIAL_EXIT", "POWER_UP_NODE"),
    }
)
_SUSPENDED = frozenset({"SUSPENDED", "STOPPED"})  # without, or with, what it was given
_AT_WORK = frozenset({"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING"})
_ENDED = frozenset(
    {
        *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "PREEMPTED"),
        *("BOOT_FAIL", "DEADLINE", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"),
    }
)
#: Slurm's word for no reason, and one that an exit code says already.
_NO_REASON = {"", "None", "NonZeroExitCode"}
_SIGNALS = 64
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmJob:
    """The record of a job in Slurm."""

    id: str
    state: str
    reason: str = ""
    exit_code: int | None = None
    restarts: int = 0
    hosts: tuple[str, ...] = ()
    #: Seconds until its time limit; None where it has none.
    seconds_left: float | None = None
    is_preempted: bool = False
    #: What our launcher has written to it; empty for a job of anybody else.
    token: str = ""
    #: Seconds before its time limit at which it is asked to stop.
    warning: int = 0
    log: Path | None = None

    @property
    def environment(self) -> Path | None:
        """The file with the variables of its process, which is gone as soon as that has begun."""
        return name_environment(self.log, self.token) if self.log and self.token else None

    @property
    def is_waiting(self) -> bool:
        """Whether it is in the queue."""
        return self.state in _WAITING

    def observe(self) -> JobObservation:
        """Return it as all launchers say it."""
        if self.state in _ENDED:
            return self._observe(JobState.ENDED, self._describe_end(self.state))
        if self.state in _AT_WORK:
            return self._observe(JobState.AT_WORK, self._describe_work())
        if self.state in _SUSPENDED:
            return self._observe(JobState.SUSPENDED, self.state)
        if self.state not in _WAITING:
            return self._observe(JobState.UNKNOWN, self.state)
        if self.restarts and self._has_begun():
            # Slurm would start it once more. Its process has begun with the run, and is begun once only.
            return self._observe(JobState.ENDED, self._describe_end("REQUEUED"))
        reason = "" if self.reason in _NO_REASON else self.reason.replace("_", " ")
        return self._observe(JobState.WAITING, reason if self.state == "PENDING" else self.state)

    def _observe(self, state: JobState, reason: str) -> JobObservation:
        code = self.exit_code if state is JobState.ENDED else None
        if code == 0 and self.state != "COMPLETED":
            code = None
        return JobObservation(state=state, reason=reason, exit_code=code, hosts=self.hosts)

    def _describe_end(self, state: str) -> str:
        return state if self.reason in _NO_REASON else f"{state} ({self.reason.replace('_', ' ')})"

    def _describe_work(self) -> str:
        """Return why Slurm ends it, which it does not call by its name as long as something of it is left."""
        if self.is_preempted:
            return "PREEMPTED"
        if self.state == "COMPLETING":
            return "TIMEOUT (TimeLimit)" if self.reason == "TimeLimit" else "COMPLETING"
        if self.warning and self.seconds_left is not None and self.seconds_left <= self.warning + EARLY:
            return "TimeLimit"
        return "" if self.state == "RUNNING" else self.state

    def _has_begun(self) -> bool:
        environment = self.environment
        return environment is not None and environment.parent.is_dir() and not environment.exists()


def name_environment(log: Path, token: str) -> Path:
    """Return the file with the variables of a job, beside its log."""
    return log.with_name(f"{log.name}-{token}.environment")


def write_comment(token: str, warning: int) -> str:
    """Return the comment by which a job of ours is known."""
    return f"{MARK}:{token}:{warning}"


def parse_squeue(text: str) -> Mapping[str, SlurmJob]:
    """Return the jobs that `squeue -h -O SQUEUE_FORMAT` prints, by their ids."""
    return {job.id: job for job in map(_parse_squeue_row, _rows(text, len(_SQUEUE)))}


def parse_sacct(text: str) -> Mapping[str, SlurmJob]:
    """Return the jobs that `sacct -n -P -X -o SACCT_FORMAT` prints, by their ids; the last start counts."""
    jobs: dict[str, SlurmJob] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != len(SACCT_FORMAT.split(",")):
            continue
        job_id, state, code, nodes = fields
        word, _, more = state.partition(" ")  # "CANCELLED by 1000"
        status, _, signal = code.partition(":")
        number = -int(signal) if signal.isdecimal() and int(signal) else _number(status)
        jobs[job_id] = SlurmJob(
            id=job_id,
            state=word,
            reason=more,
            exit_code=number if number is None or number >= -_SIGNALS else None,
            hosts=_hosts(nodes),
        )
    return jobs


def parse_time(text: str) -> float | None:
    """Return a span of time in seconds, such as "1-02:03:04" or "04:59"; None for none, such as UNLIMITED."""
    read = _TIME.fullmatch(text)
    if read is None:
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in read.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _rows(text: str, length: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        fields = line.split(SEPARATOR)
        if len(fields) >= length:
            yield [field.strip() for field in fields[:length]]


def _parse_squeue_row(fields: list[str]) -> SlurmJob:
    job_id, state, reason, code, restarts, nodes, left, preempted, comment, log = fields
    mark, token, warning = (*comment.split(":"), "", "")[:3]
    ours = mark == MARK and token.isalnum()
    return SlurmJob(
        id=job_id,
        state=state,
        reason=reason,
        exit_code=_exit_code(code),
        restarts=_number(restarts) or 0,
        hosts=_hosts(nodes),
        seconds_left=parse_time(left),
        is_preempted=preempted[:1].isdecimal(),
        token=token if ours else "",
        warning=(_number(warning) or 0) if ours else 0,
        log=Path(log.replace("%%", "%")) if ours and log.startswith("/") else None,
    )


def _exit_code(text: str) -> int | None:
    """Return the exit code in a status as wait(2) has it; negative for a signal."""
    status = _number(text)
    if status is None:
        return None
    signal = status & 0x7F
    if signal == 0:
        return status >> 8
    return -signal if signal <= _SIGNALS else None


def _hosts(nodes: str) -> tuple[str, ...]:
    return (nodes,) if nodes and nodes not in {"(null)", "None assigned", "None"} else ()


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
