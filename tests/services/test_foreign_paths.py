"""A row can name any folder: only what lies in the workspace's own folders is read, copied or deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from factories.lab import Lab
from sqlalchemy import update

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import artifact_paths, schema
from pipeline_widgets.services.retention import RetentionService


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the user's that has the name of a checkpoint."""
    folder = tmp_path / "thesis" / "checkpoints" / f"{10:010d}-{'a' * 16}"
    folder.mkdir(parents=True)
    (folder / "chapter.txt").write_text("irreplaceable")
    return folder


@pytest.fixture
def run(lab: Lab) -> Run:
    """A run with two checkpoints, of which nothing uses the first."""
    run = lab.runs.train(lab.experiment("other").id)
    lab.carry_out(run, 0.1, 0.2)
    return lab.runs.get(run.id)


def name_in(lab: Lab, table: str, path: str) -> None:
    """Let every row of a table name a path."""
    with lab.store.write() as work:
        work.connection.execute(update(schema.metadata.tables[table]).values(path=path))


def files(folder: Path) -> list[Path]:
    """Return all that is below a folder."""
    return sorted(folder.rglob("*"))


PATHS: dict[str, Callable[[Path, Path], str]] = {
    "upwards": lambda root, victim: os.path.relpath(victim, root),
    "absolute": lambda _, victim: str(victim),
    "upwards from a run": lambda root, victim: (
        f"runs/00000001/checkpoints/../../../{os.path.relpath(victim, root)}"
    ),
    "root itself": lambda _root, _victim: ".",
    "nothing": lambda _root, _victim: "",
    "all runs": lambda _root, _victim: "runs",
    "the run": lambda _root, _victim: "runs/00000001",
    "all its checkpoints": lambda _root, _victim: "runs/00000001/checkpoints",
    "all its checkpoints, differently": lambda _root, _victim: "runs/00000001/checkpoints/.",
    "another run's": lambda _root, _victim: f"runs/00000002/checkpoints/{10:010d}-{'b' * 16}",
    "another name": lambda _root, _victim: "runs/00000001/checkpoints/notes",
    "the artifacts from outside": lambda root, _: f"../{root.name}",
    "the database": lambda _root, _victim: "../lab.db",
}


@pytest.mark.parametrize("named", PATHS)
def test_row_11_deleting_a_checkpoint_deletes_nothing_elsewhere(
    lab: Lab, run: Run, victim: Path, tmp_path: Path, named: str
) -> None:
    """The deletion is refused in words, and both the row and all files stay."""
    other = tmp_path / "lab-artifacts" / "runs" / "00000002" / "checkpoints" / f"{10:010d}-{'b' * 16}"
    other.mkdir(parents=True)
    name_in(lab, "checkpoints", PATHS[named](lab.store.artifacts, victim))
    before = files(tmp_path)
    with pytest.raises(CheckpointError, match="Nothing there was read or deleted"):
        lab.experiments.delete_checkpoint(lab.runs.checkpoints(run.id)[0].id)
    assert len(lab.runs.checkpoints(run.id)) == 2
    assert files(tmp_path) == before


@pytest.mark.parametrize("named", PATHS)
def test_row_11_a_clean_up_deletes_nothing_elsewhere(
    lab: Lab, run: Run, victim: Path, tmp_path: Path, named: str
) -> None:
    """A checkpoint that a row places elsewhere is kept, with that as the reason; a preview says so too."""
    other = tmp_path / "lab-artifacts" / "runs" / "00000002" / "checkpoints" / f"{10:010d}-{'b' * 16}"
    other.mkdir(parents=True)
    name_in(lab, "checkpoints", PATHS[named](lab.store.artifacts, victim))
    care, project = RetentionService(lab.store), lab.project.id
    expected = {each.checkpoint.step: each.reasons for each in care.preview(project, "final")}
    assert expected[10] == ("its files are outside of this workspace",)
    found = {each.checkpoint.step: each.reasons for each in care.delete_unreferenced(project, "final")}
    assert found == expected
    assert victim.is_dir()
    assert other.is_dir()
    assert lab.store.database.exists


@pytest.mark.parametrize("named", PATHS)
def test_row_11_deleting_an_agent_deletes_nothing_elsewhere(
    lab: Lab, run: Run, victim: Path, tmp_path: Path, named: str
) -> None:
    """An agent whose copy a row places elsewhere is not deleted; neither is anything else."""
    agent = lab.agents.create("agent", lab.runs.checkpoints(run.id)[0].id)
    own = Path(lab.runs.checkpoints(run.id)[1].path)
    name_in(lab, "agent_versions", PATHS[named](lab.store.artifacts, victim))
    before = files(tmp_path)
    with pytest.raises(CheckpointError, match="Nothing there was read or deleted"):
        lab.agents.delete(agent.id)
    name_in(lab, "agent_versions", str(own.relative_to(lab.store.artifacts)))
    with pytest.raises(CheckpointError):  # a run's checkpoint is not a copy of an agent
        lab.agents.delete(agent.id)
    assert lab.agents.get(agent.id)
    assert files(tmp_path) == before


@pytest.mark.parametrize("link", ["runs/00000001", "runs/00000001/checkpoints"])
def test_row_11_no_link_leads_a_deletion_elsewhere(lab: Lab, run: Run, victim: Path, link: str) -> None:
    """Where a folder on the way was replaced by a link, what it leads to stays, whoever deletes."""
    checkpoint = lab.runs.checkpoints(run.id)[0]
    replaced = lab.store.artifacts / link
    elsewhere = victim.parent if link.endswith("checkpoints") else victim.parent.parent
    shutil.rmtree(replaced)
    replaced.symlink_to(elsewhere)
    name_in(lab, "checkpoints", f"runs/00000001/checkpoints/{victim.name}")
    with pytest.raises(CheckpointError):
        lab.experiments.delete_checkpoint(checkpoint.id)
    RetentionService(lab.store).delete_unreferenced(lab.project.id, "final")
    with lab.store.read() as work:
        experiment = work.runs.get(run.id).experiment_id or 0
    lab.experiments.delete(experiment)
    assert (victim / "chapter.txt").read_text() == "irreplaceable"


def test_row_11_a_link_in_the_place_of_a_checkpoint_is_unlinked(lab: Lab, run: Run, victim: Path) -> None:
    """Its files lie elsewhere and stay; the link and the row go."""
    checkpoint = lab.runs.checkpoints(run.id)[0]
    shutil.rmtree(checkpoint.path)
    Path(checkpoint.path).symlink_to(victim)
    lab.experiments.delete_checkpoint(checkpoint.id)
    assert not os.path.lexists(checkpoint.path)
    assert (victim / "chapter.txt").exists()


def test_row_11_a_link_on_the_way_is_not_followed_when_it_comes_between(
    lab: Lab, run: Run, victim: Path
) -> None:
    """The deletion itself follows no link, whatever was checked before."""
    folder = lab.store.run_folder(run.id) / "checkpoints"
    shutil.rmtree(folder)
    folder.symlink_to(victim.parent)
    artifact_paths.remove(folder / victim.name, lab.store.artifacts)
    assert (victim / "chapter.txt").exists()
    with pytest.raises(StorageError, match="is not deleted"):
        artifact_paths.remove(victim, lab.store.artifacts)


def test_what_is_the_workspaces_own_is_deleted_as_ever(lab: Lab, run: Run) -> None:
    """A checkpoint, an agent and an experiment go with their folders."""
    first, second = lab.runs.checkpoints(run.id)
    agent = lab.agents.create("agent", second.id)
    lab.experiments.delete_checkpoint(first.id)
    lab.agents.delete(agent.id)
    assert not Path(first.path).exists()
    assert not Path(agent.current.path).exists()
    assert Path(second.path).exists()
    lab.experiments.delete(run.experiment_id or 0)
    assert not lab.store.run_folder(run.id).exists()


def _trigger(lab: Lab, checkpoint: Checkpoint) -> None:
    maker = lab.runs.get(checkpoint.run_id)
    lab.runs.resume(maker.experiment_id or 0, checkpoint.id, "more")


@pytest.mark.parametrize("named", ["upwards", "absolute"])
def test_row_11_nothing_elsewhere_is_read_or_copied(lab: Lab, run: Run, victim: Path, named: str) -> None:
    """A row cannot make a run start from, or an agent serve, a folder of the user's; a link cannot either."""
    checkpoint = lab.runs.checkpoints(run.id)[0]
    own = Path(checkpoint.path)
    own_row = str(own.relative_to(lab.store.artifacts))
    for path in (PATHS[named](lab.store.artifacts, victim), own_row):
        if path == own_row:
            shutil.rmtree(own)
            own.symlink_to(victim)
        name_in(lab, "checkpoints", path)
        with pytest.raises(CheckpointError, match="the database names it"):
            lab.agents.create("agent", checkpoint.id)
        with pytest.raises(CheckpointError, match="the database names it"):
            _trigger(lab, checkpoint)
    assert not (lab.store.artifacts / "agents").exists()
