"""A folder belongs to one workspace, and a copy of a workspace knows that it is one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from factories.lab import Lab, an_owner, open_lab
from sqlalchemy import select, update

from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.identity import STAMP, read_stamp
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.runs import RunService

Opened = Callable[[Path | str], Database]


def identity(store: Store) -> str:
    """Return the identity of a workspace."""
    with store.read() as work:
        return str(work.connection.execute(select(schema.workspace.c.identity)).scalar_one())


@pytest.fixture
def working(tmp_path: Path) -> Lab:
    """A workspace in the folder "original" with a run at work and a served agent, as its rows say."""
    lab = open_lab(tmp_path / "original")
    (stage,) = lab.pipeline("SFT").stages
    done = lab.do(stage, 0.5)
    agent = lab.agents.create("agent", lab.runs.checkpoints(done.id)[0].id)
    endpoints = EndpointService(lab.store)
    endpoints.connect(agent.id, port=9999)
    endpoints.rotate_key(agent.id)
    owner = an_owner()
    assert endpoints.take(agent.id, Process(machine="m", pid=1, started=1.0), "token")
    endpoints.record_ready(agent.id, "token", version=1)
    lab.take(lab.runs.trigger(stage.id), owner)
    lab.store.endpoint_key(agent.id).parent.mkdir()
    lab.store.endpoint_key(agent.id).write_text("secret")
    lab.store.database.close()
    return lab


def test_case_4_two_databases_with_one_folder(opened: Opened, tmp_path: Path) -> None:
    """A second workspace is refused the folder of the first, with whose it is and what to do."""
    open_store(opened(tmp_path / "first.db"), tmp_path / "shared")
    with pytest.raises(StorageError, match=r"shared is another's. .*first.db. Name another one") as caught:
        open_store(opened(tmp_path / "second.db"), tmp_path / "shared")
    assert "artifacts=" in caught.value.fix
    open_store(opened(tmp_path / "second.db"), tmp_path / "own")


def test_case_4_a_new_database_beside_an_old_folder(opened: Opened, tmp_path: Path) -> None:
    """A database that takes the place of a lost one is refused the folder with the runs of that."""
    lab = open_lab(tmp_path)
    lab.do(lab.pipeline("SFT").stages[0], 0.5)
    lab.store.database.close()
    (tmp_path / "lab.db").unlink()
    with pytest.raises(StorageError, match="It belongs to the workspace"):
        open_store(opened(tmp_path / "lab.db"))
    (lab.store.artifacts / STAMP).unlink()  # as an older version has left it
    with pytest.raises(StorageError, match="runs of another workspace"):
        open_store(opened(tmp_path / "lab.db"))


@pytest.mark.parametrize("part", ["runs", "runs/00000001", "agents/x", "other/deep"])
def test_case_4_a_folder_within_that_of_another_workspace(opened: Opened, tmp_path: Path, part: str) -> None:
    """A workspace is refused a folder that the clean-up of another one could delete."""
    outer = open_store(opened(tmp_path / "first.db"), tmp_path / "outer")
    with pytest.raises(StorageError, match=r"It is within .*outer, which belongs to .*first\.db") as caught:
        open_store(opened(tmp_path / "second.db"), outer.artifacts / part)
    assert "artifacts=" in caught.value.fix
    assert not (outer.artifacts / part).exists()


def test_an_older_workspace_keeps_its_folder(opened: Opened, tmp_path: Path) -> None:
    """A folder without a stamp gets that of the workspace that has always used it."""
    lab = open_lab(tmp_path)
    lab.do(lab.pipeline("SFT").stages[0], 0.5)
    with lab.store.write() as work:
        work.connection.execute(update(schema.workspace).values(place=None))
    lab.store.database.close()
    (lab.store.artifacts / STAMP).unlink()
    store = open_store(opened(tmp_path / "lab.db"))
    stamp = read_stamp(store.artifacts)
    assert stamp is not None
    assert stamp.workspace == identity(store)


def test_case_16_a_copy_lets_the_originals_processes_be(working: Lab, opened: Opened, tmp_path: Path) -> None:
    """In a copy active runs are Crashed and agents Undeployed, and no process or key is known any more."""
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    copy = open_store(opened(tmp_path / "copy" / "lab.db"))
    (agent,) = AgentService(copy).all()
    with copy.read() as work:
        assert work.runs.active() == ()
        assert work.endpoints.active() == ()
        service = work.endpoints.lease(agent.id)
        rows = work.connection.execute(select(schema.endpoints)).mappings().one()
    assert service is not None
    assert service.holder is None
    assert (agent.status, rows["key_digest"], rows["token"]) == ("Undeployed", None, None)
    last = RunService(copy).get(2)
    evidence = f"This is a copy of {tmp_path}/original/lab.db: the process belongs to the original."
    assert (last.status, last.error) == ("Crashed", evidence)
    assert not list(copy.artifacts.rglob("*.key"))
    original = open_store(opened(tmp_path / "original" / "lab.db"))
    assert identity(original) != identity(copy)
    assert AgentService(original).get(agent.id).status == "Deployed"
    assert RunService(original).get(2).status.active
    copy.database.close()
    again = open_store(opened(tmp_path / "copy" / "lab.db"))
    assert identity(again) == identity(copy)


def test_case_16_a_copy_of_the_file_alone_is_refused_the_folder(
    working: Lab, opened: Opened, tmp_path: Path
) -> None:
    """A copy beside the original would share its folder; with a copy of the folder it opens."""
    folder = tmp_path / "original"
    shutil.copy(folder / "lab.db", folder / "second.db")
    with pytest.raises(StorageError, match=r"lab.db, of which this database is a copy.*a copy of its folder"):
        open_store(opened(folder / "second.db"))
    shutil.copytree(folder / "lab-artifacts", tmp_path / "copied")
    copy = open_store(opened(folder / "second.db"), tmp_path / "copied")
    assert copy.artifacts == tmp_path / "copied"
    assert open_store(opened(folder / "second.db")).artifacts == tmp_path / "copied"


@pytest.mark.parametrize("how", ["rename", "another disk", "link", "restore"])
def test_case_16_a_moved_workspace_stays_itself(
    working: Lab, opened: Opened, tmp_path: Path, how: str
) -> None:
    """A rename, a move to another disk, a link and a restored backup keep the identity."""
    before, after = tmp_path / "original", tmp_path / "after"
    known = identity(open_store(opened(before / "lab.db")))
    match how:
        case "rename":
            before.rename(after)
        case "another disk":  # where nothing can be renamed, mv copies and deletes
            shutil.copytree(before, after)
            shutil.rmtree(before)
        case "link":
            after.symlink_to(before)
        case _:
            shutil.copytree(before, tmp_path / "backup")
            shutil.rmtree(before)
            shutil.copytree(tmp_path / "backup", before)
            after = before
    store = open_store(opened(after / "lab.db"))
    assert identity(store) == known
    active = RunService(store).get(2).status.active
    assert active is (how != "another disk")  # what was at work there has a file open that is gone
    open_store(opened(after / "lab.db"))


def test_a_workspace_on_a_server_names_its_folder(
    opened: Opened, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the first opening has to name the folder, and later ones know it, from any folder."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=r"needs an artifact folder.*artifacts="):
        open_store(opened(postgres_url))
    assert open_store(opened(postgres_url), "files").artifacts == tmp_path / "files"
    monkeypatch.chdir("/")
    assert open_store(opened(postgres_url)).artifacts == tmp_path / "files"
    with pytest.raises(StorageError, match="It belongs to the workspace postgresql"):
        open_store(opened(tmp_path / "lab.db"), tmp_path / "files")


@pytest.mark.parametrize("name", ["copy/lab.db", "original/second.db"])
def test_case_16_a_hard_link_to_the_database_is_refused(
    working: Lab, opened: Opened, tmp_path: Path, name: str
) -> None:
    """Two names of one file, as `cp -al` makes them, would have a write-ahead log each, and damage it."""
    link = tmp_path / name
    link.parent.mkdir(exist_ok=True)
    link.hardlink_to(tmp_path / "original" / "lab.db")
    with pytest.raises(StorageError, match=r"is the same file as .*original/lab\.db, by a hard link"):
        open_store(opened(link))
    store = open_store(opened(tmp_path / "original" / "lab.db"))
    assert store.artifacts == working.store.artifacts


def test_row_14_the_folder_of_artifacts_is_private_whatever_the_umask(
    opened: Opened, tmp_path: Path, umask: Callable[[int], None]
) -> None:
    """Nobody else may enter the folder of a new workspace, also one that was asked for."""
    umask(0)
    folders = [
        open_store(opened(tmp_path / "first.db")).artifacts,
        open_store(opened(tmp_path / "second.db"), tmp_path / "a" / "b").artifacts,
    ]
    assert [folder.stat().st_mode & 0o777 for folder in (*folders, tmp_path / "a")] == [0o700] * 3


def test_case_16_a_link_to_the_database_or_its_folder_is_no_copy(
    working: Lab, opened: Opened, tmp_path: Path
) -> None:
    """A symbolic link leads to the one name that the file has."""
    (tmp_path / "linked").symlink_to(tmp_path / "original")
    (tmp_path / "lab.db").symlink_to(tmp_path / "original" / "lab.db")
    for path in (tmp_path / "linked" / "lab.db", tmp_path / "lab.db"):
        assert open_store(opened(path)).artifacts == working.store.artifacts
