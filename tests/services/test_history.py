"""What an undo gives back, and what is over by then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.chain import ExperimentStage, ScoreAtLeast, Stage
from pipeline_widgets.domain.run import Status
from pipeline_widgets.services.history import HistoryService

HIGH = ScoreAtLeast(99.0)


def gated(stage: Stage, gate: ScoreAtLeast | None) -> Stage:
    """Return an Experiment stage with another gate."""
    assert isinstance(stage, ExperimentStage)
    return replace(stage, gate=gate)


@pytest.mark.spec("6.7")
def test_an_undo_gives_back_why_a_stage_is_held(lab: Lab) -> None:
    """A stage that has not run since is held for the same reason again."""
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    one, two = pipe.stages
    lab.pipelines.update_stage(two.id, lambda stage: gated(stage, HIGH))
    lab.do(one, 1.0)
    lab.pipelines.update_stage(two.id, lambda stage: gated(stage, None))

    assert lab.state(two).held is None
    HistoryService(lab.store).undo(pipe.id)

    assert "needs at least 99" in (lab.state(two).held or "")


@pytest.mark.spec("6.7")
def test_an_undo_does_not_hold_a_stage_that_has_run_since(lab: Lab) -> None:
    """What a stage was held for before an edit is over once it has run, and an undo does not say it again."""
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    one, two = pipe.stages
    lab.pipelines.update_stage(two.id, lambda stage: gated(stage, HIGH))
    lab.do(one, 1.0)
    lab.pipelines.update_stage(two.id, lambda stage: gated(stage, None))
    lab.do(two, 2.0)

    HistoryService(lab.store).undo(pipe.id)

    assert (lab.status(two), lab.state(two).held) == (Status.SUCCEEDED, None)


@pytest.mark.spec("6.7")
def test_an_undo_keeps_the_newer_reason_of_a_stage_that_is_held_again(lab: Lab) -> None:
    """Where the stage before has run again since, the reason is that of its latest success."""
    pipe = lab.pipeline("SFT", "GRPO", trigger="auto")
    one, two = pipe.stages
    lab.pipelines.update_stage(two.id, lambda stage: gated(stage, HIGH))
    lab.do(one, 1.0)
    lab.pipelines.update_stage(two.id, lambda stage: gated(stage, ScoreAtLeast(50.0)))
    lab.do(one, 3.0)

    HistoryService(lab.store).undo(pipe.id)

    assert "Score 3, needs at least 50" in (lab.state(two).held or "")
