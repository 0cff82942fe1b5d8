"""Find runs and endpoints whose process died. Every supervisor does so, and every handle that is asked."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.libraries import Libraries
from pipeline_widgets.domain.liveness import Lease, Timing
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import PipelineError, StorageError
from pipeline_widgets.execution import interpreter, ownership
from pipeline_widgets.execution.detached_process import DetachedProcess
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.engine_jobs import EngineJobs
from pipeline_widgets.execution.launch_client import start_server
from pipeline_widgets.execution.launch_place import find_place, idle_seconds
from pipeline_widgets.execution.launch_request import create_launch_request
from pipeline_widgets.execution.launchers import has_launch_servers
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.execution.leases import LeaseReconciler
from pipeline_widgets.execution.notifier import Notifier
from pipeline_widgets.execution.preloading import ImportedModules, declared_modules
from pipeline_widgets.execution.variables import LAUNCH, find_server_log
from pipeline_widgets.services.supervision import SupervisionService

RECONCILE_EVERY = 0.5  # seconds between two reconciliations of one process, however often it is asked
PATIENCE = 40.0  # seconds for which who asks for a reconciliation waits for engines: one may take 30
DESCRIBE_WITHIN = 5.0  # seconds that an engine has to say how it ends a job
SERVER_LOG_NAME = "launch-server.log"
CANCEL_WITHIN = 2.0  # seconds for which who stops a run waits for its engine

_log = logging.getLogger(__name__)


class Reconciler:
    """Sets dead runs to Crashed, ends their orphans, and launches what was never started."""

    def __init__(
        self,
        supervision: SupervisionService,
        endpoints: Endpoints,
        notifier: Notifier,
        *,
        url: str,
        logs: Path,
        timing: Timing,
        identity: str | None = None,
        folders: Sequence[Path] = (),
    ) -> None:
        self._supervision = supervision
        self._endpoints = endpoints
        #: Sends the notices of runs.
        self.notifier = notifier
        self._url = url
        self._artifacts = logs.parent
        self._engines = EngineJobs()
        self._triggered: Run | None = None  # by this process, and about to be launched

        def log_of(run_id: int) -> Path:
            return logs / f"{run_id:08d}" / "supervisor.log"

        self._runs = LeaseReconciler(
            "Run",
            supervision,
            request=lambda run_id, placement: create_launch_request(
                url,
                ("supervise", str(run_id)),
                log_of(run_id),
                resources=placement.resources,
                identity=None if placement.launcher is None else identity,
                folders=() if placement.launcher is None else folders,
                server_log=logs.parent / SERVER_LOG_NAME,
                libraries=self._find_libraries(run_id, placement.launcher),
            ),
            end=self._end,
            log_of=log_of,
            timing=timing,
            engines=self._engines,
        )
        self._lock = threading.Lock()
        self._reconciled_at = float("-inf")

    def reconcile_if_due(self) -> None:
        """Reconcile, unless that was done a moment ago."""
        if time.monotonic() - self._reconciled_at >= RECONCILE_EVERY:
            self.reconcile()

    def reconcile(self) -> None:
        """Compare every active run and every endpoint of the workspace with its process, and act on it.

        Engines are asked in the background: what they say counts the next time.
        """
        if not self._supervision.is_trusted:
            return  # nothing is launched or ended for a workspace of somebody else's
        with self._lock:
            self._runs.reconcile()
            self._endpoints.reconcile()
            self._reconciled_at = time.monotonic()
        self.notifier.start_if_overdue()

    def reconcile_patiently(self) -> None:
        """Reconcile, and wait for what engines say and do, for up to 40 s."""
        until = time.monotonic() + PATIENCE
        self.reconcile()
        while not self._engines.wait(0.0) or self._runs.is_undecided:
            if not self._engines.wait(max(0.0, until - time.monotonic())) or time.monotonic() > until:
                return
            time.sleep(0.1 if self._runs.is_undecided else 0.0)
            self.reconcile()

    def launch(self, run: Run) -> None:
        """Launch a run that has just been triggered, unless somebody else has, or it has to wait.

        Where the database refuses, it is queued nevertheless: who looks next launches it.

        Raises:
            ExecutionError: No process could be started; the run is Crashed then.
        """
        try:
            is_counted = self._supervision.count_launch(
                Lease(subject_id=run.id, created_at=0.0, placement=run.placement)
            )
        except StorageError as error:
            _log.warning("Run %s is queued, and was not launched yet: %s", run.id, error)
            return
        if is_counted:
            self._triggered = run
            with self._runs.give_up_on_error(run.id):
                self._runs.launch(run.id, placement=run.placement)

    def launch_or_leave(self, run: Run) -> None:
        """Launch a Pending run where this machine can; else leave it to who looks next."""
        try:
            self._runs.launch_or_leave(self._supervision.lease(run.id))
        except PipelineError as error:
            _log.warning("Run %s was not launched: %s", run.id, error)

    def launch_waiting(self) -> None:
        """Launch the runs that can begin now, since one has ended or the limits were raised."""
        for lease in self._supervision.find_admissible():
            try:
                self._runs.launch_or_leave(lease)
            except PipelineError as error:
                _log.warning("Run %s was not launched: %s", lease.subject_id, error)

    def keep_libraries(self, run_id: int, modules: ImportedModules) -> None:
        """Start a launch server that imports what a run here has imported, for later runs of its algorithm.

        Does nothing where there is one, where none can be, and where a trigger on this machine has started it
        already, since the algorithm declares its libraries.
        """
        libraries = self._supervision.find_libraries(run_id)
        is_hosted = find_server_log(os.environ) is not None
        if libraries is not None and (is_hosted or not libraries.declared):
            self._start_server(libraries, declared_modules(libraries) if libraries.declared else modules)

    def preload(self, experiment: Experiment) -> None:
        """Start a launch server that imports what the algorithm of an experiment declares, for its runs.

        Does nothing where there is one, where none can be, and where these runs are launched elsewhere.
        """
        declared = experiment.spec.preload
        supervision = self._supervision
        if declared and supervision.is_trusted and supervision.is_launched_here(experiment):
            libraries = Libraries.of_declaration(declared)
            LocalLauncher.keep(self._start_server(libraries, declared_modules(libraries), begin_after=0.0))

    def _start_server(
        self, libraries: Libraries, modules: ImportedModules, begin_after: float | None = None
    ) -> DetachedProcess | None:
        hosted = find_server_log(os.environ)  # where this is a job over SSH
        log = self._artifacts / SERVER_LOG_NAME if hosted is None else Path(hosted)
        request = create_launch_request(self._url, (), log)
        environment = interpreter.environment(**request.environment)
        if hosted is not None:
            environment[LAUNCH] = os.environ[LAUNCH]
        place = find_place(environment, log, libraries.key)
        if place is None:
            return None
        return start_server(place, environment, begin_after=begin_after, libraries=modules)

    def _find_libraries(self, run_id: int, launcher: str | None) -> Libraries | None:
        """Return the libraries of a run; a run that was just triggered is not read again."""
        if not has_launch_servers(launcher) or not idle_seconds(os.environ):
            return None  # no launch server would be asked
        run = self._triggered
        return self._supervision.find_libraries(run_id, run if run is not None and run.id == run_id else None)

    def describe_job(self, run_id: int) -> str:
        """Return what the engine of a run says of its job; empty where it says nothing within 5 s."""
        return self._runs.describe_job(self._supervision.lease(run_id), DESCRIBE_WITHIN)

    def cancel(self, run: Run) -> None:
        """End the job of a run that was stopped before it began."""
        self._runs.cancel(run.launcher, run.job)
        self._engines.wait(CANCEL_WITHIN)

    def _end(self, lease: Lease) -> None:
        ownership.end_launch(lease.token, [lease.holder, lease.worker, lease.launched], self._url)
