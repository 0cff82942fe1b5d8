"""Runs of Weights & Biases: offline unless asked otherwise, so that nothing leaves the machine by itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.tracking import TrackedCheckpoint, TrackedRun

MODES = frozenset({"online", "offline", "shared"})


class WeightsAndBiases:
    """Writes a run for each run, in a project named as ours, grouped by the pipeline.

    Args:
        location: "online", or a folder for offline runs, which `wandb sync` sends later; by default one of
            the workspace's.
        folder: The workspace's folder for it.
    """

    def __init__(self, location: str | None, folder: Path) -> None:
        self._mode = location if location in MODES else "offline"
        self._folder = Path(location).expanduser() if location and location not in MODES else folder
        self._run: Any = None

    def begin(self, run: TrackedRun) -> None:
        """Open the run, with its config."""
        wandb = import_module("wandb")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=run.project,
            name=run.name,
            group=run.pipeline,
            job_type=run.algorithm,
            dir=str(self._folder),
            mode=self._mode,
            config={**run.config, "seed": run.seed, "pipeline_widgets": run.facts},
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True, disable_code=True, disable_git=True),
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics by their step, which may be repeated or late."""
        self._run.log({**metrics, "step": step})

    def checkpoint(self, saved: TrackedCheckpoint) -> None:
        """Keep where the last checkpoint is."""
        self._run.summary.update({"checkpoint": {"step": saved.step, "path": saved.path}})

    def finish(self, status: str, error: str | None) -> None:
        """End the run."""
        self._run.summary.update({"status": status, **({"error": error} if error else {})})
        self._run.finish(exit_code=0 if status in {"Succeeded", "Stopped"} else 1)
