"""The base of all repositories.

Statements of the path that a chain takes from stage to stage are built once, with named parameters, at
the head of their module: making a statement costs five times what executing it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Executable, RowMapping, Table, insert, update

from pipeline_widgets.domain.edits import stale_write
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence import schema

T = TypeVar("T")

ASKED_AT_ONCE = (
    10_000  # ids in one query, which may name them twice: SQLite may bound its variables at 32,766
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedRow:
    """A row with its name."""

    id: int
    name: str


class Versioned(Protocol):
    """A value of a row whose edits are locked optimistically."""

    @property
    def id(self) -> int:
        """The key of its row."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def version(self) -> int:
        """The version that it was read at."""
        ...


@dataclass(frozen=True, slots=True)
class Repository:
    """Reads and writes the rows of one aggregate within a transaction."""

    connection: Connection
    #: Seconds since 1970 on the database's clock.
    now: float
    #: The artifact folder.
    root: Path

    def _all(self, query: Executable, **values: object) -> Sequence[RowMapping]:
        return self.connection.execute(query, values).mappings().all()

    def _of(self, query: Executable, ids: Iterable[int], **values: object) -> Iterable[RowMapping]:
        """Yield the rows of `ids`, however many they are; only those of one chunk come in order."""
        for part in in_chunks(ids):
            yield from self._all(query, ids=part, **values)

    def _first(self, query: Executable, **values: object) -> RowMapping | None:
        return self.connection.execute(query, values).mappings().first()

    def _bearers(self, query: Executable, **values: object) -> tuple[NamedRow, ...]:
        return tuple(NamedRow(id=row["id"], name=row["name"]) for row in self._all(query, **values))

    def _done(self, statement: Executable, **values: object) -> bool:
        """Execute an update of one row; False if there is no such row."""
        return self.connection.execute(statement, values).rowcount == 1

    def _edit(self, table: Table, row: Versioned, **values: object) -> None:
        """Store an edit of a row, and raise its version by one in the same UPDATE.

        Raises:
            StaleWriteError: The row has another version by now.
        """
        same = (table.c.id == row.id) & (table.c.version == row.version)
        if not self._done(update(table).where(same).values(version=row.version + 1, **values)):
            raise stale_write(f"{type(row).__name__} {row.name!r}")

    def _set(self, table: Table, key: int, **values: object) -> None:
        """Write columns of one row that are no edit of it: its version stays."""
        self.connection.execute(update(table).where(table.c.id == key).values(**values))

    def _count(self, query: Executable) -> int:
        return int(self.connection.execute(query).scalar_one())

    def _names(self, query: Executable, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """Return the names that a query of ids and names finds, by id, in its order."""
        names: dict[int, tuple[str, ...]] = {}
        for part in in_chunks(ids):
            for key, name in self.connection.execute(query, {"ids": part}):
                names[key] = (*names.get(key, ()), name)
        return names

    def _touch_workspace(self) -> None:
        """Raise the workspace's revision: agents belong to no project."""
        revision = schema.workspace.c.revision
        self.connection.execute(update(schema.workspace).values(revision=revision + 1))

    def _add(self, table: Table, **values: object) -> int:
        key = self.connection.execute(insert(table).values(**values)).inserted_primary_key
        return int(key[0]) if key else 0


def in_chunks(ids: Iterable[T]) -> Iterator[list[T]]:
    """Split ids or names into lists that are short enough for one statement."""
    listed = list(ids)
    for at in range(0, len(listed), ASKED_AT_ONCE):
        yield listed[at : at + ASKED_AT_ONCE]


def require_one(values: Sequence[T], kind: str) -> T:
    """Return the one value that was looked for; NotFoundError without it."""
    return values[0] if values else require(None, kind)


def require(value: Any, kind: str) -> Any:
    """Return a value that has to be there; NotFoundError without it."""
    if value is None:
        why = "It was deleted meanwhile, or belongs to another workspace."
        raise NotFoundError(f"There is no such {kind}.", why, "List what exists and choose from there.")
    return value
