"""Pipelines with their stages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import BindParameter, Executable, bindparam, delete, select, update

from pipeline_widgets.domain.chain import Pipeline, Stage
from pipeline_widgets.errors import StaleWriteError
from pipeline_widgets.persistence import rows, schema
from pipeline_widgets.persistence.repositories.base import Repository, found

_S = schema.stages.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_PIPELINES = select(schema.pipelines)
_ONE = _PIPELINES.where(schema.pipelines.c.id == bindparam("pipeline"))
_CHAINS = select(schema.stages).where(_S.pipeline_id.in_(_IDS)).order_by(_S.position)
_MARKS = select(_S.id, _S.held, _S.accepted_run_id, _S.accepted_state, _S.accepted_note).where(
    _S.id.in_(_IDS)
)
_HOLD = update(schema.stages).where(_S.id == bindparam("stage")).values(held=bindparam("reason"))


class Pipelines(Repository):
    """The pipelines of a workspace with their stages."""

    def add(self, project_id: int, name: str, description: str, revision: int) -> Pipeline:
        """Insert a pipeline without stages."""
        new = self._add(
            schema.pipelines,
            project_id=project_id,
            name=name,
            description=description,
            version=1,
            created_at=self.now,
            modified_at=self.now,
            revision=revision,
        )
        return self.get(new)

    def get(self, pipeline_id: int) -> Pipeline:
        """Return one pipeline; NotFoundError without it."""
        known = self._pipelines(_ONE, pipeline=pipeline_id)
        return known[0] if known else found(None, "pipeline")

    def of_stage(self, stage_id: int) -> Pipeline:
        """Return the pipeline in which a stage stands; NotFoundError without it."""
        columns = schema.stages.c
        home = self.connection.execute(select(columns.pipeline_id).where(columns.id == stage_id)).scalar()
        return self.get(found(home, "stage"))

    def of_project(self, project_id: int) -> tuple[Pipeline, ...]:
        """Return a project's pipelines in the order of their creation."""
        columns = schema.pipelines.c
        query = _PIPELINES.where(columns.project_id == project_id).order_by(columns.id)
        return self._pipelines(query)

    def using(self, experiment_id: int) -> tuple[Pipeline, ...]:
        """Return the pipelines with a stage that is bound to an experiment."""
        bound = select(schema.stages.c.pipeline_id).where(schema.stages.c.experiment_id == experiment_id)
        return self._pipelines(_PIPELINES.where(schema.pipelines.c.id.in_(bound)))

    def starting_from(self, agent_id: int) -> tuple[Pipeline, ...]:
        """Return the pipelines with a stage that starts from an agent."""
        bound = select(schema.stages.c.pipeline_id).where(schema.stages.c.start_agent_id == agent_id)
        return self._pipelines(_PIPELINES.where(schema.pipelines.c.id.in_(bound)))

    def save(self, pipeline: Pipeline, revision: int) -> Pipeline:
        """Store a pipeline that was edited from the version that it bears.

        Stages are updated by id, never deleted and inserted again, since runs refer to them.

        Raises:
            StaleWriteError: Somebody else has stored an edit meanwhile.
        """
        columns = schema.pipelines.c
        mine = (columns.id == pipeline.id) & (columns.version == pipeline.version)
        values = {"name": pipeline.name, "description": pipeline.description, "modified_at": self.now}
        raised = update(schema.pipelines).where(mine)
        raised = raised.values(version=pipeline.version + 1, revision=revision, **values)
        if self.connection.execute(raised).rowcount == 0:
            raise StaleWriteError(
                f"Pipeline {pipeline.name!r} was changed meanwhile.",
                "The edit was based on an older view of it.",
                "Look at it again and repeat the edit.",
            )
        stored = [self._store(pipeline.id, at, stage) for at, stage in enumerate(pipeline.stages)]
        stages = schema.stages.c
        gone = (stages.pipeline_id == pipeline.id) & stages.id.not_in([stage.id for stage in stored])
        self.connection.execute(delete(schema.stages).where(gone))
        return self.get(pipeline.id)

    def remove(self, pipeline_id: int) -> None:
        """Delete a pipeline and its stages; their runs stay."""
        self.connection.execute(delete(schema.stages).where(schema.stages.c.pipeline_id == pipeline_id))
        self.connection.execute(delete(schema.pipelines).where(schema.pipelines.c.id == pipeline_id))

    def hold(self, stage_id: int, reason: str | None) -> None:
        """Keep the reason why an Auto stage could not start; None clears it."""
        self._done(_HOLD, stage=stage_id, reason=reason)

    def accept(self, stage_id: int, run_id: int, state: str, note: str) -> None:
        """Keep that a stage's run counts as fresh for that state of what lies upstream."""
        accepted = update(schema.stages).where(schema.stages.c.id == stage_id)
        accepted = accepted.values(accepted_run_id=run_id, accepted_state=state)
        self.connection.execute(accepted.values(accepted_note=note, accepted_at=self.now))

    def marks(self, stage_ids: Collection[int]) -> dict[int, rows.Row]:
        """Return, by stage, why it is held and what was accepted as fresh."""
        return {row["id"]: row for row in self._all(_MARKS, ids=list(stage_ids))}

    def _store(self, pipeline_id: int, position: int, stage: Stage) -> Stage:
        values = {**rows.stage_to_row(stage), "pipeline_id": pipeline_id, "position": position}
        if not stage.id:
            return replace(stage, id=self._add(schema.stages, **values))
        self.connection.execute(update(schema.stages).where(schema.stages.c.id == stage.id).values(**values))
        return stage

    def _pipelines(self, query: Executable, **values: object) -> tuple[Pipeline, ...]:
        listed = self._all(query, **values)
        ids = [row["id"] for row in listed]
        stages: dict[int, list[Stage]] = {each: [] for each in ids}
        for row in self._all(_CHAINS, ids=ids) if ids else ():
            stages[row["pipeline_id"]].append(rows.stage(row))
        return tuple(
            Pipeline(
                id=row["id"],
                project_id=row["project_id"],
                name=row["name"],
                description=row["description"],
                stages=tuple(stages[row["id"]]),
                version=row["version"],
                created_at=rows.moment(row["created_at"]),
                modified_at=rows.moment(row["modified_at"]),
            )
            for row in listed
        )
