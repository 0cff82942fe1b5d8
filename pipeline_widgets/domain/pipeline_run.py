"""Running a whole pipeline: where it starts, what follows, and why there is nothing to do (spec 4.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.chain import ExperimentStage, Pipeline, Stage, Trigger
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.plan import Plan, make_plan
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.staleness import Staleness, compute_staleness
from pipeline_widgets.domain.triggering import (
    Blocker,
    find_blockers,
    find_gate_reason,
    resolve_resume,
    resolve_start,
    stage_label,
)
from pipeline_widgets.errors import PipelineError, TriggerError


class RunGoal(StrEnum):
    """The purpose of a run of a pipeline."""

    #: Run what is next, from the first stage that has not succeeded.
    NEXT = "run"
    #: Run again what is stale, from the first stage that is.
    UP_TO_DATE = "bring up to date"


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelinePlan:
    """The effects of a run of a pipeline."""

    goal: RunGoal
    #: The stage that runs first; None where there is nothing to do.
    stage_id: int | None = None
    #: What happens from there; None where there is nothing to do.
    plan: Plan | None = None
    #: Whether the first stage goes on from its own last checkpoint.
    resume: bool = False
    #: From where it could, such as "resumed at step 300"; None where it cannot.
    resumable: str | None = None
    #: The Manual stages on the way, run through or not.
    manual: tuple[str, ...] = ()
    #: The ids of the stages that are started without a person, though they are not Auto.
    run_through: tuple[int, ...] = ()
    #: Why there is nothing to do.
    nothing: Blocker | None = None

    @property
    def reason(self) -> str:
        """Why it cannot start now; empty where it can."""
        if self.plan is None:
            return self.nothing.reason if self.nothing else ""
        return " ".join(self.plan.blockers)

    @property
    def to_be_confirmed(self) -> bool:
        """Whether a person should see it before it starts."""
        return self.plan is not None and (
            self.plan.to_be_confirmed or bool(self.manual) or self.resumable is not None
        )

    def __str__(self) -> str:
        if self.plan is None:
            return f"Nothing to do: {self.reason}"
        return str(self.plan)


def make_pipeline_plan(
    pipeline: Pipeline,
    facts: PipelineFacts,
    goal: RunGoal = RunGoal.NEXT,
    *,
    run_through: bool = False,
    start_over: bool = False,
    from_stage: int | None = None,
    stale: Mapping[int, Staleness] | None = None,
) -> PipelinePlan:
    """Return the plan of a run of a pipeline.

    A stage that was stopped, failed or crashed goes on from its own last checkpoint, unless it would start
    from another checkpoint now, or with another config.

    Args:
        pipeline: The pipeline.
        facts: What is known about it.
        goal: What the run is for.
        run_through: Whether Manual stages on the way are started too, instead of waiting for a person.
        start_over: Whether a stage that could be resumed begins again.
        from_stage: The stage that a person has asked to run again first, from its beginning, whatever its
            gate says; None takes the first that the goal asks for.
        stale: The staleness of its stages, where that is known already.
    """
    stale = compute_staleness(pipeline, facts) if stale is None else stale
    is_chosen = from_stage is not None
    first = pipeline.stage(from_stage) if is_chosen else _find_first(pipeline, facts, goal, stale)
    if isinstance(first, Blocker):
        return PipelinePlan(goal=goal, nothing=first)
    resumable = None if is_chosen else _find_resumable(pipeline, first, facts)
    resume = resumable is not None and not start_over
    whole = _find_way(pipeline, first, facts, goal, stale)
    way = whole[: next((at for at, each in enumerate(whole) if not each[1]), None)]
    asked = tuple(stage for stage, is_automatic in whole if not is_automatic)
    following = [stage for stage, _ in (whole if run_through else way)]
    plan = make_plan(
        pipeline,
        first.id,
        facts,
        resume=resume,
        following=following,
        stops_before=() if run_through else asked,
    )
    if not resume and not is_chosen and (held := _find_held(pipeline, first, facts)) is not None:
        plan = replace(plan, blockers=(*plan.blockers, str(held)))
    return PipelinePlan(
        goal=goal,
        stage_id=first.id,
        plan=plan,
        resume=resume,
        resumable=resumable,
        manual=tuple(stage_label(pipeline, each, facts) for each in asked),
        run_through=tuple(each.id for each in asked) if run_through else (),
    )


def find_run_blockers(
    pipeline: Pipeline, facts: PipelineFacts, goal: RunGoal, stale: Mapping[int, Staleness]
) -> tuple[Blocker, ...]:
    """Return why a pipeline cannot be run now: the same as its plan says, without making one."""
    first = _find_first(pipeline, facts, goal, stale)
    if isinstance(first, Blocker):
        return (first,)
    if _find_resumable(pipeline, first, facts) is not None:
        return ()
    if found := find_blockers(pipeline, first.id, facts):
        return found
    held = _find_held(pipeline, first, facts)
    return () if held is None else (held,)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOffer:
    """Whether a pipeline can be run now, and brought up to date: why not, or nothing where it can."""

    next: str
    up_to_date: str
    #: Whether there is anything to bring up to date.
    is_stale: bool


def offer_runs(pipeline: Pipeline, facts: PipelineFacts, stale: Mapping[int, Staleness]) -> RunOffer:
    """Return which runs of a pipeline can be offered."""

    def why(goal: RunGoal) -> str:
        found = find_run_blockers(pipeline, facts, goal, stale)
        return " ".join(f"{each.reason} {each.fix}" for each in found)

    return RunOffer(
        next=why(RunGoal.NEXT),
        up_to_date=why(RunGoal.UP_TO_DATE),
        is_stale=any(stale[stage.id].stale for stage in pipeline.stages),
    )


def pipeline_run_error(pipeline: Pipeline, plan: PipelinePlan, from_stage: int | None = None) -> TriggerError:
    """Return the error that says why a pipeline cannot be run, or run again from a stage."""
    verb = "run" if plan.goal is RunGoal.NEXT else "brought up to date"
    if from_stage is not None:
        verb = f"run again from stage {pipeline.position(from_stage) + 1}"
    fix = plan.nothing.fix if plan.nothing else "See pipe.plan() and pipe.check()."
    return TriggerError(f"Pipeline {quote(pipeline.name)} cannot be {verb}.", plan.reason, fix)


def _find_first(
    pipeline: Pipeline, facts: PipelineFacts, goal: RunGoal, stale: Mapping[int, Staleness]
) -> Stage | Blocker:
    """Return the stage that runs first, or why none does."""
    if not pipeline.stages:
        return Blocker("The pipeline has no stages.", "Add a stage.")
    for stage in pipeline.stages:
        if (status := facts.for_stage(stage.id).status).active:
            reason = f"{stage_label(pipeline, stage, facts)} is {status.lower()}."
            return Blocker(reason, "Wait for it, or stop it first.")
    if goal is RunGoal.UP_TO_DATE:
        return _find_first_stale(pipeline, facts, stale)
    for stage in pipeline.stages:
        known = facts.for_stage(stage.id)
        if known.status is not Status.SUCCEEDED or known.held is not None:
            return stage
    old = sum(each.stale for each in stale.values())
    if old:
        count = "1 stage is" if old == 1 else f"{old} stages are"
        return Blocker(f"Every stage has succeeded; {count} stale.", "Bring it up to date.")
    return Blocker("Every stage has succeeded.", "Trigger a stage to run it again.")


def _find_first_stale(
    pipeline: Pipeline, facts: PipelineFacts, stale: Mapping[int, Staleness]
) -> Stage | Blocker:
    """Return the first stale stage, or the one before it whose checkpoint it would wait for."""
    first = next((stage for stage in pipeline.stages if stale[stage.id].stale), None)
    if first is None:
        return Blocker("No stage is stale.", "Trigger a stage to run it again.")
    waits_for = [each for each in pipeline.ancestors(first.id) if not facts.for_stage(each.id).checkpoints]
    return waits_for[-1] if waits_for else first


def _find_way(
    pipeline: Pipeline, first: Stage, facts: PipelineFacts, goal: RunGoal, stale: Mapping[int, Staleness]
) -> Sequence[tuple[Stage, bool]]:
    """Return the stages that run after the first, each with whether it starts automatically.

    An Auto stage starts whenever the stage before it succeeds. Others are on the way where they are due:
    what feeds them runs again, or they have not succeeded, or are stale. To bring a pipeline up to date is
    not to run what has never succeeded, unless what has succeeded after it is fed by it.
    """
    found: list[tuple[Stage, bool]] = []
    runs, before, is_fed = {first.id}, first, isinstance(first, ExperimentStage)
    for stage in pipeline.following(first.id):
        known = facts.for_stage(stage.id)
        is_automatic = stage.trigger is Trigger.AUTO and before.id in runs
        is_due = known.status is not Status.SUCCEEDED or stale[stage.id].stale or is_fed
        if goal is RunGoal.UP_TO_DATE and known.succeeded is None:
            is_due = any(facts.for_stage(fed.id).succeeded for fed in pipeline.fed_by(stage.id))
        if is_automatic or is_due:
            found.append((stage, is_automatic))
            runs.add(stage.id)
            is_fed |= isinstance(stage, ExperimentStage)
        before = stage
    return found


def _find_resumable(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> str | None:
    """Return from where a stage can be resumed, if that is with what it would begin with now."""
    if find_blockers(pipeline, stage.id, facts, resume=True) or not _is_current(pipeline, stage, facts):
        return None
    return resolve_resume(facts.for_stage(stage.id)).reason


def _is_current(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> bool:
    """Return whether the latest run began with the source and the config that a new one would have."""
    known = facts.for_stage(stage.id)
    if known.latest is None or known.experiment is None:
        return False
    try:
        start = resolve_start(pipeline, stage.id, facts)
    except PipelineError:  # what it began with is gone; its own checkpoints are not
        return True
    same_source = known.latest.source_checkpoint_id == start.source_checkpoint_id
    return same_source and known.latest.config_digest == known.experiment.config_digest


def _find_held(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> Blocker | None:
    """Return why the gate of the first stage holds it: to run a pipeline passes no gate."""
    if find_blockers(pipeline, stage.id, facts):
        return None
    reason = find_gate_reason(pipeline, stage, resolve_start(pipeline, stage.id, facts), facts)
    if reason is None:
        return None
    return Blocker(f"{stage_label(pipeline, stage, facts)} is held. {reason}", "Trigger it in spite of that.")
