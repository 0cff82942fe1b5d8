"""Where the workspaces of tests keep their rows: in SQLite files, or on a server (`--db=postgresql`).

On a server each workspace is a database of its own, which is a copy of one that has all tables: that takes
30 ms. It is deleted with its test.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from postgres import MISSING, Server, programs

from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import migrate

KINDS = ("sqlite", "postgresql")

_chosen = KINDS[0]
_server: Server | None = None
_template = ""
_made: dict[Path, str] = {}


def choose(kind: str) -> None:
    """Let the workspaces of this session be on databases of that kind."""
    global _chosen  # noqa: PLW0603  of the session
    _chosen = kind
    if is_postgresql():
        _forbid_nesting()


def _forbid_nesting() -> None:
    """Refuse a transaction within another one of the same thread: threads that nest wait for each other.

    A workspace has two connections to a server. Where each of two threads holds one and wants another, both
    wait until they give up.
    """
    begin = Database._transaction

    def checked(self: Database, engine: Any) -> Any:
        assert threading.get_ident() not in self._active, "a transaction within another one of this thread"
        return begin(self, engine)

    Database._transaction = checked


def is_postgresql() -> bool:
    """Whether the workspaces of this session are on PostgreSQL."""
    return _chosen == "postgresql"


def server() -> Server:
    """Return the PostgreSQL server of this session, started when it is first asked for.

    Raises:
        RuntimeError: None is installed.
    """
    global _server  # noqa: PLW0603  as above
    if _server is None:
        binaries = programs()
        if binaries is None:
            raise RuntimeError(MISSING)
        _server = Server(binaries)
    return _server


def url_in(folder: Path, name: str = "lab") -> str:
    """Return the URL of the workspace of that name in a folder, made where there is none."""
    path = (folder / f"{name}.db").resolve()
    if not is_postgresql():
        return f"sqlite:///{path}"
    if path not in _made:
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
        _made[path] = f"test_{os.getpid()}_{digest}"
        server().create(_made[path], template=_with_tables())
    return server().url(_made[path])


def place_in(folder: Path, name: str = "lab") -> dict[str, Any]:
    """Return the arguments with which a workspace is opened, or made, in a folder."""
    artifacts = folder / f"{name}-artifacts" if is_postgresql() else None
    return {"url": url_in(folder, name), "artifacts": artifacts}


def is_there(folder: Path, name: str = "lab") -> bool:
    """Whether a workspace of that name was asked for in this test."""
    path = (folder / f"{name}.db").resolve()
    return path in _made if is_postgresql() else path.exists()


def drop_all() -> None:
    """Delete the databases that were made on the server."""
    for name in _made.values():
        server().drop(name)
    _made.clear()


def delete_in(folder: Path, name: str = "lab") -> None:
    """Delete the database of a workspace, whoever uses it."""
    if is_postgresql():
        server().drop(_made.pop((folder / f"{name}.db").resolve()))
    for path in folder.glob(f"{name}.db*"):
        path.unlink()


def close() -> None:
    """Stop the server, if one was started."""
    global _server, _template
    if _server is not None:
        _server.close()
    _server, _template = None, ""


def _with_tables() -> str:
    """Return the database that others are copied from: all tables, no rows, and nobody connected."""
    global _template  # noqa: PLW0603  as above
    if not _template:
        name = server().create()
        database = Database(server().url(name))
        migrate(database)
        database.close()
        _template = name
    return _template
