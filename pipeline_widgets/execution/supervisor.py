"""One process for each chain: it carries out a run, and then the Auto stages that follow it.

It starts a child for each run, keeps the run alive in the database, records what the child tells, and
ends the run and takes the next Auto stage in one transaction. It has one thread and never runs user code,
so its heartbeat does not depend on what the training does.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from pipeline_widgets.domain.job import Job, Outcome, Reported
from pipeline_widgets.domain.liveness import Timing, host
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConflictError, FencedError, PipelineError, StorageError
from pipeline_widgets.execution import child, processes
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.fork_server import Child, Nursery
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.persistence.logs import fatal_stack
from pipeline_widgets.services.supervision import Batch, Owner, Placed, SupervisionService

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
#: Exit codes of a process that a signal has ended as it ought to, when a stop was asked for.
HEEDED = frozenset({-signal.SIGTERM, -signal.SIGINT})
#: Exit codes of a process that compiled code has brought down; its Python stack is in the log.
FATAL = frozenset(-getattr(signal, f"SIG{each}", 0) for each in ("SEGV", "ABRT", "BUS", "FPE", "ILL"))

_T = TypeVar("_T")


@dataclass(slots=True)
class Attempt:
    """A job being carried out: its process, the line to it, and what is not written yet."""

    job: Job
    child: Child
    batch: Batch = field(default_factory=Batch)
    outcome: Outcome | None = None
    stopping_since: float | None = None
    line_open: bool = True


class Supervisor:
    """Carries out a run and the Auto stages that follow it.

    Args:
        supervision: What it may do to runs.
        reconciler: Looks after the runs of others, with each beat.
        endpoints: Connects the agents of Deployments.
        timing: How often to beat.
        nursery: Where children come from.
    """

    def __init__(
        self,
        supervision: SupervisionService,
        reconciler: Reconciler,
        endpoints: Endpoints,
        timing: Timing,
        nursery: Nursery,
    ) -> None:
        self._supervision = supervision
        self._reconciler = reconciler
        self._endpoints = endpoints
        self._timing = timing
        self._nursery = nursery
        self._owner = Owner(process=processes.identify(os.getpid()), token=uuid4().hex)
        self._asked_to_end = False
        self._ordered: Callable[[], Child] | None = None

    def run(self, run_id: int) -> None:
        """Carry out a run and what follows it; do nothing if somebody else has taken it."""
        signal.signal(signal.SIGTERM, self._ask_to_end)
        gc.freeze()  # what was imported stays; looking through it again and again is time lost
        gc.set_threshold(*RARE_COLLECTIONS)
        self._ordered = self._nursery.order()
        job = self._supervision.take(run_id, self._owner)
        try:
            while job is not None:
                job = self._carry_out(job)
        except FencedError as error:
            _say(error)
        finally:
            if self._ordered is not None:
                _end(self._ordered(), at_once=True)

    def _carry_out(self, job: Job) -> Job | None:
        attempt = Attempt(job=job, child=(self._ordered or self._nursery.order())())
        self._ordered = None
        try:
            _send(attempt, job)  # it makes ready meanwhile, and trains when it is told to
            running = processes.identify(attempt.child.pid)
            self._insist(lambda: self._supervision.started(job, running))
            _send(attempt, child.GO)
            self._watch(attempt)
            outcome, last = self._connected(attempt, self._outcome(attempt)), attempt.batch
            if job.followed and outcome.status is Status.SUCCEEDED:
                self._ordered = self._nursery.order()  # it comes up while the database writes
            return self._insist(lambda: self._supervision.finish(job, outcome, self._owner, last))
        except FencedError:
            raise
        except Exception:  # a fault of ours must not leave a run that looks alive
            text = f"Its supervisor failed.\n{traceback.format_exc()}"
            crashed = Outcome(status=Status.CRASHED, error=text)
            try:  # with what was told and not written yet, unless just that is the fault
                self._supervision.finish(job, crashed, self._owner, attempt.batch)
            except FencedError:
                raise
            except Exception:  # noqa: BLE001
                self._insist(lambda: self._supervision.finish(job, crashed, self._owner))
            raise
        finally:
            _end(attempt.child, at_once=attempt.outcome is None)

    def _watch(self, attempt: Attempt) -> None:
        """Stay with a child until it has told its outcome or has ended."""
        now = time.monotonic()
        beaten, flushed, looked = now, now, now
        while attempt.outcome is None and attempt.child.exit_code() is None:
            line = [attempt.child.line] if attempt.line_open else []
            wait([*line, *self._nursery.signs(attempt.child)], TICK)
            _receive(attempt)
            now = time.monotonic()
            if now - looked >= TICK:
                looked = now
                self._look(attempt)
            if attempt.batch and now - flushed >= FLUSH_EVERY:
                flushed = now
                self._try(lambda: self._write(attempt))
            if now - beaten >= self._timing.beat_every:
                beaten = now
                self._try(lambda: self._supervision.beat(attempt.job))
                self._try(self._reconciler.reconcile)
        while attempt.line_open and attempt.child.line.poll():  # what was told before the end
            _receive(attempt)

    def _look(self, attempt: Attempt) -> None:
        """Pass a stop on, and end a training that does not heed it."""
        status = self._try(lambda: self._supervision.status(attempt.job))
        now = time.monotonic()
        if attempt.stopping_since is None and (status is Status.STOPPING or self._asked_to_end):
            attempt.stopping_since = now
            _send(attempt, child.STOP)
            processes.ask_to_stop(attempt.child.pid)
        elif attempt.stopping_since is not None and now - attempt.stopping_since > STOP_GRACE:
            processes.kill(processes.family(attempt.child.pid))

    def _outcome(self, attempt: Attempt) -> Outcome:
        if attempt.outcome is not None:
            return attempt.outcome
        code = attempt.child.exit_code()
        if attempt.stopping_since is not None and (code is None or code == -signal.SIGKILL):
            return Outcome(status=Status.STOPPED, error="It did not stop by itself in time and was ended.")
        if attempt.stopping_since is not None and ((code is not None and code >= 0) or code in HEEDED):
            return Outcome(status=Status.STOPPED)
        evidence = processes.describe_exit(code)
        where = f"(Process {attempt.child.pid} on {host(self._owner.process)}.)"
        stack = fatal_stack(Path(attempt.job.folder) / "log.txt") if code in FATAL else ""
        return Outcome(status=Status.CRASHED, error=f"{evidence} {where}\n{stack}".rstrip())

    def _connected(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Connect the agent of a Deployment: that has succeeded only when its endpoint answers (spec 8.2)."""
        job, frozen = attempt.job, outcome.frozen
        if job.kind != "deployment" or frozen is None:
            return outcome
        placed = self._insist(lambda: self._supervision.deploy(job, frozen))
        served = self._insist(lambda: self._endpoints.serves(placed.agent_id))
        ended = self._served(attempt, placed)
        if ended.status is not Status.SUCCEEDED:
            self._insist(lambda: self._supervision.withdraw(placed))
            if served and placed.former is not None:
                self._revive(placed.agent_id)
        return ended

    def _revive(self, agent_id: int) -> None:
        """Serve the former version again where the new one has ended the process that served it."""
        try:
            self._endpoints.revive(agent_id)
        except PipelineError as error:
            _say(error)

    def _served(self, attempt: Attempt, placed: Placed) -> Outcome:
        """Wait until an endpoint answers with a version, and go on beating meanwhile."""
        beaten = until = time.monotonic()
        until += CONNECT_TIMEOUT
        try:
            self._endpoints.connect(placed.agent_id)
            while not self._endpoints.answers(placed.agent_id, placed.version):
                now = time.monotonic()
                if now > until:
                    what = f"The endpoint did not answer within {CONNECT_TIMEOUT:.0f} s."
                    log = f"Its log is {self._endpoints.log(placed.agent_id)}."
                    return Outcome(status=Status.FAILED, error=f"{what} {log}")
                if self._supervision.status(attempt.job) is Status.STOPPING or self._asked_to_end:
                    return Outcome(status=Status.STOPPED)
                if now - beaten >= self._timing.beat_every:
                    beaten = now
                    self._try(lambda: self._supervision.beat(attempt.job))
                time.sleep(CONNECT_POLL)
        except FencedError:
            raise
        except PipelineError as error:
            return Outcome(status=Status.FAILED, error=str(error))
        return Outcome(status=Status.SUCCEEDED)

    def _write(self, attempt: Attempt) -> None:
        if attempt.batch:
            self._supervision.record(attempt.job, attempt.batch)
            attempt.batch = Batch()

    def _try(self, action: Callable[[], _T]) -> _T | None:
        """Do what can be done later as well; a database that refuses must not end the training."""
        try:
            return action()
        except (StorageError, ConflictError) as error:
            _say(error)
            return None

    def _insist(self, action: Callable[[], _T]) -> _T:
        """Do what has to be done: try until the database takes it.

        A disk that is full or a lock that is held passes; a conflict that comes again and again is a
        fault of ours, and is raised.
        """
        pause, conflicts = RETRY_FIRST, 0
        while True:
            try:
                return action()
            except StorageError as error:
                _say(error)
            except ConflictError as error:
                _say(error)
                conflicts += 1
                if conflicts == CONFLICTS_BORNE:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, RETRY_LAST)

    def _ask_to_end(self, *_: object) -> None:
        """On SIGTERM (the machine or container ends) stop the training, so that it can save."""
        self._asked_to_end = True


def _receive(attempt: Attempt) -> None:
    try:
        for _ in range(MESSAGES_AT_ONCE):
            if not (attempt.line_open and attempt.child.line.poll()):
                return
            message = attempt.child.line.recv()
            if isinstance(message, Outcome):
                attempt.outcome = message
            elif isinstance(message, Reported):
                attempt.batch.reported.append(message)
            else:
                attempt.batch.saved.append(message)
    except (EOFError, OSError):
        attempt.line_open = False


def _end(ended: Child, *, at_once: bool) -> None:
    """Leave nothing behind of a child: it ends by itself, or is ended with all that it has started."""
    if not at_once:
        ended.wait(EXIT_GRACE)
    if ended.exit_code() is None or at_once:
        processes.kill(processes.family(ended.pid))
        ended.wait(EXIT_GRACE)
    processes.end_group(ended.pid)
    ended.line.close()


def _send(attempt: Attempt, message: object) -> None:
    """Say something to a child. One that has ended hears nothing, but what it told can still be read."""
    with suppress(OSError):
        attempt.child.line.send(message)


def _say(error: Exception) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {type(error).__name__}: {error}\n")
    sys.stderr.flush()
