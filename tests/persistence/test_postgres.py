"""On PostgreSQL a workspace keeps what it keeps on SQLite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from postgres import Server, database_of
from sqlalchemy import text

from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import SCRIPTS, migrate, revision
from pipeline_widgets.persistence.schema import HEAD, metadata

Opened = Callable[[Path | str], Database]


def move(database: Database, to: str) -> None:
    """Bring a database to a revision, up or down."""
    from alembic import command  # noqa: PLC0415  as `migrate` does

    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        now = revision(connection)
        (command.upgrade if now is None or now < to else command.downgrade)(config, to)


def test_the_tables_are_those_of_the_schema(opened: Opened, postgres_url: str) -> None:
    """What the migrations make on PostgreSQL is what the package reads and writes."""
    database = opened(postgres_url)
    migrate(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_database_of_0003_is_upgraded_and_taken_back(opened: Opened, postgres_url: str) -> None:
    """Rows of an older version are there after the upgrade, and after the way back."""
    database = opened(postgres_url)
    move(database, "0003")
    with database.write() as connection:
        made = "INSERT INTO workspace (artifacts, beat_every, grace, revision) VALUES ('/a', 5, 60, 1)"
        connection.execute(text(made))
    migrate(database)
    with database.read() as connection:
        assert revision(connection) == HEAD
        assert len(str(connection.execute(text("SELECT identity FROM workspace")).scalar_one())) == 32
    move(database, "0003")
    with database.read() as connection:
        assert connection.execute(text("SELECT artifacts FROM workspace")).scalar_one() == "/a"
    migrate(database)


def test_a_server_is_restarted_between_two_uses(opened: Opened, postgres: Server, postgres_url: str) -> None:
    """Connections that a restart or an administrator has cut are replaced without a word."""
    database = opened(postgres_url)
    migrate(database)
    postgres.restart()
    with database.read() as connection:
        assert revision(connection) == HEAD
    assert postgres.drop_connections(database_of(postgres_url)) == 1
    with database.write() as connection:
        assert revision(connection) == HEAD


def test_codes_are_taken_from_the_sentences_of_0004(opened: Opened, postgres_url: str) -> None:
    """A column tells an undo from an edit, and its sentence bears no mark; the way back puts it there."""
    database = opened(postgres_url)
    move(database, "0004")
    with database.write() as connection:
        project = (
            "INSERT INTO projects (name, advanced_training, created_at, revision) VALUES ('p', true, 0, 1)"
        )
        connection.execute(text(project))
        event = text(
            "INSERT INTO events (project_id, at, who, what, version) VALUES (1, 0, 'me', :what, :version)"
        )
        for what, version in (("Created.", None), ("Renamed.", 2), ("Undone: Renamed.", 3)):
            connection.execute(event, {"what": what, "version": version})
    migrate(database)
    told = text("SELECT kind, what FROM events ORDER BY id")
    with database.read() as connection:
        rows = [tuple(row) for row in connection.execute(told)]
    assert rows == [("created", "Created."), ("edited", "Renamed."), ("undone", "Renamed.")]
    move(database, "0004")
    with database.read() as connection:
        sentences = connection.scalars(text("SELECT what FROM events ORDER BY id")).all()
    assert sentences == ["Created.", "Renamed.", "Undone: Renamed."]
