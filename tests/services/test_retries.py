"""Retries as rows: written with the crash, once, with all that the crashed run had frozen (spec 6.12)."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace

import pytest
from factories.lab import Lab, an_owner

from pipeline_widgets.domain.chain import ExperimentStage, Pipeline, Stage
from pipeline_widgets.domain.job import Job, Outcome
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import TriggerError


def retried(lab: Lab, *names: str, retries: int = 2, trigger: str = "auto") -> Pipeline:
    """Return a pipeline whose Experiment stages have retries."""
    made = lab.pipeline(*names, trigger=trigger)

    def more(stage: Stage) -> Stage:
        return replace(stage, retries=retries) if isinstance(stage, ExperimentStage) else stage

    for stage in made.stages:
        lab.pipelines.update_stage(stage.id, more)
    return lab.pipelines.get(made.id)


def crash(lab: Lab, job: Job, error: str = "It was killed by SIGKILL.") -> Job | None:
    """End a run whose worker was killed; the return is the job of its retry."""
    return lab.end(job, Status.CRASHED, error)


@pytest.mark.spec("6.12")
def test_a_killed_training_is_retried_by_the_same_supervisor(lab: Lab) -> None:
    """The retry is a run of its own with its number, leased already, from the last checkpoint."""
    stage = retried(lab, "SFT").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.1)
    last = lab.save(job, 20, 0.2)
    owner = an_owner()

    again = lab.supervision.finish(job, Outcome(status=Status.CRASHED, error="Killed."), owner)

    assert isinstance(again, Job)
    assert (again.token, again.start, again.start_role) == (owner.token, last, "resume")
    first, second = lab.runs.of_stage(stage.id)
    assert (first.status, first.error) == (Status.CRASHED, "Killed. Retried: run 2 resumes from step 20.")
    assert (second.status, second.number, second.retry) == (Status.PENDING, 2, 1)
    assert second.resumed_run_id == first.id
    assert lab.supervision.take(second.id, an_owner()) is None  # it is somebody's


@pytest.mark.spec("6.12")
def test_a_retry_has_what_the_crashed_run_had_frozen(lab: Lab) -> None:
    """Config, seed, signature, code and start are those of the run, whatever its experiment is by now."""
    first_stage, stage = retried(lab, "SFT", "GRPO", trigger="manual").stages
    lab.do(first_stage, 0.5)
    crashed = lab.runs.trigger(stage.id)
    job = lab.started(crashed)
    lab.do(first_stage, 0.9)  # something better is there meanwhile
    crash(lab, job)

    before, after = lab.runs.of_stage(stage.id)
    same = (
        *("config", "config_digest", "seed", "signature", "algorithm_id", "code", "experiment_id"),
        *("start_checkpoint_id", "start_role", "source_checkpoint_id", "source_run_id", "kind"),
    )
    for name in same:
        assert getattr(after, name) == getattr(before, name), name
    assert (before.error or "").endswith("Retried: run 2 starts over.")


@pytest.mark.spec("6.12")
def test_a_run_that_is_given_up_leaves_a_retry_that_anybody_can_take(lab: Lab) -> None:
    """Its supervisor is dead, so the retry is Pending without a holder."""
    stage = retried(lab, "SFT").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.1)
    (lease,), _ = lab.supervision.active()

    assert lab.supervision.give_up(lease, "Its supervisor is gone.")
    assert not lab.supervision.give_up(lease, "Its supervisor is gone.")

    first, second = lab.runs.of_stage(stage.id)
    assert (first.status, second.status, second.retry) == (Status.CRASHED, Status.PENDING, 1)
    taken = lab.supervision.take(second.id, an_owner())
    assert taken is not None
    assert (taken.start.step if taken.start else None, taken.start_role) == (10, "resume")


@pytest.mark.spec("6.12", "6.2")
@pytest.mark.parametrize("number", range(5))
def test_however_many_find_a_dead_supervisor_there_is_one_retry(lab: Lab, number: int) -> None:
    """Eight threads give the same run up at the same moment."""
    del number
    stage = retried(lab, "SFT").stages[0]
    lab.started(lab.runs.trigger(stage.id))
    (lease,), _ = lab.supervision.active()
    barrier, done = threading.Barrier(8), list[bool]()

    def race() -> None:
        barrier.wait()
        done.append(lab.supervision.give_up(lease, "Its supervisor is gone."))

    racers = [threading.Thread(target=race) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert sorted(done) == [False] * 7 + [True]
    assert [run.status for run in lab.runs.of_stage(stage.id)] == [Status.CRASHED, Status.PENDING]


@pytest.mark.spec("6.12")
@pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED])
def test_failures_and_stops_are_not_retried(lab: Lab, status: Status) -> None:
    """The error is as it was, and the stage has one run."""
    stage = retried(lab, "SFT").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.1)

    assert lab.end(job, status, "It broke.") is None
    (run,) = lab.runs.of_stage(stage.id)
    assert (run.status, run.error) == (status, "It broke.")


@pytest.mark.spec("6.12")
def test_a_run_that_crashes_while_it_stops_is_not_retried(lab: Lab) -> None:
    """Neither by its supervisor nor by whoever finds that dead."""
    stage = retried(lab, "SFT").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.1)
    lab.runs.stop(job.run_id)
    assert crash(lab, job, "Killed.") is None
    assert lab.runs.get(job.run_id).error == "Killed. Not retried: it was asked to stop."

    job = lab.started(lab.runs.trigger(stage.id))
    lab.runs.stop(job.run_id)
    (lease,), _ = lab.supervision.active()
    lab.supervision.give_up(lease, "Gone.")
    assert lab.runs.get(job.run_id).error == "Gone. Not retried: it was asked to stop."
    assert len(lab.runs.of_stage(stage.id)) == 2


@pytest.mark.spec("6.12")
def test_a_retry_that_crashes_at_the_same_step_is_the_last(lab: Lab) -> None:
    """Its error says why, and no further run is there."""
    stage = retried(lab, "SFT", retries=5).stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.1)
    lab.report(job, 15)
    again = crash(lab, job)
    assert isinstance(again, Job)
    lab.supervision.record_start(again, an_owner().process)
    lab.report(again, 15)

    assert crash(lab, again, "Killed.") is None
    last = lab.runs.of_stage(stage.id)[-1]
    assert last.error == (
        "Killed. Not retried again: it crashed at step 15, as run 1 did, and had saved nothing since."
    )


@pytest.mark.spec("6.12")
def test_the_success_of_a_retry_starts_the_next_stage(lab: Lab) -> None:
    """As that of any run: the chain goes on from what the retry saved."""
    first, second = retried(lab, "SFT", "GRPO").stages
    job = lab.started(lab.runs.trigger(first.id))
    lab.save(job, 10, 0.1)
    again = crash(lab, job)
    assert isinstance(again, Job)

    following = lab.go_on(again, 0.7)

    assert following is not None
    assert lab.runs.get(following.run_id).stage_id == second.id
    assert following.start is not None
    assert following.start.run_id == again.run_id
    assert lab.runs.get(following.run_id).retry == 0


@pytest.mark.spec("6.12")
def test_a_person_cannot_trigger_what_is_being_retried_and_can_stop_it(lab: Lab) -> None:
    """The retry is the stage's active run; stopped before it began, it is Stopped and not retried."""
    stage = retried(lab, "SFT").stages[0]
    crash(lab, lab.started(lab.runs.trigger(stage.id)))
    with pytest.raises(TriggerError, match="already pending"):
        lab.runs.trigger(stage.id)
    retry = lab.runs.of_stage(stage.id)[-1]

    assert lab.runs.stop(retry.id).status is Status.STOPPED
    assert len(lab.runs.of_stage(stage.id)) == 2
    assert lab.runs.trigger(stage.id, resume=False).retry == 0  # a person's trigger begins to count anew


@pytest.mark.spec("6.12")
def test_a_retry_whose_checkpoint_is_gone_is_not_begun(lab: Lab) -> None:
    """The crashed run says so, and nothing is Pending."""
    stage = retried(lab, "SFT").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    saved = lab.save(job, 10, 0.1)

    shutil.rmtree(saved.path)
    assert crash(lab, job) is None
    (run,) = lab.runs.of_stage(stage.id)
    assert "Not retried: The checkpoint" in (run.error or "")
    assert "is missing" in (run.error or "")


@pytest.mark.spec("6.12")
def test_a_crashed_deployment_and_a_run_without_a_stage_are_not_retried(lab: Lab) -> None:
    """A Deployment trains nothing, so it has no retries; an experiment by itself has no stage that has."""
    train, deploy = retried(lab, "SFT", "deploy", trigger="manual").stages
    lab.do(train, 0.5)
    assert crash(lab, lab.started(lab.runs.trigger(deploy.id)), "Killed.") is None
    assert lab.runs.of_stage(deploy.id)[-1].error == "Killed."
    alone = lab.experiment("alone")
    assert crash(lab, lab.started(lab.runs.train(alone.id)), "Killed.") is None
    assert lab.runs.of_experiment(alone.id)[-1].error == "Killed."


@pytest.mark.spec("6.12", "6.4")
def test_a_plan_says_what_is_retried(lab: Lab) -> None:
    """Every stage of the cascade with retries, by how many."""
    first, second = retried(lab, "SFT", "GRPO", retries=1).stages
    plan = lab.runs.plan(first.id)
    assert plan.retries == ("Stage 1 (chain-sft-1), 1 retry", "Stage 2 (chain-grpo-2), 1 retry")
    assert "Retried after a crash: Stage 1 (chain-sft-1), 1 retry" in str(plan)
    assert lab.runs.plan(second.id).retries == ("Stage 2 (chain-grpo-2), 1 retry",)


@pytest.mark.spec("6.12")
def test_a_supervisor_that_was_asked_to_end_leaves_the_retry_to_others(lab: Lab) -> None:
    """Its job is being ended by its engine, or its machine goes down: it would only crash again."""
    stage = retried(lab, "SFT").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    owner = replace(an_owner(), is_ending=True)

    assert lab.supervision.finish(job, Outcome(status=Status.CRASHED, error="Killed."), owner) is None
    retry = lab.runs.of_stage(stage.id)[-1]
    assert (retry.status, retry.retry) == (Status.PENDING, 1)
    assert lab.supervision.take(retry.id, an_owner()) is not None
