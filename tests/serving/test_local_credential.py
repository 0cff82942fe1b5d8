"""The workspace's own key goes to the process that made it, and nowhere else, whatever a row says."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
from factories.lab import Lab
from sqlalchemy import update

from pipeline_widgets.domain.endpoint import derive_token
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.persistence import schema
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.serving import local_credential, sockets
from pipeline_widgets.serving.client import fetch_health, post
from pipeline_widgets.serving.sockets import own_address

KEY = "the workspace's own key"


class Listener:
    """Listens on a port of this process, and keeps what it is sent."""

    def __init__(self) -> None:
        self.heard = b""
        self._listening = sockets.listen("127.0.0.1", 0)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        with suppress(OSError):
            while True:
                came, _ = self._listening.accept()
                with came:
                    self.heard += came.recv(65_536)
                    came.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    def close(self) -> None:
        """Listen no longer."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A listener."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def served(lab: Lab, listener: Listener) -> tuple[Endpoints, int]:
    """An agent whose row says that this process serves it, where the listener listens."""
    run = lab.runs.train(lab.experiment("sft").id)
    lab.carry_out(run, 0.5)
    agent = lab.agents.create("agent", lab.runs.checkpoints(run.id)[0].id).id
    service, token = EndpointService(lab.store), derive_token(KEY)
    service.connect(agent)
    service.take(agent, processes.identify(os.getpid()), token)
    local_credential.write(lab.store.endpoint_key(agent), KEY)
    service.record_ready(agent, token, port=listener.port, version=1, route="generate", example=None)
    kept = {"logs": lab.store.endpoint_log, "keys": lab.store.endpoint_key}
    common = {"url": lab.store.database.url, "timing": lab.store.timing}
    return Endpoints(service, lab.agents, **kept, **common), agent  # pyright: ignore[reportArgumentType]


def change(lab: Lab, **columns: object) -> None:
    """Let the row say something else."""
    with lab.store.write() as work:
        work.connection.execute(update(schema.endpoints).values(**columns))


def test_the_key_is_sent_to_the_process_that_holds_the_endpoint(
    lab: Lab, served: tuple[Endpoints, int], listener: Listener
) -> None:
    """Where the row is right, the agent is asked with the workspace's own key."""
    endpoints, agent = served
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):  # noqa: S104  what a user may have said
        change(lab, host=host)
        assert endpoints.ask(agent, "x").status == 200
    assert listener.heard.count(KEY.encode()) == 3


def unwanted(*_: object, **__: object) -> None:
    """Fail: this was not to be called."""
    pytest.fail("it connected")


def elsewhere(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """Say that any name means another machine."""
    return [(2, 1, 6, "", ("192.0.2.7", 0))]


@pytest.mark.parametrize("host", ["192.0.2.7", "evil.example", "2001:db8::1", "169.254.169.254", "1.1.1.1#"])
def test_row_15_the_key_is_not_sent_to_another_machine(
    lab: Lab, served: tuple[Endpoints, int], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Neither asking nor nudging nor a health check opens a connection to where a row names another host."""
    endpoints, agent = served
    change(lab, host=host)
    monkeypatch.setattr("http.client.HTTPConnection", unwanted)
    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    with pytest.raises(ExecutionError, match=r"not an address of this machine|does not answer"):
        endpoints.ask(agent, "x")
    endpoints.notify(agent)
    assert fetch_health(host, 80) is None


def test_row_15_a_name_is_looked_up_once(
    served: tuple[Endpoints, int], monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    """A name that means this machine at first, and another one then, gets the key to this machine only."""
    del served
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebound(host: str, *args: object, **options: object) -> object:
        asked.append(host)
        if host == "evil.example":
            return [(2, 1, 6, "", ("127.0.0.1" if asked.count(host) == 1 else "192.0.2.7", 0))]
        return real(host, *args, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    assert post(f"http://evil.example:{listener.port}", "/generate", {}, KEY).status == 200
    assert asked.count("evil.example") == 1


def test_row_15_the_key_is_not_sent_to_another_process(
    lab: Lab, served: tuple[Endpoints, int], listener: Listener
) -> None:
    """A row that names the port of somebody who does not hold the endpoint gets nothing sent there."""
    endpoints, agent = served
    change(lab, pid=os.getppid(), pid_started=processes.identify(os.getppid()).started)
    with pytest.raises(ExecutionError, match="No process of this workspace"):
        endpoints.ask(agent, "x")
    change(lab, pid=None)
    with pytest.raises(ExecutionError, match="No process of this workspace"):
        endpoints.ask(agent, "x")
    endpoints.notify(agent)
    assert KEY.encode() not in listener.heard


def test_row_15_no_proxy_and_no_redirect_gets_the_key(
    served: tuple[Endpoints, int], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says of proxies does not count, and an answer leads nowhere else."""
    endpoints, agent = served
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.7:3128")
    assert endpoints.ask(agent, "x").status == 200
    assert KEY.encode() in listener.heard


def test_an_address_of_this_machine_is_taken_as_it_is() -> None:
    """Loopback in any spelling and the addresses of the interfaces are this machine's."""
    assert own_address("127.0.0.2") == "127.0.0.2"
    assert own_address("") == own_address("::") == "127.0.0.1"
    for held in psutil.net_if_addrs().values():
        for each in held:
            if each.family == socket.AF_INET:
                assert own_address(each.address) == each.address
