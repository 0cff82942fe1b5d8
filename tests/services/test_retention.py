"""Freeing checkpoints in a real workspace, and telling what uses one (spec 8.4)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.chain import FromAgent, FromSource
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.errors import InUseError
from pipeline_widgets.persistence.repositories import base
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import retention as care_module
from pipeline_widgets.services.retention import RetentionService

pytestmark = pytest.mark.spec("8.4")


@pytest.fixture
def care(lab: Lab) -> RetentionService:
    """Looks after the checkpoints of the workspace."""
    return RetentionService(lab.store)


@dataclass(frozen=True, kw_only=True)
class Overtaken(Store):
    """A workspace in which somebody else acts right before the first write."""

    acts: list[Callable[[], object]]

    @contextmanager
    def write(self) -> Generator[UnitOfWork]:
        """Let them act first."""
        while self.acts:
            self.acts.pop()()
        with super().write() as work:
            yield work


def on_disk(lab: Lab, run: Run) -> list[str]:
    """Return the names of the folders that a run has left."""
    return sorted(each.name for each in lab.store.checkpoints_folder(run.id).iterdir())


def test_what_is_freed_is_gone_from_disk_and_database_and_the_rest_is_whole(
    lab: Lab, care: RetentionService
) -> None:
    """Best, final, consumed and deployed checkpoints stay, and can be used as before."""
    pipe = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, deploy = pipe.stages
    lab.do(first, 0.1, 0.2, 0.9, 0.3, 0.4)
    lab.do(second, 0.5, 0.6)
    lab.do(deploy)
    run = lab.do(second, 0.7, 0.8)
    before = {each.id: Path(each.path) for each in lab.runs.checkpoints(lab.do(first, 0.5, 0.6, 0.7).id)}
    looked = care.preview(lab.project.id, "best+final")
    assert all(Path(each.checkpoint.path).is_dir() for each in looked)
    assert care.delete_unreferenced(lab.project.id, "best+final") == looked
    for each in looked:
        assert Path(each.checkpoint.path).is_dir() is each.is_kept
    assert [(each.experiment, each.run, each.checkpoint.step) for each in looked if not each.is_kept] == [
        ("chain-sft-1", 1, 10),
        ("chain-sft-1", 1, 20),
        ("chain-sft-1", 1, 40),
        ("chain-grpo-2", 1, 10),
        ("chain-grpo-2", 2, 10),
        ("chain-sft-1", 2, 10),
        ("chain-sft-1", 2, 20),
    ]
    assert sum(path.is_dir() for path in before.values()) == 1
    assert [each for each in care.preview(lab.project.id, "best+final") if not each.is_kept] == []
    assert lab.do(second, 0.9).status is Status.SUCCEEDED
    assert run.status is Status.SUCCEEDED


def test_the_users_of_a_checkpoint_are_listed_as_its_deletion_lists_them(
    lab: Lab, care: RetentionService
) -> None:
    """Runs, agents, and stages that would start from it."""
    pipe = lab.pipeline("SFT", "GRPO")
    first, second = pipe.stages
    best = lab.runs.checkpoints(lab.do(first, 0.9).id)[0]
    assert care.references(best.id) == ("stage 2 of pipeline 'chain'",)
    lab.do(second, 0.5)
    lab.agents.create("keeper", best.id)
    assert care.references(best.id) == (
        "run 1 of 'chain-grpo-2'",
        "agent 'keeper'",
        "stage 2 of pipeline 'chain'",
    )
    with pytest.raises(InUseError, match=r"run 1 of 'chain-grpo-2'.*agent 'keeper'"):
        lab.experiments.delete_checkpoint(best.id)


def test_a_stage_that_names_a_step_keeps_it(lab: Lab, care: RetentionService) -> None:
    """It is kept for what the stage would start from, whatever `keep` says."""
    pipe = lab.pipeline("SFT")
    lab.do(pipe.stages[0], 0.9, 0.1, 0.2)
    lab.add_deployment(pipe.id, choice=20)
    kept = {each.checkpoint.step: each.reasons for each in care.preview(lab.project.id, "best")}
    assert kept == {10: ("best of run 1",), 20: ("stage 2 of pipeline 'chain'",), 30: ()}


def test_a_run_at_work_loses_nothing(lab: Lab, care: RetentionService) -> None:
    """What it has saved so far stays, and it goes on saving."""
    pipe = lab.pipeline("SFT")
    job = lab.started(lab.runs.trigger(pipe.stages[0].id))
    for step in (10, 20, 30):
        lab.save(job, step, 1.0 / step)
    assert all(each.is_kept for each in care.delete_unreferenced(lab.project.id, "best"))
    lab.save(job, 40, 0.01)
    lab.end(job)
    assert [
        each.checkpoint.step for each in care.delete_unreferenced(lab.project.id, "best") if each.is_kept
    ] == [10]


def test_another_projects_checkpoints_are_left_alone(lab: Lab, care: RetentionService) -> None:
    """A clean-up is of one project."""
    lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2, 0.3)
    other = lab.projects.create("Other", advanced_training=True)
    assert care.delete_unreferenced(other.id, "final") == ()
    assert len([each for each in care.preview(lab.project.id, "final") if not each.is_kept]) == 2


def test_what_is_used_in_the_meantime_is_kept_and_said_so(lab: Lab) -> None:
    """Just before the deletion begins an agent is made, a run resumed, and a stage set to a step."""
    pipe = lab.pipeline("SFT", "GRPO")
    run = lab.do(pipe.stages[0], 0.1, 0.2, 0.3, 0.4, status=Status.STOPPED)
    other = lab.runs.train(lab.experiment("other").id)
    lab.carry_out(other, 0.1, 0.2, 0.3, status=Status.FAILED)
    first, second, *_ = lab.runs.checkpoints(run.id)
    before = lab.runs.checkpoints(other.id)

    def act() -> None:
        lab.agents.create("quick", first.id)
        lab.pipelines.update_stage(pipe.stages[1].id, lambda stage: replace(stage, start=FromSource(20)))  # pyright: ignore[reportCallIssue]
        lab.runs.resume(other.experiment_id or 0, before[2].id, "more")

    overtaken = Overtaken(
        database=lab.store.database,
        artifacts=lab.store.artifacts,
        timing=lab.store.timing,
        trust=lab.store.trust,
        acts=[act],
    )
    found = {
        each.checkpoint.id: each.reasons
        for each in RetentionService(overtaken).delete_unreferenced(lab.project.id, "final")
    }
    assert found[first.id] == ("agent 'quick'",)
    assert found[second.id] == ("stage 2 of pipeline 'chain'",)
    assert {"run 1 is pending"} <= set(found[before[0].id])
    assert all(Path(each.path).is_dir() for each in (first, second, *before))
    assert [each.step for each in lab.runs.checkpoints(run.id)] == [10, 20, 40]


def test_only_what_was_named_goes(lab: Lab, care: RetentionService) -> None:
    """Of what could be freed, as a preview names it."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2, 0.3)
    first, second, _ = lab.runs.checkpoints(run.id)
    freed = [
        each.checkpoint.id
        for each in care.delete_unreferenced(lab.project.id, "final", only=[first.id])
        if not each.is_kept
    ]
    assert freed == [first.id]
    assert not Path(first.path).exists()
    assert Path(second.path).is_dir()


def test_a_step_that_a_stage_names_is_not_deleted_by_hand_either(lab: Lab, care: RetentionService) -> None:
    """The refusal names the stage; that a stage would start from it as the best is not a reason."""
    pipe = lab.pipeline("SFT")
    run = lab.do(pipe.stages[0], 0.1, 0.9, 0.2)
    named, best, _ = lab.runs.checkpoints(run.id)
    lab.add_deployment(pipe.id, choice=10)
    lab.add_deployment(pipe.id, "other")
    assert care.references(named.id) == ("stage 2 of pipeline 'chain'",)
    assert care.references(best.id) == ("stage 3 of pipeline 'chain'",)
    with pytest.raises(
        InUseError, match=r"step 10 cannot be deleted. .* stage 2 of pipeline 'chain'. Let it"
    ):
        lab.experiments.delete_checkpoint(named.id)
    lab.experiments.delete_checkpoint(best.id)
    assert [each.step for each in lab.runs.checkpoints(run.id)] == [10, 30]


def test_a_step_is_kept_for_a_stage_that_inherits_it(lab: Lab, care: RetentionService) -> None:
    """An experiment that was resumed as a new one offers what the old one saved as well."""
    pipe = lab.pipeline("SFT", "GRPO")
    run = lab.do(pipe.stages[0], 0.9, 0.1, 0.2, status=Status.STOPPED)
    first, _, last = lab.runs.checkpoints(run.id)
    _, resumed = lab.runs.resume(run.experiment_id or 0, last.id, "more")
    lab.carry_out(resumed, 0.3)
    assert care.references(first.id) == ("stage 2 of pipeline 'chain'",)
    assert [
        each.checkpoint.step for each in care.delete_unreferenced(lab.project.id, "final") if each.is_kept
    ] == [
        10,
        30,
        40,
    ]


def test_a_clean_up_that_was_interrupted_is_finished_by_the_next(
    lab: Lab, care: RetentionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders whose rows are gone go, and what a killed writer has left; what is not ours stays."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2, 0.3)
    (lab.store.checkpoints_folder(run.id) / f".writing-{'0' * 32}").mkdir()
    (lab.store.checkpoints_folder(run.id) / "notes").mkdir()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            care.delete_unreferenced(lab.project.id, "final")
    assert [each.step for each in lab.runs.checkpoints(run.id)] == [30]
    assert len(on_disk(lab, run)) == 5
    care.delete_unreferenced(lab.project.id, "final")
    (kept,) = lab.runs.checkpoints(run.id)
    assert on_disk(lab, run) == [Path(kept.path).name, "notes"]


def test_files_that_cannot_be_deleted_are_not_said_to_be_freed(
    lab: Lab, care: RetentionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason says so, and the next clean-up tries again."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.1, 0.2)

    def refused(*_: object, **__: object) -> None:
        """Do as a folder that is not ours does."""

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refused)
        first, _ = care.delete_unreferenced(lab.project.id, "final")
    assert first.reasons == ("its files could not be deleted",)
    assert len(on_disk(lab, run)) == 2
    care.delete_unreferenced(lab.project.id, "final")
    assert len(on_disk(lab, run)) == 1


def test_a_run_at_work_keeps_what_it_is_writing(lab: Lab, care: RetentionService) -> None:
    """A folder without a row may be about to be a checkpoint."""
    job = lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))
    writing = Path(job.folder) / "checkpoints" / f".writing-{'0' * 32}"
    writing.mkdir(parents=True)
    care.delete_unreferenced(lab.project.id, "final")
    assert writing.is_dir()
    lab.end(job)
    care.delete_unreferenced(lab.project.id, "final")
    assert not writing.exists()


def test_old_copies_of_no_agent_go(lab: Lab, care: RetentionService) -> None:
    """A copy whose saving was cut off goes after a day; one that is new may yet be saved."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.1)
    agent = lab.agents.create("saved", lab.runs.checkpoints(run.id)[0].id)
    saved = Path(agent.current.path)
    old, new = (saved.with_name(f"0000000010-{sign * 32}-{'0' * 16}") for sign in "ab")
    for copy in (old, new):
        copy.mkdir()
    for copy in (old, saved):
        os.utime(copy, (1.0, 1.0))
    care.delete_unreferenced(lab.project.id, "final")
    assert [copy.exists() for copy in (old, new, saved)] == [False, True, True]


def test_many_are_freed_in_parts(lab: Lab, care: RetentionService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go some runs at a time, so that others can write in between; a resumed run is seen whole."""
    monkeypatch.setattr(care_module, "FREED_AT_ONCE", 2)
    stage = lab.pipeline("SFT").stages[0]
    runs = [lab.do(stage, 0.1, 0.2, 0.3, status=Status.STOPPED, resume=at > 0) for at in range(4)]
    touched = lab.store.changes.revision(lab.project.id)
    found = care.delete_unreferenced(lab.project.id, "best+final")
    assert lab.store.changes.revision(lab.project.id) == touched + 4
    kept = [each.checkpoint.step for each in found if each.is_kept]
    assert kept == [each.step for run in runs for each in lab.runs.checkpoints(run.id)]
    assert sum(len(on_disk(lab, run)) for run in runs) == len(kept)


@pytest.mark.spec("9.1")
def test_an_experiment_of_any_size_is_deleted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many checkpoints it has: what uses them is asked in parts, and named once."""
    monkeypatch.setattr(base, "ASKED_AT_ONCE", 2)
    used, free = lab.experiment("used"), lab.experiment("free")
    for experiment in (used, free):
        lab.carry_out(lab.runs.train(experiment.id), 0.1, 0.2, 0.3, 0.4, 0.5)
    agent = lab.agents.create("keeper", lab.experiments.checkpoints(used.id)[4].id)
    made = lab.pipelines.create(lab.project.id, "chain")
    lab.do(lab.add(made.id, lab.experiment("more"), start=FromAgent(agent.id)), 0.5)
    with pytest.raises(InUseError, match="It is used by run 1 of 'more', agent 'keeper'"):
        lab.experiments.delete(used.id)
    lab.experiments.delete(free.id)
    assert free not in lab.experiments.of_project(lab.project.id)
