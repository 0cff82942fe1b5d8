"""A workspace at a glance: a page of its projects, what is active, and what waits for a person (spec 2.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeAlias

from pipeline_widgets.domain.filter_subjects import PROJECTS
from pipeline_widgets.domain.filtering import EVERYTHING, Condition, Filter, compare, parse_filter
from pipeline_widgets.domain.overview import ActiveRun, ProjectSummary, StatusCount, UnfinishedStage
from pipeline_widgets.domain.rollup import PipelineStatus, Rollup, roll_up_project, roll_up_unfinished
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.queries.paging import Page, check_sort, cut

#: The columns by which the projects are sorted.
Sort: TypeAlias = Literal["modified", "name", "status", "created"]
LISTED = 20  # active runs, and stages that wait, that are listed; the others are counted

_ACTIVE = (PipelineStatus.RUNNING, PipelineStatus.PENDING, PipelineStatus.STOPPING)
_Counts: TypeAlias = Mapping[PipelineStatus, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedProject:
    """A project as the workspace shows it."""

    id: int
    name: str
    advanced_training: bool
    #: How many it holds.
    experiments: int
    pipelines: int
    #: The latest change to the project or to anything in it.
    modified_at: datetime
    #: Where it stands; None where nothing has run and nothing waits.
    rollup: Rollup | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingStage:
    """A stage that waits for a person, and why."""

    stage: UnfinishedStage
    rollup: Rollup


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspacePage(Page[ListedProject]):
    """A page of the projects of a workspace, and what goes on in all of them."""

    #: The first of what is active, and how much is.
    active: tuple[ActiveRun, ...]
    all_active: int
    #: The first of what waits for a person, and how much does.
    waiting: tuple[WaitingStage, ...]
    all_waiting: int
    #: Whether there are agents, or checkpoints of which one could be made.
    has_agents: bool


class WorkspaceOverviewQueries:
    """The read model of a workspace as a whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(
        self,
        *,
        search: str = "",
        sort: Sort = "modified",
        descending: bool = True,
        page: int = 0,
        size: int = 50,
        holding: int | None = None,
    ) -> WorkspacePage:
        """Return a page of the projects, with what is active and what waits in all projects.

        Args:
            search: A filter (domain/filtering.py); a word by itself is searched in the name.
            sort: By what; by "status", descending, what needs a person most comes first.
            descending: Whether the latest, or the last in the alphabet, comes first.
            page: Counted from 0; a page past the end gives the last one.
            size: Rows of a page.
            holding: The id whose page is given, if it matches the search.

        Raises:
            ConfigError: The projects cannot be sorted by that.
            FilterError: The filter cannot be read.
        """
        check_sort(sort, Sort, "projects")
        where = parse_filter(search, PROJECTS)
        with self._store.read() as work:
            statuses = _Statuses(work)
            ids = _sort(work, where, sort, statuses, descending=descending)
            counts = statuses.counts
            here = cut(ids, page=page, size=size, holding=holding)
            summaries = work.overview.summaries(here.listed)
            waiting = work.overview.unfinished_stages(LISTED)
            return WorkspacePage(
                rows=tuple(_row(summaries[each], counts.get(each, {})) for each in here.listed),
                total=here.total,
                all=here.total if where == EVERYTHING else work.overview.count(),
                page=here.page,
                size=here.size,
                active=work.overview.active_runs(LISTED),
                all_active=sum(given.get(status, 0) for given in counts.values() for status in _ACTIVE),
                waiting=tuple(
                    WaitingStage(stage=each, rollup=roll_up_unfinished(each.summary, each.position))
                    for each in waiting
                ),
                all_waiting=sum(
                    each.count for each in statuses.pipelines if each.status is not PipelineStatus.SUCCEEDED
                ),
                has_agents=work.checkpoints.any(),  # what an agent is a copy of cannot be deleted
            )

    def active_runs(self) -> tuple[ActiveRun, ...]:
        """Return the first of what is active."""
        with self._store.read() as work:
            return work.overview.active_runs(LISTED)

    def project_ids(self, search: str = "") -> tuple[int, ...]:
        """Return the projects for which a filter holds, in the order of their creation.

        Args:
            search: The filter.

        Raises:
            FilterError: The filter cannot be read.
        """
        where = parse_filter(search, PROJECTS)
        with self._store.read() as work:
            return work.overview.ids(where, "created", descending=False, computed=_Statuses(work).matching)


class _Statuses:
    """Where what is in projects stands, read when it is first asked for."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    @cached_property
    def pipelines(self) -> Sequence[StatusCount]:
        """How many pipelines of projects stand where."""
        return self._work.overview.pipeline_counts()

    @cached_property
    def counts(self) -> Mapping[int, _Counts]:
        """How much stands where, by project."""
        return _by_project((*self.pipelines, *self._work.overview.other_counts()))

    def matching(self, condition: Condition) -> list[int]:
        """Return the projects for which a condition on their statuses holds."""
        return [
            project_id
            for project_id, given in self.counts.items()
            if any(compare(str(status), condition) for status, many in given.items() if many)
        ]


def _sort(
    work: UnitOfWork, where: Filter, sort: Sort, statuses: _Statuses, *, descending: bool
) -> Sequence[int]:
    """Return the ids of the projects that match, in order."""
    if sort != "status":
        return work.overview.ids(where, sort, descending=descending, computed=statuses.matching)
    matching = work.overview.ids(where, "created", descending=False, computed=statuses.matching)

    def need(project_id: int) -> tuple[int, int]:
        rollup = roll_up_project(statuses.counts.get(project_id, {}))
        return (-1 if rollup is None else rollup.urgency, project_id)

    return sorted(matching, key=need, reverse=descending)


def _by_project(found: Sequence[StatusCount]) -> dict[int, dict[PipelineStatus, int]]:
    counts: dict[int, dict[PipelineStatus, int]] = {}
    for each in found:
        mine = counts.setdefault(each.project_id, {})
        mine[each.status] = mine.get(each.status, 0) + each.count
    return counts


def _row(summary: ProjectSummary, counts: _Counts) -> ListedProject:
    return ListedProject(
        id=summary.id,
        name=summary.name,
        advanced_training=summary.advanced_training,
        experiments=summary.experiments,
        pipelines=summary.pipelines,
        modified_at=summary.modified_at,
        rollup=roll_up_project(counts),
    )
