"""A workspace moves from SQLite to PostgreSQL and back, whole, or not at all."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab, open_lab
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    Table,
    delete,
    insert,
    select,
    update,
)

from pipeline_widgets.__main__ import main
from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.errors import DataRefusedError, PipelineError, RuleError, StorageError
from pipeline_widgets.persistence import row_copy, schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import migrate
from pipeline_widgets.persistence.row_copy import find_rows
from pipeline_widgets.persistence.schema import metadata
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.persistence.workspace_copy import copy_workspace

Opened = Callable[[Path | str], Database]
Rows = dict[str, list[tuple[Any, ...]]]

FIXED: Mapping[tuple[str, str], object] = {
    ("stages", "kind"): "deployment",
    ("runs", "status"): "Succeeded",
    ("agents", "status"): AgentStatus.UNDEPLOYED.value,
    ("workspace", "remote"): None,
}
MEGABYTE = 1_000_000

pytestmark = pytest.mark.spec("11.1")


@pytest.fixture
def full(tmp_path: Path) -> Lab:
    """A workspace with three rows of every table, each column filled, and one row of each deleted."""
    lab = open_lab(tmp_path / "original")
    run = lab.do(lab.pipeline("SFT").stages[0], 0.5, 0.7)
    lab.agents.create("agent", lab.runs.checkpoints(run.id)[0].id)
    lab.store.log_path(run.id).write_text("it trained")
    with lab.store.write() as work:
        for table in metadata.sorted_tables:
            if table is schema.workspace:
                continue
            for number in (1, 2, 3):
                work.connection.execute(insert(table).values(_row(table, number, work.connection)))
            (key,) = table.primary_key.columns
            last = select(key).order_by(key.desc()).limit(1)
            work.connection.execute(delete(table).where(key == work.connection.scalar(last)))
    lab.store.trust.grant()
    return lab


def _row(table: Table, number: int, connection: Any) -> dict[str, Any]:
    """Return a row with a value in every column that the database does not give."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if (table.name, column.name) in FIXED:
            row[column.name] = FIXED[table.name, column.name]
        elif column.foreign_keys:
            (reference,) = column.foreign_keys
            row[column.name] = connection.scalar(select(reference.column).limit(1).order_by(reference.column))
        elif not (column.primary_key and isinstance(column.type, Integer)):
            row[column.name] = _value(column, number)
    if table is schema.notices or table is schema.endpoints:
        parent = schema.notifications if table is schema.notices else schema.agents
        keys = connection.scalars(select(parent.c.id).order_by(parent.c.id)).all()
        row["notification_id" if table is schema.notices else "agent_id"] = keys[(number - 1) % len(keys)]
        if table is schema.notices:
            row["event"] = f"e{number}"
    return row


def _value(column: Column[Any], number: int) -> object:
    if isinstance(column.type, JSON):
        return {
            "b": [1, None, True, math.nan, -math.inf, {"$float": "x"}],
            "a": "Größe \U0001f600",
            "": number,
        }
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, LargeBinary):
        return bytes(range(256)) * number
    if isinstance(column.type, Float) and not column.name.endswith("_at"):
        return (0.1 + number, math.inf, 5e-324)[number - 1]
    if isinstance(column.type, Float):
        return 1.5e9 + number / 3
    if isinstance(column.type, Integer):
        return 2**40 + number if column.type is schema.LONG else 1_000 + number
    return f"ß\U0001f600{column.name}{number}"[: getattr(column.type, "length", None) or 100]


def rows(store: Store | Database) -> Rows:
    """Return all rows of all tables."""
    database = store if isinstance(store, Database) else store.database
    with database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


def comparable(found: Rows) -> str:
    """Return rows as a text, in which NaN equals itself."""
    return repr(found)


def without(found: Rows, *columns: str) -> Rows:
    """Return rows without the columns of the workspace that say where it is."""
    places = [at for at, column in enumerate(schema.workspace.columns) if column.name in columns]
    own = [
        tuple(None if at in places else value for at, value in enumerate(row)) for row in found["workspace"]
    ]
    return {**found, "workspace": own}


def test_a_move_to_postgresql_and_back_changes_nothing(
    full: Lab, opened: Opened, postgres_url: str, tmp_path: Path
) -> None:
    """Every row of every table is equal after both ways; keys of deleted rows are given to nobody."""
    before, folder = rows(full.store), full.store.artifacts
    assert all(before.values())
    there = copy_workspace(full.store, postgres_url, move=True)
    server = open_store(opened(postgres_url))
    moved = rows(server)
    assert comparable(without(moved, "artifacts", "place")) == comparable(
        without(before, "artifacts", "place")
    )
    back = copy_workspace(server, tmp_path / "original" / "back.db", move=True)
    again = open_store(opened(tmp_path / "original" / "back.db"))
    after = rows(again)
    assert comparable(without(after, "place")) == comparable(without(before, "place"))
    assert there.rows == back.rows == {name: len(found) for name, found in before.items()}
    assert (again.artifacts, again.trust.reason) == (folder, None)
    with again.write() as work:
        new = work.projects.add("new", advanced_training=True)
    assert new.id == max(row[0] for row in before["projects"]) + 2


def test_the_old_database_of_a_move_is_refused(full: Lab, opened: Opened, postgres_url: str) -> None:
    """It says whose the folder is by now; the new one is trusted, and its checkpoints are there."""
    path = full.store.database.path
    assert path is not None
    copy_workspace(full.store, postgres_url, move=True)
    with pytest.raises(StorageError, match=r"It belongs to the workspace postgresql\+psycopg://"):
        open_store(opened(path))
    with pytest.raises(StorageError, match="It was moved to postgresql"):
        full.projects.all()
    moved = open_store(opened(postgres_url))
    assert moved.trust.reason is None
    with moved.read() as work:
        assert all(Path(each.path).is_dir() for each in work.checkpoints.of_runs([1])[:2])


@pytest.mark.parametrize("back", [False, True])
def test_a_copy_is_a_workspace_of_its_own(
    full: Lab,
    opened: Opened,
    postgres_url: str,
    tmp_path: Path,
    back: bool,  # noqa: FBT001
) -> None:
    """It has an identity and a folder of its own, is trusted as the original is, and has no agent's key."""
    copy_workspace(full.store, postgres_url, tmp_path / "files")
    copied = open_store(opened(postgres_url))
    if back:
        copy_workspace(copied, tmp_path / "second.db")
        copied = open_store(opened(tmp_path / "second.db"))
    before, after = rows(full.store), rows(copied)
    changing = {"workspace", "endpoints", "notices"}
    assert comparable({name: after[name] for name in after.keys() - changing}) == comparable(
        {name: before[name] for name in after.keys() - changing}
    )
    assert copied.database.identity != full.store.database.identity
    assert copied.artifacts == tmp_path / ("second-artifacts" if back else "files")
    assert copied.trust.reason is None
    with copied.read() as work:
        saved = work.checkpoints.of_runs([1])[:2]
        assert [Path(each.path).is_relative_to(copied.artifacts) for each in saved] == [True, True]
        assert all((Path(each.path) / "weights.txt").exists() for each in saved)
        endpoints = work.connection.execute(select(schema.endpoints.c.key_digest, schema.endpoints.c.token))
        assert set(endpoints) == {(None, None)}
    assert copied.log_path(1).read_text() == "it trained"
    open_store(opened(str(full.store.database.url))).database.close()  # the original is what it was


def test_a_copy_that_is_killed_leaves_an_empty_database(
    full: Lab, opened: Opened, postgres_url: str, tmp_path: Path
) -> None:
    """SIGKILL after all rows were written and before they are committed; the next attempt succeeds."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline_widgets.persistence import row_copy, workspace_copy\n"
        "from pipeline_widgets.persistence.database import Database\n"
        "from pipeline_widgets.persistence.store import open_store\n"
        "row_copy._write_counters = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store = open_store(Database(sys.argv[1]))\n"
        "workspace_copy.copy_workspace(store, sys.argv[2], Path(sys.argv[3]))\n"
    )
    source = str(full.store.database.url)
    for target in (postgres_url, f"sqlite:///{tmp_path}/copy.db"):
        folder = tmp_path / f"files of {target.partition(':')[0]}"
        command = [sys.executable, "-c", code, source, target, str(folder)]
        assert subprocess.run(command, check=False, timeout=200).returncode == -signal.SIGKILL
        with opened(target).read() as connection:
            assert find_rows(connection) is None
        assert not folder.exists()
        copy_workspace(full.store, target, folder)
        assert open_store(opened(target)).artifacts == folder


def _too_large(lab: Lab) -> None:
    with lab.store.write() as work:
        work.connection.execute(update(schema.pipelines).values(version=2**40))


def _too_long(lab: Lab) -> None:
    with lab.store.write() as work:
        work.connection.execute(
            update(schema.projects).where(schema.projects.c.id == 1).values(name="n" * 300)
        )


def _with_nul(lab: Lab) -> None:
    lab.store.database.close()
    with closing(sqlite3.connect(str(lab.store.database.path))) as connection, connection:
        connection.execute("UPDATE pipelines SET description = 'a' || char(0) || 'b'")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_too_large, "integer out of range"),
        (_too_long, "value too long"),
        (_with_nul, "Row 1 of the table 'pipelines' cannot be copied. Its description holds a NUL"),
    ],
)
def test_a_value_that_the_target_cannot_store_is_named(
    opened: Opened, postgres_url: str, tmp_path: Path, spoil: Callable[[Lab], None], told: str
) -> None:
    """Nothing is copied then: no row, no folder."""
    lab = open_lab(tmp_path / "original")
    lab.pipeline("SFT")
    spoil(lab)
    with pytest.raises(DataRefusedError, match=told):
        copy_workspace(lab.store, postgres_url, tmp_path / "files")
    with opened(postgres_url).read() as connection:
        assert find_rows(connection) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["original"]


def test_a_row_that_changes_on_its_way_is_found(
    full: Lab, opened: Opened, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest of what was written is compared before it is committed."""
    whole = row_copy._write_counters

    def spoil(connection: Any, counters: Any) -> None:
        whole(connection, counters)
        connection.execute(update(schema.metric_blocks).values(data=b"another"))

    monkeypatch.setattr(row_copy, "_write_counters", spoil)
    with pytest.raises(StorageError, match="The copy of the table 'metric_blocks' is not the same"):
        copy_workspace(full.store, postgres_url, tmp_path / "files")
    with opened(postgres_url).read() as connection:
        assert find_rows(connection) is None


def _active(lab: Lab) -> None:
    lab.runs.trigger(lab.pipeline("SFT").stages[0].id)


def _connected(lab: Lab) -> None:
    run = lab.do(lab.pipeline("SFT").stages[0], 0.5)
    lab.agents.create("agent", lab.runs.checkpoints(run.id)[0].id)
    with lab.store.write() as work:
        work.connection.execute(update(schema.agents).values(status="Deployed"))


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize(
    ("prepare", "told"),
    [(_active, "1 runs of the workspace are active"), (_connected, "Agents are connected")],
)
def test_a_workspace_at_work_is_not_copied(
    tmp_path: Path,
    prepare: Callable[[Lab], None],
    told: str,
    *,
    move: bool,
) -> None:
    """Its processes write to the database that it has; nothing is made."""
    lab = open_lab(tmp_path)
    prepare(lab)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RuleError, match=told):
        copy_workspace(lab.store, tmp_path / "copy.db", move=move)
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_there_is_not_written_over(
    full: Lab, opened: Opened, postgres_url: str, tmp_path: Path
) -> None:
    """A workspace, another program's tables, a folder, and the workspace itself are refused as a target."""
    other = open_lab(tmp_path / "other")
    (tmp_path / "taken").mkdir()
    (tmp_path / "file.db").write_text("this is no database, but a text of somebody's")
    with opened(tmp_path / "theirs.db").write() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (id INTEGER)")
    own, theirs = str(full.store.database.url), str(other.store.database.url)
    for target, artifacts, told in (
        (own, None, "cannot be copied into itself"),
        (theirs, None, "is not empty"),
        (tmp_path / "theirs.db", None, "This database is not a workspace"),
        (tmp_path / "file.db", None, "is not a SQLite database"),
        (postgres_url, None, "needs an artifact folder"),
        (postgres_url, tmp_path / "taken", "taken already exists"),
    ):
        with pytest.raises(StorageError, match=told):
            copy_workspace(full.store, target, artifacts)
    assert other.project.name == "Letters"
    database = opened(postgres_url)
    migrate(database)
    with database.read() as connection:
        assert find_rows(connection) is None


def test_memory_is_bounded_however_large_the_rows_are(tmp_path: Path, postgres_url: str) -> None:
    """60 MB of sources are copied within 30 MB."""
    lab = open_lab(tmp_path / "original")
    with lab.store.write() as work:
        for at in range(30):
            content = f"{at}" + "x" * (2 * MEGABYTE)
            work.connection.execute(insert(schema.sources).values(digest=f"{at:064}", text=content))
    tracemalloc.start()
    copied = copy_workspace(lab.store, postgres_url, tmp_path / "files")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert copied.rows["sources"] == 30
    assert peak < 30 * MEGABYTE


def test_the_command_says_what_was_copied(
    full: Lab, opened: Opened, postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pipeline-widgets copy SOURCE TARGET` prints the rows of each table, the digest, and where it is."""
    source = str(full.store.database.path)
    full.store.database.close()
    assert main(["copy", source, postgres_url, "--artifacts", str(tmp_path / "files")]) == 0
    printed = capsys.readouterr().out
    assert "2 metric_blocks" in printed
    assert f"Its artifacts are in {tmp_path / 'files'}" in printed
    assert main(["copy", source, postgres_url, "--move"]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main(["copy", str(tmp_path / "none.db"), postgres_url]) == 1
    assert not os.path.lexists(tmp_path / "none.db")


def test_an_untrusted_workspace_is_copied_untrusted_and_not_moved(
    full: Lab, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of what somebody else has made runs nothing of it either."""
    full.store.database.close()
    monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(tmp_path / "somebody else's"))
    foreign = open_store(opened(str(full.store.database.url)))
    with pytest.raises(PipelineError, match="open for reading only"):
        copy_workspace(foreign, tmp_path / "moved.db", move=True)
    copy_workspace(foreign, tmp_path / "copy.db")
    assert open_store(opened(tmp_path / "copy.db")).trust.reason is not None
