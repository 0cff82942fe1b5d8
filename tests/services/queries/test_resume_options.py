"""What resuming an experiment offers, and what it does to a pipeline (spec 9.1)."""

from __future__ import annotations

import pytest
from factories.lab import Lab, configured
from factories.values import LOSS

from pipeline_widgets.domain.chain import ExperimentStage
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import NoCheckpointError, RuleError
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.queries.resume_options import ResumeOptionsQueries

pytestmark = pytest.mark.spec("9.1")


@pytest.fixture
def resumes(lab: Lab) -> ResumeOptionsQueries:
    """What can be gone on from in the workspace."""
    return ResumeOptionsQueries(lab.store)


def test_each_run_that_saved_something_is_offered_latest_first(
    lab: Lab, resumes: ResumeOptionsQueries
) -> None:
    """With its best and its final checkpoint, by the direction of the algorithm's score."""
    made = lab.experiment("loss", LOSS)
    lab.carry_out(lab.runs.train(made.id), 0.2, 0.4)
    lab.carry_out(lab.runs.train(made.id), status=Status.FAILED)
    lab.carry_out(lab.runs.train(made.id), 0.6, status=Status.STOPPED)
    offer = resumes.find_options(made.id)
    assert [(each.run, each.best.step, each.final.step) for each in offer.saved] == [
        ("run 3", 10, 10),
        ("run 1", 10, 20),
    ]
    assert (offer.warning, offer.blocker) == ("", "")
    run = offer.saved[1].run_id
    steps = [resumes.chosen(made.id, run, choice).step for choice in ("best", "final", 20)]
    assert steps == [10, 20, 20]


def test_an_offer_says_where_the_new_experiment_would_end(lab: Lab, resumes: ResumeOptionsQueries) -> None:
    """By the field that has set the total, as it is now; without one, by the total of the run."""
    made = lab.experiment("sft")

    def end() -> tuple[int | None, str | None]:
        (saved,) = resumes.find_options(made.id).saved
        return saved.ends, saved.length

    job = lab.started(lab.runs.train(made.id))
    lab.save(job, 10, 0.5)
    lab.report(job, 10, 30)
    assert end() == (30, None)
    lab.report(job, 10, 10)
    lab.end(job)
    assert end() == (10, "steps")
    lab.experiments.update(made.id, configured(config={"steps": 25}), seed=0)
    assert end() == (25, "steps")


def test_a_total_that_no_field_has_set_counts_no_more_once_the_config_is_changed(
    lab: Lab, resumes: ResumeOptionsQueries
) -> None:
    """It may have been changed so that the training goes on."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    lab.save(job, 10, 0.5)
    lab.report(job, 10, 30)
    lab.end(job)
    lab.experiments.update(made.id, configured(config={"steps": 25}), seed=0)
    (saved,) = resumes.find_options(made.id).saved
    assert (saved.ends, saved.length) == (None, None)


def test_the_name_that_is_offered_is_free(lab: Lab, resumes: ResumeOptionsQueries) -> None:
    """It says that it was resumed, and is counted up."""
    made = lab.experiment("x" * 255)
    lab.carry_out(lab.runs.train(made.id), 0.5)
    offer = resumes.find_options(made.id)
    assert offer.name.endswith("x (resumed)")
    first, _ = lab.runs.resume(made.id, offer.saved[0].checkpoints[0].id, offer.name)
    assert first.name == offer.name
    assert resumes.find_options(made.id).name.endswith("x (resumed 2)")
    assert len(resumes.find_options(made.id).name) <= 255


def test_without_checkpoint_or_while_it_runs_there_is_nothing_to_resume(
    lab: Lab, resumes: ResumeOptionsQueries
) -> None:
    """The reason is said."""
    made = lab.experiment("sft")
    assert resumes.find_options(made.id).blocker == "It has saved no checkpoint to resume from."
    job = lab.started(lab.runs.train(made.id))
    lab.save(job, 10, 0.5)
    assert resumes.find_options(made.id).blocker == "Its run 1 is running."


def test_a_choice_is_one_of_the_experiments_own(lab: Lab, resumes: ResumeOptionsQueries) -> None:
    """A run of another one, and a step that is not there, are refused."""
    made, other = lab.experiment("sft"), lab.experiment("other")
    lab.carry_out(lab.runs.train(made.id), 0.5)
    lab.carry_out(lab.runs.train(other.id), 0.5)
    with pytest.raises(NoCheckpointError, match="'sft' has no such run"):
        resumes.chosen(made.id, resumes.find_options(other.id).saved[0].run_id, "best")
    with pytest.raises(NoCheckpointError, match="no checkpoint at step 7"):
        resumes.chosen(made.id, resumes.find_options(made.id).saved[0].run_id, 7)


def test_it_warns_of_what_happens_in_a_pipeline_and_that_happens(
    lab: Lab, resumes: ResumeOptionsQueries
) -> None:
    """The stage is bound to the new experiment and triggered; an Auto stage after it is announced."""
    pipeline = lab.pipeline("SFT", "GRPO", "deploy", name="chain", trigger="auto")
    first, second, _ = pipeline.stages
    lab.do(first, 0.5, status=Status.FAILED)
    offer = resumes.find_options(pipeline.experiment_ids[0])
    said = "It belongs to pipeline 'chain'. Stage 1 will be bound to the new experiment, and triggered."
    assert offer.warning == f"{said} When it succeeds, stage 2 starts automatically."
    made, run = lab.runs.resume(offer.experiment.id, offer.saved[0].checkpoints[0].id, offer.name)
    bound = lab.pipelines.get(pipeline.id).stages[0]
    assert isinstance(bound, ExperimentStage)
    assert (bound.experiment_id, run.stage_id, run.experiment_id) == (made.id, first.id, made.id)
    last = HistoryService(lab.store).events(pipeline.id)[-1]
    assert last.what == "Bound stage 1 to 'chain-sft-1 (resumed)', which resumes 'chain-sft-1'."
    following = lab.carry_out(run, 0.6)
    assert following is not None
    assert lab.status(second) is Status.PENDING


def test_while_the_stage_before_is_active_its_stage_cannot_be_resumed(
    lab: Lab, resumes: ResumeOptionsQueries
) -> None:
    """What the offer says is what the refusal says, and nothing is changed."""
    pipeline = lab.pipeline("SFT", "GRPO", name="chain")
    for stage in pipeline.stages:
        lab.do(stage, 0.5)
    lab.started(lab.runs.trigger(pipeline.stages[0].id))
    offer = resumes.find_options(pipeline.experiment_ids[1])
    assert offer.blocker == "Stage 1 (chain-sft-1) is still running."
    with pytest.raises(RuleError, match=r"Stage 1 \(chain-sft-1\) is still running\."):
        lab.runs.resume(offer.experiment.id, offer.saved[0].checkpoints[0].id, offer.name)
    assert lab.pipelines.get(pipeline.id).experiment_ids == pipeline.experiment_ids


def test_stages_that_share_it_stay_bound_and_the_new_one_is_trained_by_itself(
    lab: Lab, resumes: ResumeOptionsQueries
) -> None:
    """Which of them is meant could only be guessed."""
    pipeline = lab.pipeline("SFT", name="one")
    lab.do(pipeline.stages[0], 0.5)
    copy = lab.pipelines.duplicate(pipeline.id)
    offer = resumes.find_options(pipeline.experiment_ids[0])
    assert offer.warning.startswith("It is used in several stages, of 'one' and 'one (copy)'")
    assert offer.warning.endswith("The new experiment is trained on its own.")
    _, run = lab.runs.resume(offer.experiment.id, offer.saved[0].checkpoints[0].id, offer.name)
    assert run.stage_id is None
    assert lab.pipelines.get(copy.id).experiment_ids == pipeline.experiment_ids
