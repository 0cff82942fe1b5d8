"""Bring a database to the tables that this version knows; from the first table on by Alembic."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.schema import HEAD

VERSION_TABLE = "alembic_version"
SCRIPTS = Path(__file__).with_name("migrations")
LARGE = 100_000_000  # bytes from which on an upgrade takes more than some seconds

_log = logging.getLogger(__name__)

#: Alembic keeps what it works on in its modules: two threads that migrate, even two databases, mix them up.
_alembic = threading.Lock()


def _after_fork() -> None:
    global _alembic  # noqa: PLW0603  a thread that holds it is not in this process
    _alembic = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def migrate(database: Database) -> None:
    """Create or upgrade the tables, in one transaction: another process sees all of it or nothing.

    Raises:
        StorageError: The database was made by a newer version, or is not one of ours.
    """
    with database.read() as connection:
        if revision(connection) == HEAD:
            return
    with _alembic, database.write() as connection:
        current = revision(connection)
        if current == HEAD:  # somebody else was faster
            return
        _check(current, connection)
        if current is not None and (size := _size(database, connection)) >= LARGE:
            said = "%s was made by an older version and is upgraded, once. Its %d MB can take minutes."
            _log.warning(said, database.name, size / 1e6)
        _upgrade(connection)


def revision(connection: Connection) -> str | None:
    """Return the revision that a database is at; None for an empty one."""
    if not _has_tables(connection, VERSION_TABLE, schema.workspace.name):
        return None  # also another program's database that Alembic migrates
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608


def _has_tables(connection: Connection, *names: str) -> bool:
    """Return whether all these tables are there: one statement, since whoever opens a workspace asks."""
    own = f"IN ({', '.join(repr(name) for name in names)})"
    match connection.dialect.name:
        case "sqlite":
            found = f"sqlite_master WHERE type = 'table' AND name {own}"
        case "postgresql":  # not to_regclass: it may answer by what it knew before the lock was taken
            visible = f"relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(oid) AND relname {own}"
            found = f"pg_catalog.pg_class WHERE {visible}"
        case _:
            return all(map(inspect(connection).has_table, names))
    return connection.exec_driver_sql(f"SELECT count(*) FROM {found}").scalar() == len(names)  # noqa: S608


def _size(database: Database, connection: Connection) -> int:
    """Return the bytes of a database."""
    if database.path is not None:
        return database.path.stat().st_size
    return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _check(current: str | None, connection: Connection) -> None:
    if current is None and inspect(connection).get_table_names():
        why = "It holds tables that pipeline_widgets did not make."
        raise StorageError("This database is not a workspace.", why, "Choose another database.")
    known = {path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("*_*.py")}
    if current is not None and current not in known:
        why = f"Its tables are at revision {current}, this version knows up to {HEAD}."
        fix = "Upgrade with `pip install -U pipeline-widgets`."
        raise StorageError("The database was made by a newer version.", why, fix)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  0.2 s that only a new or old database pays
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
