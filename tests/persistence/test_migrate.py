"""A database is brought to the tables that this version knows, or refused."""

from __future__ import annotations

import math
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from factories.lab import Lab
from sqlalchemy import inspect, text

from pipeline_widgets.domain.endpoint import version_error
from pipeline_widgets.domain.history import Event, EventKind
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import SCRIPTS, VERSION_TABLE, migrate, revision
from pipeline_widgets.persistence.schema import HEAD, metadata
from pipeline_widgets.persistence.store import open_store
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.queries.overview import OverviewQueries


def tables(database: Database) -> set[str]:
    """Return the names of all tables."""
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def at(database: Database) -> str | None:
    """Return the revision of a database."""
    with database.read() as connection:
        return revision(connection)


def test_an_empty_database_gets_all_tables(database: Database) -> None:
    """A new workspace has every table, at the newest revision."""
    migrate(database)
    assert at(database) == HEAD
    assert tables(database) == {*metadata.tables, VERSION_TABLE}


def test_migrating_again_changes_nothing(database: Database) -> None:
    """A database that is up to date is left alone, down to its bytes."""
    migrate(database)
    database.close()
    path = Path(database.url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    migrate(database)
    database.close()
    assert path.read_bytes() == before


def test_the_head_is_the_last_migration() -> None:
    """The revision that the schema claims is the only head that Alembic finds."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrations_make_what_the_schema_says(database: Database) -> None:
    """Alembic finds no difference between a migrated database and the tables of the code."""
    migrate(database)
    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_the_indexes_of_the_migrations_are_those_of_the_schema(
    opened: Callable[[Path | str], Database], tmp_path: Path
) -> None:
    """Names, columns, uniqueness and conditions of all indexes agree, which Alembic does not compare."""
    migrated, made = opened(tmp_path / "migrated.db"), opened(tmp_path / "made.db")
    migrate(migrated)
    with made.write() as connection:
        metadata.create_all(connection)
    query = text("SELECT name, tbl_name, replace(sql, char(10), ' ') FROM sqlite_master WHERE type = 'index'")
    with migrated.read() as first, made.read() as second:
        ours = {tuple(row) for row in first.execute(query) if row[1] != VERSION_TABLE}
        assert ours == {tuple(row) for row in second.execute(query)}


def test_a_migration_can_be_undone(database: Database) -> None:
    """Downgrading leaves nothing of our tables behind."""
    from alembic import command  # noqa: PLC0415  only here

    migrate(database)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert tables(database) == {VERSION_TABLE}


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    """An unknown revision is refused with what to do, and nothing is written."""
    migrate(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"made by a newer version.*9999.*pip install -U pipeline-widgets"):
        migrate(database)
    assert at(database) == "9999"


def test_a_database_of_something_else_is_refused(database: Database) -> None:
    """A database that holds other tables is not touched."""
    with database.write() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    with pytest.raises(StorageError, match="This database is not a workspace"):
        migrate(database)
    assert tables(database) == {"invoices"}


def test_another_programs_migrations_are_not_taken_for_ours(database: Database) -> None:
    """A foreign database that happens to stand at a revision of the same name is refused too."""
    with database.write() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    with pytest.raises(StorageError, match="This database is not a workspace"):
        open_store(database)


def test_a_migration_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables come all or not at all: an interrupted migration leaves an empty database."""
    from alembic import command  # noqa: PLC0415  only here

    upgrade = command.upgrade

    def interrupted(*arguments: Any) -> None:
        upgrade(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        migrate(database)
    assert tables(database) == set()


def downgraded(database: Database, to: str) -> None:
    """Bring a database back to the tables of an older version."""
    from alembic import command  # noqa: PLC0415  only here

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, to)


def test_scores_and_makers_are_taken_from_what_is_there(lab: Lab) -> None:
    """A workspace of before knows afterwards the best scores of its runs, and which run made a version."""
    added = lab.add(lab.pipelines.create(lab.project.id, "p").id, lab.experiment("a"), auto_add_agent=True)
    trained = lab.do(added, 0.3, math.inf, 0.9, 0.5)
    lab.clock.forward(60)
    deployed = lab.do(lab.add_deployment(lab.pipelines.of_project(lab.project.id)[0].id))
    lab.clock.forward(60)
    lab.agents.create("by hand", lab.runs.checkpoints(trained.id)[0].id)
    downgraded(lab.store.database, "0002")
    migrate(lab.store.database)
    assert at(lab.store.database) == HEAD
    assert [each.current.run_id for each in lab.agents.all()] == [trained.id, deployed.id, None]
    (row,) = OverviewQueries(lab.store).results(lab.project.id, [trained.experiment_id or 0])
    assert (row.evaluation_score, row.training_score) == (0.9, None)


def codeless(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return events without the codes of what they changed, which former versions did not keep."""
    return tuple(replace(event, changes=None) for event in events)


def test_codes_are_taken_from_the_sentences_of_before(lab: Lab) -> None:
    """Kinds of events, an edit that can be done again, and the version that an endpoint could not serve."""
    history = HistoryService(lab.store)
    made = lab.pipeline("SFT")
    lab.pipelines.update(made.id, name="renamed")
    history.undo(made.id)
    lab.do(made.stages[0], 0.5)
    other = lab.pipelines.duplicate(made.id)
    agent = lab.agents.create("a", lab.runs.checkpoints(lab.runs.of_stage(made.stages[0].id)[-1].id)[0].id)
    with lab.store.write() as work:
        work.endpoints.request(agent.id, host="127.0.0.1", error=version_error(12, 1, "RuntimeError: no."))
    before = [codeless(history.events(key)) for key in (made.id, other.id)]
    downgraded(lab.store.database, "0004")
    with lab.store.database.read() as connection:
        sentences = connection.scalars(text("SELECT what FROM events ORDER BY id")).all()
    assert sentences[2:4] == [
        "Renamed from 'chain' to 'renamed'.",
        "Undone: Renamed from 'chain' to 'renamed'.",
    ]
    migrate(lab.store.database)
    assert [history.events(key) for key in (made.id, other.id)] == before
    assert history.events(made.id)[3].what == "Undone: Renamed from 'chain' to 'renamed'."
    assert {event.kind for events in before for event in events} == {
        EventKind.CREATED,
        EventKind.EDITED,
        EventKind.UNDONE,
        EventKind.RAN,
    }
    endpoint = lab.agents.get(agent.id).endpoint
    assert endpoint is not None
    assert endpoint.refused_version == 12
    assert (lab.agents.get(agent.id).version, lab.experiments.get(1).version) == (1, 1)
    assert history.redo(made.id).pipeline.name == "renamed"
    assert history.events(made.id)[-1].what == "Name restored (redo)"


def _open(url: str, barrier: Any) -> None:
    barrier.wait()
    store = open_store(Database(url))
    with store.write() as work:
        work.projects.all()
    store.database.close()


def test_several_processes_may_create_a_workspace_at_once(tmp_path: Path) -> None:
    """Four processes that open the same new workspace all succeed, and it is founded once."""
    context = multiprocessing.get_context("spawn")
    for attempt in range(1):
        path = tmp_path / f"{attempt}.db"
        barrier = context.Barrier(4)
        url = f"sqlite:///{path}"
        openers = [context.Process(target=_open, args=(url, barrier)) for _ in range(4)]
        for opener in openers:
            opener.start()
        for opener in openers:
            opener.join()
        assert [opener.exitcode for opener in openers] == [0] * 4
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT count(*) FROM workspace").fetchone() == (1,)
        connection.close()


def test_an_upgrade_that_can_take_minutes_is_said_before(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the size of the database; a small one is upgraded without a word."""
    downgraded(lab.store.database, "0010")
    migrate(lab.store.database)
    assert not caplog.messages
    downgraded(lab.store.database, "0010")
    monkeypatch.setattr("pipeline_widgets.persistence.migrate.LARGE", 1)
    migrate(lab.store.database)
    (said,) = caplog.messages
    assert "was made by an older version and is upgraded, once." in said
    assert lab.store.database.name in said
