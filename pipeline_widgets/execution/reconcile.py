"""Find runs and endpoints whose process died. Done by whatever looks, and by every supervisor."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline_widgets.domain.liveness import Lease, LivenessAction, Timing, assess_run
from pipeline_widgets.errors import ConflictError, ExecutionError, PipelineError, StorageError
from pipeline_widgets.execution import ownership, processes
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.launchers import Launcher
from pipeline_widgets.execution.observer import Observer, describe_launch
from pipeline_widgets.services.supervision import SupervisionService

_log = logging.getLogger(__name__)
LOOK_EVERY = 0.5  # seconds between two looks of one process, however often it is asked


class Reconciler:
    """Sets dead runs to Crashed, ends their orphans, and launches what was never started."""

    def __init__(
        self,
        supervision: SupervisionService,
        launcher: Launcher,
        endpoints: Endpoints,
        *,
        url: str,
        logs: Path,
        timing: Timing,
    ) -> None:
        self._supervision = supervision
        self._launcher = launcher
        self._endpoints = endpoints
        self._url = url
        self._logs = logs
        self._timing = timing
        self._observer = Observer()
        self._lock = threading.Lock()
        self._looked = float("-inf")

    def reconcile_if_due(self) -> None:
        """Reconcile, unless that was done a moment ago."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            self.reconcile()

    def reconcile(self) -> None:
        """Look at every active run and every endpoint of the workspace, and do what its state asks for."""
        if not self._supervision.is_trusted:
            return  # a look at a workspace of somebody else's runs nothing
        with self._lock:
            leases, now = self._supervision.active()
            for lease in leases:
                try:
                    self._settle(lease, now)
                except (PipelineError, psutil.Error, OSError) as error:
                    # One run that cannot be settled must hide no other; the next look tries again.
                    _log.warning("Run %s could not be reconciled: %s", lease.run_id, error)
            self._endpoints.reconcile()
            self._looked = time.monotonic()

    def launch(self, run_id: int) -> None:
        """Launch a run that has just been triggered, unless somebody else has.

        Raises:
            ExecutionError: No process could be started; the run is Crashed then.
        """
        if not self._supervision.count_launch(run_id):
            return
        try:
            self._start(run_id, launches=1)
        except ExecutionError as error:
            leases, _ = self._supervision.active()
            for lease in leases:
                if lease.run_id == run_id:
                    self._supervision.give_up(lease, str(error))
            raise

    def _settle(self, lease: Lease, now: float) -> None:
        decision = assess_run(
            lease,
            processes.probe(lease.supervisor),
            now=now,
            grace=self._timing.grace,
            launched=processes.probe(lease.launched),
            age=processes.age(lease.launched),
            still=self._observe(lease, now),
        )
        if decision.action is LivenessAction.GIVE_UP:
            self._give_up(lease, decision.evidence)
        elif decision.action is LivenessAction.LAUNCH and self._supervision.count_relaunch(lease):
            self._start(lease.run_id, launches=lease.launches + 1)

    def _observe(self, lease: Lease, now: float) -> float:
        """Return the seconds for which a silent process has not moved; those that beat are not looked at."""
        silent = now - (lease.beat_at or lease.launched_at or lease.created_at)
        if 0.0 <= silent <= self._timing.grace:  # a beat of the future tells no age
            self._observer.forget([lease.run_id])
            return 0.0
        return self._observer.observe(lease.run_id, lease.supervisor or lease.launched, lease.beat_at)

    def _give_up(self, lease: Lease, evidence: str) -> None:
        """End what is left of a run, so that nothing goes on behind a Crashed one, and then say so.

        A supervisor that was suspended may hold the database's write lock: it is ended before the write.
        """
        ownership.end_launch(lease.token, [lease.supervisor, lease.child, lease.launched], self._url)
        process = lease.launched if lease.supervisor is None else None
        more = describe_launch(self._launcher, process, self._log_of(lease.run_id))
        with suppress(ConflictError):  # it moved on while we looked: then it is not dead
            self._supervision.give_up(lease, f"{evidence} {more}".rstrip())

    def _start(self, run_id: int, *, launches: int) -> None:
        process = self._launcher.launch(self._url, run_id, self._log_of(run_id))
        if process is None:
            return
        try:
            self._supervision.note_launch(run_id, launches, process)
        except (StorageError, ConflictError) as error:  # without it the run is launched again a little sooner
            _log.warning("The launch of run %s could not be noted: %s", run_id, error)

    def _log_of(self, run_id: int) -> Path:
        return self._logs / f"{run_id:08d}" / "supervisor.log"
