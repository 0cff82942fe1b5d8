"""Where a process starts. What it does is a row already: a launcher only brings a process to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import IO, ClassVar, Protocol

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.trust import FOLDER_VARIABLE, user_data_folder


class Launcher(Protocol):
    """Starts the supervisor of a chain, and the process behind an endpoint, wherever that is."""

    def launch(self, url: str, run_id: int, log: Path) -> None:
        """Start a supervisor that takes a run.

        Raises:
            ExecutionError: It could not be started.
        """
        ...

    def serve(self, url: str, agent_id: int, log: Path) -> None:
        """Start the process behind an agent's endpoint.

        Raises:
            ExecutionError: It could not be started.
        """
        ...


class LocalLauncher:
    """Starts processes on this machine, in sessions of their own.

    Such a process outlives the kernel's restart, shutdown, interrupt and death, and the JupyterLab
    server. It ends with its container or machine.
    """

    #: Of all workspaces: they are reaped when the next one starts, and outlive what launched them.
    _started: ClassVar[list[Popen[bytes]]] = []

    def launch(self, url: str, run_id: int, log: Path) -> None:
        """Start `python -m pipeline_widgets supervise`, detached."""
        self._start(url, ["supervise", str(run_id)], log)

    def serve(self, url: str, agent_id: int, log: Path) -> None:
        """Start `python -m pipeline_widgets serve`, detached."""
        self._start(url, ["serve", str(agent_id)], log)

    def _start(self, url: str, arguments: Sequence[str], log: Path) -> None:
        self._started[:] = [process for process in self._started if process.poll() is None]  # no zombies
        command = [sys.executable, "-m", "pipeline_widgets", *arguments]
        # The URL may hold a password, and a command line can be read by everyone on the machine.
        environment = {**os.environ, "PIPELINE_WIDGETS_URL": url, FOLDER_VARIABLE: str(user_data_folder())}
        try:
            filesystem.make_private_folder(log.parent)
            with filesystem.open_private(log, "ab") as output:  # users' code prints what it likes
                self._started.append(_detached(command, environment, output))
        except OSError as error:
            fix = "Check the artifact folder, the memory and the number of processes, then try again."
            raise ExecutionError("No process could be started.", f"{error}.", fix) from error


def launcher(name: str) -> Launcher:
    """Return a launcher by its name.

    Raises:
        ExecutionError: There is none of that name.
    """
    if name != "local":
        raise ExecutionError(f"There is no launcher named {name!r}.", fix='Use launcher="local".')
    return LocalLauncher()


def _detached(command: list[str], environment: dict[str, str], output: IO[bytes]) -> Popen[bytes]:
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return Popen(  # noqa: S603  our own interpreter and module
            command, env=environment, stdin=DEVNULL, stdout=output, stderr=output, creationflags=flags
        )
    return Popen(  # noqa: S603
        command, env=environment, stdin=DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
