"""Pipelines with their stages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import BindParameter, ColumnElement, Executable, bindparam, delete, func, select, update

from pipeline_widgets.domain.chain import Pipeline, Stage, Trigger
from pipeline_widgets.domain.run import Status
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import (
    NamedRow,
    Repository,
    in_chunks,
    require,
    require_one,
)
from pipeline_widgets.persistence.repositories.experiment_runs import of_runs

if TYPE_CHECKING:
    from pipeline_widgets.domain.filtering import Condition, Filter
    from pipeline_widgets.domain.history import StageMarks
    from pipeline_widgets.domain.overview import StageScore
    from pipeline_widgets.domain.rollup import StageSummary

_P, _S, _R, _E = schema.pipelines.c, schema.stages.c, schema.runs.c, schema.experiments.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_PIPELINES = select(schema.pipelines)
_ONE = _PIPELINES.where(_P.id == bindparam("pipeline"))
_BY_ID = _PIPELINES.where(_P.id.in_(_IDS)).order_by(_P.id)
_BINDING = select(_S.pipeline_id).where(_S.experiment_id.in_(_IDS)).distinct()
_NAMED = select(_P.id, _P.name).where(
    (_P.project_id == bindparam("project")) & _P.name.in_(bindparam("names", expanding=True))
)
_CHAINS = select(schema.stages).where(_S.pipeline_id.in_(_IDS)).order_by(_S.position)
_MOVE = update(schema.stages).where(_S.id == bindparam("stage")).values(position=bindparam("at"))
_REMOVE_STAGES = delete(schema.stages).where(_S.id.in_(_IDS))
_HOLD = update(schema.stages).where(_S.id == bindparam("stage")).values(held=bindparam("reason"))
_TOUCH = (
    update(schema.pipelines)
    .where(_P.id == bindparam("pipeline"))
    .values(
        modified_at=bindparam("now"),
        revision=select(schema.projects.c.revision)
        .where(schema.projects.c.id == _P.project_id)
        .scalar_subquery(),
    )
)

_MINE = (_R.stage_id == _S.id) & _R.experiment_id.is_not_distinct_from(_S.experiment_id)
_LATEST = select(func.max(_R.id)).where(_MINE).correlate(schema.stages).scalar_subquery()
#: The status of a stage: of its latest run with the experiment that it has now; NULL is Draft.
STAGE_STATUS = select(_R.status).where(_R.id == _LATEST).correlate(schema.stages).scalar_subquery()
#: The stages with their experiments, whose names are theirs.
NAMED_STAGES = schema.stages.outerjoin(schema.experiments, _E.id == _S.experiment_id)
_SUMMARIES = (
    select(_S.pipeline_id, func.coalesce(_E.name, _S.agent_name), STAGE_STATUS, _S.trigger, _S.held)
    .select_from(NAMED_STAGES)
    .order_by(_S.pipeline_id, _S.position)
)
_HOME = select(_S.pipeline_id).where(_S.id == bindparam("stage"))
_ONE_WITH_STAGE = _PIPELINES.where(_P.id == _HOME.scalar_subquery())
_STAGE_STATUSES = select(_S.id, STAGE_STATUS.label("status")).where(_S.id.in_(_IDS))
_STAGE = select(schema.stages).where(_S.id == bindparam("stage"))
_SUMMARY = _SUMMARIES.where(_S.id == bindparam("stage"))
_NAMES = (
    select(_S.id, func.coalesce(_E.name, _S.agent_name).label("name"))
    .select_from(NAMED_STAGES)
    .where(_S.pipeline_id == bindparam("pipeline"))
    .order_by(_S.position)
)
_OTHER = schema.stages.alias()
_ELSEWHERE = select(_OTHER.c.id).where(
    (_OTHER.c.experiment_id == _S.experiment_id) & (_OTHER.c.pipeline_id != _S.pipeline_id)
)
_SHARED = (
    select(_S.pipeline_id, _E.name)
    .select_from(NAMED_STAGES)
    .where(_S.pipeline_id.in_(_IDS) & _ELSEWHERE.exists())
    .order_by(_S.pipeline_id, _S.position)
)

_STAGE_SCORES = (
    select(
        _S.pipeline_id,
        _S.position,
        _E.name,
        of_runs(func.min(_R.lowest_evaluation)),
        of_runs(func.max(_R.highest_evaluation)),
        schema.algorithms.c.spec["score"].as_string(),
    )
    .select_from(
        schema.stages.join(schema.pipelines, _P.id == _S.pipeline_id)
        .join(schema.experiments, _E.id == _S.experiment_id)
        .join(schema.algorithms, schema.algorithms.c.id == _E.algorithm_id)
    )
    .order_by(_S.pipeline_id, _S.position)
)

# Looked up for each stage of a long list: calling an enumeration takes five times as long.
_STATUSES: dict[str | None, Status] = {None: Status.DRAFT, **{each.value: each for each in Status}}
_TRIGGERS = {each.value: each for each in Trigger}

#: Finds the pipelines for which a condition holds on what rules compute, such as a status.
Computed: TypeAlias = "Callable[[Condition], Collection[int]]"
#: By what the database itself sorts a list of pipelines.
Order: TypeAlias = Literal["modified", "name", "created"]
_ORDERS: dict[Order, ColumnElement[Any]] = {
    "modified": _P.modified_at,
    "name": func.lower(_P.name),
    "created": _P.created_at,
}
_DEPLOYED_NAMES = select(_S.agent_name).where(_S.agent_name.is_not(None)).distinct()


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

    def get(self, pipeline_id: int, known: Pipeline | None = None) -> Pipeline:
        """Return one pipeline; NotFoundError without it.

        Args:
            pipeline_id: The pipeline.
            known: A pipeline that was read before: if it is this one, the stages of its version are not read
                again. Every edit of a stage raises the version.
        """
        return require_one(self._pipelines(_ONE, known, pipeline=pipeline_id), "pipeline")

    def of_stage(self, stage_id: int) -> Pipeline:
        """Return the pipeline in which a stage stands; NotFoundError without it."""
        return require_one(self._pipelines(_ONE_WITH_STAGE, stage=stage_id), "stage")

    def of_project(self, project_id: int) -> tuple[Pipeline, ...]:
        """Return a project's pipelines in the order of their creation."""
        columns = schema.pipelines.c
        query = _PIPELINES.where(columns.project_id == project_id).order_by(columns.id)
        return self._pipelines(query)

    def by_id(self, ids: Collection[int]) -> dict[int, Pipeline]:
        """Return pipelines by id."""
        return {each.id: each for part in in_chunks(ids) for each in self._pipelines(_BY_ID, ids=part)}

    def named(self, project_id: int, names: Collection[str]) -> tuple[NamedRow, ...]:
        """Return which of a project's pipelines bear one of those names."""
        return self._bearers(_NAMED, project=project_id, names=list(names))

    def count(self, project_id: int) -> int:
        """Return how many pipelines a project has."""
        return self._count(select(func.count()).where(_P.project_id == project_id))

    def ids(
        self,
        project_id: int,
        where: Filter,
        order: Order,
        *,
        descending: bool,
        computed: Computed,
    ) -> tuple[int, ...]:
        """Return, in that order, the pipelines of a project for which a filter holds.

        Args:
            project_id: The project.
            where: The filter.
            order: By what they are sorted.
            descending: Whether the latest, or the last in the alphabet, comes first.
            computed: Finds the pipelines for which a condition on what rules compute holds.
        """
        keys = [key.desc() if descending else key.asc() for key in (_ORDERS[order], _P.id)]
        matching = select(_P.id).where(self._matching(project_id, where, computed))
        return tuple(self.connection.scalars(matching.order_by(*keys)))

    def names(self, project_id: int, where: Filter, *, computed: Computed) -> tuple[NamedRow, ...]:
        """Return the names of a project's pipelines for which a filter holds, as they were created.

        Args:
            project_id: The project.
            where: The filter.
            computed: As of `ids`.
        """
        matching = select(_P.id, _P.name).where(self._matching(project_id, where, computed))
        return self._bearers(matching.order_by(_P.id))

    def stage_scores(self, project_id: int, ids: Collection[int] | None = None) -> dict[int, StageScore]:
        """Return, by pipeline, the best score of its last stage with one; of all in a project by default."""
        from pipeline_widgets.domain.overview import StageScore  # noqa: PLC0415  not before Running

        found: dict[int, StageScore] = {}
        queries = [_STAGE_SCORES.where(_P.project_id == project_id)]
        if ids is not None:
            queries = [_STAGE_SCORES.where(_S.pipeline_id.in_(part)) for part in in_chunks(ids)]
        for query in queries:
            for pipeline_id, position, name, low, high, direction in self.connection.execute(query):
                score = low if direction == "min" else high
                if score is not None:  # in the order of the stages: the last one counts
                    found[pipeline_id] = StageScore(position=position, name=name, score=score)
        return found

    def summaries(self, ids: Collection[int]) -> dict[int, list[StageSummary]]:
        """Return what the roll-ups of those pipelines ask for, by pipeline."""
        found: dict[int, list[StageSummary]] = {}
        for part in in_chunks(ids):
            found |= self._summaries(_S.pipeline_id.in_(part))
        return found

    def all_summaries(self, project_id: int) -> dict[int, list[StageSummary]]:
        """Return what the roll-ups of a project's pipelines ask for; those without stages are left out."""
        mine = select(_P.id).where(_P.project_id == project_id)
        return self._summaries(_S.pipeline_id.in_(mine))

    def pipeline_id_of(self, stage_id: int) -> int:
        """Return the id of the pipeline in which a stage stands; NotFoundError without it."""
        return require(self._first(_HOME, stage=stage_id), "stage")["pipeline_id"]

    def statuses(self, stage_ids: Collection[int]) -> dict[int, Status]:
        """Return the statuses of stages by id: of their latest run with the experiment that they have now."""
        return {row["id"]: _STATUSES[row["status"]] for row in self._of(_STAGE_STATUSES, stage_ids)}

    def stage(self, stage_id: int) -> tuple[Stage, int]:
        """Return one stage, and its position; NotFoundError without it."""
        row = require(self._first(_STAGE, stage=stage_id), "stage")
        return row_mapping.to_stage(row), row["position"]

    def summary(self, stage_id: int) -> StageSummary:
        """Return the name and the status of one stage; NotFoundError without it."""
        rows = self.connection.execute(_SUMMARY, {"stage": stage_id})
        return require(next((_to_summary(*row) for _, *row in rows), None), "stage")

    def stage_names(self, pipeline_id: int) -> dict[int, str]:
        """Return the names of a pipeline's stages by id, in their order; none where it is gone."""
        return {row["id"]: row["name"] for row in self._all(_NAMES, pipeline=pipeline_id)}

    def shared(self, ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Return, by pipeline, the names of its experiments that other pipelines use as well."""
        return self._names(_SHARED, ids)

    def using(self, experiment_id: int) -> tuple[Pipeline, ...]:
        """Return the pipelines with a stage that is bound to an experiment."""
        return self._with_stage(_S.experiment_id == experiment_id)

    def binding(self, experiment_ids: Collection[int]) -> dict[int, Pipeline]:
        """Return the pipelines with a stage that is bound to one of those experiments, by id."""
        return self.by_id({row["pipeline_id"] for row in self._of(_BINDING, experiment_ids)})

    def deployed_agent_names(self) -> frozenset[str]:
        """Return the names of the agents that the Deployment stages of all projects deploy to."""
        return frozenset(self.connection.scalars(_DEPLOYED_NAMES))

    def starting_from(self, agent_id: int) -> tuple[Pipeline, ...]:
        """Return the pipelines with a stage that starts from an agent."""
        return self._with_stage(_S.start_agent_id == agent_id)

    def save(self, pipeline: Pipeline, revision: int, *, before: Pipeline) -> Pipeline:
        """Store a pipeline that was edited from the version that it bears; of its stages what has changed.

        Stages are updated by id, never deleted and inserted again, since runs refer to them.

        Args:
            pipeline: The pipeline after the edit.
            revision: The revision of its project.
            before: The pipeline as it was read in this transaction.

        Raises:
            StaleWriteError: Somebody else has stored an edit meanwhile.
        """
        texts = {"name": pipeline.name, "description": pipeline.description, "score_by": pipeline.score_by}
        self._edit(schema.pipelines, pipeline, **texts, modified_at=self.now, revision=revision)
        old = {stage.id: (at, stage) for at, stage in enumerate(before.stages)}
        moved: list[dict[str, int]] = []
        for at, stage in enumerate(pipeline.stages):
            old_at, same = old.pop(stage.id, (None, None))
            if stage != same:
                self._store(pipeline.id, at, stage)
            elif at != old_at:
                moved.append({"stage": stage.id, "at": at})
        if moved:
            self.connection.execute(_MOVE, moved)
        for part in in_chunks(old):  # what is left of it stands there no longer
            self.connection.execute(_REMOVE_STAGES, {"ids": part})
        return self.get(pipeline.id)

    def remove(self, pipeline_id: int) -> None:
        """Delete a pipeline and its stages; their runs stay."""
        self.connection.execute(delete(schema.stages).where(schema.stages.c.pipeline_id == pipeline_id))
        self.connection.execute(delete(schema.pipelines).where(schema.pipelines.c.id == pipeline_id))

    def touch(self, pipeline_id: int) -> None:
        """Let a pipeline count as modified now. It is not an edit: what was based on its version stands."""
        self._done(_TOUCH, pipeline=pipeline_id, now=self.now)

    def hold(self, stage_id: int, reason: str | None) -> None:
        """Keep the reason why an Auto stage could not start; None clears it."""
        self._done(_HOLD, stage=stage_id, reason=reason)

    def accept(self, stage_id: int, run_id: int, state: str, note: str) -> None:
        """Keep that a stage's run counts as fresh for that state of what lies upstream."""
        accepted = {"accepted_run_id": run_id, "accepted_state": state, "accepted_note": note}
        self._set(schema.stages, stage_id, **accepted, accepted_at=self.now)

    def set_marks(self, stage_id: int, marks: StageMarks) -> None:
        """Give a stage other marks."""
        self._set(schema.stages, stage_id, **asdict(marks))

    def marks(self, stage_ids: Collection[int]) -> dict[int, StageMarks]:
        """Return, by stage, why it is held and what was accepted as fresh."""
        from pipeline_widgets.domain.history import StageMarks  # noqa: PLC0415  not before Running

        names, query = _mark_columns()
        return {
            row["id"]: StageMarks(**{name: row[name] for name in names}) for row in self._of(query, stage_ids)
        }

    def _with_stage(self, condition: ColumnElement[bool]) -> tuple[Pipeline, ...]:
        using = select(_S.pipeline_id).where(condition)
        return self._pipelines(_PIPELINES.where(_P.id.in_(using)).order_by(_P.id))

    def _store(self, pipeline_id: int, position: int, stage: Stage) -> None:
        values = {**row_mapping.stage_to_row(stage), "pipeline_id": pipeline_id, "position": position}
        if not stage.id:
            self._add(schema.stages, **values)
            return
        known = update(schema.stages).where(schema.stages.c.id == stage.id)
        if not self._done(known.values(**values)):  # an undo brings back what was deleted
            self._add(schema.stages, id=stage.id, **values)

    def _matching(self, project_id: int, where: Filter, computed: Computed) -> ColumnElement[bool]:
        from pipeline_widgets.domain.filter_subjects import PIPELINES  # noqa: PLC0415  not before Running
        from pipeline_widgets.persistence.repositories.filters import build_condition, pipeline_target  # noqa: PLC0415  not before Running

        holds = build_condition(self.connection, where, pipeline_target(PIPELINES, computed))
        return (_P.project_id == project_id) & holds

    def _summaries(self, condition: ColumnElement[bool]) -> dict[int, list[StageSummary]]:
        stages: dict[int, list[StageSummary]] = {}
        for pipeline_id, *row in self.connection.execute(_SUMMARIES.where(condition)):
            stages.setdefault(pipeline_id, []).append(_to_summary(*row))
        return stages

    def _pipelines(
        self, query: Executable, known: Pipeline | None = None, **values: object
    ) -> tuple[Pipeline, ...]:
        listed = self._all(query, **values)
        stages: dict[int, Sequence[Stage]] = {}
        read: dict[int, list[Stage]] = {}
        for row in listed:
            if known is not None and (row["id"], row["version"]) == (known.id, known.version):
                stages[known.id] = known.stages
            else:
                stages[row["id"]] = read[row["id"]] = []
        for row in self._of(_CHAINS, read):
            read[row["pipeline_id"]].append(row_mapping.to_stage(row))
        return tuple(
            Pipeline(
                id=row["id"],
                project_id=row["project_id"],
                name=row["name"],
                description=row["description"],
                stages=tuple(stages[row["id"]]),
                score_by=row["score_by"],
                version=row["version"],
                created_at=row_mapping.to_datetime(row["created_at"]),
                modified_at=row_mapping.to_datetime(row["modified_at"]),
            )
            for row in listed
        )


def _to_summary(name: str, status: str | None, trigger: str, held: str | None) -> StageSummary:
    from pipeline_widgets.domain.rollup import StageSummary  # noqa: PLC0415  not before Running

    return StageSummary(name=name, status=_STATUSES[status], trigger=_TRIGGERS[trigger], held=held)


@cache
def _mark_columns() -> tuple[tuple[str, ...], Executable]:
    """Return the columns that hold the marks of a stage, and the statement that reads them."""
    from pipeline_widgets.domain.history import StageMarks  # noqa: PLC0415  not before Running

    names = tuple(field.name for field in fields(StageMarks))
    return names, select(_S.id, *(_S[name] for name in names)).where(_S.id.in_(_IDS))
