"""What an endpoint does about its row: reading, opening, telling, and what it bears (spec 8.2, 8.3)."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from benches import until
from factories.lab import CHILD, Lab

from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.endpoint import DesiredState, derive_token, hash_key
from pipeline_widgets.errors import StorageError
from pipeline_widgets.execution import processes
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.serving import server
from pipeline_widgets.serving.server import DesiredStateWatcher, ServedAgent, Server
from pipeline_widgets.trainers.numpy.predictor_inputs import Answering

KEY = "own key"


class Moody(EndpointService):
    """A service whose database refuses when a test wants that."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.store)
        self.refuses: set[str] = set()
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refuses:
            raise StorageError("The database cannot be used now.")

    def desired_state(self, agent_id: int, token: str) -> DesiredState | None:
        self._call("wanted")
        return super().desired_state(agent_id, token)

    def record_state(self, agent_id: int, token: str, **columns: object) -> None:
        self._call("tell")
        super().record_state(agent_id, token, **columns)

    def record_ready(self, agent_id: int, token: str, **columns: object) -> None:
        self._call("ready")
        super().record_ready(agent_id, token, **columns)

    def beat(self, agent_id: int, token: str) -> None:
        self._call("beat")
        super().beat(agent_id, token)


class Openings:
    """Opens versions as a test wants it."""

    def __init__(self) -> None:
        self.refused: set[int] = set()
        self.gate: threading.Event | None = None
        self.opened: list[int] = []
        self.example: Any = None

    def __call__(self, version: AgentVersion, _: AlgorithmReference, _root: Path) -> Callable[[Any], Any]:
        self.opened.append(version.number)
        if self.gate is not None:
            self.gate.wait(30)
        if version.number in self.refused:
            raise RuntimeError("no")
        return Answering(lambda asked: asked, self.example)


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Openings:
    """What opens versions."""
    made = Openings()
    monkeypatch.setattr(server, "open_version", made)
    return made


@pytest.fixture
def agent(lab: Lab) -> int:
    """An agent with two versions, the first of which is current."""
    (stage, deployment) = lab.pipeline("SFT", "deploy").stages
    for score in (0.5, 0.6):
        lab.do(stage, score)
        lab.do(deployment)
    made = lab.agents.all()[0]
    lab.agents.rollback(made.id, 1)
    return made.id


@pytest.fixture
def service(lab: Lab, agent: int) -> Moody:
    """A service under which the agent's endpoint is taken."""
    made = Moody(lab)
    made.connect(agent)
    assert made.take(agent, CHILD, derive_token(KEY))
    return made


@pytest.fixture
def endpoint(service: Moody, agent: int, openings: Openings) -> ServedAgent:
    """An endpoint that serves the first version."""
    made = ServedAgent(service, agent, KEY)
    made.report_ready()
    return made


def error(lab: Lab, agent: int) -> str | None:
    """Return the error in the row."""
    found = lab.agents.get(agent).endpoint
    assert found is not None
    return found.error


def refused_version(lab: Lab, agent: int) -> int | None:
    """Return the version that the row says cannot be served."""
    found = lab.agents.get(agent).endpoint
    assert found is not None
    return found.refused_version


def test_the_log_has_the_whole_traceback_before_the_row_says_failed(
    lab: Lab,
    agent: int,
    openings: Openings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who reads that the agent is Failed, and opens its log, finds why."""
    service, logged = Moody(lab), ""
    failed = service.record_failure

    def noting(agent_id: int, token: str, why: str) -> None:
        nonlocal logged
        logged = capsys.readouterr().err
        failed(agent_id, token, why)

    monkeypatch.setattr(service, "record_failure", noting)
    service.connect(agent)
    openings.refused = {1}
    with pytest.raises(SystemExit) as ended:
        server.serve(lab.store, service, agent, processes.identify(os.getpid()))
    assert ended.value.code == 1
    assert logged.endswith("RuntimeError: no\n")
    assert (lab.agents.get(agent).status, error(lab, agent)) == ("Failed", "RuntimeError: no.")


@pytest.mark.spec("8.2")
def test_a_refused_version_is_told_as_long_as_it_is_wanted(
    lab: Lab, agent: int, endpoint: ServedAgent, openings: Openings
) -> None:
    """It is tried once; when another one is wanted the error goes, and it may be tried again later."""
    openings.refused = {2}
    lab.agents.rollback(agent, 2)
    for _ in range(3):
        endpoint.read()
        endpoint.settle()
    assert openings.opened == [1, 2]
    assert error(lab, agent) == "Version 2 cannot be opened, so version 1 is served still. RuntimeError: no."
    assert refused_version(lab, agent) == 2
    lab.agents.rollback(agent, 1)
    endpoint.read()
    endpoint.settle()
    assert (error(lab, agent), refused_version(lab, agent)) == (None, None)
    openings.refused = set()
    lab.agents.rollback(agent, 2)
    endpoint.read()
    endpoint.settle()
    assert (endpoint.opened.version, error(lab, agent)) == (2, None)


@pytest.mark.spec("8.2")
def test_what_the_database_did_not_take_is_told_again(
    lab: Lab, agent: int, endpoint: ServedAgent, service: Moody, openings: Openings
) -> None:
    """Another version that is served already is in the row as soon as that can be written."""
    lab.agents.rollback(agent, 2)
    service.refuses = {"tell"}
    endpoint.read()
    with pytest.raises(StorageError):
        endpoint.settle()
    service.refuses = set()
    endpoint.settle()
    found = lab.agents.get(agent).endpoint
    assert found is not None
    assert found.version == endpoint.opened.version == 2
    told = len(service.calls)
    endpoint.settle()
    assert (len(service.calls), openings.opened) == (told, [1, 2])


@pytest.mark.spec("8.3")
def test_a_key_counts_while_another_version_is_being_opened(
    lab: Lab, agent: int, endpoint: ServedAgent, service: Moody, openings: Openings
) -> None:
    """Reading what is wanted waits for no opening."""
    openings.gate = threading.Event()
    lab.agents.rollback(agent, 2)
    endpoint.read()
    opening = threading.Thread(target=endpoint.settle)
    opening.start()
    until(lambda: openings.opened == [1, 2])
    key = service.rotate_key(agent)
    endpoint.read()
    assert endpoint.key_digest == hash_key(key)
    assert endpoint.swapping
    openings.gate.set()
    opening.join()
    assert not endpoint.swapping


@pytest.mark.spec("8.1", "8.3")
@pytest.mark.parametrize(
    ("example", "kept"),
    [
        (np.zeros(2), [0.0, 0.0]),
        ({"state": np.float32(1)}, {"state": 1.0}),
        (math.nan, None),
        ({1, 2}, None),
        ("dcba", "dcba"),
    ],
    ids=str,
)
def test_an_example_is_kept_as_json_has_it(
    lab: Lab, service: Moody, agent: int, openings: Openings, example: Any, kept: Any
) -> None:
    """What numpy makes are lists and numbers, and what JSON cannot say is no example."""
    openings.example = example
    made = ServedAgent(service, agent, KEY)
    made.report_ready()
    found = lab.agents.get(agent).endpoint
    assert found is not None
    assert made.opened.example == found.example == kept


def watched(
    lab: Lab, service: Moody, agent: int, endpoint: ServedAgent
) -> tuple[DesiredStateWatcher, threading.Thread]:
    """Return who watches an endpoint, at work."""
    watch = DesiredStateWatcher(lab.store, service, agent, endpoint, cast("Server", Stub()))
    thread = threading.Thread(target=watch.run, args=(("127.0.0.1", 1),))
    thread.start()
    return watch, thread


def said_by(host: str, port: int) -> dict[str, object]:
    """Return what an endpoint says of itself."""
    return {"host": host, "port": port}


class Stub:
    """A server that is told to end."""

    should_exit = False


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Looks follow at once, and no refusal of a read is borne."""
    monkeypatch.setattr(server, "fetch_health", said_by)
    monkeypatch.setattr(server, "READ_EVERY", 0.001)
    monkeypatch.setattr(server, "PATIENCE", 0.0)
    return monkeypatch


@pytest.mark.spec("8.2")
@pytest.mark.usefixtures("hurried")
def test_a_database_that_cannot_be_written_ends_no_endpoint(
    lab: Lab, agent: int, endpoint: ServedAgent, service: Moody
) -> None:
    """As long as its row can be read it goes on; when nobody wants it any more it ends without a reason."""
    service.refuses = {"ready", "beat", "tell"}
    watch, thread = watched(lab, service, agent, endpoint)
    until(lambda: service.calls.count("ready") > 3)
    assert thread.is_alive()
    service.refuses = set()
    until(lambda: lab.agents.get(agent).status == "Deployed")
    service.disconnect(agent)
    thread.join(30)
    assert watch.why is None


@pytest.mark.spec("8.2")
@pytest.mark.usefixtures("hurried")
def test_an_endpoint_that_cannot_read_its_row_says_so_when_it_ends(
    lab: Lab, agent: int, endpoint: ServedAgent, service: Moody
) -> None:
    """The reason is the database, and nobody's signal."""
    service.refuses = {"wanted"}
    watch, thread = watched(lab, service, agent, endpoint)
    thread.join(30)
    assert "could not read its row" in (watch.why or "")
    assert "The database cannot be used now." in (watch.why or "")
