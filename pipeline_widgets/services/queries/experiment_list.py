"""The list of a project's experiments, a page at a time: frozen rows, equal as long as nothing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from pipeline_widgets.domain.annotation import Annotation
from pipeline_widgets.domain.experiment_actions import ExperimentBlockers, find_experiment_blockers
from pipeline_widgets.domain.filter_subjects import EXPERIMENTS
from pipeline_widgets.domain.filtering import EVERYTHING, parse_filter
from pipeline_widgets.domain.overview import ExperimentSummary
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.persistence.repositories.experiments import Order
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.queries.paging import Page, check_sort, cut

#: The columns by which the list is sorted.
Sort: TypeAlias = Order


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedExperiment:
    """An experiment as the list shows it (spec 9.1)."""

    id: int
    name: str
    algorithm: str
    #: The status of its latest run.
    status: Status
    modified_at: datetime
    #: How many it has.
    runs: int
    #: How many of those that its runs saved are there.
    checkpoints: int
    #: The best evaluation score that any of its runs has saved.
    best: float | None
    #: Its latest run while it is active: when it started, where it began, how far it is, and how far it goes.
    started_at: datetime | None
    begun: int
    step: int | None
    total: int | None
    #: For what its latest run waits, to begin or to go on; None without a reason.
    waits: str | None
    #: The names of the pipelines that it belongs to.
    pipelines: tuple[str, ...]
    note: str
    tags: tuple[str, ...]
    favourite: bool
    blockers: ExperimentBlockers


class ExperimentListQueries:
    """The read model of the list of experiments."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(
        self,
        project_id: int,
        *,
        search: str = "",
        sort: Sort = "modified",
        descending: bool = True,
        page: int = 0,
        size: int = 50,
        holding: int | None = None,
        only: int | None = None,
    ) -> Page[ListedExperiment]:
        """Return a page of a project's experiments.

        Args:
            project_id: The project.
            search: A filter (domain/filtering.py); a word by itself is searched in the name.
            sort: By what; by "status", descending, what needs a person most comes first.
            descending: Whether the latest, or the last in the alphabet, comes first.
            page: Counted from 0; a page past the end gives the last one.
            size: Rows of a page.
            holding: The id whose page is given, if it matches the search.
            only: The one experiment that is listed; none if it is gone.

        Raises:
            ConfigError: The list cannot be sorted by that.
            FilterError: The filter cannot be read.
            NotFoundError: There is no such project.
        """
        check_sort(sort, Sort, "experiments")
        where = parse_filter(search, EXPERIMENTS)
        with self._store.read() as work:
            work.projects.get(project_id)
            if only is not None:
                ids = tuple(work.experiments.by_id([only]))
            else:
                ids = work.experiments.ids(project_id, where, sort, descending=descending)
            here = cut(ids, page=page, size=size, holding=holding)
            listed = _list(work, here.listed)
            everything = (
                work.experiments.count(project_id) if where != EVERYTHING and only is None else here.total
            )
        return Page(rows=listed, total=here.total, all=everything, page=here.page, size=here.size)

    def rows(self, ids: Sequence[int]) -> dict[int, ListedExperiment]:
        """Return experiments as the list shows them, by their ids."""
        with self._store.read() as work:
            return {row.id: row for row in _list(work, ids)}


def _list(work: UnitOfWork, ids: Sequence[int]) -> tuple[ListedExperiment, ...]:
    found = work.experiments.summaries(ids)
    latest = work.runs.by_id([row.latest for row in found.values() if row.latest is not None])
    begun = pipeline_facts.start_steps(work, latest.values())
    bound = work.experiments.bound(ids)
    written = work.annotations.of("experiment", ids)
    return tuple(
        _row(
            work, found[each], latest.get(found[each].latest or 0), begun, bound.get(each, ()), written[each]
        )
        for each in ids
    )


def _row(
    work: UnitOfWork,
    row: ExperimentSummary,
    latest: Run | None,
    begun: Mapping[int, int],
    pipelines: tuple[str, ...],
    written: Annotation,
) -> ListedExperiment:
    at_work = latest if latest is not None and latest.status.active else None
    return ListedExperiment(
        id=row.id,
        name=row.name,
        algorithm=row.algorithm,
        status=latest.status if latest else Status.DRAFT,
        modified_at=row.modified_at,
        runs=row.runs,
        checkpoints=row.checkpoints,
        best=row.best,
        started_at=at_work.started_at if at_work else None,
        begun=begun.get(at_work.id, 0) if at_work else 0,
        step=at_work.step if at_work else None,
        total=at_work.total if at_work else None,
        waits=at_work.waiting_for if at_work else None,
        pipelines=pipelines,
        note=written.note,
        tags=written.tags,
        favourite=written.favourite,
        blockers=find_experiment_blockers(
            row.spec,
            latest,
            checkpoints=row.checkpoints,
            pipelines=pipelines,
            python=pipeline_facts.find_required_python(work, row.spec.name, row.python),
        ),
    )
