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
