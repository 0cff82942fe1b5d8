"""The agents of the tests, and the table of what their clients were answered."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from benches import Bench, end_all
from clients.agents import LANGUAGE_MODELS, Language, Policy
from clients.table import ANSWERED


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Bench]:
    """Yield a workspace for the agents of a module."""
    made = Bench(tmp_path_factory.mktemp("clients"))
    yield made
    end_all(made)


@pytest.fixture(scope="module", params=LANGUAGE_MODELS)
def language(request: pytest.FixtureRequest, served: Bench) -> Language:
    """Every language model's agent."""
    return LANGUAGE_MODELS[request.param](served)


@pytest.fixture(scope="module")
def policy(served: Bench) -> Policy:
    """An agent of the DQN that comes along."""
    config = {"steps": 400, "evaluation_episodes": 2, "warm_up": 200}
    experiment = served.project.create_experiment("policy", algorithm="DQN", config=config)
    agent = served.ws.create_agent("numpy policy", experiment.train().wait(120).checkpoints[-1])
    made = agent.connect()
    return Policy(url=made.url, key=made.key or "", name=agent.name)


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a row for every call of a client: who, what, and what was answered."""
    rows = [
        row
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, row in getattr(report, "user_properties", ())
        if name == ANSWERED and getattr(report, "when", "") == "call"
    ]
    if rows:
        terminalreporter.section(f"{len(rows)} calls of clients: client | call | answered")
        for row in rows:
            terminalreporter.write_line(row)
