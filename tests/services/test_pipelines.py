"""Pipelines: create, rename, duplicate, delete (spec 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from factories.lab import Lab
from factories.values import GRPO, SFT

from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromSource, ScoreAtLeast, Trigger
from pipeline_widgets.domain.names import MAX_NAME_LENGTH
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError, InUseError, NameTakenError, NotFoundError, StaleWriteError


@pytest.mark.spec("3.1")
def test_a_new_pipeline_has_a_trimmed_name_and_no_stages(lab: Lab) -> None:
    """The name is required and trimmed, the description may be empty."""
    made = lab.pipelines.create(lab.project.id, "  chain ", " what for ")
    assert (made.name, made.description, made.stages) == ("chain", "what for", ())
    assert lab.pipelines.create(lab.project.id, "other").description == ""
    with pytest.raises(ConfigError, match="Enter a name for the pipeline"):
        lab.pipelines.create(lab.project.id, " ")
    with pytest.raises(NameTakenError, match="A pipeline named 'chain' already exists"):
        lab.pipelines.create(lab.project.id, "chain")
    assert len(lab.pipelines.of_project(lab.project.id)) == 2


@pytest.mark.spec("3.2")
def test_last_modified_moves_with_the_pipeline_and_any_of_its_stages(lab: Lab) -> None:
    """Renaming, adding, editing, moving, deleting and triggering a stage all count; looking does not."""
    experiments = [lab.experiment(name, SFT) for name in ("a", "b")]
    made = lab.pipelines.create(lab.project.id, "chain")
    seen = [lab.pipelines.get(made.id).modified_at]

    def modified() -> bool:
        seen.append(lab.pipelines.get(made.id).modified_at)
        lab.clock.forward(60)
        return seen[-1] > seen[-2]

    lab.clock.forward(60)
    assert not modified()
    first = lab.add(made.id, experiments[0])
    assert modified()
    second = lab.add(made.id, experiments[1], trigger="auto")
    assert modified()
    lab.pipelines.update_stage(second.id, lambda stage: stage)
    assert not modified(), "what changes nothing is not an edit"
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, trigger=Trigger.MANUAL))
    assert modified()
    lab.pipelines.move_stage(second.id, 0)
    assert modified()
    lab.pipelines.update(made.id, description="more")
    assert modified()
    lab.pipelines.delete_stage(first.id)
    assert modified()
    lab.do(second, 0.5)
    assert modified()
    assert not modified()
    assert lab.pipelines.get(made.id).created_at == made.created_at


@pytest.mark.spec("3.2")
def test_an_automatic_trigger_counts_as_a_change_and_is_no_edit(lab: Lab) -> None:
    """What the success of a stage starts moves "Last modified", and leaves the version that edits go by."""
    made = lab.pipeline("SFT", "GRPO", trigger="auto")
    lab.clock.forward(60)
    run = lab.runs.trigger(made.stages[0].id)
    triggered = lab.pipelines.get(made.id)
    lab.clock.forward(60)
    assert lab.carry_out(run, 0.5) is not None
    followed = lab.pipelines.get(made.id)
    assert made.modified_at < triggered.modified_at < followed.modified_at
    assert made.version == triggered.version == followed.version


@pytest.mark.spec("3.2")
def test_accepting_a_stage_as_fresh_counts_as_a_change(lab: Lab) -> None:
    """A note that is kept with a stage moves "Last modified"."""
    made = lab.pipeline("SFT", "GRPO")
    for stage in (*made.stages, made.stages[0]):
        lab.do(stage, 0.5)
    before = lab.pipelines.get(made.id)
    lab.clock.forward(60)
    lab.pipelines.accept_as_fresh(made.stages[1].id, "the same data")
    assert lab.pipelines.get(made.id) == replace(
        before, modified_at=before.modified_at + timedelta(seconds=60)
    )


@pytest.mark.spec("3.1")
def test_names_differ_by_case_and_are_free_in_another_project(lab: Lab) -> None:
    """Only the very same name in the same project is in use."""
    other = lab.projects.create("Other", advanced_training=True)
    lab.pipelines.create(lab.project.id, "chain")
    assert lab.pipelines.create(lab.project.id, "Chain").name == "Chain"
    copy = lab.pipelines.duplicate(lab.pipelines.create(other.id, "chain").id)
    assert (copy.name, copy.project_id) == ("chain (copy)", other.id)
    with pytest.raises(NameTakenError, match="'Other'"):
        lab.projects.create("Other", advanced_training=False)
    assert lab.projects.create("other", advanced_training=False).name == "other"


@pytest.mark.spec("3.8")
def test_only_the_names_in_question_are_read(lab: Lab) -> None:
    """Looking up a name answers with its bearer alone, however many there are."""
    mine = [lab.pipelines.create(lab.project.id, f"p{number}") for number in range(5)]
    bound = lab.experiment("e")
    lab.experiment("f")
    with lab.store.read() as work:
        assert [each.id for each in work.pipelines.named(lab.project.id, ["p3", "none"])] == [mine[3].id]
        assert [each.id for each in work.experiments.named(lab.project.id, ["e"])] == [bound.id]
        assert work.pipelines.named(lab.project.id + 1, ["p3"]) == ()
        assert work.projects.named(["letters"]) == ()


@pytest.mark.spec("3.3")
def test_renaming_keeps_the_rest(lab: Lab) -> None:
    """A pipeline gets another name, may keep its own, and cannot take another's."""
    made, other = lab.pipeline("SFT"), lab.pipelines.create(lab.project.id, "other")
    renamed = lab.pipelines.update(made.id, name=" new ")
    assert (renamed.name, renamed.stages) == ("new", made.stages)
    assert lab.pipelines.update(made.id, name="new").name == "new"
    with pytest.raises(NameTakenError):
        lab.pipelines.update(made.id, name="other", description="lost")
    assert lab.pipelines.get(made.id).description == ""
    assert lab.pipelines.get(other.id) == other


@pytest.mark.spec("3.4")
def test_a_duplicate_has_stages_and_settings_but_no_runs(lab: Lab) -> None:
    """The copy has stages of its own with the same settings, bound to the same experiments, and never ran."""
    made = lab.pipeline("SFT", "GRPO", "deploy", trigger="auto")
    lab.pipelines.update_stage(made.stages[1].id, lambda stage: replace(stage, gate=ScoreAtLeast(0.5)))
    lab.do(made.stages[0], 0.5)
    original, copy = lab.pipelines.get(made.id), lab.pipelines.duplicate(made.id)
    assert copy.name == "chain (copy)"
    assert copy.experiment_ids == original.experiment_ids
    assert not {stage.id for stage in copy.stages} & {stage.id for stage in original.stages}
    assert [_settings(stage) for stage in copy.stages] == [_settings(stage) for stage in original.stages]
    assert [lab.status(stage) for stage in copy.stages] == [Status.DRAFT] * 3
    assert [lab.runs.of_stage(stage.id) for stage in copy.stages] == [()] * 3
    assert lab.pipelines.duplicate(made.id).name == "chain (copy 2)"
    assert lab.pipelines.duplicate(made.id).name == "chain (copy 3)"
    assert lab.pipelines.get(made.id) == original


def _settings(stage: ExperimentStage | DeploymentStage) -> object:
    return type(stage), {name: getattr(stage, name) for name in stage.__slots__ if name != "id"}


@pytest.mark.spec("3.4")
def test_the_name_of_a_copy_is_one_that_is_free_and_fits(lab: Lab) -> None:
    """A free number is found between taken ones, and the longest name can be copied."""
    made = lab.pipelines.create(lab.project.id, "chain")
    lab.pipelines.create(lab.project.id, "chain (copy)")
    assert lab.pipelines.duplicate(made.id).name == "chain (copy 2)"
    long = lab.pipelines.create(lab.project.id, "x" * MAX_NAME_LENGTH)
    names = [lab.pipelines.duplicate(long.id).name for _ in range(2)]
    assert names[0].endswith(" (copy)")
    assert names[1].endswith(" (copy 2)")
    assert max(map(len, names)) <= MAX_NAME_LENGTH


@pytest.mark.spec("3.7")
def test_deleting_a_pipeline_keeps_experiments_runs_checkpoints_and_agents(lab: Lab) -> None:
    """Only the pipeline and its stages are gone."""
    made = lab.pipeline("SFT", "deploy", trigger="auto")
    run = lab.runs.trigger(made.stages[0].id)
    job = lab.carry_out(run, 0.5)
    assert job is not None
    lab.go_on(job)
    lab.pipelines.delete(made.id)
    assert lab.pipelines.of_project(lab.project.id) == ()
    with pytest.raises(NotFoundError):
        lab.states.of_stage(made.stages[0].id)
    (experiment,) = lab.experiments.of_project(lab.project.id)
    assert [each.id for each in lab.runs.of_experiment(experiment.id)] == [run.id]
    assert len(lab.experiments.checkpoints(experiment.id)) == 1
    assert [agent.name for agent in lab.agents.all()] == ["letters-agent"]


@pytest.mark.spec("3.7")
@pytest.mark.parametrize("active", [Status.PENDING, Status.RUNNING, Status.STOPPING])
def test_a_pipeline_with_an_active_stage_is_not_deleted(lab: Lab, active: Status) -> None:
    """The refusal names the stage and what it is doing, and leaves the pipeline as it is."""
    made = lab.pipeline("SFT", "GRPO")
    activate(lab, made.stages[0], active)
    with pytest.raises(InUseError, match=rf"cannot be deleted. Stage 1 is {active.lower()}. Stop it first"):
        lab.pipelines.delete(made.id)
    assert lab.pipelines.get(made.id) == made


def activate(lab: Lab, stage: ExperimentStage | DeploymentStage, status: Status) -> None:
    """Bring a stage to an active status."""
    run = lab.runs.trigger(stage.id)
    if status is not Status.PENDING:
        lab.started(run)
    if status is Status.STOPPING:
        lab.runs.stop(run.id)
    assert lab.status(stage) is status


@pytest.mark.spec("5.13")
def test_an_edit_of_an_old_view_is_refused_with_what_changed(lab: Lab) -> None:
    """Whoever edits what somebody else has changed since is told what, and nothing is overwritten."""
    made = lab.pipeline("SFT", "GRPO")
    seen = made
    lab.add(made.id, lab.experiment("third", GRPO))
    lab.pipelines.update(made.id, name="renamed")
    now = lab.pipelines.get(made.id)
    stage = made.stages[1]
    third = ExperimentStage(experiment_id=lab.experiment("fourth", GRPO).id, start=FromSource())
    for edit in (
        lambda: lab.pipelines.update(made.id, description="mine", expected_version=seen.version),
        lambda: lab.pipelines.add_stage(made.id, third, expected_version=seen.version),
        lambda: lab.pipelines.update_stage(stage.id, lambda each: each, expected_version=seen.version),
        lambda: lab.pipelines.move_stage(stage.id, 0, expected_version=seen.version),
        lambda: lab.pipelines.delete_stage(stage.id, expected_version=seen.version),
    ):
        with pytest.raises(StaleWriteError) as refused:
            edit()
        assert refused.value.what == "Pipeline 'renamed' was changed meanwhile."
        assert refused.value.why == f"It was renamed from {seen.name!r}. A stage was added as stage 3."
    assert lab.pipelines.get(made.id) == now


@pytest.mark.spec("5.13")
def test_an_edit_of_the_present_view_is_done(lab: Lab) -> None:
    """The version that was seen last lets an edit through, and runs do not change it."""
    made = lab.pipeline("SFT", "GRPO")
    lab.do(made.stages[0], 0.5)
    updated = lab.pipelines.update(made.id, description="mine", expected_version=made.version)
    lab.pipelines.move_stage(made.stages[1].id, 0, expected_version=updated.version)
    assert [stage.id for stage in lab.pipelines.get(made.id).stages] == [
        stage.id for stage in reversed(made.stages)
    ]


@pytest.mark.spec("3.8")
def test_the_number_of_questions_does_not_grow_with_the_pipelines(lab: Lab) -> None:
    """Making a pipeline asks the database no more questions when there are many."""
    from sqlalchemy import event  # noqa: PLC0415  only to count

    engine = lab.store.database._engine
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]
    lab.pipelines.create(lab.project.id, "first")
    first = len(asked)
    for number in range(20):
        lab.pipelines.create(lab.project.id, f"p{number}")
    asked.clear()
    lab.pipelines.create(lab.project.id, "last")
    assert len(asked) <= first + 1
