"""Facts about a pipeline's stages at one moment, from which the rules decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.checkpoint import Checkpoint, Choice, ChosenCheckpoint, choose_checkpoint
from pipeline_widgets.domain.code_record import CodeRecord, describe_change
from pipeline_widgets.domain.evaluator import Yardstick
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.errors import NoCheckpointError


@dataclass(frozen=True, kw_only=True, slots=True)
class StageFacts:
    """Facts about one stage.

    Its runs are those of the experiment that it is bound to now; `experiment` is None for a Deployment.
    """

    experiment: Experiment | None = None
    latest: Run | None = None
    #: The latest run that succeeded.
    succeeded: Run | None = None
    #: The run whose checkpoints the stages after it use: the latest that succeeded, else the latest
    #: that was stopped, failed or crashed and had saved something.
    offered_run: Run | None = None
    #: What decides among all that it and the runs that it resumed have saved: the ends of their scores, the
    #: final one, and what stands at the steps that stages name or nearest to them.
    checkpoints: tuple[Checkpoint, ...] = ()
    #: The same of the latest run.
    latest_checkpoints: tuple[Checkpoint, ...] = ()
    #: What `succeeded` consumed.
    consumed: Checkpoint | None = None
    consumed_from: Run | None = None
    #: A run of the same experiment that is active, in whatever stage or by itself.
    active_run: Run | None = None
    held: str | None = None
    #: The Python that alone can run its experiment's algorithm; None where this one can.
    required_python: str | None = None
    #: The code that `succeeded` ran, else `latest`, else the code with which its experiment was set up, and
    #: the code of the experiment's algorithm now. None where it is not known; the texts come along where the
    #: two differ.
    code_then: CodeRecord | None = None
    code_now: CodeRecord | None = None
    #: The upstream state that was accepted as fresh for `succeeded`.
    accepted: str | None = None
    #: The note of whoever accepted it.
    note: str | None = None
    #: What Best and gates go by among its checkpoints; None where that is what its algorithm reports.
    yardstick: Yardstick | None = None

    @property
    def status(self) -> Status:
        """The status of the latest run; Draft without one."""
        return self.latest.status if self.latest else Status.DRAFT

    @property
    def code_change(self) -> str | None:
        """The first difference of the code, such as "helpers.py:12"; None where the two are alike."""
        if self.code_then is None or self.code_now is None:
            return None
        return describe_change(self.code_then, self.code_now)

    def choose(self, choice: Choice) -> ChosenCheckpoint:
        """Resolve a choice among what this stage offers to those after it.

        Raises:
            NoCheckpointError: There is none, none at that step, or none that the evaluator has scored.
        """
        return self._choose(self.checkpoints, choice)

    @property
    def higher_is_better(self) -> bool:
        """The direction of the scores by which its checkpoints are compared."""
        if self.yardstick is not None:
            return self.yardstick.spec.higher_is_better
        return self.experiment is None or self.experiment.spec.higher_is_better

    def score_of(self, checkpoint: Checkpoint) -> float | None:
        """Return the score by which a checkpoint is compared; None where it has none."""
        if self.yardstick is not None:
            return self.yardstick.scores.get(checkpoint.id)
        return checkpoint.evaluation_score

    @property
    def best_score(self) -> float | None:
        """The score of the best checkpoint of the latest run; None where it has none."""
        if not self.latest_checkpoints:
            return None
        try:
            return self.score_of(self._choose(self.latest_checkpoints, "best").checkpoint)
        except NoCheckpointError:
            return None

    def _choose(self, checkpoints: tuple[Checkpoint, ...], choice: Choice) -> ChosenCheckpoint:
        higher = self.experiment is None or self.experiment.spec.higher_is_better
        return choose_checkpoint(checkpoints, choice, higher_is_better=higher, yardstick=self.yardstick)


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineFacts:
    """Facts about a pipeline: its stages by id, and the agents that they name."""

    stages: Mapping[int, StageFacts]
    #: Current versions by the agent's id.
    agents: Mapping[int, AgentVersion] = field(default_factory=dict[int, AgentVersion])
    #: Current versions by the agent's name.
    deployed: Mapping[str, AgentVersion] = field(default_factory=dict[str, AgentVersion])
    #: The scores of what these versions are copies of, by the name of the evaluator and the checkpoint.
    deployed_scores: Mapping[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])

    def for_stage(self, stage_id: int) -> StageFacts:
        """Return the facts about a stage; empty ones for a stage that has just been added."""
        return self.stages.get(stage_id) or StageFacts()
