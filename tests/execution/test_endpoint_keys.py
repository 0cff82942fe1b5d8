"""The keys of agents: who gets one, who may ask, and what is written down of it (spec 8.3)."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import databases
import pytest
from benches import Bench, until
from sites import OBSERVED, Site, acting, an_agent, ask
from sqlalchemy import select

import pipeline_widgets as pw
from pipeline_widgets.persistence import schema

PREDICT = {"input": 1}


@pytest.mark.spec("8.3")
def test_the_key_is_shown_once_and_stored_as_a_digest(site: Site) -> None:
    """Neither the database nor the agent can tell the key again."""
    agent = site.run()
    agent.disconnect()
    connected = agent.connect()
    key = connected.key
    assert key is not None
    assert key in repr(connected)
    assert agent.connect().key is None
    with site.bench.ws._services.store.read() as work:
        tables = schema.metadata.sorted_tables
        stored = repr([work.connection.execute(select(table)).all() for table in tables])
    assert key not in stored
    assert key[-4:] in stored


@pytest.mark.spec("8.3")
def test_who_has_no_key_or_an_old_one_is_refused(site: Site) -> None:
    """Without any key, without one, with a wrong one, and with one that was rotated: 401 and why."""
    agent = site.run()
    status, said = ask(agent, body=OBSERVED, key="guess")
    assert (status, said["error"]) == (401, "This agent has no key yet.")
    assert "agent.rotate_key()" in said["fix"]
    old = agent.rotate_key()
    assert ask(agent, body=OBSERVED, key=old)[0] == 200
    for scheme in ("Bearer\t", "bearer  "):
        assert ask(agent, body=OBSERVED, Authorization=f"{scheme}{old}")[0] == 200, scheme
    assert ask(agent, body=OBSERVED)[1]["error"] == "The key is missing."
    new = agent.rotate_key()
    status, said = ask(agent, body=OBSERVED, key=old)
    assert (status, said["error"]) == (401, "The key is wrong.")
    assert ask(agent, body=OBSERVED, key=new) == (200, {"action": 6.5})
    for path in ("/v2/models/a%20line", "/-/look", "/generate"):
        verb = "GET" if "v2" in path else "POST"
        assert ask(agent, path, {}, verb=verb)[0] == 401, path


@pytest.mark.spec("8.3")
def test_the_first_key_is_not_lost_where_connecting_fails(bench: Bench) -> None:
    """Who connects in vain gets none, and gets it with the connection that succeeds."""
    agent = an_agent(bench)
    with pytest.raises(pw.PipelineError, match=r"cannot listen on 203.0.113.1"):
        agent.connect(host="203.0.113.1")
    key = agent.connect().key
    assert key is not None
    assert ask(agent, "/predict", PREDICT, key=key) == (200, {"output": 1})


@pytest.mark.spec("8.3")
def test_of_many_who_connect_first_one_gets_the_key(bench: Bench) -> None:
    """Nobody is given a key that another has replaced already."""
    agent = an_agent(bench)
    with ThreadPoolExecutor(6) as people:
        connected = [each.result() for each in [people.submit(agent.connect) for _ in range(6)]]
    (key,) = (each.key for each in connected if each.key is not None)
    assert ask(agent, "/predict", PREDICT, key=key) == (200, {"output": 1})


@pytest.mark.spec("8.3")
def test_a_rotated_key_is_refused_while_another_version_is_being_opened(bench: Bench, tmp_path: Path) -> None:
    """Neither who rotates the key nor a request waits for the opening, and the former key opens nothing."""
    site = Site(bench, algorithm=acting)
    agent, gate = site.run(), tmp_path / "go on"
    old, url = agent.rotate_key(), agent.url or ""
    site.experiment.update(config={"act": f"wait {gate}"})
    site.trained.trigger()
    until(lambda: agent.version == 2)
    new = agent.rotate_key()
    assert ask(url, "/predict", PREDICT, key=old)[0] == 401
    assert ask(url, "/predict", PREDICT, key="guess")[0] == 401
    assert ask(url, "/predict", PREDICT, key=new) == (200, {"output": 1})
    gate.touch()
    site.pipe.wait(60)
    assert site.deployed.status == "Succeeded"


@pytest.mark.spec("8.3")
def test_what_is_stored_lets_nobody_else_ask(bench: Bench) -> None:
    """What the database knows is no key, and only this user can read it, the logs and the own key."""
    agent = an_agent(bench)
    connected = agent.connect()
    with bench.ws._services.store.read() as work:
        row = work.endpoints.token(agent._id)
    assert row is not None
    assert ask(agent, "/predict", PREDICT, key=row)[0] == 401
    assert bench.ws._services.ask_agent(agent._id, 1).content == {"output": 1}
    assert connected.key is not None
    private = [*bench.folder.glob("lab.db*"), *(bench.ws.artifacts / "endpoints").iterdir()]
    private += bench.ws.artifacts.glob("runs/*/supervisor.log")
    assert len(private) >= (3 if databases.is_postgresql() else 4)
    assert {stat.filemode(path.stat().st_mode) for path in private} == {"-rw-------"}


@pytest.mark.spec("8.3")
def test_who_may_not_read_the_workspaces_own_key_is_told_so(bench: Bench) -> None:
    """The agent's key is then the way to ask."""
    agent = an_agent(bench)
    agent.connect()
    for path in (bench.ws.artifacts / "endpoints").glob("*.key"):
        path.write_text("of another process")
    with pytest.raises(pw.PipelineError, match="Call it over HTTP, with its key"):
        bench.ws._services.ask_agent(agent._id, 1)
