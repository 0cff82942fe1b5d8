"""What can be done with an experiment now, and why not (spec 9.1)."""

from __future__ import annotations

import pytest
from factories.values import DPO, LOSS, SFT, a_run

from pipeline_widgets.domain.experiment_actions import (
    ExperimentBlockers,
    describe_algorithm,
    find_experiment_blockers,
    length_field,
    used_by,
)
from pipeline_widgets.domain.run import Status

pytestmark = pytest.mark.spec("9.1")


def test_a_draft_can_be_trained_changed_and_deleted() -> None:
    """There is nothing to stop, and nothing to go on from."""
    assert find_experiment_blockers(SFT, None, checkpoints=0, pipelines=()) == ExperimentBlockers(
        stop="It has never run.", resume="It has saved no checkpoint to resume from."
    )


@pytest.mark.parametrize("status", [Status.STOPPED, Status.SUCCEEDED, Status.FAILED, Status.CRASHED])
def test_what_has_ended_can_be_trained_again_and_resumed(status: Status) -> None:
    """Resumed only where a checkpoint exists."""
    run = a_run(2, status)
    found = find_experiment_blockers(SFT, run, checkpoints=1, pipelines=())
    assert found == ExperimentBlockers(stop=f"Its run 2 is {status.lower()}.")
    assert find_experiment_blockers(SFT, run, checkpoints=0, pipelines=()).resume


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING])
def test_what_is_active_can_be_stopped_and_nothing_else(status: Status) -> None:
    """Each of the other things says which run is in its way."""
    why = f"Its run 2 is {status.lower()}."
    found = find_experiment_blockers(SFT, a_run(2, status), checkpoints=1, pipelines=("chain",))
    assert found == ExperimentBlockers(train=why, resume=why, change=why, delete=why)


def test_what_is_stopping_is_not_stopped_again() -> None:
    """It is asked already."""
    found = find_experiment_blockers(SFT, a_run(1, Status.STOPPING), checkpoints=0, pipelines=())
    assert found.stop == "It is already stopping."


def test_what_a_pipeline_uses_is_not_deleted() -> None:
    """The pipelines are named, five at most."""
    found = find_experiment_blockers(SFT, None, checkpoints=0, pipelines=("a", "b"))
    assert found.delete == "It is used by pipeline 'a', pipeline 'b'."
    assert used_by([*"abcdefg"]) == "It is used by a, b, c, d, e and 2 more."


def test_what_needs_a_start_is_not_trained_by_itself() -> None:
    """The reason says what it needs."""
    found = find_experiment_blockers(DPO, None, checkpoints=0, pipelines=())
    assert found.train == "DPO can't start from scratch: it needs a language model."


def test_an_algorithm_is_described_in_words() -> None:
    """What it starts from, what it makes, and which score is better."""
    assert describe_algorithm(SFT) == (
        "Trains from scratch or from a language model (starting weights). Produces a language model."
    )
    assert describe_algorithm(DPO) == (
        "Trains from a language model (starting weights and reference). Produces a language model."
    )
    assert describe_algorithm(LOSS).endswith("Produces a language model. A lower score is better.")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"steps": 40, "batch": 8}, "steps"),
        ({"epochs": 40, "steps": 40}, "steps"),
        ({"epochs": 40, "rate": 0.1}, "epochs"),
        ({"epochs": 40, "layers": 40}, None),
        ({"epochs": 5, "steps": 8}, None),
        ({"flag": True, "size": 40.0}, None),
    ],
)
def test_the_field_that_has_set_the_length_of_a_run(config: dict[str, object], field: str | None) -> None:
    """The only whole number that is the total, or the one named steps; otherwise none is guessed."""
    assert length_field(config, 40) == field
    assert length_field(config, None) is None
