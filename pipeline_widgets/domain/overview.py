"""Projects, experiments and runs as plain tables show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.rollup import PipelineStatus, StageSummary
from pipeline_widgets.domain.run import RunKind, Status


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
class ProjectSummary(ProjectRow):
    """A project with its counts and its latest change, for a page of the workspace."""

    #: The latest change to the project or to anything in it, a run included.
    modified_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveRun:
    """A run that is active, with the names of what it belongs to."""

    id: int
    number: int
    kind: RunKind
    status: Status
    project_id: int
    project: str
    #: None where it belongs to no pipeline, or no longer.
    pipeline_id: int | None
    pipeline: str | None
    stage_id: int | None
    #: The position of its stage, counted from 0.
    position: int | None
    #: None where it trains no experiment.
    experiment_id: int | None
    #: The name of its experiment, or of the agent that it deploys; None for an evaluation.
    name: str | None
    started_at: datetime | None
    step: int | None
    total: int | None
    #: For what it waits, to begin or to go on; None without a reason.
    waits: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnfinishedStage:
    """The stage at which a pipeline with no active run stands, and waits for a person."""

    id: int
    project_id: int
    project: str
    pipeline_id: int
    pipeline: str
    #: Counted from 0.
    position: int
    summary: StageSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class StageScore:
    """The best evaluation score of a stage's experiment."""

    #: Counted from 0.
    position: int
    #: The name of the experiment.
    name: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusCount:
    """How many pipelines of a project, or experiments outside of any, stand where."""

    project_id: int
    status: PipelineStatus
    count: int


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
    #: What its processes used at most: CPUs, bytes, bytes; None where no sample has told.
    peak_cpu: float | None
    peak_memory: int | None
    peak_gpu_memory: int | None
    #: The best score by each evaluator that has scored what it saved, by name.
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
