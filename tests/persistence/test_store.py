"""Opening a workspace: one database and one artifact folder that belong together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from factories.lab import Lab, open_lab

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.errors import NotFoundError, StorageError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import open_store

Opened = Callable[[Path | str], Database]


@pytest.mark.spec("1")
def test_artifacts_are_beside_the_database_by_default(opened: Opened, tmp_path: Path) -> None:
    """A new workspace has the folder "NAME-artifacts" next to its file."""
    store = open_store(opened(tmp_path / "words.db"))
    assert store.artifacts == tmp_path / "words-artifacts"
    assert store.artifacts.is_dir()


def test_the_folder_is_remembered(opened: Opened, tmp_path: Path) -> None:
    """A workspace that was made with another folder is opened with that, asked for or not."""
    folder = tmp_path / "elsewhere" / "files"
    assert open_store(opened(tmp_path / "lab.db"), folder).artifacts == folder
    assert open_store(opened(tmp_path / "lab.db")).artifacts == folder
    assert open_store(opened(tmp_path / "lab.db"), folder).artifacts == folder


def test_another_folder_than_its_own_is_refused(opened: Opened, tmp_path: Path) -> None:
    """Opening a workspace with a folder that is not its own would lose its files, so it is refused."""
    open_store(opened(tmp_path / "lab.db"))
    with pytest.raises(StorageError, match=f"Its artifacts are in {tmp_path}/lab-artifacts, not in"):
        open_store(opened(tmp_path / "lab.db"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_folder_outside_is_kept_as_it_is(opened: Opened, tmp_path: Path) -> None:
    """An artifact folder that is not below the database's keeps its absolute path."""
    folder = tmp_path / "files"
    open_store(opened(tmp_path / "db" / "lab.db"), folder)
    (tmp_path / "db").rename(tmp_path / "moved")
    assert open_store(opened(tmp_path / "moved" / "lab.db")).artifacts == folder


def test_the_timing_is_remembered_and_can_be_changed(opened: Opened, tmp_path: Path) -> None:
    """How often supervisors beat belongs to the workspace, so that all processes agree."""
    quick = Timing(beat_every=1, grace=7)
    assert open_store(opened(tmp_path / "lab.db")).timing == Timing()
    assert open_store(opened(tmp_path / "lab.db"), timing=quick).timing == quick
    assert open_store(opened(tmp_path / "lab.db")).timing == quick


def test_a_lost_artifact_folder_is_made_again(opened: Opened, tmp_path: Path) -> None:
    """The rows are still readable when somebody has removed the files."""
    store = open_store(opened(tmp_path / "lab.db"))
    shutil.rmtree(store.artifacts)
    assert open_store(opened(tmp_path / "lab.db")).artifacts.is_dir()


def test_a_file_in_the_place_of_the_folder_is_refused(opened: Opened, tmp_path: Path) -> None:
    """An artifact folder that cannot be made is told."""
    (tmp_path / "lab-artifacts").write_text("")
    with pytest.raises(StorageError, match="lab-artifacts cannot be written"):
        open_store(opened(tmp_path / "lab.db"))


def test_a_workspace_can_be_moved(tmp_path: Path) -> None:
    """Moving database and files together keeps every checkpoint and agent readable and whole."""
    before = tmp_path / "before"
    lab = open_lab(before)
    (stage,) = lab.pipeline("SFT").stages
    run = lab.do(stage, 0.5)
    lab.agents.create("agent", lab.runs.checkpoints(run.id)[0].id)
    lab.store.database.close()
    before.rename(tmp_path / "after")

    moved = open_store(Database(f"sqlite:///{tmp_path / 'after' / 'lab.db'}"))
    with moved.read() as work:
        (checkpoint,) = work.checkpoints.of_runs([run.id])
        (agent,) = work.agents.all()
    for path in (checkpoint.path, agent.current.path):
        assert Path(path).is_relative_to(tmp_path / "after")
        artifacts.verify(PublishedFolder(path=Path(path), size=checkpoint.size, digest=checkpoint.digest))
    moved.database.close()


def test_what_is_not_there_is_not_found(opened: Opened, tmp_path: Path) -> None:
    """Every look-up by an id that does not exist says what is missing, and raises nothing else."""
    store = open_store(opened(tmp_path / "lab.db"))
    with store.read() as work:
        for kind, get in {
            "project": work.projects.get,
            "experiment": work.experiments.get,
            "algorithm": work.experiments.reference,
            "pipeline": work.pipelines.get,
            "stage": work.pipelines.of_stage,
            "run": work.runs.get,
            "checkpoint": work.checkpoints.get,
            "agent": work.agents.get,
            "version of an agent": work.agents.version,
        }.items():
            with pytest.raises(NotFoundError, match=f"There is no such {kind}. It was deleted meanwhile"):
                get(99)
    with pytest.raises(NotFoundError, match="no such project"), store.write() as work:
        work.projects.touch(99)


def test_a_revision_is_raised_by_every_change_and_by_nothing_else(tmp_path: Path) -> None:
    """Views compare one number: it moves with each change of the project, and not with looks or beats."""
    lab: Lab = open_lab(tmp_path)
    (stage,) = lab.pipeline("SFT").stages
    revisions = [lab.store.changes.revision(lab.project.id)]

    def moved() -> bool:
        revisions.append(lab.store.changes.revision(lab.project.id))
        return revisions[-1] > revisions[-2]

    run = lab.runs.trigger(stage.id)
    assert moved()
    job = lab.started(run)
    assert moved()
    lab.supervision.beat(job)
    lab.supervision.status(job)
    lab.states.pipeline(run.pipeline_id or 0)
    assert not moved()
    lab.report(job, 1, loss=0.5)
    assert moved()
    lab.save(job, 1, 0.5)
    assert moved()
    lab.end(job)
    assert moved()
    lab.store.database.close()
