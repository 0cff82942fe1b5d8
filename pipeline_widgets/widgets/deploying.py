"""Saving checkpoints as agents from a view, and showing an agent within it."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets as t

from pipeline_widgets.errors import PipelineError
from pipeline_widgets.widgets.agent import AgentView
from pipeline_widgets.widgets.base import Row, View, describe_error


class DeployingView(View):
    """A view whose checkpoints can be saved as agents, and that shows an agent by itself."""

    #: The view of an agent; it stays when it is closed, so that what was typed there stays.
    agent: Any = t.Instance(AgentView, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    #: Which agent is shown; 0 for none.
    agent_shown = t.Int(0).tag(sync=True)

    def do_deploy(self, checkpoint: int, name: str, description: str = "", *, connect: bool = False) -> Row:
        """Save a checkpoint as an agent, and serve it if that is wished; it gets its key in its own view.

        One that cannot be served is saved all the same: the answer says so, with the trouble.
        """
        agent = self._services.agents.create(name, checkpoint, description)
        trouble = None
        try:
            if connect:
                self._services.endpoints.connect(agent.id)
        except PipelineError as error:
            trouble = describe_error(error)
        self.refresh()
        self._refresher.wake()
        return {"id": agent.id, "name": agent.name, "trouble": trouble}

    def do_view_agent(self, agent: int) -> None:
        """Show an agent."""
        self._services.agents.get(agent)
        self.show_agent(agent)

    def do_close_agent(self) -> None:
        """Show no agent."""
        self.show_agent(0)

    def show_agent(self, agent: int) -> None:
        """Show an agent; 0 for none."""
        if not agent:
            self.show(agent_shown=0)
        elif self.agent is None:
            self.show(agent=AgentView(self._services, agent), agent_shown=agent)
        else:
            self.agent.show_agent(agent)
            self.show(agent_shown=agent)

    def close(self) -> None:
        """End the view and that of the agent."""
        if self.comm is not None and self.agent is not None:  # a view that could not be made holds nothing
            self.agent.close()
        super().close()
