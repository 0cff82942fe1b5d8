"""A run: one attempt at an experiment or a deployment, and the one table of its transitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from pipeline_widgets.domain.engine_job import name_engine
from pipeline_widgets.domain.failure import Failure, parse_error
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.domain.run_record import RunCode
from pipeline_widgets.errors import RuleError, TransitionError

RunKind: TypeAlias = Literal["training", "deployment", "evaluation"]


class Status(StrEnum):
    """The status of a run; a stage and an experiment show that of their latest run."""

    DRAFT = "Draft"  # no run yet; never the status of a run
    PENDING = "Pending"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"  # the code raised
    CRASHED = "Crashed"  # the process or the machine died

    @property
    def active(self) -> bool:
        """Whether a process is at work on it, or is about to be."""
        return self in ACTIVE

    @property
    def finished(self) -> bool:
        """Whether it never changes again."""
        return self in FINISHED


_ENDS = frozenset({Status.STOPPED, Status.SUCCEEDED, Status.FAILED, Status.CRASHED})

#: Where a run can go from each status. A terminal status has no way out.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    # A pending run can end at once: stopped before it started, or its process never came up.
    Status.PENDING: frozenset({Status.RUNNING, Status.STOPPED, Status.CRASHED}),
    Status.RUNNING: frozenset({Status.STOPPING}) | _ENDS,
    # A return after a stop request is Stopped, so that "Stop" never starts the next stage.
    Status.STOPPING: _ENDS - {Status.SUCCEEDED},
    Status.STOPPED: frozenset(),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CRASHED: frozenset(),
}

ACTIVE = frozenset({Status.PENDING, Status.RUNNING, Status.STOPPING})
FINISHED = _ENDS
#: What needs a person most comes first, what needs nobody last; the words of a roll-up have the same order.
STATUSES_BY_URGENCY = (
    Status.FAILED,
    Status.CRASHED,
    Status.STOPPED,
    Status.STOPPING,
    Status.RUNNING,
    Status.PENDING,
    Status.SUCCEEDED,
    Status.DRAFT,
)
#: What can be gone on with from its own last checkpoint.
RESUMABLE = frozenset({Status.STOPPED, Status.FAILED, Status.CRASHED})


def check_transition(before: Status, after: Status) -> None:
    """Refuse a step that the table does not hold.

    Raises:
        TransitionError: A terminal status never changes again, and no run goes backwards.
    """
    if after not in TRANSITIONS.get(before, frozenset()):
        why = "A finished run never changes again." if before.finished else ""
        raise TransitionError(f"A {before} run cannot become {after}.", why, "Start a new run instead.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The progress of a run. `eta` is the estimate of the seconds left, where one can be made."""

    step: int | None = None
    total: int | None = None
    eta: float | None = None

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1; None while the train function has not said how far it goes."""
        if self.step is None or not self.total:
            return None
        return min(1.0, max(0.0, self.step / self.total))

    def __str__(self) -> str:
        if self.step is None:
            return "no progress reported"
        of = f"/{self.total}" if self.total else ""
        left = f", about {self.eta:.0f} s left" if self.eta is not None else ""
        return f"step {self.step}{of}{left}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One attempt. Append-only: a re-run is a new Run."""

    id: int
    project_id: int
    #: Counted from 1 for each experiment and each Deployment stage; evaluations for each project.
    number: int
    status: Status
    created_at: datetime
    kind: RunKind = "training"
    pipeline_id: int | None = None
    stage_id: int | None = None
    experiment_id: int | None = None
    #: What it starts from, frozen when it was triggered.
    start_checkpoint_id: int | None = None
    start_agent_version_id: int | None = None
    start_role: str | None = None
    #: What it consumed of the source stage; a resumed run inherits it.
    source_checkpoint_id: int | None = None
    source_run_id: int | None = None
    resumed_run_id: int | None = None
    #: What it was triggered with, frozen.
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    signature: Mapping[str, Any] = field(default_factory=dict[str, Any])
    config_digest: str | None = None
    seed: int = 0
    algorithm_id: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    beat_at: datetime | None = None
    host: str | None = None
    step: int | None = None
    total: int | None = None
    #: Where it was triggered and which code it ran; None for one of an older version.
    code: RunCode | None = None
    environment_digest: str | None = None
    #: How many runs that crashed come before it, which it is the retry of; 0 for a run that was triggered.
    retry: int = 0
    #: Stages after it that its chain goes on to when it has succeeded, though they are not Auto (spec 4.8).
    run_through: tuple[int, ...] = ()
    #: Where it is launched, as a user writes it; None on the machine itself.
    launcher: str | None = None
    resources: Mapping[str, Any] | None = None
    #: The host on which a local run is launched; that of a run elsewhere is the home of its chain.
    home: str | None = None
    #: By which the engine of its launcher knows it.
    job: str | None = None
    #: For what it waits before it can begin, in the engine's words; a host where it has to be launched there.
    waits: str | None = None
    #: The GPUs that it was given, counted from 0; None where the workspace does not limit GPUs.
    gpus: Sequence[int] | None = None
    #: The most that its processes have used at a time, as far as samples tell: CPUs, bytes, bytes on GPUs.
    peak_cpu: float | None = None
    peak_memory: int | None = None
    peak_gpu_memory: int | None = None
    #: The traceback of a Failed run, or the evidence for a Crashed one.
    error: str | None = None
    #: What its worker has recorded of a failure; `get_failure` also knows runs of which nothing was.
    failure: Failure | None = None

    @property
    def algorithm_key(self) -> str | None:
        """The key that runs of the same algorithm and code share; None for one that trains nothing."""
        return (
            None
            if self.algorithm_id is None
            else f"{self.algorithm_id} {self.code.digest if self.code else ''}"
        )

    def get_failure(self) -> Failure | None:
        """Return why it ended without success: what was recorded, else what its error tells.

        None of a run that is active or has succeeded, and of one that was stopped and left nothing to say.
        """
        if self.status not in RESUMABLE:
            return None
        if self.failure is not None:
            return self.failure
        return parse_error(self.error) if self.error and self.error.strip() else None

    @property
    def is_deployment(self) -> bool:
        """Whether it deploys a checkpoint to an agent."""
        return self.kind == "deployment"

    @property
    def is_training(self) -> bool:
        """Whether it trains an experiment."""
        return self.kind == "training"

    @property
    def placement(self) -> Placement:
        """Its launcher and resources."""
        return Placement.from_row(self.launcher, self.resources)

    @property
    def waiting_for(self) -> str | None:
        """For what it waits, to begin or to go on, such as "Resources (Slurm job 12)"; else None."""
        if not self.status.active or not self.waits:
            return None
        if self.launcher is None or self.job is None:
            return self.waits
        return f"{self.waits} ({name_engine(self.launcher)} job {self.job})"

    @property
    def trained_experiment_id(self) -> int:
        """The experiment that it trains.

        Raises:
            RuleError: It is a deployment or an evaluation.
        """
        if self.experiment_id is None:
            named = self.label if self.kind == "evaluation" else f"{self.kind} {self.label}"
            raise RuleError(f"{named.capitalize()} trains no experiment.")
        return self.experiment_id

    @property
    def label(self) -> str:
        """Its name in a sentence."""
        return f"evaluation {self.number}" if self.kind == "evaluation" else f"run {self.number}"

    def progress(self, now: datetime, *, begun: int = 0) -> Progress:
        """Return its progress, and the time left at the pace so far.

        Args:
            now: The time on the database's clock.
            begun: The step at which it began: that of the checkpoint that a resumed run goes on from.
        """
        eta, done = None, (self.step or 0) - begun
        if self.status is Status.RUNNING and self.started_at and self.step and self.total and done > 0:
            elapsed = max(0.0, (now - self.started_at).total_seconds())
            eta = elapsed / done * max(0, self.total - self.step)
        return Progress(step=self.step, total=self.total, eta=eta)


def trained_experiment_ids(runs: Iterable[Run]) -> set[int]:
    """Return the experiments that runs train; deployments train none."""
    return {run.experiment_id for run in runs if run.experiment_id is not None}
