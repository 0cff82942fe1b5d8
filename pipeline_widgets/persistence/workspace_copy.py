"""Copies a workspace into another database, from SQLite to PostgreSQL and back, or moves it there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, select, update

from pipeline_widgets.domain.agent import CONNECTED_STATUSES
from pipeline_widgets.errors import RuleError, StorageError
from pipeline_widgets.persistence import filesystem, identity, schema
from pipeline_widgets.persistence.backup import copy_folder, copy_texts, list_saved_folders
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.location import default_folder, relative_folder, resolve_folder
from pipeline_widgets.persistence.migrate import migrate, revision
from pipeline_widgets.persistence.row_copy import TableDigest, copy_rows, find_rows
from pipeline_widgets.persistence.schema import HEAD
from pipeline_widgets.persistence.store import Store, list_code

_ACTIVE = select(schema.runs.c.id).where(schema.runs.c.status.in_(("Pending", "Running", "Stopping")))
_CONNECTED = select(schema.agents.c.name).where(
    schema.agents.c.status.in_([status.value for status in CONNECTED_STATUSES])
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceCopy:
    """The result of a copy."""

    #: The URL of the new database, without its password.
    url: str
    #: The artifact folder of the new workspace.
    artifacts: Path
    #: How many rows each table has.
    rows: Mapping[str, int]
    #: SHA-256 over all rows, which both databases have.
    digest: str


def copy_workspace(
    store: Store, url: str | Path, artifacts: Path | None = None, *, move: bool = False
) -> WorkspaceCopy:
    """Copy a workspace whose runs have ended into an empty database.

    All rows come from one state of the source and are written in one transaction, which is committed only
    when the rows that were written have the digest of those that were read. What fails or is killed before
    leaves the target without a row, and the source as it was.

    Args:
        store: The workspace.
        url: The path of a SQLite file that is not there yet, or the URL of an empty database.
        artifacts: The folder of a copy, which must not be there yet; by default NAME-artifacts beside a
            SQLite file. Checkpoints are linked into it where the file system can. A move keeps the folder.
        move: Whether the new database takes the place of the old one, with its identity and its folder. The
            old one can no longer be opened after that.

    Raises:
        RuleError: Runs are active, or agents are connected.
        StorageError: The target is not empty or cannot be written, the folder is there, or a server's
            database would get no folder.
        DataRefusedError: The target cannot store a value.
        UntrustedError: A workspace that is not trusted cannot be moved.
    """
    if move:
        store.trust.check()
    with store.database.read() as source:
        _check_at_rest(source)
    target = Database(url)
    if target.url == store.database.url:
        raise StorageError("A workspace cannot be copied into itself.", fix="Name another database.")
    made = target.path if target.path is not None and not os.path.lexists(target.path) else None
    try:
        _prepare(target)
        return _move(store, target, artifacts) if move else _copy(store, target, artifacts)
    except BaseException:
        target.close()
        if made is not None:
            made.unlink(missing_ok=True)
        raise
    finally:
        target.close()


def _prepare(target: Database) -> None:
    """Make the tables of an empty database; one that is in use stays as it is."""
    with target.read() as connection:
        current = revision(connection)
        if current == HEAD:
            _check_empty(connection, target)
        elif current is not None:
            raise StorageError(f"{target.safe_url} is not empty.", fix="Name an empty database.")
    migrate(target)


def _copy(store: Store, target: Database, artifacts: Path | None) -> WorkspaceCopy:
    folder = _new_folder(target, artifacts)
    with _written_folder(folder) as written:
        known = _copy_files(store, written.path)
        with store.database.read() as source, target.write() as there:
            _check_empty(there, target)
            _check_at_rest(source)
            if source.scalar(select(schema.workspace.c.remote)) is not None:
                raise _shared_folder()
            digests = copy_rows(source, there)
            if list_saved_folders(source).keys() - known:
                raise _source_has_changed()
            own = identity.release_copy(there, target, written.path, relative_folder(target, folder))
            store.trust.vouch_for_copy(own, list_code(source))
            written.publish()
    return _report(target, folder, digests)


def _move(store: Store, target: Database, artifacts: Path | None) -> WorkspaceCopy:
    if artifacts is not None:
        what = "A workspace that is moved keeps its artifact folder."
        raise StorageError(what, fix="Leave out `artifacts`, or make a copy.")
    with store.database.write() as source:  # until it is retired nobody triggers a run here
        _check_at_rest(source)
        with target.write() as there:
            _check_empty(there, target)
            digests = copy_rows(source, there)
            row = source.execute(select(schema.workspace)).one()
            # With a URL the folder is another one on each machine.
            kept = row.artifacts if row.remote else relative_folder(target, store.artifacts)
            place = {"artifacts": kept, "place": identity.place_column(target)}
            there.execute(update(schema.workspace).values(**place))
            own = str(there.scalar(select(schema.workspace.c.identity)))
            store.trust.vouch_for_copy(own, list_code(source))
        retired = identity.take_over(source, target, own, store.artifacts)
        store.trust.vouch_for_copy(retired, list_code(source))
    store.database.retire(target.safe_url)
    return _report(target, store.artifacts, digests)


def _check_empty(connection: Connection, target: Database) -> None:
    named = find_rows(connection)
    if named is not None:
        why = f"Its table {named!r} has rows."
        raise StorageError(f"{target.safe_url} is not empty.", why, "Name an empty database.")


def _check_at_rest(source: Connection) -> None:
    active, connected = source.scalars(_ACTIVE).all(), source.scalars(_CONNECTED).all()
    if active:
        what = f"{len(active)} runs of the workspace are active, so it cannot be copied."
        raise RuleError(what, "Their processes write to this database.", "Wait for them, or stop them.")
    if connected:
        what = f"Agents are connected: {', '.join(map(repr, connected[:5]))}."
        raise RuleError(what, "Their processes read this database.", "Disconnect them first.")


def _new_folder(target: Database, asked: Path | None) -> Path:
    if asked is None and target.path is None:
        why = "Checkpoints and logs are files, which a database server does not keep."
        fix = "Name a folder with `artifacts` (--artifacts), or move the workspace (--move)."
        raise StorageError("A copy on a database server needs an artifact folder.", why, fix)
    folder = resolve_folder(target, default_folder(target, None, ""), None, "") if asked is None else asked
    folder = folder.expanduser().resolve()
    if os.path.lexists(folder):
        raise StorageError(f"{folder} already exists.", fix="Name a folder that does not exist yet.")
    identity.check_apart(folder)
    return folder


class _WrittenFolder:
    """A folder in which a copy is written until it is whole."""

    def __init__(self, folder: Path) -> None:
        self.path = folder.with_name(f".{folder.name}.writing-{uuid4().hex}")
        self._folder = folder

    def publish(self) -> None:
        """Give it its name."""
        with filesystem.translate_os_errors(self._folder.parent):
            filesystem.flush(self.path)
            if os.path.lexists(self._folder):
                raise StorageError(f"{self._folder} was made meanwhile.", fix="Name another folder.")
            self.path.rename(self._folder)
            self.path = self._folder
            filesystem.flush(self._folder.parent)


@contextmanager
def _written_folder(folder: Path) -> Generator[_WrittenFolder]:
    """Yield a folder that goes with whatever fails."""
    written = _WrittenFolder(folder)
    with filesystem.translate_os_errors(folder.parent):
        written.path.mkdir(parents=True, mode=0o700)
    try:
        yield written
    except BaseException:
        shutil.rmtree(written.path, ignore_errors=True)
        raise


def _copy_files(store: Store, written: Path) -> set[str]:
    """Copy the folders that the rows name, before a transaction is open for long, and return which."""
    with store.database.read() as connection:
        saved = list_saved_folders(connection)
    with filesystem.translate_os_errors(written.parent):
        for path, size in saved.items():
            copy_folder(store.artifacts, written, path, size)
        copy_texts(store.artifacts, written)
    return set(saved)


def _source_has_changed() -> StorageError:
    why = "Checkpoints were saved while the files were copied."
    return StorageError("No whole copy could be made.", why, "Try again while no run is active.")


def _shared_folder() -> StorageError:
    why = "Its checkpoints are in an object store, which two workspaces cannot share: each would clean it up."
    return StorageError("This workspace cannot be copied.", why, "Move it (--move).")


def _report(target: Database, folder: Path, digests: Mapping[str, TableDigest]) -> WorkspaceCopy:
    digest = hashlib.sha256()
    for name, table in sorted(digests.items()):
        digest.update(f"{name} {table.rows} {table}\n".encode())
    rows = {name: table.rows for name, table in digests.items()}
    return WorkspaceCopy(url=target.safe_url, artifacts=folder, rows=rows, digest=digest.hexdigest())
