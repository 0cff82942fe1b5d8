"""Agents that really serve: processes, sockets, keys, versions, deaths (spec 8)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
import trainers
from benches import Bench, alive, until

import pipeline_widgets as pw
from pipeline_widgets.domain.experiment import AgentStatus
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.execution.endpoint_app import BODY_LIMIT

CLIENTS, REQUESTS = 8, 1000


class Site:
    """A pipeline of a Line and its Deployment, and short ways to ask the agent."""

    def __init__(self, bench: Bench, above: float = 0.5, act: str = "") -> None:
        self.bench = bench
        self.services = bench.ws._services
        self.experiment = bench.project.create_experiment(
            "line", algorithm=trainers.line, config={"above": above, "act": act}
        )
        self.pipe = bench.project.create_pipeline("serving")
        self.trained = self.pipe.add_experiment_stage(self.experiment)
        self.deployed = self.pipe.add_deployment_stage("a line", trigger="auto")

    def run(self) -> pw.Agent:
        """Train and deploy, and return the agent."""
        self.trained.trigger()
        self.pipe.wait(60)
        return self.bench.ws.agents["a line"]

    def change(self, above: float, act: str = "") -> None:
        """Let the next run train something else."""
        self.experiment.update(config={"above": above, "act": act})

    def process(self, agent: pw.Agent) -> Process:
        """Return the process that serves an agent."""
        with self.services.store.read() as work:
            service = work.endpoints.service(agent._id)
        assert service is not None
        assert service.process is not None
        return service.process


@pytest.fixture
def site(bench: Bench) -> Site:
    """A pipeline whose agent can be asked."""
    return Site(bench)


def ask(
    agent: pw.Agent,
    path: str = "/get_action",
    body: Any = None,
    *,
    key: str | None = None,
    verb: str = "POST",
    raw: bytes | None = None,
    kind: str = "application/json",
) -> tuple[int, Any]:
    """Ask an endpoint, and return the status and the parsed body of its answer."""
    host, port = (agent.url or "").removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=30)
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {key}"} if key else {})}
    connection.request(verb, path, json.dumps(body).encode() if raw is None else raw, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


OBSERVED = {"observation": [1, 2, 3]}


@pytest.mark.spec("8.2", "5.1", "5.9")
def test_a_deployment_succeeds_when_its_endpoint_answers(site: Site) -> None:
    """The agent is Deployed with the version that the stage made, and that answers health and questions."""
    agent = site.run()
    assert site.deployed.status == "Succeeded"
    assert (agent.status, agent.version, agent.error) == ("Deployed", 1, None)
    assert ask(agent, "/health", verb="GET", raw=b"") == (
        200,
        {"status": "ok", "agent": "a line", "version": 1},
    )
    key = agent.rotate_key()
    assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5})


@pytest.mark.spec("8.2", "7.4")
def test_a_deployment_whose_checkpoint_cannot_be_opened_fails(bench: Bench) -> None:
    """It never succeeds: the run has the reason, and the agent is Failed with the same."""
    site = Site(bench, act="cannot be opened")
    agent = site.run()
    assert site.deployed.status == "Failed"
    assert site.deployed.run is not None
    assert "the line is <b>broken</b>" in (site.deployed.run.error or "")
    assert agent.status == "Failed"
    assert "the line is <b>broken</b>" in (agent.error or "")


@pytest.mark.spec("8.2")
def test_a_redeployment_that_fails_leaves_the_former_version_served(site: Site) -> None:
    """The run fails, and the agent goes on answering with what it had, which stays its current version."""
    agent = site.run()
    key = agent.rotate_key()
    site.change(9, "cannot be opened")
    site.run()
    assert site.deployed.status == "Failed"
    assert (agent.status, agent.version) == ("Deployed", 1)
    assert [version.number for version in agent.versions] == [1, 2]
    assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5})


@pytest.mark.spec("8.2")
def test_a_redeployment_and_a_roll_back_swap_the_version_behind_the_same_url(site: Site) -> None:
    """Requests that never pause see the old version, then the new one, and no error in between."""
    agent = site.run()
    key, url = agent.rotate_key(), agent.url
    pid = site.process(agent).pid
    site.change(1.5)
    with ThreadPoolExecutor(1) as asking:
        site.trained.trigger()
        seen = asking.submit(lambda: [ask(agent, body=OBSERVED, key=key) for _ in range(400)])
        site.pipe.wait(60)
        until(lambda: ask(agent, body=OBSERVED, key=key)[1] == {"action": 7.5})
        answers = seen.result()
    assert {status for status, _ in answers} == {200}
    assert {body["action"] for _, body in answers} <= {6.5, 7.5}
    assert (agent.version, agent.url, site.process(agent).pid) == (2, url, pid)
    agent.rollback(1)
    assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5})
    assert agent.version == 1


@pytest.mark.spec("8.3")
def test_an_endpoint_listens_on_this_machine_only(site: Site) -> None:
    """It is bound to 127.0.0.1, and is told otherwise only by who connects it."""
    agent = site.run()
    assert (agent.url or "").startswith("http://127.0.0.1:")
    agent.disconnect()
    assert agent.url is None
    connected = agent.connect(host="localhost")
    assert connected.url.startswith("http://localhost:")
    agent.disconnect()
    with pytest.raises(pw.PipelineError, match=r"cannot listen on 203.0.113.1"):
        agent.connect(host="203.0.113.1")
    assert agent.status == "Failed"


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
    site.bench.ws.close()
    stored = b"".join(path.read_bytes() for path in site.bench.folder.glob("lab.db*"))
    assert key.encode() not in stored
    assert key[-4:].encode() in stored


@pytest.mark.spec("8.3")
def test_who_has_no_key_or_an_old_one_is_refused(site: Site) -> None:
    """Without any key, without one, with a wrong one, and with one that was rotated: 401 and why."""
    agent = site.run()
    status, said = ask(agent, body=OBSERVED, key="guess")
    assert (status, said["error"]) == (401, "This agent has no key yet.")
    assert "agent.rotate_key()" in said["fix"]
    old = agent.rotate_key()
    assert ask(agent, body=OBSERVED, key=old)[0] == 200
    assert ask(agent, body=OBSERVED)[1]["error"] == "The key is missing."
    new = agent.rotate_key()
    status, said = ask(agent, body=OBSERVED, key=old)
    assert (status, said["error"]) == (401, "The key is wrong.")
    assert ask(agent, body=OBSERVED, key=new) == (200, {"action": 6.5})
    for path in ("/v2/models/a%20line", "/-/look", "/generate"):
        verb = "GET" if "v2" in path else "POST"
        assert ask(agent, path, {}, verb=verb)[0] == 401, path


BAD: dict[str, tuple[Any, int, str]] = {
    "broken JSON": ({"raw": b'{"observation": [1,'}, 400, "broken JSON"),
    "no JSON": ({"raw": b"observation=1", "kind": "text/plain"}, 415, "not declared as JSON"),
    "bytes that are no text": ({"raw": b"\xff\xfe\x00"}, 400, "broken JSON"),
    "endless nesting": ({"raw": b"[" * 100_000}, 400, "broken JSON"),
    "a list": ({"body": [1, 2, 3]}, 422, "no JSON object"),
    "NaN": ({"raw": b'{"observation": [NaN, 2, 3]}'}, 422, "holds NaN"),
    "infinity": ({"raw": b'{"observation": [1e999, 2, 3]}'}, 422, "holds 1e999"),
    "another field": ({"body": {"obs": [1, 2, 3]}}, 422, "'observation' is missing"),
    "wrong shape": ({"body": {"observation": [1, 2]}}, 422, "refuses this input"),
    "wrong type": ({"body": {"observation": "abc"}}, 422, "refuses this input"),
    "10 MB": ({"raw": b'{"observation": "' + b"x" * 10_000_000 + b'"}'}, 413, "too long"),
    "a byte too many": ({"raw": b" " * (BODY_LIMIT + 1)}, 413, "too long"),
    "wrong verb": ({"verb": "GET"}, 405, "GET is not answered"),
    "unknown path": ({"path": "/nowhere"}, 404, "nothing at /nowhere"),
    "another kind of agent": ({"path": "/generate", "body": {"prompt": "x"}}, 404, "no /generate here"),
    "another model": ({"path": "/v2/models/other/infer", "body": {}}, 404, "no model 'other'"),
    "no tensors": ({"path": "/v2/models/a%20line/infer", "body": {}}, 422, "no inputs"),
}


@pytest.mark.spec("8.3")
def test_bad_input_is_refused_with_a_reason_and_the_server_goes_on(site: Site) -> None:
    """Each kind of bad input has its status and sentence, and the next good question is answered."""
    agent = site.run()
    key = agent.rotate_key()
    for name, (request, expected, reason) in BAD.items():
        status, said = ask(agent, key=key, **request)
        assert status == expected, (name, said)
        assert reason in said["error"], (name, said)
        assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5}), name


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(("act", "why"), [("fault", "RuntimeError: it broke"), ("NaN", "not JSON compliant")])
def test_a_fault_of_the_agents_code_is_no_fault_of_the_server(bench: Bench, act: str, why: str) -> None:
    """The request is answered with 500 and what was raised, and health goes on."""
    agent = Site(bench, act=act).run()
    key = agent.rotate_key()
    status, said = ask(agent, body=OBSERVED, key=key)
    assert status == 500
    assert why in said["why"]
    assert ask(agent, "/health", verb="GET", raw=b"")[0] == 200


@pytest.mark.spec("8.3")
def test_the_open_inference_protocol_is_answered(site: Site) -> None:
    """Health, metadata and inference have the shape that its REST specification gives them."""
    agent = site.run()
    key, model = agent.rotate_key(), "/v2/models/a%20line"
    assert ask(agent, "/v2/health/live", verb="GET", raw=b"") == (200, {"live": True})
    assert ask(agent, "/v2/health/ready", verb="GET", raw=b"") == (200, {"ready": True})
    assert ask(agent, "/v2", verb="GET", raw=b"")[1]["name"] == "pipeline_widgets"
    status, told = ask(agent, model, verb="GET", raw=b"", key=key)
    assert status == 200
    assert told == {
        "name": "a line",
        "versions": ["1"],
        "platform": "Line",
        "inputs": [{"name": "observation", "datatype": "FP64", "shape": [-1, 3]}],
        "outputs": [{"name": "action", "datatype": "FP64", "shape": [-1]}],
    }
    tensor = {"name": "observation", "shape": [3], "datatype": "FP32", "data": [1, 2, 3.5]}
    status, told = ask(agent, f"{model}/versions/1/infer", {"id": "7", "inputs": [tensor]}, key=key)
    assert status == 200
    assert told == {
        "model_name": "a line",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "action", "shape": [1], "datatype": "FP64", "data": [7.0]}],
    }
    assert ask(agent, f"{model}/versions/2/infer", {"inputs": [tensor]}, key=key)[0] == 404


@pytest.mark.spec("8.2")
def test_no_request_is_lost(site: Site) -> None:
    """1,000 questions of 8 clients get 1,000 right answers."""
    agent = site.run()
    key = agent.rotate_key()

    def client(first: int) -> list[tuple[int, Any]]:
        asked = range(first, REQUESTS, CLIENTS)
        return [ask(agent, body={"observation": [number, 0, 0]}, key=key) for number in asked]

    with ThreadPoolExecutor(CLIENTS) as clients:
        found = [answer for answers in clients.map(client, range(CLIENTS)) for answer in answers]
    assert sorted(body["action"] for _, body in found) == [number + 0.5 for number in range(REQUESTS)]
    assert {status for status, _ in found} == {200}


@pytest.mark.spec("8.1")
def test_the_snippets_do_what_they_say(site: Site) -> None:
    """The code for Python and for curl, run as it is, prints the agent's answer."""
    agent = site.run()
    key = agent.rotate_key()
    python, curl = (each.code for each in site.services.agents.snippets(agent._id, key))
    said = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "6.5"
    shell, found = shutil.which("sh"), shutil.which("curl")
    assert shell
    assert found, "curl is needed for the tests"
    said = subprocess.run([shell, "-c", curl], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == {"action": 6.5}
    assert "YOUR-KEY" in agent.snippets["Python"]


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
    for path in site.bench.folder.glob("lab.db*"):
        path.unlink()
    until(lambda: not alive(pid))


@pytest.mark.spec("8.2")
def test_an_agent_that_cannot_be_asked_is_served_all_the_same(bench: Bench) -> None:
    """An algorithm without a predictor deploys: health answers, and questions are refused with the reason."""
    pipe = bench.project.create_pipeline("bare")
    experiment = bench.project.create_experiment("bare", algorithm=trainers.bare)
    first = pipe.add_experiment_stage(experiment)
    last = pipe.add_deployment_stage("mute", trigger="auto")
    first.trigger()
    pipe.wait(60)
    assert last.status == "Succeeded"
    agent = bench.ws.agents["mute"]
    status, said = ask(agent, "/predict", {"input": 1}, key=agent.rotate_key())
    assert (status, said["error"]) == (404, "This agent cannot be asked.")
    assert "Declare predict=" in said["fix"]


@pytest.mark.spec("6.5")
def test_a_deployment_that_is_stopped_while_it_waits_keeps_the_former_version(site: Site) -> None:
    """An endpoint that cannot come up in time is not waited for: the run is Stopped."""
    agent = site.run()
    os.kill(
        site.process(agent).pid, signal.SIGSTOP
    )  # it goes on "at work" for the system, and answers nobody
    try:
        run = site.deployed.trigger()
        until(lambda: agent.version == 2)
        run.stop()
        run.wait(30)
        assert run.status == "Stopped"
        assert agent.version == 1
    finally:
        os.kill(site.process(agent).pid, signal.SIGCONT)


def test_two_connect_at_once_and_one_process_serves(site: Site) -> None:
    """However many connect, the database lets one process hold the endpoint."""
    agent = site.run()
    agent.disconnect()
    with ThreadPoolExecutor(4) as people:
        connecting = [people.submit(agent.connect) for _ in range(4)]
        urls = {each.result().url for each in connecting}
    assert len(urls) == 1
    assert agent._now.status is AgentStatus.DEPLOYED
