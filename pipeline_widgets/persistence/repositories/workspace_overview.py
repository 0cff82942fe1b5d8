"""All projects of a workspace, what is active in them, and what waits for a person: read, never written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    FromClause,
    Integer,
    Table,
    bindparam,
    case,
    func,
    select,
)

from pipeline_widgets.domain.chain import Trigger
from pipeline_widgets.domain.filter_subjects import PROJECTS
from pipeline_widgets.domain.filtering import EVERYTHING, Condition, Filter
from pipeline_widgets.domain.overview import ActiveRun, ProjectSummary, StatusCount, UnfinishedStage
from pipeline_widgets.domain.rollup import PipelineStatus, StageSummary
from pipeline_widgets.domain.run import Status
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository
from pipeline_widgets.persistence.repositories.filters import build_condition, project_target
from pipeline_widgets.persistence.repositories.pipelines import NAMED_STAGES, STAGE_STATUS
from pipeline_widgets.persistence.repositories.runs import ACTIVE_LITERALS, IS_ACTIVE

#: By what the database itself sorts the projects.
Order: TypeAlias = Literal["modified", "name", "created"]

_P, _L, _S = schema.projects.c, schema.pipelines.c, schema.stages.c
_E, _R = schema.experiments.c, schema.runs.c
_MOST: BindParameter[int] = bindparam("most", type_=Integer)


def _of_project(value: ColumnElement[Any], table: Table) -> ColumnElement[Any]:
    mine = select(value).select_from(table).where(table.c.project_id == _P.id)
    return mine.correlate(schema.projects).scalar_subquery()


def _later(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((one >= other, one), else_=other)


#: When the run has changed that has changed last; the index has the revision.
_LATEST_RUN = (
    select(func.coalesce(_R.finished_at, _R.started_at, _R.created_at))
    .where(_R.project_id == _P.id)
    .order_by(_R.revision.desc(), _R.id.desc())
    .limit(1)
    .correlate(schema.projects)
    .scalar_subquery()
)
_DATED = select(
    *(_P.id, _P.name, _P.advanced_training, _P.created_at),
    _of_project(func.count(), schema.experiments).label("experiments"),
    _of_project(func.count(), schema.pipelines).label("pipelines"),
    func.coalesce(_of_project(func.max(_E.modified_at), schema.experiments), 0).label("experiment_at"),
    func.coalesce(_of_project(func.max(_L.modified_at), schema.pipelines), 0).label("pipeline_at"),
    func.coalesce(_LATEST_RUN, 0).label("run_at"),
).subquery("dated")
_D = _DATED.c
_MODIFIED_AT = _later(_later(_D.created_at, _D.experiment_at), _later(_D.pipeline_at, _D.run_at))
_SUMMARIES = select(
    *(_D.id, _D.name, _D.advanced_training, _D.experiments, _D.pipelines),
    _MODIFIED_AT.label("modified_at"),
).where(_D.id.in_(bindparam("ids", expanding=True)))
_ORDERS: dict[Order, ColumnElement[Any]] = {
    "modified": _MODIFIED_AT,
    "name": func.lower(_D.name),
    "created": _D.created_at,
}


#: By which the stages of a pipeline are ranked: the first tells where the pipeline stands.
_IS_AT_WORK, _IS_OPEN, _HAS_SUCCEEDED = 0, 1, 2


def _rank_stages() -> FromClause:
    """Return all stages: of each pipeline the one that tells where it stands has place 1."""
    status = func.coalesce(STAGE_STATUS, Status.DRAFT.value).label("status")
    name = func.coalesce(_E.name, _S.agent_name).label("name")
    listed = select(_S.id, _S.pipeline_id, _S.position, name, status, _S.trigger, _S.held)
    # SQLite would look a status up again for each mention of it, if it could.
    stages = listed.select_from(NAMED_STAGES).cte("standing").prefix_with("MATERIALIZED")
    s = stages.c
    is_open = (s.status != Status.SUCCEEDED.value) | s.held.is_not(None)
    rank = case((s.status.in_(ACTIVE_LITERALS), _IS_AT_WORK), (is_open, _IS_OPEN), else_=_HAS_SUCCEEDED)
    place = func.row_number().over(partition_by=s.pipeline_id, order_by=(rank, s.position))
    return select(stages, rank.label("rank"), place.label("place")).subquery("ranked")


_RANKED = _rank_stages()
_K = _RANKED.c
_TELLS, _IS_UNFINISHED = _K.place == 1, _K.rank == _IS_OPEN
_BROKEN = [each.value for each in (Status.FAILED, Status.CRASHED, Status.STOPPED)]
#: As `roll_up_unfinished` says it; a test holds both against each other.
_STANDING = case(
    (_K.rank == _HAS_SUCCEEDED, PipelineStatus.SUCCEEDED.value),
    (_K.status.in_(_BROKEN), _K.status),
    (_K.held.is_not(None), PipelineStatus.HELD.value),
    else_=PipelineStatus.WAITING.value,
)
_URGENCY = {each.value: need for need, each in enumerate(PipelineStatus)}
_PIPELINE_COUNTS = (
    select(_L.project_id, _STANDING.label("status"), func.count().label("count"))
    .select_from(_RANKED.join(schema.pipelines, _L.id == _K.pipeline_id))
    .where(_TELLS & (_K.rank != _IS_AT_WORK))
    .group_by(_L.project_id, _STANDING)
)
_UNFINISHED = (
    select(_RANKED, _L.project_id, _L.name.label("pipeline"), _P.name.label("project"))
    .select_from(_RANKED.join(schema.pipelines, _L.id == _K.pipeline_id))
    .join(schema.projects, _P.id == _L.project_id)
    .where(_TELLS & _IS_UNFINISHED)
    .order_by(case(_URGENCY, value=_STANDING), _L.modified_at.desc(), _L.id.desc())
    .limit(_MOST)
)
_OWN_LATEST = (
    select(func.max(_R.id)).where(_R.experiment_id == _E.id).correlate(schema.experiments).scalar_subquery()
)
_IN_A_STAGE = select(_S.id).where(_S.experiment_id == _E.id).correlate(schema.experiments).exists()
_EXPERIMENT_COUNTS = (
    select(_E.project_id, _R.status, func.count().label("count"))
    .join(schema.runs, _R.id == _OWN_LATEST)
    .where(~_IN_A_STAGE & _R.status.not_in(ACTIVE_LITERALS))
    .group_by(_E.project_id, _R.status)
)
_ACTIVE_COUNTS = (
    select(_R.project_id, _R.status, func.count().label("count"))
    .where(IS_ACTIVE)
    .group_by(_R.project_id, _R.status)
)
_ACTIVE_RUNS = (
    select(
        *(_R.id, _R.number, _R.kind, _R.status, _R.project_id, _P.name.label("project")),
        *(_R.pipeline_id, _L.name.label("pipeline"), _R.stage_id, _S.position, _R.experiment_id),
        func.coalesce(_E.name, _S.agent_name).label("name"),
        *(_R.started_at, _R.step, _R.total, _R.waits),
    )
    .join(schema.projects, _P.id == _R.project_id)
    .outerjoin(schema.pipelines, _L.id == _R.pipeline_id)
    .outerjoin(schema.stages, _S.id == _R.stage_id)
    .outerjoin(schema.experiments, _E.id == _R.experiment_id)
    .where(IS_ACTIVE)
    .order_by(case((_R.status == Status.PENDING.value, 1), else_=0), _R.id)
    .limit(_MOST)
)


class WorkspaceOverview(Repository):
    """The projects of a workspace as a whole, with as many statements for one as for a thousand."""

    def ids(
        self,
        where: Filter,
        order: Order,
        *,
        descending: bool,
        computed: Callable[[Condition], Collection[int]],
    ) -> tuple[int, ...]:
        """Return, in that order, the projects for which a filter holds.

        Args:
            where: The filter.
            order: By what they are sorted.
            descending: Whether the last one comes first.
            computed: Finds the projects for which a condition on their statuses holds.
        """
        keys = [key.desc() if descending else key.asc() for key in (_ORDERS[order], _D.id)]
        query = select(_D.id).order_by(*keys)
        if where != EVERYTHING:
            holds = build_condition(self.connection, where, project_target(PROJECTS, computed))
            query = query.where(_D.id.in_(select(_P.id).where(holds)))
        return tuple(self.connection.scalars(query))

    def count(self) -> int:
        """Return how many projects there are."""
        return self._count(select(func.count()).select_from(schema.projects))

    def summaries(self, ids: Collection[int]) -> dict[int, ProjectSummary]:
        """Return projects by id, with their counts and their latest change."""
        return {row["id"]: _to_summary(row) for row in self._of(_SUMMARIES, ids)}

    def pipeline_counts(self) -> tuple[StatusCount, ...]:
        """Return how many pipelines of projects stand where, of those with stages and no active one."""
        return self._counts(_PIPELINE_COUNTS)

    def other_counts(self) -> tuple[StatusCount, ...]:
        """Return the same of experiments in no stage, by their latest run, and how many runs are active."""
        return (*self._counts(_EXPERIMENT_COUNTS), *self._counts(_ACTIVE_COUNTS))

    def active_runs(self, most: int) -> tuple[ActiveRun, ...]:
        """Return the active runs of all projects, those at work first, and then the oldest."""
        return tuple(map(_to_active_run, self._all(_ACTIVE_RUNS, most=most)))

    def unfinished_stages(self, most: int) -> tuple[UnfinishedStage, ...]:
        """Return where pipelines wait for a person, the most urgent first, and then the latest."""
        return tuple(
            UnfinishedStage(
                **{key: row[key] for key in ("id", "project_id", "project", "pipeline_id", "pipeline")},
                position=row["position"],
                summary=StageSummary(
                    name=row["name"],
                    status=Status(row["status"]),
                    trigger=Trigger(row["trigger"]),
                    held=row["held"],
                ),
            )
            for row in self._all(_UNFINISHED, most=most)
        )

    def _counts(self, query: Executable) -> tuple[StatusCount, ...]:
        return tuple(
            StatusCount(
                project_id=row["project_id"], status=PipelineStatus(row["status"]), count=row["count"]
            )
            for row in self._all(query)
        )


def _to_active_run(row: Mapping[Any, Any]) -> ActiveRun:
    started = row["started_at"]
    since = None if started is None else row_mapping.to_datetime(started)
    values: dict[str, Any] = {**row, "status": Status(row["status"]), "started_at": since}
    return ActiveRun(**values)


def _to_summary(row: Mapping[Any, Any]) -> ProjectSummary:
    values: dict[str, Any] = {**row, "modified_at": row_mapping.to_datetime(row["modified_at"])}
    return ProjectSummary(**values)
