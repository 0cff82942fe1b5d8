"""One agent by itself: try it, its key, how it is called, its versions, and what can be done (spec 4.11)."""

from __future__ import annotations

from dataclasses import asdict

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.services.queries.agent_list import AgentPage
from pipeline_widgets.widgets.agents import AgentsView
from pipeline_widgets.widgets.paged import Query


class AgentView(AgentsView):
    """An agent, live: what its row in the list and the expanded row have, without the list.

    Args:
        services: The workspace.
        agent_id: The agent.

    Raises:
        NotFoundError: There is no such agent.
    """

    view = t.Unicode("AgentView").tag(sync=True)

    def __init__(self, services: Services, agent_id: int) -> None:
        self._only = services.agents.get(agent_id).id
        super().__init__(services, expanded=[agent_id])

    def show_agent(self, agent_id: int) -> None:
        """Show another agent in place of this one."""
        if agent_id == self._only:
            return
        with self._guard:
            self._only = agent_id
            self.show_page(self._query)
            self.do_expand(agent_id)

    def read_page(self, query: Query, holding: int | None = None) -> AgentPage:
        """Read the agent; the page is empty where it was deleted."""
        del holding
        return self._services.agent_list.page(**asdict(query), only=self._only)

    @property
    def title(self) -> str:
        """The title of the table where there is no kernel."""
        rows = self._shown.rows
        return f"Agent {isolate(rows[0].agent.name)}" if rows else "A deleted agent"
