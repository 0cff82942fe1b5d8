"""Freeing checkpoints in a real workspace, and telling what uses one (spec 8.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import InUseError
from pipeline_widgets.services.care import CareService

pytestmark = pytest.mark.spec("8.4")


@pytest.fixture
def care(lab: Lab) -> CareService:
    """Looks after the checkpoints of the workspace."""
    return CareService(lab.store)


def test_what_is_freed_is_gone_from_disk_and_database_and_the_rest_is_whole(
    lab: Lab, care: CareService
) -> None:
    """Best, final, consumed and deployed checkpoints stay, and can be used as before."""
    pipe = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, deploy = pipe.stages
    lab.do(first, 0.1, 0.2, 0.9, 0.3, 0.4)
    lab.do(second, 0.5, 0.6)
    lab.do(deploy)
    run = lab.do(second, 0.7, 0.8)
    before = {each.id: Path(each.path) for each in lab.runs.checkpoints(lab.do(first, 0.5, 0.6, 0.7).id)}
    looked = care.look(lab.project.id, "best+final")
    assert all(Path(each.checkpoint.path).is_dir() for each in looked)
    assert care.free(lab.project.id, "best+final") == looked
    for each in looked:
        assert Path(each.checkpoint.path).is_dir() is each.kept
    assert [(each.experiment, each.run, each.checkpoint.step) for each in looked if not each.kept] == [
        ("chain-sft-1", 1, 10),
        ("chain-sft-1", 1, 20),
        ("chain-sft-1", 1, 40),
        ("chain-grpo-2", 1, 10),
        ("chain-grpo-2", 2, 10),
        ("chain-sft-1", 2, 10),
        ("chain-sft-1", 2, 20),
    ]
    assert sum(path.is_dir() for path in before.values()) == 1
    assert [each for each in care.look(lab.project.id, "best+final") if not each.kept] == []
    assert lab.do(second, 0.9).status is Status.SUCCEEDED
    assert run.status is Status.SUCCEEDED


def test_the_users_of_a_checkpoint_are_listed_as_its_deletion_lists_them(lab: Lab, care: CareService) -> None:
    """Runs, agents, and stages that would start from it."""
    pipe = lab.pipeline("SFT", "GRPO")
    first, second = pipe.stages
    best = lab.runs.checkpoints(lab.do(first, 0.9).id)[0]
    assert care.users(best.id) == ("stage 2 of pipeline 'chain'",)
    lab.do(second, 0.5)
    lab.agents.create("keeper", best.id)
    assert care.users(best.id) == (
        "run 1 of 'chain-grpo-2'",
        "agent 'keeper'",
        "stage 2 of pipeline 'chain'",
    )
    with pytest.raises(InUseError, match=r"run 1 of 'chain-grpo-2'.*agent 'keeper'"):
        lab.experiments.delete_checkpoint(best.id)


def test_a_stage_that_names_a_step_keeps_it(lab: Lab, care: CareService) -> None:
    """It is kept for what the stage would start from, whatever `keep` says."""
    pipe = lab.pipeline("SFT")
    lab.do(pipe.stages[0], 0.9, 0.1, 0.2)
    lab.add_deployment(pipe.id, choice=20)
    kept = {each.checkpoint.step: each.reasons for each in care.look(lab.project.id, "best")}
    assert kept == {10: ("best of run 1",), 20: ("stage 2 of pipeline 'chain'",), 30: ()}


def test_a_run_at_work_loses_nothing(lab: Lab, care: CareService) -> None:
    """What it has saved so far stays, and it goes on saving."""
    pipe = lab.pipeline("SFT")
    job = lab.started(lab.runs.trigger(pipe.stages[0].id))
    for step in (10, 20, 30):
        lab.save(job, step, 1.0 / step)
    assert all(each.kept for each in care.free(lab.project.id, "best"))
    lab.save(job, 40, 0.01)
    lab.end(job)
    assert [each.checkpoint.step for each in care.free(lab.project.id, "best") if each.kept] == [10]


def test_another_projects_checkpoints_are_left_alone(lab: Lab, care: CareService) -> None:
    """A clean-up is of one project."""
    lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2, 0.3)
    other = lab.projects.create("Other", advanced_training=True)
    assert care.free(other.id, "final") == ()
    assert len([each for each in care.look(lab.project.id, "final") if not each.kept]) == 2


def test_what_is_used_in_the_meantime_is_kept_and_said_so(
    lab: Lab, care: CareService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the deletion an agent is made of a checkpoint."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2, 0.3)
    first = lab.runs.checkpoints(run.id)[0]
    looked = care.look(lab.project.id, "final")
    lab.agents.create("quick", first.id)
    looks = iter([looked])
    real = care.look
    monkeypatch.setattr(care, "look", lambda *args: next(looks, None) or real(*args))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    found = {each.checkpoint.step: each.reasons for each in care.free(lab.project.id, "final")}
    assert found[10] == ("used meanwhile",)
    assert Path(first.path).is_dir()
    assert found[20] == ()


def test_only_what_was_named_goes(lab: Lab, care: CareService) -> None:
    """Of what could be freed, as a preview names it."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2, 0.3)
    first, second, _ = lab.runs.checkpoints(run.id)
    freed = [
        each.checkpoint.id for each in care.free(lab.project.id, "final", only=[first.id]) if not each.kept
    ]
    assert freed == [first.id]
    assert not Path(first.path).exists()
    assert Path(second.path).is_dir()
