"""What the stage form shows and offers (spec 5)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from factories.lab import Lab
from factories.values import DPO, GRPO, LOSS, PPO, SFT
from sqlalchemy import event

from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.chain import DeploymentStage, FromAgent
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import NotFoundError, OrderError, StaleWriteError
from pipeline_widgets.services.queries.stage_form import (
    CheckpointOption,
    ExperimentOption,
    StageForm,
    StageFormQueries,
)
from pipeline_widgets.trainers.numpy.latent_ppo import latent_ppo
from pipeline_widgets.trainers.numpy.supervised import supervised


@pytest.fixture
def forms(lab: Lab) -> StageFormQueries:
    """The form of the workspace."""
    return StageFormQueries(lab.store)


def option(form: StageForm, experiment: Experiment) -> ExperimentOption:
    """Return what a form says about an experiment."""
    return next(each for each in form.experiments if each.experiment.id == experiment.id)


def an_agent(lab: Lab, name: str, spec: str = "SFT") -> Agent:
    """Train an experiment, and save its only checkpoint as an agent."""
    made = lab.pipeline(spec, name=f"makes {name}")
    lab.do(made.stages[0], 0.5)
    return lab.agents.create(name, lab.experiments.checkpoints(made.experiment_ids[0])[0].id)


@pytest.mark.spec("5.1", "5.2", "5.4")
def test_the_form_of_a_first_stage(lab: Lab, forms: StageFormQueries) -> None:
    """An empty pipeline offers a first stage: no Deployment, and nothing to go on from."""
    made = lab.pipelines.create(lab.project.id, "empty")
    form = forms.stage(made.id)
    assert (form.pipeline, form.stage, form.position, form.first) == (made, None, 0, True)
    assert not form.can_deploy
    assert form.deploy_reason.startswith("A Deployment stage cannot be first")
    assert (form.source, form.checkpoints, form.agents, form.agent_names) == (None, (), (), ())
    assert form.best == form.final == CheckpointOption(step=None, reason="There is no stage before it.")


@pytest.mark.spec("5.4")
def test_a_first_stage_offers_only_agents_that_the_algorithm_can_start_from(
    lab: Lab, forms: StageFormQueries
) -> None:
    """For each experiment the form knows which saved Agents fit, and why the others do not."""
    speaks, acts = an_agent(lab, "speaks"), an_agent(lab, "acts", "PPO")
    sft, again, ppo = lab.experiment("sft"), lab.experiment("again"), lab.experiment("ppo", PPO)
    made = lab.pipelines.create(lab.project.id, "empty")
    form = forms.stage(made.id)
    fits = {each.agent.name: each.fits for each in form.agents}
    assert [each.agent for each in form.agents] == [speaks, acts]
    assert fits["speaks"][sft.id].fits
    assert fits["speaks"][sft.id].role == "weights"
    assert (
        fits["acts"][sft.id].reason
        == "Can't start from PPO: SFT needs a language model, PPO produces a policy."
    )
    assert fits["speaks"][ppo.id].reason == "PPO always starts from scratch."
    assert fits["speaks"][again.id] == fits["speaks"][sft.id]
    assert not fits["acts"][sft.id].fits
    assert not fits["acts"][ppo.id].fits


@pytest.mark.spec("5.4")
def test_what_starts_alike_is_told_once(lab: Lab, forms: StageFormQueries) -> None:
    """A form does not grow by experiments times agents: of each agent there is one verdict for each kind."""
    for number in range(3):
        an_agent(lab, f"agent {number}")
        lab.experiment(f"ppo {number}", PPO)
        lab.experiment(f"digits {number}", SFT, signature={"base": "digits"})
    form = forms.stage(lab.pipelines.create(lab.project.id, "empty").id)
    assert len(form.experiments) == len(form.scratch) == 9
    assert [len(each.fits.of_kinds) for each in form.agents] == [3, 3, 3]


@pytest.mark.spec("5.4")
def test_agents_are_told_apart_by_signatures(lab: Lab, forms: StageFormQueries) -> None:
    """Of two experiments with one algorithm only the one that the agent does not contradict fits."""
    one = lab.experiment("one", SFT, signature={"base": "letters"})
    two = lab.experiment("two", SFT, signature={"base": "digits"})
    made = lab.pipelines.create(lab.project.id, "chain")
    lab.do(lab.add(made.id, one), 0.5)
    lab.agents.create("saved", lab.experiments.checkpoints(one.id)[0].id)
    (saved,) = forms.stage(made.id, position=0).agents
    assert saved.fits[one.id].fits
    assert saved.fits[two.id].reason == "Can't start from SFT: its base is letters, SFT needs digits."


@pytest.mark.spec("5.4", "5.7")
def test_an_experiment_that_needs_a_start_fits_first_if_an_agent_does(
    lab: Lab, forms: StageFormQueries
) -> None:
    """What cannot start from scratch is offered for the first stage once a saved Agent can feed it."""
    dpo, sft = lab.experiment("dpo", DPO), lab.experiment("sft")
    made = lab.pipelines.create(lab.project.id, "empty")
    form = forms.stage(made.id)
    assert not option(form, dpo).fit.fits
    assert "can't start from scratch" in option(form, dpo).fit.reason
    an_agent(lab, "acts", "PPO")
    assert option(forms.stage(made.id), dpo).fit == form.scratch[dpo.id]
    an_agent(lab, "speaks")
    form = forms.stage(made.id)
    assert option(form, dpo).fit.fits
    assert option(form, dpo).fit.reason == "It can start from saved Agent 'speaks'."
    assert (form.scratch[dpo.id].fits, form.scratch[sft.id].fits) == (False, True)
    assert option(form, sft).fit == form.scratch[sft.id]


@pytest.mark.spec("5.4")
def test_a_later_stage_says_what_it_waits_for(lab: Lab, forms: StageFormQueries) -> None:
    """Without a source checkpoint Best and Final are none, with the stage that has to run."""
    made = lab.pipeline("SFT")
    form = forms.stage(made.id)
    waits = CheckpointOption(step=None, reason="Waiting for a checkpoint from Stage 1 (chain-sft-1).")
    assert (form.best, form.final, form.source) == (waits, waits, "Stage 1 (chain-sft-1)")
    assert (form.first, form.position, form.checkpoints) == (False, 1, ())
    assert (form.agents, form.scratch) == ((), {})


@pytest.mark.spec("5.5", "5.9")
def test_best_and_final_are_resolved_with_the_reason(lab: Lab, forms: StageFormQueries) -> None:
    """The form tells which steps Best and Final mean now, and lists all checkpoints with both scores."""
    made = lab.pipeline("SFT")
    run = lab.runs.trigger(made.stages[0].id)
    job = lab.started(run)
    lab.save(job, 10, 0.75, 0.25)
    lab.save(job, 20, 0.5, math.inf)
    assert forms.stage(made.id).best.step is None
    lab.end(job)
    form = forms.stage(made.id)
    assert form.best == CheckpointOption(step=10, reason="best evaluation score 0.75, step 10")
    assert form.final == CheckpointOption(step=20, reason="final, step 20")
    rows = [(row.step, row.training_score, row.evaluation_score, row.run) for row in form.checkpoints]
    assert rows == [(10, 0.25, 0.75, "run 1"), (20, None, 0.5, "run 1")]
    sizes = [(row.id, row.size) for row in form.checkpoints]
    assert sizes == [(each.id, each.size) for each in lab.runs.checkpoints(run.id)]
    assert form.can_deploy
    assert form.deploy_reason == ""
    assert form.higher_is_better


@pytest.mark.spec("5.5")
def test_the_picker_says_that_without_scores_best_is_final(lab: Lab, forms: StageFormQueries) -> None:
    """Where no scores were reported, the sentence beside Best says so."""
    made = lab.pipeline("SFT")
    job = lab.started(lab.runs.trigger(made.stages[0].id))
    lab.save(job, 10)
    lab.end(job)
    assert forms.stage(made.id).best == CheckpointOption(
        step=10, reason="no scores were reported: final, step 10"
    )


@pytest.mark.spec("5.5")
def test_a_lower_score_wins_where_the_source_says_so(lab: Lab, forms: StageFormQueries) -> None:
    """The direction is that of the source stage's algorithm."""
    made = lab.pipeline("LOSS")
    lab.do(made.stages[0], 0.9, 0.1, 0.5)
    form = forms.stage(made.id)
    assert (form.best.step, form.higher_is_better) == (20, False)
    assert LOSS.score == "min"


@pytest.mark.spec("5.5")
def test_checkpoints_of_a_resumed_run_are_told_by_run(lab: Lab, forms: StageFormQueries) -> None:
    """What the stopped forerunner had saved is offered along, each with its own run."""
    made = lab.pipeline("SFT")
    lab.do(made.stages[0], 0.1, 0.9, status=Status.STOPPED)
    lab.do(made.stages[0], 0.5, resume=True)
    form = forms.stage(made.id)
    assert [(row.step, row.run) for row in form.checkpoints] == [(10, "run 1"), (20, "run 1"), (30, "run 2")]
    assert (form.best.step, form.final.step) == (20, 30)


@pytest.mark.spec("5.5", "7.2")
def test_latent_ppo_uses_the_previous_checkpoint_as_decoder(lab: Lab, forms: StageFormQueries) -> None:
    """The option of a LatentPPO after an action decoder bears the role; as a first stage it does not fit."""
    made = lab.pipelines.create(lab.project.id, "latent")
    signature = {"latent_dim": 4, "action": "Box(5)"}
    lab.add(made.id, lab.experiment("play", supervised.spec, signature=signature))
    latent = lab.experiment("swim", latent_ppo.spec, signature={"action": "Box(5)"})
    fit = option(forms.stage(made.id), latent).fit
    assert (fit.fits, fit.role) == (True, "decoder")
    fit = option(forms.stage(made.id, position=0), latent).fit
    assert (fit.fits, fit.role) == (False, None)


@pytest.mark.spec("5.7")
def test_the_picker_tells_what_fits_and_why_the_rest_does_not(lab: Lab, forms: StageFormQueries) -> None:
    """Experiments that can start there come first; the others follow, each with its reason."""
    policy = lab.experiment("policy", PPO)
    made = lab.pipeline("SFT")
    grpo = lab.experiment("grpo", GRPO)
    other = lab.projects.create("Other", advanced_training=True)
    form = forms.stage(made.id)
    assert [each.experiment.name for each in form.experiments] == ["chain-sft-1", "grpo", "policy"]
    assert option(form, grpo).fit.role == "policy"
    assert option(form, policy).fit.reason == "PPO always starts from scratch."
    assert forms.stage(lab.pipelines.create(other.id, "foreign").id).experiments == ()


@pytest.mark.spec("5.7")
def test_the_picker_tells_what_ran_and_what_is_used(lab: Lab, forms: StageFormQueries) -> None:
    """The form knows of each experiment whether it ran, and which stage of the pipeline has it."""
    made = lab.pipeline("SFT", "GRPO")
    new = lab.experiment("new", GRPO)
    lab.do(made.stages[0], 0.5)
    told = {each.experiment.id: (each.ran, each.used_by) for each in forms.stage(made.id).experiments}
    first, second = made.experiment_ids
    assert told == {first: (True, 1), second: (False, 2), new.id: (False, None)}


@pytest.mark.spec("5.7")
def test_a_stage_that_is_edited_does_not_stand_in_its_own_way(lab: Lab, forms: StageFormQueries) -> None:
    """Its own experiment is not used elsewhere, and is judged for the place where it stands."""
    made = lab.pipeline("SFT", "DPO", "GRPO")
    _, second, third = made.stages
    form = forms.stage(made.id, stage_id=second.id)
    used = {each.experiment.name: each.used_by for each in form.experiments}
    assert (form.stage, form.position, form.source) == (second, 1, "Stage 1 (chain-sft-1)")
    assert used == {"chain-sft-1": 1, "chain-dpo-2": None, "chain-grpo-3": 3}
    assert all(each.fit.fits for each in form.experiments)
    assert forms.stage(made.id, stage_id=third.id).source == "Stage 2 (chain-dpo-2)"


@pytest.mark.spec("5.1", "5.7")
def test_a_position_has_its_own_source(lab: Lab, forms: StageFormQueries) -> None:
    """The source is the nearest Experiment stage before the position, past a Deployment."""
    made = lab.pipeline("SFT", "deploy", "GRPO")
    sources = [forms.stage(made.id, position=at).source for at in range(4)]
    assert sources == [None, "Stage 1 (chain-sft-1)", "Stage 1 (chain-sft-1)", "Stage 3 (chain-grpo-3)"]
    deployment = forms.stage(made.id, stage_id=made.stages[1].id)
    assert isinstance(deployment.stage, DeploymentStage)
    assert deployment.source == "Stage 1 (chain-sft-1)"
    dpo = lab.experiment("dpo", DPO)
    fits = [option(forms.stage(made.id, position=at), dpo).fit.fits for at in range(4)]
    assert fits == [False, True, True, True]


@pytest.mark.spec("5.4", "5.9")
def test_the_names_of_all_agents_are_known(lab: Lab, forms: StageFormQueries) -> None:
    """A Deployment may give an existing agent a new version, so its name is offered."""
    an_agent(lab, "b")
    an_agent(lab, "a")
    made = lab.pipeline("SFT")
    assert forms.stage(made.id).agent_names == ("b", "a")
    assert forms.stage(made.id).agents == ()
    first = replace(made.stages[0], start=FromAgent(1))  # pyright: ignore[reportCallIssue]
    lab.pipelines.update_stage(first.id, lambda _: first)
    form = forms.stage(made.id, stage_id=first.id)
    assert form.stage == first
    assert [each.agent.name for each in form.agents] == ["b", "a"]


@pytest.mark.spec("5.13")
def test_what_a_form_saves_is_based_on_what_it_showed(lab: Lab, forms: StageFormQueries) -> None:
    """An edit that bears the form's pipeline is refused once somebody else has changed it."""
    made = lab.pipeline("SFT")
    form = forms.stage(made.id, stage_id=made.stages[0].id)
    lab.add(made.id, lab.experiment("new", GRPO))
    with pytest.raises(StaleWriteError):
        lab.pipelines.update_stage(
            made.stages[0].id, lambda stage: stage, expected_version=form.pipeline.version
        )


def test_a_form_is_equal_as_long_as_nothing_changed(lab: Lab, forms: StageFormQueries) -> None:
    """Two forms of one state are equal, so that an open dialog is left alone; a checkpoint makes another."""
    an_agent(lab, "saved")
    made = lab.pipeline("SFT")
    before = forms.stage(made.id)
    assert forms.stage(made.id) == before
    lab.do(made.stages[0], math.nan)
    assert forms.stage(made.id) != before
    assert forms.stage(made.id) == forms.stage(made.id)


@pytest.mark.parametrize("position", [-1, 3])
def test_a_position_that_is_not_there_is_refused(lab: Lab, forms: StageFormQueries, position: int) -> None:
    """The error says which positions there are."""
    made = lab.pipeline("SFT", "GRPO")
    with pytest.raises(OrderError, match=f"no position {position}. Positions go from 0 to 2"):
        forms.stage(made.id, position=position)


@pytest.mark.spec("5.11")
def test_a_stage_of_another_pipeline_is_not_found(lab: Lab, forms: StageFormQueries) -> None:
    """A form never mixes two pipelines."""
    made, other = lab.pipeline("SFT"), lab.pipeline("SFT", name="other")
    with pytest.raises(NotFoundError, match="Pipeline 'chain' has no such stage"):
        forms.stage(made.id, stage_id=other.stages[0].id)


def test_a_long_chain_asks_no_more_questions_than_a_short_one(lab: Lab, forms: StageFormQueries) -> None:
    """The number of statements depends neither on the stages nor on the experiments."""
    short, long = lab.pipeline("SFT", name="short"), lab.pipeline("SFT", *["GRPO"] * 12, name="long")
    asked: list[str] = []
    event.listen(
        lab.store.database._engine, "before_cursor_execute", lambda *told: asked.append(str(told[2]))
    )
    forms.stage(short.id)
    few = len(asked)
    forms.stage(long.id)
    assert 0 < len(asked) - few <= few


@pytest.mark.spec("5.5")
def test_every_step_of_a_long_run_is_offered(lab: Lab, forms: StageFormQueries) -> None:
    """Those that are neither best nor final, as well, and those of the run that it has resumed."""
    made = lab.pipeline("SFT")
    lab.do(made.stages[0], 0.1, 0.9, 0.2, 0.3, status=Status.STOPPED)
    assert [row.step for row in forms.stage(made.id).checkpoints] == [10, 20, 30, 40]
    lab.do(made.stages[0], 0.4, 0.2, 0.5, resume=True)
    form = forms.stage(made.id)
    assert [row.step for row in form.checkpoints] == [10, 20, 30, 40, 50, 60, 70]
    assert (form.best.step, form.final.step) == (20, 70)
