"""Compare leases with processes: launch what was never started, and give up what is dead.

The same for runs and for endpoints; `reconcile.py` and `endpoints.py` say what is launched for them, and what
has to end before one is given up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from pipeline_widgets.domain.liveness import (
    Lease,
    LivenessAction,
    Process,
    ProcessObservation,
    Timing,
    assess,
)
from pipeline_widgets.errors import ConflictError, ExecutionError, PipelineError, StorageError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.launchers import Launcher
from pipeline_widgets.persistence.logs import render_log
from pipeline_widgets.services.leases import LeaseService

LOG_LINES = 12  # of a process that is gone, that an error shows

_log = logging.getLogger(__name__)


class LeaseReconciler:
    """Looks after all leases of one kind.

    Args:
        name: What a log calls a subject, such as "Run".
        service: Reads and writes the leases.
        launcher: Knows how launched processes have ended.
        launch: Launches the process for a subject with this log, and returns it; None where it has none yet.
        end: Ends what is left of the process that held a lease, which may hold the database's lock.
        log_of: Returns where the process of a subject prints to.
        timing: How long a process may be silent.
    """

    def __init__(
        self,
        name: str,
        service: LeaseService,
        launcher: Launcher,
        *,
        launch: Callable[[int, Path], Process | None],
        end: Callable[[Lease], None],
        log_of: Callable[[int], Path],
        timing: Timing,
    ) -> None:
        self._name = name
        self._service = service
        self._launcher = launcher
        self._start = launch
        self._end = end
        self._log_of = log_of
        self._timing = timing
        self._observer = Observer()

    def reconcile(self, only: int | None = None) -> None:
        """Assess every lease, or the lease of one subject, and do what its state asks for."""
        if not self._service.is_trusted:
            return  # nothing is launched or ended for a workspace of somebody else's
        leases, now = self._service.active()
        for lease in leases:
            if only not in {None, lease.subject_id}:
                continue
            try:
                self._settle(lease, now)
            except (PipelineError, psutil.Error, OSError) as error:
                # One that cannot be settled must hide no other; the next time it is tried again.
                _log.warning("%s %s could not be reconciled: %s", self._name, lease.subject_id, error)

    def find(self, subject_id: int) -> Lease | None:
        """Return the lease of a subject; None without one."""
        return next((lease for lease in self._service.active()[0] if lease.subject_id == subject_id), None)

    def launch(self, subject_id: int, *, launches: int = 1) -> None:
        """Launch a process for a subject, and record which.

        Args:
            subject_id: The run or the agent.
            launches: The number of launches so far, with this one.

        Raises:
            ExecutionError: No process could be started.
        """
        process = self._start(subject_id, self._log_of(subject_id))
        if process is None:
            return
        try:
            self._service.record_launch(subject_id, launches, process)
        except (StorageError, ConflictError) as error:  # without it, it is launched again a little sooner
            _log.warning("%s %s: its launch could not be recorded: %s", self._name, subject_id, error)

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
        decision = assess(
            lease,
            processes.probe(lease.holder),
            now=now,
            grace=self._timing.grace,
            launched=processes.probe(lease.launched),
            age=processes.age(lease.launched),
            still=self._observe(lease, now),
        )
        if decision.action is LivenessAction.GIVE_UP:
            self._give_up(lease, decision.evidence)
        elif decision.action is LivenessAction.LAUNCH and self._service.count_launch(lease):
            self.launch(lease.subject_id, launches=lease.launches + 1)

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
        if lease.holder is None or lease.status is not None:  # an endpoint's log is shown where it belongs
            process = lease.launched if lease.holder is None else None
            more = describe_launch(self._launcher, process, self._log_of(lease.subject_id))
            evidence = f"{evidence} {more}".rstrip()
        with suppress(ConflictError):  # it has moved on meanwhile: then it is not dead
            self._service.give_up(lease, evidence)


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


def describe_launch(launcher: Launcher, process: Process | None, log: Path) -> str:
    """Return how a launched process ended and what it said last; empty where nothing is known."""
    code = None if process is None else launcher.exit_code(process)
    said = render_log(log, LOG_LINES)
    parts = [] if code is None else [f"The last one ended with exit code {code}."]
    if code is not None and code < 0:
        parts = [f"The last one was killed by {processes.signal_name(-code)}."]
    if said:
        parts.append(f"Its log, {log}, ends with:\n{said}")
    elif process is not None:
        parts.append(f"Its log, {log}, is empty.")
    return " ".join(parts)
