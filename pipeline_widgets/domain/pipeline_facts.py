"""What the rules have to know about a pipeline's stages at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.checkpoint import Checkpoint, Choice, ChosenCheckpoint, choose_checkpoint
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Run, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class StageFacts:
    """What is known about one stage.

    Its runs are those of the experiment that it is bound to now; `experiment` is None for a Deployment.
    """

    experiment: Experiment | None = None
    latest: Run | None = None
    #: The latest run that succeeded.
    succeeded: Run | None = None
    #: The run whose checkpoints the stages after it use: the latest that succeeded, else the latest
    #: that was stopped, failed or crashed and had saved something.
    offered_run: Run | None = None
    #: What `offering` saved, and what the runs that it resumed had saved before.
    checkpoints: tuple[Checkpoint, ...] = ()
    #: What the latest run saved, and the runs that it resumed.
    latest_checkpoints: tuple[Checkpoint, ...] = ()
    #: What `succeeded` consumed.
    consumed: Checkpoint | None = None
    consumed_from: Run | None = None
    #: A run of the same experiment that is active, in whatever stage or by itself.
    active_run: Run | None = None
    held: str | None = None
    #: The Python that alone can run its experiment's algorithm; None where this one can.
    required_python: str | None = None
    #: The upstream state that was accepted as fresh for `succeeded`.
    accepted: str | None = None
    #: The note of whoever accepted it.
    note: str | None = None

    @property
    def status(self) -> Status:
        """The status of the latest run; Draft without one."""
        return self.latest.status if self.latest else Status.DRAFT

    def choose(self, choice: Choice) -> ChosenCheckpoint:
        """Resolve a choice among what this stage offers to those after it.

        Raises:
            NoCheckpointError: There is none, or none at that step.
        """
        higher = self.experiment is None or self.experiment.spec.higher_is_better
        return choose_checkpoint(self.checkpoints, choice, higher_is_better=higher)


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineFacts:
    """What is known about a pipeline: its stages by id, and the agents that they name."""

    stages: Mapping[int, StageFacts]
    #: Current versions by the agent's id.
    agents: Mapping[int, AgentVersion] = field(default_factory=dict[int, AgentVersion])
    #: Current versions by the agent's name.
    deployed: Mapping[str, AgentVersion] = field(default_factory=dict[str, AgentVersion])

    def for_stage(self, stage_id: int) -> StageFacts:
        """What is known about a stage; nothing, for one that has just been added."""
        return self.stages.get(stage_id) or StageFacts()
