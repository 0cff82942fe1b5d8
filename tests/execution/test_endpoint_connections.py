"""Connections that send nothing, or too slowly, and bodies without a key, over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import ExitStack, closing, suppress
from typing import Any

import psutil
import pytest
from benches import until
from endpoint_server import serving
from sites import Site, ask, get

from pipeline_widgets.serving import connections
from pipeline_widgets.serving.connections import MOST_SILENT
from pipeline_widgets.serving.payload import json_response

HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"


def connected(port: int) -> socket.socket:
    """Return a connection, in which nothing was said yet."""
    made = socket.create_connection(("127.0.0.1", port), 10)
    made.settimeout(20)
    return made


def is_closed(made: socket.socket) -> bool:
    """Whether the other end has closed a connection."""
    made.setblocking(False)  # noqa: FBT003  the name is Python's
    try:
        return made.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def answered(made: socket.socket, end: bytes = b"}") -> bytes:
    """Return an answer as it came, which may be in parts, up to what it ends with."""
    came = b""
    while not came.endswith(end):
        part = made.recv(65536)
        assert part, came
        came += part
    return came


async def patient(scope: Any, receive: Any, send: Any) -> None:
    """Answer when the body is there; /slow takes a second, /large answers with much."""
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(1.0)
    content = "x" * (64 << 20) if scope["path"] == "/large" else "fine"
    await json_response(content)(scope, receive, send)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every limit half a second."""
    limits = dict.fromkeys(connections._LIMITS, 0.5)
    monkeypatch.setattr(connections, "_LIMITS", limits)


@pytest.mark.parametrize(
    "said",
    [b"", b"G", b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: ", HEAD + b"\r\n", HEAD + b"\r\n" + b"x" * 99],
    ids=["nothing", "a letter", "half a header", "no body", "nearly all of a body"],
)
@pytest.mark.usefixtures("short")
def test_row_13_who_does_not_finish_a_request_is_closed(said: bytes) -> None:
    """Whatever is missing, the connection is closed after its time, also when it goes on letter by letter."""
    with serving(patient) as port:
        for drips in (False, True):
            with closing(connected(port)) as made:
                made.sendall(said)
                for _ in range(100):
                    if is_closed(made):
                        break
                    time.sleep(0.05)
                    made.setblocking(True)  # noqa: FBT003
                    if drips and not said.endswith(b"x"):
                        with suppress(OSError):
                            made.sendall(b"x")
                else:
                    pytest.fail("it was never closed")


@pytest.mark.usefixtures("short")
def test_row_13_who_does_not_take_the_answer_is_closed() -> None:
    """An answer that nobody reads does not stay in memory."""
    with serving(patient) as port, closing(connected(port)) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.1)
        me = psutil.Process()
        until(lambda: not any(each.status == "ESTABLISHED" and each.laddr.port == port for each in _of(me)))


def _of(process: psutil.Process) -> Any:
    return process.net_connections("tcp")


@pytest.mark.usefixtures("short")
def test_a_request_may_take_longer_than_any_limit() -> None:
    """Who has asked waits for the agent, and may ask again on the same connection."""
    with serving(patient) as port, closing(connected(port)) as made:
        for _ in range(2):
            made.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in answered(made, b'"fine"')


def test_row_13_silent_connections_are_few_and_hinder_nobody(site: Site) -> None:
    """With 200 connections that say nothing, health and keyed requests are answered; few stay open."""
    agent = site.run()
    key = agent.rotate_key()
    port = int((agent.url or "").rpartition(":")[2])
    process = psutil.Process(site.process(agent).pid)
    before = process.num_fds()
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(connected(port))) for _ in range(200)]
        for each in idle[::2]:
            try:
                each.sendall(b"GET /health HTTP/1.1\r\nX: ")
            except OSError:
                continue
        assert get(agent, "/health")[0] == 200
        assert ask(agent, body={"observation": [1, 2, 3]}, key=key)[0] == 200
        assert site.services.ask_agent(agent._id, [1, 2, 3]).status == 200
        until(lambda: process.num_fds() <= before + MOST_SILENT + 2)
        until(lambda: sum(map(is_closed, idle)) >= 200 - MOST_SILENT)
    agent.disconnect()


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n", b"Authorization: Bearer wrong\r\n"])
def test_row_15_a_large_body_without_a_key_is_answered(site: Site, more: bytes) -> None:
    """Who sends 10 MB without a key reads 401 afterwards, and no reset, also where the connection ends."""
    agent = site.run()
    port = int((agent.url or "").rpartition(":")[2])
    size = 10_000_000
    with closing(connected(port)) as made:
        head = b"POST /get_action HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        made.sendall(head + more + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            made.sendall(b"x" * 100_000)
        said = answered(made)
    assert said.startswith(b"HTTP/1.1 401 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]
    with closing(connected(port)) as made:  # who asks first whether to send is told at once
        made.sendall(head + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
        assert made.recv(65536).startswith(b"HTTP/1.1 401 ")
    assert get(agent, "/health")[0] == 200
    agent.disconnect()
