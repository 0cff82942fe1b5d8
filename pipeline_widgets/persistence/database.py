"""One transaction for each use case, on SQLite or PostgreSQL.

SQLite: writes take `BEGIN IMMEDIATE`, so that what a transaction read is still so when it writes; with
the default deferred transaction concurrent updates are lost. WAL lets readers read meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from pipeline_widgets.errors import ConflictError, StorageError
from pipeline_widgets.persistence import filesystem

SQLITE_ENDINGS = (".db", ".sqlite", ".sqlite3")
LOCK_TIMEOUT = 30.0  # seconds that a writer waits for another; SQLite's queue is not fair

_EXPLAINED = (
    ("full", "The disk is full.", "Free some space and try again; what was committed is intact."),
    ("readonly", "It is read-only.", "Give yourself the right to write the file and its folder."),
    ("unable to open", "It cannot be opened.", "Check that the folder exists and can be written."),
    ("locked", "Another process holds its lock.", "Try again; end the process that hangs in it."),
    ("malformed", "The file is damaged.", "Restore a backup; `sqlite3 FILE .recover` saves what it can."),
    ("not a database", "The file is not a SQLite database.", "Choose another file."),
    ("disk i/o", "The disk gave an error.", "Check the disk and the folder, then try again."),
)


class Database:
    """The transactions of one workspace.

    Args:
        url: Any SQLAlchemy URL, or the path of a SQLite file; a relative one is of the current folder.
        clock: Seconds since 1970; for tests.

    Raises:
        StorageError: The URL is not understood.
    """

    def __init__(self, url: str | Path, *, clock: Callable[[], float] | None = None) -> None:
        self.url = absolute(url)
        self._clock = clock
        self._engine = _engine(self.url)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._writes = self._engine.execution_options(pw_writes=True)

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    @property
    def there(self) -> bool:
        """Whether its file is there still; what has it open would not see that it was deleted."""
        return not self.is_sqlite or Path(str(make_url(self.url).database)).exists()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """Yield a connection that sees one consistent state."""
        with explained(self.url), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """Yield a connection whose work is done wholly, or not at all."""
        with explained(self.url), self._writes.begin() as connection:
            yield connection

    def now(self, connection: Connection) -> float:
        """Return the time on the database's clock, so that two hosts' clocks are never compared."""
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return time.time()  # SQLite runs inside this process: the same clock, without a statement
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def absolute(url: str | Path) -> str:
    """Return the URL with a relative SQLite path made absolute, so that every process means one file.

    Args:
        url: A URL, or the path of a SQLite file: any Path, or a text that ends as those files do.

    Raises:
        StorageError: The URL is not understood.
    """
    if isinstance(url, Path) or ("://" not in url and url.endswith(SQLITE_ENDINGS)):
        url = URL.create("sqlite", database=str(url)).render_as_string()
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        fix = 'Write, say, "lab.db", "sqlite:///lab.db" or "postgresql+psycopg://user@host/lab".'
        raise StorageError(f"{url!r} is no database URL.", fix=fix) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            why = "Runs are processes of their own, and could not see a database in this one's memory."
            raise StorageError("A workspace needs a file.", why, 'Write, say, "lab.db".')
        parsed = parsed.set(database=str(Path(str(parsed.database)).expanduser().resolve()))
    return parsed.render_as_string(hide_password=False)


@contextmanager
def explained(url: str) -> Generator[None]:
    """Turn what the driver says into a StorageError that says what to do."""
    try:
        yield
    except IntegrityError as error:
        what = "Another process has written the same meanwhile, so nothing was changed."
        raise ConflictError(what, f"{error.orig}.", "Look again and repeat what you did.") from error
    except DBAPIError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        said = str(error.orig).lower()
        for needle, why, fix in _EXPLAINED:
            if needle in said:
                raise StorageError(f"The database {shown} cannot be used now.", why, fix) from error
        raise StorageError(f"The database {shown} refused.", f"{error.orig}.") from error


def _engine(url: str) -> Engine:
    try:
        if make_url(url).get_backend_name() != "sqlite":
            return create_engine(url, pool_pre_ping=True)
        path = Path(str(make_url(url).database))
        with filesystem.explained(path.parent):
            filesystem.make_private_folder(path.parent)
        engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT, "check_same_thread": False})
    except (NoSuchModuleError, ImportError) as error:
        fix = 'Install its driver, for PostgreSQL `pip install "pipeline-widgets[postgres]"`.'
        raise StorageError(f"No driver for {url.partition(':')[0]!r}.", f"{error}.", fix) from error
    journal = "DELETE" if filesystem.is_network(path.parent) else "WAL"

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not open transactions: we do, below
        for pragma in (f"journal_mode={journal}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("pw_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "do_connect", lambda *_: _make_private(path))
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _make_private(path: Path) -> None:
    """Make a new database readable for its user only; SQLite gives its other files the same rights."""
    with suppress(OSError):  # it is there, or SQLite says what is wrong with its folder
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
