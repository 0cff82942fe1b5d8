"""What runs saved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BindParameter, Executable, bindparam, delete, select
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

    def remove(self, checkpoint_id: int) -> None:
        """Delete a checkpoint's row."""
        self.connection.execute(delete(schema.checkpoints).where(schema.checkpoints.c.id == checkpoint_id))

    def _values(self, query: Executable, ids: Collection[int]) -> tuple[Checkpoint, ...]:
        listed = self._all(query, ids=list(ids)) if ids else ()
        return tuple(rows.checkpoint(row, self.root) for row in listed)
