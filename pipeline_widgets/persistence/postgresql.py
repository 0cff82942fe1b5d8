"""Use a PostgreSQL server with two connections at most, and one writer at a time.

Nothing is kept in a session, so that it works behind PgBouncer in transaction mode as well: time-outs and the
lock of writers are those of a transaction, and statements are not prepared by name.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from pipeline_widgets.persistence import json_text

CONNECT_TIMEOUT = 10  # seconds that a server has to answer
#: Seconds after which a server frees the locks of a process that was suspended within a transaction.
SUSPENDED_TIMEOUT = 60
WRITE_LOCK = 0x70775F77  # the number of the advisory lock that writers take; any will do
#: One connection for the writer of a process and one for its readers; one of them is closed after its use.
KEPT, MORE = 1, 1
#: The execution option that says what a transaction is for: to read, to write, or one statement by itself.
KIND = "pw_kind"
#: What `libpq` is told, so that a network that was cut is found within a minute.
NETWORK = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}

#: The database that every server has.
MAINTENANCE = "postgres"

_NOW = "pw_now"
_SUSPENDED = f"set_config('idle_in_transaction_session_timeout', '{SUSPENDED_TIMEOUT}s', true)"
_BEGIN_READ = f"SELECT extract(epoch FROM clock_timestamp()), {_SUSPENDED}"  # noqa: S608  of constants


def create_server_engine(url: URL, lock_timeout: float) -> Engine:
    """Return the engine of a database on a server.

    Args:
        url: Where it is.
        lock_timeout: Seconds that a transaction waits for a lock, and a thread for a connection.
    """
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=KEPT,
        max_overflow=MORE,
        pool_timeout=lock_timeout,
        json_serializer=json_text.dump_strict,
        json_deserializer=json_text.load_strict,
    )
    if engine.dialect.name != "postgresql":
        return engine

    def connect(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        if engine.dialect.driver in {"psycopg", "psycopg2"}:
            for name, value in NETWORK.items():
                options.setdefault(name, value)
        if engine.dialect.driver == "psycopg":
            options.setdefault("prepare_threshold", None)

    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get(KIND)
        if kind == "write":
            connection.exec_driver_sql(_begin_write(lock_timeout))
        elif kind == "read":  # with the time, which readers ask for anyway
            connection.info[_NOW] = float(connection.exec_driver_sql(_BEGIN_READ).scalar_one())

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "begin", begin)
    return engine


def time_of_read(connection: Connection) -> float | None:
    """Return the time at which a reading transaction began, on the server's clock; None for another one."""
    reads = connection.get_execution_options().get(KIND) == "read"
    return connection.info.get(_NOW) if reads else None


def is_dropped(url: URL) -> bool:
    """Return whether the server is there, and has no database of that name any more."""
    if url.get_backend_name() != "postgresql":
        return False
    engine = create_engine(url.set(database=MAINTENANCE), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            named = {"name": url.database}
            return connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), named) is None
    except SQLAlchemyError:
        return False  # nobody can tell, so it may come back


def _begin_write(lock_timeout: float) -> str:
    """Return what a writer begins with: one message, of which the server does one after the other."""
    return (
        f"SET LOCAL lock_timeout = {round(1000 * lock_timeout)};"
        f"SET LOCAL idle_in_transaction_session_timeout = '{SUSPENDED_TIMEOUT}s';"
        f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
    )
