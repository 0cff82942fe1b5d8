"""The state of a pipeline's stages at one moment: a frozen value, equal as long as nothing changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pipeline_widgets.domain.chain import ExperimentStage, Pipeline, Stage, label_stage
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.pipeline_run import RunOffer, offer_runs
from pipeline_widgets.domain.rollup import StageSummary
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.stage_settings import describe_settings
from pipeline_widgets.domain.staleness import Staleness, compute_staleness
from pipeline_widgets.domain.triggering import describe_gate, find_blockers, find_resume_step, stage_name
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services import pipeline_facts


@dataclass(frozen=True, kw_only=True, slots=True)
class StageState:
    """One stage: its settings, and where it stands."""

    stage: Stage
    #: Counted from 0.
    position: int
    #: Its experiment's or its agent's name.
    name: str
    status: Status
    staleness: Staleness
    #: Why it cannot be triggered now; empty where it can.
    blockers: tuple[str, ...]
    #: What its gate asks for, as the end of a sentence; empty without a gate.
    condition: str
    #: Why it did not start although the stage before it succeeded.
    held: str | None
    run: Run | None
    #: The note with which its staleness was accepted, while that holds.
    accepted: str | None
    #: The evaluation score of the best checkpoint of that run, or of what was deployed.
    score: float | None
    #: The step of the checkpoint from which that run can be resumed; None where it cannot.
    resume_step: int | None = None
    #: What its experiment trains with; None of a Deployment.
    algorithm: str | None = None
    #: The position of its source stage; None where there is none before it.
    source: int | None = None

    @property
    def resumable(self) -> bool:
        """Whether its latest run was broken off, and can be resumed."""
        return self.resume_step is not None

    @property
    def label(self) -> str:
        """Its name in a sentence."""
        return label_stage(self.position, self.name)

    @property
    def marks(self) -> tuple[str, ...]:
        """Its status, and whether it is stale or held, in words."""
        extra = (("Stale", self.staleness.stale), ("Held", bool(self.held)))
        return (str(self.status), *(word for word, holds in extra if holds))


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineState:
    """A pipeline with the states of its stages."""

    pipeline: Pipeline
    stages: tuple[StageState, ...]
    runs: RunOffer

    def stage(self, stage_id: int) -> StageState:
        """Return the state of one stage; NotFoundError without it."""
        return self.stages[self.pipeline.position(stage_id)]

    def describe_settings(self, stage_id: int) -> tuple[str, ...]:
        """Describe the settings of a stage, one sentence each; they name the stages before it."""
        state, source = self.stage(stage_id), self.pipeline.source(stage_id)
        return describe_settings(
            state.stage,
            source=self.stage(source.id).label if source else "",
            before=self.stages[state.position - 1].label if state.position else "",
            condition=state.condition,
        )

    @property
    def running(self) -> StageState | None:
        """The stage that runs now, which of several is the one that was triggered last; None at rest."""
        active = [state for state in self.stages if state.status.active and state.run is not None]
        return max(active, key=_began, default=None)

    @property
    def settled(self) -> bool:
        """Whether nothing is active, so that without a person nothing will happen."""
        return not any(state.status.active for state in self.stages)


class PipelineStateQueries:
    """Read models for display."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pipeline(self, pipeline_id: int) -> PipelineState:
        """Return a pipeline with the states of its stages."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            known = pipeline_facts.load(work, pipeline)
        stale = compute_staleness(pipeline, known)
        sources = pipeline.source_positions()
        return PipelineState(
            pipeline=pipeline,
            stages=tuple(
                StageState(
                    stage=stage,
                    position=at,
                    name=stage_name(stage, known),
                    status=known.for_stage(stage.id).status,
                    staleness=stale[stage.id],
                    blockers=tuple(map(str, find_blockers(pipeline, stage.id, known))),
                    condition=describe_gate(pipeline, stage, known),
                    held=known.for_stage(stage.id).held,
                    run=_without_beat(known.for_stage(stage.id).latest),
                    accepted=known.for_stage(stage.id).note if stale[stage.id].accepted else None,
                    score=_score(pipeline, stage, known),
                    resume_step=find_resume_step(known.for_stage(stage.id)),
                    algorithm=_algorithm(known.for_stage(stage.id)),
                    source=sources[at],
                )
                for at, stage in enumerate(pipeline.stages)
            ),
            runs=offer_runs(pipeline, known, stale),
        )

    def with_runs(
        self, state: PipelineState, run_ids: Collection[int], known: Mapping[int, Run]
    ) -> PipelineState:
        """Return a state with what these runs have reported since; nothing else has been written.

        Args:
            state: The state.
            run_ids: The runs.
            known: Runs, by their ids, that were read just now.
        """
        latest = {each.run.id for each in state.stages if each.run is not None} & {*run_ids}
        runs = {each: known[each] for each in latest if each in known}
        if missing := latest - runs.keys():
            with self._store.read() as work:
                runs |= work.runs.by_id(missing)
        stages = (
            replace(each, run=_without_beat(runs[each.run.id]))
            if each.run is not None and each.run.id in runs
            else each
            for each in state.stages
        )
        return replace(state, stages=tuple(stages))

    def of_stage(self, stage_id: int) -> StageState:
        """Return the state of one stage; NotFoundError without it."""
        with self._store.read() as work:
            pipeline_id = work.pipelines.of_stage(stage_id).id
        return self.pipeline(pipeline_id).stage(stage_id)

    def names(self, pipeline_id: int) -> Mapping[int, str]:
        """Return the names of a pipeline's stages, by their ids."""
        with self._store.read() as work:
            return work.pipelines.stage_names(pipeline_id)

    def summary(self, stage_id: int) -> StageSummary:
        """Return the name and the status of one stage, by one query; NotFoundError without it."""
        with self._store.read() as work:
            return work.pipelines.summary(stage_id)

    def blockers(self, stage_id: int) -> tuple[str, ...]:
        """Return why a stage cannot be triggered now; empty where it can."""
        with self._store.read() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            known = pipeline_facts.load(work, pipeline, pipeline.deciding(stage_id), consumption=False)
        return tuple(map(str, find_blockers(pipeline, stage_id, known)))

    def ran_elsewhere(self, stage_id: int) -> bool:
        """Return whether a stage never ran but its experiment did: a duplicate is offered then (spec 3.4)."""
        with self._store.read() as work:
            stage = work.pipelines.of_stage(stage_id).stage(stage_id)
            if not isinstance(stage, ExperimentStage):
                return False
            runs = work.runs.of_experiment(stage.experiment_id)
        return bool(runs) and all(run.stage_id != stage_id for run in runs)


def _began(state: StageState) -> tuple[bool, int]:
    """Order active stages: what runs comes after what waits, and then by the trigger."""
    return state.status is not Status.PENDING, state.run.id if state.run else 0


def _without_beat(run: Run | None) -> Run | None:
    """A heartbeat changes nothing that is shown."""
    return replace(run, beat_at=None) if run else None


def _algorithm(facts: StageFacts) -> str | None:
    return facts.experiment.spec.name if facts.experiment is not None else None


def _score(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> float | None:
    """Return the score of the best that a stage made, or of what it deployed, by what Best goes by."""
    known = facts.for_stage(stage.id)
    if known.experiment is not None:
        return known.best_score
    source = pipeline.source(stage.id)
    if known.consumed is None or source is None:
        return known.consumed.evaluation_score if known.consumed else None
    return facts.for_stage(source.id).score_of(known.consumed)
