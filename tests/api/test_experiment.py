"""Experiments as a user holds them (spec 1, 9.1)."""

from __future__ import annotations

from typing import Any

import pytest
from factories.lab import Lab

import pipeline_widgets as pw
from pipeline_widgets.errors import InUseError


@pytest.mark.spec("1", "9.1")
def test_an_experiment_trains_by_itself(project: pw.Project, finish: Any, launched: list[int]) -> None:
    """Its status is that of its latest run; its runs and checkpoints are listed, oldest first."""
    experiment = project.create_experiment("a", algorithm="Imitate")
    assert (experiment.status, experiment.run, len(experiment.runs)) == (pw.Status.DRAFT, None, 0)
    first = experiment.train()
    assert (experiment.status, launched) == (pw.Status.PENDING, [first._id])
    finish(first, 0.5)
    second = finish(experiment.train(), 0.6, status=pw.Status.FAILED)
    assert list(experiment.runs) == [first, second]
    assert (experiment.run, experiment.status) == (second, pw.Status.FAILED)
    assert [c.run for c in experiment.checkpoints] == [first, second]


@pytest.mark.spec("1")
def test_the_runs_in_stages_are_its_runs_too(pipe: pw.Pipeline, project: pw.Project, finish: Any) -> None:
    """Runs are numbered for the experiment, whether a stage or a person started them."""
    experiment = project.experiments["imitate"]
    runs = [finish(pipe.stages[0].trigger(), 0.5), finish(experiment.train(), 0.5)]
    assert list(experiment.runs) == runs
    assert [run.number for run in runs] == [1, 2]
    assert list(pipe.stages[0].runs) == runs[:1]


@pytest.mark.spec("1", "6.8")
def test_an_update_keeps_what_is_left_out(project: pw.Project, finish: Any) -> None:
    """Name, single fields of the config and the seed change; past runs keep theirs."""
    experiment = project.create_experiment("a", algorithm="Imitate", config={"base": "words"}, seed=1)
    run = finish(experiment.train(), 0.5)
    experiment.update(config={"steps": 20})
    assert (experiment.config, experiment.seed) == ({"steps": 20, "base": "words"}, 1)
    experiment.update(name="b", seed=2)
    assert (experiment.name, experiment.seed, experiment.config["steps"]) == ("b", 2, 20)
    assert (run.config, run.seed) == ({"steps": 10, "base": "words"}, 1)


@pytest.mark.spec("7.1")
def test_an_algorithm_can_be_passed_itself(project: pw.Project) -> None:
    """The decorated function serves in the place of its name."""
    from pipeline_widgets.algorithms import registry  # noqa: PLC0415

    experiment = project.create_experiment("a", algorithm=registry.find("Imitate"))
    assert experiment.algorithm == "Imitate"


@pytest.mark.spec("9.1")
def test_resume_makes_a_new_experiment(project: pw.Project, finish: Any, launched: list[int]) -> None:
    """A checkpoint and a name make an experiment that goes on from there, and it is launched."""
    experiment = project.create_experiment("a", algorithm="Imitate")
    run = finish(experiment.train(), 0.5, status=pw.Status.STOPPED)
    made = experiment.resume(run.checkpoints[0], "b")
    assert (made.name, made.status) == ("b", pw.Status.PENDING)
    assert made.run is not None
    assert (made.run.start_checkpoint, made.run.start_role) == (run.checkpoints[0], "resume")
    assert launched == [run._id, made.run._id]


@pytest.mark.spec("9.1")
def test_duplicate_stop_and_delete(project: pw.Project, supervisor: Lab) -> None:
    """A copy has no runs; what runs is stopped before it is deleted."""
    experiment = project.create_experiment("a", algorithm="Imitate")
    job = supervisor.started(supervisor.runs.get(experiment.train()._id))
    copy = experiment.duplicate()
    assert (copy.name, copy.status, experiment.duplicate("mine").name) == (
        "a (copy)",
        pw.Status.DRAFT,
        "mine",
    )
    with pytest.raises(InUseError, match="Stop it first"):
        experiment.delete()
    experiment.stop()
    assert experiment.status is pw.Status.STOPPING
    supervisor.end(job, pw.Status.STOPPED)
    experiment.delete()
    assert [each.name for each in project.experiments] == ["a (copy)", "mine"]


@pytest.mark.spec("8.4")
def test_a_checkpoint_that_nothing_uses_is_deleted_with_its_files(project: pw.Project, finish: Any) -> None:
    """Deleting one leaves the others."""
    run = finish(project.create_experiment("a", algorithm="Imitate").train(), 0.5, 0.6)
    first, second = run.checkpoints
    first.delete()
    assert list(run.checkpoints) == [second]
    assert (first.path.exists(), second.path.exists()) == (False, True)
