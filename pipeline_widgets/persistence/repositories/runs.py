"""Runs, their metrics and checkpoints. Whoever carries a run out writes through its token (a fence)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from pipeline_widgets.domain.experiment import Checkpoint
from pipeline_widgets.domain.liveness import Lease
from pipeline_widgets.domain.run import ACTIVE, NEXT, Run, Status, check_transition
from pipeline_widgets.errors import ConflictError
from pipeline_widgets.persistence import rows, schema
from pipeline_widgets.persistence.repositories.base import Repository, found

_C = schema.runs.c
# Built once: what a statement costs is mostly its making.
_RUNS = select(schema.runs)
_CHECKPOINTS = select(schema.checkpoints)
_ACTIVE = tuple(sorted(status.value for status in ACTIVE))

#: Step, name, value.
Metric: TypeAlias = tuple[int, str, float]


class Runs(Repository):
    """The runs of a workspace: append-only, moved along by compare and set."""

    def add(self, **values: object) -> Run:
        """Insert a Pending run with the next number of its experiment, or of its Deployment stage."""
        experiment_id = values.get("experiment_id")
        mine = _C.stage_id == values.get("stage_id")
        if experiment_id is not None:
            mine = _C.experiment_id == experiment_id
        last = select(func.coalesce(func.max(_C.number), 0)).where(mine)
        number = int(self.connection.execute(last).scalar_one()) + 1
        status = Status.PENDING.value
        new = self._add(schema.runs, **values, number=number, status=status, created_at=self.now, launches=0)
        return self.get(new)

    def get(self, run_id: int) -> Run:
        """Return one run; NotFoundError without it."""
        return rows.run(found(self._first(_RUNS.where(_C.id == run_id)), "run"))

    def lease(self, run_id: int) -> Lease:
        """Return who carries out a run; NotFoundError without it."""
        return rows.lease(found(self._first(_RUNS.where(_C.id == run_id)), "run"))

    def by_id(self, ids: Collection[int]) -> dict[int, Run]:
        """Return runs by id."""
        return {run.id: run for run in self._where(_C.id.in_(ids))} if ids else {}

    def of_stage(self, stage_id: int) -> tuple[Run, ...]:
        """Return the runs of a stage, oldest first."""
        return self._where(_C.stage_id == stage_id)

    def of_experiment(self, experiment_id: int) -> tuple[Run, ...]:
        """Return the runs of an experiment, in whatever stage, oldest first."""
        return self._where(_C.experiment_id == experiment_id)

    def of_project(self, project_id: int) -> tuple[Run, ...]:
        """Return the runs of a project, oldest first."""
        return self._where(_C.project_id == project_id)

    def active(self) -> tuple[Lease, ...]:
        """Return who carries out each active run of the workspace."""
        query = _RUNS.where(_C.status.in_(_ACTIVE)).order_by(_C.id)
        return tuple(map(rows.lease, self._all(query)))

    def active_of_experiments(self, ids: Collection[int]) -> dict[int, Run]:
        """Return the active run of each of those experiments that has one."""
        found_runs = self._where(_C.experiment_id.in_(ids) & _C.status.in_(_ACTIVE)) if ids else ()
        return {run.experiment_id: run for run in found_runs if run.experiment_id is not None}

    def telling(self, stage_ids: Collection[int]) -> tuple[Run, ...]:
        """Return the runs that tell the state of stages.

        They are, for each stage and experiment, the latest of each status, without and with a checkpoint.
        """
        saved = select(schema.checkpoints.c.id).where(schema.checkpoints.c.run_id == _C.id).exists()
        latest = select(func.max(_C.id)).where(_C.stage_id.in_(stage_ids))
        latest = latest.group_by(_C.stage_id, _C.experiment_id, _C.status, saved)
        return self._where(_C.id.in_(latest)) if stage_ids else ()

    def move(self, run: Run, status: Status, revision: int, **values: object) -> Run:
        """Move a run on.

        Raises:
            TransitionError: The table of transitions does not allow it.
            ConflictError: Somebody else moved it meanwhile.
        """
        check_transition(run.status, status)
        if not self._set((_C.id == run.id) & (_C.status == run.status.value), status, revision, values):
            what = f"{run.label.capitalize()} was changed meanwhile."
            raise ConflictError(what, fix="Look at it again and repeat what you did.")
        return self.get(run.id)

    def fenced(self, run_id: int, token: str, status: Status, revision: int, **values: object) -> bool:
        """Move a run on as the process that holds `token`; False if that process was given up."""
        before = [each.value for each, after in NEXT.items() if status in after]
        mine = (_C.id == run_id) & (_C.token == token) & _C.status.in_(before)
        return self._set(mine, status, revision, values)

    def note(self, run_id: int, token: str, **values: object) -> bool:
        """Write columns as the process that holds `token`; False if that process was given up."""
        mine = (_C.id == run_id) & (_C.token == token) & _C.status.in_(_ACTIVE)
        return self.connection.execute(update(schema.runs).where(mine).values(**values)).rowcount == 1

    def take(self, run_id: int, **owner: object) -> bool:
        """Lease a Pending run that nobody holds; False if somebody does."""
        free = (_C.id == run_id) & (_C.status == Status.PENDING.value) & _C.token.is_(None)
        taken = update(schema.runs).where(free).values(beat_at=self.now, **owner)
        return self.connection.execute(taken).rowcount == 1

    def launched(self, lease: Lease) -> bool:
        """Count one more launch of a Pending run, and free it; False if somebody else was faster."""
        same = (_C.id == lease.run_id) & (_C.status == Status.PENDING.value)
        token = _C.token.is_(None) if lease.token is None else _C.token == lease.token
        counted = update(schema.runs).where(same & token & (_C.launches == lease.launches))
        counted = counted.values(launches=lease.launches + 1, launched_at=self.now, token=None, pid=None)
        return self.connection.execute(counted).rowcount == 1

    def status_under(self, run_id: int, token: str) -> Status | None:
        """Return the status as the process that holds `token` sees it; None if it was given up."""
        query = select(_C.status).where((_C.id == run_id) & (_C.token == token))
        status = self.connection.execute(query).scalar()
        return None if status is None else Status(status)

    def using(self, checkpoint_ids: Collection[int]) -> tuple[Run, ...]:
        """Return the runs that started from, or consumed, one of those checkpoints."""
        ids = list(checkpoint_ids)
        return self._where(_C.start_checkpoint_id.in_(ids) | _C.source_checkpoint_id.in_(ids))

    def remove_of_experiment(self, experiment_id: int) -> None:
        """Delete an experiment's runs with their metrics and checkpoints' rows."""
        ids = select(_C.id).where(_C.experiment_id == experiment_id)
        for table in (schema.metrics, schema.checkpoints):
            self.connection.execute(delete(table).where(table.c.run_id.in_(ids)))
        unlinked = update(schema.runs).where(_C.experiment_id == experiment_id)
        self.connection.execute(unlinked.values(resumed_run_id=None, source_run_id=None))
        self.connection.execute(delete(schema.runs).where(_C.experiment_id == experiment_id))

    def add_metrics(self, run_id: int, metrics: Iterable[Metric]) -> None:
        """Append metrics; NaN is stored as NULL, as SQLite has none."""
        made = [
            {"run_id": run_id, "step": step, "name": name, "value": None if math.isnan(value) else value}
            for step, name, value in metrics
        ]
        if made:
            self.connection.execute(insert(schema.metrics), made)

    def metrics(self, run_ids: Collection[int]) -> list[tuple[int, int, str, float]]:
        """Return run, step, name and value of all metrics, in the order of their report."""
        columns = schema.metrics.c
        query = select(columns.run_id, columns.step, columns.name, columns.value)
        listed = self.connection.execute(query.where(columns.run_id.in_(run_ids)).order_by(columns.id))
        return [(run, step, name, math.nan if value is None else value) for run, step, name, value in listed]

    def _where(self, condition: ColumnElement[bool]) -> tuple[Run, ...]:
        return tuple(map(rows.run, self._all(_RUNS.where(condition).order_by(_C.id))))

    def _set(
        self, mine: ColumnElement[bool], status: Status, revision: int, values: Mapping[str, Any]
    ) -> bool:
        ended = {"finished_at": self.now} if status.finished else {}
        moved = update(schema.runs).where(mine).values(status=status.value, revision=revision)
        return self.connection.execute(moved.values(**ended, **values)).rowcount == 1


class Checkpoints(Repository):
    """What runs saved."""

    def add(self, run_id: int, **values: object) -> None:
        """Insert a checkpoint, or replace the one that the run saved at the same step before."""
        columns = schema.checkpoints.c
        same = (columns.run_id == run_id) & (columns.step == values["step"])
        replaced = update(schema.checkpoints).where(same).values(**values, created_at=self.now)
        if self.connection.execute(replaced).rowcount == 0:
            self._add(schema.checkpoints, run_id=run_id, created_at=self.now, **values)

    def get(self, checkpoint_id: int) -> Checkpoint:
        """Return one checkpoint; NotFoundError without it."""
        known = self.by_id([checkpoint_id])
        return known.get(checkpoint_id) or found(None, "checkpoint")

    def by_id(self, ids: Collection[int]) -> dict[int, Checkpoint]:
        """Return checkpoints by id."""
        return {each.id: each for each in self._where(schema.checkpoints.c.id.in_(ids))} if ids else {}

    def of_runs(self, run_ids: Collection[int]) -> tuple[Checkpoint, ...]:
        """Return what runs saved, in the order of their steps."""
        return self._where(schema.checkpoints.c.run_id.in_(run_ids)) if run_ids else ()

    def remove(self, checkpoint_id: int) -> None:
        """Delete a checkpoint's row."""
        self.connection.execute(delete(schema.checkpoints).where(schema.checkpoints.c.id == checkpoint_id))

    def _where(self, condition: ColumnElement[bool]) -> tuple[Checkpoint, ...]:
        columns = schema.checkpoints.c
        query = _CHECKPOINTS.where(condition).order_by(columns.step, columns.id)
        return tuple(rows.checkpoint(row, self.root) for row in self._all(query))
