"""What an endpoint answers to good and to bad requests, over real sockets (spec 8.3)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any
from urllib.parse import quote

import pytest
from benches import Bench
from sites import OBSERVED, Site, an_agent, ask, get

from pipeline_widgets.serving.payload import BODY_LIMIT

NAMES_OF_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY")
TENSOR = {"name": "other", "shape": [3], "datatype": "FP32", "data": [1, 2, 3]}
BAD: dict[str, tuple[Any, int, str]] = {
    "broken JSON": ({"raw": b'{"observation": [1,'}, 400, "broken JSON"),
    "no JSON": ({"raw": b"observation=1", "kind": "text/plain"}, 415, "not declared as JSON"),
    "bytes that are no text": ({"raw": b"\xff\xfe\x00"}, 400, "broken JSON"),
    "endless nesting": ({"raw": b"[" * 100_000}, 400, "broken JSON"),
    "a list": ({"body": [1, 2, 3]}, 422, "not a JSON object"),
    "NaN": ({"raw": b'{"observation": [NaN, 2, 3]}'}, 422, "holds NaN"),
    "infinity": ({"raw": b'{"observation": [1e999, 2, 3]}'}, 422, "holds 1e999"),
    "another field": ({"body": {"obs": [1, 2, 3]}}, 422, "'observation' is missing"),
    "wrong shape": ({"body": {"observation": [1, 2]}}, 422, "refuses this input"),
    "wrong type": ({"body": {"observation": "abc"}}, 422, "refuses this input"),
    "10 MB": ({"raw": b'{"observation": "' + b"x" * 10_000_000 + b'"}'}, 413, "too long"),
    "a byte too many": ({"raw": b" " * (BODY_LIMIT + 1)}, 413, "too long"),
    "broken gzip": ({"raw": b"\x1f\x8b\x08", "Content_Encoding": "gzip"}, 400, "cannot be decompressed"),
    "another compression": ({"raw": b"\x1b\x00", "Content_Encoding": "br"}, 415, "compressed in another way"),
    "wrong verb": ({"verb": "GET"}, 405, "GET is not answered"),
    "unknown path": ({"path": "/nowhere"}, 404, "Nothing is served at /nowhere"),
    "another kind of agent": ({"path": "/generate", "body": {"prompt": "x"}}, 404, "no /generate here"),
    "another model": ({"path": "/v2/models/other/infer", "body": {}}, 404, "no model 'other'"),
    "wrong verb for a model": ({"path": "/v2/models/a%20line/infer", "verb": "GET"}, 405, "GET is not"),
    "a slash too many": ({"path": "/get_action/"}, 404, "Nothing is served at /get_action/"),
    "an endless name": ({"path": f"/v2/models/{'x' * 5000}/infer", "body": {}}, 404, "xxx…"),
    "endless fields": ({"body": {"x" * 5000: 1}}, 422, "'observation' is missing"),
    "another site's name": ({"body": {}, "Host": "evil.example:80"}, 421, "not 'evil.example:80'"),
    "tensors of another name": (
        {"path": "/v2/models/a%20line/infer", "body": {"inputs": [TENSOR]}},
        422,
        "other names",
    ),
    "a tensor of endless lists": (
        {
            "path": "/v2/models/a%20line/infer",
            "body": {"inputs": [{**TENSOR, "shape": [3_000_000, 0], "data": []}]},
        },
        422,
        "too large",
    ),
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
        assert len(json.dumps(said)) < 1000, name
        assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5}), name


@pytest.mark.spec("8.3")
def test_this_machine_may_be_called_by_each_of_its_names(site: Site) -> None:
    """A Host header that means this machine is taken, with any port: a tunnel has another one."""
    agent = site.run()
    for named in ("127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:1"):
        assert get(agent, "/health", Host=named)[0] == 200, named


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(("act", "why"), [("fault", "RuntimeError: it broke"), ("NaN", "not JSON compliant")])
def test_a_fault_of_the_agents_code_is_no_fault_of_the_server(bench: Bench, act: str, why: str) -> None:
    """The request is answered with 500 and what was raised, and health goes on."""
    agent = Site(bench, act=act).run()
    key = agent.rotate_key()
    status, said = ask(agent, body=OBSERVED, key=key)
    assert status == 500
    assert why in said["why"]
    assert get(agent, "/health")[0] == 200


ASKED: dict[str, tuple[Any, int, str]] = {
    "an attribute that is not there": ("attribute", 422, "AttributeError"),
    "a division by zero": ("zero", 422, "ZeroDivisionError"),
    "an assertion": ("assertion", 422, "AssertionError: not so"),
    "whatever torch raises": ("runtime", 500, "RuntimeError: mat1 and mat2"),
    "an exit": ({"exit": 2}, 500, "SystemExit: 2"),
    "an interrupt": ("interrupt", 500, "KeyboardInterrupt"),
    "an answer that is not JSON": ("set", 500, "set is not JSON"),
}


@pytest.mark.spec("8.3")
def test_what_the_agents_code_raises_is_an_answer_in_json(bench: Bench) -> None:
    """What input may cause is a 422, everything else a 500; its process goes on, and logs a fault once."""
    agent = an_agent(bench)
    connected = agent.connect()
    for name, (asked, expected, why) in ASKED.items():
        status, said = ask(agent, "/predict", {"input": asked}, key=connected.key)
        assert (status, why in said["why"]) == (expected, True), (name, said)
        assert ask(agent, "/predict", {"input": 1}, key=connected.key) == (200, {"output": 1}), name
    log = bench.ws._services.endpoints.log(agent._id).read_text()
    assert log.count("RuntimeError: mat1 and mat2") == 1


@pytest.mark.spec("8.3")
def test_the_open_inference_protocol_is_answered(site: Site) -> None:
    """Health, metadata and inference have the shape that its REST specification gives them."""
    agent = site.run()
    key, model = agent.rotate_key(), "/v2/models/a%20line"
    assert get(agent, "/v2/health/live") == (200, {"live": True})
    assert get(agent, "/v2/health/ready") == (200, {"ready": True})
    assert get(agent, "/v2")[1]["name"] == "pipeline_widgets"
    status, told = get(agent, model, key)
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
    for path in (model, f"{model}/versions/1"):
        assert get(agent, f"{path}/ready") == (200, {"name": "a line", "ready": True})
    for outputs, expected in (([{"name": "action"}], 200), ([{"name": "other"}], 422), ("action", 422)):
        body = {"inputs": [tensor], "outputs": outputs}
        assert ask(agent, f"{model}/infer", body, key=key)[0] == expected, outputs
    assert ask(agent, f"{model}/infer", {"id": 7, "inputs": [tensor]}, key=key)[0] == 422
    assert ask(agent, f"{model}/versions/2/infer", {"inputs": [tensor]}, key=key)[0] == 404


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("name", ["x/versions/1", "a b/ready", "infer", "ü ñ%2F?#"])
def test_an_agent_may_have_any_name(bench: Bench, name: str) -> None:
    """A name that looks like a part of the protocol's paths means the agent all the same."""
    agent = an_agent(bench, name)
    key = agent.connect().key
    model = f"/v2/models/{quote(name, safe='')}"
    tensor = {"name": "input", "shape": [2], "datatype": "FP32", "data": [1, 2]}
    for path in (model, f"{model}/versions/1"):
        assert get(agent, path, key)[1]["name"] == name
        assert get(agent, f"{path}/ready") == (200, {"name": name, "ready": True})
        assert ask(agent, f"{path}/infer", {"inputs": [tensor]}, key=key)[1]["outputs"][0]["data"] == [1, 2]


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("proxied", [False, True])
def test_the_snippets_do_what_they_say(site: Site, monkeypatch: pytest.MonkeyPatch, *, proxied: bool) -> None:
    """The code for Python and for curl, run as it is, prints the agent's answer, whatever proxy is set."""
    for name in NAMES_OF_PROXIES if proxied else ():
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
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
