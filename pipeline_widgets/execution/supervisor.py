"""The process that executes a run, and then the Auto stages that follow it.

The supervisor starts a worker for each run, keeps the run alive in the database, and records the reports of
the worker. It ends the run and takes the next Auto stage in one transaction. It has one thread and never runs
user code, so its heartbeat does not depend on the training.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import Job, Outcome
from pipeline_widgets.domain.liveness import Timing, host_of
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.run_record import Environment
from pipeline_widgets.errors import (
    ConflictError,
    DataRefusedError,
    ExecutionError,
    FencedError,
    PipelineError,
    StorageError,
    format_error,
)
from pipeline_widgets.execution import messages, ownership, processes, variables
from pipeline_widgets.execution.active_job import POINTS_AT_ONCE, ActiveJob
from pipeline_widgets.execution.environment import describe_environment
from pipeline_widgets.execution.next_worker import NextWorker, has_room_beside
from pipeline_widgets.execution.process_spawner import ProcessSpawner, Worker
from pipeline_widgets.execution.usage_sampler import UsageSampler
from pipeline_widgets.execution.variables import find_server_log
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.artifact_folders import remove_drafts
from pipeline_widgets.persistence.artifact_paths import CHECKPOINTS, LOG, SHOWN
from pipeline_widgets.persistence.log_times import LogTimesWriter
from pipeline_widgets.services.supervision import Owner, SupervisionService

if TYPE_CHECKING:
    from pipeline_widgets.domain.agent import DeployedVersion
    from pipeline_widgets.execution.endpoints import Endpoints
    from pipeline_widgets.execution.reconcile import Reconciler
    from pipeline_widgets.execution.tracking import TrackerProcess

TICK = 0.25  # seconds between two checks of the run's status: how soon a stop is seen
FLUSH_EVERY = 0.5  # seconds between two writes of reports
CONNECT_POLL = 0.02
LOADING_EVERY = 5.0  # seconds between two lines of a deployment's log while its version is being loaded
EXIT_GRACE = 5.0  # seconds within which a worker has to end after it has sent its outcome
MAX_CONFLICTS = 5  # of one write, one after the other
RARE_COLLECTIONS = (50_000, 20, 100)  # of the garbage collector
RETRY_FIRST, RETRY_LAST = 0.1, 5.0  # seconds between two attempts to write while the database refuses
TAKE_PATIENCE = 60.0  # seconds for which the database may refuse before a supervisor without a run ends
GONE_AFTER = 3  # checks in a row that do not find the database's file

#: What only comes into use once a run is Running. Imported before, it took a third of the time until then.
AFTER_RUNNING = (
    "pipeline_widgets.algorithms.evaluators",
    "pipeline_widgets.algorithms.registry",
    "pipeline_widgets.execution.reconcile",
    "pipeline_widgets.execution.tracking",
    "pipeline_widgets.execution.uploads",
    "pipeline_widgets.persistence.repositories.agents",
    "pipeline_widgets.persistence.repositories.annotations",
    "pipeline_widgets.persistence.repositories.checkpoint_choices",
    "pipeline_widgets.persistence.repositories.checkpoints",
    "pipeline_widgets.persistence.repositories.endpoints",
    "pipeline_widgets.persistence.repositories.evaluators",
    "pipeline_widgets.persistence.repositories.events",
    "pipeline_widgets.persistence.repositories.metrics",
    "pipeline_widgets.persistence.repositories.notices",
    "pipeline_widgets.persistence.repositories.run_lineage",
    "pipeline_widgets.persistence.repositories.shown_items",
    "pipeline_widgets.services.admission",
    "pipeline_widgets.services.retries",
)

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class _WorkspaceDeletedError(ExecutionError):
    """The workspace of a supervisor was deleted: nothing that it could write would count."""


class Supervisor:
    """Executes a run and the Auto stages that follow it.

    Args:
        supervision: Reads and writes runs.
        reconciler: Returns what finds dead runs of other supervisors, with every beat. It, and the next, are
            asked for once a run is Running: what they import takes as long as all the way there.
        endpoints: Returns what connects the agents of Deployments.
        timing: How often to beat.
        spawner: Starts the workers.
        trackers: Returns what has runs told to other tools.
    """

    def __init__(
        self,
        supervision: SupervisionService,
        reconciler: Callable[[], Reconciler],
        endpoints: Callable[[], Endpoints],
        timing: Timing,
        spawner: ProcessSpawner,
        trackers: Callable[[], TrackerProcess] | None = None,
    ) -> None:
        self._supervision = supervision
        self._create_reconciler, self._create_endpoints = reconciler, endpoints
        self._timing = timing
        self._spawner = spawner
        self._create_trackers = trackers
        launch = os.environ.get(variables.LAUNCH) or variables.new_launch()
        self._owner = Owner(process=processes.identify(os.getpid()), token=variables.token_of(launch))
        self._asked_to_end = False
        self._missing = 0
        self._environment: Environment | None = None
        self._next_worker = NextWorker(spawner, lambda worker: self._end(worker, at_once=True))

    @cached_property
    def _reconciler(self) -> Reconciler:
        return self._create_reconciler()

    @cached_property
    def _endpoints(self) -> Endpoints:
        return self._create_endpoints()

    @cached_property
    def _trackers(self) -> TrackerProcess | None:
        return None if self._create_trackers is None else self._create_trackers()

    def run(self, run_id: int) -> None:
        """Execute a run and the Auto stages that follow it; do nothing if somebody else has taken the run.

        Raises:
            StorageError: The database refused for so long that the run was not even taken.
        """
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup does
                signal.signal(number, self._ask_to_end)
        gc.freeze()  # imported modules stay: there is no use in searching them again and again
        gc.set_threshold(*RARE_COLLECTIONS)
        gc.enable()  # the imports were made without it
        self._next_worker.spawn()
        try:
            job: Job | Run | None = self._retry_until_committed(
                lambda: self._supervision.take(run_id, self._owner), within=TAKE_PATIENCE
            )
            while isinstance(job, Job):
                job = self._execute(job)
            if job is not None:  # the next stage has another launcher, or asks for other resources
                self._reconciler.launch_or_leave(job)
        except (FencedError, _WorkspaceDeletedError) as error:
            _log.warning("%s", error)
        finally:
            self._next_worker.end()
            self._log_and_continue(self._reconciler.launch_waiting)  # in the slot that is free now
            self._reconciler.notifier.start_if_due()
            self._reconciler.notifier.wait()
            if self._trackers is not None:
                self._trackers.wait()

    def _execute(self, job: Job) -> Job | Run | None:
        active = ActiveJob(job=job, worker=self._next_worker.take())
        try:
            active.send(job)  # it loads code meanwhile, and trains on GO
            running = processes.identify(active.worker.pid)
            environment = self._describe_environment()
            self._retry_until_committed(lambda: self._supervision.record_start(job, running, environment))
            active.send(messages.GO)
            import_rest()
            self._reconciler.notifier.start_if_due()  # of the stage before: this one is under way
            if self._trackers is not None and job.kind == "training":
                self._trackers.follow(job.run_id)
            self._watch(active)
            outcome = self._get_outcome(active)
            if job.kind != "deployment":
                self._spawn_next(job, outcome)
            # Before the write: nothing of a run goes on once its status is final.
            self._end(active.worker, at_once=active.outcome is None)
            if active.outcome is None:  # it may have been ended while it was saving
                for parent in (CHECKPOINTS, SHOWN):
                    remove_drafts(Path(job.folder) / parent, Path(job.folder).parent.parent)
                from pipeline_widgets.execution.uploads import send_log_of_dead_worker  # noqa: PLC0415  not before Running

                send_log_of_dead_worker(job)
            outcome = self._deploy(active, outcome)
            self._spawn_next(job, outcome)
            return self._finish(active, outcome)
        except (FencedError, _WorkspaceDeletedError):
            self._end(active.worker, at_once=True)
            raise
        except Exception:  # a bug of ours must not leave a run that looks alive
            self._end(active.worker, at_once=True)
            text = f"Its supervisor failed.\n{traceback.format_exc()}"
            crashed, ending = Outcome(status=Status.CRASHED, error=text), replace(self._owner, is_ending=True)
            try:  # with the reports that are not written yet, unless these are the cause
                self._supervision.finish(job, crashed, ending, active.batch)
            except FencedError:
                raise
            except Exception:  # noqa: BLE001
                self._retry_until_committed(lambda: self._supervision.finish(job, crashed, ending))
            raise
        finally:
            active.worker.line.close()

    def _describe_environment(self) -> Environment:
        """Return on what the workers run: this machine, and the interpreter that they share with this one."""
        if self._environment is None:
            names = self._log_and_continue(self._supervision.recorded_variables) or ()
            self._environment = describe_environment(names)
        return self._environment

    def _spawn_next(self, job: Job, outcome: Outcome) -> None:
        """Start the worker of the next stage while this one ends and the database writes."""
        if job.starts_next_stage and outcome.status is Status.SUCCEEDED:
            self._next_worker.spawn()

    def _watch(self, active: ActiveJob) -> None:
        """Record the reports of a worker until it has sent its outcome or has ended."""
        now = time.monotonic()
        beaten_at, flushed_at, checked_at = now, now, now
        sampler = UsageSampler(lambda: ownership.family(active.worker.pid), now)
        log_times = LogTimesWriter(Path(active.job.folder) / LOG)
        writes = True  # where the database refuses, it is not asked at each message
        while active.outcome is None and active.worker.exit_code() is None:
            line = [active.worker.line] if active.is_line_open else []
            wait([*line, *self._spawner.wait_handles(active.worker)], TICK)
            active.receive()
            self._note_imports(active)
            now = time.monotonic()
            if now - checked_at >= TICK:
                checked_at = now
                self._check_stop(active)
                log_times.note()
            if (used := sampler.sample(now)) is not None:
                active.batch.add(used)
            if (active.batch.has_reports and now - flushed_at >= FLUSH_EVERY) or (writes and active.is_full):
                flushed_at = now
                writes = self._log_and_continue(lambda: self._record(active)) is not None
            if now - beaten_at >= self._timing.beat_every:
                beaten_at = now
                self._log_and_continue(lambda: self._beat(active))
                self._reconcile_others()
        log_times.note(ends=True)
        while active.is_line_open and active.worker.line.poll():  # messages from before its end
            active.receive()
        self._note_imports(active)

    def _note_imports(self, active: ActiveJob) -> None:
        """Let the next stage, and later chains with this algorithm, find the same libraries imported."""
        modules, active.imported = active.imported, None
        if modules is None:
            return
        if active.job.starts_next_stage and active.outcome is None:
            self._next_worker.preload(modules, active.worker)
        is_kept = active.job.launcher is None or find_server_log(os.environ) is not None
        if is_kept and has_room_beside(active.worker.pid):
            self._log_and_continue(lambda: self._reconciler.keep_libraries(active.job.run_id, modules))

    def _beat(self, active: ActiveJob) -> None:
        """Record a beat, with what waits to be written: one transaction."""
        if active.batch:
            self._record(active)
        else:
            self._supervision.beat(active.job)

    def _check_stop(self, active: ActiveJob) -> None:
        """Pass a stop on to the worker, and kill a worker that does not stop in time."""
        status = self._log_and_continue(lambda: self._supervision.status(active.job))
        active.is_stop_asked |= status is Status.STOPPING
        goes_on = status is not Status.STOPPING and not (self._asked_to_end or active.refused)
        now = time.monotonic()
        if active.stopping_since is None and not (goes_on and self._check_workspace()):
            active.stopping_since = active.idle_since = now
            active.send(messages.STOP)
            processes.ask_to_stop(active.worker.pid)
        elif active.stopping_since is not None and active.is_overdue(now):
            processes.kill(ownership.family(active.worker.pid))

    def _reconcile_others(self) -> None:
        """Find dead runs of other supervisors; no error of that is a reason to end a training of this one."""
        try:
            self._reconciler.reconcile()
        except Exception:  # noqa: BLE001  the next beat tries again
            _log.exception("Other runs could not be reconciled.")

    def _check_workspace(self) -> bool:
        """Return whether the database is there, or was a moment ago."""
        self._missing = 0 if self._supervision.workspace_exists else self._missing + 1
        return self._missing < GONE_AFTER

    def _get_outcome(self, active: ActiveJob) -> Outcome:
        outcome = active.outcome or active.get_outcome_of_exit(host_of(self._owner.process))
        ends_by_engine = self._asked_to_end and active.job.launcher is not None
        if outcome.status is Status.STOPPED and ends_by_engine and not active.is_stop_asked:
            # A time limit, or a job that needs its place: nobody has stopped the run.
            said = self._log_and_continue(lambda: self._reconciler.describe_job(active.job.run_id)) or ""
            error = f"Its job was asked to end (SIGTERM). {said}".rstrip()
            return Outcome(status=Status.CRASHED, error=error)
        return outcome

    def _finish(self, active: ActiveJob, outcome: Outcome) -> Job | Run | None:
        """End a run with its last reports, or without those that the database can never store."""
        job = active.job
        # A job that its engine ends begins with nothing new: what follows is another job.
        owner = None if self._asked_to_end and job.launcher is not None else self._owner
        if active.is_full:
            self._retry_until_committed(lambda: self._record(active))
        if not active.refused:
            try:
                return self._retry_until_committed(
                    lambda: self._supervision.finish(job, outcome, owner, active.batch)
                )
            except Exception as error:
                if _may_pass(error):
                    raise
                self._retry_until_committed(lambda: self._record(active))
                if not (active.refused or isinstance(error, DataRefusedError)):
                    raise
                active.refused = active.refused or [f"How it ended cannot be stored. {error}"]
        else:
            self._retry_until_committed(lambda: self._record(active))
        failed = active.fail(outcome)
        try:
            return self._retry_until_committed(lambda: self._supervision.finish(job, failed, owner))
        except DataRefusedError:  # not even its error can be stored as it is
            words = (failed.error or "").encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
            failed = Outcome(status=failed.status, error=words)
            return self._retry_until_committed(lambda: self._supervision.finish(job, failed, owner))

    def _deploy(self, active: ActiveJob, outcome: Outcome) -> Outcome:
        """Deploy an agent: the run has succeeded only when the endpoint answers (spec 8.2)."""
        job, frozen = active.job, outcome.frozen
        if job.kind != "deployment" or frozen is None:
            return outcome
        try:
            deployed = self._retry_until_committed(lambda: self._supervision.deploy(job, frozen))
        except DataRefusedError as error:
            return Outcome(status=Status.FAILED, error=str(error))
        was_served = self._retry_until_committed(lambda: self._endpoints.serves(deployed.agent_id))
        if was_served and deployed.former is not None:
            self._log_to_run(
                active,
                f"Version {deployed.former} is served until version {deployed.version} is loaded: both are "
                "in memory meanwhile. Disconnect the agent before a deployment where that is too much.",
            )
        ended = self._await_endpoint(active, deployed)
        if ended.status is not Status.SUCCEEDED:
            self._retry_until_committed(lambda: self._supervision.restore_former_version(deployed))
            if was_served and deployed.former is not None:
                self._revive(deployed.agent_id)
        return ended

    def _revive(self, agent_id: int) -> None:
        """Serve the former version again if the new one has ended the process that served it."""
        try:
            self._endpoints.revive(agent_id)
        except PipelineError as error:
            _log.warning("%s", error)

    def _await_endpoint(self, active: ActiveJob, deployed: DeployedVersion) -> Outcome:
        """Wait until an endpoint answers with a version, and keep beating meanwhile.

        While the database refuses, try again; the endpoint gets the same time in addition.
        """
        beaten_at = said_at = began = now = time.monotonic()
        until, pause = now + deployed.load_within, RETRY_FIRST
        while not self._asked_to_end:
            try:
                outcome = self._check_endpoint(active, deployed, until)
                if outcome is not None:
                    return outcome
                pause = RETRY_FIRST
                time.sleep(CONNECT_POLL)
            except FencedError:
                raise
            except PipelineError as error:
                if not _may_pass(error) or (isinstance(error, ConflictError) and now > until):
                    return Outcome(status=Status.FAILED, error=str(error))
                self._wait_for_database(error, pause)
                pause = min(2 * pause, RETRY_LAST)
                until += 0 if isinstance(error, ConflictError) else time.monotonic() - now
            now = time.monotonic()
            if now - beaten_at >= self._timing.beat_every:
                beaten_at = now
                self._log_and_continue(lambda: self._supervision.beat(active.job))
            if now - said_at >= LOADING_EVERY:
                said_at = now
                loading = f"Version {deployed.version} loads for {now - began:.0f} s of up to"
                self._log_to_run(active, f"{loading} {deployed.load_within:g} s.")
        return Outcome(status=Status.STOPPED)

    @staticmethod
    def _log_to_run(active: ActiveJob, text: str) -> None:
        """Write a line to the log of a run whose worker has ended; without it nothing is lost."""
        path = Path(active.job.folder) / LOG
        with suppress(OSError), filesystem.open_private(path, "a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def _check_endpoint(self, active: ActiveJob, deployed: DeployedVersion, until: float) -> Outcome | None:
        """Ask an endpoint once for a version; None as long as it may still come."""
        if not active.is_connected:
            self._endpoints.connect(deployed.agent_id)
            active.is_connected = True
        if self._endpoints.answers(deployed.agent_id, deployed.version):
            return Outcome(status=Status.SUCCEEDED)
        if self._supervision.status(active.job) is Status.STOPPING:
            return Outcome(status=Status.STOPPED)
        if time.monotonic() <= until:
            return None
        what = f"The endpoint did not answer within {deployed.load_within:g} s."
        fix = "Let its algorithm declare more: @pw.algorithm(..., load_within=300)."
        log = f"Its log is {self._endpoints.log(deployed.agent_id)}."
        return Outcome(status=Status.FAILED, error=f"{what} {fix} {log}")

    def _record(self, active: ActiveJob) -> bool:
        """Write the reports, and return True. One that can never be stored is left out, and fails the run."""
        waiting = active.batch.split_by_points(POINTS_AT_ONCE)
        while waiting:
            try:
                self._supervision.record(active.job, waiting[0])
                waiting.pop(0)
            except Exception as error:
                if _may_pass(error):
                    raise
                halves = waiting[0].split()
                if not halves:
                    active.refused.append(
                        f"It reported what cannot be stored: {waiting[0]}. {format_error(error)}"
                    )
                waiting[:1] = halves
            active.batch = Batch.join(waiting)
        return True

    def _log_and_continue(self, action: Callable[[], _T]) -> _T | None:
        """Do something that can wait; a database that refuses must not end the training."""
        try:
            return action()
        except (StorageError, ConflictError) as error:
            _log.warning("%s", error)
            return None

    def _retry_until_committed(self, action: Callable[[], _T], *, within: float = float("inf")) -> _T:
        """Retry a write until the database commits it.

        A full disk or a held lock passes. A conflict that comes again and again is a bug of ours, and is
        raised, as is a value that no database can store.

        Args:
            action: The write.
            within: Seconds for which the database may refuse.
        """
        pause, conflicts, until = RETRY_FIRST, 0, time.monotonic() + within
        while True:
            try:
                return action()
            except (StorageError, ConflictError) as error:
                conflicts += isinstance(error, ConflictError)
                if not _may_pass(error) or conflicts == MAX_CONFLICTS or time.monotonic() > until:
                    raise
                self._wait_for_database(error, pause)
            pause = min(2 * pause, RETRY_LAST)

    def _wait_for_database(self, error: PipelineError, pause: float) -> None:
        """Wait before the next try, unless the database will never come back."""
        _log.warning("%s", error)
        _sleep(pause)
        if not self._check_workspace():
            raise _WorkspaceDeletedError("The supervisor ends.", "Its workspace was deleted.") from error

    def _end(self, ending: Worker, *, at_once: bool) -> None:
        """Wait for the end of a worker, or end it, with everything that it has started."""
        if not at_once:
            _await_exit(ending)
        if ending.exit_code() is None:
            processes.kill(ownership.family(ending.pid))
            _await_exit(ending)
        self._spawner.end_leftovers()

    def _ask_to_end(self, *_: object) -> None:
        """Handle SIGTERM, SIGINT and SIGHUP: stop the training, so that it can save."""
        self._asked_to_end = True
        self._owner = replace(self._owner, is_ending=True)


def import_rest() -> None:
    """Import what is needed once a run is Running, rather than within the transactions that use it."""
    for name in AFTER_RUNNING:
        importlib.import_module(name)


def _sleep(seconds: float) -> None:
    """Sleep, but wake as often as at work: a process that never wakes counts as one that hangs."""
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        time.sleep(min(rest, TICK))


def _await_exit(ending: Worker) -> None:
    """Wait for the end of a worker, and wake meanwhile, as `_sleep` does."""
    until = time.monotonic() + EXIT_GRACE
    while ending.exit_code() is None and (rest := until - time.monotonic()) > 0:
        ending.wait(min(rest, TICK))


def _may_pass(error: Exception) -> bool:
    """Return whether the same write may succeed later, or whether the run is somebody else's by now."""
    if isinstance(error, DataRefusedError):
        return False
    return isinstance(error, (StorageError, ConflictError, FencedError, _WorkspaceDeletedError))
