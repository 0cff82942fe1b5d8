"""Folders and files that may not be written (root may write everything, so it becomes somebody else)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from factories.lab import a_folder, open_lab

from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import open_store

NOBODY = 65534

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that an unprivileged user owns, with a workspace in it, and what that user trusts."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(path / "data"))
        open_lab(path).store.database.close()  # and what is imported on first use is imported now
        for each in (path, *path.rglob("*")):
            if os.geteuid() == 0:
                os.chown(each, NOBODY, NOBODY)
        yield path


@contextmanager
def unprivileged() -> Generator[None]:
    """Be a user whom permissions stop."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def read_only(*paths: Path) -> Generator[None]:
    """Take the right to write away."""
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(modes[path] & ~0o222)
    try:
        with unprivileged():
            yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def test_a_new_database_in_a_read_only_folder_is_refused(folder: Path) -> None:
    """The error says that the file cannot be opened and to look at the folder's rights."""
    with read_only(folder):
        database = Database(f"sqlite:///{folder / 'new.db'}")
        with pytest.raises(StorageError, match=r"cannot be opened. Check that the folder exists and can be"):
            open_store(database)
        database.close()
    assert not (folder / "new.db").exists()


def test_a_new_folder_below_a_read_only_one_is_refused(folder: Path) -> None:
    """A folder that cannot be made is told with the system's reason."""
    with read_only(folder), pytest.raises(StorageError, match=r"cannot be written. Permission denied"):
        Database(f"sqlite:///{folder / 'sub' / 'new.db'}")


def _write(database: Database) -> None:
    with open_store(database).write() as work:
        work.projects.add("p", advanced_training=False)


@pytest.mark.parametrize("also_folder", [True, False])
def test_writing_to_a_read_only_file_is_refused_and_changes_nothing(folder: Path, also_folder: bool) -> None:  # noqa: FBT001
    """A workspace that may only be read refuses a write in words, and is as it was afterwards."""
    path = folder / "lab.db"
    before = path.read_bytes()
    with read_only(path, *([folder] if also_folder else [])):
        database = Database(f"sqlite:///{path}")
        with pytest.raises(StorageError, match=r"read-only|cannot be opened"):
            _write(database)
        database.close()
    assert path.read_bytes() == before


def test_a_checkpoint_in_a_read_only_folder_is_refused(folder: Path) -> None:
    """Artifacts that may not be written are told with the folder and the system's reason."""
    artifacts = folder / "lab-artifacts"
    with (
        read_only(artifacts),
        pytest.raises(StorageError, match=r"runs cannot be written. Permission denied"),
    ):
        a_folder(artifacts / "runs", "x", "x")


def test_a_read_only_artifact_folder_does_not_hinder_reading(folder: Path) -> None:
    """A workspace whose files may only be read still opens, and lists what there is."""
    with read_only(folder / "lab-artifacts"):
        store = open_store(Database(f"sqlite:///{folder / 'lab.db'}"))
        with store.read() as work:
            assert [project.name for project in work.projects.all()] == ["Letters"]
        store.database.close()
