"""What a trigger will do, and what is wrong with a chain (spec 5.12, 6.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.values import PPO, a_chain, a_checkpoint, a_pipeline, a_run, an_experiment, facts_of, succeeded

from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    ExperimentStage,
    FromAgent,
    ScoreAtLeast,
    Trigger,
)
from pipeline_widgets.domain.plan import Problem, find_problems, make_plan
from pipeline_widgets.domain.run import Status

NAMES = ("SFT", "GRPO", "deploy", "GRPO")
CHAIN = a_chain(*NAMES, trigger="auto")
FIRST = succeeded(a_run(1, of=an_experiment(1)), a_checkpoint(10, 0.5))


@pytest.mark.spec("6.4")
def test_a_plan_tells_what_runs_now_and_what_follows() -> None:
    """The plan of a chain's first trigger: it runs now, the Auto stages follow, an agent is deployed."""
    told = make_plan(CHAIN, 1, facts_of(*NAMES))
    assert told.runs_now == "Stage 1 (sft-1)"
    assert told.starts_from == "from scratch"
    assert told.follows == ("Stage 2 (grpo-2)", "Stage 3 (agent-3)", "Stage 4 (grpo-4)")
    assert told.redeploys == ("agent-3",)
    assert (told.reruns, told.turns_stale, told.blockers) == (False, (), ())


@pytest.mark.spec("6.4", "5.2")
def test_a_gate_is_told_with_the_stage_that_it_may_hold() -> None:
    """By the direction of the score by which the source stage is judged."""
    second, third = CHAIN.stages[1:3]
    gated = CHAIN.with_stage_replaced(replace(second, gate=ScoreAtLeast(0.99))).pipeline
    gated = gated.with_stage_replaced(replace(third, gate=BetterThanDeployed())).pipeline
    assert make_plan(gated, 1, facts_of(*NAMES)).follows == (
        "Stage 2 (grpo-2), if the evaluation score is at least 0.99",
        "Stage 3 (agent-3), if the evaluation score is better than that of the agent now deployed",
        "Stage 4 (grpo-4)",
    )
    lower = (
        replace(CHAIN, stages=CHAIN.stages[:2])
        .with_stage_replaced(replace(second, gate=ScoreAtLeast(0.1)))
        .pipeline
    )
    assert make_plan(lower, 1, facts_of("LOSS", "GRPO")).follows == (
        "Stage 2 (grpo-2), if the evaluation score is at most 0.1",
    )


@pytest.mark.spec("6.4")
def test_the_cascade_ends_at_a_manual_stage() -> None:
    """Stages from the next manual one on do not follow, and turn stale where they have results."""
    chain = CHAIN.with_stage_replaced(replace(CHAIN.stages[2], trigger=Trigger.MANUAL)).pipeline
    done = {f"stage_{n}": succeeded(a_run(n), a_checkpoint(run_id=n)) for n in (2, 3)}
    told = make_plan(chain, 1, facts_of(*NAMES, stage_1=FIRST, **done))
    assert told.follows == ("Stage 2 (grpo-2)",)
    assert told.turns_stale == ("Stage 3 (agent-3)",)
    assert told.redeploys == ()
    assert told.reruns


@pytest.mark.spec("6.4")
def test_a_plan_names_the_checkpoint_and_why_it_was_chosen() -> None:
    """The plan of a later stage says which checkpoint it starts from and by what that one was chosen."""
    told = make_plan(CHAIN, 2, facts_of(*NAMES, stage_1=FIRST))
    assert told.starts_from == "best evaluation score 0.5, step 10"


@pytest.mark.spec("6.1", "6.4")
def test_a_plan_of_what_cannot_start_tells_the_reasons() -> None:
    """Where a trigger would be refused the plan has the same reasons, and raises nothing."""
    told = make_plan(CHAIN, 2, facts_of(*NAMES))
    assert told.blockers == ("Waiting for a checkpoint from Stage 1 (sft-1).",)
    assert "There is no checkpoint yet." in told.starts_from
    gone = a_pipeline(ExperimentStage(id=1, experiment_id=1, start=FromAgent(4)))
    assert make_plan(gone, 1, facts_of("SFT")).blockers == ("Its saved Agent is gone.",)


@pytest.mark.spec("6.4", "6.5")
def test_a_plan_of_a_resume_tells_where_it_goes_on() -> None:
    """Resuming starts from the stage's own last checkpoint."""
    stopped = {"latest": a_run(1, Status.STOPPED), "latest_checkpoints": (a_checkpoint(15),)}
    told = make_plan(CHAIN, 1, facts_of(*NAMES, stage_1=stopped), resume=True)
    assert (told.starts_from, told.reruns) == ("resumed at step 15", False)
    nothing = make_plan(CHAIN, 1, facts_of(*NAMES), resume=True)
    assert nothing.blockers == ("There is no run to resume.",)


@pytest.mark.spec("6.4")
def test_a_plan_reads_as_text() -> None:
    """Printing a plan shows a line for each thing that there is to say, and none for the others."""
    chain = CHAIN.with_stage_replaced(replace(CHAIN.stages[3], trigger=Trigger.MANUAL)).pipeline
    last = succeeded(a_run(4), a_checkpoint(run_id=4))
    told = make_plan(chain, 1, facts_of(*NAMES, stage_1=FIRST, stage_4=last))
    assert str(told).splitlines() == [
        "Runs now: Stage 1 (sft-1), from scratch (again)",
        "Follows automatically: Stage 2 (grpo-2); Stage 3 (agent-3)",
        "Turns stale: Stage 4 (grpo-4)",
        "Deploys: agent-3",
    ]
    blocked = make_plan(chain, 2, facts_of(*NAMES))
    assert str(blocked).splitlines()[-1] == "Cannot start yet: Waiting for a checkpoint from Stage 1 (sft-1)."


@pytest.mark.spec("5.12")
def test_every_problem_of_a_chain_is_listed_by_stage() -> None:
    """The check goes through the whole chain and does not stop at the first problem."""
    wrong = {"experiment": an_experiment(1, PPO)}
    assert find_problems(CHAIN, facts_of(*NAMES)) == ()
    found = find_problems(
        a_chain("SFT", "GRPO", "GRPO"),
        facts_of("SFT", "GRPO", "GRPO", stage_1=wrong, stage_3={"experiment": None}),
    )
    assert list(map(str, found)) == [
        "Stage 2 (grpo-2): Can't start from PPO: GRPO needs a language model, PPO produces a policy.",
        "Stage 3 (no experiment): It has no experiment.",
    ]


@pytest.mark.spec("5.12")
def test_an_empty_pipeline_is_a_problem() -> None:
    """A pipeline without stages says so."""
    assert find_problems(a_pipeline(), facts_of()) == (
        Problem(stage="", problem="The pipeline has no stages."),
    )
    assert str(find_problems(a_pipeline(), facts_of())[0]) == "The pipeline has no stages."
