"""The HTTP application of an endpoint, served within the process of a test."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import uvicorn
from benches import until

from pipeline_widgets.domain.endpoint import Route, hash_key
from pipeline_widgets.serving.app import application
from pipeline_widgets.serving.connections import BoundedProtocol
from pipeline_widgets.serving.queue import LoadedVersion
from pipeline_widgets.serving.server import Server
from pipeline_widgets.serving.sockets import listen

KEY = "pw_test"


@contextmanager
def serving(app: Any) -> Generator[int]:
    """Serve an application as an endpoint does, in a thread, and yield its port."""
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, http=BoundedProtocol, ws="none", log_level="error", lifespan="off")
    server = Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield listening.getsockname()[1]
    finally:
        server.force_exit = server.should_exit = True
        thread.join(20)
        listening.close()


@dataclass
class Live:
    """The state of an endpoint that never changes."""

    opened: LoadedVersion
    swapping: bool = False
    key_digest: str | None = hash_key(KEY)
    own_key: str = "own"

    def read(self) -> None:
        """Read nothing."""


@dataclass
class Answer:
    """An answer of an endpoint."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body, decompressed and parsed."""
        return json.loads(self.body)

    @property
    def body(self) -> bytes:
        """The body, decompressed."""
        coding = self.headers.get("content-encoding")
        if coding is None:
            return self.raw
        return gzip.decompress(self.raw) if coding == "gzip" else zlib.decompress(self.raw)


@dataclass
class Endpoint:
    """An endpoint that is served by this process."""

    port: int
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {KEY}"})

    def ask(self, path: str, body: Any = None, verb: str = "POST", **headers: str) -> Answer:
        """Send bytes as they are, and anything else as JSON, without a content type."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(verb, path, None if verb == "GET" else raw, sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return Answer(answer.status, {name.lower(): each for name, each in answer.getheaders()}, content)

    def get(self, path: str, **headers: str) -> Answer:
        """Get something."""
        return self.ask(path, verb="GET", **headers)


@contextmanager
def endpoint(
    predict: Callable[[Any], Any], route: Route = "predict", example: Any = None, **facts: Any
) -> Generator[Endpoint]:
    """Serve a predictor as an agent named "an agent"."""
    opened = LoadedVersion(
        agent="an agent", version=3, route=route, predict=predict, algorithm="A", example=example, **facts
    )
    with serving(application(Live(opened))) as port:
        yield Endpoint(port)
