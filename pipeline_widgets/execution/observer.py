"""Remember earlier observations of processes, and describe processes that are gone."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from pipeline_widgets.domain.liveness import Process, ProcessObservation
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.launchers import Launcher
from pipeline_widgets.persistence.logs import render_log

LOG_LINES = 12  # of a process that is gone, that an error shows


class Observer:
    """Remembers since when a silent process has not moved.

    It reckons by this process's own monotonic clock: neither a step of the wall clock nor the sleep of a
    laptop counts.
    """

    def __init__(self) -> None:
        self._pulses: dict[int, ProcessObservation] = {}

    def observe(self, key: int, process: Process | None, beat_at: float | None) -> float:
        """Return the seconds for which a process has been seen neither to beat nor to wake.

        Args:
            key: The run or agent.
            process: The process.
            beat_at: Its last beat.
        """
        if process is None:
            return 0.0
        now = time.monotonic()
        # One that is out of sight shows that it moves only by its beats.
        progress = processes.progress(process.pid) if processes.is_here(process) else 0
        pulse = ProcessObservation(process=process, beat_at=beat_at, progress=progress, since=now)
        self._pulses[key] = self._pulses.get(key, pulse).merge(pulse)
        return now - self._pulses[key].since

    def forget(self, keys: Collection[int]) -> None:
        """Forget what need not be observed."""
        for key in keys:
            self._pulses.pop(key, None)


def describe_launch(launcher: Launcher, process: Process | None, log: Path) -> str:
    """Return how a launched process ended and what it said last; empty where nothing is known."""
    code = None if process is None else launcher.exit_code(process)
    said = render_log(log, LOG_LINES)
    parts = [] if code is None else [f"The last one ended with exit code {code}."]
    if code is not None and code < 0:
        parts = [f"The last one was killed by {processes.signal_name(-code)}."]
    if said:
        parts.append(f"Its log, {log}, ends with:\n{said}")
    elif process is not None:
        parts.append(f"Its log, {log}, is empty.")
    return " ".join(parts)
