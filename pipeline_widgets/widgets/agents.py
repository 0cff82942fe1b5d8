"""The agents of a workspace: a list that connects them, and in an expanded row how to ask one (spec 8)."""

from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.errors import NotFoundError, PipelineError
from pipeline_widgets.services.queries.agent_list import AgentPage, ListedAgent
from pipeline_widgets.widgets.agent_rows import (
    COLUMNS,
    WITHOUT_BASE_MODEL,
    asked,
    detail_row,
    list_row,
    reply_row,
    source_rows,
    table_rows,
)
from pipeline_widgets.widgets.base import Row, describe_error
from pipeline_widgets.widgets.experiment_rows import resume_row
from pipeline_widgets.widgets.paged import PagedView, Query
from pipeline_widgets.widgets.snapshot import table_html, table_text
from pipeline_widgets.widgets.steps import choice_up

NOTHING_SAVED = "No experiment has a checkpoint yet. Train an experiment first."


class AgentsView(PagedView):
    """A workspace's agents, live.

    Args:
        services: The workspace.
        only: The one agent that is shown, expanded; by default the list of all.

    Raises:
        NotFoundError: There is no such agent.
    """

    view = t.Unicode("AgentsView").tag(sync=True)

    FIRST = Query(sort="name", descending=False)
    TITLE = "Agents"

    #: What the rows that are expanded show, by the agent's id.
    details = t.List(t.Dict()).tag(sync=True)
    #: Whether it shows one agent rather than the list.
    single = t.Bool(default_value=False).tag(sync=True)
    #: Why no agent can be made; empty where one can.
    obstacle = t.Unicode("").tag(sync=True)

    def __init__(self, services: Services, only: int | None = None) -> None:
        self._only = only
        self._query = self.FIRST
        self._revision = -1
        self._open: set[int] = set()
        if only is not None:
            services.agents.get(only)
            self._open.add(only)
        self._shown = services.agent_list.page(only=only)
        super().__init__(services, single=only is not None)
        self.refresh()

    def update(self) -> bool:
        """Read the page where anything has changed; its rows stay where they are."""
        revision = self._services.store.workspace_revision()
        if revision != self._revision:
            self.show_page(self._query, stay=True)
            self.page_shown()
            self._revision = revision
        if not self._shown.all and self._only is None:  # what an agent is a copy of cannot be deleted
            self.show(obstacle="" if self._services.agent_list.creatable() else NOTHING_SAVED)
        else:
            self.show(obstacle="")
        return any(row.agent.status is AgentStatus.PENDING for row in self._shown.rows)

    # ---- commands: looking

    def do_expand(self, agent: int) -> None:
        """Show how an agent is asked, and its versions."""
        self._services.agents.get(agent)
        self._open.add(agent)
        self.page_shown()

    def do_collapse(self, agent: int) -> None:
        """Show no more of it than its row."""
        self._open.discard(agent)
        self.page_shown()

    # ---- commands: making and editing

    def do_sources(self) -> list[Row]:
        """Return the experiments that an agent can be made of."""
        return source_rows(self._services.agent_list.sources())

    def do_offer(self, experiment: int) -> Row:
        """Return the checkpoints of an experiment, by run, and which of each run is Best and which Final."""
        return {"runs": resume_row(self._services.resume_options.find_options(experiment))["runs"]}

    def do_create(self, name: str, experiment: int, run: int, choice: Choice, description: str = "") -> Row:
        """Save a checkpoint as an agent, and show it."""
        chosen = self._services.resume_options.chosen(experiment, run, choice_up(choice))
        made = self._services.agents.create(name, chosen.id, description.strip())
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_describe(self, agent: int, seen: str, description: str) -> None:
        """Give an agent another description.

        Raises:
            StaleWriteError: It is no longer the one that its row showed when the edit began.
        """
        try:
            self._services.agents.describe(agent, description, seen=seen)
        finally:  # where it was refused the row shows what it is now
            self.refresh()

    def do_roll_back(self, agent: int, version: int) -> None:
        """Make a former version the current one."""
        self._services.roll_back(agent, version)
        self.refresh()

    def do_delete(self, agent: int) -> None:
        """Delete an agent with its frozen copies."""
        self._services.agents.delete(agent)
        self._open.discard(agent)
        self.refresh()

    # ---- commands: serving. A key is in the answer only: traits are saved with the notebook.

    def do_connect(self, agent: int) -> Row:
        """Have an agent served, and expand it; return its key if it got its first one now."""
        try:
            key = self._services.connect_agent(agent)
        finally:  # where no process could be started the row says why
            self._open.add(agent)
            self._show_now()
        return {"key": key}

    def do_disconnect(self, agent: int) -> None:
        """Have an agent served no longer."""
        self._services.disconnect_agent(agent)
        self._show_now()

    def do_rotate_key(self, agent: int) -> Row:
        """Give an agent a new key, and return it."""
        key = self._services.rotate_key(agent)
        self._show_now()
        return {"key": key}

    def do_ask(self, agent: int, text: str, ticket: str) -> None:
        """Ask an agent; the reply comes later, under the ticket.

        An agent may think for a minute: whoever waited for it here would keep all other commands waiting.
        """
        value = asked(text, self._services.agents.get(agent).endpoint)
        threading.Thread(target=self._ask, args=(agent, value, ticket), daemon=True).start()

    # ---- without a kernel

    def static_html(self) -> str:
        """Return the page as a table."""
        return table_html(*self._table(), at=datetime.now(UTC), noun="agent")

    def static_text(self) -> str:
        """Return the page in a few lines."""
        return table_text(*self._table(), at=datetime.now(UTC))

    def _table(self) -> tuple[str, tuple[str, ...], list[tuple[object, ...]]]:
        shown = self._shown
        columns = COLUMNS if shown.base_models else WITHOUT_BASE_MODEL
        return self.title, columns, table_rows(shown.rows, base_models=shown.base_models)

    @property
    def title(self) -> str:
        """What the picture is called that is read without a kernel."""
        alone = self._only is not None and self._shown.rows
        return f"Agent {isolate(self._shown.rows[0].agent.name)}" if alone else super().title

    # ---- reading

    def read_page(self, query: Query, holding: int | None = None) -> AgentPage:
        """Read a page of the workspace's agents."""
        return self._services.agent_list.page(**asdict(query), holding=holding, only=self._only)

    def row_of(self, listed: ListedAgent, found: AgentPage) -> Row:
        """Return what the row of an agent shows."""
        return list_row(listed, projects=found.projects)

    def about_page(self, found: AgentPage) -> Row:
        """Tell whether there is a column of base models."""
        return {"base_models": found.base_models}

    def page_shown(self) -> None:
        """Read what the expanded rows of this page show; on another page they stay expanded."""
        shown = [row.id for row in self._shown.rows if row.id in self._open]
        found = [self._detail(each) for each in shown]
        self.show_rows("details", [each for each in found if each is not None])

    def _detail(self, agent_id: int) -> Row | None:
        try:
            found = self._services.agent_details.get(agent_id)
        except NotFoundError:  # it was deleted since the page was read
            return None
        failed = found.agent.status is AgentStatus.FAILED
        return detail_row(found, self._services.endpoints.tail(agent_id) if failed else "")

    def _show_now(self) -> None:
        """Show what a command has done, and look again soon: a process takes a moment."""
        self.refresh()
        self.page_shown()
        self._refresher.wake()

    def _ask(self, agent_id: int, value: Any, ticket: str) -> None:
        try:
            reply = reply_row(self._services.ask_agent(agent_id, value))
        except PipelineError as error:
            reply = {"error": describe_error(error)}
        self.send({"reply": ticket, **reply})
