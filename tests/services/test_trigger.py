"""Triggering a stage, and exactly one active run of it (spec 6.1, 6.2, 6.4)."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import databases
import pytest
from factories.lab import Lab, configured, open_lab, texts
from factories.values import GRPO, PPO, SFT

from pipeline_widgets.domain.chain import FromAgent, FromScratch, FromSource
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import (
    CheckpointError,
    ConflictError,
    ExecutionError,
    PipelineError,
    TriggerError,
)
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import open_store
from pipeline_widgets.services.runs import RunService

RACERS = 4


@pytest.mark.spec("6.1")
def test_a_trigger_writes_a_pending_run_with_everything_frozen(lab: Lab) -> None:
    """The run has the config, seed and signature as they are now; a later change does not reach it."""
    made = lab.pipelines.create(lab.project.id, "chain")
    experiment = lab.experiments.create(
        lab.project.id, "a", configured(SFT, {"steps": 5}, {"base": "letters"}), seed=7
    )
    stage = lab.add(made.id, experiment)
    run = lab.runs.trigger(stage.id)
    assert (run.status, run.number, run.stage_id, run.experiment_id) == (
        Status.PENDING,
        1,
        stage.id,
        experiment.id,
    )
    lab.carry_out(run, 0.5)
    lab.experiments.update(experiment.id, configured(SFT, {"steps": 6}), seed=8)
    kept = lab.runs.get(run.id)
    assert (dict(kept.config), kept.seed, dict(kept.signature)) == ({"steps": 5}, 7, {"base": "letters"})
    assert kept.config_digest == experiment.config_digest


@pytest.mark.spec("1")
def test_a_re_run_is_a_new_run_and_the_old_one_stays(lab: Lab) -> None:
    """Runs are numbered and kept; the status of a stage is that of its latest run."""
    (stage,) = lab.pipeline("SFT").stages
    first = lab.do(stage, 0.5)
    second = lab.do(stage, 0.6, status=Status.FAILED)
    assert [(run.id, run.number, run.status) for run in lab.runs.of_stage(stage.id)] == [
        (first.id, 1, Status.SUCCEEDED),
        (second.id, 2, Status.FAILED),
    ]
    assert lab.status(stage) is Status.FAILED
    assert [c.run_id for c in lab.runs.checkpoints(first.id)] == [first.id]


@pytest.mark.spec("6.1")
def test_each_refusal_is_the_reason_that_the_stage_shows(lab: Lab) -> None:
    """What blocks a stage is what the trigger raises, and a refused trigger writes nothing."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, third = made.stages
    lab.runs.trigger(first.id)
    revision = lab.store.changes.revision(lab.project.id)
    for stage, reason in (
        (first, "This stage is already pending."),
        (second, "Stage 1 (chain-sft-1) is still pending."),
        (second, "Waiting for a checkpoint from Stage 1 (chain-sft-1)."),
        (third, "Waiting for a checkpoint from Stage 2 (chain-grpo-2)."),
    ):
        assert reason in lab.state(stage).blockers
        with pytest.raises(TriggerError) as refused:
            lab.runs.trigger(stage.id)
        assert reason in refused.value.why
        assert refused.value.what.endswith("cannot be triggered.")
        assert refused.value.fix
    assert lab.store.changes.revision(lab.project.id) == revision
    assert [lab.runs.of_stage(stage.id) for stage in (second, third)] == [(), ()]


@pytest.mark.spec("6.1")
def test_an_experiment_that_runs_by_itself_blocks_its_stages(lab: Lab) -> None:
    """One experiment has one active run, whether in a stage of this pipeline, of another, or alone."""
    made = lab.pipeline("SFT")
    copy = lab.pipelines.duplicate(made.id)
    alone = lab.runs.train(made.experiment_ids[0])
    for stage in (*made.stages, *copy.stages):
        with pytest.raises(TriggerError, match="Its experiment 'chain-sft-1' is running elsewhere"):
            lab.runs.trigger(stage.id)
    lab.runs.stop(alone.id)
    lab.runs.trigger(copy.stages[0].id)
    with pytest.raises(TriggerError, match="is running elsewhere"):
        lab.runs.trigger(made.stages[0].id)
    with pytest.raises(TriggerError, match=r"Experiment 'chain-sft-1' cannot start. Its run 2 is pending"):
        lab.runs.train(made.experiment_ids[0])


@pytest.mark.spec("6.1")
@pytest.mark.parametrize("choice", ["best", "final", 10])
def test_the_start_checkpoint_is_frozen_into_the_run(lab: Lab, choice: Any) -> None:
    """What a run starts from is chosen when it is triggered, and a better one saved later changes nothing."""
    made = lab.pipeline("SFT", "GRPO")
    first, second = made.stages
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, start=FromSource(choice)))  # pyright: ignore[reportCallIssue]
    source = lab.do(first, 0.9, 0.1)
    run = lab.runs.trigger(second.id)
    chosen = next(
        c for c in lab.runs.checkpoints(source.id) if c.step == {"best": 10, "final": 20}.get(choice, 10)
    )
    lab.do(first, 0.99)
    kept = lab.runs.get(run.id)
    assert (kept.start_checkpoint_id, kept.start_role) == (chosen.id, "policy")
    assert (kept.source_checkpoint_id, kept.source_run_id) == (chosen.id, source.id)
    job = lab.take(run)
    assert job.start == chosen
    assert lab.runs.start_checkpoint(kept) == chosen


@pytest.mark.spec("5.4")
def test_a_first_stage_starts_from_the_frozen_copy_of_a_saved_agent(lab: Lab) -> None:
    """The run reads the agent's copy, which is there though the original's files are gone."""
    (stage,) = lab.pipeline("SFT").stages
    run = lab.do(stage, 0.5)
    (checkpoint,) = lab.runs.checkpoints(run.id)
    agent = lab.agents.create("saved", checkpoint.id)
    lab.pipelines.update_stage(stage.id, lambda each: replace(each, start=FromAgent(agent.id)))  # pyright: ignore[reportCallIssue]
    shutil.rmtree(checkpoint.path)
    again = lab.runs.trigger(stage.id)
    job = lab.take(again)
    assert job.start is not None
    assert (job.start.path, job.start_role) == (agent.current.path, "weights")
    assert lab.runs.get(again.id).start_agent_version_id == agent.current.id
    assert lab.runs.get(again.id).source_checkpoint_id is None


@pytest.mark.spec("5.4")
def test_only_an_agent_that_fits_can_be_a_start(lab: Lab) -> None:
    """A saved Agent of another kind is refused as the start of a first stage."""
    policy = lab.experiment("policy", PPO)
    lab.carry_out(lab.runs.train(policy.id), 0.5)
    agent = lab.agents.create("saved", lab.experiments.checkpoints(policy.id)[0].id)
    made = lab.pipelines.create(lab.project.id, "chain")
    with pytest.raises(
        PipelineError, match=r"Can't start from PPO: SFT needs a language model, PPO produces a policy\."
    ):
        lab.add(made.id, lab.experiment("sft"), start=FromAgent(agent.id))


@pytest.mark.spec("6.1")
def test_a_checkpoint_that_is_gone_or_corrupt_starts_nothing(lab: Lab) -> None:
    """Files that are not as they were saved are found before the run is written."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    (checkpoint,) = lab.runs.checkpoints(lab.do(first, 0.5).id)
    path = Path(checkpoint.path) / "weights.txt"
    content = path.read_text()
    path.write_text("changed")
    with pytest.raises(CheckpointError, match="is corrupt"):
        lab.runs.trigger(second.id)
    shutil.rmtree(checkpoint.path)
    with pytest.raises(CheckpointError, match="is missing"):
        lab.runs.trigger(second.id)
    assert lab.runs.of_stage(second.id) == ()
    path.parent.mkdir()
    path.write_text(content)
    assert lab.runs.trigger(second.id).status is Status.PENDING


@pytest.mark.spec("6.8")
def test_a_stopped_source_offers_what_it_had_saved(lab: Lab) -> None:
    """Checkpoints saved before a stop stay usable; a later success takes their place."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    stopped = lab.do(first, 0.5, status=Status.STOPPED)
    assert lab.state(second).blockers == ()
    run = lab.do(second, 0.6)
    assert run.source_run_id == stopped.id
    assert not lab.state(second).staleness.stale
    lab.do(first, 0.7)
    assert lab.state(second).staleness.reasons == ("Stage 1 was re-run: used run 1, latest is run 2",)


def test_a_failed_re_run_does_not_take_the_former_success_away(lab: Lab) -> None:
    """What the latest successful run saved is offered, though a later run failed with a checkpoint."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    good = lab.do(first, 0.5)
    lab.do(first, 0.9, status=Status.FAILED)
    assert lab.do(second, 0.6).source_run_id == good.id


@pytest.mark.spec("5.7", "6.1")
def test_runs_of_a_former_experiment_are_not_those_of_the_present_one(lab: Lab) -> None:
    """A stage that is bound to another experiment is a Draft again, and is itself again when bound back."""
    made = lab.pipeline("SFT", "GRPO")
    first, second = made.stages
    lab.do(first, 0.5)
    other = lab.experiment("other")
    lab.pipelines.update_stage(first.id, lambda stage: replace(stage, experiment_id=other.id))  # pyright: ignore[reportCallIssue]
    assert lab.status(first) is Status.DRAFT
    assert "Waiting for a checkpoint from Stage 1 (other)." in lab.state(second).blockers
    assert len(lab.runs.of_stage(first.id)) == 1
    lab.pipelines.update_stage(first.id, lambda stage: replace(stage, experiment_id=made.experiment_ids[0]))  # pyright: ignore[reportCallIssue]
    assert lab.status(first) is Status.SUCCEEDED


@pytest.mark.spec("9.1")
def test_training_by_itself_needs_an_algorithm_that_starts_from_scratch(lab: Lab) -> None:
    """An experiment trains outside of pipelines, and starts no stage that it is bound to."""
    made = lab.pipeline("SFT", "GRPO", trigger="auto")
    run = lab.runs.train(made.experiment_ids[0])
    assert (run.stage_id, run.start_checkpoint_id) == (None, None)
    assert lab.carry_out(run, 0.5) is None
    assert [lab.status(stage) for stage in made.stages] == [Status.DRAFT, Status.DRAFT]
    needy = lab.experiment("needy", replace(GRPO, scratch=False))
    with pytest.raises(TriggerError, match="can't start from scratch"):
        lab.runs.train(needy.id)


@pytest.mark.spec("6.4")
def test_a_plan_is_what_happens(lab: Lab) -> None:
    """The plan of a re-run names what runs, follows, turns stale and is redeployed, and nothing is done."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, third = made.stages
    for stage in (first, second):
        lab.do(stage, 0.5)
    lab.pipelines.update_stage(third.id, lambda stage: replace(stage, trigger=type(stage.trigger)("auto")))
    revision = lab.store.changes.revision(lab.project.id)
    told = lab.runs.plan(second.id)
    assert str(told).splitlines() == [
        "Runs now: Stage 2 (chain-grpo-2), best evaluation score 0.5, step 10 (again)",
        "Follows automatically: Stage 3 (letters-agent)",
        "Deploys: letters-agent",
    ]
    assert lab.runs.plan(first.id).turns_stale == ("Stage 2 (chain-grpo-2)",)
    assert lab.store.changes.revision(lab.project.id) == revision


@pytest.mark.spec("11.2")
def test_an_engine_is_asked_outside_of_a_transaction_and_a_refusal_leaves_no_run(lab: Lab) -> None:
    """An engine may take half a minute; a trigger needs no more transactions for it than without it."""
    (stage,) = lab.pipeline("SFT").stages
    database = lab.store.database
    begun: list[Any] = []
    asked: list[tuple[Placement, str | None, bool]] = []

    def refuse(placement: Placement, python: str | None) -> None:
        asked.append((placement, python, bool(database._active)))
        raise ExecutionError("No.")

    def count(runs: RunService) -> int:
        before = len(begun)
        with suppress(ExecutionError):
            runs.trigger(stage.id)
        return len(begun) - before

    @contextmanager
    def counted(_: Database, engine: Any) -> Generator[Any]:
        begun.append(engine)
        with begin(database, engine) as connection:
            yield connection

    begin = Database._transaction
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_transaction", counted)
        assert count(RunService(lab.store, check_placement=refuse)) == 1
        assert asked == [(DEFAULT_PLACEMENT, None, False)]
        assert lab.runs.of_stage(stage.id) == ()
        assert count(RunService(lab.store, check_placement=lambda _, __: None)) == 2


@pytest.mark.spec("6.2")
def test_many_threads_that_trigger_at_once_start_one_run(lab: Lab) -> None:
    """Of threads that trigger the same stage at the same moment one wins and the others are told."""
    (stage,) = lab.pipeline("SFT").stages
    results: list[str] = []
    barrier = threading.Barrier(RACERS)

    def race() -> None:
        barrier.wait()
        try:
            lab.runs.trigger(stage.id)
            results.append("won")
        except (TriggerError, ConflictError) as error:
            results.append(str(error))

    racers = [threading.Thread(target=race) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert results.count("won") == 1
    assert len(results) == RACERS
    assert len(lab.runs.of_stage(stage.id)) == 1


def _race(url: str, stage_ids: list[int], barrier: Any, winners: Any) -> None:
    store = open_store(Database(url))
    for stage_id in stage_ids:
        barrier.wait()
        try:
            RunService(store).trigger(stage_id)
        except (TriggerError, ConflictError):
            continue
        winners.put(stage_id)
    store.database.close()


@pytest.mark.spec("6.2")
def test_many_kernels_that_trigger_at_once_start_one_run(tmp_path: Path) -> None:
    """Processes that trigger stages which share an experiment start one run of it in each round."""
    lab = open_lab(tmp_path, place=databases.place_in(tmp_path))
    rounds = [lab.pipeline("SFT", name=f"p{number}") for number in range(4)]
    stages = [made.stages[0].id for made in rounds]
    copies = [lab.pipelines.duplicate(made.id).stages[0].id for made in rounds]
    context = multiprocessing.get_context("spawn")
    barrier, winners = context.Barrier(RACERS), context.SimpleQueue()
    racers = [
        context.Process(target=_race, args=(lab.store.database.url, ids, barrier, winners))
        for ids in (stages, stages, copies, copies)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    won = 0
    while not winners.empty():
        winners.get()
        won += 1
    assert won == len(rounds)
    assert [len(lab.runs.of_experiment(made.experiment_ids[0])) for made in rounds] == [1] * len(rounds)
    lab.store.database.close()


@pytest.mark.spec("6.2")
def test_the_database_stops_a_second_run_that_no_rule_has_seen(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a check ever be passed by, the unique index still refuses: the user is told of a conflict."""
    (stage,) = lab.pipeline("SFT").stages
    lab.runs.trigger(stage.id)
    monkeypatch.setattr("pipeline_widgets.services.stage_trigger.find_blockers", lambda *_, **__: ())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(ConflictError):
        lab.runs.trigger(stage.id)
    assert len(lab.runs.of_stage(stage.id)) == 1


def test_a_stage_set_back_to_scratch_after_a_move_starts_from_nothing(lab: Lab) -> None:
    """A stage that became first consumes no checkpoint."""
    made = lab.pipeline("SFT", "GRPO")
    lab.do(made.stages[0], 0.5)
    lab.do(made.stages[1], 0.6)
    lab.pipelines.move_stage(made.stages[1].id, 0)
    first = lab.pipelines.get(made.id).stages[0]
    assert getattr(first, "start", None) == FromScratch()
    run = lab.do(first, 0.7)
    assert (run.start_checkpoint_id, run.source_run_id) == (None, None)
    assert (
        texts(lab.state(made.stages[0]).staleness.reasons) == "Stage 1 now comes before it, and was not used"
    )
