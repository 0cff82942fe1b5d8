"""One process for each chain: it carries out a run, and then the Auto stages that follow it.

It starts a child for each run, keeps the run alive in the database, records what the child tells, and
ends the run and takes the next Auto stage in one transaction. It has one thread and never runs user code,
so its heartbeat does not depend on what the training does.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

from pipeline_widgets.domain.job import Job, MetricReport, Outcome
from pipeline_widgets.domain.liveness import Timing, host_of
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import (
    ConflictError,
    DataRefusedError,
    ExecutionError,
    FencedError,
    PipelineError,
    StorageError,
    format_error,
)
from pipeline_widgets.execution import ownership, processes, worker
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.messages import read_message
from pipeline_widgets.execution.process_spawner import ProcessSpawner, Worker
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.persistence.logs import find_fatal_stack
from pipeline_widgets.services.supervision import Batch, DeployedVersion, Owner, SupervisionService

TICK = 0.25  # seconds between two looks at the run's status: how soon a stop is seen
FLUSH_EVERY = 0.5  # seconds between two writes of what the training tells
STOP_GRACE = 10.0  # seconds that a training has to stop by itself
CONNECT_TIMEOUT = 60.0  # seconds that an endpoint has to answer with a new version
CONNECT_POLL = 0.02
EXIT_GRACE = 5.0  # seconds that a process has to end after it has told its outcome
MESSAGES_AT_ONCE = 2000  # so that a training that reports without pause cannot delay a beat
CONFLICTS_BORNE = 5  # of one write, one after the other
RARE_COLLECTIONS = (50_000, 20, 100)  # of the garbage collector
RETRY_FIRST, RETRY_LAST = 0.1, 5.0  # seconds between two tries to write while the database refuses
TAKE_PATIENCE = 60.0  # seconds that the database may refuse before a supervisor that has no run yet ends
GONE_AFTER = 3  # checks that do not find the database's file
#: Exit codes of a process that a signal has ended as it ought to, when a stop was asked for.
HEEDED = frozenset({-signal.SIGTERM, -signal.SIGINT})
#: Exit codes of a process that compiled code has brought down; its Python stack is in the log.
FATAL = frozenset(-getattr(signal, f"SIG{each}", 0) for each in ("SEGV", "ABRT", "BUS", "FPE", "ILL"))

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(slots=True)
class _Attempt:
    """A job being carried out: its process, the line to it, and what is not written yet."""

    job: Job
    worker: Worker
    batch: Batch = field(default_factory=Batch)
    outcome: Outcome | None = None
    stopping_since: float | None = None
    line_open: bool = True
    #: Whether its agent was asked to be served.
    connected: bool = False
    #: What the database can never take of what it told, and why.
    refused: list[str] = field(default_factory=list[str])


class _WorkspaceDeletedError(ExecutionError):
    """The workspace of a supervisor was deleted: nothing that it would write counts."""


class Supervisor:
    """Carries out a run and the Auto stages that follow it.

    Args:
        supervision: What it may do to runs.
        reconciler: Looks after the runs of others, with each beat.
        endpoints: Connects the agents of Deployments.
        timing: How often to beat.
        spawner: Where children come from.
    """

    def __init__(
        self,
        supervision: SupervisionService,
        reconciler: Reconciler,
        endpoints: Endpoints,
        timing: Timing,
        spawner: ProcessSpawner,
    ) -> None:
        self._supervision = supervision
        self._reconciler = reconciler
        self._endpoints = endpoints
        self._timing = timing
        self._spawner = spawner
        launch = os.environ.get(ownership.LAUNCH) or ownership.new_launch()
        self._owner = Owner(process=processes.identify(os.getpid()), token=ownership.token_of(launch))
        self._asked_to_end = False
        self._missing = 0
        self._ordered: Callable[[], Worker] | None = None

    def run(self, run_id: int) -> None:
        """Carry out a run and what follows it; do nothing if somebody else has taken it.

        Raises:
            StorageError: The database could not be used for so long that the run was not even taken.
        """
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup does
                signal.signal(number, self._ask_to_end)
        gc.freeze()  # imported modules stay: there is no use in searching them again and again
        gc.set_threshold(*RARE_COLLECTIONS)
        gc.enable()  # the imports were made without it
        self._ordered = self._spawner.spawn()
        try:
            job = self._retry_until_committed(
                lambda: self._supervision.take(run_id, self._owner), within=TAKE_PATIENCE
            )
            while job is not None:
                job = self._carry_out(job)
        except (FencedError, _WorkspaceDeletedError) as error:
            _log.warning("%s", error)
        finally:
            if self._ordered is not None:
                self._end(self._ordered(), at_once=True)

    def _carry_out(self, job: Job) -> Job | None:
        attempt = _Attempt(job=job, worker=(self._ordered or self._spawner.spawn())())
        self._ordered = None
        try:
            _send(attempt, job)  # it makes ready meanwhile, and trains when it is told to
            running = processes.identify(attempt.worker.pid)
            self._retry_until_committed(lambda: self._supervision.started(job, running))
            _send(attempt, worker.GO)
            self._watch(attempt)
            outcome = self._outcome(attempt)
            if job.kind == "training":
                self._order_next(job, outcome)
            # Before it is written, so that nothing of a run goes on once it has ended, be it for a moment.
            self._end(attempt.worker, at_once=attempt.outcome is None)
            outcome = self._connected(attempt, outcome)
            self._order_next(job, outcome)
            return self._finish(attempt, outcome)
        except (FencedError, _WorkspaceDeletedError):
            self._end(attempt.worker, at_once=True)
            raise
        except Exception:  # a fault of ours must not leave a run that looks alive
            self._end(attempt.worker, at_once=True)
            text = f"Its supervisor failed.\n{traceback.format_exc()}"
            crashed = Outcome(status=Status.CRASHED, error=text)
            try:  # with what was told and not written yet, unless just that is the fault
                self._supervision.finish(job, crashed, self._owner, attempt.batch)
            except FencedError:
                raise
            except Exception:  # noqa: BLE001
                self._retry_until_committed(lambda: self._supervision.finish(job, crashed, self._owner))
            raise
        finally:
            attempt.worker.line.close()

    def _order_next(self, job: Job, outcome: Outcome) -> None:
        """Have the child of the next stage come up while this one ends and the database writes."""
        if self._ordered is None and job.starts_next_stage and outcome.status is Status.SUCCEEDED:
            self._ordered = self._spawner.spawn()

    def _watch(self, attempt: _Attempt) -> None:
        """Stay with a child until it has told its outcome or has ended."""
        now = time.monotonic()
        beaten, flushed, looked = now, now, now
        while attempt.outcome is None and attempt.worker.exit_code() is None:
            line = [attempt.worker.line] if attempt.line_open else []
            wait([*line, *self._spawner.wait_handles(attempt.worker)], TICK)
            _receive(attempt)
            now = time.monotonic()
            if now - looked >= TICK:
                looked = now
                self._look(attempt)
            if attempt.batch and now - flushed >= FLUSH_EVERY:
                flushed = now
                self._log_and_continue(lambda: self._record(attempt))
            if now - beaten >= self._timing.beat_every:
                beaten = now
                self._log_and_continue(lambda: self._supervision.beat(attempt.job))
                self._look_after_others()
        while attempt.line_open and attempt.worker.line.poll():  # what was told before the end
            _receive(attempt)

    def _look(self, attempt: _Attempt) -> None:
        """Pass a stop on, and end a training that does not heed it."""
        status = self._log_and_continue(lambda: self._supervision.status(attempt.job))
        goes_on = status is not Status.STOPPING and not (self._asked_to_end or attempt.refused)
        now = time.monotonic()
        if attempt.stopping_since is None and not (goes_on and self._workspace_exists()):
            attempt.stopping_since = now
            _send(attempt, worker.STOP)
            processes.ask_to_stop(attempt.worker.pid)
        elif attempt.stopping_since is not None and now - attempt.stopping_since > STOP_GRACE:
            processes.kill(ownership.family(attempt.worker.pid))

    def _look_after_others(self) -> None:
        """Find the dead; whatever goes wrong with that is not a reason to end a training of one's own."""
        try:
            self._reconciler.reconcile()
        except Exception:  # noqa: BLE001  they are looked at again with the next beat
            _log.exception("Other runs could not be looked after.")

    def _workspace_exists(self) -> bool:
        """Whether the database is there, or was a moment ago."""
        self._missing = 0 if self._supervision.workspace_exists else self._missing + 1
        return self._missing < GONE_AFTER

    def _outcome(self, attempt: _Attempt) -> Outcome:
        if attempt.outcome is not None:
            return attempt.outcome
        code = attempt.worker.exit_code()
        if attempt.stopping_since is not None and (code is None or code == -signal.SIGKILL):
            return Outcome(status=Status.STOPPED, error="It did not stop by itself in time and was ended.")
        if attempt.stopping_since is not None and ((code is not None and code >= 0) or code in HEEDED):
            return Outcome(status=Status.STOPPED)
        where = f"(Process {attempt.worker.pid} on {host_of(self._owner.process)}.)"
        stack = find_fatal_stack(Path(attempt.job.folder) / "log.txt") if code in FATAL else ""
        return Outcome(
            status=Status.CRASHED, error=f"{attempt.worker.describe_end()} {where}\n{stack}".rstrip()
        )

    def _finish(self, attempt: _Attempt, outcome: Outcome) -> Job | None:
        """End a run with what was told last, or without what of that the database can never take."""
        job, owner = attempt.job, self._owner
        if not attempt.refused:
            try:
                return self._retry_until_committed(
                    lambda: self._supervision.finish(job, outcome, owner, attempt.batch)
                )
            except Exception as error:
                if _may_pass(error):
                    raise
                self._retry_until_committed(lambda: self._record(attempt))
                if not (attempt.refused or isinstance(error, DataRefusedError)):
                    raise
                attempt.refused = attempt.refused or [f"How it ended cannot be stored. {error}"]
        else:
            self._retry_until_committed(lambda: self._record(attempt))
        failed = _refused(attempt, outcome)
        try:
            return self._retry_until_committed(lambda: self._supervision.finish(job, failed, owner))
        except DataRefusedError:  # its own words cannot be stored as they are
            words = (failed.error or "").encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
            failed = Outcome(status=failed.status, error=words)
            return self._retry_until_committed(lambda: self._supervision.finish(job, failed, owner))

    def _connected(self, attempt: _Attempt, outcome: Outcome) -> Outcome:
        """Connect the agent of a Deployment: that has succeeded only when its endpoint answers (spec 8.2)."""
        job, frozen = attempt.job, outcome.frozen
        if job.kind != "deployment" or frozen is None:
            return outcome
        try:
            placed = self._retry_until_committed(lambda: self._supervision.deploy(job, frozen))
        except DataRefusedError as error:
            return Outcome(status=Status.FAILED, error=str(error))
        served = self._retry_until_committed(lambda: self._endpoints.serves(placed.agent_id))
        ended = self._served(attempt, placed)
        if ended.status is not Status.SUCCEEDED:
            self._retry_until_committed(lambda: self._supervision.withdraw(placed))
            if served and placed.former is not None:
                self._revive(placed.agent_id)
        return ended

    def _revive(self, agent_id: int) -> None:
        """Serve the former version again where the new one has ended the process that served it."""
        try:
            self._endpoints.revive(agent_id)
        except PipelineError as error:
            _log.warning("%s", error)

    def _served(self, attempt: _Attempt, placed: DeployedVersion) -> Outcome:
        """Wait until an endpoint answers with a version, and go on beating meanwhile.

        What the database refuses is tried again. The endpoint has as much more time.
        """
        beaten = now = time.monotonic()
        until, pause = now + CONNECT_TIMEOUT, RETRY_FIRST
        while not self._asked_to_end:
            try:
                outcome = self._connects(attempt, placed, until)
                if outcome is not None:
                    return outcome
                pause = RETRY_FIRST
                time.sleep(CONNECT_POLL)
            except FencedError:
                raise
            except PipelineError as error:
                if not _may_pass(error) or (isinstance(error, ConflictError) and now > until):
                    return Outcome(status=Status.FAILED, error=str(error))
                self._bear(error, pause)
                pause = min(2 * pause, RETRY_LAST)
                until += 0 if isinstance(error, ConflictError) else time.monotonic() - now
            now = time.monotonic()
            if now - beaten >= self._timing.beat_every:
                beaten = now
                self._log_and_continue(lambda: self._supervision.beat(attempt.job))
        return Outcome(status=Status.STOPPED)

    def _connects(self, attempt: _Attempt, placed: DeployedVersion, until: float) -> Outcome | None:
        """Look once whether an endpoint answers with a version; None as long as it may come."""
        if not attempt.connected:
            self._endpoints.connect(placed.agent_id)
            attempt.connected = True
        if self._endpoints.answers(placed.agent_id, placed.version):
            return Outcome(status=Status.SUCCEEDED)
        if self._supervision.status(attempt.job) is Status.STOPPING:
            return Outcome(status=Status.STOPPED)
        if time.monotonic() <= until:
            return None
        what = f"The endpoint did not answer within {CONNECT_TIMEOUT:.0f} s."
        log = f"Its log is {self._endpoints.log(placed.agent_id)}."
        return Outcome(status=Status.FAILED, error=f"{what} {log}")

    def _record(self, attempt: _Attempt) -> None:
        """Write what was told. What the database can never take is left out, and ends the run."""
        waiting = [attempt.batch] if attempt.batch else []
        while waiting:
            try:
                self._supervision.record(attempt.job, waiting[0])
                waiting.pop(0)
            except Exception as error:
                if _may_pass(error):
                    raise
                halves = waiting[0].split()
                if not halves:
                    attempt.refused.append(
                        f"It told what cannot be stored: {waiting[0]}. {format_error(error)}"
                    )
                waiting[:1] = halves
            attempt.batch = Batch(
                reported=[each for batch in waiting for each in batch.reported],
                saved=[each for batch in waiting for each in batch.saved],
            )

    def _log_and_continue(self, action: Callable[[], _T]) -> _T | None:
        """Do what can be done later as well; a database that refuses must not end the training."""
        try:
            return action()
        except (StorageError, ConflictError) as error:
            _log.warning("%s", error)
            return None

    def _retry_until_committed(self, action: Callable[[], _T], *, within: float = float("inf")) -> _T:
        """Do what has to be done: try until the database takes it.

        A disk that is full or a lock that is held passes; a conflict that comes again and again is a
        fault of ours, and is raised, as is what no database would take.

        Args:
            action: What has to be done.
            within: For how many seconds a database is borne that refuses.
        """
        pause, conflicts, until = RETRY_FIRST, 0, time.monotonic() + within
        while True:
            try:
                return action()
            except (StorageError, ConflictError) as error:
                conflicts += isinstance(error, ConflictError)
                if not _may_pass(error) or conflicts == CONFLICTS_BORNE or time.monotonic() > until:
                    raise
                self._bear(error, pause)
            pause = min(2 * pause, RETRY_LAST)

    def _bear(self, error: PipelineError, pause: float) -> None:
        """Wait until a database that refuses may take it, unless it will never come back."""
        _log.warning("%s", error)
        _sleep(pause)
        if not self._workspace_exists():
            raise _WorkspaceDeletedError("The supervisor ends.", "Its workspace was deleted.") from error

    def _end(self, ended: Worker, *, at_once: bool) -> None:
        """Leave nothing behind of a child: it ends by itself, or is ended with all that it has started."""
        if not at_once:
            _await_exit(ended)
        if ended.exit_code() is None:
            processes.kill(ownership.family(ended.pid))
            _await_exit(ended)
        self._spawner.end_leftovers()

    def _ask_to_end(self, *_: object) -> None:
        """On SIGTERM, as when the machine ends, SIGINT or SIGHUP stop the training, so that it can save."""
        self._asked_to_end = True


def _sleep(seconds: float) -> None:
    """Sleep, but wake as often as at work: a process that never wakes is taken for one that hangs."""
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        time.sleep(min(rest, TICK))


def _await_exit(ended: Worker) -> None:
    """Wait for the end of a worker, and wake meanwhile, as when sleeping."""
    until = time.monotonic() + EXIT_GRACE
    while ended.exit_code() is None and (rest := until - time.monotonic()) > 0:
        ended.wait(min(rest, TICK))


def _receive(attempt: _Attempt) -> None:
    line = attempt.worker.line
    try:
        for _ in range(MESSAGES_AT_ONCE):
            if not (attempt.line_open and line.poll()):
                return
            message = read_message(line)
            if isinstance(message, Outcome):
                attempt.outcome = message
            elif isinstance(message, MetricReport):
                attempt.batch.reported.append(message)
            else:
                attempt.batch.saved.append(message)
    except (EOFError, OSError):
        attempt.line_open = False
    except ExecutionError as error:
        attempt.line_open, attempt.outcome = False, Outcome(status=Status.FAILED, error=str(error))


def _send(attempt: _Attempt, message: object) -> None:
    """Say something to a child. One that has ended hears nothing, but what it told can still be read."""
    with suppress(OSError):
        attempt.worker.line.send(message)


def _may_pass(error: Exception) -> bool:
    """Whether the same may be taken later, or is somebody else's by now."""
    if isinstance(error, DataRefusedError):
        return False
    return isinstance(error, (StorageError, ConflictError, FencedError, _WorkspaceDeletedError))


def _refused(attempt: _Attempt, outcome: Outcome) -> Outcome:
    """Return how a run ends that has told what cannot be stored."""
    status = Status.CRASHED if outcome.status is Status.CRASHED else Status.FAILED
    return Outcome(status=status, error="\n".join([*attempt.refused, *filter(None, [outcome.error])]))
