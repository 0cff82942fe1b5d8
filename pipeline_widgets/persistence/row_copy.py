"""Copies all rows of one database into another of the same tables, of whatever kind each is.

It knows the tables from the schema alone, so that a table that is added there is copied as well. Rows are
read and written in batches of about BATCH_BYTES, so that memory is bounded however large a workspace is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, RowMapping, Table, func, insert, select, text

from pipeline_widgets.domain.text import is_encodable
from pipeline_widgets.errors import DataRefusedError, StorageError
from pipeline_widgets.persistence.schema import metadata

BATCH_BYTES = 4_000_000
FIRST_BATCH, MOST_ROWS = 2, 2_000  # rows
_MODULUS = 2**256


@dataclass(frozen=True, slots=True)
class TableDigest:
    """The number of rows of a table, and a digest of them that does not depend on their order."""

    rows: int
    #: The sum of the SHA-256 of the rows.
    total: int

    def __str__(self) -> str:
        """Return the digest in hexadecimal."""
        return f"{self.total:064x}"


def copy_rows(source: Connection, target: Connection) -> dict[str, TableDigest]:
    """Copy all rows, and the numbers that the next rows get; return the digest of each table.

    Args:
        source: A transaction that sees one state.
        target: A transaction on a database that has the same tables, and no rows.

    Raises:
        DataRefusedError: The target cannot store a value.
        StorageError: What was written is not what was read.
    """
    digests = {table.name: _copy_table(source, target, table) for table in metadata.sorted_tables}
    _write_counters(target, _read_counters(source))
    for table in metadata.sorted_tables:
        written = digest_table(target, table)
        if written != digests[table.name]:
            read = digests[table.name]
            why = f"{read.rows} rows with digest {read} became {written.rows} rows with digest {written}."
            fix = "Report this: a value changes on its way."
            raise StorageError(f"The copy of the table {table.name!r} is not the same.", why, fix)
    return digests


def digest_table(connection: Connection, table: Table) -> TableDigest:
    """Return the digest of all rows of a table, as this package reads them: equal on both databases."""
    rows = total = 0
    for batch in _batches(connection, table):
        rows += len(batch.rows)
        total = (total + batch.total) % _MODULUS
    return TableDigest(rows, total)


def find_rows(connection: Connection) -> str | None:
    """Return the name of a table that has rows; None where no table has any."""
    for table in metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            return table.name
    return None


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: list[RowMapping]
    total: int


def _copy_table(source: Connection, target: Connection, table: Table) -> TableDigest:
    rows = total = 0
    write = insert(table)
    for batch in _batches(source, table):
        for row in batch.rows:
            _check_texts(table, row)
        target.execute(write, [dict(row) for row in batch.rows])
        rows += len(batch.rows)
        total = (total + batch.total) % _MODULUS
    return TableDigest(rows, total)


def _batches(connection: Connection, table: Table) -> Iterator[_Batch]:
    """Yield the rows of a table in the order of its key, fewer at a time where they are large."""
    (key,) = table.primary_key.columns
    query = select(table).order_by(key)
    last: Any = None
    most = FIRST_BATCH
    while True:
        after = query if last is None else query.where(key > last)
        found = connection.execute(after.limit(most)).mappings().all()
        if not found:
            return
        total = size = 0
        for row in found:
            content = _canonical(row)
            size += len(content)
            total += int.from_bytes(hashlib.sha256(content).digest(), "big")
        yield _Batch(list(found), total)
        last = found[-1][key]
        most = max(1, min(MOST_ROWS, 10 * most, BATCH_BYTES * len(found) // size))


def _canonical(row: RowMapping) -> bytes:
    """Return a row as bytes that are the same wherever it was read."""
    return json.dumps(list(row.values()), default=repr).encode("utf-8", "surrogatepass")


def _check_texts(table: Table, row: RowMapping) -> None:
    """Refuse texts that only older versions have stored, and only in SQLite."""
    for name, value in row.items():
        if isinstance(value, str) and not is_encodable(value):
            (key,) = table.primary_key.columns
            what = f"Row {row[key]} of the table {table.name!r} cannot be copied."
            why = f"Its {name} holds a NUL or half a surrogate pair, which no database stores."
            raise DataRefusedError(what, why, "Change that text in the original, and copy it again.")


def _find_numbered_tables() -> Iterator[tuple[Table, str]]:
    """Yield the tables whose keys the database counts."""
    for table in metadata.sorted_tables:
        (key,) = table.primary_key.columns
        if isinstance(key.type, Integer):
            yield table, key.name


def _read_counters(connection: Connection) -> dict[str, int]:
    """Return the highest key that each table has ever given: one of a deleted row is not given again."""
    if connection.dialect.name == "sqlite":
        given = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
        kept = {name: int(number) for name, number in given}
    else:
        kept = {
            table.name: int(number)
            for table, key in _find_numbered_tables()
            if (number := connection.scalar(text(_LAST_VALUE.format(_sequence(connection, table, key)))))
        }
    return kept


_LAST_VALUE = "SELECT last_value FROM {} WHERE is_called"


def _write_counters(connection: Connection, counters: Mapping[str, int]) -> None:
    for table, key in _find_numbered_tables():
        last = max(counters.get(table.name, 0), connection.scalar(select(func.max(table.c[key]))) or 0)
        if not last:
            continue
        values = {"name": table.name, "last": last}
        if connection.dialect.name == "sqlite":
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), values)
        else:
            sequence = {"sequence": _sequence(connection, table, key), "last": last}
            connection.execute(text("SELECT setval(:sequence, :last)"), sequence)


def _sequence(connection: Connection, table: Table, key: str) -> str:
    """Return the quoted name of the sequence that gives a table its keys."""
    named = {"table": table.name, "key": key}
    return str(connection.scalar(text("SELECT pg_get_serial_sequence(:table, :key)"), named))
