"""Where a run of a pipeline starts, what follows, and why there is nothing to do (spec 4.8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories.values import (
    a_chain,
    a_checkpoint,
    a_pipeline,
    a_run,
    an_experiment,
    facts_of,
    succeeded,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import Pipeline, ScoreAtLeast, Trigger
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.pipeline_run import RunGoal, make_pipeline_plan
from pipeline_widgets.domain.run import RESUMABLE, Status
from pipeline_widgets.domain.staleness import compute_staleness
from pipeline_widgets.domain.triggering import find_next_stage

pytestmark = pytest.mark.spec("4.8")

NAMES = ("SFT", "GRPO", "deploy", "GRPO")
MANUAL = a_chain(*NAMES)
AUTO = a_chain(*NAMES, trigger="auto")
FIRST, AGAIN = a_checkpoint(10, 0.5, run_id=1), a_checkpoint(10, 0.6, run_id=9)


def done(stage_id: int, run_id: int, used: int | None = None) -> dict[str, Any]:
    """Return what is known of a stage that has succeeded with a checkpoint of a run."""
    source = a_checkpoint(10, run_id=used) if used else None
    experiment = None if stage_id == 3 else an_experiment(stage_id)
    run = a_run(run_id, of=experiment, source=source)
    of = a_run(used, of=an_experiment(1 if stage_id == 2 else 2)) if used else None
    return succeeded(run, a_checkpoint(10, 0.5, run_id=run_id), consumed=source, used=of)


FINISHED = {
    "stage_1": done(1, 1),
    "stage_2": done(2, 2, 1),
    "stage_3": done(3, 3, 2),
    "stage_4": done(4, 4, 2),
}
#: Stage 1 has run again.
OLD = {**FINISHED, "stage_1": done(1, 9)}


def test_a_pipeline_runs_from_the_first_stage_that_has_not_succeeded() -> None:
    """Auto stages follow, and no stage is on the way that would ask anybody."""
    made = make_pipeline_plan(AUTO, facts_of(*NAMES))
    assert made.plan is not None
    assert (made.stage_id, made.manual, made.run_through) == (1, (), ())
    assert made.plan.follows == ("Stage 2 (grpo-2)", "Stage 3 (agent-3)", "Stage 4 (grpo-4)")
    second = make_pipeline_plan(AUTO, facts_of(*NAMES, stage_1=done(1, 1)))
    assert (second.stage_id, second.reason) == (2, "")


def test_manual_stages_on_the_way_are_named_and_ask() -> None:
    """The chain stops before the first of them, or runs through them all."""
    last_is_auto = MANUAL.with_stage_replaced(replace(MANUAL.stages[3], trigger=Trigger.AUTO)).pipeline
    stops = make_pipeline_plan(last_is_auto, facts_of(*NAMES))
    assert stops.plan is not None
    assert stops.manual == ("Stage 2 (grpo-2)", "Stage 3 (agent-3)")
    assert (stops.plan.follows, stops.plan.stops_before, stops.run_through) == ((), stops.manual, ())
    assert stops.to_be_confirmed
    through = make_pipeline_plan(last_is_auto, facts_of(*NAMES), run_through=True)
    assert through.plan is not None
    assert through.plan.follows == ("Stage 2 (grpo-2)", "Stage 3 (agent-3)", "Stage 4 (grpo-4)")
    assert (through.plan.stops_before, through.run_through) == ((), (2, 3))
    assert through.plan.redeploys == ("agent-3",)


def test_there_is_nothing_to_run_where_every_stage_has_succeeded() -> None:
    """It says so, and what is stale can be brought up to date."""
    fresh, old = (make_pipeline_plan(MANUAL, facts_of(*NAMES, **known)) for known in (FINISHED, OLD))
    assert (fresh.stage_id, fresh.reason) == (None, "Every stage has succeeded.")
    assert (old.stage_id, old.reason) == (None, "Every stage has succeeded; 3 stages are stale.")
    assert str(old) == "Nothing to do: Every stage has succeeded; 3 stages are stale."


def test_to_bring_up_to_date_starts_at_the_first_stale_stage() -> None:
    """What it feeds is run again with it; where nothing is stale there is nothing to do."""
    made = make_pipeline_plan(MANUAL, facts_of(*NAMES, **OLD), RunGoal.UP_TO_DATE, run_through=True)
    assert made.plan is not None
    assert (made.stage_id, made.run_through, made.plan.reruns) == (2, (3, 4), True)
    assert made.plan.turns_stale == ()
    fresh = make_pipeline_plan(MANUAL, facts_of(*NAMES, **FINISHED), RunGoal.UP_TO_DATE)
    assert (fresh.stage_id, fresh.reason) == (None, "No stage is stale.")


def test_to_bring_up_to_date_runs_nothing_that_has_never_succeeded() -> None:
    """Unless a stale stage is fed by it: then it comes first, however many of them there are."""
    known = {**OLD, "stage_4": {}}
    made = make_pipeline_plan(MANUAL, facts_of(*NAMES, **known), RunGoal.UP_TO_DATE, run_through=True)
    assert (made.stage_id, made.run_through) == (2, (3,))
    names = ("SFT", "GRPO", "GRPO", "GRPO")
    inserted = facts_of(*names, stage_1=done(1, 1), stage_4=done(4, 4, 1))
    made = make_pipeline_plan(a_chain(*names), inserted, RunGoal.UP_TO_DATE, run_through=True)
    assert (made.stage_id, made.run_through) == (2, (3, 4))


def test_a_stale_deployment_takes_nothing_with_it() -> None:
    """No stage is fed by a deployment, so that a stage after it which is as it should be is passed over."""
    known = {**FINISHED, "stage_3": done(3, 3, 7)}
    made = make_pipeline_plan(MANUAL, facts_of(*NAMES, **known), RunGoal.UP_TO_DATE, run_through=True)
    assert (made.stage_id, made.run_through, made.manual) == (3, (), ())


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.STOPPING])
@pytest.mark.parametrize("goal", RunGoal)
def test_a_pipeline_in_which_a_stage_is_active_waits_for_it(status: Status, goal: RunGoal) -> None:
    """Whatever else there is to do."""
    active = {"latest": a_run(5, status, of=an_experiment(2))}
    made = make_pipeline_plan(MANUAL, facts_of(*NAMES, stage_2=active), goal)
    assert (made.stage_id, made.reason) == (None, f"Stage 2 (grpo-2) is {status.lower()}.")


def test_an_empty_pipeline_has_nothing_to_run() -> None:
    """It says what to do."""
    made = make_pipeline_plan(a_pipeline(), facts_of())
    assert made.nothing is not None
    assert (made.reason, made.nothing.fix) == ("The pipeline has no stages.", "Add a stage.")


@pytest.mark.parametrize("status", sorted(RESUMABLE))
def test_a_stage_that_was_broken_off_goes_on_from_its_own_last_checkpoint(status: Status) -> None:
    """Or begins again, where that is asked for, or where it would begin with something else now."""
    broken = a_run(5, status, of=an_experiment(2), source=FIRST)
    known = {"latest": broken, "latest_checkpoints": (a_checkpoint(30, 0.7, run_id=5),)}
    facts = facts_of(*NAMES, stage_1=succeeded(a_run(1, of=an_experiment(1)), FIRST), stage_2=known)
    made = make_pipeline_plan(MANUAL, facts)
    assert made.plan is not None
    assert (made.stage_id, made.resume, made.resumable) == (2, True, "resumed at step 30")
    assert made.plan.starts_from == "resumed at step 30"
    assert made.to_be_confirmed
    over = make_pipeline_plan(MANUAL, facts, start_over=True)
    assert (over.resume, over.resumable) == (False, "resumed at step 30")
    newer = succeeded(a_run(9, of=an_experiment(1)), AGAIN)
    assert not make_pipeline_plan(MANUAL, facts_of(*NAMES, stage_1=newer, stage_2=known)).resume


def test_running_a_pipeline_passes_no_gate() -> None:
    """A held Auto stage stays held until its gate is met; a person may trigger it in spite of that."""
    gated = AUTO.with_stage_replaced(replace(AUTO.stages[1], gate=ScoreAtLeast(0.9))).pipeline
    made = make_pipeline_plan(gated, facts_of(*NAMES, stage_1=done(1, 1)))
    assert made.reason == "Stage 2 (grpo-2) is held. Score 0.5, needs at least 0.9."
    lower = AUTO.with_stage_replaced(replace(AUTO.stages[1], gate=ScoreAtLeast(0.4))).pipeline
    assert make_pipeline_plan(lower, facts_of(*NAMES, stage_1=done(1, 1))).reason == ""


def test_a_run_that_goes_through_starts_what_it_was_asked_to_and_auto_stages() -> None:
    """Stages that were deleted since are left out, and the order is the one that there is now."""
    assert find_next_stage(MANUAL, 1) is None
    assert find_next_stage(MANUAL, 1, (3, 4)) == MANUAL.stages[2]
    assert find_next_stage(AUTO, 1, (3,)) == AUTO.stages[1]
    assert find_next_stage(MANUAL, 1, (77,)) is None
    moved = MANUAL.with_stage_moved(4, 1).pipeline
    assert find_next_stage(moved, 1, (3, 4)) == MANUAL.stages[3]
    assert find_next_stage(MANUAL, 4, (1, 2, 3, 4)) is None


@st.composite
def situations(draw: st.DrawFn) -> tuple[Pipeline, PipelineFacts]:
    """A chain of any stages and triggers, in which any stage is idle in any way."""
    names = ("SFT", *draw(st.lists(st.sampled_from(("GRPO", "deploy")), max_size=5)))
    chain = a_chain(*names)
    known: dict[str, Any] = {}
    for stage in chain.stages[1:]:
        trigger = draw(st.sampled_from(Trigger))
        chain = chain.with_stage_replaced(replace(stage, trigger=trigger)).pipeline
    for at, stage in enumerate(chain.stages, start=1):
        experiment = None if names[at - 1] == "deploy" else an_experiment(at)
        source = chain.source(stage.id)
        used = draw(st.sampled_from((source.id, source.id + 50))) if source else None
        status = draw(st.sampled_from((None, Status.SUCCEEDED, *sorted(RESUMABLE))))
        if status is None:
            continue
        consumed = a_checkpoint(10, run_id=used) if used else None
        run = a_run(at, status, of=experiment, source=consumed)
        saved = (a_checkpoint(10, 0.5, run_id=at),) if experiment and draw(st.booleans()) else ()
        if status is Status.SUCCEEDED:
            by = a_run(used, of=an_experiment(source.id)) if used and source else None
            known[f"stage_{at}"] = succeeded(run, *saved, consumed=consumed, used=by)
        else:
            known[f"stage_{at}"] = {"latest": run, "latest_checkpoints": saved, "checkpoints": saved}
    return chain, facts_of(*names, **known)


@given(situation=situations(), goal=st.sampled_from(RunGoal), run_through=st.booleans())
def test_what_is_carried_out_is_what_the_plan_has_said(
    *, situation: tuple[Pipeline, PipelineFacts], goal: RunGoal, run_through: bool
) -> None:
    """From stage to stage, as the supervisor decides it, exactly the stages of the plan run, in its order."""
    chain, facts = situation
    made = make_pipeline_plan(chain, facts, goal, run_through=run_through)
    if made.stage_id is None:
        assert made.plan is None
        return
    ran, stage = list[int](), find_next_stage(chain, made.stage_id, made.run_through)
    while stage is not None:
        ran.append(stage.id)
        stage = find_next_stage(chain, stage.id, made.run_through)
    assert made.plan is not None
    assert [f"Stage {chain.position(each) + 1} " for each in ran] == [
        f"{follows.split('(')[0]}" for follows in made.plan.follows
    ]
    assert ran == sorted(ran, key=chain.position)
    assert not (run_through and made.plan.stops_before)


@given(situations())
def test_a_run_through_leaves_nothing_that_has_not_succeeded(
    situation: tuple[Pipeline, PipelineFacts],
) -> None:
    """Every stage from the first that has not succeeded on has succeeded, or is in the plan."""
    chain, facts = situation
    made = make_pipeline_plan(chain, facts, run_through=True)
    due = [each.id for each in chain.stages if facts.for_stage(each.id).status is not Status.SUCCEEDED]
    assert (made.stage_id is None) == (not due)
    if made.plan is None or made.stage_id is None:
        return
    assert made.stage_id == due[0]
    numbers = {int(each.split()[1]) for each in (made.plan.runs_now, *made.plan.follows)}
    assert {chain.position(each) + 1 for each in due} <= numbers


@given(situations())
def test_to_bring_up_to_date_leaves_nothing_stale(situation: tuple[Pipeline, PipelineFacts]) -> None:
    """Every stale stage is in the plan, and so is every stage that the plan would make stale."""
    chain, facts = situation
    made = make_pipeline_plan(chain, facts, RunGoal.UP_TO_DATE, run_through=True)
    stale = {each for each, found in compute_staleness(chain, facts).items() if found.stale}
    assert (made.stage_id is None) == (not stale)
    if made.plan is None:
        return
    numbers = {int(each.split()[1]) for each in (made.plan.runs_now, *made.plan.follows)}
    assert {chain.position(each) + 1 for each in stale} <= numbers
    assert made.plan.turns_stale == ()


def test_a_stage_is_run_again_with_what_turns_stale_after_it() -> None:
    """From the stage that was asked for, though the one before it is stale; Manual stages are named."""
    facts = facts_of(*NAMES, **OLD)
    made = make_pipeline_plan(MANUAL, facts, RunGoal.UP_TO_DATE, from_stage=2)
    assert made.plan is not None
    assert (made.stage_id, made.plan.runs_now, made.plan.reruns) == (2, "Stage 2 (grpo-2)", True)
    assert made.manual == ("Stage 3 (agent-3)", "Stage 4 (grpo-4)")
    assert made.plan.stops_before == made.manual
    through = make_pipeline_plan(MANUAL, facts, RunGoal.UP_TO_DATE, from_stage=2, run_through=True)
    assert through.plan is not None
    assert (through.plan.follows, through.run_through) == (made.manual, (3, 4))
    last = make_pipeline_plan(MANUAL, facts, RunGoal.UP_TO_DATE, from_stage=4)
    assert (last.stage_id, last.manual, last.reason) == (4, (), "")


def test_a_stage_that_is_run_again_is_not_resumed() -> None:
    """What was broken off begins anew, since that was asked for."""
    broken = {**OLD, "stage_2": {**done(2, 2, 1), "latest": a_run(8, of=an_experiment(2))}}
    made = make_pipeline_plan(MANUAL, facts_of(*NAMES, **broken), RunGoal.UP_TO_DATE, from_stage=2)
    assert (made.stage_id, made.resume, made.resumable) == (2, False, None)
