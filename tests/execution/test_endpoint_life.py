"""How the processes behind endpoints begin, live and end (spec 8.1 to 8.3)."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import databases
import psutil
import pytest
from benches import Bench, alive, until
from sites import Site, an_agent, ask, get, server

import pipeline_widgets as pw
from pipeline_widgets.domain.agent import AgentStatus


def listens(site: Site, agent: pw.Agent) -> set[str]:
    """Return the addresses on which the process of an agent listens, as the system sees them."""
    connections = psutil.Process(site.process(agent).pid).net_connections("tcp")
    return {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.spec("8.3")
def test_an_endpoint_listens_on_this_machine_only(site: Site) -> None:
    """It is bound to 127.0.0.1, and is told otherwise only by who connects it."""
    agent = site.run()
    assert (agent.url or "").startswith("http://127.0.0.1:")
    assert listens(site, agent) == {"127.0.0.1"}
    agent.disconnect()
    assert agent.url is None
    connected = agent.connect(host="localhost")
    assert connected.url.startswith("http://localhost:")
    assert listens(site, agent) == {"127.0.0.1"}
    agent.disconnect()
    agent.connect(host="0.0.0.0")  # noqa: S104  that is the question
    assert listens(site, agent) == {"0.0.0.0"}  # noqa: S104
    assert get(agent, "/health", Host="lab.example.org")[0] == 200
    agent.disconnect()
    with pytest.raises(pw.PipelineError, match=r"cannot listen on 203.0.113.1"):
        agent.connect(host="203.0.113.1")
    assert agent.status == "Failed"


@pytest.mark.spec("8.3")
def test_a_connected_agent_does_not_move(bench: Bench) -> None:
    """Connecting it elsewhere is refused, and at the place where it is, or at any, is no change."""
    agent = an_agent(bench)
    url = agent.connect().url
    places: tuple[dict[str, Any], ...] = ({"host": "0.0.0.0"}, {"host": "::1"}, {"port": 1})  # noqa: S104
    for place in places:
        with pytest.raises(pw.PipelineError, match="Disconnect it first"):
            agent.connect(**place)
    assert agent.connect().url == url
    assert agent.connect(host="127.0.0.1", port=int(url.rpartition(":")[2])).url == url


@pytest.mark.spec("8.3")
def test_a_port_that_is_asked_for_is_that_port_or_an_error(bench: Bench) -> None:
    """One that is taken is not replaced by another; one that the agent only had before is."""
    agent = an_agent(bench)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(pw.PipelineError, match=f"cannot listen on 127.0.0.1, port {taken}"):
            agent.connect(port=taken)
        assert agent.status == "Failed"
        assert agent.connect().url != f"http://127.0.0.1:{taken}"


@pytest.mark.spec("8.2")
def test_a_failed_connection_is_told_without_a_traceback(bench: Bench) -> None:
    """The reason is one sentence, and the log that has more is named."""
    agent = an_agent(bench, act="raise")
    with pytest.raises(pw.PipelineError) as caught:
        agent.connect()
    assert "RuntimeError: it does not open." in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert str(bench.ws._services.endpoints.log(agent._id)) in caught.value.fix


def kill(site: Site, agent: pw.Agent) -> None:
    """Kill the process, as the system does when memory runs out."""
    os.kill(site.process(agent).pid, signal.SIGKILL)


def end(site: Site, agent: pw.Agent) -> None:
    """Ask the process to end, as the system does when it shuts down."""
    os.kill(site.process(agent).pid, signal.SIGTERM)


@pytest.mark.spec("8.2", "8.1")
@pytest.mark.parametrize(("how", "why"), [(kill, "is gone"), (end, "SIGTERM")])
def test_an_endpoint_that_dies_is_found_failed(
    site: Site, how: Callable[[Site, pw.Agent], None], why: str
) -> None:
    """Whoever looks next sees Failed with the evidence, and can connect it again at the same port."""
    agent = site.run()
    url = agent.url
    how(site, agent)
    until(lambda: agent.status == "Failed")
    assert why in (agent.error or "")
    assert agent.url is None
    assert agent.connect().url == url
    assert (agent.status, agent.error) == ("Deployed", None)


@pytest.mark.spec("8.2")
def test_a_crash_of_compiled_code_leaves_its_stack_in_the_log(site: Site) -> None:
    """The log that the row's reader opens says where the process was when it was brought down."""
    agent = site.run()
    os.kill(site.process(agent).pid, signal.SIGSEGV)
    until(lambda: agent.status == "Failed")
    assert "Fatal Python error: Segmentation fault" in site.bench.ws._services.endpoints.tail(agent._id)


@pytest.mark.spec("8.2")
def test_who_connects_at_once_after_a_death_is_served(bench: Bench) -> None:
    """A process that died, and that nobody has looked for yet, is not taken for one that serves."""
    site = Site(bench)
    agent = site.run()
    pid = site.process(agent).pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    agent.connect()
    assert site.process(agent).pid != pid


@pytest.mark.spec("8.1")
def test_who_disconnects_leaves_no_process(site: Site) -> None:
    """The process has ended when disconnect returns, and the agent can then be deleted."""
    agent = site.run()
    pid = site.process(agent).pid
    with pytest.raises(pw.PipelineError, match="Disconnect it first"):
        agent.delete()
    agent.disconnect()
    assert not alive(pid)
    assert agent.status == "Undeployed"
    agent.delete()
    assert not list(site.bench.ws.agents)


def test_an_endpoint_without_a_workspace_ends(site: Site) -> None:
    """A process whose database was deleted ends by itself."""
    agent = site.run()
    pid = site.process(agent).pid
    site.bench.ws.close()
    databases.delete_in(site.bench.folder)
    until(lambda: not alive(pid))


def test_two_connect_at_once_and_one_process_serves(site: Site) -> None:
    """However many connect, the database lets one process hold the endpoint."""
    agent = site.run()
    agent.disconnect()
    with ThreadPoolExecutor(4) as people:
        connecting = [people.submit(agent.connect) for _ in range(4)]
        urls = {each.result().url for each in connecting}
    assert len(urls) == 1
    assert agent._now.status is AgentStatus.DEPLOYED


def hanging(
    agent: pw.Agent, key: str | None, gate: Path, client: ThreadPoolExecutor
) -> Future[tuple[int, Any]]:
    """Ask what is answered only when a file comes, and wait until the agent is at it."""
    asked = client.submit(ask, agent.url or "", "/predict", {"input": {"wait": str(gate)}}, key=key)
    until(gate.with_suffix(".begun").exists)
    return asked


@pytest.mark.spec("8.3")
@pytest.mark.slow
def test_a_request_under_way_is_answered_before_the_endpoint_ends(bench: Bench, tmp_path: Path) -> None:
    """One that takes a while, longer than before, gets its answer; then the process has ended."""
    agent, gate = an_agent(bench), tmp_path / "go on"
    connected = agent.connect()
    with ThreadPoolExecutor(1) as client:
        asked = hanging(agent, connected.key, gate, client)
        disconnected = threading.Thread(target=agent.disconnect)
        disconnected.start()
        time.sleep(6)  # more than the five seconds that it once had
        gate.touch()
        assert asked.result() == (200, {"output": "done"})
        disconnected.join()


@pytest.mark.spec("8.3")
def test_an_agent_that_hangs_ends_with_its_endpoint(bench: Bench, tmp_path: Path) -> None:
    """The request is answered with 503 in JSON when its time is over, and no process is left."""
    agent = an_agent(bench, act="hasty")
    key, pid = agent.connect().key, server(bench, agent).pid
    with ThreadPoolExecutor(1) as client:
        asked = hanging(agent, key, tmp_path / "never", client)
        os.kill(pid, signal.SIGTERM)
        status, said = asked.result()
    assert (status, said["error"]) == (503, "The endpoint ends.")
    until(lambda: not alive(pid))
    until(lambda: agent.status == "Failed")
    assert "SIGTERM" in (agent.error or "")


def test_an_agent_that_hangs_ends_with_its_workspace(bench: Bench, tmp_path: Path) -> None:
    """A process whose database was deleted is not kept alive by its agent's code."""
    agent = an_agent(bench, act="hasty")
    key, pid = agent.connect().key, server(bench, agent).pid
    with ThreadPoolExecutor(1) as client:
        asked = hanging(agent, key, tmp_path / "never", client)
        bench.ws.close()
        databases.delete_in(bench.folder)
        assert asked.result()[0] == 503
    until(lambda: not alive(pid))


@pytest.mark.spec("8.3")
def test_an_agent_that_hangs_is_not_ready_and_refuses_who_waits(bench: Bench, tmp_path: Path) -> None:
    """Who waits for too long gets 503 and the reason; when the agent comes back all is well again."""
    agent, gate = an_agent(bench, act="hasty"), tmp_path / "go on"
    key = agent.connect().key
    with ThreadPoolExecutor(1) as client:
        asked = hanging(agent, key, gate, client)
        status, said = ask(agent, "/predict", {"input": 1}, key=key)
        assert (status, said["error"]) == (503, "The agent does not come to this request.")
        until(lambda: get(agent, "/v2/health/ready") == (503, {"ready": False}))
        assert get(agent, "/health")[0] == 200
        gate.touch()
        assert asked.result() == (200, {"output": "done"})
    assert get(agent, "/v2/health/ready") == (200, {"ready": True})
    assert ask(agent, "/predict", {"input": 1}, key=key) == (200, {"output": 1})


@pytest.mark.spec("8.1")
def test_a_suspended_process_ends_when_its_agent_is_disconnected(bench: Bench) -> None:
    """It cannot hear that it should, and must not come back and answer."""
    agent = an_agent(bench)
    agent.connect()
    pid = server(bench, agent).pid
    os.kill(pid, signal.SIGSTOP)
    agent.disconnect()
    assert not alive(pid)
