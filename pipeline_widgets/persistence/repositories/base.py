"""What the repositories of one transaction share.

Statements of the path that a chain takes from stage to stage are built once, with named parameters, at
the head of their module: making a statement costs five times what executing it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Executable, RowMapping, Table, insert, update

from pipeline_widgets.domain.edits import stale_write
from pipeline_widgets.errors import NotFoundError

ASKED_AT_ONCE = (
    10_000  # ids in one question, which may name them twice: SQLite may bound its variables at 32,766
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedRow:
    """Who bears a name."""

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
    """What the repositories of one transaction share."""

    connection: Connection
    #: Seconds since 1970 on the database's clock.
    now: float
    #: The artifact folder.
    root: Path

    def _all(self, query: Executable, **values: object) -> Sequence[RowMapping]:
        return self.connection.execute(query, values).mappings().all()

    def _of(self, query: Executable, ids: Iterable[int]) -> Iterable[RowMapping]:
        """Ask for what belongs to `ids`, however many they are; what is asked at once comes in order."""
        for part in in_chunks(ids):
            yield from self._all(query, ids=part)

    def _first(self, query: Executable, **values: object) -> RowMapping | None:
        return self.connection.execute(query, values).mappings().first()

    def _bearers(self, query: Executable, **values: object) -> tuple[NamedRow, ...]:
        return tuple(NamedRow(id=row["id"], name=row["name"]) for row in self._all(query, **values))

    def _done(self, statement: Executable, **values: object) -> bool:
        """Execute an update that is to hit one row; False if it hit none."""
        return self.connection.execute(statement, values).rowcount == 1

    def _edit(self, table: Table, row: Versioned, **values: object) -> None:
        """Store an edit of a row, and raise its version by one in the same UPDATE.

        Raises:
            StaleWriteError: The row has another version by now.
        """
        same = (table.c.id == row.id) & (table.c.version == row.version)
        if not self._done(update(table).where(same).values(version=row.version + 1, **values)):
            raise stale_write(f"{type(row).__name__} {row.name!r}")

    def _add(self, table: Table, **values: object) -> int:
        key = self.connection.execute(insert(table).values(**values)).inserted_primary_key
        return int(key[0]) if key else 0


def in_chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    """Split ids into as many as one question or order may name."""
    listed = list(ids)
    for at in range(0, len(listed), ASKED_AT_ONCE):
        yield listed[at : at + ASKED_AT_ONCE]


def require(value: Any, kind: str) -> Any:
    """Return a value that has to be there; NotFoundError without it."""
    if value is None:
        why = "It was deleted meanwhile, or belongs to another workspace."
        raise NotFoundError(f"There is no such {kind}.", why, "List what there is and take it from there.")
    return value
