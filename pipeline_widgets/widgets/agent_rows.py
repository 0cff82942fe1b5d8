"""What the view of the agents shows, as JSON. No key is ever in it: it would be saved with the notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.checkpoint import is_finite
from pipeline_widgets.domain.endpoint import ANY_ADDRESS, LOCAL, Endpoint
from pipeline_widgets.domain.snippets import EXAMPLES, KEY
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.services.queries.agent_detail import AgentDetail, VersionRow
from pipeline_widgets.services.queries.agent_list import ListedAgent, Source
from pipeline_widgets.serving.client import Reply
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.snapshot import Marks
from pipeline_widgets.widgets.steps import step_down

COLUMNS = ("Agent", "Description", "Source Experiment", "Base Model", "Status")
WITHOUT_BASE_MODEL = tuple(each for each in COLUMNS if each != "Base Model")
LONGEST = 20_000  # characters of an answer that are shown
A_LINE = 50  # characters of an answer that stay on one line


def list_row(listed: ListedAgent, *, projects: int) -> Row:
    """Return an agent as a row of the list."""
    agent = listed.agent
    return {
        "id": agent.id,
        "name": agent.name,
        "description": agent.description,
        "experiment": agent.current.experiment,
        "project": listed.project if projects > 1 else "",
        "base_model": listed.base_model,
        "status": str(agent.status),
        "connected": agent.status.is_connected,
        "why_not": {"delete": agent.deletion_blocker},
        "version": agent.current.number,
        "trouble": _trouble(agent),
    }


def detail_row(detail: AgentDetail, log: str = "") -> Row:
    """Return what an expanded row shows; `log` is the end of what the process of its endpoint has printed."""
    agent, algorithm = detail.agent, detail.agent.current.spec.name
    return {
        "id": agent.id,
        "endpoint": _endpoint_row(agent.endpoint) if agent.endpoint is not None else None,
        "snippets": [{"language": each.language, "code": each.code} for each in detail.snippets],
        "placeholder": KEY,
        "silent": algorithm if _silent(algorithm) else "",
        "log": log.strip("\n"),
        "versions": [_version_row(each, agent) for each in detail.versions],
        "higher_is_better": agent.current.spec.higher_is_better,
    }


def source_rows(sources: Sequence[Source]) -> list[Row]:
    """Return the experiments that an agent can be made of; each project is named where there are several."""
    several = len({each.project for each in sources}) > 1
    return [
        {
            "id": each.experiment_id,
            "name": each.experiment,
            "algorithm": each.algorithm,
            "project": each.project if several else "",
            "silent": _silent(each.algorithm),
        }
        for each in sources
    ]


def reply_row(reply: Reply) -> Row:
    """Return what an endpoint has answered."""
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = ""
    text = _spread(reply.content)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters"
    return {"status": reply.status, "phrase": phrase, "text": text, "seconds": reply.seconds}


def asked(text: str, endpoint: Endpoint | None) -> Any:
    """Return what the box to try an agent has to send for a text: a prompt as it is, anything else as JSON.

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
    """Return agents as rows of a picture that is read without a kernel."""
    found: list[tuple[object, ...]] = []
    for each in listed:
        agent = each.agent
        base = (each.base_model or "",) if base_models else ()
        status = Marks((str(agent.status),))
        found.append((agent.name, agent.description, agent.current.experiment, *base, status))
    return found


def _spread(value: Any, indent: str = "") -> str:
    """Return JSON over several lines, but what is short on one."""
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


def _silent(algorithm: str) -> bool:
    """Whether an algorithm, as this process has defined it, does not say how its checkpoints answer."""
    return algorithm in registry.references() and registry.find(algorithm).predict is None


def _trouble(agent: Agent) -> str:
    """Why it failed, or why its current version does not answer; empty where all is well."""
    error = agent.endpoint.error if agent.endpoint is not None else None
    return error or ""


def _endpoint_row(endpoint: Endpoint) -> Row:
    example = EXAMPLES[endpoint.route] if endpoint.example is None else endpoint.example
    prompt = endpoint.route == "generate" and isinstance(example, str)
    return {
        "url": endpoint.url,
        "route": f"/{endpoint.route}",
        "takes": endpoint.input_field,
        "json": endpoint.route != "generate",
        "example": str(example) if prompt else json.dumps(example, ensure_ascii=False),
        "hint": endpoint.key_hint,
        "version": endpoint.version,
        "ready": endpoint.ready_at.timestamp() if endpoint.ready_at is not None else None,
        "open": _whom(endpoint.host),
    }


def _whom(host: str) -> str:
    """Say who can reach it beside this machine; empty where nobody can."""
    if host in {LOCAL, "localhost", "::1"}:
        return ""
    return "every address of this machine" if host in ANY_ADDRESS else host


def _version_row(row: VersionRow, agent: Agent) -> Row:
    version, checkpoint = row.version, row.version.checkpoint
    evaluation, training = checkpoint.evaluation_score, checkpoint.training_score
    return {
        "number": version.number,
        "current": version.number == agent.current.number,
        "experiment": version.experiment,
        "step": step_down(checkpoint.step),
        "training_score": training if is_finite(training) else None,
        "evaluation_score": evaluation if is_finite(evaluation) else None,
        "created": version.created_at.timestamp(),
        "lineage": row.lineage,
    }
