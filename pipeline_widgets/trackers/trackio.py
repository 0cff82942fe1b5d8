"""Runs of Trackio, in a SQLite file of the workspace's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.tracking import TrackedCheckpoint, TrackedRun, make_path_part


class Trackio:
    """Writes a run for each run, in a project named as ours.

    Args:
        location: The folder of Trackio's files (TRACKIO_DIR); by default one of the workspace's.
        folder: The workspace's folder for it.
    """

    def __init__(self, location: str | None, folder: Path) -> None:
        # Trackio reads it when it is imported, in a process that tracks one workspace.
        os.environ["TRACKIO_DIR"] = str(Path(location).expanduser() if location else folder)
        self._run: Any = None
        self._last = 0

    def begin(self, run: TrackedRun) -> None:
        """Open the run, with its config."""
        trackio = import_module("trackio")
        self._last = run.begun
        self._run = trackio.init(
            project=make_path_part(run.project),
            name=run.name,
            group=run.pipeline,
            config={**run.config, "seed": run.seed, "pipeline_widgets": run.facts},
            embed=False,
            auto_log_gpu=False,
        )

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics by their step."""
        self._last = max(self._last, step)
        self._run.log(dict(metrics), step=step)

    def checkpoint(self, saved: TrackedCheckpoint) -> None:
        """Log where a checkpoint is."""
        self._run.log({"checkpoint": saved.path}, step=saved.step)

    def finish(self, status: str, error: str | None) -> None:
        """Log how the run has ended, and end it."""
        self._run.log({"status": status, **({"error": error} if error else {})}, step=self._last)
        self._run.finish()
