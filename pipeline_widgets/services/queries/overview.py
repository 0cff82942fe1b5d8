"""Rows of lists and tables: frozen values, made with as many queries for one as for ten thousand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from pipeline_widgets.domain.evaluator import EvaluatorScore, best_of
from pipeline_widgets.domain.overview import ExperimentRow, ProjectRow, ResultRow
from pipeline_widgets.domain.pipeline_run import RunOffer, offer_runs
from pipeline_widgets.domain.rollup import Rollup, StageSummary, roll_up
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.staleness import compute_staleness
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.queries.paging import Page, check_sort, cut

#: The columns by which the list of pipelines is sorted.
Sort: TypeAlias = Literal["modified", "name", "status", "created"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineRow:
    """A pipeline as the list shows it (spec 3.2)."""

    id: int
    version: int
    name: str
    description: str
    created_at: datetime
    #: The latest change to the pipeline or any of its stages.
    modified_at: datetime
    #: How many it has.
    stages: int
    rollup: Rollup
    #: How many of its stages are stale.
    stale: int
    #: Whether it can be run now, and brought up to date.
    runs: RunOffer
    #: The names of its experiments that other pipelines use as well (spec 3.4).
    shared: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelinePage(Page[PipelineRow]):
    """A page of the list of a project's pipelines."""

    #: The project's own revision at that moment, which agents do not raise.
    revision: int


class OverviewQueries:
    """Read models of the list of pipelines and of the plain tables."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pipelines(
        self,
        project_id: int,
        *,
        search: str = "",
        sort: Sort = "modified",
        descending: bool = True,
        page: int = 0,
        size: int = 50,
        holding: int | None = None,
    ) -> PipelinePage:
        """Return a page of a project's pipelines (spec 3.8).

        Args:
            project_id: The project.
            search: A text in the name or description, in upper or lower case.
            sort: By what; by "status", descending, what needs a person most comes first.
            descending: Whether the latest, or the last in the alphabet, comes first.
            page: Counted from 0; a page past the end gives the last one.
            size: Rows of a page.
            holding: The id whose page is given, if it matches the search.

        Raises:
            ConfigError: The list cannot be sorted by that.
            NotFoundError: There is no such project.
        """
        check_sort(sort, Sort, "pipelines")
        search = search.strip()
        with self._store.read() as work:
            revision = work.projects.get(project_id).revision
            if sort == "status":
                ids = _sort_by_need(work, project_id, search, descending=descending)
            else:
                ids = work.pipelines.ids(project_id, search, sort, descending=descending)
            here = cut(ids, page=page, size=size, holding=holding)
            rows = _rows(work, here.listed)
            everything = work.pipelines.count(project_id) if search else here.total
        return PipelinePage(
            rows=rows, total=here.total, all=everything, page=here.page, size=here.size, revision=revision
        )

    def projects(self) -> tuple[ProjectRow, ...]:
        """Return all projects in the order of their creation."""
        with self._store.read() as work:
            return work.projects.listed()

    def runs(self, ids: Collection[int]) -> Mapping[int, Run]:
        """Return runs as they are now, by their ids; those that are gone are left out."""
        with self._store.read() as work:
            return work.runs.by_id(ids)

    def experiments(self, project_id: int) -> tuple[ExperimentRow, ...]:
        """Return a project's experiments in the order of their creation."""
        with self._store.read() as work:
            return work.experiments.listed(project_id)

    def results(self, project_id: int, experiment_ids: Collection[int]) -> tuple[ResultRow, ...]:
        """Return the runs of those experiments of a project, by experiment and number."""
        with self._store.read() as work:
            return _with_scores(work, work.runs.listed(project_id, experiment_ids))


def _with_scores(work: UnitOfWork, rows: tuple[ResultRow, ...]) -> tuple[ResultRow, ...]:
    """Add to runs the best scores that evaluators have given what they saved."""
    specs = work.evaluators.all()
    if not specs:
        return rows
    given: dict[tuple[int, str], list[EvaluatorScore]] = {}
    for each in work.evaluators.scores_of_runs([row.run_id for row in rows]):
        given.setdefault((each.saved_by, each.evaluator), []).append(each)
    found: dict[int, dict[str, float]] = {}
    for spec in specs:
        for row in rows:
            scores = given.get((row.run_id, spec.name), ())
            if (best := best_of(scores, higher_is_better=spec.higher_is_better)) is not None:
                found.setdefault(row.run_id, {})[spec.name] = best.value
    return tuple(replace(row, scores=found.get(row.run_id, {})) for row in rows)


def _sort_by_need(work: UnitOfWork, project_id: int, search: str, *, descending: bool) -> tuple[int, ...]:
    """The ids of all pipelines that match, by what their roll-ups say."""
    matching = work.pipelines.ids(project_id, search, "created", descending=False)
    stages = work.pipelines.all_summaries(project_id)
    none: list[StageSummary] = []
    needs = {each: roll_up(stages.get(each, none)).urgency for each in matching}
    return tuple(sorted(matching, key=lambda each: (needs[each], each), reverse=descending))


def _rows(work: UnitOfWork, ids: Collection[int]) -> tuple[PipelineRow, ...]:
    pipelines, summaries, shared = (
        work.pipelines.by_id(ids),
        work.pipelines.summaries(ids),
        work.pipelines.shared(ids),
    )
    known = pipeline_facts.load_stages(work, [stage for each in pipelines.values() for stage in each.stages])
    stale = {each.id: compute_staleness(each, known) for each in pipelines.values()}
    return tuple(
        PipelineRow(
            id=each.id,
            version=each.version,
            name=each.name,
            description=each.description,
            created_at=each.created_at,
            modified_at=each.modified_at,
            stages=len(each.stages),
            rollup=roll_up(summaries.get(each.id, ())),
            stale=sum(one.stale for one in stale[each.id].values()),
            runs=offer_runs(each, known, stale[each.id]),
            shared=shared.get(each.id, ()),
        )
        for each in (pipelines[pipeline_id] for pipeline_id in ids)
    )
