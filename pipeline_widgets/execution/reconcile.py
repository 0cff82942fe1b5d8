"""Find runs and endpoints whose process died. Every supervisor does so, and every handle that is asked."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from pipeline_widgets.domain.liveness import Lease, Timing
from pipeline_widgets.execution import ownership
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.launchers import Launcher
from pipeline_widgets.execution.leases import LeaseReconciler
from pipeline_widgets.execution.notifier import Notifier
from pipeline_widgets.services.supervision import SupervisionService

RECONCILE_EVERY = 0.5  # seconds between two reconciliations of one process, however often it is asked


class Reconciler:
    """Sets dead runs to Crashed, ends their orphans, and launches what was never started."""

    def __init__(
        self,
        supervision: SupervisionService,
        launcher: Launcher,
        endpoints: Endpoints,
        notifier: Notifier,
        *,
        url: str,
        logs: Path,
        timing: Timing,
    ) -> None:
        self._supervision = supervision
        self._endpoints = endpoints
        #: Sends the notices of runs.
        self.notifier = notifier
        self._url = url
        self._runs = LeaseReconciler(
            "Run",
            supervision,
            launcher,
            launch=lambda run_id, log: launcher.launch(url, run_id, log),
            end=self._end,
            log_of=lambda run_id: logs / f"{run_id:08d}" / "supervisor.log",
            timing=timing,
        )
        self._lock = threading.Lock()
        self._reconciled_at = float("-inf")

    def reconcile_if_due(self) -> None:
        """Reconcile, unless that was done a moment ago."""
        if time.monotonic() - self._reconciled_at >= RECONCILE_EVERY:
            self.reconcile()

    def reconcile(self) -> None:
        """Compare every active run and every endpoint of the workspace with its process, and act on it."""
        if not self._supervision.is_trusted:
            return  # nothing is launched or ended for a workspace of somebody else's
        with self._lock:
            self._runs.reconcile()
            self._endpoints.reconcile()
            self._reconciled_at = time.monotonic()
        self.notifier.start_if_overdue()

    def launch(self, run_id: int) -> None:
        """Launch a run that has just been triggered, unless somebody else has.

        Raises:
            ExecutionError: No process could be started; the run is Crashed then.
        """
        if self._supervision.count_launch(Lease(subject_id=run_id, created_at=0.0)):
            with self._runs.give_up_on_error(run_id):
                self._runs.launch(run_id)

    def _end(self, lease: Lease) -> None:
        ownership.end_launch(lease.token, [lease.holder, lease.worker, lease.launched], self._url)
