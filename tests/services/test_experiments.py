"""Experiments and their checkpoints (spec 1, 8.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from factories.lab import Lab, configured
from factories.values import GRPO, SFT

from pipeline_widgets.domain.algorithm import AlgorithmDeclaration, AlgorithmReference
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import (
    ConfigError,
    InUseError,
    NameTakenError,
    NotFoundError,
    RuleError,
    StaleWriteError,
)


@pytest.mark.spec("1")
def test_a_name_is_unique_in_its_project(lab: Lab) -> None:
    """Two projects may each have an experiment of the same name, one project may not."""
    lab.experiment(" a ")
    with pytest.raises(NameTakenError, match=r"[Aa]n experiment named 'a' already exists"):
        lab.experiment("a")
    other = lab.projects.create("Other", advanced_training=False)
    assert lab.experiments.create(other.id, "a", configured(), seed=0).name == "a"
    made = lab.experiment("b")
    with pytest.raises(NameTakenError):
        lab.experiments.rename(made.id, "a")
    assert lab.experiments.rename(made.id, "b").name == "b"


@pytest.mark.spec("1")
def test_an_experiment_is_what_it_was_made_of(lab: Lab) -> None:
    """Algorithm, ports, config, seed and signature come back as they went in."""
    made = lab.experiment(
        "a", SFT, config={"steps": 3, "nested": {"x": [1, None]}}, signature={"base": "b", "n": 2}
    )
    kept = lab.experiments.get(made.id)
    assert kept == made
    assert (kept.spec, dict(kept.config), dict(kept.signature)) == (
        SFT, {"steps": 3, "nested": {"x": [1, None]}}, {"base": "b", "n": 2},
    )  # fmt: skip


def test_a_copy_has_no_runs(lab: Lab) -> None:
    """A duplicate is named after the original, or as asked, and starts as a Draft."""
    made = lab.experiment("a")
    lab.carry_out(lab.runs.train(made.id), 0.5)
    names = [lab.experiments.duplicate(made.id).name for _ in range(2)]
    assert names == ["a (copy)", "a (copy 2)"]
    copy = lab.experiments.duplicate(made.id, " mine ")
    assert (copy.name, copy.config, copy.seed, copy.spec) == ("mine", made.config, made.seed, made.spec)
    assert lab.runs.of_experiment(copy.id) == ()
    with pytest.raises(NameTakenError):
        lab.experiments.duplicate(made.id, "mine")


@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_a_running_experiment_is_neither_changed_nor_deleted(lab: Lab, change: str) -> None:
    """The refusal names the run; the name alone may be changed meanwhile."""
    made = lab.experiment("a")
    lab.runs.train(made.id)
    ask = {
        "changed": lambda: lab.experiments.update(made.id, configured(SFT, {"steps": 1}), seed=0),
        "deleted": lambda: lab.experiments.delete(made.id),
    }[change]
    with pytest.raises(InUseError, match=f"'a' cannot be {change} now. Its run 1 is pending. Stop it first"):
        ask()
    assert lab.experiments.get(made.id) == made
    assert lab.experiments.rename(made.id, "b").name == "b"


@pytest.mark.spec("3.7")
def test_an_experiment_that_a_stage_is_bound_to_is_not_deleted(lab: Lab) -> None:
    """The refusal lists the pipelines."""
    made = lab.pipeline("SFT")
    lab.pipelines.duplicate(made.id)
    with pytest.raises(
        InUseError, match=r"used by pipeline 'chain', pipeline 'chain \(copy\)'. Delete those"
    ):
        lab.experiments.delete(made.experiment_ids[0])
    assert lab.experiments.get(made.experiment_ids[0])


def test_an_experiment_is_deleted_with_its_runs_and_files(lab: Lab) -> None:
    """Rows of runs, metrics and checkpoints go, and so do their folders; others stay."""
    gone, stays = lab.experiment("gone"), lab.experiment("stays")
    paths: list[Path] = []
    for experiment in (gone, stays):
        job = lab.started(lab.runs.train(experiment.id))
        lab.report(job, 1, loss=1.0)
        paths.append(Path(lab.save(job, 1, 0.5).path))
        lab.end(job, Status.STOPPED)
    lab.experiments.delete(gone.id)
    with pytest.raises(NotFoundError):
        lab.experiments.get(gone.id)
    assert [path.exists() for path in paths] == [False, True]
    assert [*lab.runs.metrics([1]).rows()] == []
    assert len([*lab.runs.metrics([2]).rows()]) == 1


def test_an_experiment_with_resumed_runs_can_be_deleted(lab: Lab) -> None:
    """Runs that refer to each other do not hinder it."""
    made = lab.pipeline("SFT")
    (stage,) = made.stages
    lab.do(stage, 0.5, status=Status.STOPPED)
    lab.do(stage, 0.6, status=Status.FAILED, resume=True)
    lab.pipelines.delete(made.id)
    lab.experiments.delete(made.experiment_ids[0])
    assert lab.experiments.of_project(lab.project.id) == ()


@pytest.mark.spec("8.4")
def test_a_checkpoint_that_a_run_consumed_is_not_deleted(lab: Lab) -> None:
    """The refusal names the run, whether it trained or deployed, and the files stay."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    (checkpoint,) = lab.runs.checkpoints(lab.do(made.stages[0], 0.5).id)
    second = lab.runs.checkpoints(lab.do(made.stages[1], 0.6).id)[0]
    lab.do(made.stages[2])
    with pytest.raises(InUseError) as refused:
        lab.experiments.delete_checkpoint(checkpoint.id)
    assert refused.value.what == "The checkpoint at step 10 cannot be deleted."
    assert refused.value.why == "It is used by run 1 of 'chain-grpo-2'."
    with pytest.raises(InUseError, match="used by deployment run 1, agent 'letters-agent'"):
        lab.experiments.delete_checkpoint(second.id)
    lab.pipelines.delete(made.id)
    with pytest.raises(InUseError, match=r"used by .*run 1 of 'chain-grpo-2'"):
        lab.experiments.delete(made.experiment_ids[0])
    assert Path(checkpoint.path).is_dir()


@pytest.mark.spec("8.4")
def test_a_checkpoint_that_is_saved_as_an_agent_is_not_deleted(lab: Lab) -> None:
    """The refusal names the agent; without the agent the checkpoint can go."""
    made = lab.experiment("a")
    lab.carry_out(lab.runs.train(made.id), 0.5)
    (checkpoint,) = lab.experiments.checkpoints(made.id)
    agent = lab.agents.create("saved", checkpoint.id)
    with pytest.raises(
        InUseError, match=r"It is used by agent 'saved'. Delete what uses it first, or keep it"
    ):
        lab.experiments.delete_checkpoint(checkpoint.id)
    with pytest.raises(InUseError, match="used by agent 'saved'"):
        lab.experiments.delete(made.id)
    lab.agents.delete(agent.id)
    lab.experiments.delete_checkpoint(checkpoint.id)
    assert lab.experiments.checkpoints(made.id) == ()
    assert not Path(checkpoint.path).exists()


@pytest.mark.spec("8.4")
def test_a_checkpoint_of_an_active_run_is_not_deleted(lab: Lab) -> None:
    """A run at work may still need what it saved."""
    job = lab.started(lab.runs.train(lab.experiment("a").id))
    checkpoint = lab.save(job, 10, 0.5)
    with pytest.raises(InUseError, match="used by the active run 1 that saved it"):
        lab.experiments.delete_checkpoint(checkpoint.id)
    lab.end(job, Status.STOPPED)
    lab.experiments.delete_checkpoint(checkpoint.id)


@pytest.mark.spec("8.4")
def test_deleting_one_of_two_checkpoints_with_the_same_files_keeps_the_files(lab: Lab) -> None:
    """Two steps of one run that share a folder keep it until both are gone."""
    job = lab.started(lab.runs.train(lab.experiment("a").id))
    first = lab.save(job, 10, 0.5, content="same")
    lab.end(job, Status.STOPPED)
    with lab.store.write() as work:
        values = {"path": str(Path(first.path).relative_to(work.root)), "size": 1, "digest": first.digest}
        work.checkpoints.add(
            job.run_id, step=20, training_score=None, evaluation_score=None, signature={}, **values
        )
    second = lab.runs.checkpoints(job.run_id)[1]
    lab.experiments.delete_checkpoint(first.id)
    assert Path(second.path).is_dir()
    lab.experiments.delete_checkpoint(second.id)
    assert not Path(second.path).exists()


@pytest.mark.spec("7.1")
def test_an_algorithm_that_is_defined_again_is_used_as_it_is_now(lab: Lab) -> None:
    """Running the defining cell again changes code and ports of the experiments, and not of past runs."""
    made = lab.pipeline("SFT")
    run = lab.do(made.stages[0], 0.5)
    newer = replace(SFT, produces=frozenset({"lm", "adapter"}))
    current = {"SFT": AlgorithmDeclaration(spec=newer, reference=AlgorithmReference(value="newer code"))}
    lab.experiments.refresh(made.id, current)
    experiment = lab.experiments.get(made.experiment_ids[0])
    assert experiment.spec == newer
    assert lab.experiments.reference(experiment.algorithm_id).value == "newer code"
    assert lab.runs.get(run.id).algorithm_id != experiment.algorithm_id
    lab.experiments.refresh(made.id, current)
    lab.experiments.refresh(
        made.id, {"GRPO": AlgorithmDeclaration(spec=GRPO, reference=AlgorithmReference(path="x:y"))}
    )
    assert lab.experiments.get(made.experiment_ids[0]) == experiment


@pytest.mark.spec("7.1")
def test_a_newer_declaration_under_the_same_import_path_is_taken(lab: Lab) -> None:
    """An installed algorithm whose ports changed with a release has the new ones after the next trigger."""
    made = lab.pipeline("SFT")
    newer = replace(SFT, produces=frozenset({"lm", "adapter"}))
    lab.experiments.refresh(
        made.id,
        {"SFT": AlgorithmDeclaration(spec=newer, reference=AlgorithmReference(path="factories.lab:SFT"))},
    )
    assert lab.experiments.get(made.experiment_ids[0]).spec == newer


def test_a_name_is_checked_before_it_is_given(lab: Lab) -> None:
    """It is trimmed; an experiment may keep its own."""
    made = lab.experiment("sft")
    project = lab.project.id
    assert lab.experiments.check_name(project, " new ") == "new"
    assert lab.experiments.check_name(project, "sft", of=made.id) == "sft"
    with pytest.raises(NameTakenError):
        lab.experiments.check_name(project, "sft")
    with pytest.raises(ConfigError, match="Enter a name for the experiment"):
        lab.experiments.check_name(project, " ")
    assert lab.experiments.name_of_copy(made.id) == lab.experiments.duplicate(made.id).name == "sft (copy)"


@pytest.mark.spec("5.13")
def test_a_config_that_was_changed_meanwhile_is_not_overwritten(lab: Lab) -> None:
    """The edit is refused; based on the config of now, it is done."""
    made = lab.experiment("sft")
    now = lab.experiments.update(
        made.id, configured(config={"steps": 2}), seed=0, expected_version=made.version
    )
    with pytest.raises(StaleWriteError, match=r"was changed meanwhile\. Its config was edited"):
        lab.experiments.update(
            made.id, configured(config={"steps": 3}), seed=0, expected_version=made.version
        )
    assert lab.experiments.get(made.id).config == {"steps": 2}
    lab.experiments.update(made.id, configured(config={"steps": 3}), seed=0, expected_version=now.version)
    assert lab.experiments.get(made.id).config == {"steps": 3}


@pytest.mark.spec("9.1")
def test_the_active_run_of_an_experiment_is_stopped_wherever_it_is(lab: Lab) -> None:
    """Also in a stage; without one there is nothing to stop."""
    pipeline = lab.pipeline("SFT")
    experiment = pipeline.experiment_ids[0]
    with pytest.raises(RuleError, match="is not running"):
        lab.runs.stop_experiment(experiment)
    run = lab.runs.trigger(pipeline.stages[0].id)
    assert lab.runs.stop_experiment(experiment).id == run.id
    assert lab.status(pipeline.stages[0]) is Status.STOPPED
