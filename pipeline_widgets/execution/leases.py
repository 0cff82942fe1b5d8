"""Compare leases with processes: launch what was never started, and give up what is dead.

The same for runs and for endpoints; `reconcile.py` and `endpoints.py` say what is launched for them, and what
has to end before one is given up.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.domain.liveness import (
    ENDED_AFTER,
    JobReport,
    Lease,
    LivenessAction,
    Process,
    ProcessObservation,
    ProcessState,
    Timing,
    assess,
    count_waiting_seconds,
    describe_suspension,
    describe_wait_for_home,
)
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.errors import ConflictError, ExecutionError, PipelineError, StorageError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.engine_jobs import LOG_LINES, EngineJobs
from pipeline_widgets.execution.launchers import REFUSED, find_launcher
from pipeline_widgets.execution.launchers.local import LocalLauncher, name_job
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.variables import LAUNCHED_FOR
from pipeline_widgets.persistence.logs import render_log
from pipeline_widgets.services.leases import LeaseService

_log = logging.getLogger(__name__)


class LeaseReconciler:
    """Looks after all leases of one kind.

    Args:
        name: What a log calls a subject, such as "Run".
        service: Reads and writes the leases.
        request: Returns what a launcher is asked to start for a subject, by its placement.
        end: Ends what is left of the process that held a lease, which may hold the database's lock.
        log_of: Returns where the process of a subject prints to.
        timing: How long a process may be silent.
        engines: Asks engines for their jobs.
    """

    def __init__(
        self,
        name: str,
        service: LeaseService,
        *,
        request: Callable[[int, Placement], LaunchRequest],
        end: Callable[[Lease], None],
        log_of: Callable[[int], Path],
        timing: Timing,
        engines: EngineJobs,
    ) -> None:
        self._name = name
        self._service = service
        self._request = request
        self._end = end
        self._log_of = log_of
        self._timing = timing
        self._engines = engines
        self._observer = Observer()
        self._gave_up = False
        #: Since when the process is seen to be gone that holds a run, while its engine is asked how it ended.
        self._gone_since: dict[int, float] = {}

    @property
    def is_undecided(self) -> bool:
        """Whether a lease is left only until an engine has told how its job has ended."""
        return bool(self._gone_since)

    def reconcile(self, only: int | None = None) -> None:
        """Assess every lease, or the lease of one subject, and do what its state asks for.

        What is enqueued when another one is given up, such as its retry, is launched as well: nobody else has
        enqueued it, who might be about to launch it.
        """
        if not self._service.is_trusted:
            return  # nothing is launched or ended for a workspace of somebody else's
        self._gave_up = False
        known = self._reconcile_once(only)
        if self._gave_up:
            self._launch_new(known)

    def _reconcile_once(self, only: int | None) -> Collection[int]:
        """Assess leases, and return the subjects of all that there were."""
        leases, now = self._service.active()
        waiting = self._service.hold_back_waiting(leases)
        for lease in leases:
            if only not in {None, lease.subject_id} or lease.subject_id in waiting:
                continue
            try:
                self._settle(lease, now)
            except (PipelineError, psutil.Error, OSError) as error:
                # One that cannot be settled must hide no other; the next time it is tried again.
                _log.warning("%s %s could not be reconciled: %s", self._name, lease.subject_id, error)
        active = {lease.subject_id for lease in leases}
        if only is None:
            self._gone_since = {key: at for key, at in self._gone_since.items() if key in active}
        return active

    def _launch_new(self, known: Collection[int]) -> None:
        """Launch what was enqueued by who gave others up, in the room that these have left."""
        leases, _ = self._service.active()
        waiting = self._service.hold_back_waiting(leases)
        for lease in leases:
            follows = lease.subject_id not in known or lease.waits is not None
            is_new = lease.launches == 0 and lease.token is None and lease.launched_at is None
            if follows and is_new and lease.subject_id not in waiting:
                try:
                    self._launch_by_placement(lease)
                except (PipelineError, psutil.Error, OSError) as error:
                    _log.warning("%s %s was not launched: %s", self._name, lease.subject_id, error)

    def find(self, subject_id: int) -> Lease | None:
        """Return the lease of a subject; None without one."""
        return next((lease for lease in self._service.active()[0] if lease.subject_id == subject_id), None)

    def launch(self, subject_id: int, *, placement: Placement = DEFAULT_PLACEMENT, launches: int = 1) -> None:
        """Launch a process for a subject, and record which.

        Args:
            subject_id: The run or the agent.
            placement: Where, and with which resources.
            launches: The number of launches so far, with this one.

        Raises:
            ExecutionError: No process could be started.
        """
        launcher = find_launcher(placement.launcher or "local")
        job = launcher.submit(self._request(subject_id, placement))
        name = None if placement.launcher is None else job.id
        try:
            self._service.record_launch(subject_id, launches, job.process, name)
        except (StorageError, ConflictError) as error:  # without it, it is launched again a little sooner
            _log.warning("%s %s: its launch could not be recorded: %s", self._name, subject_id, error)

    def launch_or_leave(self, lease: Lease) -> None:
        """Launch a process for a lease that none works on; where that fails, leave it to who looks next.

        It is given up where its engine answers, and refuses it.
        """
        if not self._is_for_here(lease):
            self._record_waits(lease, describe_wait_for_home(lease))
            return
        if not self._service.count_launch(lease):
            return
        launches = lease.launches + 1
        try:
            self.launch(lease.subject_id, placement=lease.placement, launches=launches)
        except ExecutionError as error:
            if lease.placement.launcher is None:
                raise
            self._settle_refusal(lease, launches, error)

    def describe_job(self, lease: Lease, within: float) -> str:
        """Return what the engine of a lease says of its job; empty where it says nothing in time."""
        launcher, job = lease.placement.launcher, lease.job
        if launcher is None or job is None or lease.engine is None:
            return ""
        self._engines.observe(launcher, job)
        self._engines.wait(within)
        report = self._engines.observe(launcher, job)
        return "" if report is None else report.observation.describe(lease.engine, job)

    def cancel(self, launcher: str | None, job: str | None) -> None:
        """End the job of what need not begin any more, without waiting for a slow engine."""
        if launcher is not None and job is not None:
            self._engines.do(launcher, ("stop", job), lambda: find_launcher(launcher).stop(job))

    @contextmanager
    def give_up_on_error(self, subject_id: int) -> Generator[None]:
        """Give a subject up if the block cannot start a process for it, and raise the error."""
        try:
            yield
        except ExecutionError as error:
            if (lease := self.find(subject_id)) is not None:
                self._service.give_up(lease, str(error))
            raise

    def _settle(self, lease: Lease, now: float) -> None:
        seen = processes.probe(lease.holder)
        job = self._ask_engine(lease, seen, now)
        decision = assess(
            lease,
            seen,
            now=now,
            grace=self._timing.grace,
            launched=processes.probe(lease.launched),
            age=processes.age(lease.launched),
            still=self._observe(lease, now),
            job=job,
            gone_for=self._count_gone_seconds(lease, seen),
            beat_every=self._timing.beat_every,
        )
        if decision.action is LivenessAction.GIVE_UP:
            self._give_up(lease, decision.evidence)
        elif decision.action is LivenessAction.LEAVE:
            self._note_waits(lease, job, now)
        elif decision.action is LivenessAction.CANCEL:
            self.cancel(lease.placement.launcher, lease.job)
        elif not self._is_for_here(lease):
            waited = count_waiting_seconds(now, lease.launched_at or lease.created_at)
            self._record_waits(lease, describe_wait_for_home(lease, waited, self._timing.grace))
        else:
            self._launch_by_placement(lease)

    def _launch_by_placement(self, lease: Lease) -> None:
        if lease.placement.launcher is None:
            self.launch_or_leave(lease)
        else:  # an engine may take half a minute, for which nobody else waits
            key = (self._name, lease.subject_id)
            self._engines.do(lease.placement.launcher, key, lambda: self.launch_or_leave(lease))

    def _ask_engine(self, lease: Lease, seen: ProcessState, now: float) -> JobReport | None:
        """Return what the engine has said of a job whose process is gone, or silent."""
        launcher = lease.placement.launcher
        if launcher is None or lease.job is None:
            return None
        if lease.holder is not None and seen is not ProcessState.GONE and self._beats(lease, now):
            return None
        return self._engines.observe(launcher, lease.job)

    def _beats(self, lease: Lease, now: float) -> bool:
        """Return whether the process that holds a lease has beaten of late."""
        return 0 <= now - (lease.beat_at or 0.0) <= ENDED_AFTER * self._timing.beat_every

    def _count_gone_seconds(self, lease: Lease, seen: ProcessState) -> float:
        """Return for how long the process of an engine's job has been seen to be gone."""
        if lease.job is None or lease.placement.launcher is None or seen is not ProcessState.GONE:
            self._gone_since.pop(lease.subject_id, None)
            return float("inf")
        now = time.monotonic()
        return now - self._gone_since.setdefault(lease.subject_id, now)

    def _note_waits(self, lease: Lease, job: JobReport | None, now: float) -> None:
        """Record for what a job waits in its engine: in its queue, in the engine's words, or suspended."""
        if job is not None and job.state is JobState.SUSPENDED:
            self._record_waits(lease, describe_suspension(lease.engine or "its engine"))
            return
        if lease.is_suspended and self._beats(lease, now):
            self._record_waits(lease, None)
        if lease.holder is not None or job is None:
            return
        if job.state is JobState.WAITING:
            self._record_waits(lease, job.observation.reason or "its turn")
        elif job.state is JobState.AT_WORK:
            self._record_waits(lease, None)

    def _record_waits(self, lease: Lease, waits: str | None) -> None:
        if waits != lease.waits:
            self._service.record_waits(lease, waits)

    def _settle_refusal(self, lease: Lease, launches: int, error: ExecutionError) -> None:
        """Give up what an engine refuses. One that does not answer, or cannot be asked from here, is left."""
        try:
            find_launcher(lease.placement.launcher or "local").describe()
        except Exception as reason:  # noqa: BLE001  a launcher of a third party may raise anything
            if not (isinstance(reason, ExecutionError) and reason.code == REFUSED):
                _log.warning("%s %s was not launched: %s", self._name, lease.subject_id, error)
                waits = f"{lease.engine}, which has not taken it: {error.what}"
                self._service.uncount_launch(lease.subject_id, launches, waits)
                return
        if (current := self.find(lease.subject_id)) is not None:
            self._service.give_up(current, str(error))

    @staticmethod
    def _is_for_here(lease: Lease) -> bool:
        """Return whether this process can launch it: a local run belongs to the host of its trigger.

        What a job of an engine would start there itself would end with that job.
        """
        if lease.placement.launcher is not None:
            return True
        return lease.home in {None, platform.node()} and LAUNCHED_FOR not in os.environ

    def _observe(self, lease: Lease, now: float) -> float:
        """Return the seconds for which a silent process has not moved; one that beats is not observed."""
        silent = now - (lease.beat_at or lease.launched_at or lease.created_at)
        if 0.0 <= silent <= self._timing.grace:  # a beat of the future tells no age
            self._observer.forget([lease.subject_id])
            return 0.0
        return self._observer.observe(lease.subject_id, lease.holder or lease.launched, lease.beat_at)

    def _give_up(self, lease: Lease, evidence: str) -> None:
        """End what is left of a process, so that nothing goes on behind what is given up, and then write it.

        A process that was suspended may hold the database's write lock: it is ended before the write.
        """
        self._end(lease)
        self._gone_since.pop(lease.subject_id, None)
        if lease.holder is None or lease.status is not None:  # an endpoint's log is shown where it belongs
            evidence = f"{evidence} {self._describe_launch(lease)}".rstrip()
        with suppress(ConflictError):  # it has moved on meanwhile: then it is not dead
            if self._service.give_up(lease, evidence):
                self._gave_up = True
                self.cancel(lease.placement.launcher, lease.job)

    def _describe_launch(self, lease: Lease) -> str:
        """Return how a launched process ended and what it said last; empty where nothing is known."""
        log, launcher = self._log_of(lease.subject_id), lease.placement.launcher
        said = render_log(log, LOG_LINES)
        if launcher is not None:
            told = "" if lease.job is None else self._engines.log(launcher, lease.job)
            return f"Its log ends with:\n{said or told}" if said or told else ""
        process = lease.launched if lease.holder is None else None
        code = None if process is None else LocalLauncher().status(name_job(process)).exit_code
        parts = [] if code is None else [f"The last one ended with exit code {code}."]
        if code is not None and code < 0:
            parts = [f"The last one was killed by {processes.signal_name(-code)}."]
        if said:
            parts.append(f"Its log, {log}, ends with:\n{said}")
        elif process is not None:
            parts.append(f"Its log, {log}, is empty.")
        return " ".join(parts)


class Observer:
    """Remembers since when a silent process has not moved.

    It reckons by this process's own monotonic clock: neither a step of the wall clock nor the sleep of a
    laptop counts.
    """

    def __init__(self) -> None:
        self._pulses: dict[int, ProcessObservation] = {}

    def observe(self, key: int, process: Process | None, beat_at: float | None) -> float:
        """Return the seconds for which a process has been seen neither to beat nor to wake.

        Args:
            key: The run or agent.
            process: The process.
            beat_at: Its last beat.
        """
        if process is None:
            return 0.0
        now = time.monotonic()
        # One that is out of sight shows that it moves only by its beats.
        progress = processes.progress(process.pid) if processes.is_here(process) else 0
        pulse = ProcessObservation(process=process, beat_at=beat_at, progress=progress, since=now)
        self._pulses[key] = self._pulses.get(key, pulse).merge(pulse)
        return now - self._pulses[key].since

    def forget(self, keys: Collection[int]) -> None:
        """Forget what need not be observed."""
        for key in keys:
            self._pulses.pop(key, None)
