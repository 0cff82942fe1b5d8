"""A whole copy of a workspace, made while processes work in it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, select, text

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import filesystem, schema
from pipeline_widgets.persistence.identity import STAMP
from pipeline_widgets.persistence.store import Store

TRIES = 3  # copies that a clean-up may spoil before the next one holds it, and all writers, back
TEXTS = (
    *("runs/*/log.txt", "runs/*/log-times.bin", "runs/*/supervisor.log"),
    *("endpoints/*.log", "templates/*.yaml"),
)
FOLDERS = ("runs/*/checkpoints/*", "runs/*/shown/*", "agents/*")
_SAVED = (
    "SELECT path, size, digest FROM checkpoints UNION "
    "SELECT v.path, coalesce(v.size, c.size), coalesce(v.digest, c.digest) "
    "FROM agent_versions v JOIN checkpoints c ON c.id = v.checkpoint_id UNION "
    "SELECT path, size, digest FROM shown_items WHERE path IS NOT NULL"
)


def back_up(store: Store, target: Path) -> Path:
    """Copy a workspace into a new folder, and return the copy's database.

    The database comes by SQLite's own backup, as it is at one moment. The checkpoints that it names are
    linked where the file system can, since nobody changes them, and copied elsewhere. Keys of endpoints stay
    behind. Opened in its new place it is a copy, with an identity of its own; put back it is the workspace
    itself. Where artifacts are at a URL, all of them are brought here, and the copy has them in its folder.

    Nobody waits for it, but where checkpoints are deleted again and again: then writers wait while what is
    new since the last try is copied.

    Raises:
        StorageError: The target is there, is within the workspace, or cannot be written; or the workspace is
            on a server.
    """
    source, target = store.database.path, target.expanduser().absolute()
    if source is None:
        fix = f"Use the server's own, such as pg_dump, and copy the folder {store.artifacts} after that."
        raise StorageError("A workspace on a database server has no backup of ours.", fix=fix)
    if os.path.lexists(target):
        raise StorageError(f"{target} already exists.", fix="Name a folder that does not exist yet.")
    if target.resolve().is_relative_to(store.artifacts):
        what = f"{target} is within the workspace."
        raise StorageError(what, fix=f"Name a folder outside of {store.artifacts}.")
    written = target.with_name(f".{target.name}.writing-{uuid4().hex}")
    with filesystem.translate_os_errors(target.parent):
        try:
            written.mkdir(parents=True, mode=0o700)
            _write(store, source, written)
            if os.path.lexists(target):
                raise StorageError(f"{target} was made meanwhile.", fix="Name another folder.")
            written.rename(target)
            filesystem.flush(target.parent)
        finally:
            shutil.rmtree(written, ignore_errors=True)
    return target / source.name


def _write(store: Store, source: Path, folder: Path) -> None:
    copied, artifacts = folder / source.name, folder / f"{source.stem}-artifacts"
    artifacts.mkdir(mode=0o700)
    saved: dict[str, PublishedFolder] = {}
    for trial in range(TRIES + 1):
        with ExitStack() as held:
            if trial == TRIES:  # rows are deleted before their folders: what is named now stays
                held.enter_context(store.database.write())
            _copy_database(store, source, copied)
            saved = _find_saved(copied)
            _bring_here(store, saved.values())
            missing = {
                path
                for path, each in saved.items()
                if not copy_folder(store.artifacts, artifacts, path, each.size)
            }
            if not missing or _is_still_named(store, missing):
                break  # where the workspace itself has lost these files, the copy is as it is
    _remove_unnamed(artifacts, saved)
    copy_texts(store.artifacts, artifacts)
    with suppress(FileNotFoundError):
        shutil.copyfile(store.artifacts / STAMP, artifacts / STAMP)
    for each in (copied, artifacts, folder):
        filesystem.flush(each)


def _copy_database(store: Store, source: Path, copied: Path) -> None:
    copied.unlink(missing_ok=True)
    os.close(os.open(copied, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with store.database.read() as connection:  # as it is seen from here, and not if it was deleted
        connection.execute(select(schema.workspace.c.id)).first()
        try:
            uri = f"{source.as_uri()}?mode=rw"
            with (
                closing(sqlite3.connect(uri, uri=True, timeout=30.0)) as read,
                closing(sqlite3.connect(copied)) as write,
            ):
                read.backup(write)
                write.execute("PRAGMA journal_mode=DELETE")  # one file, whatever copies it further
                with write:
                    place = (f"{source.stem}-artifacts",)
                    write.execute("UPDATE workspace SET artifacts = ?, remote = NULL", place)
        except sqlite3.Error as error:
            raise StorageError("The database could not be copied.", f"{error}.", "Try again.") from error


def _find_saved(copied: Path) -> dict[str, PublishedFolder]:
    """Return the folders that a database names, none outside of it, as they were published."""
    with closing(sqlite3.connect(copied)) as connection:
        return _within(connection.execute(_SAVED).fetchall())


def list_saved_folders(connection: Connection) -> dict[str, int]:
    """Return the same of a database of any kind, with the bytes of their files."""
    found = [(str(path), int(size), str(digest)) for path, size, digest in connection.execute(text(_SAVED))]
    return {path: each.size for path, each in _within(found).items()}


def _within(found: Iterable[tuple[str, int, str]]) -> dict[str, PublishedFolder]:
    return {
        path: PublishedFolder(path=Path(path), size=size, digest=digest)
        for path, size, digest in found
        if not Path(path).is_absolute() and ".." not in Path(path).parts
    }


def _bring_here(store: Store, saved: Iterable[PublishedFolder]) -> None:
    """Bring here what is at a URL only: the copy is a workspace that has all of its artifacts itself."""
    if store.artifact_store.is_remote:
        for each in saved:
            with suppress(CheckpointError):  # it was deleted meanwhile
                store.artifact_store.find(replace(each, path=store.artifacts / each.path))


def copy_folder(source: Path, target: Path, path: str, size: int) -> bool:
    """Link or copy a folder that was published; False where not all of it is there."""
    made = target / path
    if _size(made) == size and made.is_dir():
        return True
    shutil.rmtree(made, ignore_errors=True)
    try:
        for folder, _, names in os.walk(source / path, onerror=_raise, followlinks=True):
            to = made / Path(folder).relative_to(source / path)
            to.mkdir(parents=True, exist_ok=True)
            for name in names:
                _link(Path(folder, name), to / name)
    except FileNotFoundError:  # it is being deleted
        return False
    return _size(made) == size


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=True)
    except FileNotFoundError:
        raise
    except (OSError, NotImplementedError):  # another file system, or one without links
        shutil.copyfile(source, target)


def _raise(error: OSError) -> None:
    raise error


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _is_still_named(store: Store, missing: Iterable[str]) -> bool:
    """Return whether the workspace still names all folders that could not be copied whole."""
    tables = (schema.checkpoints, schema.agent_versions, schema.shown_items)
    with store.read() as work:
        named = {path for table in tables for path in work.connection.scalars(select(table.c.path))}
    return named.issuperset(missing)


def _remove_unnamed(artifacts: Path, saved: Collection[str]) -> None:
    """Delete what was copied for a database that was then copied again."""
    for folder in [path for pattern in FOLDERS for path in artifacts.glob(pattern)]:
        if folder.relative_to(artifacts).as_posix() not in saved:
            shutil.rmtree(folder, ignore_errors=True)


def copy_texts(source: Path, target: Path) -> None:
    """Copy what runs and endpoints have printed, and templates."""
    for path in (path for pattern in TEXTS for path in source.glob(pattern)):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # an agent was deleted meanwhile
            shutil.copy2(path, place)
