"""What the stage form gets as JSON, and the stages that come of what it sends (spec 5)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from factories.documents import stages
from factories.lab import Lab
from factories.values import DPO, GRPO, LOSS, PPO, SFT
from hypothesis import given

from pipeline_widgets.application import Services
from pipeline_widgets.domain.agent import Agent
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
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.stage_form import NO_SCORE, encode_settings, form_row, parse_stage

Row = dict[str, Any]
SCRATCH: Row = {"kind": "experiment", "experiment": 1, "trigger": "manual", "start": "scratch"}
DEPLOY: Row = {"kind": "deployment", "agent": "letters", "description": "", "checkpoint": "best"}


@pytest.fixture
def pipe(lab: Lab) -> Pipeline:
    return lab.pipelines.create(lab.project.id, "chain")


@pytest.fixture
def view(services: Services, pipe: Pipeline) -> Iterator[PipelineView]:
    """The builder of that pipeline."""
    made = PipelineView(services, pipe.id)
    yield made
    made.close()


def ask(view: PipelineView, command: str, **args: Any) -> Row:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return json.loads(json.dumps(answer, allow_nan=False))


def form(services: Services, pipe: Pipeline, **asked: Any) -> Row:
    """Return the form's JSON as the browser reads it."""
    row = form_row(services.forms.stage(pipe.id, **asked))
    return json.loads(json.dumps(row, allow_nan=False))


def by_name(rows: list[Row]) -> dict[str, Row]:
    """Return rows by the name that each has."""
    return {row["name"]: row for row in rows}


def an_agent(lab: Lab, name: str, spec: str) -> Agent:
    """Train an experiment, and save its only checkpoint as an agent."""
    made = lab.pipeline(spec, name=f"makes {name}")
    lab.do(made.stages[0], 0.5)
    return lab.agents.create(name, lab.experiments.checkpoints(made.experiment_ids[0])[0].id)


@pytest.mark.spec("5.1", "5.2", "5.4")
def test_the_form_of_a_first_stage_says_what_cannot_be_and_why(
    services: Services, lab: Lab, pipe: Pipeline
) -> None:
    """No Deployment, no Auto and no agent, each with the words that the form shows."""
    lab.experiment("sft", SFT)
    row = form(services, pipe)
    assert (row["first"], row["position"], row["stages"], row["stage"]) == (True, 0, 0, None)
    assert row["manual_only"] == "First stage can only be triggered manually"
    assert not row["can_deploy"]
    assert row["deploy_reason"].startswith("A Deployment stage cannot be first")
    assert row["pipeline"] == {"id": pipe.id, "name": "chain", "version": pipe.version}
    assert (row["agents"], row["settings"], row["source"]) == ([], None, None)


@pytest.mark.spec("5.4", "5.7")
def test_a_first_stage_says_of_each_experiment_how_it_can_begin(
    services: Services, lab: Lab, pipe: Pipeline
) -> None:
    """Which agents it can start from, and whether from scratch; experiments that begin alike share that."""
    speaks, acts = an_agent(lab, "speaks", "SFT"), an_agent(lab, "acts", "PPO")
    for name, spec in (("sft", SFT), ("sft-2", SFT), ("dpo", DPO), ("ppo", PPO)):
        lab.experiment(name, spec)
    row = form(services, pipe)
    assert [(agent["id"], agent["name"], agent["version"], agent["step"]) for agent in row["agents"]] == [
        (speaks.id, "speaks", 1, 10),
        (acts.id, "acts", 1, 10),
    ]
    rows = by_name(row["experiments"])
    ways = {name: row["starts"][rows[name]["start"]] for name in ("sft", "dpo", "ppo")}
    assert rows["sft"]["start"] == rows["sft-2"]["start"]
    assert {name: way["scratch"]["fits"] for name, way in ways.items()} == {
        "sft": True,
        "dpo": False,
        "ppo": True,
    }
    assert [each["fits"] for each in ways["dpo"]["agents"]] == [True, False]
    assert [each["fits"] for each in ways["ppo"]["agents"]] == [False, False]
    assert ways["dpo"]["scratch"]["reason"].startswith("DPO can't start from scratch")
    assert ways["ppo"]["agents"][0]["reason"] == "PPO always starts from scratch."


@pytest.mark.spec("5.4")
def test_many_experiments_and_agents_make_a_small_form(services: Services, lab: Lab, pipe: Pipeline) -> None:
    """Ways to begin are told once for each algorithm, and not for each experiment."""
    made = lab.pipeline("SFT", name="source")
    lab.do(made.stages[0], 0.5)
    (checkpoint,) = lab.experiments.checkpoints(made.experiment_ids[0])
    for number in range(20):
        lab.agents.create(f"agent {number}", checkpoint.id)
        lab.experiment(f"experiment {number}", (SFT, PPO)[number % 2])
    row = form(services, pipe)
    assert (len(row["experiments"]), len(row["agents"]), len(row["starts"])) == (21, 20, 2)


@pytest.mark.spec("5.4", "5.5", "5.9")
def test_a_later_stage_offers_the_checkpoints_of_its_source(services: Services, lab: Lab) -> None:
    """With both scores and the size, what Best and Final are now, or that it waits for one."""
    made = lab.pipeline("SFT", "GRPO")
    waits = form(services, made, stage_id=made.stages[1].id)
    sentence = "Waiting for a checkpoint from Stage 1 (chain-sft-1)."
    assert waits["best"] == waits["final"] == {"step": None, "reason": sentence}
    assert waits["checkpoints"] == []

    lab.do(made.stages[0], 0.5, math.nan)
    row = form(services, made, stage_id=made.stages[1].id)
    assert row["source"] == "Stage 1 (chain-sft-1)"
    assert row["best"] == {"step": 10, "reason": "best evaluation score 0.5, step 10"}
    assert row["final"] == {"step": 20, "reason": "final, step 20"}
    assert [each["step"] for each in row["checkpoints"]] == [10, 20]
    assert row["checkpoints"][0]["evaluation_score"] == pytest.approx(0.5)
    assert row["checkpoints"][1]["evaluation_score"] is None
    assert row["checkpoints"][0]["size"] > 0
    assert (row["can_deploy"], row["manual_only"], row["higher_is_better"]) == (True, "", True)


def test_the_form_knows_that_a_lower_score_is_better(services: Services, lab: Lab) -> None:
    """The direction is the one of the source stage's algorithm."""
    made = lab.pipeline("LOSS", "LOSS")
    assert form(services, made)["higher_is_better"] is False


@pytest.mark.spec("5.7")
def test_the_picker_says_what_has_run_what_is_used_and_what_does_not_fit(
    services: Services, lab: Lab
) -> None:
    """Those that fit come first, and the others carry their reason."""
    made = lab.pipeline("SFT")
    lab.do(made.stages[0], 0.5)
    lab.experiment("grpo", GRPO)
    lab.experiment("ppo", PPO)
    rows = by_name(form(services, made)["experiments"])
    assert list(rows) == ["chain-sft-1", "grpo", "ppo"]
    assert [rows["chain-sft-1"][key] for key in ("fits", "ran", "used_by")] == [True, True, 1]
    assert [rows["grpo"][key] for key in ("fits", "ran", "used_by", "role")] == [True, False, None, "policy"]
    assert (rows["ppo"]["fits"], rows["ppo"]["reason"]) == (False, "PPO always starts from scratch.")
    assert rows["grpo"]["algorithm"] == "GRPO"


STAGES: tuple[Stage, ...] = (
    ExperimentStage(id=3, experiment_id=7),
    ExperimentStage(id=3, experiment_id=7, start=FromAgent(5), auto_add_agent=True),
    ExperimentStage(id=3, experiment_id=7, start=FromSource("final"), trigger=Trigger.AUTO),
    ExperimentStage(
        id=3, experiment_id=7, start=FromSource(0), trigger=Trigger.AUTO, gate=ScoreAtLeast(-0.5)
    ),
    DeploymentStage(id=3, agent_name="letters", agent_description="what for", choice=120),
    DeploymentStage(
        id=3, agent_name="<b>x</b>", choice="final", trigger=Trigger.AUTO, gate=BetterThanDeployed()
    ),
)


@pytest.mark.parametrize("stage", STAGES)
def test_settings_make_the_same_stage_again(stage: Stage) -> None:
    """What the form is opened with and sends back unchanged changes nothing, the id included."""
    settings = json.loads(json.dumps(encode_settings(stage), allow_nan=False))
    assert parse_stage(settings, stage) == stage


@given(stages())
def test_a_form_sends_back_what_it_was_opened_with(stage: Stage) -> None:
    """Through JSON; a score that JSON does not know has to be typed."""
    settings = json.loads(json.dumps(encode_settings(stage), allow_nan=False))
    if settings["gate"] == NO_SCORE:
        with pytest.raises(ConfigError, match="The gate has no score"):
            parse_stage(settings, stage)
    else:
        assert parse_stage(settings, stage) == stage


def test_an_infinite_gate_can_be_shown() -> None:
    """JSON knows no infinity, so the form shows no number and asks for one."""
    stage = ExperimentStage(experiment_id=1, trigger=Trigger.AUTO, gate=ScoreAtLeast(math.inf))
    assert encode_settings(stage)["gate"] == NO_SCORE


def test_a_new_stage_has_no_id_yet_and_a_manual_one_no_gate() -> None:
    """A gate that was typed before the trigger was set back to manual is forgotten."""
    assert parse_stage({**SCRATCH, "gate": 1}) == ExperimentStage(experiment_id=1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "None is not a trigger"),
        ({**SCRATCH, "kind": "report"}, "'report' is not a type of stage"),
        ({**SCRATCH, "experiment": None}, "The stage needs an experiment. Choose an experiment"),
        ({**SCRATCH, "experiment": True}, "The stage needs an experiment"),
        ({**SCRATCH, "start": {"agent": None}}, "The stage needs a saved Agent"),
        ({**SCRATCH, "start": None}, "No checkpoint is chosen"),
        ({**SCRATCH, "start": "latest"}, "'latest' is not a start"),
        ({**SCRATCH, "start": -1}, "-1 is not a start"),
        ({**SCRATCH, "start": True}, "True is not a start"),
        ({**SCRATCH, "trigger": "often"}, '\'often\' is not a trigger. Use "manual" or "auto".'),
        ({**SCRATCH, "trigger": "auto", "gate": ""}, "The gate has no score"),
        ({**SCRATCH, "trigger": "auto", "gate": math.inf}, "The gate has no score"),
        ({**SCRATCH, "trigger": "auto", "gate": True}, "True is not a gate"),
        ({**SCRATCH, "trigger": "auto", "gate": "good"}, "'good' is not a gate"),
        ({**DEPLOY, "trigger": "manual", "agent": 7}, "The agent's name is not a text"),
    ],
)
def test_malformed_settings_are_refused_in_a_sentence(settings: Mapping[str, Any], sentence: str) -> None:
    """The error says what is wrong, so that the form can show it as it is."""
    with pytest.raises(ConfigError) as caught:
        parse_stage(settings)
    assert sentence in str(caught.value)


@pytest.mark.spec("5.1", "5.6")
def test_the_view_adds_and_edits_what_the_form_sends(lab: Lab, view: PipelineView, pipe: Pipeline) -> None:
    """A stage is added at its position with its settings, and an edit keeps its id."""
    sft, grpo = lab.experiment("sft", SFT), lab.experiment("grpo", GRPO)
    seen = ask(view, "form")["result"]["pipeline"]["version"]
    settings = {**SCRATCH, "experiment": sft.id, "auto_add_agent": True}
    added = ask(view, "add", settings=settings, position=0, version=seen)["result"]
    seen = ask(view, "form")["result"]["pipeline"]["version"]
    settings = {**SCRATCH, "experiment": grpo.id, "start": "final", "trigger": "auto"}
    ask(view, "add", settings=settings, position=1, version=seen)

    edited = ask(view, "form", stage=added["stage"])["result"]
    assert edited["settings"] == {
        **SCRATCH,
        "experiment": sft.id,
        "auto_add_agent": True,
        "gate": None,
    }
    changed = {**edited["settings"], "auto_add_agent": False}
    ask(view, "edit", stage=added["stage"], settings=changed, version=edited["pipeline"]["version"])
    first, second = lab.pipelines.get(pipe.id).stages
    assert first == ExperimentStage(id=added["stage"], experiment_id=sft.id, start=FromScratch())
    assert second == ExperimentStage(
        id=second.id, experiment_id=grpo.id, start=FromSource("final"), trigger=Trigger.AUTO
    )


@pytest.mark.spec("5.13")
def test_an_edit_based_on_an_old_form_says_what_changed(lab: Lab, view: PipelineView, pipe: Pipeline) -> None:
    """Nothing is written, and after the form was asked for again the same settings go through."""
    sft = lab.experiment("sft", SFT)
    seen = ask(view, "form")["result"]["pipeline"]["version"]
    lab.add(pipe.id, lab.experiment("other", SFT))
    settings = {**SCRATCH, "experiment": sft.id}
    answer = ask(view, "add", settings=settings, position=0, version=seen)
    assert answer["error"]["kind"] == "StaleWriteError"
    assert answer["error"]["why"] == "A stage was added as stage 1."
    assert len(lab.pipelines.get(pipe.id).stages) == 1

    seen = ask(view, "form", position=0)["result"]["pipeline"]["version"]
    also = ask(view, "add", settings=settings, position=0, version=seen)["result"]["also"]
    assert also == ["Stage 2 was set to 'Best checkpoint': it is no longer the first."]


@pytest.mark.spec("5.7")
def test_duplicate_and_attach_binds_a_copy(lab: Lab, view: PipelineView, pipe: Pipeline) -> None:
    """The stage gets an experiment of its own, with the same settings and no runs."""
    used = lab.experiment("loss", LOSS)
    first = lab.add(pipe.id, used)
    seen = ask(view, "form")["result"]["pipeline"]["version"]
    settings = {**SCRATCH, "experiment": used.id, "start": "best"}
    refused = ask(view, "add", settings=settings, position=1, version=seen)
    assert "already used by stage 1" in refused["error"]["what"]
    ask(view, "add", settings=settings, position=1, version=seen, duplicate=True)
    second = lab.pipelines.get(pipe.id).stages[1]
    assert isinstance(second, ExperimentStage)
    copy = lab.experiments.get(second.experiment_id)
    assert (copy.id != first.experiment_id, copy.name, copy.config) == (True, "loss (copy)", used.config)


@pytest.mark.spec("6.12")
def test_retries_are_sent_back_as_they_were_typed() -> None:
    """What is no whole number is refused by the rule for arguments; an older form sends none."""
    stage = parse_stage({**SCRATCH, "retries": 2})
    assert isinstance(stage, ExperimentStage)
    assert stage.retries == 2
    assert encode_settings(stage)["retries"] == 2
    assert parse_stage(SCRATCH).retries == 0  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ConfigError, match="'often' is not a number of retries"):
        parse_stage({**SCRATCH, "retries": "often"})


@pytest.mark.spec("4.12")
def test_a_new_experiment_is_made_from_within_the_form(view: PipelineView, lab: Lab, pipe: Pipeline) -> None:
    """Algorithms that do not fit there say why, and the first that fits is chosen; what is made fits."""
    choices = by_name(ask(view, "experiment_form")["result"]["algorithms"])
    assert choices["SFT"]["misfit"] == ""
    assert (
        choices["LatentPPO"]["misfit"]
        == "LatentPPO can't start from scratch: it needs a decoder or a latent policy."
    )
    lab.add(pipe.id, lab.experiment("sft", SFT))
    after = ask(view, "experiment_form", position=1)["result"]
    assert by_name(after["algorithms"])["PPO"]["misfit"].startswith("Can't start from SFT: PPO needs")
    assert by_name(after["algorithms"])[after["algorithm"]]["misfit"] == ""
    sent: Row = {"name": " ", "seed": "0", "algorithm": "SFT", "version": None, "values": {}, "placement": {}}
    assert "name" in ask(view, "create_experiment", **sent)["result"]["refused"]["about"]
    made = ask(view, "create_experiment", **{**sent, "name": "new"})["result"]
    assert lab.experiments.get(made["id"]).name == "new"
    assert ask(view, "experiment_form", position=9)["error"]["kind"] == "OrderError"
