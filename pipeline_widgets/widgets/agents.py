"""The agents of a workspace: a list that connects them, and in an expanded row how to ask one (spec 8).

No key is ever in what a row shows: it would be saved with the notebook.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.revisions import NEVER
from pipeline_widgets.domain.stage_settings import choice_from_text, parse_choice
from pipeline_widgets.errors import NotFoundError, PipelineError
from pipeline_widgets.services.queries.agent_list import AgentPage, ListedAgent
from pipeline_widgets.serving.client import ASK_TIMEOUT
from pipeline_widgets.widgets.agent_messages import (
    comparison_row,
    detail_row,
    list_row,
    parse_input,
    reply_row,
    source_rows,
    table_rows,
)
from pipeline_widgets.widgets.base import Row, describe_error
from pipeline_widgets.widgets.experiment_form import resume_row
from pipeline_widgets.widgets.lineage import lineage_row
from pipeline_widgets.widgets.paged import PagedView, Query
from pipeline_widgets.widgets.snapshot import Rows

COLUMNS = ("Agent", "Description", "Source Experiment", "Base Model", "Status")
WITHOUT_BASE_MODEL = tuple(each for each in COLUMNS if each != "Base Model")
SPARE = 15.0  # seconds that a reply may take longer than its agent
NOTHING_SAVED = "No experiment has a checkpoint yet. Train an experiment first."


class AgentsView(PagedView):
    """A workspace's agents, live.

    Args:
        services: The workspace.
        expanded: The agents whose rows are expanded at first.
    """

    view = t.Unicode("AgentsView").tag(sync=True)

    FIRST = Query(sort="name", descending=False)
    TITLE = "Agents"
    noun = "agent"

    #: What the rows that are expanded show, by the agent's id.
    details = t.List(t.Dict()).tag(sync=True)
    #: Why no agent can be made; empty where one can.
    obstacle = t.Unicode("").tag(sync=True)

    def __init__(self, services: Services, expanded: Iterable[int] = ()) -> None:
        self._open = set(expanded)
        self._saved_at = NEVER  # the revisions at which it was asked whether anything has been saved
        super().__init__(services)

    def update(self) -> bool:
        """Read the page where anything has changed, and whether an agent can be made where there is none."""
        live = super().update()
        saved_at = self._services.store.changes.all_revisions()
        if not saved_at.has_only_reports_since(self._saved_at):
            # what an agent is a copy of cannot be deleted
            can_create = bool(self._shown.all) or self._services.agent_list.creatable()
            self.show(obstacle="" if can_create else NOTHING_SAVED)
            self._saved_at = saved_at
        return live

    # ---- commands: looking

    def do_expand(self, agent: int) -> None:
        """Show how an agent is asked, and its versions."""
        self._services.agents.get(agent)
        self._open.add(agent)
        self.page_shown()

    def do_collapse(self, agent: int) -> None:
        """Collapse its row."""
        self._open.discard(agent)
        self.page_shown()

    def do_lineage(self, agent: int) -> Row:
        """Return which runs led to the current version, and what started from it."""
        return lineage_row(self._services.lineages.agent_graph(agent))

    # ---- commands: making and editing

    def do_sources(self) -> list[Row]:
        """Return the experiments that an agent can be made of."""
        return source_rows(self._services.agent_list.sources())

    def do_offer(self, experiment: int) -> Row:
        """Return the checkpoints of an experiment, by run, and which of each run is Best and which Final."""
        return {"runs": resume_row(self._services.resume_options.find_options(experiment))["runs"]}

    def do_create(self, name: str, experiment: int, run: int, choice: Choice, description: str = "") -> Row:
        """Save a checkpoint as an agent, and show it."""
        chosen = self._services.resume_options.chosen(experiment, run, parse_choice(choice_from_text(choice)))
        made = self._services.agents.create(name, chosen.id, description.strip())
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_describe(self, agent: int, version: int, description: str) -> None:
        """Give an agent another description.

        Raises:
            StaleWriteError: It was described otherwise since that version of its row.
        """
        try:
            self._services.agents.describe(agent, description, expected_version=version)
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

    def do_ask(self, agent: int, text: str, ticket: str) -> Row:
        """Ask an agent; the reply comes later, under the ticket, within the seconds that are returned.

        An agent may think for a minute: whoever waited for it here would keep all other commands waiting.
        """
        asked = self._services.agents.get(agent)
        value = parse_input(text, asked.endpoint)
        self._reply_later(ticket, lambda: reply_row(self._services.ask_agent(agent, value)))
        return {"within": max(ASK_TIMEOUT, 2 * asked.current.spec.answer_within) + SPARE}

    def do_compare(self, agent: int, text: str, ticket: str, version: int | None = None) -> Row:
        """Give the current version and another one the same input; the reply comes as for `do_ask`.

        Args:
            agent: The agent.
            text: What is asked.
            ticket: By which the browser knows the reply.
            version: The other version; by default the one before the current one.
        """
        asked = self._services.agents.get(agent)
        value, current = parse_input(text, asked.endpoint), asked.current.number
        chosen = () if version is None else (version,)
        self._reply_later(
            ticket, lambda: comparison_row(self._services.compare_versions(agent, value, chosen), current)
        )
        spec = asked.current.spec
        return {"within": spec.load_within + 2 * spec.answer_within + SPARE}

    # ---- reading

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the page as a table."""
        shown = self._shown
        columns = COLUMNS if shown.base_models else WITHOUT_BASE_MODEL
        return self.title, columns, table_rows(shown.rows, base_models=shown.base_models)

    def read_revision(self) -> int:
        """Return the revision of the workspace."""
        return self._services.store.changes.all_revisions().workspace

    def is_live(self, listed: ListedAgent) -> bool:
        """Return whether it is being connected."""
        return listed.agent.status is AgentStatus.PENDING

    def read_page(self, query: Query, holding: int | None = None) -> AgentPage:
        """Read a page of the workspace's agents."""
        return self._services.agent_list.page(**asdict(query), holding=holding)

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

    def _reply_later(self, ticket: str, answer: Callable[[], Row]) -> None:
        """Have a thread find an answer, and send it."""

        def reply() -> None:
            try:
                found = answer()
            except PipelineError as error:
                found = {"error": describe_error(error)}
            self.send({"reply": ticket, **found})

        threading.Thread(target=reply, daemon=True).start()
