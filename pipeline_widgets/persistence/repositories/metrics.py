"""Metrics of runs, and samples of what their processes use: append-only, and many."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, delete, func, insert, literal, select, update

from pipeline_widgets.domain.metric_block import (
    MOST_POINTS,
    MOST_SMALL,
    Metric,
    MetricBlock,
    MetricColumns,
    count_joined,
    gather_columns,
    join_blocks,
    make_block,
    pack_block,
    unpack_block,
)
from pipeline_widgets.domain.text import replace_unencodable
from pipeline_widgets.domain.usage import Peak, Usage
from pipeline_widgets.errors import DataRefusedError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.repositories.base import Repository, in_chunks

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_R = schema.runs.c
_B = schema.metric_blocks.c
_ADD = insert(schema.metric_blocks)
_KEEP_LAST = """INSERT INTO last_metrics (run_id, name, step, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (run_id, name) DO UPDATE SET step = excluded.step, value = excluded.value
    WHERE excluded.step >= last_metrics.step"""
_TAIL = (
    select(_B.id, _B.until, _B.points)
    .where(_B.run_id == bindparam("run"))
    .order_by(_B.until.desc())
    .limit(MOST_SMALL)
)
_DATA = select(_B.id, _B.data).where(_B.id.in_(_IDS)).order_by(_B.until)
_REMOVE = delete(schema.metric_blocks).where(_B.id.in_(_IDS))
_OF_RUNS = select(_B.run_id, _B.id, _B.data).where(_B.run_id.in_(_IDS)).order_by(_B.run_id, _B.until)
_AFTER = (
    select(_B.id, _B.until, _B.points, _B.data)
    .where((_B.run_id == bindparam("run")) & (_B.until > bindparam("after")))
    .where(_B.until - _B.points < bindparam("end"))
    .order_by(_B.until)
)
_BETWEEN = (
    select(_B.id, _B.points, _B.lowest_step, _B.highest_step)
    .where((_B.run_id == bindparam("run")) & (_B.lowest_step <= bindparam("high")))
    .where(_B.highest_step >= bindparam("low"))
    .order_by(_B.until)
)
_U = schema.usage.c
_USAGE_AFTER = (
    select(_U.id, _U.seconds, _U.cpu, _U.memory, _U.gpu, _U.gpu_memory)
    .where((_U.run_id == bindparam("run")) & (_U.id > bindparam("after", type_=schema.LONG)))
    .order_by(_U.id)
)


class Metrics(Repository):
    """The metrics of runs, and the samples of what their processes use."""

    def add(self, run_id: int, metrics: Iterable[Metric], at: float | None = None) -> None:
        """Append metrics.

        Args:
            run_id: The run.
            metrics: In the order of their report.
            at: When they were reported, in seconds since 1970; None where that is not known.

        Raises:
            DataRefusedError: A step is no integer of 64 bits.
        """
        left = iter(metrics)
        while part := [*islice(left, MOST_POINTS)]:
            try:
                block = make_block(part, at)
            except OverflowError as error:
                what = "A step is beyond what a database stores."
                raise DataRefusedError(what, str(error), "Count steps with integers of 64 bits.") from error
            clean = {name: replace_unencodable(name) for name in block.names}
            if any(name != cleaned for name, cleaned in clean.items()):
                block = make_block(((step, clean[name], value) for step, name, value in part), at)
            self._append(run_id, block)
            self._keep_last(run_id, block)

    def _append(self, run_id: int, block: MetricBlock) -> None:
        """Add a block, joined with the ones before it where these are small and many."""
        tail = self.connection.execute(_TAIL, {"run": run_id}).all()
        until = (tail[0].until if tail else 0) + len(block)
        joined = [row.id for row in tail[: count_joined([row.points for row in tail], len(block))]]
        if joined:
            block = join_blocks([*self._blocks(joined), block])
            self.connection.execute(_REMOVE, {"ids": joined})
        values = {
            "run_id": run_id,
            "until": until,
            "points": len(block),
            "lowest_step": min(block.steps),
            "highest_step": max(block.steps),
            "data": pack_block(block),
        }
        self.connection.execute(_ADD, values)

    def _blocks(self, ids: Collection[int]) -> Iterator[MetricBlock]:
        """Yield blocks of one run in their order."""
        for key, data in self.connection.execute(_DATA, {"ids": ids}):
            yield unpack_block(data, key)

    def _keep_last(self, run_id: int, block: MetricBlock) -> None:
        """Keep the value of the last step of each metric; NaN is NULL, as SQLite has none."""
        last = [
            (run_id, name, step, None if math.isnan(value) else value)
            for name, (step, value) in block.last().items()
        ]
        # By the driver itself: SQLAlchemy would go through each value of each row.
        place = "?" if self.connection.dialect.paramstyle == "qmark" else "%s"
        self.connection.exec_driver_sql(_KEEP_LAST.replace("?", place), last)

    def add_usage(self, run_id: int, samples: Sequence[Usage]) -> None:
        """Append samples of what the processes of a run use, and raise its peak to theirs."""
        if not samples:
            return
        self.connection.execute(
            insert(schema.usage), [{"run_id": run_id, **asdict(each)} for each in samples]
        )
        peak = {f"peak_{name}": most for name, most in asdict(Peak.of(samples)).items() if most is not None}
        raised = {
            name: case((_R[name] >= most, _R[name]), else_=literal(most, _R[name].type))
            for name, most in peak.items()
        }
        self.connection.execute(update(schema.runs).where(_R.id == run_id).values(**raised))

    def usage(self, run_id: int) -> tuple[Usage, ...]:
        """Return the samples of what the processes of a run use, in their order."""
        samples, _ = self.usage_after(run_id, 0)
        return tuple(samples)

    def usage_after(self, run_id: int, after: int) -> tuple[list[Usage], int]:
        """Return the samples of a run after one, in their order, and the id of the last of them.

        Args:
            run_id: The run.
            after: The id of the last sample that is known already; 0 without one.
        """
        rows = self.connection.execute(_USAGE_AFTER, {"run": run_id, "after": after}).all()
        return [Usage(*row[1:]) for row in rows], (rows[-1].id if rows else after)

    def of_runs(self, run_ids: Collection[int]) -> MetricColumns:
        """Return all metrics of runs, in the order of their report."""
        return gather_columns(
            (run, unpack_block(data, key))
            for part in in_chunks(run_ids)
            for run, key, data in self.connection.execute(_OF_RUNS, {"ids": part})
        )

    def count(self, run_ids: Collection[int]) -> int:
        """Return how many points `of_runs` would."""
        counted = select(func.coalesce(func.sum(_B.points), 0)).where(_B.run_id.in_(_IDS))
        return sum(
            int(self.connection.execute(counted, {"ids": part}).scalar_one()) for part in in_chunks(run_ids)
        )

    def names(self, project_id: int) -> tuple[str, ...]:
        """Return the names of the metrics that runs of a project have reported, by name."""
        last = schema.last_metrics
        mine = (
            select(last.c.name).join(schema.runs, _R.id == last.c.run_id).where(_R.project_id == project_id)
        )
        return tuple(self.connection.scalars(mine.distinct().order_by(last.c.name)))

    def after(self, run_id: int, after: int, most: int) -> list[MetricBlock]:
        """Return a run's next points.

        Args:
            run_id: The run.
            after: How many of its points are known already.
            most: How many are returned at most.
        """
        values = {"run": run_id, "after": after, "end": after + most}
        found: list[MetricBlock] = []
        for key, until, points, data in self.connection.execute(_AFTER, values):
            first = until - points
            found.append(unpack_block(data, key).part(after - first, after + most - first))
        return found

    def between(self, run_id: int, low: int, high: int, most: int) -> list[MetricBlock] | None:
        """Return the points that a run has reported from one step to another; None where there are more."""
        values = {"run": run_id, "low": low, "high": high}
        rows = self.connection.execute(_BETWEEN, values).all()
        if sum(row.points for row in rows if low <= row.lowest_step and row.highest_step <= high) > most:
            return None
        found: list[MetricBlock] = []
        for part in in_chunks([row.id for row in rows]):
            for block in self._blocks(part):
                found.append(block.between(low, high))
                most -= len(found[-1])
                if most < 0:
                    return None
        return found
