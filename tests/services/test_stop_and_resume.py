"""Stop, resume, and what a resumed run inherits (spec 6.5, 9.1)."""

from __future__ import annotations

import pytest
from factories.lab import Lab, an_owner, configured
from factories.values import SFT

from pipeline_widgets.domain.chain import ExperimentStage
from pipeline_widgets.domain.run import Progress, Status
from pipeline_widgets.errors import NameTakenError, PipelineError, RuleError, TriggerError
from pipeline_widgets.services.retention import RetentionService


@pytest.mark.spec("6.5")
def test_stopping_a_running_run_asks_and_keeps_what_was_saved(lab: Lab) -> None:
    """Stop sets it to Stopping, which its supervisor learns; then it is Stopped with its checkpoints."""
    (stage,) = lab.pipeline("SFT").stages
    run = lab.runs.trigger(stage.id)
    job = lab.started(run)
    lab.save(job, 10, 0.5)
    assert lab.runs.stop(run.id).status is Status.STOPPING
    assert lab.supervision.status(job) is Status.STOPPING
    assert lab.runs.stop(run.id).status is Status.STOPPING  # asking twice is no error
    lab.save(job, 15, 0.6)  # it may save on its way out
    lab.end(job, Status.STOPPED)
    assert lab.status(stage) is Status.STOPPED
    assert [checkpoint.step for checkpoint in lab.runs.checkpoints(run.id)] == [10, 15]


@pytest.mark.spec("6.5")
def test_a_run_that_has_not_started_is_stopped_at_once(lab: Lab) -> None:
    """A Pending run ends without any process; one that was leased already learns that it is fenced."""
    (stage,) = lab.pipeline("SFT").stages
    run = lab.runs.trigger(stage.id)
    assert lab.runs.stop(run.id).status is Status.STOPPED
    assert lab.runs.get(run.id).finished_at is not None
    assert lab.supervision.take(run.id, an_owner()) is None
    second = lab.runs.trigger(stage.id)
    job = lab.take(second)
    lab.runs.stop(second.id)
    with pytest.raises(PipelineError, match="no longer carried out by this process"):
        lab.supervision.record_start(job, an_owner().process)
    assert lab.runs.get(second.id).status is Status.STOPPED


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.CRASHED])
def test_a_finished_run_cannot_be_stopped(lab: Lab, status: Status) -> None:
    """There is nothing to stop, and the status stays."""
    (stage,) = lab.pipeline("SFT").stages
    run = lab.do(stage, 0.5, status=status)
    with pytest.raises(RuleError, match=f"There is nothing to stop. Run 1 is {status.lower()}"):
        lab.runs.stop(run.id)
    assert lab.status(stage) is status


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("status", [Status.STOPPED, Status.FAILED, Status.CRASHED])
def test_resume_goes_on_and_trigger_starts_over(lab: Lab, status: Status) -> None:
    """Resume is a new run from the stage's own last checkpoint; Trigger starts from the source again."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    source = lab.do(first, 0.5)
    stopped = lab.do(second, 0.7, 0.6, status=status)
    run = lab.runs.trigger(second.id, resume=True)
    last = lab.runs.checkpoints(stopped.id)[-1]
    assert (run.number, run.start_checkpoint_id, run.start_role) == (2, last.id, "resume")
    assert (run.resumed_run_id, run.source_run_id) == (stopped.id, source.id)
    job = lab.take(run)
    assert job.start == last
    lab.go_on(job, 0.8)
    assert [c.step for c in lab.runs.checkpoints(run.id)] == [last.step + 10]
    again = lab.runs.trigger(second.id)
    assert (again.start_role, again.resumed_run_id) == ("policy", None)


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.STOPPED])
def test_what_cannot_be_resumed_is_refused(lab: Lab, status: Status) -> None:
    """A success leaves nothing to do, and without a checkpoint there is nothing to go on from."""
    (stage,) = lab.pipeline("SFT").stages
    with pytest.raises(TriggerError, match="There is no run to resume"):
        lab.runs.trigger(stage.id, resume=True)
    lab.do(stage, status=status)
    with pytest.raises(TriggerError, match=r"nothing left to do|saved no checkpoint to resume from"):
        lab.runs.trigger(stage.id, resume=True)
    assert len(lab.runs.of_stage(stage.id)) == 1


@pytest.mark.spec("5.5", "6.5")
def test_best_of_a_resumed_run_may_be_of_the_run_before(lab: Lab) -> None:
    """What comes after a resumed stage chooses among all that led to its end."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    stopped = lab.do(first, 0.5, 0.9, status=Status.STOPPED)
    lab.do(first, 0.7, resume=True)
    run = lab.runs.trigger(second.id)
    best = lab.runs.checkpoints(stopped.id)[1]
    assert (best.step, run.start_checkpoint_id) == (20, best.id)
    lab.carry_out(run, 0.6)
    assert not lab.state(second).staleness.stale


@pytest.mark.spec("6.5")
def test_a_run_that_was_resumed_twice_remembers_the_whole_way(lab: Lab) -> None:
    """A resumed run that saved nothing before it broke goes on from where the one before it was."""
    (stage,) = lab.pipeline("SFT").stages
    first = lab.do(stage, 0.5, status=Status.FAILED)
    lab.do(stage, status=Status.CRASHED, resume=True)
    third = lab.runs.trigger(stage.id, resume=True)
    assert third.start_checkpoint_id == lab.runs.checkpoints(first.id)[-1].id
    assert third.number == 3


@pytest.mark.spec("9.1")
def test_resuming_an_experiment_makes_a_new_one(lab: Lab) -> None:
    """Outside of pipelines a checkpoint and a name make a new experiment that goes on from there."""
    experiment = lab.experiment("a", SFT)
    old = lab.runs.train(experiment.id)
    lab.carry_out(old, 0.5, 0.6, status=Status.STOPPED)
    checkpoint = lab.runs.checkpoints(old.id)[0]
    made, run = lab.runs.resume(experiment.id, checkpoint.id, " b ")
    assert (made.name, made.config, made.seed, made.spec) == (
        "b",
        experiment.config,
        experiment.seed,
        experiment.spec,
    )
    assert (run.experiment_id, run.number, run.status) == (made.id, 1, Status.PENDING)
    assert (run.start_checkpoint_id, run.start_role, run.resumed_run_id) == (checkpoint.id, "resume", old.id)


@pytest.mark.spec("9.1")
def test_resuming_with_another_config(lab: Lab) -> None:
    """What is complete goes on with more steps; the experiment itself stays as it is."""
    experiment = lab.experiment("a", SFT)
    lab.carry_out(lab.runs.train(experiment.id), 0.5)
    (checkpoint,) = lab.experiments.checkpoints(experiment.id)
    made, run = lab.runs.resume(experiment.id, checkpoint.id, "b", lambda: configured(config={"steps": 99}))
    assert (made.config, run.config) == ({"steps": 99}, {"steps": 99})
    assert (run.start_checkpoint_id, run.start_role) == (checkpoint.id, "resume")
    assert lab.experiments.get(experiment.id).config == experiment.config


@pytest.mark.spec("9.1")
def test_resuming_an_experiment_of_a_pipeline_rebinds_and_triggers_the_stage(lab: Lab) -> None:
    """The stage is bound to the new experiment and runs it; the old one keeps its runs."""
    pipeline = lab.pipeline("SFT", "GRPO", trigger="auto")
    first, second = pipeline.stages
    old = lab.do(first, 0.5, 0.6, status=Status.STOPPED)
    checkpoint = lab.runs.checkpoints(old.id)[0]
    made, run = lab.runs.resume(pipeline.experiment_ids[0], checkpoint.id, "b")
    now = lab.pipelines.get(pipeline.id)
    assert now.experiment_ids == (made.id, pipeline.experiment_ids[1])
    assert [stage.id for stage in now.stages] == [first.id, second.id]
    assert (run.stage_id, lab.status(first)) == (first.id, Status.PENDING)
    assert lab.carry_out(run, 0.7) is not None


@pytest.mark.spec("9.1")
def test_a_refused_resume_of_an_experiment_changes_nothing(lab: Lab) -> None:
    """A name that is taken, and a checkpoint of another experiment, leave no new experiment behind."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = (stage.experiment_id for stage in pipeline.stages if isinstance(stage, ExperimentStage))
    checkpoint = lab.runs.checkpoints(lab.do(pipeline.stages[0], 0.5).id)[0]
    with pytest.raises(NameTakenError):
        lab.runs.resume(first, checkpoint.id, "chain-grpo-2")
    with pytest.raises(RuleError, match="The checkpoint was saved by another experiment"):
        lab.runs.resume(second, checkpoint.id, "new")
    with pytest.raises(PipelineError):
        lab.runs.resume(first, checkpoint.id, "  ")
    lab.runs.trigger(pipeline.stages[0].id)
    with pytest.raises(TriggerError, match=r"active|pending"):
        lab.runs.resume(first, checkpoint.id, "new")
    assert lab.pipelines.get(pipeline.id) == pipeline
    assert len(lab.experiments.of_project(lab.project.id)) == 2


@pytest.mark.spec("9.1")
def test_an_active_experiment_is_not_resumed(lab: Lab) -> None:
    """Resume is for what is not active, whether it runs in a stage or by itself."""
    experiment = lab.experiment("a", SFT)
    job = lab.started(lab.runs.train(experiment.id))
    checkpoint = lab.save(job, 10, 0.5)
    with pytest.raises(TriggerError, match=r"active|running"):
        lab.runs.resume(experiment.id, checkpoint.id, "b")
    assert len(lab.experiments.of_project(lab.project.id)) == 1


@pytest.mark.spec("6.1", "9.1")
def test_resuming_an_experiment_heeds_what_a_trigger_of_its_stage_heeds(lab: Lab) -> None:
    """While the stage before it is active, a stage is not triggered by way of its experiment either."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = pipeline.stages
    lab.do(first, 0.5)
    checkpoint = lab.runs.checkpoints(lab.do(second, 0.6, status=Status.STOPPED).id)[0]
    lab.runs.trigger(first.id)
    with pytest.raises(TriggerError, match="is still pending"):
        lab.runs.resume(pipeline.experiment_ids[1], checkpoint.id, "b")
    assert lab.pipelines.get(pipeline.id) == pipeline


@pytest.mark.spec("5.5", "9.1")
def test_a_resume_from_the_middle_leaves_the_abandoned_steps_behind(lab: Lab) -> None:
    """What the former run did after the checkpoint that was gone on from is no part of the new run's way."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = pipeline.stages
    old = lab.do(first, 0.1, 0.99, 0.98, status=Status.STOPPED)
    middle = lab.runs.checkpoints(old.id)[0]
    _, run = lab.runs.resume(pipeline.experiment_ids[0], middle.id, "b")
    job = lab.started(run)
    lab.save(job, 40, 0.5)  # later than the steps that were abandoned
    lab.end(job)
    chosen = lab.runs.start_checkpoint(lab.runs.trigger(second.id))
    assert chosen is not None
    assert (chosen.run_id, chosen.step) == (run.id, 40)


@pytest.mark.spec("6.5", "9.1")
def test_a_resume_from_the_middle_that_breaks_at_once_goes_on_from_the_middle(lab: Lab) -> None:
    """A run that saved nothing yet is resumed from where it started, not from a later checkpoint."""
    pipeline = lab.pipeline("SFT")
    old = lab.do(pipeline.stages[0], 0.1, 0.2, 0.3, status=Status.STOPPED)
    middle = lab.runs.checkpoints(old.id)[0]
    _, run = lab.runs.resume(pipeline.experiment_ids[0], middle.id, "b")
    lab.carry_out(run, status=Status.FAILED)
    again = lab.runs.trigger(pipeline.stages[0].id, resume=True)
    assert again.start_checkpoint_id == middle.id


@pytest.mark.spec("6.6")
def test_the_time_left_of_a_resumed_run_counts_its_own_steps(lab: Lab) -> None:
    """Its second half takes as long as its first half, however many steps lay before."""
    stage = lab.pipeline("SFT").stages[0]
    lab.do(stage, 0.1, 0.2, status=Status.STOPPED)  # to step 20
    run = lab.runs.trigger(stage.id, resume=True)
    job = lab.started(run)
    lab.clock.forward(8)
    lab.report(job, 25, total=30)
    assert lab.runs.progress(run.id) == Progress(step=25, total=30, eta=8.0)


@pytest.mark.spec("6.5")
def test_a_stage_that_was_resumed_a_thousand_times_can_be_used(lab: Lab) -> None:
    """It shows its state and is resumed once more, from its own last checkpoint."""
    stage = lab.pipeline("SFT").stages[0]
    lab.go_on_from(lab.do(stage, 0.5, status=Status.FAILED), 1_100, resume=True)
    assert lab.status(stage) is Status.FAILED
    assert all(each.is_kept for each in RetentionService(lab.store).preview(lab.project.id, "all"))
    start = lab.take(lab.runs.trigger(stage.id, resume=True)).start
    assert start is not None
    assert start.step == 11_010
