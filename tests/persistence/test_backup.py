"""A backup is a whole workspace, whatever goes on while it is made."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from factories.lab import Lab, open_lab

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import artifact_paths, artifacts, backup
from pipeline_widgets.persistence.backup import back_up
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store

Opened = Callable[[Path | str], Database]
ROUNDS = 8


def check_whole(store: Store) -> int:
    """Check every checkpoint and agent of a workspace by its digest, and return how many there are."""
    with store.read() as work:
        runs = work.runs.of_project(1)
        saved = work.checkpoints.of_runs([run.id for run in runs])
        copies = [(agent.current.path, agent.current.checkpoint) for agent in work.agents.all()]
    for path, checkpoint in [*((each.path, each) for each in saved), *copies]:
        assert Path(path).is_relative_to(store.artifacts)
        artifacts.verify(PublishedFolder(path=Path(path), size=checkpoint.size, digest=checkpoint.digest))
    return len(saved)


@pytest.fixture
def used(tmp_path: Path) -> Lab:
    """A workspace with a run, an agent, a log and a key."""
    lab = open_lab(tmp_path / "original")
    run = lab.do(lab.pipeline("SFT").stages[0], 0.5, 0.7)
    lab.agents.create("agent", lab.runs.checkpoints(run.id)[0].id)
    lab.store.log_path(run.id).write_text("it trained")
    lab.store.endpoint_key(1).parent.mkdir()
    lab.store.endpoint_key(1).write_text("secret")
    return lab


@pytest.mark.parametrize("links", [True, False])
def test_a_backup_opens_as_a_whole_copy(
    used: Lab,
    opened: Opened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,  # noqa: FBT001
) -> None:
    """Rows, checkpoints, agents and logs are in it, keys are not; and it is another workspace."""

    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    made = back_up(used.store, tmp_path / "copies" / "monday")
    assert made == tmp_path / "copies" / "monday" / "lab.db"
    assert sorted(path.name for path in made.parent.iterdir()) == ["lab-artifacts", "lab.db"]
    copy = open_store(opened(made))
    assert copy.artifacts == made.parent / "lab-artifacts"
    assert check_whole(copy) == 2
    assert copy.log_path(1).read_text() == "it trained"
    assert not list(copy.artifacts.rglob("*.key"))
    (weights, _) = copy.artifacts.glob("runs/*/checkpoints/*/weights.txt")
    assert (weights.stat().st_nlink > 1) is links
    with copy.write() as work:
        work.projects.add("only here", advanced_training=False)
    assert [project.name for project in used.projects.all()] == ["Letters"]


def test_a_backup_that_is_put_back_is_the_workspace(used: Lab, opened: Opened, tmp_path: Path) -> None:
    """After a loss the copy in the place of the original is the original, with its folder."""
    made = back_up(used.store, tmp_path / "monday")
    with used.store.read() as work:
        before = work.connection.exec_driver_sql("SELECT identity FROM workspace").scalar()
    used.store.database.close()
    used.store.artifacts.parent.rename(tmp_path / "broken")
    made.parent.rename(tmp_path / "original")
    store = open_store(opened(tmp_path / "original" / "lab.db"))
    with store.read() as work:
        assert work.connection.exec_driver_sql("SELECT identity FROM workspace").scalar() == before
    assert check_whole(store) == 2


def test_a_backup_takes_nobodys_place(used: Lab, tmp_path: Path) -> None:
    """What is there already, and a folder within the workspace, are refused and left as they are."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="taken already exists"):
        back_up(used.store, tmp_path / "taken")
    with pytest.raises(StorageError, match="within the workspace"):
        back_up(used.store, used.store.artifacts / "backup")
    assert list((tmp_path / "taken").iterdir()) == []


def test_a_backup_that_fails_leaves_nothing(
    used: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full in the middle of it, neither the target nor a part of it stays."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(StorageError):
        back_up(used.store, tmp_path / "monday")
    assert [path.name for path in tmp_path.iterdir()] == ["original"]


def test_a_server_has_its_own_backup(opened: Opened, postgres_url: str, tmp_path: Path) -> None:
    """On PostgreSQL the error says which program copies the rows, and which folder goes with them."""
    store = open_store(opened(postgres_url), tmp_path / "files")
    with pytest.raises(StorageError, match=f"pg_dump, and copy the folder {tmp_path}/files"):
        back_up(store, tmp_path / "copy")


def test_backups_made_while_checkpoints_come_and_go_are_whole(
    used: Lab, opened: Opened, tmp_path: Path
) -> None:
    """While a run saves without pause and a clean-up deletes, each backup has all files of all its rows."""
    added = used.add(used.pipelines.create(used.project.id, "busy").id, used.experiment("busy"))
    job, ended = used.started(used.runs.trigger(added.id)), threading.Event()

    def save() -> None:
        step = 0
        while not ended.is_set():
            step += 1
            used.save(job, step, float(step))

    def clean_up() -> None:
        while not ended.is_set():
            with used.store.write() as work:
                saved = work.checkpoints.of_runs([job.run_id])[:-1]
                work.checkpoints.remove([each.id for each in saved])
            for each in saved:
                artifact_paths.remove(Path(each.path), used.store.artifacts)

    with ThreadPoolExecutor() as pool:
        busy = [pool.submit(each) for each in (save, clean_up)]
        try:
            made = [back_up(used.store, tmp_path / f"backup-{at}") for at in range(ROUNDS)]
        finally:
            ended.set()
        assert [each.result() for each in busy] == [None, None]
    for each in made:
        check_whole(open_store(opened(each)))
        connection = sqlite3.connect(each)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_a_backup_ends_though_checkpoints_are_deleted_after_each_look(
    used: Lab, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who spoils one copy after the other is held back for the last, which is whole."""
    added = used.add(used.pipelines.create(used.project.id, "busy").id, used.experiment("busy"))
    job, look = used.started(used.runs.trigger(added.id)), backup._find_saved
    spoils: list[threading.Thread] = []

    def replace_checkpoint() -> None:
        with used.store.write() as work:
            saved = work.checkpoints.of_runs([job.run_id])
            work.checkpoints.remove([each.id for each in saved])
        for each in saved:
            artifact_paths.remove(Path(each.path), used.store.artifacts)
        used.save(job, saved[-1].step + 1, 0.5)

    def look_and_spoil(copied: Path) -> dict[str, PublishedFolder]:
        found = look(copied)
        spoils.append(threading.Thread(target=replace_checkpoint))
        spoils[-1].start()
        spoils[-1].join(1.0)  # one that is held back goes on when the backup has ended
        return found

    used.save(job, 1, 0.5)
    monkeypatch.setattr(backup, "_find_saved", look_and_spoil)
    made = back_up(used.store, tmp_path / "monday")
    for each in spoils:
        each.join()
    assert check_whole(open_store(opened(made))) == 3
    assert check_whole(used.store) == 3
