"""A workspace whose runs are real processes, and what tests do with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import databases
import psutil
import trainers

import pipeline_widgets as pw
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.domain.run import Run

QUICK = pw.Timing(beat_every=0.2, grace=1.5)


class Bench:
    """A workspace with one project, and what tests do with it again and again."""

    def __init__(
        self,
        folder: Path,
        timing: pw.Timing | None = None,
        artifacts: str | None = None,
        launcher: str | None = None,
    ) -> None:
        self.folder = folder
        #: The URL of the workspace, for whoever opens it in another process.
        self.url = databases.url_in(folder)
        chosen: dict[str, Any] = {} if artifacts is None else {"artifacts": artifacts}
        place = {**databases.place_in(folder), **chosen}
        self.ws = pw.Workspace(**place, timing=timing, launcher=launcher)
        self.project = self.ws.create_project("Bench", advanced_training=True)

    def chain(self, *configs: Mapping[str, object], trigger: str = "auto") -> pw.Pipeline:
        """Return a pipeline with a Counter stage for each config, Auto but for the first."""
        pipe = self.project.create_pipeline(f"chain {len(self.project.pipelines)}")
        for config in configs:
            name = f"e{len(self.project.experiments)}"
            experiment = self.project.create_experiment(name, algorithm=trainers.counter, config=config)
            pipe.add_experiment_stage(experiment, trigger=trigger if len(pipe.stages) else "manual")
        return pipe

    def row(self, run: pw.Run) -> Run:
        """Return the row of a run."""
        return self.ws._services.runs.get(run._id)

    def lease(self, run: pw.Run) -> Lease:
        """Return who carries out a run."""
        with self.ws._services.store.read() as work:
            return work.runs.lease(run._id)

    def supervisor(self, run: pw.Run) -> Process:
        """Return the supervisor of a run that has been taken."""
        found = self.lease(run).holder
        assert found is not None
        return found

    def trainer(self, run: pw.Run) -> Process:
        """Return the process that trains, once there is one."""
        until(lambda: self.lease(run).worker is not None)
        found = self.lease(run).worker
        assert found is not None
        return found

    def end_notifiers(self) -> None:
        """End the processes that send messages about the runs of this workspace."""
        for process in psutil.process_iter(["cmdline", "environ"]):
            environment: dict[str, str] = process.info["environ"] or {}
            ours = str(self.folder) in environment.get("PIPELINE_WIDGETS_URL", "")
            if ours and "notify" in (process.info["cmdline"] or []):
                process.kill()
                process.wait(10)


def until(holds: Callable[[], bool], timeout: float = 30.0) -> float:
    """Wait until something holds, and return the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout, "it did not come to hold in time"
        time.sleep(0.01)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_all(bench: Bench) -> None:
    """End what a failed test may have left."""
    bench.ws.close()
    for process in psutil.process_iter(["environ"]):
        environment: dict[str, str] = process.info["environ"] or {}
        url = environment.get("PIPELINE_WIDGETS_URL", "")
        if url == bench.ws._services.store.database.url:
            process.kill()
