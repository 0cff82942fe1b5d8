"""Stages as rows: what databases hold is read and written as it always was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factories.documents import stages
from hypothesis import given

from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    ScoreAtLeast,
    Stage,
    Trigger,
)
from pipeline_widgets.persistence.row_mapping import stage_to_row, to_stage


@given(stages())
def test_a_row_is_read_as_the_stage_that_it_was(stage: Stage) -> None:
    """As columns of the database, and as the JSON that an undo keeps."""
    row = {"id": stage.id, **stage_to_row(stage)}
    assert to_stage(row) == stage
    assert to_stage(json.loads(json.dumps(row))) == stage


#: Rows as every version has written them, without the columns that say nothing.
ROWS: list[tuple[dict[str, Any], Stage]] = [
    (
        {"kind": "experiment", "experiment_id": 7, "trigger": "manual", "start": "scratch"},
        ExperimentStage(id=3, experiment_id=7, start=FromScratch()),
    ),
    (
        {
            "kind": "experiment",
            "experiment_id": 7,
            "trigger": "manual",
            "start": "agent",
            "start_agent_id": 5,
        },
        ExperimentStage(id=3, experiment_id=7, start=FromAgent(5)),
    ),
    (
        {"kind": "experiment", "experiment_id": 7, "trigger": "auto", "start": "source", "choice": "120"}
        | {"gate": "score", "gate_score": 0.5, "auto_add_agent": True, "retries": 2},
        ExperimentStage(
            id=3,
            experiment_id=7,
            trigger=Trigger.AUTO,
            start=FromSource(120),
            auto_add_agent=True,
            gate=ScoreAtLeast(0.5),
            retries=2,
        ),
    ),
    (
        {"kind": "deployment", "agent_name": "letters", "agent_description": "", "choice": "final"}
        | {"trigger": "auto", "gate": "deployed"},
        DeploymentStage(
            id=3, agent_name="letters", choice="final", trigger=Trigger.AUTO, gate=BetterThanDeployed()
        ),
    ),
]
COLUMNS = (
    *("choice", "start", "start_agent_id", "gate", "gate_score", "agent_name", "agent_description"),
    *("launcher", "resources"),
)


@pytest.mark.parametrize(("row", "stage"), ROWS)
def test_a_stored_row_keeps_its_spelling(row: dict[str, Any], stage: Stage) -> None:
    """What databases hold is read the same, and is written the same again."""
    whole = {**dict.fromkeys(COLUMNS), "id": 3, "auto_add_agent": False, "retries": 0, **row}
    assert to_stage(whole) == stage
    written = stage_to_row(stage)
    assert written == {name: whole[name] for name in written}


def test_a_snapshot_of_an_older_version_has_no_retries() -> None:
    """An undo of what was kept before there were any leaves the stage without."""
    row = {"id": 3, **stage_to_row(ExperimentStage(id=3, experiment_id=7, retries=2))}
    del row["retries"]
    stage = to_stage(row)
    assert isinstance(stage, ExperimentStage)
    assert stage.retries == 0
