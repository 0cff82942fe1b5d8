"""What runs saved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    Integer,
    Select,
    bindparam,
    case,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from pipeline_widgets.domain.experiment import Checkpoint
from pipeline_widgets.persistence import rows, schema
from pipeline_widgets.persistence.repositories.base import Repository, found

_C = schema.checkpoints.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_SORTED = select(schema.checkpoints).order_by(_C.step, _C.id)
_BY_ID, _OF_RUNS = _SORTED.where(_C.id.in_(_IDS)), _SORTED.where(_C.run_id.in_(_IDS))
_KEY = ("run_id", "step")
_STORED = tuple(column.name for column in _C if column.name not in {"id", *_KEY})
_INFINITY = float("inf")


def _extremes(score: ColumnElement[float], name: str) -> tuple[ColumnElement[float], ColumnElement[float]]:
    """The lowest and the highest of a score; NaN and infinities count as none."""
    finite = case(((score > -_INFINITY) & (score < _INFINITY), score))
    return func.min(finite).label(f"lowest_{name}"), func.max(finite).label(f"highest_{name}")


_EVALUATION, _TRAINING = (
    _extremes(_C.evaluation_score, "evaluation"),
    _extremes(_C.training_score, "training"),
)
_SAVED_BY = schema.checkpoints.join(schema.runs, schema.runs.c.id == _C.run_id)
_BY_EXPERIMENT = (
    select(schema.runs.c.experiment_id, *_EVALUATION)
    .select_from(_SAVED_BY)
    .where(schema.runs.c.project_id == bindparam("project"))
    .group_by(schema.runs.c.experiment_id)
)
_BY_RUN = (
    select(_C.run_id, func.count().label("checkpoints"), *_EVALUATION, *_TRAINING)
    .select_from(_SAVED_BY)
    .where(schema.runs.c.experiment_id.in_(_IDS))
    .group_by(_C.run_id)
)

_COUNTED = (
    select(_C.run_id, func.count().label("checkpoints"))
    .select_from(_SAVED_BY)
    .where(schema.runs.c.experiment_id.in_(_IDS))
    .group_by(_C.run_id)
)
_OF_EXPERIMENT = (
    select(schema.checkpoints)
    .select_from(_SAVED_BY)
    .where(schema.runs.c.experiment_id == bindparam("experiment"))
)
_LATEST = _OF_EXPERIMENT.order_by(_C.run_id.desc(), _C.step.desc()).limit(bindparam("most", type_=Integer))


def _by_score(score: ColumnElement[float], *, higher: bool) -> Select[Any]:
    """The best by a score: NaN and infinities never win, ties go to the later step, and the later run."""
    scored = _OF_EXPERIMENT.where((score > -_INFINITY) & (score < _INFINITY))
    best = score.desc() if higher else score.asc()
    return scored.order_by(best, _C.step.desc(), _C.run_id.desc()).limit(1)


_BEST = {
    higher: tuple(_by_score(score, higher=higher) for score in (_C.evaluation_score, _C.training_score))
    for higher in (True, False)
}


def _upsert(made: sqlite.Insert | postgresql.Insert) -> Executable:
    replaced = {name: made.excluded[name] for name in _STORED}
    return made.on_conflict_do_update(index_elements=_KEY, set_=replaced)


_UPSERT = {
    "sqlite": _upsert(sqlite.insert(schema.checkpoints)),
    "postgresql": _upsert(postgresql.insert(schema.checkpoints)),
}


class Checkpoints(Repository):
    """What runs saved."""

    def add(self, run_id: int, **values: object) -> None:
        """Insert a checkpoint, or replace the one that the run saved at the same step before."""
        upsert = _UPSERT[self.connection.dialect.name]
        self.connection.execute(upsert, {"run_id": run_id, "created_at": self.now, **values})

    def get(self, checkpoint_id: int) -> Checkpoint:
        """Return one checkpoint; NotFoundError without it."""
        known = self.by_id([checkpoint_id])
        return known.get(checkpoint_id) or found(None, "checkpoint")

    def by_id(self, ids: Collection[int]) -> dict[int, Checkpoint]:
        """Return checkpoints by id."""
        return {each.id: each for each in self._values(_BY_ID, ids)}

    def of_runs(self, run_ids: Collection[int]) -> tuple[Checkpoint, ...]:
        """Return what runs saved, in the order of their steps."""
        return self._values(_OF_RUNS, run_ids)

    def scores_of_experiments(self, project_id: int) -> dict[int, rows.Row]:
        """Return the lowest and highest evaluation score of each experiment of a project that saved any."""
        return {row["experiment_id"]: row for row in self._all(_BY_EXPERIMENT, project=project_id)}

    def scores_of_runs(self, experiment_ids: Collection[int]) -> dict[int, rows.Row]:
        """Return, for each run of those experiments that saved any, how many, and their extreme scores."""
        return {row["run_id"]: row for row in self._all(_BY_RUN, ids=list(experiment_ids))}

    def counted(self, experiment_ids: Collection[int]) -> dict[int, int]:
        """Return, for each run of those experiments of which something is saved, how many checkpoints."""
        return {row["run_id"]: row["checkpoints"] for row in self._all(_COUNTED, ids=list(experiment_ids))}

    def latest(self, experiment_id: int, most: int) -> tuple[Checkpoint, ...]:
        """Return what an experiment saved last: the latest run first, and of one run the latest step."""
        listed = self._all(_LATEST, experiment=experiment_id, most=most)
        return tuple(rows.checkpoint(row, self.root) for row in listed)

    def best(self, experiment_id: int, *, higher_is_better: bool) -> Checkpoint | None:
        """Return the best of all that an experiment saved; None where nothing has a score."""
        asked = (self._first(query, experiment=experiment_id) for query in _BEST[higher_is_better])
        row = next((row for row in asked if row is not None), None)
        return rows.checkpoint(row, self.root) if row is not None else None

    def any(self) -> bool:
        """Whether anything was ever saved, and is still there."""
        return self._first(select(_C.id).limit(1)) is not None

    def remove(self, checkpoint_id: int) -> None:
        """Delete a checkpoint's row."""
        self.connection.execute(delete(schema.checkpoints).where(schema.checkpoints.c.id == checkpoint_id))

    def _values(self, query: Executable, ids: Collection[int]) -> tuple[Checkpoint, ...]:
        listed = self._all(query, ids=list(ids)) if ids else ()
        return tuple(rows.checkpoint(row, self.root) for row in listed)
