"""Runs of MLflow, in a database of its own or on a server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.tracking import TrackedCheckpoint, TrackedRun

KEY, PARENT = "pipeline_widgets.run", "mlflow.parentRunId"
LONGEST_PARAMETER = 500  # characters, which all stores of MLflow take
MOST_AT_ONCE = 500  # metrics in a request
WRITE_EVERY = 1.0  # seconds between two requests
_STATUS = {"Succeeded": "FINISHED", "Stopped": "KILLED"}


class MLflow:
    """Writes a run of MLflow for each run, in an experiment named as the project.

    A run that starts from a checkpoint is nested below the run that has saved it.

    Args:
        location: The tracking URI; by default that of a SQLite file in the workspace's folder.
        folder: The workspace's folder for it.
    """

    def __init__(self, location: str | None, folder: Path) -> None:
        self._uri = location or f"sqlite:///{folder.resolve() / 'mlflow.db'}"
        self._folder = folder
        if self._uri.startswith("file:"):  # which MLflow opens no longer without being told so
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._id = ""
        self._client: Any = None
        self._entities: Any = None
        self._waiting: list[Any] = []
        self._written_at = 0.0

    def begin(self, run: TrackedRun) -> None:
        """Create the run, with its config as parameters."""
        self._entities = import_module("mlflow.entities")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._client = import_module("mlflow.tracking").MlflowClient(tracking_uri=self._uri)
        found = self._client.get_experiment_by_name(run.project)
        experiment = found.experiment_id if found else self._client.create_experiment(run.project)
        tags = {f"pipeline_widgets.{name}": str(value) for name, value in run.facts.items()}
        tags |= {KEY: run.key}
        if (parent := self._find(experiment, run.parent)) is not None:
            tags[PARENT] = parent
        self._id = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        parameters = {"seed": run.seed, **run.config}
        for name, value in parameters.items():
            text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
            self._client.log_param(self._id, name, text[:LONGEST_PARAMETER])

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write metrics, several steps in one request."""
        now = int(time.time() * 1000)
        self._waiting += [self._entities.Metric(name, value, now, step) for name, value in metrics.items()]
        if len(self._waiting) >= MOST_AT_ONCE or time.monotonic() - self._written_at > WRITE_EVERY:
            self._write()

    def checkpoint(self, saved: TrackedCheckpoint) -> None:
        """Keep where a checkpoint is, as tags."""
        self._client.set_tag(self._id, f"checkpoint.{saved.step}", saved.path)

    def finish(self, status: str, error: str | None) -> None:
        """End the run."""
        self._write()
        self._client.set_tag(self._id, "pipeline_widgets.status", status)
        if error:
            self._client.set_tag(self._id, "pipeline_widgets.error", error[:LONGEST_PARAMETER])
        self._client.set_terminated(self._id, _STATUS.get(status, "FAILED"))

    def _write(self) -> None:
        self._written_at = time.monotonic()
        while self._waiting:
            self._client.log_batch(self._id, metrics=self._waiting[:MOST_AT_ONCE])
            del self._waiting[:MOST_AT_ONCE]

    def _find(self, experiment: str, key: str | None) -> str | None:
        """Return the id of the run that was made for a run of ours."""
        if key is None:
            return None
        found = self._client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        return found[0].info.run_id if found else None
