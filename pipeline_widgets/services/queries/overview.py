"""Rows of lists and tables: frozen values, made with as many queries for one as for ten thousand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeAlias

from pipeline_widgets.domain.evaluator import EvaluatorScore, best_of
from pipeline_widgets.domain.filter_subjects import EXPERIMENTS, PIPELINES, RUNS
from pipeline_widgets.domain.filtering import EVERYTHING, Condition, compare, parse_filter
from pipeline_widgets.domain.overview import ExperimentRow, ProjectRow, ResultRow, StageScore
from pipeline_widgets.domain.pipeline_run import RunOffer, offer_runs
from pipeline_widgets.domain.rollup import Rollup, StageSummary, roll_up
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.staleness import compute_staleness
from pipeline_widgets.persistence.repositories.base import NamedRow
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.queries.paging import Page, check_sort, cut

#: The columns by which the list of pipelines is sorted.
Sort: TypeAlias = Literal["modified", "name", "status", "best", "created"]


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
    #: The statuses of its stages, in order.
    statuses: tuple[Status, ...]
    #: The best score of its last stage that has one.
    best: StageScore | None
    note: str
    tags: tuple[str, ...]
    favourite: bool


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
            search: A filter (domain/filtering.py); a word by itself is searched in name and description.
            sort: By what; by "status", descending, what needs a person most comes first.
            descending: Whether the latest, or the last in the alphabet, comes first.
            page: Counted from 0; a page past the end gives the last one.
            size: Rows of a page.
            holding: The id whose page is given, if it matches the search.

        Raises:
            ConfigError: The list cannot be sorted by that.
            FilterError: The filter cannot be read.
            NotFoundError: There is no such project.
        """
        check_sort(sort, Sort, "pipelines")
        where = parse_filter(search, PIPELINES)
        with self._store.read() as work:
            revision = work.projects.get(project_id).revision
            computed = _Computed(work, project_id)
            order = sort if sort in ("modified", "name", "created") else "created"
            ids = work.pipelines.ids(
                project_id, where, order, descending=descending, computed=computed.matching
            )
            if sort == "status":
                ids = sorted(ids, key=lambda each: (computed.need(each), each), reverse=descending)
            elif sort == "best":
                ids = computed.by_score(ids, descending=descending)
            here = cut(ids, page=page, size=size, holding=holding)
            rows = _rows(work, project_id, here.listed)
            everything = work.pipelines.count(project_id) if where != EVERYTHING else here.total
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

    def run_ids(self, project_id: int, search: str = "") -> tuple[int, ...]:
        """Return the runs of a project for which a filter holds, oldest first; evaluations are none.

        Raises:
            FilterError: The filter cannot be read.
        """
        where = parse_filter(search, RUNS)
        with self._store.read() as work:
            work.projects.get(project_id)
            return work.runs.matching(project_id, where)

    def experiment_names(self, project_id: int, search: str = "") -> tuple[NamedRow, ...]:
        """Return the names of a project's experiments for which a filter holds, oldest first.

        Raises:
            FilterError: The filter cannot be read.
        """
        where = parse_filter(search, EXPERIMENTS)
        with self._store.read() as work:
            return work.experiments.names(project_id, where)

    def pipeline_names(self, project_id: int, search: str = "") -> tuple[NamedRow, ...]:
        """Return the names of a project's pipelines for which a filter holds, oldest first.

        Raises:
            FilterError: The filter cannot be read.
        """
        where = parse_filter(search, PIPELINES)
        with self._store.read() as work:
            return work.pipelines.names(project_id, where, computed=_Computed(work, project_id).matching)

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


class _Computed:
    """What rules compute of all pipelines of a project, read when it is first asked for."""

    def __init__(self, work: UnitOfWork, project_id: int) -> None:
        self._work = work
        self._project_id = project_id

    @cached_property
    def _stages(self) -> Mapping[int, Sequence[StageSummary]]:
        return self._work.pipelines.all_summaries(self._project_id)

    @cached_property
    def _scores(self) -> Mapping[int, StageScore]:
        return self._work.pipelines.stage_scores(self._project_id)

    @cached_property
    def _all(self) -> Sequence[int]:
        everything = self._work.pipelines.names(self._project_id, EVERYTHING, computed=self.matching)
        return [row.id for row in everything]

    def need(self, pipeline_id: int) -> int:
        """Return how urgently a pipeline needs a person."""
        return roll_up(self._stages.get(pipeline_id, ())).urgency

    def by_score(self, ids: Sequence[int], *, descending: bool) -> list[int]:
        """Return pipelines by their scores; those without one come last."""
        scored = [each for each in ids if each in self._scores]
        scored.sort(key=lambda each: (self._scores[each].score, each), reverse=descending)
        return [*scored, *(each for each in ids if each not in self._scores)]

    def matching(self, condition: Condition) -> list[int]:
        """Return the pipelines for which a condition on their status or score holds."""
        if condition.field == "status":
            words = {each: roll_up(self._stages.get(each, ())).status.value for each in self._all}
            return [each for each, word in words.items() if compare(word, condition)]
        return [each for each, found in self._scores.items() if compare(found.score, condition)]


def _rows(work: UnitOfWork, project_id: int, ids: Collection[int]) -> tuple[PipelineRow, ...]:
    pipelines, summaries, shared = (
        work.pipelines.by_id(ids),
        work.pipelines.summaries(ids),
        work.pipelines.shared(ids),
    )
    scores, written = work.pipelines.stage_scores(project_id, ids), work.annotations.of("pipeline", ids)
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
            statuses=tuple(stage.status for stage in summaries.get(each.id, ())),
            best=scores.get(each.id),
            note=written[each.id].note,
            tags=written[each.id].tags,
            favourite=written[each.id].favourite,
        )
        for each in (pipelines[pipeline_id] for pipeline_id in ids)
    )
