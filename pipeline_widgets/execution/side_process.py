"""Processes of a workspace beside the one that starts them: what sends notices, what tells trackers."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.execution.launch_request import create_launch_request
from pipeline_widgets.execution.launchers.local import LocalLauncher

END_POLL = 0.05
END_WITHIN = 15.0  # seconds for which a supervisor that has nothing else to do waits for one


class SideProcess:
    """Starts processes of one kind on this machine, and knows the latest one.

    Args:
        url: The workspace.
        log: Where they print to.
    """

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log
        self._launcher = LocalLauncher()
        self._started: str | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether the latest one has been started and has not ended."""
        started = self._started
        return started is not None and self._launcher.status(started).state is JobState.AT_WORK

    def start(self, *arguments: str) -> None:
        """Start `python -m pipeline_widgets ARGUMENTS`.

        Raises:
            ExecutionError: The system starts no process.
        """
        request = create_launch_request(self._url, arguments, self._log)
        self._started = self._launcher.submit(request).id

    def wait(self) -> None:
        """Wait until the latest one has ended, for up to 15 s: an engine ends what a job leaves."""
        until = time.monotonic() + END_WITHIN
        while self.is_at_work and time.monotonic() < until:
            time.sleep(END_POLL)
