"""The events that a tracker is told of a run, and the names of trackers (spec 11.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline_widgets.errors import ConfigError, format_value

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedRun:
    """A run of an experiment, as a tracker is told of it when it begins."""

    #: By which a tracker can find it again: unique among all workspaces.
    key: str
    #: As the views name it: "grpo, run 3".
    name: str
    project: str
    experiment: str
    algorithm: str
    number: int
    #: The pipeline, and the stage counted from 1; None for an experiment by itself.
    pipeline: str | None
    stage: int | None
    config: Mapping[str, Any]
    seed: int
    #: The step at which it begins: that of the checkpoint which a resumed run goes on from, else 0.
    begun: int
    #: The key and the name of the run whose checkpoint it starts from; None from scratch.
    parent: str | None = None
    parent_name: str | None = None
    #: Whether it goes on with that run, rather than being the next stage after it.
    is_resumed: bool = False
    #: How many runs that crashed come before it, which it is the retry of.
    retry: int = 0

    @property
    def facts(self) -> dict[str, Any]:
        """All but its config, as names and plain values; what there is none of is left out."""
        told = {
            "project": self.project,
            "experiment": self.experiment,
            "algorithm": self.algorithm,
            "pipeline": self.pipeline,
            "stage": self.stage,
            "run": self.number,
            "key": self.key,
            "seed": self.seed,
            "parent": self.parent_name,
            "parent_key": self.parent,
            "resumed": self.is_resumed or None,
            "retry": self.retry or None,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedCheckpoint:
    """A checkpoint that a run has saved."""

    step: int
    path: str
    digest: str
    training_score: float | None
    evaluation_score: float | None


class Tracker(Protocol):
    """Records runs in another tool. It is made anew for each run, and called by one thread.

    It works in a process beside the training: an error that it raises is said once in the run's log, and ends
    neither that nor the chain. One that does not return is left behind when the run is over.

    The entry point is a callable `(location, folder) -> Tracker`. `location` is what follows the name in
    `ws.trackers`, such as "file:///somewhere" of "mlflow:file:///somewhere", and None without it; `folder` is
    a folder of the workspace's for the tool, which may not exist yet.
    """

    def begin(self, run: TrackedRun) -> None:
        """Open a record of a run."""
        ...

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step, in the order of the reports; NaN and infinities may be among them."""
        ...

    def checkpoint(self, saved: TrackedCheckpoint) -> None:
        """Record that a checkpoint was saved, and where."""
        ...

    def finish(self, status: str, error: str | None) -> None:
        """Close the record: "Succeeded", "Failed", "Crashed" or "Stopped", with the error if there is one."""
        ...


class OpenTracker(Protocol):
    """The type of an entry point of `pipeline_widgets.trackers`."""

    def __call__(self, location: str | None, folder: Path) -> Tracker:
        """Return a tracker for one run."""
        ...


def parse_trackers(value: object) -> tuple[str, ...]:
    """Return the trackers that are written so: their names, with what follows a colon.

    Raises:
        ConfigError: It is no list of such texts.
    """
    fix = 'Use a list, such as ["tensorboard", "mlflow:file:///runs"].'
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{format_value(value)} is not a list of trackers.", fix=fix)
    for each in value:  # pyright: ignore[reportUnknownVariableType]  users pass anything
        if not isinstance(each, str) or not _NAME.fullmatch(each.partition(":")[0]):
            raise ConfigError("There is an entry that names no tracker.", fix=fix)
    return tuple(dict.fromkeys(value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def split_tracker(written: str) -> tuple[str, str | None]:
    """Return the name of a tracker, and what follows it."""
    name, _, location = written.partition(":")
    return name, location or None


def make_path_part(name: str) -> str:
    """Return a name as one part of a path: without what parts or leaves folders."""
    kept = re.sub(r"[^\w .,()+=@-]", "_", name).strip(" .")[:100]
    return kept or "_"
