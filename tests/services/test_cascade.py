"""What the success of a stage starts, and what holds it (spec 5.2, 6.3, 6.7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest
from factories.lab import Lab
from factories.values import GRPO, PPO

from pipeline_widgets.domain.chain import BetterThanDeployed, ScoreAtLeast, Trigger
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import FencedError, PipelineError


@pytest.mark.spec("6.3")
def test_a_chain_runs_through_with_no_kernel(lab: Lab) -> None:
    """One trigger carries SFT, GRPO and a deployment through: each success hands over the next job."""
    made = lab.pipeline("SFT", "GRPO", "deploy", trigger="auto")
    job = lab.carry_out(lab.runs.trigger(made.stages[0].id), 0.5)
    assert job is not None
    assert lab.status(made.stages[1]) is Status.PENDING
    assert job.start == lab.runs.checkpoints(lab.runs.of_stage(made.stages[0].id)[0].id)[0]
    job = lab.go_on(job, 0.6)
    assert job is not None
    assert job.kind == "deployment"
    assert lab.go_on(job) is None
    assert [lab.status(stage) for stage in made.stages] == [Status.SUCCEEDED] * 3
    assert [agent.name for agent in lab.agents.all()] == ["letters-agent"]
    assert lab.states.pipeline(made.id).settled


@pytest.mark.spec("6.3")
def test_the_next_run_comes_in_the_same_transaction_as_the_success(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the next run cannot be written the success is not written either; both are tried again."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    job = lab.started(lab.runs.trigger(first.id))
    lab.save(job, 10, 0.5)
    with monkeypatch.context() as broken:

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError

        broken.setattr("pipeline_widgets.services.supervision.enqueue_run", fail)
        with pytest.raises(RuntimeError):
            lab.end(job)
    assert [lab.status(stage) for stage in (first, second)] == [Status.RUNNING, Status.DRAFT]
    assert lab.end(job) is not None
    assert [lab.status(stage) for stage in (first, second)] == [Status.SUCCEEDED, Status.PENDING]


@pytest.mark.spec("6.3")
@pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED, Status.CRASHED])
def test_only_success_starts_the_next_stage(lab: Lab, status: Status) -> None:
    """Failed, Stopped and Crashed start nothing and hold nothing, though a checkpoint is there."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    assert lab.carry_out(lab.runs.trigger(first.id), 0.5, status=status) is None
    assert [lab.status(stage) for stage in (first, second)] == [status, Status.DRAFT]
    assert lab.state(second).held is None


@pytest.mark.spec("6.5")
def test_a_stopping_run_that_returns_is_stopped_and_starts_nothing(lab: Lab) -> None:
    """A train function that returns normally after a stop request has not succeeded."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    run = lab.runs.trigger(first.id)
    job = lab.started(run)
    lab.save(job, 10, 0.5)
    lab.runs.stop(run.id)
    assert lab.end(job, Status.SUCCEEDED) is None
    assert [lab.status(stage) for stage in (first, second)] == [Status.STOPPED, Status.DRAFT]
    assert len(lab.runs.checkpoints(run.id)) == 1


@pytest.mark.spec("5.2")
def test_a_manual_stage_waits_for_a_person(lab: Lab) -> None:
    """Success before a manual stage starts nothing, and nothing is held."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    assert lab.carry_out(lab.runs.trigger(first.id), 0.5) is None
    assert (lab.status(second), lab.state(second).held) == (Status.DRAFT, None)


@pytest.mark.spec("5.2")
def test_becoming_auto_after_the_success_starts_nothing(lab: Lab) -> None:
    """Only a completion fires a trigger: adding or switching to Auto later does not."""
    made = lab.pipeline("SFT", "GRPO")
    first, second = made.stages
    lab.do(first, 0.5)
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, trigger=Trigger.AUTO))
    added = lab.add(made.id, lab.experiment("new", GRPO), trigger="auto", position=1)
    assert [lab.status(stage) for stage in (second, added)] == [Status.DRAFT, Status.DRAFT]
    assert [lab.state(stage).held for stage in (second, added)] == [None, None]


@pytest.mark.spec("5.2", "6.3")
def test_the_trigger_counts_as_it_is_when_the_stage_completes(lab: Lab) -> None:
    """A stage that is switched to Auto, or to manual, while the one before it runs is treated as that."""
    made = lab.pipeline("SFT", "GRPO", "GRPO")
    first, second, third = made.stages
    job = lab.started(lab.runs.trigger(first.id))
    lab.save(job, 10, 0.5)
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, trigger=Trigger.AUTO))
    lab.pipelines.update_stage(third.id, lambda stage: replace(stage, trigger=Trigger.AUTO))
    job = lab.end(job)
    assert job is not None
    lab.pipelines.update_stage(third.id, lambda stage: replace(stage, trigger=Trigger.MANUAL))
    assert lab.go_on(job, 0.6) is None


@pytest.mark.spec("6.3")
def test_a_resumed_run_that_succeeds_starts_the_next_stage(lab: Lab) -> None:
    """Resuming after a failure goes on with the chain."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    lab.do(first, 0.5, status=Status.FAILED)
    assert lab.carry_out(lab.runs.trigger(first.id, resume=True), 0.6) is not None
    assert lab.status(second) is Status.PENDING


@pytest.mark.spec("6.3")
def test_a_deployment_hands_over_to_the_stage_behind_it(lab: Lab) -> None:
    """A stage behind a Deployment starts with its success, from the Experiment stage before that."""
    first, deploy, last = lab.pipeline("SFT", "deploy", "GRPO", trigger="auto").stages
    job = lab.carry_out(lab.runs.trigger(first.id), 0.5)
    assert job is not None
    job = lab.go_on(job)
    assert job is not None
    source = lab.runs.of_stage(first.id)[-1]
    assert job.start is not None
    assert job.start.run_id == source.id
    assert [lab.status(stage) for stage in (deploy, last)] == [Status.SUCCEEDED, Status.PENDING]


@pytest.mark.spec("6.7")
def test_no_checkpoint_holds_the_next_stage(lab: Lab) -> None:
    """A stage that succeeds without a checkpoint leaves the reason with the Auto stage after it."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    assert lab.carry_out(lab.runs.trigger(first.id)) is None
    assert lab.state(second).held == "Waiting for a checkpoint from Stage 1 (chain-sft-1)."
    assert lab.status(second) is Status.DRAFT


@pytest.mark.spec("6.7")
def test_a_busy_experiment_holds_the_next_stage(lab: Lab) -> None:
    """An experiment that runs elsewhere at that moment is the reason."""
    made = lab.pipeline("SFT", "GRPO", trigger="auto")
    run = lab.runs.trigger(made.stages[0].id)
    lab.runs.train(made.experiment_ids[1])
    assert lab.carry_out(run, 0.5) is None
    assert lab.state(made.stages[1]).held == "Its experiment 'chain-grpo-2' is running elsewhere."


@pytest.mark.spec("5.8", "6.7")
def test_a_pair_that_does_not_fit_holds_the_next_stage(lab: Lab) -> None:
    """A stage whose source was changed to something that it cannot start from is held with the verdict."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    policy = lab.experiment("policy", PPO)
    lab.pipelines.update_stage(first.id, lambda stage: replace(stage, experiment_id=policy.id))  # pyright: ignore[reportCallIssue]
    assert lab.carry_out(lab.runs.trigger(first.id), 0.5) is None
    assert (
        lab.state(second).held == "Can't start from PPO: GRPO needs a language model, PPO produces a policy."
    )


@pytest.mark.spec("6.7")
def test_missing_files_hold_the_next_stage(lab: Lab) -> None:
    """A checkpoint whose folder was removed is the reason, and no run is started to fail."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    job = lab.started(lab.runs.trigger(first.id))
    checkpoint = lab.save(job, 10, 0.5)
    rmtree(checkpoint.path)
    assert lab.end(job) is None
    assert lab.state(second).held == f"The checkpoint {checkpoint.path} is missing."
    assert not Path(checkpoint.path).exists()


@pytest.mark.spec("5.2", "6.7")
def test_a_gate_that_is_not_met_holds_with_the_numbers(lab: Lab) -> None:
    """The reason has the score that was reached and the one that was wanted; a better run opens the gate."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, gate=ScoreAtLeast(0.8)))
    assert lab.carry_out(lab.runs.trigger(first.id), 0.75) is None
    assert lab.state(second).held == "Score 0.75, needs at least 0.8."
    assert lab.carry_out(lab.runs.trigger(first.id), 0.85) is not None
    assert (lab.state(second).held, lab.status(second)) == (None, Status.PENDING)


@pytest.mark.spec("5.2", "6.7")
def test_better_than_deployed_compares_with_the_agent_of_now(lab: Lab) -> None:
    """The first deployment passes; a worse checkpoint is held with both numbers; a better one passes."""
    made = lab.pipeline("SFT")
    stage = lab.add_deployment(made.id, trigger="auto", gate=BetterThanDeployed())
    for score, held in (
        (0.5, None),
        (0.4, "Score 0.4, needs better than the 0.5 of the agent now deployed."),
        (0.6, None),
        (0.6, "Score 0.6, needs better than the 0.6 of the agent now deployed."),
    ):
        job = lab.carry_out(lab.runs.trigger(made.stages[0].id), score)
        assert lab.state(stage).held == held
        assert (job is None) == (held is not None)
        if job is not None:
            lab.go_on(job)
    (agent,) = lab.agents.all()
    assert (agent.current.number, agent.current.checkpoint.evaluation_score) == (2, 0.6)


@pytest.mark.spec("6.7")
def test_what_was_held_can_be_triggered_by_hand(lab: Lab) -> None:
    """A gate binds only the automatic start; triggering clears the reason."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, gate=ScoreAtLeast(0.8)))
    lab.carry_out(lab.runs.trigger(first.id), 0.5)
    assert lab.state(second).blockers == ()
    lab.runs.trigger(second.id)
    assert lab.state(second).held is None


@pytest.mark.spec("6.7")
def test_editing_a_held_stage_clears_the_reason(lab: Lab) -> None:
    """A reason that may no longer hold is not shown."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    lab.carry_out(lab.runs.trigger(first.id))
    assert lab.state(second).held is not None
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, trigger=Trigger.MANUAL))
    assert lab.state(second).held is None


@pytest.mark.spec("6.7")
def test_a_held_reason_is_not_left_from_a_former_success(lab: Lab) -> None:
    """When the stage before it is triggered again the reason of last time is no longer shown."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    lab.carry_out(lab.runs.trigger(first.id))
    assert lab.state(second).held is not None
    lab.do(first, status=Status.FAILED)
    assert lab.state(second).held is None


@pytest.mark.spec("6.7")
def test_a_chain_never_breaks_a_completion(lab: Lab) -> None:
    """Deleting the next stage while a stage runs lets the run end as it should."""
    made = lab.pipeline("SFT", "GRPO", trigger="auto")
    job = lab.started(lab.runs.trigger(made.stages[0].id))
    lab.save(job, 10, 0.5)
    lab.pipelines.delete_stage(made.stages[1].id)
    assert lab.end(job) is None
    assert lab.status(made.stages[0]) is Status.SUCCEEDED


@pytest.mark.spec("6.3")
def test_a_success_counts_once(lab: Lab) -> None:
    """Ending a run a second time is fenced off, so that it cannot start the next stage again."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    job = lab.started(lab.runs.trigger(first.id))
    lab.save(job, 10, 0.5)
    follower = lab.end(job)
    assert follower is not None
    with pytest.raises(FencedError):
        lab.end(job)
    assert len(lab.runs.of_stage(second.id)) == 1
    with pytest.raises(PipelineError, match="already pending"):
        lab.runs.trigger(second.id)
