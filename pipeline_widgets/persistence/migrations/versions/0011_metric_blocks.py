"""Keep the metrics of runs in blocks, in place of a row for each point."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
from typing import TypeAlias

import sqlalchemy as sa
from alembic import op

from pipeline_widgets.domain.metric_block import (
    MOST_POINTS,
    MetricBlock,
    make_block,
    pack_block,
    unpack_block,
)

revision = "0011"
down_revision = "0010"

#: Id, run, step, name, value, time.
Row: TypeAlias = tuple[int, int, int, str, float | None, float | None]

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
READ = "SELECT id, run_id, step, name, value, reported_at FROM metrics ORDER BY run_id, id"
ADD = sa.text("""INSERT INTO metric_blocks (id, run_id, until, points, lowest_step, highest_step, data)
    VALUES (:id, :run_id, :until, :points, :lowest_step, :highest_step, :data)""")
ADD_POINT = sa.text("""INSERT INTO metrics (id, run_id, step, name, value, reported_at)
    VALUES (:id, :run_id, :step, :name, :value, :reported_at)""")
COUNT_ON = "SELECT setval(pg_get_serial_sequence('{0}', 'id'), max(id)) FROM {0}"


def upgrade() -> None:
    op.create_table(
        "metric_blocks",
        sa.Column("id", LONG, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("until", LONG, nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("lowest_step", LONG, nullable=False),
        sa.Column("highest_step", LONG, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_metric_blocks_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric_blocks")),
        sa.UniqueConstraint("run_id", "until", name=op.f("uq_metric_blocks_run_id_until")),
        sqlite_autoincrement=True,
    )
    connection = op.get_bind()
    for run, rows in groupby(_stream(connection), key=itemgetter(1)):
        until = 0
        for part in _split(rows):
            block = _make_block(part)
            until += len(block)
            values = {
                "id": part[-1][0],  # so that the writes stay in their order, and the next ones come after
                "run_id": run,
                "until": until,
                "points": len(block),
                "lowest_step": min(block.steps),
                "highest_step": max(block.steps),
                "data": pack_block(block),
            }
            connection.execute(ADD, values)
    _count_on(connection, "metric_blocks")
    op.drop_index(op.f("ix_metrics_run_id"), table_name="metrics")
    op.drop_table("metrics")


def downgrade() -> None:
    op.create_table(
        "metrics",
        sa.Column("id", LONG, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", LONG, nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.String(255), "sqlite"), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("reported_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_metrics_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metrics")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_metrics_run_id"), "metrics", ["run_id"], unique=False)
    connection = op.get_bind()
    blocks = connection.execute(sa.text("SELECT run_id, id FROM metric_blocks ORDER BY id")).all()
    written = 0
    for run, key in blocks:
        find = sa.text("SELECT data FROM metric_blocks WHERE id = :key")
        block = unpack_block(bytes(connection.execute(find, {"key": key}).scalar_one()), key)
        times = (at for at, count in zip(block.times, block.counts, strict=True) for _ in range(count))
        points = [
            {
                "id": written + place,
                "run_id": run,
                "step": step,
                "name": name,
                "value": None if math.isnan(value) else value,
                "reported_at": None if math.isnan(at) else at,
            }
            for place, ((step, name, value), at) in enumerate(zip(block.rows(), times, strict=True), start=1)
        ]
        connection.execute(ADD_POINT, points)
        written += len(points)
    _count_on(connection, "metrics")
    op.drop_table("metric_blocks")


def _stream(connection: sa.Connection) -> Iterator[Row]:
    """Yield all rows by run, however many there are."""
    found = connection.execute(sa.text(READ).execution_options(yield_per=MOST_POINTS))
    for part in found.partitions(MOST_POINTS):
        yield from map(tuple, part)


def _split(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while part := [*islice(rows, MOST_POINTS)]:
        yield part


def _make_block(rows: Sequence[Row]) -> MetricBlock:
    """Return rows of one run as a block: those that follow one another with one time were one write."""
    numbers, counts, times = array("q"), array("q"), array("d")
    before, known = -1, None
    for key, _, _, _, _, at in rows:
        if counts and key == before + 1 and at == known:
            counts[-1] += 1
        else:
            numbers.append(key)
            counts.append(1)
            times.append(math.nan if at is None else at)
        before, known = key, at
    points = ((step, name, math.nan if value is None else value) for _, _, step, name, value, _ in rows)
    return replace(make_block(points), numbers=numbers, counts=counts, times=times)


def _count_on(connection: sa.Connection, table: str) -> None:
    """Let the next key be above all that are there; SQLite sees to that itself."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(COUNT_ON.format(table))
