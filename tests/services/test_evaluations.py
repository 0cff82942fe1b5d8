"""Evaluations, and pipelines whose Best and gates go by an evaluator (spec 7.9), on a real SQLite file."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories.lab import CHILD, Lab, a_folder, an_owner
from factories.values import LOSS, PPO, SFT
from factories.yardsticks import EXACT, a_score, go_on, keep, score, train
from sqlalchemy import update

from pipeline_widgets.algorithms import evaluators
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import BetterThanDeployed, ScoreAtLeast
from pipeline_widgets.domain.evaluator import EvaluatorDeclaration, EvaluatorSpec
from pipeline_widgets.domain.job import Job, Outcome, PublishedFolder, SavedCheckpoint
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.errors import (
    EvaluatorNotFoundError,
    ForeignError,
    InUseError,
    RuleError,
    StaleWriteError,
    TriggerError,
)
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.repositories.evaluators import Evaluators
from pipeline_widgets.persistence.store import open_store
from pipeline_widgets.services.evaluations import EvaluationService
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.retention import RetentionService
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.transfer import TransferService

pytestmark = pytest.mark.spec("7.9")


def trained(lab: Lab, name: str = "sft", *scores: float) -> Run:
    """Return a run of a new experiment that has saved a checkpoint for each score."""
    run = lab.runs.train(lab.experiment(name).id)
    lab.carry_out(run, *(scores or (0.1, 0.2)))
    return lab.runs.get(run.id)


def ids(lab: Lab, run: Run) -> list[int]:
    """Return the ids of what a run saved."""
    return [each.id for each in lab.runs.checkpoints(run.id)]


def given(lab: Lab, run: Run, name: str = EXACT) -> list[float | None]:
    """Return the scores of what a run saved, by step."""
    with lab.store.read() as work:
        scores = work.evaluators.scores_of_runs([run.id])
    by_step = {each.step: each.value for each in scores if each.evaluator == name}
    return [by_step.get(each.step) for each in lab.runs.checkpoints(run.id)]


def test_an_evaluation_is_a_run_that_scores_while_it_goes(lab: Lab) -> None:
    """It is taken like any run, names what it scores, and each score counts as soon as it is known."""
    evaluations = keep(lab)
    run = trained(lab)
    first, second = ids(lab, run)
    started = evaluations.start(lab.project.id, EXACT, [first, second])
    assert started.run is not None
    assert (started.run.kind, started.run.number, started.run.status) == ("evaluation", 1, Status.PENDING)
    job = lab.started(started.run)
    assert job.kind == "evaluation"
    assert job.scoring is not None
    assert [each.label for each in job.scoring.targets] == [
        "step 10 of run 1 of 'sft'",
        "step 20 of run 1 of 'sft'",
    ]
    lab.supervision.record(job, Batch(scored=[a_score(10, 0.7, checkpoint_id=first)]))
    assert given(lab, run) == [0.7, None]
    lab.supervision.record(job, Batch(scored=[a_score(20, math.nan, checkpoint_id=second)]))
    assert lab.end(job) is None
    assert lab.runs.get(started.run.id).status == Status.SUCCEEDED
    assert given(lab, run) == [0.7, pytest.approx(math.nan, nan_ok=True)]
    assert [each.run for each in evaluations.rows(EXACT, [second, first])] == [1, 1]


def test_only_missing_scores_are_computed(lab: Lab) -> None:
    """What has a score is left alone, unless it is asked for again; an older code's score is told."""
    evaluations = keep(lab)
    run = trained(lab)
    first, second = ids(lab, run)
    job = lab.started(evaluations.start(lab.project.id, EXACT, [first]).run or run)
    lab.supervision.record(job, Batch(scored=[a_score(10, 0.7, checkpoint_id=first)]))
    lab.end(job)

    both = [first, second]
    again = evaluations.start(lab.project.id, EXACT, both)
    assert again.run is not None
    assert again.run.config["checkpoints"] == [second]
    lab.runs.stop(again.run.id)
    assert evaluations.start(lab.project.id, EXACT, [first]).run is None
    keep(lab, path="nowhere:another")
    changed = evaluations.start(lab.project.id, EXACT, [first])
    assert (changed.run, changed.outdated) == (None, ("step 10 of run 1 of 'sft'",))
    renewed = evaluations.start(lab.project.id, EXACT, both, again=True)
    assert renewed.run is not None
    assert renewed.run.config["checkpoints"] == both


def test_what_cannot_be_scored_is_refused_by_name_and_the_others_go_on(lab: Lab) -> None:
    """Another kind, and files that are gone, are left out with the reason."""
    evaluations = keep(lab)
    run, walk = trained(lab), lab.runs.train(lab.experiment("walk", PPO).id)
    lab.carry_out(walk, 1.0)
    gone = lab.runs.checkpoints(run.id)[0]
    shutil.rmtree(gone.path)
    started = evaluations.start(lab.project.id, EXACT, [*ids(lab, run), *ids(lab, walk)])
    assert started.run is not None
    assert started.run.config["checkpoints"] == ids(lab, run)[1:]
    assert started.refused == {
        "step 10 of run 1 of 'sft'": f"Its folder {gone.path} is missing.",
        "step 10 of run 1 of 'walk'": "'exact answers' scores a language model, PPO produces a policy.",
    }


def test_one_evaluation_at_a_time_for_an_evaluator_and_an_experiment(lab: Lab) -> None:
    """A second one is refused by name; another evaluator, and another experiment, go on."""
    evaluations = keep(lab)
    keep(lab, "length")
    run, other = trained(lab), trained(lab, "dpo")
    assert evaluations.start(lab.project.id, EXACT, ids(lab, run)).run is not None
    second = evaluations.start(lab.project.id, EXACT, [*ids(lab, run), *ids(lab, other)])
    assert second.run is not None
    assert second.run.config["checkpoints"] == ids(lab, other)
    assert set(second.refused.values()) == {
        "'exact answers' is scoring checkpoints of its experiment already: evaluation 1."
    }
    assert evaluations.start(lab.project.id, "length", ids(lab, run)).run is not None


def test_an_evaluation_does_not_hinder_training(lab: Lab) -> None:
    """The experiment's status stays that of its own latest run, and it can be trained meanwhile."""
    evaluations = keep(lab)
    run = trained(lab)
    started = evaluations.start(lab.project.id, EXACT, ids(lab, run)).run
    assert started is not None
    lab.started(started)
    experiment = lab.experiments.get(run.trained_experiment_id)
    again = lab.runs.train(experiment.id)
    lab.carry_out(again, 0.3)
    assert [each.id for each in lab.runs.of_experiment(experiment.id)] == [run.id, again.id]
    assert again.number == 2
    assert evaluations.of_project(lab.project.id) == (lab.runs.get(started.id),)


@pytest.mark.spec("8.4")
def test_what_is_being_scored_cannot_be_deleted(lab: Lab) -> None:
    """Neither the checkpoint nor its experiment nor a clean-up, until the evaluation has ended."""
    evaluations = keep(lab)
    run = trained(lab, "sft", 0.9, 0.1, 0.2)
    middle = ids(lab, run)[1]
    started = evaluations.start(lab.project.id, EXACT, [middle]).run
    assert started is not None
    with pytest.raises(InUseError, match="evaluation 1, which is scoring it"):
        lab.experiments.delete_checkpoint(middle)
    with pytest.raises(InUseError, match="evaluation 1"):
        lab.experiments.delete(run.trained_experiment_id)
    RetentionService(lab.store).delete_unreferenced(lab.project.id, "best+final")
    assert len(ids(lab, run)) == 3
    job = lab.started(started)
    lab.supervision.record(job, Batch(scored=[a_score(20, 0.4, checkpoint_id=middle)]))
    lab.end(job)
    lab.experiments.delete_checkpoint(middle)
    with lab.store.read() as work:  # the result stays
        assert [(each.step, each.value) for each in work.evaluators.scores_of_runs([run.id])] == [(20, 0.4)]
    lab.experiments.delete(run.trained_experiment_id)
    with lab.store.read() as work:
        assert work.evaluators.scores_of_runs([run.id]) == ()


def test_a_checkpoint_that_is_saved_anew_loses_its_score(lab: Lab) -> None:
    """A score is of one content: another one at the same step has none."""
    keep(lab)
    run = lab.runs.train(lab.experiment("sft").id)
    job = lab.started(run)
    lab.save(job, 10, 0.5, content="one")
    with lab.store.write() as work:
        key = work.checkpoints.of_runs([run.id])[0].id
        _put(work.evaluators, key, run.id)
    lab.save(job, 10, 0.6, content="one")
    assert given(lab, run) == [0.7]
    lab.save(job, 10, 0.6, content="another")
    assert given(lab, run) == [None]


def _put(evaluators: Evaluators, checkpoint_id: int, run_id: int) -> None:
    common: dict[str, Any] = {"evaluator": EXACT, "spread": 0.0, "metrics": {}, "code": "x", "run_id": None}
    evaluators.put_score(checkpoint_id=checkpoint_id, saved_by=run_id, step=10, value=0.7, **common)


def test_what_is_not_there_is_named(lab: Lab) -> None:
    """An evaluator that nobody has, and a checkpoint of another project."""
    run = trained(lab)
    evaluations = keep(lab)
    with pytest.raises(EvaluatorNotFoundError, match="'taste'"):
        evaluations.start(lab.project.id, "taste", ids(lab, run))
    other = lab.projects.create("Other", advanced_training=True)
    with pytest.raises(ForeignError):
        evaluations.start(other.id, EXACT, ids(lab, run))


# ---- Best and gates


def test_an_auto_stage_starts_from_the_best_by_the_evaluator(lab: Lab) -> None:
    """The scores, the end of the run and the next stage's start are one transaction, with no kernel."""
    keep(lab)
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    lab.pipelines.score_by(pipe.id, EXACT)
    run = lab.runs.trigger(pipe.stages[0].id)
    following = train(lab, run, [0.9, 0.5, 0.1], [0.2, 0.8, 0.3])
    assert isinstance(following, Job)
    assert following.start is not None
    assert following.start.step == 20  # 10 has the best score that the algorithm reported
    assert following.scoring is not None
    assert following.scoring.spec.name == EXACT
    assert go_on(lab, following, [0.1], [0.9]) is None
    assert lab.state(pipe.stages[1]).score == 0.9
    assert not lab.state(pipe.stages[1]).staleness.stale


def test_a_lower_score_wins_where_the_evaluator_says_so(lab: Lab) -> None:
    """The direction is the evaluator's, whatever that of the algorithm is."""
    keep(lab, score="min")
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    lab.pipelines.score_by(pipe.id, EXACT)
    following = train(lab, lab.runs.trigger(pipe.stages[0].id), [0.9, 0.5], [0.2, 0.8])
    assert isinstance(following, Job)
    assert following.start is not None
    assert following.start.step == 10


@pytest.mark.spec("5.2", "6.7")
def test_a_gate_goes_by_the_evaluator(lab: Lab) -> None:
    """A stage whose algorithm reports 0.9 is held by an evaluator that gives 0.2, with the numbers."""
    keep(lab)
    pipe = lab.pipeline("SFT")
    stage = lab.add(pipe.id, lab.experiment("next"), trigger="auto", gate=ScoreAtLeast(0.5))
    lab.pipelines.score_by(pipe.id, EXACT)
    assert lab.state(stage).condition == "if the score by 'exact answers' is at least 0.5"
    assert train(lab, lab.runs.trigger(pipe.stages[0].id), [0.9], [0.2]) is None
    assert lab.state(stage).held == "Score 0.2, needs at least 0.5."
    assert train(lab, lab.runs.trigger(pipe.stages[0].id), [0.1], [0.6]) is not None


def test_better_than_deployed_compares_by_the_evaluator(lab: Lab) -> None:
    """What is deployed needs a score as well; without one the stage is held, and says so."""
    keep(lab)
    pipe = lab.pipeline("SFT", name="first")
    stage = lab.add_deployment(pipe.id, trigger="auto", gate=BetterThanDeployed())
    job = lab.carry_out(lab.runs.trigger(pipe.stages[0].id), 0.1)  # there is no such agent yet
    assert job is not None
    lab.go_on(job)
    lab.pipelines.score_by(pipe.id, EXACT)
    assert train(lab, lab.runs.trigger(pipe.stages[0].id), [0.2], [0.4]) is None
    assert lab.state(stage).held == "The agent now deployed has no score by 'exact answers' to compare."
    deployed = lab.runs.checkpoints(lab.runs.of_stage(pipe.stages[0].id)[0].id)[0]
    with lab.store.write() as work:
        _put(work.evaluators, deployed.id, deployed.run_id)
    assert train(lab, lab.runs.trigger(pipe.stages[0].id), [0.9], [0.6]) is None
    assert lab.state(stage).held == "Score 0.6, needs better than the 0.7 of the agent now deployed."
    assert train(lab, lab.runs.trigger(pipe.stages[0].id), [0.1], [0.8]) is not None


def test_earlier_runs_wait_for_their_scores(lab: Lab) -> None:
    """What was trained before the evaluator was chosen is not judged by other scores: it is scored first."""
    evaluations = keep(lab)
    pipe = lab.pipeline("SFT", "GRPO")
    run = lab.do(pipe.stages[0], 0.9, 0.5)
    lab.do(pipe.stages[1], 0.1)
    lab.pipelines.score_by(pipe.id, EXACT)
    assert not lab.state(pipe.stages[1]).staleness.stale  # nothing tells that another one is better
    with pytest.raises(TriggerError, match="No checkpoint is scored by 'exact answers' yet") as refused:
        lab.runs.trigger(pipe.stages[1].id)
    assert "project.evaluate('exact answers', pipeline=...)" in refused.value.fix
    started = evaluations.start(lab.project.id, EXACT, evaluations.checkpoints_of_pipeline(pipe.id)).run
    assert started is not None
    job = lab.started(started)
    told = [
        a_score(step, value, checkpoint_id=key)
        for key, step, value in zip(ids(lab, run), (10, 20), (0.1, 0.3), strict=True)
    ]
    lab.supervision.record(job, Batch(scored=told))
    lab.end(job)
    assert lab.state(pipe.stages[1]).staleness.reasons == ("Stage 1 now gives step 20: used step 10",)
    assert lab.take(lab.runs.trigger(pipe.stages[1].id)).start == lab.runs.checkpoints(run.id)[1]


def test_a_stage_of_another_kind_goes_by_its_own_scores(lab: Lab) -> None:
    """In a chain of several kinds an evaluator decides among those that it accepts, and nowhere else."""
    keep(lab, accepts="policy")
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    with pytest.raises(RuleError, match="scores nothing that a stage"):
        lab.pipelines.score_by(pipe.id, EXACT)
    keep(lab, accepts="lm")
    lab.pipelines.score_by(pipe.id, EXACT)
    keep(lab, accepts="policy")  # defined again, for another kind
    job = lab.carry_out(lab.runs.trigger(pipe.stages[0].id), 0.9, 0.5)
    assert job is not None
    assert (job.start.step if job.start else None, job.scoring) == (10, None)


def test_a_resumed_run_scores_what_it_goes_on_from(lab: Lab) -> None:
    """What a stopped run had saved has no scores yet: the worker of the next one gives them."""
    keep(lab)
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    lab.pipelines.score_by(pipe.id, EXACT)
    stopped = lab.do(pipe.stages[0], 0.5, 0.6, status=Status.STOPPED)
    first = ids(lab, stopped)[0]
    with lab.store.write() as work:
        _put(work.evaluators, first, stopped.id)
    job = lab.take(lab.runs.trigger(pipe.stages[0].id, resume=True))
    assert job.scoring is not None
    assert [each.checkpoint.step for each in job.scoring.targets] == [10, 20]
    assert job.scoring.known == {ids(lab, stopped)[0]: 0.7}
    lab.supervision.record_start(job, CHILD)
    lab.save(job, 30, 0.1)
    scored = [a_score(20, 0.9, checkpoint_id=ids(lab, stopped)[1]), a_score(30, 0.8)]
    lab.supervision.record(job, Batch(scored=scored))
    following = lab.end(job)
    assert isinstance(following, Job)
    assert following.start is not None
    assert following.start.step == 20


def test_the_last_scores_come_with_the_end(lab: Lab) -> None:
    """Scores that are not written yet when the run ends count for the next stage all the same."""
    keep(lab)
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    lab.pipelines.score_by(pipe.id, EXACT)
    job = lab.started(lab.runs.trigger(pipe.stages[0].id))
    batch = Batch(
        saved=[_saved(job.folder, 10), _saved(job.folder, 20)], scored=[a_score(10, 0.9), a_score(20, 0.1)]
    )
    following = lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), an_owner(), batch)
    assert isinstance(following, Job)
    assert following.start is not None
    assert following.start.step == 10


def _saved(folder: str, step: int) -> SavedCheckpoint:
    published: PublishedFolder = a_folder(Path(folder) / "checkpoints", f"{step:010d}", str(step))
    return SavedCheckpoint(
        step=step, folder=published, training_score=None, evaluation_score=None, signature={}
    )


def test_a_batch_with_a_bad_score_is_split_until_that_one_is_named() -> None:
    """What a database refuses is left out alone, and said by its name."""
    batch = Batch(scored=[a_score(10, 0.5), a_score(20, 0.6)])
    halves = batch.split()
    assert [str(each) for each in halves] == [
        "the score of step 10 by 'exact answers'",
        "the score of step 20 by 'exact answers'",
    ]
    assert halves[0].split() == ()
    assert Batch.join(halves) == batch


# ---- edits


def test_it_is_an_edit_with_a_history_that_can_be_undone(lab: Lab) -> None:
    """Who chose the evaluator is told; an undo takes it back, and an old view does not overwrite it."""
    keep(lab)
    pipe = lab.pipeline("SFT", "GRPO")
    scored = lab.pipelines.score_by(pipe.id, EXACT)
    assert scored.score_by == EXACT
    assert lab.pipelines.score_by(pipe.id, EXACT).version == scored.version  # which changes nothing
    history = HistoryService(lab.store)
    assert history.events(pipe.id)[-1].what == "Best and gates go by scores by 'exact answers' now."
    with pytest.raises(StaleWriteError, match="Best and gates go by scores by 'exact answers' now"):
        lab.pipelines.delete_stage(pipe.stages[1].id, expected_version=pipe.version)
    assert history.undo(pipe.id).pipeline.score_by is None
    assert history.redo(pipe.id).pipeline.score_by == EXACT
    assert lab.pipelines.duplicate(pipe.id).score_by == EXACT
    assert lab.pipelines.score_by(pipe.id, None).score_by is None
    assert history.events(pipe.id)[-1].what == (
        "Best and gates go by the scores that the algorithms report now."
    )


def test_it_is_not_changed_under_an_active_stage(lab: Lab) -> None:
    """Neither by an edit nor by an undo: what the run will be judged by is fixed."""
    keep(lab)
    pipe = lab.pipeline("SFT")
    lab.pipelines.score_by(pipe.id, EXACT)
    lab.started(lab.runs.trigger(pipe.stages[0].id))
    with pytest.raises(InUseError, match="Stage 1 is running"):
        lab.pipelines.score_by(pipe.id, None)
    with pytest.raises(InUseError, match="stage 1, which is running"):
        HistoryService(lab.store).undo(pipe.id)


@pytest.mark.spec("10.2")
def test_it_is_exported_and_imported(lab: Lab) -> None:
    """YAML and Python name the evaluator; an import without it is refused, and makes nothing."""
    keep(lab)
    transfer = TransferService(lab.store, lambda name, _: pytest.fail(name))
    pipe = lab.pipeline()
    lab.pipelines.score_by(pipe.id, EXACT)
    text = transfer.to_yaml(pipe.id)
    assert "score_by: exact answers\n" in text
    assert 'pipe.score_by("exact answers")\n' in transfer.to_python(pipe.id)
    copied = transfer.import_pipeline(lab.project.id, text, name="copy").pipeline
    assert copied.score_by == EXACT
    assert transfer.to_yaml(copied.id) == text.replace("pipeline: chain", "pipeline: copy")
    unknown = text.replace("exact answers", "taste")
    with pytest.raises(EvaluatorNotFoundError, match="'taste'"):
        transfer.import_pipeline(lab.project.id, unknown, name="third")
    assert len(lab.pipelines.of_project(lab.project.id)) == 2


def test_a_retained_best_is_the_evaluators_where_a_stage_asks_for_it(lab: Lab) -> None:
    """A clean-up keeps what the next stage would start from."""
    keep(lab)
    pipe = lab.pipeline("SFT", "GRPO")
    lab.pipelines.score_by(pipe.id, EXACT)
    run = lab.runs.trigger(pipe.stages[0].id)
    train(lab, run, [0.9, 0.5, 0.1, 0.2], [0.1, 0.2, 0.8, 0.3])
    RetentionService(lab.store).delete_unreferenced(lab.project.id, "best+final")
    assert [each.step for each in lab.runs.checkpoints(run.id)] == [10, 30, 40]


def test_losses_and_scores_share_a_workspace(lab: Lab) -> None:
    """An algorithm whose lower score is better is judged by an evaluator whose higher one is."""
    keep(lab)
    pipe = lab.pipelines.create(lab.project.id, "losses")
    first = lab.add(pipe.id, lab.experiment("loss", LOSS))
    lab.add(pipe.id, lab.experiment("after", SFT), trigger="auto")
    lab.pipelines.score_by(pipe.id, EXACT)
    following = train(lab, lab.runs.trigger(first.id), [0.1, 0.9], [0.1, 0.9])
    assert isinstance(following, Job)
    assert following.start is not None
    assert following.start.step == 20
    assert lab.state(first).score == 0.9


def test_scores_need_a_run_that_asks_for_them(lab: Lab) -> None:
    """A worker that reports a score which nobody asked for changes nothing."""
    keep(lab)
    run = lab.runs.train(lab.experiment("sft").id)
    job = lab.started(run)
    lab.save(job, 10, 0.5)
    score(lab, job, 0.9)
    assert given(lab, run) == [None]


def test_code_of_another_python_is_refused_before_anything_starts(lab: Lab) -> None:
    """Byte code of another version would crash: neither an evaluation nor a stage that it scores starts."""
    run = trained(lab)
    pipe = lab.pipeline("SFT")
    spec = EvaluatorSpec(name=EXACT, accepts=frozenset({"lm"}))
    reference = AlgorithmReference(value="pickled", python="cpython 3.99")
    evaluations = EvaluationService(lab.store)
    evaluations.keep(EvaluatorDeclaration(spec=spec, reference=reference))
    with pytest.raises(TriggerError, match=r"3\.99"):
        evaluations.start(lab.project.id, EXACT, ids(lab, run))
    lab.pipelines.score_by(pipe.id, EXACT)
    with pytest.raises(TriggerError, match=r"3\.99"):
        lab.runs.trigger(pipe.stages[0].id)
    with pytest.raises(EvaluatorNotFoundError, match=r"3\.99"):
        evaluators.load(reference)
    here = replace(lab.store, defines_evaluator=EXACT.__eq__)
    assert not RunService(here).plan(pipe.stages[0].id).blockers  # a trigger renews it


@pytest.mark.sqlite  # whoever may write to a server's database is trusted with its code
@pytest.mark.spec("7.9", "6.3")
def test_an_evaluator_that_somebody_else_has_put_there_is_not_run(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code in the rows that this user has not signed holds the stage, as that of an algorithm does."""
    keep(lab)
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    lab.pipelines.score_by(pipe.id, EXACT)
    job = lab.started(lab.runs.trigger(pipe.stages[0].id))
    lab.save(job, 10, 0.5)
    score(lab, job, 0.5)
    with lab.store.write() as work:
        work.connection.execute(update(schema.evaluators).values(path="somebody.elses:code"))
    assert lab.end(job) is None
    assert "This code of the workspace is not run" in (lab.state(pipe.stages[1]).held or "")
    lab.store.database.close()
    reopened = open_store(Database(f"sqlite:///{tmp_path}/lab.db"))
    assert reopened.trust.reason is not None
    reopened.database.close()
