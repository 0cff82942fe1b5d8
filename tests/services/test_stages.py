"""Stages: add, edit, move, delete, and what is refused (spec 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from factories.lab import Lab, configured
from factories.values import DPO, GRPO, PPO, SFT

from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Pipeline,
    ScoreAtLeast,
    Stage,
    Trigger,
)
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import (
    ConfigError,
    DoesNotFitError,
    ForeignError,
    InUseError,
    NotFoundError,
    OrderError,
    PipelineError,
    RuleError,
)


@pytest.mark.spec("5.1", "5.2", "5.5", "5.6", "5.9")
def test_every_setting_of_a_stage_is_kept(lab: Lab) -> None:
    """What a stage is given is what is read again, for every kind of start, choice and gate."""
    made = lab.pipeline("SFT")
    lab.do(made.stages[0], 0.5)
    agent = lab.agents.create("saved", lab.experiments.checkpoints(made.experiment_ids[0])[0].id)
    wanted: list[Stage] = [
        ExperimentStage(
            experiment_id=lab.experiment("a", GRPO).id,
            trigger=Trigger.AUTO,
            start=FromSource("final"),
            auto_add_agent=True,
            gate=ScoreAtLeast(-1e300),
        ),
        ExperimentStage(experiment_id=lab.experiment("b", GRPO).id, start=FromSource(10)),
        DeploymentStage(
            agent_name="agent",
            agent_description="what for",
            choice=20,
            trigger=Trigger.AUTO,
            gate=BetterThanDeployed(),
        ),
    ]
    for stage in wanted:
        lab.pipelines.add_stage(made.id, stage)
    start = replace(made.stages[0], start=FromAgent(agent.id))
    lab.pipelines.update_stage(start.id, lambda _: start)
    kept = lab.pipelines.get(made.id).stages
    assert kept[0] == start
    assert [replace(stage, id=0) for stage in kept[1:]] == wanted


@pytest.mark.spec("3.1", "5.2")
def test_stages_are_manual_unless_asked_otherwise(lab: Lab) -> None:
    """A stage that is added without a trigger is started by a person."""
    stage = ExperimentStage(experiment_id=lab.experiment("a").id)
    made = lab.pipelines.create(lab.project.id, "chain")
    assert lab.pipelines.add_stage(made.id, stage)[0].trigger is Trigger.MANUAL


@pytest.mark.spec("5.3")
def test_stages_keep_their_ids_and_runs_through_every_edit(lab: Lab) -> None:
    """Inserting, moving and editing never makes a stage a new one: its history stays with it."""
    made = lab.pipeline("SFT", "GRPO", "GRPO")
    run = lab.do(made.stages[0], 0.5)
    lab.pipelines.move_stage(made.stages[2].id, 0)
    lab.add(made.id, lab.experiment("new", GRPO), position=1)
    lab.pipelines.update_stage(made.stages[1].id, lambda stage: replace(stage, trigger=Trigger.AUTO))
    after = lab.pipelines.get(made.id)
    assert [stage.id for stage in after.stages if stage.id in {s.id for s in made.stages}] == [
        made.stages[2].id,
        made.stages[0].id,
        made.stages[1].id,
    ]
    assert [each.id for each in lab.runs.of_stage(made.stages[0].id)] == [run.id]
    assert lab.status(made.stages[0]) is Status.SUCCEEDED


@pytest.mark.spec("5.3")
def test_the_answer_lists_what_was_changed_along(lab: Lab) -> None:
    """Moving an Auto stage to the front changes it and the former first, says so, and stores that."""
    made = lab.pipeline("SFT", "GRPO", trigger="auto")
    also = lab.pipelines.move_stage(made.stages[1].id, 0)
    first, second = lab.pipelines.get(made.id).stages
    assert isinstance(first, ExperimentStage)
    assert isinstance(second, ExperimentStage)
    assert (first.trigger, first.start, second.start) == (Trigger.MANUAL, FromScratch(), FromSource("best"))
    assert len(also) == 3
    assert lab.pipelines.delete_stage(second.id) == ()


BREAKING: list[Callable[[Lab, Pipeline], object]] = [
    lambda lab, made: lab.pipelines.delete_stage(made.stages[0].id),
    lambda lab, made: lab.pipelines.move_stage(made.stages[0].id, 1),
    lambda lab, made: lab.pipelines.move_stage(made.stages[1].id, 0),
    lambda lab, made: lab.add_deployment(made.id, position=0),
    lambda lab, made: lab.pipelines.move_stage(made.stages[0].id, 7),
]


@pytest.mark.spec("5.3")
@pytest.mark.parametrize("edit", BREAKING)
def test_an_edit_that_would_break_the_chain_is_refused_and_changes_nothing(
    lab: Lab, edit: Callable[[Lab, Pipeline], object]
) -> None:
    """A Deployment stage never comes first, and what is refused leaves no trace."""
    made = lab.pipeline("SFT", "deploy")
    revision = lab.store.changes.revision(lab.project.id)
    with pytest.raises(OrderError):
        edit(lab, made)
    assert lab.pipelines.get(made.id) == made
    assert lab.store.changes.revision(lab.project.id) == revision


@pytest.mark.spec("5.7", "7.2")
def test_an_experiment_that_does_not_fit_is_not_attached(lab: Lab) -> None:
    """Adding and binding an experiment that cannot start from the source is refused with the verdict."""
    made = lab.pipeline("SFT", "GRPO")
    policy = lab.experiment("policy", PPO)
    before = lab.pipelines.get(made.id)
    with pytest.raises(DoesNotFitError, match=r"does not fit as stage 3. PPO always starts from scratch"):
        lab.add(made.id, policy)
    with pytest.raises(DoesNotFitError, match=r"does not fit as stage 2. PPO always starts from scratch"):
        lab.pipelines.update_stage(made.stages[1].id, lambda stage: replace(stage, experiment_id=policy.id))  # pyright: ignore[reportCallIssue]
    assert lab.pipelines.get(made.id) == before


@pytest.mark.spec("5.4", "7.1")
def test_an_experiment_that_needs_a_checkpoint_cannot_be_first(lab: Lab) -> None:
    """The first stage's algorithm has to be able to start from scratch."""
    made = lab.pipelines.create(lab.project.id, "chain")
    with pytest.raises(DoesNotFitError, match="DPO can't start from scratch: it needs a language model"):
        lab.add(made.id, lab.experiment("dpo", DPO))
    assert lab.pipelines.get(made.id).stages == ()


@pytest.mark.spec("5.7")
def test_an_experiment_that_the_pipeline_uses_already_has_to_be_duplicated(lab: Lab) -> None:
    """Two stages cannot share an experiment; "Duplicate and attach" binds the stage to a copy of it."""
    made = lab.pipeline("SFT", "GRPO")
    experiment = lab.experiments.get(made.experiment_ids[1])
    with pytest.raises(RuleError, match=r"is already used by stage 2.*duplicate=True"):
        lab.add(made.id, experiment)
    added = lab.add(made.id, experiment, duplicate=True)
    copy = lab.experiments.get(added.experiment_id)
    assert copy.name == f"{experiment.name} (copy)"
    assert (copy.config, copy.spec, copy.seed) == (experiment.config, experiment.spec, experiment.seed)


@pytest.mark.spec("5.7")
def test_an_experiment_that_merely_ran_can_be_attached_as_it_is_or_duplicated(lab: Lab) -> None:
    """With "Attach as is" the stage keeps the experiment with its history; a duplicate has none."""
    experiment = lab.experiment("ran")
    lab.carry_out(lab.runs.train(experiment.id), 0.5)
    made = lab.pipelines.create(lab.project.id, "chain")
    assert lab.add(made.id, experiment).experiment_id == experiment.id
    other = lab.pipelines.create(lab.project.id, "other")
    copied = lab.add(other.id, experiment, duplicate=True)
    assert lab.runs.of_experiment(copied.experiment_id) == ()
    again = lab.pipelines.update_stage(copied.id, lambda stage: stage, duplicate=True)
    assert again == ()
    assert lab.pipelines.get(other.id).experiment_ids != (copied.experiment_id,)


@pytest.mark.spec("5.7")
def test_a_refused_attachment_leaves_no_copy_behind(lab: Lab) -> None:
    """A duplicate that does not fit is not made: the copy is undone with the edit."""
    made = lab.pipeline("SFT")
    policy = lab.experiment("policy", PPO)
    with pytest.raises(DoesNotFitError):
        lab.add(made.id, policy, duplicate=True)
    assert [each.name for each in lab.experiments.of_project(lab.project.id)] == ["chain-sft-1", "policy"]


@pytest.mark.spec("5.8")
def test_a_change_of_experiment_re_checks_the_stages_after_it(lab: Lab) -> None:
    """Stages that no longer fit are marked with the reason and cannot be triggered until that is mended."""
    made = lab.pipeline("SFT", "GRPO", "GRPO")
    first, second, third = made.stages
    policy = lab.experiment("policy", PPO)
    lab.pipelines.update_stage(first.id, lambda stage: replace(stage, experiment_id=policy.id))  # pyright: ignore[reportCallIssue]
    reason = "Can't start from PPO: GRPO needs a language model, PPO produces a policy."
    assert lab.state(second).blockers == (reason,)
    assert reason not in lab.state(third).blockers
    with pytest.raises(PipelineError, match=reason):
        lab.runs.trigger(second.id)
    lab.pipelines.update_stage(first.id, lambda stage: replace(stage, experiment_id=made.experiment_ids[0]))  # pyright: ignore[reportCallIssue]
    assert reason not in lab.state(second).blockers


EDITS: dict[str, Callable[[Lab, Stage], object]] = {
    "It cannot be edited": lambda lab, stage: lab.pipelines.update_stage(stage.id, lambda each: each),
    "It cannot be moved": lambda lab, stage: lab.pipelines.move_stage(stage.id, 1),
    "It cannot be deleted": lambda lab, stage: lab.pipelines.delete_stage(stage.id),
}


@pytest.mark.spec("5.10")
@pytest.mark.parametrize("active", [Status.PENDING, Status.RUNNING, Status.STOPPING])
@pytest.mark.parametrize("refusal", EDITS)
def test_an_active_stage_refuses_edit_move_and_delete(lab: Lab, active: Status, refusal: str) -> None:
    """A stage at work is told to be stopped first, and is left as it is."""
    made = lab.pipeline("SFT", "GRPO")
    run = lab.runs.trigger(made.stages[0].id)
    if active is not Status.PENDING:
        lab.started(run)
    if active is Status.STOPPING:
        lab.runs.stop(run.id)
    with pytest.raises(InUseError, match=f"{refusal}. Stage 1 is {active.lower()}. Stop it first"):
        EDITS[refusal](lab, made.stages[0])
    assert lab.pipelines.get(made.id) == made


IN_FRONT: list[Callable[[Lab, Pipeline], object]] = [
    lambda lab, made: lab.add(made.id, lab.experiment("new"), position=0),
    lambda lab, made: lab.pipelines.move_stage(made.stages[1].id, 0),
]


@pytest.mark.spec("5.3", "5.10")
@pytest.mark.parametrize("edit", IN_FRONT)
def test_an_active_stage_is_not_changed_along(lab: Lab, edit: Callable[[Lab, Pipeline], object]) -> None:
    """An edit elsewhere that would change a working stage's settings is refused too."""
    made = lab.pipeline("SFT", "GRPO")
    lab.runs.trigger(made.stages[0].id)
    with pytest.raises(InUseError, match=r"would change it along. Stage 1 is pending. Stop it first"):
        edit(lab, made)
    assert lab.pipelines.get(made.id) == made


@pytest.mark.spec("5.10")
def test_the_stages_around_an_active_one_can_be_edited(lab: Lab) -> None:
    """Only the working stage itself is held fast."""
    made = lab.pipeline("SFT", "GRPO", "GRPO")
    lab.runs.trigger(made.stages[0].id)
    lab.pipelines.move_stage(made.stages[2].id, 1)
    lab.pipelines.delete_stage(made.stages[1].id)
    assert [stage.id for stage in lab.pipelines.get(made.id).stages] == [made.stages[0].id, made.stages[2].id]


@pytest.mark.spec("5.11")
def test_an_experiment_of_another_project_is_refused(lab: Lab) -> None:
    """Adding and binding an experiment of another project is refused, and changes nothing."""
    other = lab.projects.create("Other", advanced_training=True)
    foreign = lab.experiments.create(other.id, "foreign", configured(SFT), seed=0)
    made = lab.pipeline("SFT")
    with pytest.raises(ForeignError, match="Experiment 'foreign' belongs to another project"):
        lab.add(made.id, foreign)
    with pytest.raises(ForeignError):
        lab.add(made.id, foreign, duplicate=True)
    with pytest.raises(ForeignError):
        lab.pipelines.update_stage(made.stages[0].id, lambda stage: replace(stage, experiment_id=foreign.id))  # pyright: ignore[reportCallIssue]
    assert lab.pipelines.get(made.id) == made
    assert [each.name for each in lab.experiments.of_project(other.id)] == ["foreign"]


@pytest.mark.spec("5.11")
def test_what_was_deleted_cannot_be_bound(lab: Lab) -> None:
    """An experiment or agent that is gone is not found, whether a stage is added or edited."""
    made = lab.pipeline("SFT")
    gone = lab.experiment("gone")
    lab.experiments.delete(gone.id)
    with pytest.raises(NotFoundError, match="There is no such experiment"):
        lab.add(made.id, gone)
    with pytest.raises(NotFoundError, match="There is no such agent"):
        lab.pipelines.update_stage(made.stages[0].id, lambda stage: replace(stage, start=FromAgent(99)))  # pyright: ignore[reportCallIssue]
    assert lab.pipelines.get(made.id) == made


@pytest.mark.spec("5.9")
def test_the_name_of_an_agent_is_trimmed_and_required(lab: Lab) -> None:
    """A Deployment stage is refused without an agent's name, when it is added and when it is edited."""
    made = lab.pipeline("SFT")
    stage = lab.add_deployment(made.id, "  agent ")
    assert stage.agent_name == "agent"
    with pytest.raises(ConfigError, match="Enter a name"):
        lab.add_deployment(made.id, "  ")
    lab.pipelines.update_stage(stage.id, lambda each: replace(each, agent_name=" other "))  # pyright: ignore[reportCallIssue]
    assert lab.state(stage).name == "other"
    with pytest.raises(ConfigError, match="Enter a name"):
        lab.pipelines.update_stage(stage.id, lambda each: replace(each, agent_name="  "))  # pyright: ignore[reportCallIssue]
    assert lab.state(stage).name == "other"


@pytest.mark.spec("3.7")
def test_deleting_a_stage_keeps_its_runs(lab: Lab) -> None:
    """The runs of a stage that is gone are still those of its experiment."""
    made = lab.pipeline("SFT", "GRPO")
    run = lab.do(made.stages[0], 0.5)
    lab.pipelines.delete_stage(made.stages[0].id)
    (kept,) = lab.runs.of_experiment(made.experiment_ids[0])
    assert (kept.id, kept.stage_id, kept.status) == (run.id, None, Status.SUCCEEDED)


@pytest.mark.spec("5.2")
@pytest.mark.parametrize("gate", [float("nan")])
def test_a_gate_that_nothing_can_meet_is_refused(lab: Lab, gate: float) -> None:
    """NaN is no bound: kept, it could neither be met nor be read again."""
    made = lab.pipeline("SFT")
    with pytest.raises(PipelineError):
        lab.add(made.id, lab.experiment("b", GRPO), trigger="auto", gate=ScoreAtLeast(gate))
    assert lab.pipelines.get(made.id) == made


def test_a_stage_that_is_gone_is_not_found(lab: Lab) -> None:
    """Every use of a deleted stage says that it is not there."""
    made = lab.pipeline("SFT", "GRPO")
    gone = made.stages[1].id
    lab.pipelines.delete_stage(gone)
    for use in (
        lambda: lab.pipelines.update_stage(gone, lambda stage: stage),
        lambda: lab.pipelines.move_stage(gone, 0),
        lambda: lab.pipelines.delete_stage(gone),
        lambda: lab.runs.trigger(gone),
        lambda: lab.runs.plan(gone),
        lambda: lab.states.of_stage(gone),
        lambda: lab.pipelines.accept_as_fresh(gone, ""),
    ):
        with pytest.raises(NotFoundError, match="There is no such stage"):
            use()
