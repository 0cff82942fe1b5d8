"""A job while it is executed: its worker, and the reports that are not written yet."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.job import Job, LoadedCode, Outcome
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.messages import read_message
from pipeline_widgets.execution.preloading import ImportedModules
from pipeline_widgets.execution.process_spawner import Worker
from pipeline_widgets.persistence.artifact_folders import WriteProgress, read_write_progress
from pipeline_widgets.persistence.artifact_paths import CHECKPOINTS
from pipeline_widgets.persistence.logs import find_fatal_stack

MESSAGES_AT_ONCE = 2000  # so that a training that reports without pause cannot delay a beat
POINTS_AT_ONCE = 20_000  # values of metrics that are read, and written, before anything else is looked at
#: Exit codes of a worker that a signal has ended after a stop was requested.
STOPPED_CODES = frozenset({-signal.SIGTERM, -signal.SIGINT})
#: Exit codes of a worker that compiled code has crashed; its Python stack is in the log.
FATAL = frozenset(-getattr(signal, f"SIG{each}", 0) for each in ("SEGV", "ABRT", "BUS", "FPE", "ILL"))


@dataclass(slots=True)
class ActiveJob:
    """A job while a worker executes it."""

    job: Job
    worker: Worker
    batch: Batch = field(default_factory=Batch)
    outcome: Outcome | None = None
    #: When it was asked to stop, and since when nothing has been written of a checkpoint after that.
    stopping_since: float | None = None
    idle_since: float = 0.0
    written: WriteProgress | None = None
    is_line_open: bool = True
    #: What it has imported, until that is passed on to the worker of the next stage.
    imported: ImportedModules | None = None
    #: Whether a user has stopped it.
    is_stop_asked: bool = False
    #: Whether the endpoint of its agent was asked to serve the new version.
    is_connected: bool = False
    #: The reports that the database can never store, and why.
    refused: list[str] = field(default_factory=list[str])

    @property
    def is_full(self) -> bool:
        """Whether as many values of metrics wait as one write takes."""
        return self.batch.points >= POINTS_AT_ONCE

    def send(self, message: object) -> None:
        """Send a message to the worker. One that has ended receives nothing, but can still be read."""
        with suppress(OSError):
            self.worker.line.send(message)

    def receive(self) -> None:
        """Read the messages of the worker that have arrived."""
        line, most = self.worker.line, self.batch.points + POINTS_AT_ONCE
        try:
            for _ in range(MESSAGES_AT_ONCE):
                if self.batch.points >= most or not (self.is_line_open and line.poll()):
                    return
                message = read_message(line)
                if isinstance(message, Outcome):
                    self.outcome = message
                elif isinstance(message, ImportedModules):
                    self.imported = message
                elif not (isinstance(message, LoadedCode) and self._expects(message.record)):
                    self.batch.add(message)
        except (EOFError, OSError):
            self.is_line_open = False
        except ExecutionError as error:
            self.is_line_open, self.outcome = False, Outcome(status=Status.FAILED, error=str(error))

    def _expects(self, code: CodeRecord) -> bool:
        """Return whether the code that was loaded is the one that the run's row names already."""
        return self.job.code.record is not None and code.record_digest == self.job.code.record

    def is_overdue(self, now: float) -> bool:
        """Return whether it has had its time to stop, which begins again as long as a checkpoint grows.

        Args:
            now: Seconds of the monotonic clock.
        """
        written = read_write_progress(Path(self.job.folder) / CHECKPOINTS)
        if written != self.written:
            self.idle_since = now if written is not None or self.written is not None else self.idle_since
            self.written = written
        return now - self.idle_since > self.job.stop_within

    def get_outcome_of_exit(self, host: str) -> Outcome:
        """Return the outcome of a worker that has ended without having sent one.

        Args:
            host: The name of the machine on which it has run.
        """
        code, is_stopping = self.worker.exit_code(), self.stopping_since is not None
        if is_stopping and (code is None or code == -signal.SIGKILL):
            return Outcome(status=Status.STOPPED, error="It did not stop by itself in time and was ended.")
        if is_stopping and ((code is not None and code >= 0) or code in STOPPED_CODES):
            return Outcome(status=Status.STOPPED)
        where = f"(Process {self.worker.pid} on {host}.)"
        stack = find_fatal_stack(Path(self.job.folder) / "log.txt") if code in FATAL else ""
        error = f"{self.worker.describe_end()} {where}\n{stack}".rstrip()
        return Outcome(status=Status.CRASHED, error=error)

    def fail(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a run whose reports cannot be stored."""
        status = Status.CRASHED if outcome.status is Status.CRASHED else Status.FAILED
        error = "\n".join([*self.refused, *filter(None, [outcome.error])])
        return Outcome(status=status, error=error)
