"""Where supervisors and endpoints start. Their work is a row already; a launcher only starts a process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers.local import LocalLauncher


class Launcher(Protocol):
    """Starts the supervisor of a chain, and the process behind an endpoint, wherever that is."""

    def launch(self, url: str, run_id: int, log: Path) -> Process | None:
        """Start a supervisor that takes a run, and return it; None where it has no process yet.

        Raises:
            ExecutionError: It could not be started.
        """
        ...

    def serve(self, url: str, agent_id: int, log: Path) -> Process | None:
        """Start the process behind an agent's endpoint, and return it; None where it has none yet.

        Raises:
            ExecutionError: It could not be started.
        """
        ...

    def exit_code(self, process: Process) -> int | None:
        """Return the exit code of a launched process, negative for a signal; None if it is unknown."""
        ...


def launcher(name: str) -> Launcher:
    """Return a launcher by its name.

    Raises:
        ExecutionError: There is no launcher of that name.
    """
    if name != "local":
        raise ExecutionError(f"There is no launcher named {name!r}.", fix='Use launcher="local".')
    return LocalLauncher()
