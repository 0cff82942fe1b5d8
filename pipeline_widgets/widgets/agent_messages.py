"""What the views of agents show, as rows for the browser: the list, an expanded agent, and its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.agent import Agent, VersionAnswer, find_counterpart
from pipeline_widgets.domain.endpoint import ANY_ADDRESS, LOCAL, Endpoint
from pipeline_widgets.domain.snippets import EXAMPLES, KEY
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.services.queries.agent_detail import AgentDetail, VersionRow
from pipeline_widgets.services.queries.agent_list import ListedAgent, Source
from pipeline_widgets.serving.client import Reply
from pipeline_widgets.widgets.base import Row, describe_error
from pipeline_widgets.widgets.encoding import encode_fields
from pipeline_widgets.widgets.snapshot import Marks

LONGEST = 20_000  # characters of an answer that are shown
A_LINE = 50  # characters of an answer that stay on one line


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
        "counterpart": find_counterpart(
            agent.current.number, [each.version.number for each in detail.versions]
        ),
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
    return {
        **encode_fields(reply, "status", "seconds"),
        "phrase": phrase,
        "text": _shorten(_spread(reply.content)),
    }


def comparison_row(answers: Sequence[VersionAnswer], current: int) -> Row:
    """Return the answers of versions of an agent to one input.

    Args:
        answers: The answers, oldest version first.
        current: The number of the current version.
    """
    said = [each.answer for each in answers if each.error is None]
    return {
        "answers": [_answer_row(each, current) for each in answers],
        "alike": len(said) == len(answers) and all(each == said[0] for each in said),
    }


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


def _answer_row(answer: VersionAnswer, current: int) -> Row:
    version, said = answer.version, answer.answer
    return {
        **encode_fields(version, "number", "experiment"),
        **encode_fields(version.checkpoint, "step", "training_score", "evaluation_score"),
        "current": version.number == current,
        "text": _shorten(said if isinstance(said, str) else _spread(said)),
        "seconds": answer.seconds,
        "problem": None if answer.error is None else describe_error(answer.error),
    }


def _shorten(text: str) -> str:
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters" if len(text) > LONGEST else text


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
