"""Start processes on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import IO, ClassVar

from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.ownership import LAUNCH, URL, new_launch
from pipeline_widgets.execution.streams import FULL
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.trust import FOLDER_VARIABLE, user_data_folder

REMEMBERED = 100  # ended processes whose exit code is remembered


class LocalLauncher:
    """Starts processes on this machine, in sessions of their own.

    Such a process outlives the kernel, whether that is restarted, shut down, interrupted or killed, and the
    JupyterLab server. It ends with its container or machine.
    """

    #: Processes of all workspaces, by number. They are reaped when the next one starts, and outlive this one.
    _started: ClassVar[dict[int, Popen[bytes]]] = {}

    def launch(self, url: str, run_id: int, log: Path) -> Process | None:
        """Start `python -m pipeline_widgets supervise`, detached."""
        return self._start(url, ["supervise", str(run_id)], log)

    def serve(self, url: str, agent_id: int, log: Path) -> Process | None:
        """Start `python -m pipeline_widgets serve`, detached."""
        return self._start(url, ["serve", str(agent_id)], log)

    def notify(self, url: str, log: Path) -> Popen[bytes]:
        """Start `python -m pipeline_widgets notify`, detached."""
        return self._started[self._start(url, ["notify"], log).pid]

    def exit_code(self, process: Process) -> int | None:
        """Return the exit code of a launched process, negative for a signal; None if it is unknown."""
        started = self._started.get(process.pid) if processes.is_here(process) else None
        return None if started is None else started.poll()

    def _start(self, url: str, arguments: Sequence[str], log: Path) -> Process:
        self._reap()
        # Isolated: a file of the user's in the current folder that is named like a module of ours, or of the
        # standard library, must not take its place. PYTHONPATH counts, as it does in the kernel.
        command = [sys.executable, "-P", "-m", "pipeline_widgets", *arguments]
        # The URL may hold a password, and a command line can be read by everyone on the machine.
        environment = {
            **os.environ,
            **_path_to_this(),
            URL: url,
            LAUNCH: new_launch(),
            FOLDER_VARIABLE: str(user_data_folder()),
        }
        try:
            with _log(log) as output:
                started = _detached(command, environment, output)
        except OSError as error:
            fix = "Check the artifact folder, the memory and the number of processes, then try again."
            raise ExecutionError("No process could be started.", f"{error}.", fix) from error
        self._started[started.pid] = started
        return processes.identify(started.pid)

    def _reap(self) -> None:
        """Reap zombies, and remember the exit codes of the latest."""
        ended = [pid for pid, process in self._started.items() if process.poll() is not None]
        for pid in ended[:-REMEMBERED]:
            del self._started[pid]


@contextmanager
def _log(path: Path) -> Generator[IO[bytes] | int]:
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


def _path_to_this() -> Mapping[str, str]:
    """Return the variables with which another interpreter finds this package if it is not installed."""
    try:
        version("pipeline-widgets")
    except PackageNotFoundError:
        root = str(Path(__file__).resolve().parents[3])
        return {"PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), root)))}
    return {}


def _detached(command: list[str], environment: dict[str, str], output: IO[bytes] | int) -> Popen[bytes]:
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return Popen(  # noqa: S603  our own interpreter and module
            command, env=environment, stdin=DEVNULL, stdout=output, stderr=output, creationflags=flags
        )
    return Popen(  # noqa: S603
        command, env=environment, stdin=DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
