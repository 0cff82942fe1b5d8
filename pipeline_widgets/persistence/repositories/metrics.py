"""Metrics of runs, and samples of what their processes use: append-only, and many."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from heapq import merge
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Integer, bindparam, case, func, insert, literal, select, update

from pipeline_widgets.domain.text import replace_unencodable
from pipeline_widgets.domain.usage import Peak, Usage
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.repositories.base import Repository, in_chunks

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_R = schema.runs.c
_M = schema.metrics.c
_ADD = "INSERT INTO metrics (run_id, step, name, value, reported_at) VALUES (?, ?, ?, ?, ?)"
_KEEP_LAST = """INSERT INTO last_metrics (run_id, name, step, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (run_id, name) DO UPDATE SET step = excluded.step, value = excluded.value
    WHERE excluded.step >= last_metrics.step"""
_OF_RUNS = select(_M.id, _M.run_id, _M.step, _M.name, _M.value).where(_M.run_id.in_(_IDS)).order_by(_M.id)
_AFTER = (
    select(_M.id, _M.step, _M.name, _M.value, _M.reported_at)
    .where((_M.run_id == bindparam("run")) & (_M.id > bindparam("after")))
    .order_by(_M.id)
    .limit(bindparam("most", type_=Integer))
)
_BETWEEN = (
    select(_M.id, _M.step, _M.name, _M.value, _M.reported_at)
    .where((_M.run_id == bindparam("run")) & _M.step.between(bindparam("low"), bindparam("high")))
    .order_by(_M.id)
    .limit(bindparam("most", type_=Integer))
)
_U = schema.usage.c
_USAGE = (
    select(_U.seconds, _U.cpu, _U.memory, _U.gpu, _U.gpu_memory)
    .where(_U.run_id == bindparam("run"))
    .order_by(_U.id)
)

#: Step, name, value.
Metric: TypeAlias = tuple[int, str, float]
#: The id of a stored metric, its step, name and value, and when it was reported, in seconds since 1970.
MetricRow: TypeAlias = tuple[int, int, str, float | None, float | None]


class Metrics(Repository):
    """The metrics of runs, and the samples of what their processes use."""

    def add(self, run_id: int, metrics: Iterable[Metric], at: float | None = None) -> None:
        """Append metrics; NaN is stored as NULL, as SQLite has none.

        Args:
            run_id: The run.
            metrics: In the order of their report.
            at: When they were reported, in seconds since 1970; None where that is not known.
        """
        made = [
            (run_id, step, name, None if math.isnan(value) else value, at) for step, name, value in metrics
        ]
        if made:  # by the driver itself: SQLAlchemy would go through each value of each row
            names = {name: replace_unencodable(name) for name in {row[2] for row in made}}
            if any(name != clean for name, clean in names.items()):
                made = [(run, step, names[name], value, at) for run, step, name, value, _ in made]
            place = "?" if self.connection.dialect.paramstyle == "qmark" else "%s"
            self.connection.exec_driver_sql(_ADD.replace("?", place), made)
            last: dict[str, tuple[int, str, int, float | None]] = {}
            for run, step, name, value, _ in made:
                if name not in last or step >= last[name][2]:
                    last[name] = (run, name, step, value)
            self.connection.exec_driver_sql(_KEEP_LAST.replace("?", place), [*last.values()])

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
        rows = self.connection.execute(_USAGE, {"run": run_id})
        return tuple(Usage(*row) for row in rows)

    def of_runs(self, run_ids: Collection[int]) -> list[tuple[int, int, str, float]]:
        """Return run, step, name and value of all metrics, in the order of their report."""
        parts = [self.connection.execute(_OF_RUNS, {"ids": part}) for part in in_chunks(run_ids)]
        rows = parts[0] if len(parts) == 1 else merge(*parts, key=itemgetter(0))
        return [(run, step, name, math.nan if value is None else value) for _, run, step, name, value in rows]

    def count(self, run_ids: Collection[int]) -> int:
        """Return how many rows `of_runs` would."""
        counted = select(func.count()).where(_M.run_id.in_(_IDS))
        return sum(
            self.connection.execute(counted, {"ids": part}).scalar_one() for part in in_chunks(run_ids)
        )

    def names(self, project_id: int) -> tuple[str, ...]:
        """Return the names of the metrics that runs of a project have reported, by name."""
        last = schema.last_metrics
        mine = (
            select(last.c.name).join(schema.runs, _R.id == last.c.run_id).where(_R.project_id == project_id)
        )
        return tuple(self.connection.scalars(mine.distinct().order_by(last.c.name)))

    def after(self, run_id: int, after: int, most: int) -> list[MetricRow]:
        """Return a run's next metrics after the one of that id; a value of None is NaN."""
        values = {"run": run_id, "after": after, "most": most}
        return [tuple(row) for row in self.connection.execute(_AFTER, values)]

    def between(self, run_id: int, low: int, high: int, most: int) -> list[MetricRow]:
        """Return the same of the metrics that a run has reported from one step to another."""
        values = {"run": run_id, "low": low, "high": high, "most": most}
        return [tuple(row) for row in self.connection.execute(_BETWEEN, values)]
