"""One transaction for each use case, on SQLite or PostgreSQL.

Writers come one after the other, so that what a transaction read is still so when it writes. On SQLite they
take `BEGIN IMMEDIATE`; with the default deferred transaction concurrent updates are lost. On PostgreSQL they
take one advisory lock of the database, which gives the same order and leaves nothing behind; readers see one
snapshot. WAL lets readers of SQLite read meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, Executable, Pool, Row, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import NoSuchModuleError

from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem, idle_connections, json_text, urls
from pipeline_widgets.persistence.database_errors import BUSY_POOL, is_value_refused, translate_errors
from pipeline_widgets.persistence.postgresql import KIND, create_server_engine, is_dropped, time_of_read
from pipeline_widgets.persistence.sqlite_writes import begin_write
from pipeline_widgets.persistence.write_queue import WriteQueue

LOCK_TIMEOUT = 30.0  # seconds that a writer waits for another
JOURNAL_PAUSE = 0.01  # seconds between two tries to make a file log ahead
REST = 1.0  # seconds after which a SQLite file is closed that is not used, or not written to
SERVER_REST = 10.0  # the same for connections to a server, which take longer to open
FORK_PATIENCE = 2.0  # seconds that a fork waits for transactions of other threads

_inherited: list[Pool] = []  # of the process that this one was forked from: closing them would harm it


class Database:
    """The transactions of one workspace. It can be used from any thread, and after a fork.

    Args:
        url: Any SQLAlchemy URL, or the path of a SQLite file; a relative one is of the current folder.
        clock: Seconds since 1970; for tests.
        create: Whether to make the SQLite file where there is none.

    Raises:
        StorageError: The URL is not understood.
    """

    def __init__(
        self, url: str | Path, *, clock: Callable[[], float] | None = None, create: bool = True
    ) -> None:
        self._location = urls.parse(url)
        #: What another process is given; with the password.
        self.url = urls.render(self._location)
        self.is_sqlite = self._location.get_backend_name() == "sqlite"
        #: The file; None on a server.
        self.path = Path(str(self._location.database)) if self.is_sqlite else None
        #: Which workspace it holds, once it is opened; a file that holds another one was replaced.
        self.identity: str | None = None
        #: Whether a file keeps its number, so that another one in its place can be told.
        self.keeps_inodes = self._logs_ahead = False
        self._moved_to = ""
        self._failed = False  # the last transaction
        self._clock = clock
        self._may_create = create
        self._file: int | None = None  # its inode
        self._replaced = False  # by one of another identity, though perhaps of the same number
        self._journal: tuple[int, ...] | None = None  # the inodes of the write-ahead log and its index
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        #: On a server: threads that wait to write leave a connection to readers.
        self._writer = threading.Lock()
        self._queue = WriteQueue()
        self._active: list[int] = []  # the threads of transactions
        self._open = 0  # connections
        self._watched = False
        self._used = self._written = 0.0
        self._dirty = False
        with _explain_missing_driver(self._location):
            self._engine = (
                self._sqlite(self.path) if self.path else create_server_engine(self._location, LOCK_TIMEOUT)
            )
        self._reads, self._writes, self._lookups = _engines(self._engine)
        event.listen(self._engine, "connect", self._on_open)
        event.listen(self._engine, "close", self._on_close)
        event.listen(self._engine, "handle_error", _refuse_value)
        idle_connections.register(self)

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        return urls.hide_password(self._location)

    @property
    def name(self) -> str:
        """The name of the file without its ending, or of the database on a server."""
        return self.path.stem if self.path else str(self._location.database)

    @property
    def compiled_statements(self) -> tuple[Dialect, MutableMapping[Any, Any]]:
        """The dialect of its engine, and the statements that are compiled for that."""
        engine: Any = self._engine  # it tells nobody else of its cache
        return engine.dialect, engine._compiled_cache  # noqa: SLF001

    @property
    def creates(self) -> bool:
        """Whether the next use makes the file where there is none."""
        return self._may_create

    @property
    def exists(self) -> bool:
        """Whether it is there still; what has a file open would not see that it was deleted."""
        if self.path is None:
            return not (self._failed and is_dropped(self._location))
        try:
            self._check_file()
        except StorageError:
            return False
        return self.path.exists()

    def queue_at(self, folder: Path) -> None:
        """Let the processes that write to a SQLite file stand in line at a folder of this machine."""
        self._queue.folder = None if filesystem.is_network(folder) else folder

    @contextmanager
    def read(self) -> Generator[Connection]:
        """Yield a connection that sees one consistent state.

        Raises:
            StorageError: It cannot be read now, or its file was deleted or replaced.
        """
        with self._transaction(self._reads) as connection:
            yield connection

    def look_up(self, query: Executable, **values: object) -> Row[Any] | None:
        """Return the first row of a query that is a transaction by itself: on a server it costs one message.

        Raises:
            StorageError: As of `read`.
        """
        with self._transaction(self._lookups) as connection:
            return connection.execute(query, values).first()

    def look_up_all(self, query: Executable, **values: object) -> Sequence[Row[Any]]:
        """Return all rows of such a query.

        Raises:
            StorageError: As of `read`.
        """
        with self._transaction(self._lookups) as connection:
            return connection.execute(query, values).all()

    @contextmanager
    def write(self) -> Generator[Connection]:
        """Yield a connection whose work is done wholly, or not at all, and after that of all others.

        Raises:
            ConflictError: Another process has written the same meanwhile.
            DataRefusedError: A value can never be stored.
            StorageError: It cannot be written now, or its file was deleted or replaced.
        """
        with self._transaction(self._writes) as connection:
            self._check_journal()
            yield connection
            self._check_file()
            self._check_journal()
            self._dirty = True

    def now(self, connection: Connection) -> float:
        """Return the time on the database's clock, so that two hosts' clocks are never compared."""
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return time.time()  # SQLite runs inside this process: the same clock, without a statement
        began = time_of_read(connection)
        if began is not None:
            return began
        asked = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())")
        return float(asked.scalar_one())

    def close(self) -> None:
        """Close all connections. The next use opens new ones, to the file that is there then."""
        with self._lock:
            self._dispose()
            self._file, self._replaced = None, False

    def retire(self, moved_to: str) -> None:
        """Close all connections, and refuse every use from now on: the workspace is elsewhere."""
        self._moved_to = moved_to
        self.close()

    def close_if_idle(self, now: float) -> float | None:
        """Close connections that rest, and return when to ask again; None where none is open.

        A SQLite file is also closed between two reads, some time after the last write: its write-ahead log
        is written back then, so that the file alone is whole even while somebody looks at it all the time.
        """
        with self._lock:
            rest = REST if self.is_sqlite else SERVER_REST
            last = min(self._used, self._written) if self.is_sqlite and self._dirty else self._used
            # Who is active may be about to connect: what a closed pool has opened would be closed by nobody.
            if self._active or (self._open and last + rest > now):
                return max(last + rest, now + rest / 10)
            self._dispose()
            self._dirty = self._watched = False
            return None

    def prepare_fork(self) -> None:
        """Close a SQLite file, and let nothing open it until `resume` is called.

        SQLite keeps in the process which locks it holds, and a fork has none of them: it would use a
        write-ahead log that the first process, believing itself alone, deletes. Transactions of other
        threads are waited for, those of this thread cannot be.
        """
        until = time.monotonic() + FORK_PATIENCE
        self._lock.acquire()
        if not self.is_sqlite:
            return
        while set(self._active) - {threading.get_ident()} and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
        if self._open or self._active:
            self._dispose()

    def resume(self) -> None:
        """Go on after a fork."""
        self._lock.release()

    def forget_connections(self) -> None:
        """Let go of connections that belong to the process that this one was forked from."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._writer = threading.Lock()
        self._queue.forget()
        if self._open or self._active:  # else its pool is empty, and nobody has held its locks
            _inherited.append(self._engine.pool)
            self._engine.dispose(close=False)
        self._active, self._open, self._watched, self._journal = [], 0, False, None

    def _dispose(self) -> None:
        self._engine.dispose()
        self._open, self._journal = 0, None  # the next connection may find a new write-ahead log

    @contextmanager
    def _transaction(self, engine: Engine) -> Generator[Connection]:
        if self._moved_to:
            what = f"The workspace is no longer in {self.safe_url}."
            raise StorageError(what, f"It was moved to {self._moved_to}.", "Open it there.")
        me = threading.get_ident()
        with self._lock:
            self._active.append(me)
        try:
            self._check_file()
            with translate_errors(self.safe_url), self._turn(engine), engine.begin() as connection:
                self._failed = False
                yield connection
        except StorageError:
            self._failed = True
            raise
        finally:
            self._rest(me, wrote=engine is self._writes)

    @contextmanager
    def _turn(self, engine: Engine) -> Generator[None]:
        """Let one thread write at a time where writers of a process share one connection to a server."""
        if self.is_sqlite or engine is not self._writes:
            yield
            return
        if not self._writer.acquire(timeout=LOCK_TIMEOUT):
            raise StorageError(f"The database {self.safe_url} cannot be used now.", BUSY_POOL, "Try again.")
        writer = self._writer  # a fork within the transaction has another one
        try:
            yield
        finally:
            writer.release()

    def _rest(self, thread: int, *, wrote: bool) -> None:
        now = time.monotonic()
        with self._lock:
            with suppress(ValueError):  # it began before this process was forked
                self._active.remove(thread)
            self._changed.notify_all()
            self._used = now
            if wrote:
                self._written = now
            unwatched, self._watched = not self._watched, True
        if unwatched:
            idle_connections.watch(self, now + (REST if self.is_sqlite else SERVER_REST))

    def _check_file(self) -> None:
        """Refuse to go on with a file that others no longer see.

        Raises:
            StorageError: It was deleted or replaced.
        """
        if self.path is None or self._file is None:
            return
        try:
            inode = os.stat(self.path).st_ino  # noqa: PTH116  before and after each transaction: a Path takes longer
        except FileNotFoundError:
            raise _missing_file(self.path, "deleted") from None
        except OSError:
            return  # SQLite will say what is wrong
        if self._replaced or (self.keeps_inodes and inode != self._file):
            raise _missing_file(self.path, "replaced")

    def _check_journal(self) -> None:
        """Refuse to write into a write-ahead log that others no longer see.

        Raises:
            StorageError: It was deleted.
        """
        if self.path is None or not self._logs_ahead or not self.keeps_inodes:
            return
        try:
            inodes = tuple(os.stat(f"{self.path}{ending}").st_ino for ending in ("-wal", "-shm"))  # noqa: PTH116
        except OSError:
            inodes = ()
        if self._journal is None:
            self._journal = inodes
        elif inodes != self._journal:
            raise _missing_file(Path(f"{self.path}-wal"), "deleted")

    def _sqlite(self, path: Path) -> Engine:
        if self._may_create:
            with filesystem.translate_os_errors(path.parent):
                filesystem.make_private_folder(path.parent)
        engine = create_engine(
            self._location,
            connect_args={"timeout": LOCK_TIMEOUT, "check_same_thread": False},
            json_serializer=json_text.dump,
            max_overflow=-1,
        )
        self.keeps_inodes = self._logs_ahead = not filesystem.is_network(path.parent)
        journal = "WAL" if self._logs_ahead else "DELETE"
        uri = _uri(path)

        def connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
            if self._may_create:
                _make_private(path)
            arguments[0], options["uri"] = uri, True

        def prepare(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # the driver must not open transactions: we do, below
            try:  # before anything is changed in a file that is another's
                self._check_identity(connection)
            except StorageError:
                connection.close()
                raise
            _set_journal(connection, journal)
            for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            self._may_create = False

        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get(KIND) == "write":
                with self._queue.turn():
                    begin_write(connection, LOCK_TIMEOUT)
            else:
                connection.exec_driver_sql("BEGIN")

        event.listen(engine, "do_connect", connect)
        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", begin)
        return engine

    def _check_identity(self, connection: Any) -> None:
        """Remember which file was opened, or refuse one that has taken its place."""
        path = self.path
        if path is None:
            return
        if self._file is None:
            with suppress(OSError):
                self._file = path.stat().st_ino
            return
        self._check_file()
        if self.identity is not None:  # a new file can have the number of one that is gone
            try:
                found = connection.execute("SELECT identity FROM workspace").fetchone()
            except sqlite3.Error:  # no such table, or no database at all
                found = None
            if found is None or found[0] != self.identity:
                self._replaced = True
                raise _missing_file(path, "replaced")

    def _on_open(self, *_: object) -> None:
        self._open += 1

    def _on_close(self, *_: object) -> None:
        self._open -= 1
        if self._open <= 0:
            self._open, self._journal = 0, None


def _engines(engine: Engine) -> tuple[Engine, Engine, Engine]:
    """Return the engine as it reads, as it writes, and as it executes one statement by itself."""
    if engine.dialect.name != "postgresql":
        return engine, engine.execution_options(**{KIND: "write"}), engine
    # All at once: SQLAlchemy 2.0 takes no level for an engine that has options already.
    levels = {"read": "REPEATABLE READ", "write": "READ COMMITTED", "lookup": "AUTOCOMMIT"}
    reads, writes, lookups = (
        engine.execution_options(**{KIND: kind}, isolation_level=level) for kind, level in levels.items()
    )
    return reads, writes, lookups


@contextmanager
def _explain_missing_driver(url: URL) -> Generator[None]:
    try:
        yield
    except (NoSuchModuleError, ImportError) as error:
        fix = 'Install its driver, for PostgreSQL `pip install "pipeline-widgets[postgres]"`.'
        raise StorageError(f"No driver for {url.drivername!r}.", f"{error}.", fix) from error


def absolute(url: str | Path) -> str:
    """Return the URL with a relative SQLite path made absolute, so that every process means one file.

    Raises:
        StorageError: The URL is not understood.
    """
    return urls.render(urls.parse(url))


def _refuse_value(context: ExceptionContext) -> None:
    """Say which value a database or its driver refuses, as long as its column is known."""
    refused = is_value_refused(context)
    if refused is not None:
        raise refused from context.original_exception


def _missing_file(path: Path, how: str) -> StorageError:
    what = f"{path} was {how} while it was open, so nothing was read or written."
    fix = "Put it back or restore a backup, then open the workspace again."
    return StorageError(what, "Other processes no longer see what this one has open.", fix)


def _set_journal(connection: sqlite3.Connection, journal: str) -> None:
    """Set the journal of a file, and wait for others that do so: SQLite itself does not wait here."""
    until = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={journal}")
        except sqlite3.OperationalError as error:
            # Every lock, as SQLITE_BUSY_SNAPSHOT and its like have the plain code in their low byte.
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > until:
                raise
            time.sleep(JOURNAL_PAUSE)
        else:
            return


def _uri(path: Path) -> str:
    """Return the URI with which SQLite opens a file, and makes none."""
    local = path.as_uri().replace("file://", "file:", 1)
    return f"{local if local.startswith('file:/') else f'file:////{local[5:]}'}?mode=rw"


def _make_private(path: Path) -> None:
    """Make a new database readable for its user only; SQLite gives its other files the same rights."""
    with suppress(OSError):  # it is there, or SQLite says what is wrong with its folder
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
