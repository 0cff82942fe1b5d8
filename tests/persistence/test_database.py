"""One transaction for each use case: whole or not at all, and none lost (on real SQLite files)."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from pipeline_widgets.errors import ConflictError, StorageError
from pipeline_widgets.persistence import database as database_module
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.database import Database, absolute
from pipeline_widgets.persistence.store import open_store

PROCESSES, INCREMENTS = 8, 100


def pragma(database: Database, name: str) -> Any:
    """Ask SQLite for a setting of a connection as the package opens it."""
    with database.read() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_the_settings_that_keep_data_are_really_on(database: Database) -> None:
    """Write-ahead log, a flush with each commit and foreign keys hold on the connection itself."""
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 2  # FULL
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == 30_000


def test_a_network_folder_gets_no_write_ahead_log(
    opened: Callable[[Path | str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder is on another machine the journal is a plain one, as WAL does not work there."""
    monkeypatch.setattr(filesystem, "is_network", bool)  # every folder
    assert pragma(opened(tmp_path / "lab.db"), "journal_mode") == "delete"


def test_case_23_a_database_with_a_log_is_switched_back(
    opened: Callable[[Path | str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was made elsewhere with a write-ahead log gets a plain journal on a foreign mount."""
    path = tmp_path / "lab.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x TEXT)")
    connection.close()
    monkeypatch.setattr(filesystem, "is_network", bool)  # every folder
    assert pragma(opened(path), "journal_mode") == "delete"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_write_is_done_wholly_or_not_at_all(database: Database) -> None:
    """An exception in the block undoes all that the block wrote."""
    with database.write() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
    with pytest.raises(RuntimeError), database.write() as connection:  # noqa: PT012
        connection.execute(text("INSERT INTO t VALUES (1)"))
        raise RuntimeError
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0


def test_a_writer_holds_the_lock_from_the_start(
    opened: Callable[[Path | str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a write transaction has read is still so when it writes: no other can begin meanwhile."""
    monkeypatch.setattr(database_module, "LOCK_TIMEOUT", 0.01)
    first, second = opened(tmp_path / "lab.db"), opened(tmp_path / "lab.db")
    with first.write() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(StorageError, match="Another process holds its lock"), second.write():
            pass
        with second.read():
            pass  # readers are not held up


def test_a_reader_sees_one_consistent_state(opened: Callable[[Path | str], Database], tmp_path: Path) -> None:
    """What another process commits while one reads does not show in the same read."""
    reader, writer = opened(tmp_path / "lab.db"), opened(tmp_path / "lab.db")
    with writer.write() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
    count = text("SELECT count(*) FROM t")
    with reader.read() as reading:
        assert reading.execute(count).scalar() == 0
        with writer.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
        assert reading.execute(count).scalar() == 0
    with reader.read() as reading:
        assert reading.execute(count).scalar() == 1


def _touch(url: str, project_id: int, barrier: Any) -> None:
    store = open_store(Database(url))
    barrier.wait()
    for _ in range(INCREMENTS):
        with store.write() as work:
            work.projects.touch(project_id)
    store.database.close()


@pytest.mark.spec("6.2")
def test_concurrent_writers_lose_nothing(database: Database) -> None:
    """Eight processes raise a project's revision a hundred times each, and every one counts."""
    store = open_store(database)
    with store.write() as work:
        project = work.projects.add("p", advanced_training=True)
    before = store.changes.revision(project.id)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    writers = [
        context.Process(target=_touch, args=(database.url, project.id, barrier)) for _ in range(PROCESSES)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * PROCESSES
    assert store.changes.revision(project.id) == before + PROCESSES * INCREMENTS


def test_a_row_that_is_there_already_is_a_conflict(database: Database) -> None:
    """What a unique index refuses is told as a conflict, with nothing changed."""
    with database.write() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER UNIQUE)"))
        connection.execute(text("INSERT INTO t VALUES (1)"))
    with pytest.raises(ConflictError, match="nothing was changed"), database.write() as connection:  # noqa: PT012
        connection.execute(text("INSERT INTO t VALUES (2)"))
        connection.execute(text("INSERT INTO t VALUES (1)"))
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 1


def test_a_full_disk_is_told_and_leaves_what_was_committed(database: Database) -> None:
    """When the file cannot grow the error says so, and everything committed before is still there."""
    with database.write() as connection:
        connection.execute(text("CREATE TABLE t (x TEXT)"))
        connection.execute(text("INSERT INTO t VALUES ('kept')"))
    with (  # noqa: PT012
        pytest.raises(StorageError, match=r"The disk is full. Free some space"),
        database.write() as connection,
    ):
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        connection.execute(text("INSERT INTO t VALUES (hex(zeroblob(100000)))"))
    database.close()
    with database.read() as connection:
        assert connection.execute(text("SELECT x FROM t")).scalars().all() == ["kept"]


def test_a_file_that_is_no_database_is_refused(
    opened: Callable[[Path | str], Database], tmp_path: Path
) -> None:
    """A text file under the name of a database is told apart, and is left as it was."""
    path = tmp_path / "lab.db"
    path.write_text("not a database at all, but long enough for a header of SQLite" * 20)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="The file is not a SQLite database"), opened(path).read():
        pass
    assert path.read_bytes() == before


def test_a_damaged_file_is_told(opened: Callable[[Path | str], Database], tmp_path: Path) -> None:
    """A file whose pages are overwritten is damaged, and the error says what can be done."""
    path = tmp_path / "lab.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [("y" * 500,)] * 100)
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    damaged = pytest.raises(StorageError, match=r"The file is damaged. Restore a backup")
    with damaged, opened(path).read() as reading:
        reading.execute(text("SELECT * FROM t")).all()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    """Runs are other processes, which could not see it."""
    with pytest.raises(StorageError, match="A workspace needs a file"):
        Database(url)


@pytest.mark.parametrize("url", ["lab", "", "no scheme at all", "postgres"])
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    """A text that is neither a URL nor ends as SQLite files do is refused, and the error shows both."""
    with pytest.raises(StorageError, match=r"is not a database URL.*sqlite:///lab.db"):
        Database(url)


@pytest.mark.parametrize("url", ["nonsense://x/y", "oracle://u:secret@h/x"])
def test_a_missing_driver_is_refused_without_showing_the_password(url: str) -> None:
    """A database without a driver is told, and no password is."""
    with pytest.raises(StorageError, match="No driver for") as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_a_relative_path_means_one_file_in_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is made absolute when it is first seen."""
    monkeypatch.chdir(tmp_path)
    assert absolute("sqlite:///lab.db") == f"sqlite:///{tmp_path}/lab.db"
    assert absolute("sqlite:///sub/../lab.db") == f"sqlite:///{tmp_path}/lab.db"
    for named in ("lab.db", Path("lab.db"), tmp_path / "lab.db"):
        assert absolute(named) == f"sqlite:///{tmp_path}/lab.db"
    assert absolute(Path("lab")) == f"sqlite:///{tmp_path}/lab"
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("sqlite:///~/lab.db", "~/lab.db", Path("~/lab.db")):
        assert absolute(named) == f"sqlite:///{tmp_path}/lab.db"


@pytest.mark.skipif(find_spec("psycopg") is None, reason="needs the extra `postgres`")
def test_the_password_is_never_shown() -> None:
    """What is shown of a URL has no password; what processes are given has."""
    database = Database("postgresql+psycopg://me:secret@nowhere/lab")
    assert database.safe_url == "postgresql+psycopg://me:***@nowhere/lab"
    assert absolute(database.url).count("secret") == 1
    database.close()


@pytest.mark.parametrize("name", ["with space", "per%20cent", "hash#mark", "question?", "übung"])
def test_folders_may_have_any_name(
    opened: Callable[[Path | str], Database], tmp_path: Path, name: str
) -> None:
    """The database lands in the folder that was named, whatever characters are in its name."""
    folder = tmp_path / name
    open_store(opened(f"sqlite:///{quote(str(folder / 'lab.db'))}"))
    assert (folder / "lab.db").is_file()
    assert (folder / "lab-artifacts").is_dir()


def test_the_current_folder_may_have_any_name(
    opened: Callable[[Path | str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative URL lands in the current folder, though that folder's name would mean something in a URL."""
    folder = tmp_path / "100%25 sure?"
    folder.mkdir()
    monkeypatch.chdir(folder)
    again = opened(open_store(opened("sqlite:///lab.db")).database.url)
    open_store(again)
    assert sorted(path.name for path in folder.iterdir() if path.suffix in {"", ".db"}) == [
        "lab-artifacts",
        "lab.db",
    ]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_file_where_the_folder_should_be_is_refused(
    opened: Callable[[Path | str], Database], tmp_path: Path
) -> None:
    """A folder that cannot be made is told with the reason of the system."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written. (File exists|Not a directory)"):
        opened(tmp_path / "taken" / "lab.db")


def test_time_is_the_databases(opened: Callable[[Path | str], Database], tmp_path: Path) -> None:
    """A clock can be passed, so that no test waits."""
    told = Database(f"sqlite:///{tmp_path / 'lab.db'}", clock=lambda: 12.5)
    with told.read() as connection:
        assert told.now(connection) == 12.5
    told.close()
    real = opened(tmp_path / "lab.db")
    with real.read() as connection:
        assert real.now(connection) > 1.7e9


def test_a_closed_database_opens_again(database: Database) -> None:
    """Closing gives connections back; the next use opens new ones."""
    database.close()
    assert pragma(database, "foreign_keys") == 1


@pytest.mark.spec("8.3")
def test_a_new_database_is_its_users_own(opened: Callable[[Path | str], Database], tmp_path: Path) -> None:
    """Nobody else reads its files, or those that SQLite puts beside it; an older one keeps its rights."""
    with opened(tmp_path / "lab.db").write() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
        files = list(tmp_path.glob("lab.db*"))
        assert len(files) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    shared = tmp_path / "shared.db"
    shared.touch()
    shared.chmod(0o664)
    with opened(shared).read():
        assert stat.S_IMODE(shared.stat().st_mode) == 0o664
