"""Stages of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline_widgets.api.arguments import (
    UNSET,
    GateArgument,
    ResourcesArgument,
    StartArgument,
    Unset,
    placement_from_arguments,
    start_from_argument,
)
from pipeline_widgets.api.experiment import Experiment
from pipeline_widgets.api.handle import Handle, id_in, of_items
from pipeline_widgets.api.listing import Listing
from pipeline_widgets.api.run import Run, runs
from pipeline_widgets.api.trigger_notes import warn_of
from pipeline_widgets.application import Services
from pipeline_widgets.domain import chain
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage
from pipeline_widgets.domain.plan import Plan
from pipeline_widgets.domain.rollup import StageSummary
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.stage_settings import parse_choice, parse_gate, parse_retries, parse_trigger
from pipeline_widgets.domain.staleness import StaleReason
from pipeline_widgets.errors import ConfigError, RuleError
from pipeline_widgets.services.queries.pipeline_state import StageState


class Stage(Handle):
    """One stage: an experiment to run, or a checkpoint to deploy."""

    kind = "stage"

    def __init__(self, services: Services, id_: int, also: tuple[str, ...] = ()) -> None:
        super().__init__(services, id_)
        #: What was changed along when it was added, one sentence each.
        self.also = also

    def __repr__(self) -> str:
        state = self._now
        stale = ", stale" if state.staleness.stale else ""
        return f"Stage({state.name!r}, {self.type}, {state.stage.trigger}, {state.status}{stale})"

    @property
    def type(self) -> str:
        """Whether it is an "Experiment" or a "Deployment" stage."""
        return self._stage.type

    @property
    def name(self) -> str:
        """Its experiment's name, or its agent's."""
        return self._summary.name

    @property
    def position(self) -> int:
        """Its position in the pipeline, counted from 0."""
        return self._services.pipelines.stage(self._id)[1]

    @property
    def trigger_type(self) -> str:
        """Its trigger: "manual" or "auto"."""
        return str(self._summary.trigger)

    @property
    def retries(self) -> int:
        """The number of retries of a run that crashes."""
        stage = self._stage
        return stage.retries if isinstance(stage, ExperimentStage) else 0

    @property
    def launcher(self) -> str | None:
        """The launcher of its runs, as set on itself; None where its experiment or workspace decides."""
        stage = self._stage
        return stage.placement.launcher if isinstance(stage, ExperimentStage) else None

    @property
    def resources(self) -> dict[str, Any] | None:
        """The resources of its runs (bytes, seconds), as set on itself; None where its experiment decides."""
        stage = self._stage
        asked = stage.placement.resources if isinstance(stage, ExperimentStage) else None
        return None if asked is None else asked.to_json()

    @property
    def experiment(self) -> Experiment | None:
        """The experiment of an Experiment stage."""
        stage = self._stage
        if isinstance(stage, DeploymentStage):
            return None
        return Experiment(self._services, stage.experiment_id)

    @property
    def status(self) -> Status:
        """The status of its latest run; Draft without one."""
        self._services.reconcile()
        return self._summary.status

    @property
    def stale(self) -> bool:
        """Whether its latest success did not consume the latest of its source stage."""
        return self._now.staleness.stale

    @property
    def stale_reasons(self) -> tuple[StaleReason, ...]:
        """Why it is stale, one sentence each.

        A reason is a text that has `changes` as well: what the run used and what there is now, each with
        `name`, `old` and `new`.
        """
        staleness = self._now.staleness
        return staleness.reasons if staleness.stale else ()

    @property
    def accepted(self) -> str | None:
        """The note with which its staleness was accepted as fresh, while that holds."""
        return self._now.accepted

    @property
    def blockers(self) -> tuple[str, ...]:
        """Why it cannot be triggered now, one sentence each; empty where it can."""
        self._services.reconcile()
        return self._services.states.blockers(self._id)

    @property
    def held(self) -> str | None:
        """Why it did not start although the stage before it succeeded."""
        return self._summary.held

    @property
    def run(self) -> Run | None:
        """Its latest run of the experiment that it is bound to."""
        latest = self._services.runs.latest_of_stage(self._id)
        return Run(self._services, latest.id) if latest else None

    @property
    def runs(self) -> Listing[Run]:
        """All its runs, oldest first."""
        return runs(self._services, self._services.runs.of_stage(self._id))

    def plan(self, *, resume: bool = False) -> Plan:
        """Return what triggering it will do: what runs, what follows, what turns stale.

        Args:
            resume: Whether the last run is resumed instead of starting a new one.
        """
        return self._services.runs.plan(self._id, resume=resume)

    def trigger(self, *, resume: bool = False) -> Run:
        """Start a run, in a process of its own that outlives the kernel.

        Warns of the notes of its plan: where the code here is another one than the stage ran, or was set up
        with in another notebook; and of the folder in which a resumed run goes on, if it is another one.

        Args:
            resume: Resume from its own last checkpoint instead of starting over.

        Raises:
            TriggerError: It cannot start now; the reason is one of `blockers`.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
        """
        run = self._services.trigger(self._id, resume=resume, tell=warn_of)
        return Run(self._services, run.id)

    def stop(self) -> None:
        """Ask its active run to stop; checkpoints saved so far stay.

        Raises:
            RuleError: It is not active.
        """
        latest = self.run
        if latest is None:
            raise RuleError("There is nothing to stop.", "The stage has never run.", "Trigger it first.")
        latest.stop()

    def update(
        self,
        *,
        trigger: str | None = None,
        start: StartArgument | None = None,
        experiment: Experiment | None = None,
        duplicate: bool = False,
        auto_add_agent: bool | None = None,
        agent_name: str | None = None,
        description: str | None = None,
        checkpoint: Any = None,
        gate: GateArgument | Unset = UNSET,
        retries: int | None = None,
        launcher: str | Unset | None = UNSET,
        resources: ResourcesArgument | Unset = UNSET,
    ) -> tuple[str, ...]:
        """Change its settings; what is left out stays. Returns what was changed along.

        Args:
            trigger: "manual" or "auto".
            start: "scratch" or an Agent for the first stage; "best", "final" or a step for later ones.
            experiment: Another experiment.
            duplicate: Attach a copy of the experiment.
            auto_add_agent: Add the best checkpoint to Agents when complete.
            agent_name: The agent of a Deployment stage.
            description: The description of that agent.
            checkpoint: "best", "final" or a step, of a Deployment stage.
            gate: A bound for the evaluation score, "better than deployed", or None.
            retries: How often a run that crashes is retried.
            launcher: Where runs of an Experiment stage are launched that are triggered from now on; None
                leaves it to the experiment, or the workspace.
            resources: What they ask for; None leaves it to the experiment, or the workspace.

        Raises:
            InUseError: It is active.
            OrderError: The settings cannot hold where it stands.
            DoesNotFitError: The experiment cannot start from what its source stage produces.
        """
        common: dict[str, Any] = {}
        if trigger is not None:
            common["trigger"] = parse_trigger(trigger)
            if trigger == "manual" and gate is UNSET:
                common["gate"] = None
        if not isinstance(gate, Unset):
            common["gate"] = parse_gate(gate)
        training = {
            "start": ("start", start_from_argument(self._services, start)),
            "experiment": (
                "experiment_id", id_in(self._services, experiment, Experiment) if experiment else None,
            ),
            "auto_add_agent": ("auto_add_agent", auto_add_agent),
            "retries": ("retries", parse_retries(retries) if retries is not None else None),
            "launcher": ("placement", None if launcher is UNSET else launcher or "local"),
            "resources": ("placement", None if resources is UNSET else resources or {}),
        }  # fmt: skip
        deploying = {
            "agent_name": ("agent_name", agent_name),
            "description": ("agent_description", description),
            "checkpoint": ("choice", parse_choice(checkpoint) if checkpoint is not None else None),
        }

        def settings(stage: chain.Stage) -> chain.Stage:
            trains = isinstance(stage, ExperimentStage)
            mine, other = (training, deploying) if trains else (deploying, training)
            if wrong := [name for name, (_, value) in other.items() if value is not None]:
                kind = "an Experiment" if trains else "a Deployment"
                what = f"{wrong[0]!r} is not a setting of {kind} stage."
                raise ConfigError(what, fix=f"It has {', '.join(mine)}, trigger and gate.")
            given: dict[str, Any] = {key: value for key, value in mine.values() if value is not None}
            if isinstance(stage, ExperimentStage):
                given["placement"] = placement_from_arguments(stage.placement, launcher, resources)
            return replace(stage, **common, **given)

        return self._services.pipelines.update_stage(self._id, settings, duplicate=duplicate)

    def move(self, position: int) -> tuple[str, ...]:
        """Move it to a position, counted from 0 as in `pipe.stages`. Returns what was changed along.

        Args:
            position: Where it goes, counted from 0 as in `pipe.stages`.

        Raises:
            InUseError: It is active.
            OrderError: The stages could not stand in that order.
        """
        return self._services.pipelines.move_stage(self._id, position)

    def delete(self) -> tuple[str, ...]:
        """Remove it; its runs stay. Returns what was changed along.

        Raises:
            InUseError: It is active.
            OrderError: A Deployment stage would come first.
        """
        return self._services.pipelines.delete_stage(self._id)

    def accept_as_fresh(self, note: str = "") -> None:
        """Let it count as fresh until something upstream changes again.

        Args:
            note: Why, for the history.

        Raises:
            RuleError: It is not stale.
        """
        self._services.pipelines.accept_as_fresh(self._id, note)

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return _row(self._now)

    @property
    def _stage(self) -> chain.Stage:
        return self._services.pipelines.stage(self._id)[0]

    @property
    def _summary(self) -> StageSummary:
        return self._services.states.summary(self._id)

    @property
    def _now(self) -> StageState:
        return self._services.states.of_stage(self._id)


def stages(services: Services, pipeline_id: int) -> Listing[Stage]:
    """Return a listing of a pipeline's stages, in order.

    Args:
        services: The workspace.
        pipeline_id: The pipeline.
    """

    def rows(listed: Sequence[Stage]) -> list[dict[str, Any]]:
        services.reconcile()
        states = services.states.pipeline(pipeline_id).stages
        return of_items(listed, {state.stage.id: _row(state) for state in states})

    def names() -> list[str]:
        known = services.states.names(pipeline_id)
        return [known.get(each.id, "") for each in found]

    found = services.pipelines.get(pipeline_id).stages
    return Listing("stage", (Stage(services, each.id) for each in found), rows, names)


def _row(state: StageState) -> dict[str, Any]:
    return {
        "stage": state.position + 1,
        "type": state.stage.type,
        "name": state.name,
        "trigger": str(state.stage.trigger),
        "status": str(state.status),
        "stale": state.staleness.stale,
        "run": state.run.number if state.run else None,
        "evaluation_score": state.score,
        "why": "; ".join(_why(state)),
    }


def _why(state: StageState) -> list[str]:
    """Why it is stale, held or broken: of an error the first line of its message."""
    failure = state.run.get_failure() if state.run else None
    stale = state.staleness.reasons if state.staleness.stale else ()
    said = failure.message.splitlines()[:1] if failure else []
    return [*stale, *filter(None, [state.held]), *said]
