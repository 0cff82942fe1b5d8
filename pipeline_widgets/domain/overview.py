"""Projects, experiments and runs as plain tables show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.run import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectRow:
    """A project as a table shows it."""

    id: int
    name: str
    advanced_training: bool
    #: How many it holds.
    experiments: int
    pipelines: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentRow:
    """An experiment as a table shows it (spec 9.1)."""

    id: int
    name: str
    algorithm: str
    #: The status of its latest run.
    status: Status
    modified_at: datetime
    #: How many it has.
    runs: int
    #: The best evaluation score that any of its runs has saved.
    best: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentSummary:
    """An experiment with its counts, for a page of the list, which also shows its latest run."""

    id: int
    name: str
    algorithm: str
    spec: AlgorithmSpec
    #: The Python under which its algorithm was defined, where that is kept by value; else None.
    python: str | None
    modified_at: datetime
    #: The id of its latest run.
    latest: int | None
    runs: int
    #: How many of those that its runs saved are there.
    checkpoints: int
    #: The best evaluation score that any of its runs has saved.
    best: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRow:
    """A run as the Results table shows it (spec 9.3)."""

    run_id: int
    experiment_id: int
    experiment: str
    #: The run's number.
    number: int
    status: Status
    started_at: datetime | None
    finished_at: datetime | None
    #: How far it has come; None while it has not reported.
    steps: int | None
    #: How many of those that it saved are there.
    checkpoints: int
    #: The best of all that it ever saved.
    training_score: float | None
    evaluation_score: float | None
    #: Whether a higher score is the better one.
    higher_is_better: bool
    #: The best score by each evaluator that has scored what it saved, by name.
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
