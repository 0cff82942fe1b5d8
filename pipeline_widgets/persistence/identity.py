"""Keeps which workspace a database is and whom a folder belongs to: a copy is told from its original."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, select, update

from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.workspace import Claim, Origin, Place, Stamp, claim_folder, decide_origin
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem, schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.repositories.projects import Projects
from pipeline_widgets.persistence.repositories.runs import Runs

STAMP = "workspace.json"
USED = ("runs", "agents")  # where files of runs and agents are
OTHER_FOLDER = "Name another one with `artifacts=`; a copy of a workspace needs a copy of its folder, too."

#: What ties an endpoint to a process, and to who may ask it.
_FREE = dict.fromkeys(
    (
        *("token", "machine", "pid", "pid_started", "beat_at", "ready_at", "launched_at", "port", "version"),
        *("launch_machine", "launch_pid", "launch_started", "key_digest", "key_hint", "error"),
        "refused_version",
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceRecord:
    """The row of a workspace."""

    identity: str
    #: The artifact folder as the row names it.
    artifacts: str
    place: Place | None
    timing: Timing
    #: The URL below which its artifacts are kept; None where the folder has all of them.
    remote: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The relation of a database to its row and its folder."""

    identity: str
    recorded: Place | None
    #: None for a database on a server.
    here: Place | None
    origin: Origin
    folder: Path
    claim: Claim

    @property
    def settled(self) -> bool:
        """Whether nothing has to be written."""
        return self.origin is Origin.SAME and not self.claim.stamp and not self.is_elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Whether the row has to say anew where the database is; machines that share one leave it alone."""
        if self.here is None or self.here == self.recorded:
            return False
        shared = self.recorded is not None and self.recorded.machine != self.here.machine
        return not (shared and self.origin is Origin.SAME)


def check_apart(folder: Path) -> None:
    """Refuse a folder within that of another workspace, whose clean-up could delete it.

    Raises:
        StorageError: It is in one.
    """
    for parent in folder.parents:
        stamp = read_stamp(parent)
        if stamp is not None:
            _refuse(folder, Claim(refusal=f"It is within {parent}, which belongs to {stamp.database}."))


def claim_new(database: Database, folder: Path, identity: str) -> None:
    """Claim a folder for a workspace that is being made, by its new identity.

    Raises:
        StorageError: The folder belongs to another workspace, or cannot be written.
    """
    _refuse(folder, _claim(database, identity, Origin.SAME, folder, new=True))
    _write_stamp(database, identity, folder)


def place_column(database: Database) -> str | None:
    """Return where a database is, as its row keeps it; None on a server."""
    here = _place_of(database)
    return None if here is None else json.dumps(asdict(here))


def examine(database: Database, record: WorkspaceRecord, recorded: Path, asked: Path | None) -> Standing:
    """Tell how a database stands to its row, and to its folder.

    Args:
        database: The database.
        record: The row of the workspace.
        recorded: The folder that the row names.
        asked: The folder that was asked for; only a copy can have another one.

    Raises:
        StorageError: The folder belongs to another workspace, or is not the one that was asked for; or the
            database is a hard link to where it was.
    """
    identity, here, before = record.identity, _place_of(database), record.place
    origin = Origin.SAME
    if here is not None:
        if before is not None and _is_hard_link(before, here):
            what = f"{here.path} is the same file as {before.path}, by a hard link."
            why = "SQLite keeps a write-ahead log for each of the names, and would damage the file."
            raise StorageError(what, why, "Open it by its former name, or copy it.")
        there = before is not None and _is_original_there(before, here, identity)
        origin = decide_origin(before, here, original_there=there)
    claim = _claim(database, identity, origin, recorded)
    folder = recorded
    if asked is not None and asked != recorded:
        if origin is not Origin.COPY and not claim.refusal:
            why = f"Its artifacts are in {recorded}, not in {asked}."
            raise StorageError("This workspace has another artifact folder.", why, "Leave out `artifacts`.")
        folder, claim = asked, _claim(database, identity, origin, asked)
        check_apart(folder)
    _refuse(folder, claim)
    return Standing(identity=identity, recorded=before, here=here, origin=origin, folder=folder, claim=claim)


def settle(
    connection: Connection,
    database: Database,
    standing: Standing,
    kept_folder: str,
    remote: str | None = None,
) -> str:
    """Write down where a database is, and make a copy a workspace of its own; return its identity.

    The processes that the rows name have the file open that was here before, or the original: they belong to
    that, so nobody may ask or end them from here.

    Args:
        connection: The transaction; what it does not commit is found again by the next opening.
        database: The database.
        standing: How it stands.
        kept_folder: The folder as the row names it.
        remote: The URL of its artifacts; a copy claims its own.
    """
    identity = standing.identity
    if standing.origin is Origin.COPY:
        identity = uuid4().hex
        if remote is not None:
            from pipeline_widgets.persistence.remote.ownership import claim  # noqa: PLC0415  not before Running

            claim(remote, describe(database), standing.identity, standing.origin, copy=identity)
        with suppress(OSError):
            for key in (standing.folder / "endpoints").glob("*.key"):
                key.unlink()
        for table in (schema.notices, schema.notifications):  # the original tells of its runs itself
            connection.execute(delete(table))
    if standing.claim.stamp:
        copied_from = standing.identity if standing.origin is Origin.COPY else None
        try:
            _write_stamp(database, identity, standing.folder, copied_from)
        except StorageError:
            if standing.origin is Origin.COPY:
                raise
    if standing.origin is not Origin.SAME and standing.recorded is not None:
        word = "copy of" if standing.origin is Origin.COPY else "workspace that was moved from"
        whose = "the original" if standing.origin is Origin.COPY else "what was there"
        evidence = f"This is a {word} {standing.recorded.path}: the process belongs to {whose}."
        _release_processes(connection, database, standing.folder, evidence)
    values = {"identity": identity, "artifacts": kept_folder, "place": place_column(database)}
    values["remote"] = remote
    connection.execute(update(schema.workspace).values(**values))
    return identity


def release_copy(connection: Connection, database: Database, written: Path, kept_folder: str) -> str:
    """Make rows that were copied a workspace of its own, and return its identity.

    Keys of agents and notices that were not sent yet stay with the original.

    Args:
        connection: The transaction in which the rows were written.
        database: The database of the copy.
        written: The folder of the copy, whatever its name is by now.
        kept_folder: That folder as the row names it.
    """
    own = uuid4().hex
    _write_stamp(database, own, written)
    values = {"identity": own, "artifacts": kept_folder, "place": place_column(database)}
    connection.execute(update(schema.workspace).values(**values))
    connection.execute(update(schema.endpoints).values(**_FREE))
    connection.execute(update(schema.notices).values(due_at=None))
    return own


def take_over(source: Connection, target: Database, identity: str, folder: Path) -> str:
    """Give a folder to the database that a workspace was moved to; return the new identity of the old one.

    The old database then is one to which the folder does not belong, and is refused with that reason.

    Args:
        source: A transaction on the old database.
        target: The new database.
        identity: The identity of the workspace.
        folder: Its folder.
    """
    _write_stamp(target, identity, folder)
    retired = uuid4().hex
    source.execute(update(schema.workspace).values(identity=retired))
    return retired


def _release_processes(connection: Connection, database: Database, folder: Path, evidence: str) -> None:
    from pipeline_widgets.domain.agent import CONNECTED_STATUSES, AgentStatus  # noqa: PLC0415  not before Running

    now = database.now(connection)
    runs, projects = Runs(connection, now, folder), Projects(connection, now, folder)
    for lease in runs.active():
        run = runs.get(lease.subject_id)
        runs.set_status(run, Status.CRASHED, projects.touch(run.project_id), error=evidence)
    agents, columns = schema.agents, schema.workspace.c
    connected = agents.c.status.in_([status.value for status in CONNECTED_STATUSES])
    undeployed = AgentStatus.UNDEPLOYED.value
    connection.execute(update(agents).where(connected).values(status=undeployed))
    connection.execute(update(schema.endpoints).values(**_FREE))
    connection.execute(update(schema.workspace).values(revision=columns.revision + 1))


def _claim(database: Database, identity: str, origin: Origin, folder: Path, *, new: bool = False) -> Claim:
    stamp = read_stamp(folder)
    here = _place_of_folder(database, folder)
    used = any(_holds_anything(folder / name) for name in USED)
    there = stamp is None or stamp.place.machine != here.machine or _may_be_there(stamp.database)
    return claim_folder(identity, origin, stamp, here, new=new, used=used, owner_there=there)


def _may_be_there(database: str) -> bool:
    return not database.startswith("/") or os.path.lexists(database)


def _refuse(folder: Path, claim: Claim) -> None:
    if claim.refusal:
        raise StorageError(f"The artifact folder {folder} is another's.", claim.refusal, OTHER_FOLDER)


def read_stamp(folder: Path) -> Stamp | None:
    """Return the owner that a folder names; None if it names none that can be read."""
    try:
        told: dict[str, Any] = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        place = Place(**told.pop("place"))
        return Stamp(**told, place=place)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write_stamp(database: Database, identity: str, folder: Path, copied_from: str | None = None) -> None:
    """Write whom a folder belongs to, in one step, so that nobody reads half of it."""
    with filesystem.translate_os_errors(folder):
        filesystem.make_private_folder(folder)
        stamp = Stamp(
            workspace=identity,
            copied_from=copied_from,
            database=describe(database),
            place=_place_of_folder(database, folder),
        )
        written = folder / f".{STAMP}.{uuid4().hex}"
        try:
            descriptor = os.open(written, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(stamp), file)
            written.replace(folder / STAMP)
        finally:
            written.unlink(missing_ok=True)


def _place_of(database: Database) -> Place | None:
    return None if database.path is None else _place(database.path, lasting=database.keeps_inodes)


def _place_of_folder(database: Database, folder: Path) -> Place:
    """Return where a folder is, as its stamp says it; beside a server it is on a file system of its own."""
    return _place(folder, lasting=database.keeps_inodes or not database.is_sqlite)


def _place(path: Path, *, lasting: bool) -> Place:
    try:
        status = path.stat()
    except OSError:
        return Place(machine=platform.node(), path=str(path), device=0, inode=None)
    inode = status.st_ino if lasting else None
    return Place(machine=platform.node(), path=str(path), device=status.st_dev, inode=inode)


def _parse_place(text: str | None) -> Place | None:
    try:
        return None if text is None else Place(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _holds_anything(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _is_original_there(recorded: Place, here: Place, identity: str) -> bool:
    """Return whether another file of the same identity is where the database was."""
    path = Path(recorded.path)
    if recorded.path == here.path:
        return False
    try:
        there, mine = path.stat(), Path(here.path).stat()
    except OSError:
        return False
    if os.path.samestat(there, mine):
        return False
    if (there.st_ino, there.st_size, there.st_mtime_ns) == (mine.st_ino, mine.st_size, mine.st_mtime_ns):
        return False  # one file of a network folder that is mounted twice
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=1.0)) as connection:
            row = connection.execute("SELECT identity FROM workspace").fetchone()
    except sqlite3.OperationalError as error:
        return "no such" not in str(error)  # one that may not be read may well be the original
    except sqlite3.Error:
        return False
    return row is not None and row[0] == identity


def _is_hard_link(recorded: Place, here: Place) -> bool:
    """Return whether the file has a second name where it was, and not just a second path to one name."""
    before, now = Path(recorded.path), Path(here.path)
    try:
        return (
            before != now
            and now.stat().st_nlink > 1
            and before.samefile(now)
            and not (before.name == now.name and before.parent.samefile(now.parent))
        )
    except OSError:
        return False


def read_record(connection: Connection) -> WorkspaceRecord | None:
    """Return the row of the workspace; None where none was made yet."""
    row = connection.execute(select(schema.workspace)).first()
    if row is None:
        return None
    timing = Timing(beat_every=row.beat_every, grace=row.grace)
    place = _parse_place(row.place)
    return WorkspaceRecord(
        identity=row.identity, artifacts=row.artifacts, place=place, timing=timing, remote=row.remote
    )


def describe(database: Database) -> str:
    """Return how a database can be found by a person."""
    return str(database.path or database.safe_url)
