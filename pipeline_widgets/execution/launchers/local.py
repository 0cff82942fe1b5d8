"""Start processes on this machine."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import IO, ClassVar

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.liveness import Process, ProcessState
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import interpreter, ownership, processes
from pipeline_widgets.execution.detached_process import DetachedProcess
from pipeline_widgets.execution.launch_client import ForkedProcess, fork_process, start_server
from pipeline_widgets.execution.launch_place import find_place
from pipeline_widgets.execution.launchers.protocol import LaunchedJob, LauncherDescription, LaunchRequest
from pipeline_widgets.execution.preloading import declared_modules
from pipeline_widgets.execution.streams import FULL
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.logs import render_log

REMEMBERED = 100  # ended processes whose exit code is remembered
STOP_GRACE = 20.0  # seconds that a job has to save in after SIGTERM
STOP_POLL = 0.05


class LocalLauncher:
    """Starts processes on this machine, in sessions of their own.

    Such a process outlives the kernel, whether that is restarted, shut down, interrupted or killed, and the
    JupyterLab server. It ends with its container or machine.

    Args:
        name: As it is written: "local".
    """

    #: Processes of all workspaces, by number. They are reaped when the next one starts, and outlive this one.
    _started: ClassVar[dict[int, DetachedProcess | ForkedProcess]] = {}
    #: Where they print to. A row names no file: who may write rows would choose what is read.
    _logs: ClassVar[dict[int, Path]] = {}

    def __init__(self, name: str = "local") -> None:
        self._name = name

    def submit(self, request: LaunchRequest) -> LaunchedJob:
        """Start `python -m pipeline_widgets`, detached. Resources do not count here.

        The launch server of the workspace forks it. Where there is none, one is started beside.
        """
        self._reap()
        command = interpreter.command(request.arguments)
        environment = interpreter.environment(**request.environment)
        log = request.server_log
        place = None if log is None else find_place(environment, log)
        libraries, places = request.libraries, [place]
        if log is not None and place is not None and libraries is not None:
            places.insert(0, find_place(environment, log, libraries.key))
        try:
            with _open_log(request.log) as output:
                asked = (
                    fork_process(each, request.arguments, environment, output) for each in places if each
                )
                forked = next(filter(None, asked), None)
                started = forked or DetachedProcess(command, environment, output)
        except OSError as error:
            fix = "Check the artifact folder, the memory and the number of processes, then try again."
            raise ExecutionError("No process could be started.", f"{error}.", fix) from error
        self._started[started.pid], self._logs[started.pid] = started, request.log
        process = processes.identify(started.pid)
        if place is not None and forked is None:
            self.keep(start_server(place, environment, beside=started.pid))
        if libraries is not None and libraries.declared and places[0] is not None:  # unless it is there
            modules = declared_modules(libraries)
            self.keep(start_server(places[0], environment, beside=started.pid, libraries=modules))
        return LaunchedJob(id=name_job(process), process=process)

    @classmethod
    def keep(cls, started: DetachedProcess | None) -> None:
        """Remember a process that was started beside, so that it is reaped when it has ended."""
        if started is not None:
            cls._started[started.pid] = started

    def status(self, job_id: str) -> JobObservation:
        """Return what the operating system says of a process; its exit code where it was started here."""
        process = _find_process(job_id)
        if process is None or not processes.is_here(process):
            return JobObservation(state=JobState.UNKNOWN)
        hosts = (platform.node(),)
        if processes.probe(process) is not ProcessState.GONE:
            return JobObservation(state=JobState.AT_WORK, hosts=hosts)
        started = self._started.get(process.pid)
        code = None if started is None else started.poll()
        reason = "" if code is None or code >= 0 else processes.signal_name(-code)
        return JobObservation(state=JobState.ENDED, reason=reason, exit_code=code, hosts=hosts)

    def stop(self, job_id: str) -> None:
        """Send SIGTERM to a process that was launched, and end what is left of it after 20 s."""
        process = _find_process(job_id)
        if process is None or not processes.is_there(process):
            return
        launch = ownership.launch_of(process.pid)
        if launch is None:  # no process that a row only names is ever ended
            return
        processes.ask_to_stop(process.pid)
        until = time.monotonic() + STOP_GRACE
        while processes.probe(process) is ProcessState.AT_WORK and time.monotonic() < until:
            time.sleep(STOP_POLL)
        processes.kill_all(lambda: ownership.belonging_to(launch))

    def logs(self, job_id: str, lines: int = 100) -> str:
        """Return the last lines that a process has printed that this process has started, or that lives."""
        process = _find_process(job_id)
        if process is None or not processes.is_here(process):
            return ""
        log = self._logs.get(process.pid)
        if log is None and processes.is_there(process) and ownership.launch_of(process.pid) is not None:
            log = Path(f"/proc/{process.pid}/fd/1")
        return "" if log is None else render_log(log, lines)

    def describe(self) -> LauncherDescription:
        """Return this machine, and the Python of its jobs, which is that of this process."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        engine = f"{platform.system()} on {platform.node()}"
        return LauncherDescription(name=self._name, engine=engine, python=python)

    def _reap(self) -> None:
        """Reap zombies, and remember the exit codes of the latest."""
        ended = [pid for pid, process in self._started.items() if process.poll() is not None]
        for pid in ended[:-REMEMBERED]:
            del self._started[pid]
            self._logs.pop(pid, None)


def name_job(process: Process) -> str:
    """Return the id of the job that a process is."""
    return f"{process.machine}|{process.pid}|{process.started!r}"


def _find_process(job_id: str) -> Process | None:
    """Return the process that is a job; None where the id is not one of ours."""
    try:
        machine, pid, started = job_id.rsplit("|", 2)
        return Process(machine=machine, pid=int(pid), started=float(started))
    except ValueError:
        return None


@contextmanager
def _open_log(path: Path) -> Generator[IO[bytes] | int]:
    """Open a log for a process. On a full disk it has none: a log must not keep a process from starting."""
    try:
        filesystem.make_private_folder(path.parent)
        output = filesystem.open_private(path, "ab")  # users' code prints what it likes
    except OSError as error:
        if error.errno not in FULL:
            raise
        yield DEVNULL
        return
    with output:
        yield output
