"""The databases that were made ahead: a process that is forked later opens its workspace with one of them."""

from __future__ import annotations

from pathlib import Path

from pipeline_widgets.persistence.database import Database

#: By URL, with the folder of the file as it was then.
_prepared: dict[str, tuple[Database, tuple[int, int] | None]] = {}


def keep(url: str, database: Database) -> None:
    """Keep a database for the next who opens that workspace, in this process or one that is forked from it.

    Args:
        url: The workspace, as it will be asked for.
        database: The database, with no connection open.
    """
    _prepared[url] = database, _place_of(database.path)


def take(url: str | Path) -> Database | None:
    """Return the database that was kept for a workspace, once; None where none is.

    A file whose folder is another one by now may lie on another file system, and be used otherwise there.
    """
    database, place = _prepared.pop(str(url), (None, None))
    return database if database is not None and _place_of(database.path) == place else None


def _place_of(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        found = path.parent.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
