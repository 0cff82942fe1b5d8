"""Pipelines and stages as a user holds them (spec 3, 5, 6, 10.1)."""

from __future__ import annotations

from typing import Any

import pytest
from factories.lab import Lab
from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.errors import (
    ConfigError,
    ExecutionError,
    ForeignError,
    InUseError,
    OrderError,
    RuleError,
    TriggerError,
)
from pipeline_widgets.execution.launchers.local import LocalLauncher


class Newer(BaseModel):
    """A config model that has lost its fields for others."""

    rate: float = 0.1


def newer(ctx: pw.TrainContext) -> None:
    """Train nothing: no process runs in these tests."""


@pytest.mark.spec("5.1", "5.2", "5.5", "10.1")
def test_a_chain_is_written_in_a_few_lines(project: pw.Project) -> None:
    """The calls of the README make the stages that they say, with the defaults of the specification."""
    pipe = project.create_pipeline("post-training", description="")
    s1 = pipe.add_experiment_stage(
        project.create_experiment("a", algorithm="Imitate", config={"steps": 6}, seed=0)
    )
    s2 = pipe.add_experiment_stage(
        project.create_experiment("b", algorithm="Refine"), trigger="auto", start="best"
    )
    s3 = pipe.add_deployment_stage("letters-agent", trigger="auto", checkpoint="best")
    assert list(pipe.stages) == [s1, s2, s3]
    assert [(s.type, s.name, s.trigger_type, s.position) for s in pipe.stages] == [
        ("Experiment", "a", "manual", 0),
        ("Experiment", "b", "auto", 1),
        ("Deployment", "letters-agent", "auto", 2),
    ]
    assert [s.experiment for s in pipe.stages] == [project.experiments["a"], project.experiments["b"], None]
    assert {s.status for s in pipe.stages} == {pw.Status.DRAFT}
    assert s1.blockers == ()
    assert s2.blockers == ("Waiting for a checkpoint from Stage 1 (a).",)


@pytest.mark.spec("5.4", "5.7", "10.1")
def test_candidates_for_the_first_stage_are_those_of_the_form(
    ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline, finish: Any
) -> None:
    """What cannot start from scratch fits as soon as a saved Agent can feed it, in Python as in the view."""
    empty = project.create_pipeline("empty")
    assert [each.name for each in empty.experiment_options() if each.fits] == ["imitate"]
    ws.create_agent("speaks", finish(pipe.stages[0].trigger(), 0.5).checkpoints[0])
    refine = empty.experiment_options()["refine"]
    assert (refine.fits, refine.reason) == (True, "It can start from saved Agent 'speaks'.")


@pytest.mark.spec("6.1", "6.6")
def test_a_trigger_starts_a_process_and_gives_the_run(pipe: pw.Pipeline, launched: list[int]) -> None:
    """The run is Pending, and one process is started for it."""
    run = pipe.stages[0].trigger()
    assert (run.status, run.number, launched) == (pw.Status.PENDING, 1, [run._id])
    assert pipe.stages[0].run == run == pipe.stages[0].runs[0]
    with pytest.raises(
        TriggerError, match=r"Stage 1 \(imitate\) cannot be triggered. This stage is already pending"
    ):
        pipe.stages[0].trigger()
    assert launched == [run._id]


@pytest.mark.spec("6.1")
def test_a_process_that_cannot_be_started_crashes_the_run_at_once(
    pipe: pw.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user is told, and the stage is not left waiting for a process that never comes."""

    def refuse(*_: object) -> None:
        raise ExecutionError("No process could be started.", "Out of memory.")

    monkeypatch.setattr(LocalLauncher, "submit", refuse)
    with pytest.raises(ExecutionError, match="No process could be started"):
        pipe.stages[0].trigger()
    assert pipe.stages[0].status is pw.Status.CRASHED
    run = pipe.stages[0].run
    assert run is not None
    assert "Out of memory" in (run.error or "")


@pytest.mark.spec("6.3")
def test_a_run_can_be_read_when_it_is_over(pipe: pw.Pipeline, supervisor: Lab) -> None:
    """Metrics, checkpoints, config, times, progress and log are there for the notebook."""
    run = pipe.stages[0].trigger()
    job = supervisor.started(supervisor.runs.get(run._id))
    supervisor.report(job, 5, 10, loss=0.5)
    assert (run.status, run.progress.fraction) == (pw.Status.RUNNING, 0.5)
    supervisor.save(job, 10, 0.7, 0.6)
    supervisor.end(job)
    assert [tuple(row) for row in run.metrics.to_numpy()] == [(5, "loss", 0.5)]
    assert list(run.metrics.columns) == ["step", "metric", "value"]
    (checkpoint,) = run.checkpoints
    assert (checkpoint.step, checkpoint.evaluation_score, checkpoint.training_score) == (10, 0.7, 0.6)
    assert (checkpoint.path / "weights.txt").is_file()
    assert checkpoint.size == sum(file.stat().st_size for file in checkpoint.path.iterdir())
    assert (run.config, run.seed, run.error, run.log) == ({"steps": 10, "base": "letters"}, 0, None, "")
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.created_at <= run.started_at <= run.finished_at
    assert (run.start_checkpoint, run.start_role) == (None, None)
    assert run.wait(timeout=0) == run


@pytest.mark.spec("6.1", "6.8")
def test_the_next_stage_says_what_it_started_from(pipe: pw.Pipeline, finish: Any) -> None:
    """The start checkpoint is the frozen one, and staleness is told by the handle."""
    first, second, _ = pipe.stages
    source = finish(first.trigger(), 0.5, 0.4)
    run = finish(second.trigger(), 0.6)
    assert (run.start_checkpoint, run.start_role) == (source.checkpoints[0], "weights")
    assert (second.stale, second.stale_reasons) == (False, ())
    finish(first.trigger(), 0.5)
    assert (second.stale, second.stale_reasons) == (
        True,
        ("Stage 1 was re-run: used run 1, latest is run 2",),
    )
    assert [(each.name, each.old, each.new) for each in second.stale_reasons[0].changes] == [
        ("Best checkpoint of stage 1", "step 10 of run 1", "step 10 of run 2")
    ]
    assert "Stage 1 was re-run" in pipe.stages.df["why"][1]
    second.accept_as_fresh("only the seed differs")
    assert (second.stale, second.stale_reasons) == (False, ())


@pytest.mark.spec("6.7")
def test_a_held_stage_says_why(project: pw.Project, finish: Any) -> None:
    """The reason is on the stage and in the table."""
    pipe = project.create_pipeline("gated")
    first = pipe.add_experiment_stage(project.create_experiment("a", algorithm="Imitate"))
    second = pipe.add_experiment_stage(
        project.create_experiment("b", algorithm="Refine"), trigger="auto", gate=0.9
    )
    finish(first.trigger(), 0.5)
    assert second.held == "Score 0.5, needs at least 0.9."
    assert second.held in pipe.stages.df["why"][1]
    second.update(trigger="manual")
    assert (second.held, second.trigger_type) == (None, "manual")


@pytest.mark.spec("9.1", "10.1")
def test_the_table_shows_the_best_score_in_the_direction_of_the_algorithm(
    project: pw.Project, finish: Any
) -> None:
    """Where a lower score is better the lowest is shown, and infinities never are."""
    pipe = project.create_pipeline("walk")
    stage = pipe.add_experiment_stage(project.create_experiment("walk", algorithm="Walk"))
    finish(stage.trigger(), 0.5, 0.2, float("-inf"), 0.9)
    assert list(pipe.stages.df["evaluation_score"]) == [0.2]


@pytest.mark.spec("5.2", "5.3", "10.1")
def test_settings_change_one_at_a_time(pipe: pw.Pipeline, project: pw.Project) -> None:
    """What is left out of an update stays, and what was changed along is returned."""
    first, second, third = pipe.stages
    assert second.update(trigger="auto", gate=0.5, auto_add_agent=True) == ()
    assert second.update(start="final") == ()
    stage = second._now.stage
    assert (second.trigger_type, getattr(stage, "auto_add_agent", None)) == ("auto", True)
    assert second.update(trigger="manual") == ()
    assert second._now.stage.gate is None
    third.update(
        trigger="auto", checkpoint="final", agent_name="other", description="x", gate="better than deployed"
    )
    assert third.name == "other"
    third.update(gate=None)
    assert (third._now.stage.gate, third.trigger_type) == (None, "auto")
    other = project.create_experiment("other", algorithm="Imitate")
    first.update(experiment=other)
    assert first.experiment == other
    first.update(duplicate=True)
    assert first.name == "other (copy)"


@pytest.mark.spec("5.3", "5.9")
@pytest.mark.parametrize(
    ("at", "settings", "wrong"),
    [
        (0, {"agent_name": "x"}, "'agent_name' is not a setting of an Experiment stage"),
        (0, {"checkpoint": "best"}, "'choice' is not a setting of an Experiment stage"),
        (2, {"start": "final"}, "'start' is not a setting of a Deployment stage"),
        (2, {"auto_add_agent": True}, "'auto_add_agent' is not a setting of a Deployment stage"),
        (1, {"trigger": "later"}, "'later' is not a trigger"),
        (1, {"start": "worst"}, "'worst' is not a start"),
        (1, {"start": -1}, "-1 is not a start"),
        (1, {"start": True}, "True is not a start"),
        (1, {"start": ["best"]}, "is not a start"),
        (1, {"gate": "high"}, "'high' is not a gate"),
        (1, {"gate": float("nan"), "trigger": "auto"}, "nan is not a gate"),
    ],
)
def test_a_setting_that_is_none_is_refused(
    pipe: pw.Pipeline, at: int, settings: dict[str, Any], wrong: str
) -> None:
    """A wrong setting is named, with those that there are, and nothing changes."""
    before = pipe._now
    with pytest.raises(ConfigError, match=wrong.replace("'choice'", "'(choice|checkpoint)'")):
        pipe.stages[at].update(**settings)
    assert pipe._now == before


@pytest.mark.spec("5.9", "10.3")
def test_a_refused_setting_is_named_as_it_was_written(pipe: pw.Pipeline) -> None:
    """The error speaks of the argument that the user passed, not of a column behind it."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"checkpoint": "best"}, "checkpoint"),
        ({"description": "x"}, "description"),
    ]
    for settings, name in wrong:
        with pytest.raises(ConfigError, match=f"'{name}' is not a setting"):
            pipe.stages[0].update(**settings)
    with pytest.raises(ConfigError, match="'experiment' is not a setting of a Deployment stage"):
        pipe.stages[2].update(experiment=pipe.stages[0].experiment)


@pytest.mark.spec("5.3")
def test_inserting_in_front_says_what_was_changed_along(pipe: pw.Pipeline, project: pw.Project) -> None:
    """The new stage tells which others were changed."""
    new = pipe.add_experiment_stage(project.create_experiment("new", algorithm="Imitate"), position=0)
    assert new.position == 0
    assert new.also == ("Stage 2 was set to 'Best checkpoint': it is no longer the first.",)
    assert new.delete() == ("Stage 1 was set to 'Start from scratch': it is now first.",)


@pytest.mark.spec("5.3")
@pytest.mark.parametrize("position", [-1, 4, 99])
def test_a_position_that_is_not_there_is_refused(
    pipe: pw.Pipeline, project: pw.Project, position: int
) -> None:
    """Stages are inserted where there is a place."""
    with pytest.raises(OrderError, match="Positions go from 0 to 3"):
        pipe.add_experiment_stage(project.create_experiment("new", algorithm="Refine"), position=position)
    assert len(pipe.stages) == 3


@pytest.mark.spec("6.5")
def test_stop_and_resume(pipe: pw.Pipeline, supervisor: Lab, launched: list[int]) -> None:
    """A stage is stopped through its run and resumed from its last checkpoint."""
    stage = pipe.stages[0]
    with pytest.raises(RuleError, match=r"There is nothing to stop. The stage has never run"):
        stage.stop()
    run = stage.trigger()
    job = supervisor.started(supervisor.runs.get(run._id))
    supervisor.save(job, 10, 0.5)
    stage.stop()
    assert stage.status is pw.Status.STOPPING
    supervisor.end(job, pw.Status.STOPPED)
    again = stage.trigger(resume=True)
    assert (again.start_role, again.start_checkpoint) == ("resume", run.checkpoints[0])
    assert launched == [run._id, again._id]
    with pytest.raises(RuleError, match=r"There is nothing to stop. Run 1 is stopped"):
        run.stop()


@pytest.mark.spec("6.4")
def test_a_plan_can_be_read_before_anything_is_done(pipe: pw.Pipeline, launched: list[int]) -> None:
    """A plan is a value with a text, and starts nothing."""
    plan = pipe.stages[0].plan()
    assert isinstance(plan, pw.Plan)
    assert str(plan) == "Runs now: Stage 1 (imitate), from scratch"
    assert launched == []


@pytest.mark.spec("5.12")
def test_check_lists_problems(pipe: pw.Pipeline, project: pw.Project) -> None:
    """A chain that can run has none; an empty one has one."""
    assert pipe.check() == ()
    assert [str(each) for each in project.create_pipeline("empty").check()] == ["The pipeline has no stages."]


@pytest.mark.spec("3.3", "3.4", "3.7")
@pytest.mark.spec("7.4", "5.12", "6.1")
def test_a_config_that_the_code_no_longer_takes_is_refused_before_anything_starts(
    pipe: pw.Pipeline, launched: list[int]
) -> None:
    """The cell that defines the algorithm was run again with another model: check and trigger say so."""
    pw.algorithm("Imitate", produces={"lm"}, config=Newer)(newer)
    other_code = "Imitate is defined differently here than where 'imitate' was set up"
    with pytest.warns(UserWarning, match=other_code):
        (problem,) = pipe.check()
    assert str(problem) == (
        "Stage 1 (imitate): Its config is no longer taken. Imitate has no config field 'steps'."
    )
    bound = pipe.stages[0].experiment
    assert bound is not None
    refused = r"'imitate' has a config .* no config field 'steps'.*update\("
    with pytest.warns(UserWarning, match=other_code) as told, pytest.raises(ConfigError, match=refused):
        pipe.stages[0].trigger()
    assert {each.filename for each in told} == {__file__}  # where the user has asked for it
    with pytest.raises(ConfigError, match=refused):
        bound.train()
    assert launched == []
    assert pipe.stages[0].status == "Draft"


def test_a_stage_that_failed_says_why_in_the_table(pipe: pw.Pipeline, supervisor: Lab) -> None:
    """The last line of its traceback, which is the error."""
    job = supervisor.started(supervisor.runs.get(pipe.stages[0].trigger()._id))
    supervisor.end(job, pw.Status.FAILED, error="Traceback:\n  File\nValueError: no data")
    assert list(pipe.stages.df["why"]) == ["ValueError: no data", "", ""]
    run = pipe.stages[0].run
    assert run is not None
    assert str(run.failure) == "ValueError: no data"
    with pytest.raises(pw.PipelineError, match="has saved no checkpoint to resume from"):
        run.resume()


def test_rename_duplicate_and_delete_a_pipeline(pipe: pw.Pipeline, project: pw.Project) -> None:
    """A pipeline is renamed, copied and deleted; its experiments stay."""
    pipe.update(name="renamed", description="what for")
    copy = pipe.duplicate()
    assert (copy.name, copy.description, len(copy.stages)) == ("renamed (copy)", "what for", 3)
    pipe.stages[0].trigger()
    with pytest.raises(InUseError, match=r"Stage 1 is pending. Stop it first"):
        pipe.delete()
    pipe.stages[0].stop()
    pipe.delete()
    assert [each.name for each in project.pipelines] == ["renamed (copy)"]
    assert [each.name for each in project.experiments] == ["imitate", "refine"]


@pytest.mark.spec("5.10")
def test_an_active_stage_is_held_fast(pipe: pw.Pipeline) -> None:
    """Edit, move and delete are refused by the handle too."""
    stage = pipe.stages[0]
    stage.trigger()
    for edit in (lambda: stage.update(start="scratch"), lambda: stage.move(1), stage.delete):
        with pytest.raises(InUseError, match="Stop it first"):
            edit()


@pytest.mark.spec("5.11")
def test_a_stage_takes_experiments_and_agents_only(pipe: pw.Pipeline) -> None:
    """Names and other things in the place of an experiment are refused with what to pass."""
    for wrong in ("imitate", 1, pipe, None):
        with pytest.raises(ForeignError, match="This takes an Experiment, got"):
            pipe.add_experiment_stage(wrong)  # pyright: ignore[reportArgumentType]  on purpose


@pytest.mark.spec("6.12")
def test_retries_are_a_setting_of_an_experiment_stage(project: pw.Project) -> None:
    """Given, changed, undone, written as YAML and as Python; a Deployment has none."""
    pipe = project.create_pipeline("retried")
    first = project.create_experiment("retried", algorithm="Imitate")
    stage = pipe.add_experiment_stage(first, retries=2)
    pipe.add_deployment_stage("agent")

    assert (stage.retries, pipe.stages[1].retries) == (2, 0)
    assert "retries: 2" in pipe.to_yaml()
    assert "retries=2" in pipe.to_python()
    stage.update(retries=0)
    assert stage.retries == 0
    assert "retries" not in pipe.to_yaml()
    pipe.undo()
    assert stage.retries == 2
    again = project.import_pipeline(pipe.to_yaml(), name="again")
    assert again.stages[0].retries == 2
    with pytest.raises(pw.ConfigError, match="'retries' is not a setting of a Deployment stage"):
        pipe.stages[1].update(retries=1)
    with pytest.raises(pw.ConfigError, match="-1 is not a number of retries"):
        stage.update(retries=-1)
