"""The list of a project's experiments, a page at a time: frozen rows, equal as long as nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, get_args

from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.training import Obstacles, obstacles
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.persistence import rows
from pipeline_widgets.persistence.repositories.experiments import Order
from pipeline_widgets.persistence.store import Store, Work
from pipeline_widgets.services import facts

#: The columns by which the list is sorted.
Sort: TypeAlias = Order
LARGEST_PAGE = 500


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
    #: The names of the pipelines that it belongs to.
    pipelines: tuple[str, ...]
    obstacles: Obstacles


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentPage:
    """A page of the list of a project's experiments."""

    rows: tuple[ListedExperiment, ...]
    #: How many match the search, on all pages.
    total: int
    #: How many the project has.
    all: int
    #: Counted from 0; the last one where a later one was asked for.
    page: int
    #: How many rows a full page has.
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.size))


class ExperimentListService:
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
    ) -> ExperimentPage:
        """Return a page of a project's experiments.

        Args:
            project_id: The project.
            search: A text in the name, in upper or lower case.
            sort: By what; by "status", descending, what is at work or has failed comes first.
            descending: Whether the latest, or the last in the alphabet, comes first.
            page: Counted from 0; a page past the end gives the last one.
            size: Rows of a page.

        Raises:
            ConfigError: The list cannot be sorted by that.
            NotFoundError: There is no such project.
        """
        if sort not in get_args(Sort):
            fix = f"Choose one of {', '.join(get_args(Sort))}."
            raise ConfigError(f"The list of experiments cannot be sorted by {sort!r}.", fix=fix)
        search, size = search.strip(), min(max(1, size), LARGEST_PAGE)
        with self._store.read() as work:
            work.projects.get(project_id)
            total = work.experiments.count(project_id, search)
            everything = work.experiments.count(project_id) if search else total
            page = min(max(0, page), max(0, total - 1) // size)
            first = page * size
            ids = work.experiments.page(
                project_id, search, sort, descending=descending, first=first, size=size
            )
            listed = _listed(work, ids)
        return ExperimentPage(rows=listed, total=total, all=everything, page=page, size=size)


def _listed(work: Work, ids: tuple[int, ...]) -> tuple[ListedExperiment, ...]:
    found = work.experiments.summaries(ids)
    latest = work.runs.by_id([row["latest"] for row in found.values() if row["latest"] is not None])
    begun = facts.begun(work, latest.values())
    bound = work.experiments.bound(ids)
    return tuple(
        _row(found[each], latest.get(found[each]["latest"]), begun, bound.get(each, ())) for each in ids
    )


def _row(
    row: rows.Row, latest: Run | None, begun: Mapping[int, int], pipelines: tuple[str, ...]
) -> ListedExperiment:
    spec = rows.spec(row["spec"])
    at_work = latest if latest is not None and latest.status.active else None
    return ListedExperiment(
        id=row["id"],
        name=row["name"],
        algorithm=row["algorithm"],
        status=latest.status if latest else Status.DRAFT,
        modified_at=rows.moment(row["modified_at"]),
        runs=row["runs"],
        checkpoints=row["checkpoints"],
        best=row["highest"] if spec.higher_is_better else row["lowest"],
        started_at=at_work.started_at if at_work else None,
        begun=begun.get(at_work.id, 0) if at_work else 0,
        step=at_work.step if at_work else None,
        total=at_work.total if at_work else None,
        pipelines=pipelines,
        obstacles=obstacles(spec, latest, checkpoints=row["checkpoints"], pipelines=pipelines),
    )
