"""Tell apart why a database refuses: a conflict, a value that it can never take, or a passing state."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import exc
from sqlalchemy.engine import ExceptionContext

from pipeline_widgets.domain.text import is_encodable
from pipeline_widgets.errors import ConflictError, DataRefusedError, PipelineError, StorageError, format_value

_SHORTEN = "Use a smaller or shorter value; trying again does not help."
#: SQLite's primary result codes that say what is wrong with the file or its surroundings.
_SQLITE_PASSING: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: (
        "The disk is full.",
        "Free some space and try again; what was committed is intact.",
    ),
    sqlite3.SQLITE_READONLY: (
        "It is read-only.",
        "Get permission to write the file and its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: ("It cannot be opened.", "Check that the folder exists and can be written."),
    sqlite3.SQLITE_BUSY: (
        "Another process holds its lock.",
        "Try again; end the process that hangs in it.",
    ),
    sqlite3.SQLITE_LOCKED: ("Another thread holds its lock.", "Try again."),
    sqlite3.SQLITE_PROTOCOL: ("Another process holds its lock.", "Try again."),
    sqlite3.SQLITE_CORRUPT: (
        "The file is damaged.",
        "Restore a backup; `sqlite3 FILE .recover` saves what it can.",
    ),
    sqlite3.SQLITE_NOTADB: ("The file is not a SQLite database.", "Choose another file."),
    sqlite3.SQLITE_IOERR: ("The disk gave an error.", "Check the disk and the folder, then try again."),
    sqlite3.SQLITE_NOMEM: ("Out of memory.", "End what uses it, then try again."),
    sqlite3.SQLITE_PERM: ("It may not be opened.", "Get permission to read and write the file."),
    sqlite3.SQLITE_AUTH: ("It may not be opened.", "Get permission to read and write the file."),
    sqlite3.SQLITE_NOLFS: ("The file system takes no file of this size.", "Move it to another disk."),
    sqlite3.SQLITE_INTERRUPT: ("The statement was interrupted.", "Try again."),
    sqlite3.SQLITE_SCHEMA: ("Its tables were changed meanwhile.", "Try again."),
}
_SQLITE_DATA = {sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
#: Classes of SQLSTATE: data exceptions, and limits of the program such as the size of an index row.
_DATA_CLASSES = ("22", "54")
#: Classes of mistakes in statements; but a missing right is the administrator's.
_PROGRAM_CLASSES = ("42", "0A", "25", "26", "34", "3F")
_PASSING_STATES = {
    "25006": ("It is read-only now.", "Try again when it can be written."),
    "25P03": ("A transaction was left open for too long.", "Try again."),
    "25P04": ("A transaction took too long.", "Try again."),
    "40001": ("Another transaction came in between.", "Try again."),
    "40P01": ("Another transaction waited for this one.", "Try again."),
    "42501": ("The user lacks a right.", "Ask who runs the server to grant it."),
    "53100": ("The disk of the server is full.", "Free some space there; what was committed is intact."),
    "53300": ("The server has too many connections.", "Try again, or raise its max_connections."),
    "55P03": ("Another process holds its lock.", "Try again; end the process that hangs in it."),
    "57014": ("The statement took too long.", "Try again."),
    "57P01": ("The server has cut the connection.", "Try again."),
    "57P02": ("The server has crashed.", "Try again when it is up."),
    "57P03": ("The server is starting or stopping.", "Try again in a moment."),
}
#: What is raised for a value that cannot even be sent.
_UNSENT = (TypeError, ValueError, OverflowError, RecursionError)
LOWEST, HIGHEST = -(2**63), 2**63 - 1  # what both databases count to
BUSY_POOL = "All connections of this process are in use."


@contextmanager
def translate_errors(database: str) -> Generator[None]:
    """Raise what the database or its driver refuses as a PipelineError that says what to do.

    Args:
        database: How the errors name the database, without a password.

    Raises:
        ConflictError: Another process has written the same meanwhile.
        DataRefusedError: A value can never be stored.
        StorageError: The database cannot be used now; it may later.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        known = translate_error(error, database)
        if known is None:  # a mistake of ours: its traceback is what helps
            raise
        raise known from error


def is_value_refused(context: ExceptionContext) -> DataRefusedError | None:
    """Return the refusal of a value, with its column; None for other errors.

    Drivers raise Python's own errors for some values, which SQLAlchemy passes on as they are.
    """
    known = None
    if context.sqlalchemy_exception is None and isinstance(context.original_exception, _UNSENT):
        known = _data(context.original_exception, _named_values(context))
    elif context.sqlalchemy_exception is not None:
        known = translate_error(context.sqlalchemy_exception, "", _named_values(context))
    return known if context.statement and isinstance(known, DataRefusedError) else None


def translate_error(error: exc.SQLAlchemyError, database: str, named: Any = None) -> PipelineError | None:
    """Return the error that a user can act on for an error of SQLAlchemy; None for a mistake of the program.

    Args:
        error: The error.
        database: How the error names the database, without a password.
        named: The values that were sent, by column, where these are known better than from the error.
    """
    if isinstance(error, exc.TimeoutError):
        return _passing(database, BUSY_POOL, "Try again.")
    if not isinstance(error, exc.StatementError):
        return None
    original, values = error.orig, named or error.params
    if not isinstance(error, exc.DBAPIError):  # a value that could not even be sent, such as no JSON
        sent = isinstance(original, _UNSENT)
        return _data(original, values) if sent else None
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(error, original, database, values)
    return _of_server(error, database, values)


def _of_sqlite(
    error: exc.DBAPIError, original: sqlite3.Error, database: str, values: Any
) -> PipelineError | None:
    code = getattr(original, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in _SQLITE_DATA or isinstance(error, exc.DataError):
        return _data(original, values)
    if isinstance(error, exc.IntegrityError):
        return _conflict(original)
    if primary in _SQLITE_PASSING:
        return _passing(database, *_SQLITE_PASSING[primary])
    return None


def _of_server(error: exc.DBAPIError, database: str, values: Any) -> PipelineError | None:
    original = error.orig
    state = str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")
    if state in _PASSING_STATES:
        return _passing(database, *_PASSING_STATES[state])
    if isinstance(error, exc.DataError) or state.startswith(_DATA_CLASSES):
        return _data(original, values)
    if isinstance(error, exc.IntegrityError):
        return _conflict(original)
    if isinstance(error, (exc.ProgrammingError, exc.NotSupportedError)) or state.startswith(_PROGRAM_CLASSES):
        return None
    return _passing(database, f"{_line(original)}.", "Check that the server runs and can be reached.")


def _passing(database: str, why: str, fix: str) -> StorageError:
    return StorageError(f"The database {database} cannot be used now.", why, fix)


def _conflict(original: BaseException | None) -> ConflictError:
    what = "Another process has written the same meanwhile, so nothing was changed."
    return ConflictError(what, f"{_line(original)}.", "Look again and repeat what you did.")


def _data(original: BaseException | None, parameters: Any) -> DataRefusedError:
    suspects = ", ".join(f"{name} = {format_value(value)}" for name, value in _suspects(parameters))
    why = f"{suspects}: {_line(original)}." if suspects else f"{_line(original)}."
    return DataRefusedError("The database cannot store a value.", why, _SHORTEN)


def _named_values(context: ExceptionContext) -> Any:
    execution: Any = context.execution_context
    return getattr(execution, "compiled_parameters", None) or context.parameters


def _suspects(parameters: Any) -> Iterable[tuple[str, object]]:
    """Yield the values that no database takes, with the names of their columns where these are known."""
    rows: list[Any] = cast("list[Any]", parameters) if isinstance(parameters, list) else [parameters]
    for row in rows:
        listed = cast("Mapping[Any, Any] | Sequence[Any]", row or ())
        named = listed if isinstance(listed, Mapping) else dict(enumerate(listed, start=1))
        for name, value in named.items():
            number = isinstance(value, int) and not LOWEST <= value <= HIGHEST
            if number or (isinstance(value, str) and not is_encodable(value)):
                yield str(name), value


def _line(original: BaseException | None) -> str:
    """Return the first line of what a driver says, without the full stop."""
    lines = str(original).strip().splitlines()
    return (lines[0] if lines else type(original).__name__).rstrip(".")
