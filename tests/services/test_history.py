"""What an undo gives back, and what is over by then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.lab import GRPO, Lab
from factories.values import SFT

from pipeline_widgets.domain.chain import ExperimentStage, ScoreAtLeast, Stage
from pipeline_widgets.domain.history import KEPT_EDITS
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import RuleError, StaleWriteError
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


@pytest.mark.spec("10.1")
def test_twenty_edits_are_undone_one_after_another_and_done_again(lab: Lab) -> None:
    """From the last one back to the first that is kept; a redo goes the same way forth."""
    history, pipe = HistoryService(lab.store), lab.pipeline("SFT")
    names = [f"name {number}" for number in range(KEPT_EDITS + 2)]
    for name in names:
        lab.pipelines.update(pipe.id, name=name)

    back = [history.undo(pipe.id).pipeline.name for _ in range(KEPT_EDITS)]

    assert back == names[1:-1][::-1]
    with pytest.raises(RuleError, match="There is no edit to undo"):
        history.undo(pipe.id)
    forth = [history.redo(pipe.id).pipeline.name for _ in range(KEPT_EDITS)]
    assert forth == names[2:]
    with pytest.raises(RuleError, match="There is no edit to redo"):
        history.redo(pipe.id)
    assert [history.undo(pipe.id).pipeline.name for _ in range(3)] == names[-4:-1][::-1]


@pytest.mark.spec("10.1")
def test_stages_go_and_come_back_in_the_order_of_their_edits(lab: Lab) -> None:
    """Each undo says what it did, and the pipeline is then what it was before that edit."""
    history, pipe = HistoryService(lab.store), lab.pipelines.create(lab.project.id, "chain")
    states = [lab.pipelines.get(pipe.id).stages]
    for number in range(4):
        lab.add(pipe.id, lab.experiment(f"e{number}", GRPO if number else SFT))
        states.append(lab.pipelines.get(pipe.id).stages)
    lab.pipelines.move_stage(states[-1][3].id, 1)
    states.append(lab.pipelines.get(pipe.id).stages)
    lab.pipelines.delete_stage(states[-1][2].id)

    done = [(result := history.undo(pipe.id)).done.what for _ in range(6)]

    assert result.pipeline.stages == ()
    assert done == [
        "Stage 3 restored (undo)",
        "Order of the stages restored (undo)",
        "Stage 4 removed (undo)",
        "Stage 3 removed (undo)",
        "Stage 2 removed (undo)",
        "Stage 1 removed (undo)",
    ]
    for stages in states[1:]:
        assert history.redo(pipe.id).pipeline.stages == stages
    assert [event.what for event in history.events(pipe.id, last=2)] == [
        "Stage 4 restored (redo)",
        "Order of the stages restored (redo)",
    ]


@pytest.mark.spec("10.1")
def test_an_edit_after_an_undo_ends_the_redo_and_is_undone_first(lab: Lab) -> None:
    """As in any editor: what was undone before it is passed over by the next undos."""
    history, pipe = HistoryService(lab.store), lab.pipeline("SFT")
    for name in ("a", "b", "c"):
        lab.pipelines.update(pipe.id, name=name)
    history.undo(pipe.id)
    history.undo(pipe.id)
    lab.pipelines.update(pipe.id, name="d")

    assert history.options(pipe.id).redo is None
    assert [history.undo(pipe.id).pipeline.name for _ in range(2)] == ["a", "chain"]
    assert history.redo(pipe.id).pipeline.name == "a"
    options = history.options(pipe.id)
    assert options.undo is not None
    assert options.redo is not None
    assert options.undo.sentence == "Renamed from 'chain' to 'a'."
    assert options.redo.sentence == "Renamed from 'a' to 'd'."


@pytest.mark.spec("10.1", "5.13")
def test_an_undo_after_somebody_elses_edit_is_refused_or_takes_back_that_one(lab: Lab) -> None:
    """With the version that one looks at it is told what was changed; without, the newest edit is undone."""
    history, pipe = HistoryService(lab.store), lab.pipeline("SFT")
    mine = lab.pipelines.update(pipe.id, description="mine")
    lab.pipelines.update(pipe.id, name="theirs")

    with pytest.raises(StaleWriteError, match="It was renamed from 'chain'"):
        history.undo(pipe.id, expected_version=mine.version)

    assert history.undo(pipe.id).undone.sentence == "Renamed from 'chain' to 'theirs'."
    assert lab.pipelines.get(pipe.id).description == "mine"


@pytest.mark.spec("10.1")
def test_a_plan_says_which_stages_with_runs_or_an_agent_go(lab: Lab) -> None:
    """What stays of them is said too; a stage that never ran, and one that comes back, is no loss."""
    history, pipe = HistoryService(lab.store), lab.pipeline("SFT")
    lab.do(pipe.stages[0], 0.4)
    stage = lab.add(pipe.id, lab.experiment("mine", GRPO))
    assert history.plan(pipe.id).losses == ()
    lab.do(stage, 0.5)
    assert history.plan(pipe.id).losses == ("Stage 2 (mine) is removed; its run stays.",)
    lab.do(stage, 0.6)
    assert history.plan(pipe.id).losses == ("Stage 2 (mine) is removed; its 2 runs stay.",)
    deployment = lab.add_deployment(pipe.id)
    assert history.plan(pipe.id).losses == ()
    lab.do(deployment)
    assert history.plan(pipe.id).losses == (
        "Stage 3 (letters-agent) is removed; its run and agent 'letters-agent' stay.",
    )
    history.undo(pipe.id)
    assert history.plan(pipe.id, redo=True).losses == ()
    assert history.plan(pipe.id).losses == ("Stage 2 (mine) is removed; its 2 runs stay.",)


@pytest.mark.spec("10.1", "6.8")
def test_an_acceptance_between_edits_is_undone_in_its_place(lab: Lab) -> None:
    """It leaves the version of the pipeline as it is, and is a step like any other."""
    history, pipe = HistoryService(lab.store), lab.pipeline("SFT", "GRPO")
    one, two = pipe.stages
    lab.do(one, 0.5)
    lab.do(two, 0.6)
    lab.do(one, 0.7)
    lab.pipelines.update(pipe.id, name="first")
    lab.pipelines.accept_as_fresh(two.id, "fine")
    lab.pipelines.update(pipe.id, name="second")

    assert [history.undo(pipe.id).done.what for _ in range(3)] == [
        "Name restored (undo)",
        "Acceptance changed back (undo)",
        "Name restored (undo)",
    ]
    assert lab.pipelines.get(pipe.id).name == "chain"
    assert lab.state(two).staleness.stale
    assert [history.redo(pipe.id).done.what for _ in range(2)][-1] == "Acceptance changed back (redo)"
    assert not lab.state(two).staleness.stale


@pytest.mark.spec("10.1")
def test_of_twenty_edits_and_their_undos_no_more_snapshots_are_kept(lab: Lab) -> None:
    """A snapshot of a long pipeline is long: those that no undo and no redo asks for are dropped."""
    history, pipe = HistoryService(lab.store), lab.pipeline("SFT")
    for number in range(3 * KEPT_EDITS):
        lab.pipelines.update(pipe.id, name=f"name {number}")
        if number % 3 == 0:
            history.undo(pipe.id)
            history.redo(pipe.id)
    for _ in range(KEPT_EDITS // 2):
        history.undo(pipe.id)
    with lab.store.read() as work:
        kept = [step for step in work.events.steps(pipe.id, 1000) if step.is_kept]
    assert len(kept) == KEPT_EDITS
