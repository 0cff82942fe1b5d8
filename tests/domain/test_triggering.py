"""When a stage can be triggered, what it starts from, and what its success starts (spec 6.1-6.4, 6.7)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from factories.values import (
    DPO,
    LOSS,
    PPO,
    a_chain,
    a_checkpoint,
    a_pipeline,
    a_run,
    a_version,
    an_experiment,
    facts_of,
    succeeded,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    ExperimentStage,
    FromAgent,
    FromSource,
    Gate,
    Pipeline,
    ScoreAtLeast,
)
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.triggering import (
    assess_fit,
    choose_from_source,
    decide_next_stage,
    find_blockers,
    find_gate_blocker,
    resolve_resume,
    resolve_start,
    stage_label,
)
from pipeline_widgets.errors import NoCheckpointError, TriggerError

CHAIN = a_chain("SFT", "GRPO", "deploy", trigger="auto")
DONE = succeeded(a_run(1, of=an_experiment(1)), a_checkpoint(10, 0.5), a_checkpoint(20, 0.4))


def why(
    stage_id: int, facts: PipelineFacts, pipeline: Pipeline = CHAIN, *, resume: bool = False
) -> list[str]:
    """Return the reasons why a stage cannot be triggered."""
    return [str(each) for each in find_blockers(pipeline, stage_id, facts, resume=resume)]


def facts(**known: Any) -> PipelineFacts:
    """Return facts about CHAIN."""
    return facts_of("SFT", "GRPO", "deploy", **known)


@pytest.mark.spec("6.1")
def test_a_configured_idle_stage_with_a_source_checkpoint_can_be_triggered() -> None:
    """Where all conditions hold there is no blocker."""
    assert why(1, facts()) == []
    assert why(2, facts(stage_1=DONE)) == []


@pytest.mark.spec("6.1")
@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.STOPPING])
def test_an_active_run_of_the_stage_blocks_it(status: Status) -> None:
    """A stage with an active run says in which state that is."""
    active = {"latest": a_run(1, status, of=an_experiment(1))}
    assert why(1, facts(stage_1=active)) == [f"This stage is already {status.lower()}."]


@pytest.mark.spec("6.1")
def test_an_active_run_of_the_experiment_elsewhere_blocks_it() -> None:
    """An experiment that runs in another stage or by itself blocks the stages that it is bound to."""
    busy = {"active_run": a_run(5, Status.RUNNING, of=an_experiment(1))}
    assert why(1, facts(stage_1=busy)) == ["Its experiment 'sft-1' is running elsewhere."]


@pytest.mark.spec("6.1")
@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.STOPPING])
def test_an_active_previous_stage_blocks_it(status: Status) -> None:
    """A stage waits for the stage before it, Deployment stages too."""
    active = {**DONE, "latest": a_run(2, status, of=an_experiment(1))}
    assert why(2, facts(stage_1=active)) == [f"Stage 1 (sft-1) is still {status.lower()}."]
    deploying = {"latest": a_run(3, status)}
    chain = a_chain("SFT", "deploy", "GRPO")
    known = facts_of("SFT", "deploy", "GRPO", stage_1=DONE, stage_2=deploying)
    assert why(3, known, chain) == [f"Stage 2 (agent-2) is still {status.lower()}."]


@pytest.mark.spec("5.4", "6.1")
def test_a_stage_without_a_source_checkpoint_says_that_it_waits_for_one() -> None:
    """Without any checkpoint of the source stage, Experiment and Deployment stages wait for one."""
    for stage_id, named in ((2, "Stage 1 (sft-1)"), (3, "Stage 2 (grpo-2)")):
        (blocker,) = find_blockers(CHAIN, stage_id, facts())
        assert blocker.reason == f"Waiting for a checkpoint from {named}."
        assert blocker.fix == f"Trigger {named} first."


@pytest.mark.spec("5.5", "6.1")
def test_a_step_that_the_source_did_not_save_blocks_it() -> None:
    """A specific step that does not exist is the reason, with the steps that do exist as the way out."""
    stage = CHAIN.stages[1]
    assert isinstance(stage, ExperimentStage)
    at_15 = CHAIN.with_stage_replaced(replace(stage, start=FromSource(15))).pipeline
    (blocker,) = find_blockers(at_15, 2, facts(stage_1=DONE))
    assert (blocker.reason, blocker.fix) == ("There is no checkpoint at step 15.", "There are 10, 20.")


@pytest.mark.spec("5.8", "6.1", "7.2")
def test_a_stage_that_no_longer_fits_is_blocked_by_the_reason() -> None:
    """A pair that does not fit blocks, with the sentence that the verdict gives."""
    wrong = {"experiment": an_experiment(1, PPO)}
    reason = "Can't start from PPO: GRPO needs a language model, PPO produces a policy."
    assert why(2, facts(stage_1=wrong)) == [reason]
    assert assess_fit(CHAIN, CHAIN.stages[1], facts(stage_1=wrong)).reason == reason


@pytest.mark.spec("6.1")
def test_all_that_hinders_is_told_at_once() -> None:
    """Several conditions that fail are several reasons."""
    known = facts(stage_1={"latest": a_run(1, Status.RUNNING)}, stage_2={"latest": a_run(2, Status.PENDING)})
    assert why(2, known) == [
        "This stage is already pending.",
        "Stage 1 (sft-1) is still running.",
        "Waiting for a checkpoint from Stage 1 (sft-1).",
    ]


@pytest.mark.spec("5.4", "7.1")
def test_an_algorithm_that_needs_a_checkpoint_cannot_start_from_scratch() -> None:
    """A first stage whose algorithm does not allow scratch says what it needs."""
    known = facts(stage_1={"experiment": an_experiment(1, DPO)})
    assert why(1, known) == ["DPO can't start from scratch: it needs a language model."]


@pytest.mark.spec("7.2")
def test_what_was_really_made_says_more_than_the_config() -> None:
    """The signature of the chosen checkpoint overrides what the source's config promises."""
    made = {**DONE, "checkpoints": (a_checkpoint(10, signature={"base": "words"}),)}
    wants = {"experiment": an_experiment(2, DPO, signature={"base": "letters"})}
    assert why(2, facts(stage_1=made, stage_2=wants)) == [
        "Can't start from SFT: its base is words, DPO needs letters."
    ]


@pytest.mark.spec("6.5")
@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({}, "There is no run to resume."),
        ({"latest": a_run(1)}, "Its latest run is succeeded: there is nothing left to do."),
        ({"latest": a_run(1, Status.STOPPED)}, "Its latest run has saved no checkpoint to resume from."),
        ({"latest": a_run(1, Status.RUNNING)}, "This stage is already running."),
    ],
)
def test_what_cannot_be_resumed_says_why(known: dict[str, Any], reason: str) -> None:
    """Resume needs a Stopped, Failed or Crashed run that had saved a checkpoint."""
    assert why(1, facts(stage_1=known), resume=True) == [reason]


@pytest.mark.spec("6.5")
def test_a_deployment_cannot_be_resumed() -> None:
    """A Deployment stage has no checkpoint of its own to go on from."""
    known = {"latest": a_run(1, Status.FAILED), "latest_checkpoints": (a_checkpoint(),)}
    assert why(3, facts(stage_2=DONE, stage_3=known), resume=True) == ["A deployment cannot be resumed."]


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("status", [Status.STOPPED, Status.FAILED, Status.CRASHED])
def test_a_resumed_run_goes_on_from_the_last_checkpoint(status: Status) -> None:
    """Resume starts from the stage's own last checkpoint, and inherits what that run had consumed."""
    consumed = a_checkpoint(20, run_id=1)
    run = a_run(7, status, of=an_experiment(2), source=consumed)
    known = {
        "latest": run,
        "latest_checkpoints": (a_checkpoint(10, 0.9, run_id=7), a_checkpoint(15, 0.1, run_id=7)),
    }
    assert why(2, facts(stage_1=DONE, stage_2=known), resume=True) == []
    run_start = resolve_resume(facts(stage_2=known).for_stage(2))
    assert run_start.checkpoint is not None
    assert (run_start.checkpoint.step, run_start.role, run_start.resumed_run_id) == (15, "resume", 7)
    assert (run_start.source_checkpoint_id, run_start.source_run_id) == (consumed.id, 1)
    assert run_start.reason == "resumed at step 15"


@pytest.mark.spec("6.5")
def test_nothing_to_resume_is_refused() -> None:
    """Asking for the start of a resume that cannot be raises TriggerError with the reason."""
    with pytest.raises(TriggerError, match="There is no run to resume"):
        resolve_resume(facts().for_stage(1))


@pytest.mark.spec("5.5")
@pytest.mark.parametrize(("choice", "step"), [("best", 10), ("final", 20), (20, 20)])
def test_a_stage_starts_from_the_checkpoint_that_it_asks_for(choice: Any, step: int) -> None:
    """Best, Final and a step resolve to a checkpoint of the source stage, with the role of its port."""
    stage = CHAIN.stages[1]
    assert isinstance(stage, ExperimentStage)
    chain = CHAIN.with_stage_replaced(replace(stage, start=FromSource(choice))).pipeline
    run_start = resolve_start(chain, 2, facts(stage_1=DONE))
    assert run_start.checkpoint is not None
    assert (run_start.checkpoint.step, run_start.role) == (step, "policy")
    assert run_start.source_checkpoint_id == run_start.checkpoint.id
    assert run_start.source_run_id == 1


@pytest.mark.spec("5.5")
def test_best_goes_by_the_direction_of_the_source_algorithm() -> None:
    """A source whose lower score is better gives its lowest as Best, whoever consumes it."""
    source = {**DONE, "experiment": an_experiment(1, LOSS)}
    assert choose_from_source(CHAIN.stages[1], facts(stage_1=source).for_stage(1)).checkpoint.step == 20
    with pytest.raises(NoCheckpointError):
        choose_from_source(CHAIN.stages[1], facts().for_stage(1))


@pytest.mark.spec("5.4")
def test_the_first_stage_starts_from_scratch_or_from_a_saved_agent() -> None:
    """Scratch consumes nothing; a saved Agent gives the checkpoint of its current version."""
    assert resolve_start(CHAIN, 1, facts()).checkpoint is None
    assert resolve_start(CHAIN, 1, facts()).reason == "from scratch"
    version = a_version(a_checkpoint(30), agent_id=4, number=2)
    chain = a_pipeline(ExperimentStage(id=1, experiment_id=1, start=FromAgent(4)))
    known = replace(facts(), agents={4: version})
    assert why(1, known, chain) == []
    run_start = resolve_start(chain, 1, known)
    assert (run_start.checkpoint, run_start.agent_version, run_start.role) == (
        version.checkpoint,
        version,
        "weights",
    )
    assert (run_start.source_checkpoint_id, run_start.source_run_id) == (None, None)


@pytest.mark.spec("5.4")
def test_a_saved_agent_that_does_not_fit_or_is_gone_blocks_the_first_stage() -> None:
    """A saved Agent has to fit like any checkpoint, and has to be there."""
    chain = a_pipeline(ExperimentStage(id=1, experiment_id=1, start=FromAgent(4)))
    policy = replace(facts(), agents={4: a_version(a_checkpoint(), agent_id=4, spec=PPO)})
    assert why(1, policy, chain) == [
        "Can't start from PPO: SFT needs a language model, PPO produces a policy."
    ]
    assert why(1, facts(), chain) == ["Its saved Agent is gone."]


@pytest.mark.spec("6.3")
def test_success_starts_the_next_stage_if_that_is_auto() -> None:
    """An Auto stage that can start begins from what it asks for."""
    found = decide_next_stage(CHAIN, 1, facts(stage_1=DONE))
    assert found is not None
    assert found.run_start is not None
    assert (found.stage.id, found.run_start.reason) == (2, "best evaluation score 0.5, step 10")


@pytest.mark.spec("5.2", "6.3")
def test_success_starts_nothing_else() -> None:
    """A manual next stage, and the end of the chain, are left alone."""
    assert decide_next_stage(a_chain("SFT", "GRPO"), 1, facts_of("SFT", "GRPO", stage_1=DONE)) is None
    assert decide_next_stage(CHAIN, 3, facts()) is None


@pytest.mark.spec("6.7")
@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"stage_1": {}}, "Waiting for a checkpoint from Stage 1 (sft-1)."),
        (
            {"stage_1": DONE | {"experiment": an_experiment(1, PPO)}},
            "Can't start from PPO: GRPO needs a language model, PPO produces a policy.",
        ),
        (
            {"stage_1": DONE, "stage_2": {"active_run": a_run(9, Status.RUNNING)}},
            "Its experiment 'grpo-2' is running elsewhere.",
        ),
    ],
)
def test_an_auto_stage_that_cannot_start_is_held_with_the_reason(known: dict[str, Any], reason: str) -> None:
    """Unfit, no checkpoint and a busy experiment are told; silence is a defect."""
    found = decide_next_stage(CHAIN, 1, facts(**known))
    assert found is not None
    assert (found.run_start, found.held_reason) == (None, reason)


@pytest.mark.spec("5.2", "6.7")
def test_a_gate_that_is_not_met_holds_with_the_numbers() -> None:
    """A gate that is not met shows as held with the score and what was wanted."""
    gated = CHAIN.with_stage_replaced(replace(CHAIN.stages[1], gate=ScoreAtLeast(0.9))).pipeline
    found = decide_next_stage(gated, 1, facts(stage_1=DONE))
    assert found is not None
    assert found.held_reason == "Score 0.5, needs at least 0.9."
    met = CHAIN.with_stage_replaced(replace(CHAIN.stages[1], gate=ScoreAtLeast(0.5))).pipeline
    found = decide_next_stage(met, 1, facts(stage_1=DONE))
    assert found is not None
    assert found.held_reason is None


@pytest.mark.spec("5.2", "6.7")
@pytest.mark.parametrize(
    ("gate", "score", "deployed", "higher", "reason"),
    [
        (ScoreAtLeast(0.9), 0.5, None, True, "Score 0.5, needs at least 0.9."),
        (ScoreAtLeast(0.9), 0.95, None, True, None),
        (ScoreAtLeast(0.1), 0.5, None, False, "Score 0.5, needs at most 0.1."),
        (ScoreAtLeast(0.1), 0.05, None, False, None),
        (
            ScoreAtLeast(0.1),
            None,
            None,
            True,
            "The checkpoint has no evaluation score to compare.",
        ),
        (ScoreAtLeast(0.1), math.inf, None, True, "The checkpoint has no evaluation score"),
        (
            BetterThanDeployed(),
            0.5,
            0.6,
            True,
            "Score 0.5, needs better than the 0.6 of the agent now deployed.",
        ),
        (
            BetterThanDeployed(),
            0.5,
            0.5,
            True,
            "Score 0.5, needs better than the 0.5 of the agent now deployed.",
        ),
        (
            BetterThanDeployed(),
            0.5,
            0.4,
            False,
            "Score 0.5, needs better than the 0.4 of the agent now deployed.",
        ),
        (BetterThanDeployed(), 0.5, 0.6, False, None),
        (BetterThanDeployed(), 0.5, None, True, None),
        (BetterThanDeployed(), math.nan, None, True, "The checkpoint has no evaluation score"),
        (BetterThanDeployed(), 0.5, math.inf, True, None),
        (BetterThanDeployed(), 0.5, math.nan, True, None),
    ],
)
def test_gates_go_by_the_direction_of_the_score(
    gate: Gate,
    score: float | None,
    deployed: float | None,
    higher: bool,  # noqa: FBT001
    reason: str | None,
) -> None:
    """A gate wants at least, or at most, or better than deployed; NaN and infinities never win."""
    told = find_gate_blocker(gate, score, deployed, higher_is_better=higher)
    if reason is None:
        assert told is None
    else:
        assert told is not None
        assert reason in told


@pytest.mark.spec("5.2")
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
def test_a_gate_is_met_from_its_bound_on(score: float, bound: float, higher: bool) -> None:  # noqa: FBT001
    """A bound is met exactly by scores that are as good or better."""
    met = find_gate_blocker(ScoreAtLeast(bound), score, None, higher_is_better=higher) is None
    assert met == (score >= bound if higher else score <= bound)


@pytest.mark.spec("5.2")
def test_a_deployment_behind_a_gate_is_compared_with_the_agent_of_its_name() -> None:
    """Better than the agent now deployed: the current version of the agent that the stage names."""
    gated = CHAIN.with_stage_replaced(replace(CHAIN.stages[2], gate=BetterThanDeployed())).pipeline
    source = succeeded(a_run(2), a_checkpoint(10, 0.5))
    known = replace(facts(stage_2=source), deployed={"agent-3": a_version(a_checkpoint(1, 0.7))})
    found = decide_next_stage(gated, 2, known)
    assert found is not None
    assert found.held_reason == "Score 0.5, needs better than the 0.7 of the agent now deployed."
    others = replace(known, deployed={"another": a_version(a_checkpoint(1, 0.7))})
    found = decide_next_stage(gated, 2, others)
    assert found is not None
    assert found.run_start is not None


def test_a_stage_is_named_by_its_number_and_what_it_runs() -> None:
    """Sentences name a stage by its number from 1 and its experiment's or agent's name."""
    assert [stage_label(CHAIN, stage, facts()) for stage in CHAIN.stages] == [
        "Stage 1 (sft-1)",
        "Stage 2 (grpo-2)",
        "Stage 3 (agent-3)",
    ]
    unknown = PipelineFacts(stages={})
    assert stage_label(CHAIN, CHAIN.stages[0], unknown) == "Stage 1 (no experiment)"
    assert why(1, unknown) == ["It has no experiment."]
