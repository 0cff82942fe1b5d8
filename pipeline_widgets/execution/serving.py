"""The process behind an agent's endpoint. It outlives what started it, and ends when nobody wants it.

It looks at its row twice a second: another version is opened beside the one that is served, and takes its
place from one request to the next; a rotated key counts at once; without a row of its own it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from uuid import uuid4

import uvicorn

from pipeline_widgets.domain.endpoint import route_of
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.errors import ExecutionError, FencedError, PipelineError, StorageError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.endpoint_app import Opened, application
from pipeline_widgets.execution.endpoint_client import health
from pipeline_widgets.execution.prediction import opened as opened_version
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services.endpoints import EndpointService

LOOK_EVERY = 0.5  # seconds between two looks at what is wanted
PATIENCE = 60.0  # seconds that the database may refuse before the process ends
GONE_AFTER = 3  # looks that do not find the database's file
GRACEFUL = 5  # seconds that requests have to end in
BACKLOG = 2048

_log = logging.getLogger(__name__)


class Endpoint:
    """What is served, as the requests of the application see it.

    Args:
        service: What it may read and tell.
        agent_id: The agent.
        token: Proves that this process holds the endpoint.
    """

    def __init__(self, service: EndpointService, agent_id: int, token: str) -> None:
        self._service = service
        self._agent_id = agent_id
        self._lock = threading.Lock()
        self._refused: int | None = None
        self.token = token
        self.wanted = True
        self.key_digest: str | None = None
        self.opened = self._open_first()

    def look(self) -> None:
        """Read what is wanted now, and open another version if that is."""
        with self._lock:
            wanted = self._service.wanted(self._agent_id, self.token)
            if wanted is None:
                self.wanted = False
                return
            self.key_digest = wanted.key_digest
            if wanted.version not in {self.opened.version, self._refused}:
                self._swap(wanted.version_id, wanted.version)

    @property
    def told(self) -> dict[str, object]:
        """What the row tells of what is served."""
        opened = self.opened
        return {"version": opened.version, "route": opened.route, "example": opened.example}

    def _open_first(self) -> Opened:
        wanted = self._service.wanted(self._agent_id, self.token)
        if wanted is None:
            raise FencedError("Nobody wants this endpoint any more.")
        self.key_digest = wanted.key_digest
        return self._open(wanted.version_id)

    def _swap(self, version_id: int, number: int) -> None:
        """Serve another version; where it cannot be opened the one that is served goes on."""
        try:
            self.opened = self._open(version_id)
        except Exception as error:  # noqa: BLE001  the user's code opens it
            self._refused = number
            _log.exception("Version %s cannot be opened.", number)
            why = f"Version {number} cannot be opened, so version {self.opened.version} is served still."
            self._service.tell(self._agent_id, self.token, error=f"{why} {_words(error)}")
        else:
            self._refused = None
            self._service.tell(self._agent_id, self.token, error=None, **self.told)

    def _open(self, version_id: int) -> Opened:
        served = self._service.version(version_id)
        version = served.version
        predict = opened_version(version, served.reference)
        return Opened(
            agent=self._service.name(self._agent_id),
            version=version.number,
            route=route_of(version.spec.produces),
            predict=predict,
            algorithm=version.spec.name,
            example=getattr(predict, "example", None),
        )


def serve(store: Store, service: EndpointService, agent_id: int) -> None:
    """Serve an agent until nobody wants that any more; do nothing if another process has it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads: see child.py
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    token = uuid4().hex
    if not service.take(agent_id, processes.identify(os.getpid()), token):
        return
    try:
        endpoint = Endpoint(service, agent_id, token)
        listening = _listen(*service.place(agent_id))
        port = listening.getsockname()[1]
        service.tell(agent_id, token, port=port, **endpoint.told)
    except FencedError:
        return
    except Exception as error:
        service.failed(agent_id, token, _words(error))
        raise
    server = Server(
        uvicorn.Config(
            application(endpoint),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL,
        )
    )
    watch = Watch(store, service, agent_id, endpoint, server)
    threading.Thread(target=watch.run, args=(listening.getsockname()[:2],), daemon=True).start()
    signal.signal(signal.SIGTERM, server.handle_exit)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server.run(sockets=[listening])
    # SIGTERM came from elsewhere (the machine or container ends): that is no disconnect.
    with suppress(PipelineError):
        service.failed(
            agent_id, token, "Its process was asked to end by the system (SIGTERM). Connect it again."
        )


class Server(uvicorn.Server):
    """A server that ends by itself on SIGTERM, so that what has to be told can be told."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals as they are: uvicorn would raise them again at the end."""
        yield


class Watch:
    """Keeps an endpoint alive in the database, and ends it when it is not wanted any more."""

    def __init__(
        self,
        store: Store,
        service: EndpointService,
        agent_id: int,
        endpoint: Endpoint,
        server: uvicorn.Server,
    ) -> None:
        self._store = store
        self._service = service
        self._agent_id = agent_id
        self._endpoint = endpoint
        self._server = server
        self._timing: Timing = store.timing
        self._missing = 0
        self._fine_at = self._beaten_at = time.monotonic()

    def run(self, address: tuple[str, int]) -> None:
        """Say that the endpoint is ready once it has answered, then look again and again."""
        try:
            self._begin(*address)
            while self._wanted():
                time.sleep(LOOK_EVERY)
        except FencedError:
            pass
        except Exception:
            _log.exception("The endpoint ends: what watches it failed.")
            raise
        finally:
            self._server.should_exit = True

    def _begin(self, host: str, port: int) -> None:
        while not health(host, port):
            time.sleep(0.01)
        self._service.ready(self._agent_id, self._endpoint.token, **self._endpoint.told)

    def _wanted(self) -> bool:
        """Whether the endpoint is still wanted; a database that refuses is borne for a while."""
        now = time.monotonic()
        self._missing = 0 if self._store.database.there else self._missing + 1
        if self._missing >= GONE_AFTER:
            _log.error("The endpoint ends: its workspace was deleted.")
            return False
        try:
            self._endpoint.look()
            if now - self._beaten_at >= self._timing.beat_every:
                self._beaten_at = now
                self._service.beat(self._agent_id, self._endpoint.token)
        except StorageError as error:
            _log.warning("%s", error)
            return now - self._fine_at < PATIENCE
        self._fine_at = now
        return self._endpoint.wanted


def _listen(host: str, port: int | None) -> socket.socket:
    """Listen on the port that the endpoint had, or on any free one where that is taken.

    Raises:
        ExecutionError: This machine has no such address, or may not use the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: OSError | None = None
    for tried in (port or 0, 0):
        # With the protocol named asyncio turns Nagle's algorithm off; else each answer takes 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, tried))
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            last = error
        else:
            return listening
    what = f"The endpoint cannot listen on {host}."
    raise ExecutionError(what, f"{last}.", "Connect it with another host or port.")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}."
