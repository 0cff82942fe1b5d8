"""Runs of whole pipelines (spec 4.8): what is asked for is kept with the run, and needs no kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.chain import ExperimentStage, Stage
from pipeline_widgets.domain.pipeline_run import RunGoal
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import StaleWriteError, TriggerError
from pipeline_widgets.services.pipeline_runs import PipelineRunService

pytestmark = pytest.mark.spec("4.8")


@pytest.fixture
def whole(lab: Lab) -> PipelineRunService:
    """Runs pipelines."""
    return PipelineRunService(lab.store, lab.runs)


def counts(lab: Lab, stages: tuple[Stage, ...]) -> list[int]:
    """Return how many runs stages have."""
    return [len(lab.runs.of_stage(stage.id)) for stage in stages]


def with_retry(stage: Stage) -> Stage:
    """Return an Experiment stage with a retry."""
    assert isinstance(stage, ExperimentStage)
    return replace(stage, retries=1)


def test_a_run_ends_before_a_manual_stage(lab: Lab, whole: PipelineRunService) -> None:
    """Unless it is asked to run through, nothing starts that a person should start."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    assert lab.carry_out(whole.start(made.id), 0.5) is None
    assert counts(lab, made.stages) == [1, 0, 0]


def test_a_run_through_starts_manual_stages_with_no_kernel(lab: Lab, whole: PipelineRunService) -> None:
    """The success of a stage starts the next in its own transaction, whatever triggers it."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    job = lab.carry_out(whole.start(made.id, run_through=True), 0.5)
    assert job is not None
    job = lab.go_on(job, 0.6)
    assert job is not None
    assert job.kind == "deployment"
    assert lab.go_on(job) is None
    assert [lab.status(stage) for stage in made.stages] == [Status.SUCCEEDED] * 3
    with pytest.raises(TriggerError, match="Every stage has succeeded"):
        whole.start(made.id)


@pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED, Status.CRASHED])
def test_a_run_through_ends_where_a_stage_does_not_succeed(
    lab: Lab, whole: PipelineRunService, status: Status
) -> None:
    """It is resumed by running the pipeline again, and then goes on as it is asked to then."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    pipeline_id = lab.pipelines.of_stage(first.id).id
    assert lab.carry_out(whole.start(pipeline_id, run_through=True), 0.5, status=status) is None
    assert counts(lab, (first, second)) == [1, 0]
    again = whole.start(pipeline_id, run_through=True)
    assert (again.resumed_run_id, again.run_through) == (lab.runs.of_stage(first.id)[0].id, (second.id,))
    over = lab.carry_out(again, 0.6)
    assert over is not None
    lab.go_on(over, 0.7)
    assert lab.status(second) is Status.SUCCEEDED


def test_a_retry_goes_through_as_the_run_that_crashed(lab: Lab, whole: PipelineRunService) -> None:
    """What was asked of the chain is not lost with a process."""
    made = lab.pipeline("SFT", "GRPO")
    lab.pipelines.update_stage(made.stages[0].id, with_retry)
    job = lab.started(whole.start(made.id, run_through=True))
    lab.save(job, 10, 0.5)
    retry = lab.end(job, Status.CRASHED)
    assert retry is not None
    assert lab.runs.get(retry.run_id).run_through == (made.stages[1].id,)


def test_a_manual_stage_that_cannot_start_is_held(lab: Lab, whole: PipelineRunService) -> None:
    """With the reason, as an Auto stage is: silence is a defect."""
    made = lab.pipeline("SFT", "GRPO")
    second = made.stages[1]
    job = lab.started(whole.start(made.id, run_through=True))
    assert lab.end(job) is None  # it has saved nothing
    held = lab.state(second).held
    assert held is not None
    assert held.startswith("Waiting for a checkpoint from Stage 1")


def test_what_was_deleted_or_switched_meanwhile_is_not_started(lab: Lab, whole: PipelineRunService) -> None:
    """The pipeline is asked as it is when the stage succeeds."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    job = lab.started(whole.start(made.id, run_through=True))
    lab.pipelines.delete_stage(made.stages[1].id)
    lab.save(job, 10, 0.5)
    following = lab.end(job)
    assert following is not None
    assert following.kind == "deployment"


def test_a_plan_that_is_out_of_date_is_not_carried_out(lab: Lab, whole: PipelineRunService) -> None:
    """Whoever has seen that stage 1 is next does not start stage 2."""
    made = lab.pipeline("SFT", "GRPO")
    first = whole.plan(made.id).stage_id
    lab.carry_out(lab.runs.trigger(made.stages[0].id), 0.5)
    with pytest.raises(StaleWriteError, match="moved on"):
        whole.start(made.id, expected_stage=first)
    assert counts(lab, made.stages) == [1, 0]


def test_a_pipeline_is_brought_up_to_date(lab: Lab, whole: PipelineRunService) -> None:
    """From the first stale stage on, and what is as it should be is not run again."""
    made = lab.pipeline("SFT", "GRPO", "GRPO", "deploy")
    job = lab.carry_out(whole.start(made.id, run_through=True), 0.5)
    while job is not None:
        job = lab.go_on(job, 0.6)
    with pytest.raises(TriggerError, match="No stage is stale"):
        whole.start(made.id, RunGoal.UP_TO_DATE)
    lab.carry_out(lab.runs.trigger(made.stages[1].id), 0.9)
    job = lab.carry_out(whole.start(made.id, RunGoal.UP_TO_DATE, run_through=True), 0.7)
    while job is not None:
        job = lab.go_on(job, 0.8)
    assert counts(lab, made.stages) == [1, 2, 2, 2]
    assert not any(lab.state(stage).staleness.stale for stage in made.stages)
