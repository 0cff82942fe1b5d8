"""Decide when a stage can be triggered, its start, and what its success starts (spec 6.1-6.4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pipeline_widgets.directions import isolate, quote
from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.artifact_words import describe_kinds
from pipeline_widgets.domain.chain import (
    UNSAVED_ID,
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Gate,
    Pipeline,
    ScoreAtLeast,
    Stage,
    Trigger,
    label_stage,
)
from pipeline_widgets.domain.checkpoint import Checkpoint, ChosenCheckpoint, choose_checkpoint, is_finite
from pipeline_widgets.domain.compatibility import AlgorithmSpec, FitResult, assess_compatibility
from pipeline_widgets.domain.evaluator import how_to_score
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.domain.run import RESUMABLE
from pipeline_widgets.domain.staleness import get_source_choice
from pipeline_widgets.errors import NoCheckpointError, TriggerError


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStart:
    """The start of a run, frozen when it is triggered. Empty means from scratch."""

    checkpoint: Checkpoint | None = None
    agent_version: AgentVersion | None = None
    role: str | None = None
    #: By what the checkpoint was chosen, such as "best evaluation score 0.98, step 600".
    reason: str = ""
    #: What was consumed of the source stage; for a resumed run, what its forerunner consumed.
    source_checkpoint_id: int | None = None
    source_run_id: int | None = None
    resumed_run_id: int | None = None


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a stage cannot be triggered now, and what to do about it."""

    reason: str
    fix: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, kw_only=True, slots=True)
class NextStageDecision:
    """The effect of a stage's success on the next one: begin it, or hold it for a reason."""

    stage: Stage
    run_start: RunStart | None = None
    held_reason: str | None = None


def stage_label(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> str:
    """Return how sentences name a stage: its number, and its experiment's or agent's name."""
    return label_stage(pipeline.position(stage.id), stage_name(stage, facts))


def stage_name(stage: Stage, facts: PipelineFacts) -> str:
    """Return a stage's name: its experiment's, or its agent's."""
    if isinstance(stage, DeploymentStage):
        return stage.agent_name
    experiment = facts.for_stage(stage.id).experiment
    return experiment.name if experiment else "no experiment"


def find_blockers(
    pipeline: Pipeline, stage_id: int, facts: PipelineFacts, *, resume: bool = False
) -> tuple[Blocker, ...]:
    """Return every reason why a stage cannot be triggered now; none means that it can."""
    stage, known = pipeline.stage(stage_id), facts.for_stage(stage_id)
    found = [*find_active_blockers(pipeline, stage, facts), *find_python_blockers(known)]
    if resume:
        return (*found, *_resume_blockers(known))
    fit = assess_fit(pipeline, stage, facts)
    if not fit.fits:
        return (*found, Blocker(fit.reason, "Choose another experiment, or another start."))
    source = pipeline.source(stage_id)
    if source is not None and get_source_choice(stage) is not None:
        found += _waits_for(pipeline, stage, source, facts)
    return tuple(found)


def find_active_blockers(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> list[Blocker]:
    """Return why a stage has to wait for runs: its own, its experiment's, the previous stage's."""
    known, before, found = facts.for_stage(stage.id), pipeline.before(stage.id), list[Blocker]()
    if known.latest is not None and known.latest.status.active:
        reason = f"This stage is already {known.latest.status.lower()}."
        found.append(Blocker(reason, "Wait for it, or stop it first."))
    elif known.active_run is not None and known.experiment is not None:
        reason = f"Its experiment {quote(known.experiment.name)} is running elsewhere."
        found.append(Blocker(reason, "Wait for that run, or stop it first."))
    if before is not None and facts.for_stage(before.id).status.active:
        reason = (
            f"{stage_label(pipeline, before, facts)} is still {facts.for_stage(before.id).status.lower()}."
        )
        found.append(Blocker(reason, "Wait for it, or stop it first."))
    return found


def find_python_blockers(known: StageFacts) -> list[Blocker]:
    """Return why a stage's code cannot run here: it is byte code of another Python."""
    reason = foreign_reason(known.required_python)
    return [Blocker(reason, foreign_fix(known.required_python))] if reason is not None else []


def trigger_error(named: str, found: Sequence[Blocker]) -> TriggerError:
    """Return the error that says why a stage cannot be triggered."""
    why = " ".join(blocker.reason for blocker in found)
    return TriggerError(f"{named} cannot be triggered.", why, found[0].fix)


def assess_fit(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> FitResult:
    """Tell whether a stage's algorithm can start from what the stage is set to start from."""
    known = facts.for_stage(stage.id)
    if isinstance(stage, DeploymentStage):
        return FitResult(fits=True, reason="Any checkpoint can be deployed.")
    if known.experiment is None:
        return FitResult(fits=False, reason="It has no experiment.")
    match stage.start:
        case FromScratch():
            return assess_scratch_fit(known.experiment.spec)
        case FromAgent(agent_id):
            version = facts.agents.get(agent_id)
            if version is None:
                return FitResult(fits=False, reason="Its saved Agent is gone.")
            return assess_agent_fit(version, known.experiment)
        case _:
            return _source_fit(pipeline, stage, known.experiment, facts)


def assess_fit_at(
    pipeline: Pipeline, position: int | None, experiment: Experiment, facts: PipelineFacts
) -> FitResult:
    """Tell whether an experiment could be a new stage before `position` (at the end by default)."""
    at = len(pipeline.stages) if position is None else position
    start = FromSource("best") if at else FromScratch()
    # Whether another stage is bound to the experiment is not asked here: it may be attached as a copy.
    stage = ExperimentStage(experiment_id=UNSAVED_ID, start=start)
    tried = {**facts.stages, stage.id: StageFacts(experiment=experiment)}
    return assess_fit(pipeline.with_stage(stage, at).pipeline, stage, replace(facts, stages=tried))


def assess_scratch_fit(spec: AlgorithmSpec) -> FitResult:
    """Tell whether an algorithm can start from nothing."""
    if spec.scratch:
        return FitResult(fits=True, reason="It starts from scratch.")
    needed = describe_kinds(spec.accepted_kinds)
    return FitResult(fits=False, reason=f"{isolate(spec.name)} can't start from scratch: it needs {needed}.")


def assess_agent_fit(version: AgentVersion, experiment: Experiment) -> FitResult:
    """Tell whether an experiment can start from a saved Agent."""
    return assess_compatibility(
        version.spec, version.checkpoint.signature, experiment.spec, experiment.signature
    )


def resolve_start(pipeline: Pipeline, stage_id: int, facts: PipelineFacts) -> RunStart:
    """Return what a stage would start from now.

    Raises:
        NoCheckpointError: The source stage has no such checkpoint.
    """
    stage = pipeline.stage(stage_id)
    if isinstance(stage, ExperimentStage) and isinstance(stage.start, FromAgent):
        version = facts.agents.get(stage.start.agent_id)
        if version is None:
            raise NoCheckpointError("Its saved Agent is gone.", fix="Choose another start.")
        role = assess_fit(pipeline, stage, facts).role
        reason = f"saved Agent, version {version.number}"
        return RunStart(checkpoint=version.checkpoint, agent_version=version, role=role, reason=reason)
    source = pipeline.source(stage_id)
    if source is None or get_source_choice(stage) is None:
        return RunStart(reason="from scratch")
    chosen = choose_from_source(stage, facts.for_stage(source.id))
    return RunStart(
        checkpoint=chosen.checkpoint,
        role=assess_fit(pipeline, stage, facts).role,
        reason=chosen.reason,
        source_checkpoint_id=chosen.checkpoint.id,
        source_run_id=chosen.checkpoint.run_id,
    )


def choose_from_source(stage: Stage, source: StageFacts) -> ChosenCheckpoint:
    """Return the checkpoint of the source stage that a stage asks for.

    Raises:
        NoCheckpointError: There is none.
    """
    return source.choose(get_source_choice(stage) or "best")


def can_resume(known: StageFacts) -> bool:
    """Whether the latest run of a stage was broken off, and has saved what it can go on from."""
    return known.status in RESUMABLE and not _resume_blockers(known)


def find_resume_step(known: StageFacts) -> int | None:
    """Return at which step the latest run of a stage would be resumed; None where it cannot be."""
    return _last_checkpoint(known).step if can_resume(known) else None


def resolve_resume(known: StageFacts) -> RunStart:
    """Return what a stage goes on from: the last checkpoint of its latest run.

    Raises:
        TriggerError: There is nothing to resume.
    """
    if reasons := _resume_blockers(known):
        raise TriggerError("It cannot be resumed.", reasons[0].reason, reasons[0].fix)
    assert known.latest is not None  # noqa: S101  for the type checker: _resume_blockers has seen it
    last = _last_checkpoint(known)
    return RunStart(
        checkpoint=last,
        role="resume",
        reason=f"resumed at step {last.step}",
        source_checkpoint_id=known.latest.source_checkpoint_id,
        source_run_id=known.latest.source_run_id,
        resumed_run_id=known.latest.id,
    )


def _last_checkpoint(known: StageFacts) -> Checkpoint:
    """Return the last checkpoint of a stage's latest run, which has saved some."""
    return choose_checkpoint(known.latest_checkpoints, "final", higher_is_better=True).checkpoint


def find_next_stage(pipeline: Pipeline, stage_id: int, run_through: Collection[int] = ()) -> Stage | None:
    """Return the stage that the success of a stage starts: the next one, if that is Auto.

    Else it is the first of those after it that the run was asked to run through, Manual or not (spec 4.8).
    """
    after = pipeline.after(stage_id)
    if after is None or after.trigger is Trigger.AUTO:
        return after
    return next((each for each in pipeline.following(stage_id) if each.id in run_through), None)


def decide_next_stage(
    pipeline: Pipeline, stage_id: int, facts: PipelineFacts, run_through: Collection[int] = ()
) -> NextStageDecision | None:
    """Return the stage that a success starts, or why the stage that is next is held.

    A next stage that cannot begin is held, with the reason: silence is a defect (spec 6.7).
    """
    stage = find_next_stage(pipeline, stage_id, run_through)
    if stage is None:
        return None
    if reasons := find_blockers(pipeline, stage.id, facts):
        return NextStageDecision(stage=stage, held_reason=" ".join(map(str, reasons)))
    run_start = resolve_start(pipeline, stage.id, facts)
    if (held := find_gate_reason(pipeline, stage, run_start, facts)) is not None:
        return NextStageDecision(stage=stage, held_reason=held)
    return NextStageDecision(stage=stage, run_start=run_start)


def find_gate_blocker(
    gate: Gate,
    score: float | None,
    deployed: float | None,
    *,
    higher_is_better: bool,
    evaluator: str | None = None,
) -> str | None:
    """Return why a gate is not met, with the numbers; None where it is met.

    Args:
        gate: The gate.
        score: The evaluation score of the checkpoint.
        deployed: The evaluation score of the agent now deployed; None where there is no such agent.
        higher_is_better: The direction of the score.
        evaluator: The name of the evaluator that has given the scores; None where the algorithm has.
    """
    if not is_finite(score):
        if evaluator is None:
            return "The checkpoint has no evaluation score to compare."
        return f"The checkpoint has no score by {quote(evaluator)} to compare. {how_to_score(evaluator)}"
    sign = 1 if higher_is_better else -1
    match gate:
        case ScoreAtLeast(wanted):
            if sign * score >= sign * wanted:
                return None
            bound = "at least" if higher_is_better else "at most"
            return f"Score {score:.4g}, needs {bound} {wanted:.4g}."
        case BetterThanDeployed():
            if not is_finite(deployed) or sign * score > sign * deployed:
                return None
            return f"Score {score:.4g}, needs better than the {deployed:.4g} of the agent now deployed."


def describe_gate(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> str:
    """Return what a stage's gate asks for, as the end of a sentence; empty without a gate."""
    match stage.gate:
        case None:
            return ""
        case ScoreAtLeast(wanted):
            bound = "at least" if _higher_is_better(pipeline, stage, facts) else "at most"
            return f"if {_name_score(pipeline, stage, facts)} is {bound} {wanted:.4g}"
        case BetterThanDeployed():
            return f"if {_name_score(pipeline, stage, facts)} is better than that of the agent now deployed"


def find_gate_reason(
    pipeline: Pipeline, stage: Stage, run_start: RunStart, facts: PipelineFacts
) -> str | None:
    """Return why the gate of a stage holds it, with the numbers; None where it does not."""
    source = pipeline.source(stage.id)
    if stage.gate is None or run_start.checkpoint is None or source is None:
        return None
    judged = facts.for_stage(source.id)
    version = facts.deployed.get(stage.agent_name) if isinstance(stage, DeploymentStage) else None
    deployed, evaluator = None, None
    if judged.yardstick is not None:
        evaluator = judged.yardstick.spec.name
        deployed = facts.deployed_scores.get((evaluator, version.checkpoint.id)) if version else None
        if version is not None and deployed is None and isinstance(stage.gate, BetterThanDeployed):
            return f"The agent now deployed has no score by {quote(evaluator)} to compare."
    elif version is not None:
        deployed = version.checkpoint.evaluation_score
    return find_gate_blocker(
        stage.gate,
        judged.score_of(run_start.checkpoint),
        deployed,
        higher_is_better=judged.higher_is_better,
        evaluator=evaluator,
    )


def _higher_is_better(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> bool:
    """The direction of the score by which a stage's source is judged."""
    source = pipeline.source(stage.id)
    return source is None or facts.for_stage(source.id).higher_is_better


def _name_score(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> str:
    """Name the score by which a stage's source is judged."""
    source = pipeline.source(stage.id)
    yardstick = facts.for_stage(source.id).yardstick if source else None
    return "the evaluation score" if yardstick is None else f"the score by {quote(yardstick.spec.name)}"


def _source_fit(pipeline: Pipeline, stage: Stage, candidate: Experiment, facts: PipelineFacts) -> FitResult:
    source = pipeline.source(stage.id)
    known = facts.for_stage(source.id) if source else StageFacts()
    if known.experiment is None:
        return FitResult(fits=False, reason="Its source stage has no experiment.")
    made = known.experiment.signature
    if known.checkpoints:  # what was really made says more than what the config promises
        made = {**made, **choose_or_last(stage, known).signature}
    return assess_compatibility(known.experiment.spec, made, candidate.spec, candidate.signature)


def choose_or_last(stage: Stage, source: StageFacts) -> Checkpoint:
    """Return the checkpoint that a stage asks for, or the last one where that one does not exist."""
    try:
        return choose_from_source(stage, source).checkpoint
    except NoCheckpointError:
        return source.checkpoints[-1]


def _waits_for(
    pipeline: Pipeline, stage: Stage, source: ExperimentStage, facts: PipelineFacts
) -> list[Blocker]:
    known, named = facts.for_stage(source.id), stage_label(pipeline, source, facts)
    if not known.checkpoints:
        return [Blocker(f"Waiting for a checkpoint from {named}.", f"Trigger {named} first.")]
    try:
        choose_from_source(stage, known)
    except NoCheckpointError as error:
        return [Blocker(error.what, error.fix)]
    return []


def _resume_blockers(known: StageFacts) -> tuple[Blocker, ...]:
    over = "Trigger the stage to start over."
    if known.latest is None:
        return (Blocker("There is no run to resume.", "Trigger the stage first."),)
    if known.latest.status.active:
        return ()  # said already
    if known.latest.status not in RESUMABLE:
        return (
            Blocker(f"Its latest run is {known.latest.status.lower()}: there is nothing left to do.", over),
        )
    if known.experiment is None:
        return (Blocker("A deployment cannot be resumed.", over),)
    if not known.latest_checkpoints:
        return (Blocker("Its latest run has saved no checkpoint to resume from.", over),)
    return ()
