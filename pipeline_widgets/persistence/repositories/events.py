"""What was done to pipelines: by whom, what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from pipeline_widgets.domain.chain import Stage
from pipeline_widgets.domain.history import Event
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository

_E, _R = schema.events.c, schema.runs.c
_ADD = insert(schema.events)
_LAST_EDIT = (
    select(schema.events)
    .where(_E.pipeline_id == bindparam("pipeline"), _E.before.is_not(None))
    .order_by(_E.id.desc())
    .limit(1)
)


class Events(Repository):
    """The history of pipelines."""

    def add(
        self,
        project_id: int,
        pipeline_id: int | None,
        who: str,
        what: str,
        *,
        before: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> None:
        """Append an event; with what was before and the version after it, it can be undone."""
        values = {"project_id": project_id, "pipeline_id": pipeline_id, "at": self.now, "who": who}
        self.connection.execute(_ADD, {**values, "what": what, "before": before, "version": version})

    def of_pipeline(self, pipeline_id: int, last: int | None = None) -> tuple[Event, ...]:
        """Return what was done to a pipeline, or the last of it, oldest first."""
        columns = (_E.id, _E.at, _E.who, _E.what)
        query = select(*columns).where(_E.pipeline_id == pipeline_id).order_by(_E.id.desc()).limit(last)
        return tuple(
            Event(id=row["id"], at=row_mapping.to_datetime(row["at"]), who=row["who"], what=row["what"])
            for row in reversed(self._all(query))
        )

    def last_edit(self, pipeline_id: int) -> row_mapping.Row | None:
        """Return the row of the last edit of a pipeline."""
        return self._first(_LAST_EDIT, pipeline=pipeline_id)

    def forget_before(self, pipeline_id: int, kept: int) -> None:
        """Drop what was before from all edits but one: only the last can be undone."""
        old = update(schema.events).where(
            _E.pipeline_id == pipeline_id, _E.before.is_not(None), _E.id != kept
        )
        self.connection.execute(old.values(before=None))

    def runs_of(self, stage_ids: Sequence[int]) -> dict[int, list[int]]:
        """Return the runs of stages, which lose their stage when that is deleted."""
        found: dict[int, list[int]] = {each: [] for each in stage_ids}
        for row in self._all(select(_R.id, _R.stage_id).where(_R.stage_id.in_(stage_ids))):
            found[row["stage_id"]].append(row["id"])
        return found

    def restore_runs(self, runs: Mapping[int, Sequence[int]], pipeline_id: int) -> None:
        """Let runs be those of stages that are there again."""
        for stage_id, ids in runs.items():
            lost = update(schema.runs).where(_R.id.in_(ids), _R.stage_id.is_(None))
            self.connection.execute(lost.values(stage_id=stage_id, pipeline_id=pipeline_id))


def stages_to_plain(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Return stages as JSON, with their ids."""
    return [{"id": stage.id, **row_mapping.stage_to_row(stage)} for stage in stages]


def stages_from_plain(plain: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
    """Return the stages that `stages_to_plain` has made JSON of."""
    return tuple(row_mapping.to_stage(each) for each in plain)
