"""The agents of a workspace: a list that connects them, and in an expanded row how to ask one (spec 8).

No key is ever in what a row shows: it would be saved with the notebook.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, cast

import traitlets as t

from pipeline_widgets.algorithms import registry
from pipeline_widgets.application import Services
from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.agent import Agent, AgentStatus
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.endpoint import ANY_ADDRESS, LOCAL, Endpoint
from pipeline_widgets.domain.snippets import EXAMPLES, KEY
from pipeline_widgets.domain.stage_settings import choice_from_text, parse_choice
from pipeline_widgets.errors import ConfigError, NotFoundError, PipelineError
from pipeline_widgets.services.queries.agent_detail import AgentDetail, VersionRow
from pipeline_widgets.services.queries.agent_list import AgentPage, ListedAgent, Source
from pipeline_widgets.serving.client import Reply
from pipeline_widgets.widgets.base import Row, describe_error
from pipeline_widgets.widgets.encoding import encode_fields
from pipeline_widgets.widgets.experiment_form import resume_row
from pipeline_widgets.widgets.paged import PagedView, Query
from pipeline_widgets.widgets.snapshot import Marks, Rows

COLUMNS = ("Agent", "Description", "Source Experiment", "Base Model", "Status")
WITHOUT_BASE_MODEL = tuple(each for each in COLUMNS if each != "Base Model")
LONGEST = 20_000  # characters of an answer that are shown
A_LINE = 50  # characters of an answer that stay on one line
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
    noun = "agent"

    #: What the rows that are expanded show, by the agent's id.
    details = t.List(t.Dict()).tag(sync=True)
    #: Whether it shows one agent rather than the list.
    single = t.Bool(default_value=False).tag(sync=True)
    #: Why no agent can be made; empty where one can.
    obstacle = t.Unicode("").tag(sync=True)

    def __init__(self, services: Services, only: int | None = None) -> None:
        self._only = only
        self._open: set[int] = set()
        if only is not None:
            services.agents.get(only)
            self._open.add(only)
        super().__init__(services, single=only is not None)

    def update(self) -> bool:
        """Read the page where anything has changed, and whether an agent can be made where there is none."""
        live = super().update()
        if not self._shown.all and self._only is None:  # what an agent is a copy of cannot be deleted
            self.show(obstacle="" if self._services.agent_list.creatable() else NOTHING_SAVED)
        else:
            self.show(obstacle="")
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

    def do_ask(self, agent: int, text: str, ticket: str) -> None:
        """Ask an agent; the reply comes later, under the ticket.

        An agent may think for a minute: whoever waited for it here would keep all other commands waiting.
        """
        value = parse_input(text, self._services.agents.get(agent).endpoint)
        threading.Thread(target=self._ask, args=(agent, value, ticket), daemon=True).start()

    # ---- reading

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the page as a table."""
        shown = self._shown
        columns = COLUMNS if shown.base_models else WITHOUT_BASE_MODEL
        return self.title, columns, table_rows(shown.rows, base_models=shown.base_models)

    @property
    def title(self) -> str:
        """The title of the table where there is no kernel."""
        alone = self._only is not None and self._shown.rows
        return f"Agent {isolate(self._shown.rows[0].agent.name)}" if alone else super().title

    def read_revision(self) -> int:
        """Return the revision of the workspace."""
        return self._services.store.workspace_revision()

    def is_live(self, listed: ListedAgent) -> bool:
        """Return whether it is being connected."""
        return listed.agent.status is AgentStatus.PENDING

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


def list_row(listed: ListedAgent, *, projects: int) -> Row:
    """Return an agent as a row of the list."""
    agent, endpoint = listed.agent, listed.agent.endpoint
    return {
        **encode_fields(agent, "id", "name", "description", "status"),
        **encode_fields(listed, "base_model"),
        "experiment": agent.current.experiment,
        "project": listed.project if projects > 1 else "",
        "connected": agent.status.is_connected,
        "blockers": {"delete": agent.deletion_blocker},
        "version": agent.version,
        "current_version": agent.current.number,
        "trouble": (endpoint.error if endpoint is not None else None) or "",
    }


def detail_row(detail: AgentDetail, log: str = "") -> Row:
    """Return what an expanded row shows; `log` is the end of the log of its endpoint."""
    agent, algorithm = detail.agent, detail.agent.current.spec.name
    return {
        **encode_fields(agent, "id"),
        **encode_fields(detail, "snippets"),
        "endpoint": _endpoint_row(agent.endpoint) if agent.endpoint is not None else None,
        "placeholder": KEY,
        "silent": algorithm if _is_silent(algorithm) else "",
        "log": log.strip("\n"),
        "versions": [_version_row(each, agent) for each in detail.versions],
        "higher_is_better": agent.current.spec.higher_is_better,
    }


def source_rows(sources: Sequence[Source]) -> list[Row]:
    """Return the experiments that an agent can be made of; each project is named where there are several."""
    several = len({each.project for each in sources}) > 1
    return [
        {
            **encode_fields(each, "id", "name", "algorithm"),
            "project": each.project if several else "",
            "silent": _is_silent(each.algorithm),
        }
        for each in sources
    ]


def reply_row(reply: Reply) -> Row:
    """Return the answer of an endpoint."""
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = ""
    text = _spread(reply.content)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters"
    return {**encode_fields(reply, "status", "seconds"), "phrase": phrase, "text": text}


def parse_input(text: str, endpoint: Endpoint | None) -> Any:
    """Return the input that a text stands for: a prompt as it is, anything else as JSON.

    Raises:
        ConfigError: It is not JSON.
    """
    if endpoint is not None and endpoint.route == "generate":
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError("That is not JSON.", f"{error}.", "Write it as in [0.5, -1] or true.") from error


def table_rows(listed: Sequence[ListedAgent], *, base_models: bool) -> list[tuple[object, ...]]:
    """Return agents as rows of the table where there is no kernel."""
    found: list[tuple[object, ...]] = []
    for each in listed:
        agent = each.agent
        base = (each.base_model or "",) if base_models else ()
        status = Marks((str(agent.status),))
        found.append((agent.name, agent.description, agent.current.experiment, *base, status))
    return found


def _spread(value: Any, indent: str = "") -> str:
    """Return JSON over several lines; short values stay on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= A_LINE or not isinstance(value, list | dict):
        return flat
    inner = f"{indent}  "
    if isinstance(value, list):
        parts = [_spread(each, inner) for each in cast("list[Any]", value)]
    else:
        pairs = cast("dict[str, Any]", value).items()
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_spread(each, inner)}" for name, each in pairs]
    first, last = flat[0], flat[-1]
    return f"{first}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{last}"


def _is_silent(algorithm: str) -> bool:
    """Return whether an algorithm of this process does not declare how its checkpoints answer."""
    return algorithm in registry.references() and registry.find(algorithm).predict is None


def _endpoint_row(endpoint: Endpoint) -> Row:
    example = EXAMPLES[endpoint.route] if endpoint.example is None else endpoint.example
    prompt = endpoint.route == "generate" and isinstance(example, str)
    return {
        **encode_fields(endpoint, "url", "version"),
        "route": f"/{endpoint.route}",
        "takes": endpoint.input_field,
        "json": endpoint.route != "generate",
        "example": str(example) if prompt else json.dumps(example, ensure_ascii=False),
        "hint": endpoint.key_hint,
        "open": _who_can_reach(endpoint.host),
    }


def _who_can_reach(host: str) -> str:
    """Return from where else than this machine it can be reached; empty where it cannot."""
    if host in {LOCAL, "localhost", "::1"}:
        return ""
    return "every address of this machine" if host in ANY_ADDRESS else host


def _version_row(row: VersionRow, agent: Agent) -> Row:
    version = row.version
    return {
        **encode_fields(version, "number", "experiment", "created_at"),
        **encode_fields(version.checkpoint, "step", "training_score", "evaluation_score"),
        **encode_fields(row, "lineage"),
        "current": version.number == agent.current.number,
    }
