"""The list of a workspace's agents, a page at a time: frozen rows, equal as long as nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pipeline_widgets.domain.agent import AGENT_STATUSES_BY_URGENCY, BASE_MODEL, Agent, AgentKey, AgentStatus
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.queries.paging import Page, check_sort, cut

#: The columns by which the list is sorted.
Sort: TypeAlias = Literal["name", "experiment", "base_model", "status"]
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedAgent:
    """An agent as the list shows it (spec 8.1)."""

    agent: Agent
    #: The project whose experiment made its current version.
    project: str
    #: None where its checkpoint tells of none.
    base_model: str | None

    @property
    def id(self) -> int:
        """The id of the agent."""
        return self.agent.id


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentPage(Page[ListedAgent]):
    """A page of the list of a workspace's agents."""

    #: Whether any agent, on whatever page, has a base model.
    base_models: bool
    #: How many the workspace has: with several, rows name theirs.
    projects: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """An experiment that an agent can be made of."""

    id: int
    name: str
    algorithm: str
    project: str


class AgentListQueries:
    """The read model of the list of agents, and of what new ones can be made of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(
        self,
        *,
        search: str = "",
        sort: Sort = "name",
        descending: bool = False,
        page: int = 0,
        size: int = 50,
        holding: int | None = None,
        only: int | None = None,
    ) -> AgentPage:
        """Return a page of the agents.

        Args:
            search: A text in the name, in upper or lower case.
            sort: By what; by "status", descending, what needs a person most comes first.
            descending: Whether the last in the alphabet comes first.
            page: Counted from 0; a page past the end gives the last one.
            size: Rows of a page.
            holding: The id whose page is given, if it matches the search.
            only: The one agent that is listed; none if it is gone.

        Raises:
            ConfigError: The list cannot be sorted by that.
        """
        check_sort(sort, Sort, "agents")
        text = search.strip()
        with self._store.read() as work:
            keys = sorted(work.agents.keys(sort, text, only), key=_ORDER[sort], reverse=descending)
            here = cut([each.id for each in keys], page=page, size=size, holding=holding)
            projects = {each.id: each.name for each in work.projects.all()}
            everything = work.agents.count() if only is None else len(work.agents.keys("name", only=only))
            return AgentPage(
                rows=_list(work, here.listed, projects),
                total=here.total,
                all=everything,
                page=here.page,
                size=here.size,
                base_models=work.agents.any_base_model(only),
                projects=len(projects),
            )

    def creatable(self) -> bool:
        """Return whether there is a checkpoint that an agent could be made of."""
        with self._store.read() as work:
            return work.checkpoints.any()

    def sources(self) -> tuple[Source, ...]:
        """Return the experiments that have saved something, by project, the latest first."""
        with self._store.read() as work:
            return tuple(
                Source(
                    id=row.id,
                    name=row.name,
                    algorithm=row.algorithm,
                    project=project.name,
                )
                for project in work.projects.all()
                for saved in [work.checkpoints.saving(project.id)]
                for row in reversed(work.experiments.listed(project.id))
                if row.id in saved
            )


def _list(work: UnitOfWork, ids: Sequence[int], projects: Mapping[int, str]) -> tuple[ListedAgent, ...]:
    agents = {each.id: each for each in work.agents.matching(ids, ())}
    makers = work.runs.by_id({each.current.checkpoint.run_id for each in agents.values()})
    return tuple(
        ListedAgent(
            agent=agents[each],
            project=projects[makers[agents[each].current.checkpoint.run_id].project_id],
            base_model=_base_model(agents[each]),
        )
        for each in ids
    )


def _base_model(agent: Agent) -> str | None:
    facet = agent.current.checkpoint.signature.get(BASE_MODEL)
    return None if facet is None else str(facet)


def _natural(text: str) -> list[tuple[bool, int | str]]:
    """Return what sorts "step 900" before "step 1000"."""
    parts = _DIGITS.split(text.casefold())
    return [(True, part) if not part.isdecimal() else (False, int(part)) for part in parts if part]


def _by_status(agent: AgentKey) -> tuple[Any, ...]:
    return -AGENT_STATUSES_BY_URGENCY.index(AgentStatus(agent.value)), _natural(agent.name)


def _by_value(agent: AgentKey) -> tuple[Any, ...]:
    return _natural(agent.value), _natural(agent.name)


_ORDER: Final[Mapping[Sort, Callable[[AgentKey], Any]]] = {
    "name": lambda agent: _natural(agent.name),
    "experiment": _by_value,
    "base_model": _by_value,
    "status": _by_status,
}
