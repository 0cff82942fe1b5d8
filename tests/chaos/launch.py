"""The launch server of a world: there before the first trigger, and killed again and again at random."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import launch_servers
import psutil

from pipeline_widgets.execution.launch_client import ForkedProcess
from pipeline_widgets.execution.launch_place import VARIABLE
from pipeline_widgets.execution.launchers import LaunchedJob, LaunchRequest
from pipeline_widgets.execution.launchers.local import LocalLauncher

if TYPE_CHECKING:
    from chaos.sandbox import Sandbox

KILLED_AFTER = (0.0, 4.0)  # seconds between two kills
COUNTS = "supervisors.txt"


class LaunchChaos:
    """Keeps a launch server warm, and kills it.

    Args:
        sandbox: The world's place.
        rng: Where its chances come from.
        tell: Adds to the story of the world.
    """

    def __init__(self, sandbox: Sandbox, rng: random.Random, tell: Callable[[str], None]) -> None:
        os.environ[VARIABLE] = "2"  # minutes
        self._log = sandbox.lab / "lab-artifacts" / "launch-server.log"
        self._rng, self._tell = rng, tell
        self._next = float("inf")
        self._place = launch_servers.start(self._log) if rng.random() < 0.95 else None
        counts = sandbox.folder / COUNTS
        submit, chaos = LocalLauncher.submit, self

        def counted(self: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
            job = submit(self, request)
            if request.server_log is not None and job.process is not None:
                forked = isinstance(LocalLauncher._started[job.process.pid], ForkedProcess)
                with counts.open("a") as file:
                    file.write("forked\n" if forked else "started\n")
                chaos._next = min(chaos._next, time.monotonic() + rng.uniform(*KILLED_AFTER))
            return job

        LocalLauncher.submit = counted

    def strike(self) -> None:
        """Kill the launch server if it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._rng.uniform(*KILLED_AFTER)
        for server in launch_servers.servers(self._log):
            self._tell(f"the launch server {server.pid} is killed")
            with suppress(psutil.Error):
                server.kill()


def count(folder: Path) -> dict[str, int]:
    """Return how many supervisors of a world were forked and started, and how many servers were killed."""
    with suppress(OSError):
        lines = (folder / COUNTS).read_text().split()
        return {name: lines.count(name) for name in ("forked", "started")}
    return {"forked": 0, "started": 0}
