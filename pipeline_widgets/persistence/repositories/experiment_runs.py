"""What the runs of an experiment come to, as columns of statements about experiments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, func, select

from pipeline_widgets.persistence import schema

_R = schema.runs.c


def of_runs(value: ColumnElement[Any], home: FromClause = schema.runs) -> ColumnElement[Any]:
    """Return an aggregate over the runs of an experiment.

    Args:
        value: The aggregate.
        home: The runs, or what they are joined with.
    """
    mine = _R.experiment_id == schema.experiments.c.id
    return select(value).select_from(home).where(mine).correlate(schema.experiments).scalar_subquery()


#: The id and the status of its latest run; NULL where it has none.
LATEST_RUN = of_runs(func.max(_R.id))
LATEST_STATUS = select(_R.status).where(_R.id == LATEST_RUN).correlate(schema.experiments).scalar_subquery()
