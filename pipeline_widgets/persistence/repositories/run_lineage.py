"""The ancestors and descendants of runs, however many lie between, by one query."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, bindparam, func, select

from pipeline_widgets.persistence import schema

_RUNS, _R, _C = select(schema.runs), schema.runs.c, schema.checkpoints.c
_A = schema.algorithms.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)

_resumed = select(_R.id, _R.resumed_run_id).where(_R.id.in_(_IDS)).cte(recursive=True)
_resumed = _resumed.union(select(_R.id, _R.resumed_run_id).join(_resumed, _R.id == _resumed.c.resumed_run_id))
#: The runs of those ids, those that they resumed, those that these resumed, and so on.
RESUMED = _RUNS.where(_R.id.in_(select(_resumed.c.id)))

_later = select(_R.id).where(_R.id.in_(_IDS)).cte(recursive=True)
_later = _later.union(select(_R.id).join(_later, _R.resumed_run_id == _later.c.id))
#: The runs of those ids, those that resumed them, those that resumed these, and so on.
RESUMING = _RUNS.where(_R.id.in_(select(_later.c.id))).order_by(_R.id)

_before = select(_R.id).where(_R.id.in_(_IDS)).cte(recursive=True)
_before = _before.union(
    select(_C.run_id).join(schema.runs, _R.start_checkpoint_id == _C.id).join(_before, _before.c.id == _R.id)
)
#: The runs of those ids, those that saved what they started from, and so on.
ANCESTORS = _RUNS.where(_R.id.in_(select(_before.c.id)))

_earlier = select(_R.algorithm_id).where(_R.id.in_(select(_before.c.id)))
#: The code kept by value of those runs but one, latest first, up to so many characters each.
EARLIER_CODE = (
    select(_A.path, _A.root, _A.value, _A.python)
    .where(_A.id.in_(_earlier), _A.id != bindparam("own"), func.length(_A.value) <= bindparam("most"))
    .order_by(_A.id.desc())
)

_after = select(_R.id).where(_R.start_checkpoint_id.in_(_IDS)).cte(recursive=True)
_after = _after.union(
    select(_R.id)
    .join(schema.checkpoints, _R.start_checkpoint_id == _C.id)
    .join(_after, _after.c.id == _C.run_id)
)
#: The runs that started from checkpoints of those ids, those that started from what these saved, and so on.
DESCENDANTS = _RUNS.where(_R.id.in_(select(_after.c.id)))
