"""How the settings of a stage are written and said (spec 5.2 to 5.6, 5.9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories.documents import stages
from hypothesis import given

from pipeline_widgets.domain.chain import (
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromSource,
    Stage,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import LAST_STEP
from pipeline_widgets.domain.stage_settings import (
    choice_from_text,
    describe_settings,
    parse_choice,
    parse_gate,
    parse_retries,
    parse_start,
    parse_trigger,
    settings_to_plain,
)
from pipeline_widgets.errors import ConfigError


@given(stages())
def test_what_is_written_is_read_as_it_was(stage: Stage) -> None:
    """Each setting by the rule that YAML, forms and arguments share."""
    plain = settings_to_plain(stage)
    assert parse_trigger(plain["trigger"]) is stage.trigger
    assert parse_gate(plain["gate"]) == stage.gate
    if isinstance(stage, ExperimentStage):
        assert parse_retries(plain.get("retries", 0)) == stage.retries
    if isinstance(stage, DeploymentStage):
        assert parse_choice(plain["checkpoint"]) == stage.choice
    elif isinstance(stage.start, FromAgent):
        assert plain["start"] == {"agent": stage.start.agent_id}
    else:
        assert parse_start(plain["start"]) == stage.start


@pytest.mark.parametrize("choice", ["best", "final", 0, LAST_STEP, np.int64(7)])
def test_a_checkpoint_is_chosen_by_a_word_or_a_step(choice: Any) -> None:
    """Steps may be numpy's, and may be kept as text."""
    assert parse_choice(choice) == choice
    assert parse_choice(choice_from_text(str(choice))) == choice


@pytest.mark.parametrize("value", ["7", "latest", -1, LAST_STEP + 1, True, 1.5, None, ["best"], np.zeros(2)])
def test_what_is_no_choice_is_refused(value: Any) -> None:
    """As a checkpoint and as a start, by the name of what was asked for."""
    with pytest.raises(ConfigError, match=r"is not a checkpoint\. Use \"best\", \"final\" or a step\."):
        parse_choice(value)
    with pytest.raises(ConfigError, match=r"is not a start\. Use \"scratch\" or a saved Agent"):
        parse_start(value)


@pytest.mark.parametrize("value", ["0.5", "better", True, float("nan"), 10**400, [], np.zeros(2)])
def test_what_is_no_gate_is_refused(value: Any) -> None:
    """Numbers are gates, and one sentence is."""
    with pytest.raises(ConfigError, match=r"is not a gate\. Use a number, or \"better than deployed\"\."):
        parse_gate(value)


@pytest.mark.parametrize("value", ["often", "", None, 1, [], {}])
def test_what_is_no_trigger_is_refused(value: Any) -> None:
    """There are two."""
    with pytest.raises(ConfigError, match=r"is not a trigger\. Use \"manual\" or \"auto\"\."):
        parse_trigger(value)


@pytest.mark.spec("5.2", "5.9")
def test_settings_are_said_in_sentences() -> None:
    """What a stage starts from or deploys, what starts it, and what else it does."""
    named = {"source": "Stage 1 (sft)", "before": "Stage 2 (letters)"}
    trained = ExperimentStage(experiment_id=1, start=FromSource(20), auto_add_agent=True)
    deployed = DeploymentStage(agent_name="a", agent_description="what for", trigger=Trigger.AUTO)
    assert describe_settings(trained, **named, condition="") == (
        "Starts from the checkpoint of step 20 of Stage 1 (sft).",
        "Manual: runs only when triggered.",
        "Its best checkpoint is added to Agents when it is complete.",
    )
    assert describe_settings(deployed, **named, condition="if it is good") == (
        "Deploys the best checkpoint of Stage 1 (sft).",
        "Auto: starts when Stage 2 (letters) succeeds, if it is good.",
        "what for",
    )


@pytest.mark.spec("6.12")
@pytest.mark.parametrize("value", [-1, 101, 1.5, True, "2", None, [1]])
def test_what_is_no_number_of_retries_is_refused(value: Any) -> None:
    """Whole numbers from 0 to 100 are, numpy's too."""
    with pytest.raises(ConfigError, match=r"is not a number of retries\. Use a whole number from 0 to 100\."):
        parse_retries(value)


@pytest.mark.spec("6.12")
def test_retries_are_described_and_left_out_where_there_are_none() -> None:
    """An old document stays as it was."""
    stage = ExperimentStage(experiment_id=1, retries=2)
    assert "retries" not in settings_to_plain(replace(stage, retries=0))
    told = describe_settings(stage, source="", before="", condition="")
    assert "A run that crashes is retried up to 2 times, from its last checkpoint." in told
    once = describe_settings(replace(stage, retries=1), source="", before="", condition="")
    assert "A run that crashes is retried once, from its last checkpoint." in once
    none = describe_settings(replace(stage, retries=0), source="", before="", condition="")
    assert not any("retried" in line for line in none)
