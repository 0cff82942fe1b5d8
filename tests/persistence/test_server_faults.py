"""What a PostgreSQL server refuses for a while is told as such, and nothing is half written."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from postgres import Server, database_of
from sqlalchemy import text

from pipeline_widgets.errors import DataRefusedError, StorageError
from pipeline_widgets.persistence import postgresql
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import revision
from pipeline_widgets.persistence.schema import HEAD
from pipeline_widgets.persistence.store import Store, open_store

Opened = Callable[[Path | str], Database]

MAKERS = 8

pytestmark = pytest.mark.spec("11.1")


@pytest.fixture
def store(opened: Opened, postgres_url: str, tmp_path: Path) -> Store:
    """A workspace on the server."""
    return open_store(opened(postgres_url), tmp_path / "files")


def projects(store: Store) -> list[str]:
    """Return the names of the projects."""
    with store.read() as work:
        return [each.name for each in work.projects.all()]


def test_eight_processes_make_one_schema_and_one_workspace(
    opened: Opened, postgres_url: str, tmp_path: Path
) -> None:
    """Processes that open a new database at the same moment all find the workspace that one has made."""
    gate = tmp_path / "go"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pipeline_widgets.persistence.database import Database\n"
        "from pipeline_widgets.persistence.store import open_store\n"
        "print('ready', flush=True)\n"
        "while not Path(sys.argv[3]).exists(): time.sleep(0.005)\n"
        "store = open_store(Database(sys.argv[1]), sys.argv[2])\n"
        "print(store.database.identity)\n"
        "store.database.close()\n"
    )
    command = [sys.executable, "-c", code, postgres_url, str(tmp_path / "files"), str(gate)]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(MAKERS)]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    gate.touch()
    told = [maker.communicate(timeout=240)[0] for maker in makers]
    assert [maker.returncode for maker in makers] == [0] * MAKERS
    assert len(set(told)) == 1
    with opened(postgres_url).read() as connection:
        assert revision(connection) == HEAD
        assert connection.execute(text("SELECT count(*) FROM workspace")).scalar_one() == 1


@pytest.mark.parametrize(
    ("setting", "wait", "told"),
    [
        ("statement_timeout = '150ms'", "SELECT pg_sleep(5)", "The statement took too long"),
        ("statement_timeout = 0", None, "left open for too long|The server has cut the connection"),
    ],
    ids=["statement", "idle in a transaction"],
)
def test_a_time_out_of_the_server_undoes_the_whole_transaction(
    store: Store,
    postgres: Server,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    setting: str,
    wait: str | None,
    told: str,
) -> None:
    """The error says what happened and what to do, no row is left, and the next transaction works."""
    postgres.ask(f"ALTER DATABASE {database_of(postgres_url)} SET {setting}")
    store.database.close()
    monkeypatch.setattr(postgresql, "SUSPENDED_TIMEOUT", 0.3)
    with pytest.raises(StorageError, match=told) as caught, store.write() as work:  # noqa: PT012
        work.projects.add("lost", advanced_training=True)
        if wait is None:
            time.sleep(1.5)
        else:
            work.connection.execute(text(wait))
        work.projects.add("lost as well", advanced_training=True)
    assert not isinstance(caught.value, DataRefusedError)
    assert caught.value.fix
    with store.write() as work:
        work.projects.add("kept", advanced_training=True)
    assert projects(store) == ["kept"]


def test_a_table_that_somebody_has_locked_is_told_after_the_time_out(
    opened: Opened, store: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock of an administrator's holds up nobody for ever."""
    monkeypatch.setattr("pipeline_widgets.persistence.database.LOCK_TIMEOUT", 0.2)
    short = open_store(opened(postgres_url))
    with store.database.read() as held:
        held.execute(text("LOCK TABLE projects IN SHARE MODE"))
        with pytest.raises(StorageError, match="Another process holds its lock"), short.write() as work:
            work.projects.add("lost", advanced_training=True)
    assert projects(short) == []


def test_a_server_that_is_read_only_can_be_read(
    opened: Opened, store: Store, postgres: Server, postgres_url: str
) -> None:
    """As on a standby, opening and looking work; a write says that it is read-only, and changes nothing."""
    with store.write() as work:
        work.projects.add("there", advanced_training=True)
    postgres.ask(f"ALTER DATABASE {database_of(postgres_url)} SET default_transaction_read_only = on")
    again = open_store(opened(postgres_url))
    assert projects(again) == ["there"]
    with pytest.raises(StorageError, match="It is read-only now"), again.write() as work:
        work.projects.add("lost", advanced_training=True)
    assert projects(again) == ["there"]
    postgres.ask(f"ALTER DATABASE {database_of(postgres_url)} RESET default_transaction_read_only")
    again.database.close()
    with again.write() as work:
        work.projects.add("here", advanced_training=True)
    assert projects(again) == ["there", "here"]


def test_a_search_knows_the_case_of_every_alphabet_whatever_the_locale(store: Store) -> None:
    """The server of these tests has the locale C, whose lower() knows a to z only."""
    from pipeline_widgets.persistence.repositories.search import contains_text  # noqa: PLC0415  of one test
    from pipeline_widgets.persistence.schema import projects as table  # noqa: PLC0415  as above

    with store.write() as work:
        for name in ("Größe (1)", "ΔE", "a.b", "a_b"):
            work.projects.add(name, advanced_training=False)
    found: dict[str, list[str]] = {}
    with store.read() as work:
        for asked in ("GRÖß", "δe", "(1)", "a.b", "A_", "[", "\\"):
            matching = contains_text(work.connection, asked, table.c.name)
            rows = work.connection.execute(table.select().where(matching))
            found[asked] = [row.name for row in rows]
    assert found == {
        "GRÖß": ["Größe (1)"],
        "δe": ["ΔE"],
        "(1)": ["Größe (1)"],
        "a.b": ["a.b"],
        "A_": ["a_b"],
        "[": [],
        "\\": [],
    }
