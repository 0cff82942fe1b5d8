"""The process behind an agent's endpoint. It outlives the process that started it.

It reads its row twice a second. It opens another version beside the one that is served, and replaces that
between two requests. A rotated key counts at once. It ends when its lease is released.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

import uvicorn

from pipeline_widgets.algorithms.text_predictor import TextPredictor
from pipeline_widgets.domain.endpoint import (
    SHUTDOWN_GRACE,
    DesiredState,
    derive_token,
    select_route,
    version_error,
)
from pipeline_widgets.domain.liveness import Process, Timing
from pipeline_widgets.errors import (
    DataRefusedError,
    ExecutionError,
    FencedError,
    PipelineError,
    StorageError,
    format_error,
)
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.serving import local_credential
from pipeline_widgets.serving.app import application
from pipeline_widgets.serving.client import fetch_health
from pipeline_widgets.serving.connections import KEEP_ALIVE, BoundedProtocol, check_all
from pipeline_widgets.serving.payload import as_json
from pipeline_widgets.serving.predictors import open_version
from pipeline_widgets.serving.queue import LoadedVersion
from pipeline_widgets.serving.sockets import is_local, listen

CHECK_EVERY = 5  # ticks of the server, of 0.1 s each, between two checks of its connections
READ_EVERY = 0.5  # seconds between two readings of the desired state
PATIENCE = 60.0  # seconds that the database may refuse to be read before the process ends
GONE_AFTER = 3  # checks in a row that do not find the database's file
SIGTERM = "Its process was asked to end by the system (SIGTERM). Connect it again."
EXIT_GRACE = 3.0  # seconds within which the interpreter has to end, whatever the agent's code does

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class ServedAgent:
    """The agent that is served, as the requests of the application see it.

    A request only reads the desired state. Only the watcher opens versions, and writes the row.

    Args:
        service: Reads and writes the endpoint's row.
        agent_id: The agent.
        key: The key with which its own workspace asks it.
    """

    def __init__(self, service: EndpointService, agent_id: int, key: str) -> None:
        self._service = service
        self._agent_id = agent_id
        self._reading = threading.Lock()
        self._desired: DesiredState | None = None
        self._refused: tuple[int, str] | None = None  # the version that cannot be opened, and the reason
        self._told: dict[str, object] = {}
        self.own_key = key
        self.token = derive_token(key)
        self.key_digest: str | None = None
        self.changed = threading.Event()
        self.read()
        if self._desired is None:
            raise FencedError("This endpoint is no longer needed.")
        self.opened = self._open(self._desired)

    @property
    def is_desired(self) -> bool:
        """Whether the endpoint is to serve anything."""
        return self._desired is not None

    @property
    def swapping(self) -> bool:
        """Whether another version is desired, and can perhaps be opened."""
        desired, refused = self._desired, self._refused
        number = None if desired is None else desired.version
        return number not in {None, self.opened.version, refused and refused[0]}

    @property
    def told(self) -> dict[str, object]:
        """The columns of the row that describe what is served."""
        opened, refused = self.opened, self._refused
        error = version_error(refused[0], opened.version, refused[1]) if refused else None
        return {
            "version": opened.version,
            "route": opened.route,
            "example": opened.example,
            "error": error,
            "refused_version": refused[0] if refused else None,
        }

    def read(self) -> None:
        """Read the desired state; the watcher soon opens another version."""
        with self._reading:  # else the first reader could write last, and bring a rotated key back
            before = self._desired
            self._desired = self._service.desired_state(self._agent_id, self.token)
            if self._desired is not None:
                self.key_digest = self._desired.key_digest
        if self._desired != before:
            self.changed.set()

    def report_ready(self) -> None:
        """Report that the endpoint has answered."""
        told = self.told
        self._service.record_ready(self._agent_id, self.token, **told)
        self._told = told

    def settle(self) -> None:
        """Open the desired version, if it is another one, and record what has changed.

        A version that cannot be opened is not tried again until another one is desired; the current one is
        served meanwhile. A write that the database refused is repeated the next time.
        """
        desired = self._desired
        if desired is not None and desired.version == self.opened.version:
            self._refused = None
        elif desired is not None and self.swapping:
            self._swap(desired)
        told = self.told
        if told != self._told:
            self._service.record_state(self._agent_id, self.token, **told)
            self._told = told

    def _swap(self, desired: DesiredState) -> None:
        try:
            self.opened = self._open(desired)
        except (StorageError, FencedError):
            raise
        except Exception as error:  # noqa: BLE001  the user's code opens the version
            _log.exception("Version %s cannot be opened.", desired.version)
            self._refused = (desired.version, format_error(error))
        else:
            self._refused = None

    def _open(self, desired: DesiredState) -> LoadedVersion:
        served = self._service.version(desired.version_id)
        version = served.version
        try:
            predict = open_version(version, served.reference, self._service.artifact_store)
            example = as_json(getattr(predict, "example", None))
        except Exception:
            raise
        except (
            BaseException
        ) as error:  # sys.exit() there would end the process that serves the current version
            what = "Its code wanted to end the process that opens it."
            raise ExecutionError(what, f"{type(error).__name__}: {error}.") from error
        is_text = isinstance(predict, TextPredictor)  # whatever its algorithm calls what it produces
        return LoadedVersion(
            agent=desired.agent,
            version=version.number,
            route="generate" if is_text else select_route(version.spec.produces),
            predict=predict,
            algorithm=version.spec.name,
            example=example,
            answer_within=version.spec.answer_within,
            opened_at=int(time.time()),
        )


def serve(store: Store, service: EndpointService, agent_id: int, process: Process) -> None:
    """Serve an agent until it is disconnected; do nothing if another process serves it.

    Args:
        store: The workspace.
        service: Reads and writes the endpoint's row.
        agent_id: The agent.
        process: This process, as the row names it.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads: see worker.py
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    faulthandler.enable(2)  # a crash of compiled code leaves the Python stack in the log
    key = local_credential.create()
    token = derive_token(key)
    if not _retry_while_refused(lambda: service.take(agent_id, process, token)):
        return
    try:
        local_credential.write(store.endpoint_key(agent_id), key)
        endpoint = _retry_while_refused(lambda: ServedAgent(service, agent_id, key))
        host, port = _retry_while_refused(lambda: service.get_address(agent_id))
        listening = listen(host, port or 0, 0)  # if its former port is taken, any will do
        at = listening.getsockname()[1]
        _retry_while_refused(lambda: service.record_state(agent_id, token, port=at, **endpoint.told))
    except FencedError:
        return
    except Exception as error:  # noqa: BLE001  the user's code opens the version
        with suppress(Exception):  # before the row says Failed, so that the log is complete by then
            traceback.print_exc()
        service.record_failure(agent_id, token, format_error(error))
        sys.exit(1)
    config = uvicorn.Config(
        application(endpoint, host if is_local(listening) else None),
        http=BoundedProtocol,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=round(SHUTDOWN_GRACE),
    )
    server = Server(config)
    watch = DesiredStateWatcher(store, service, agent_id, endpoint, server)
    threading.Thread(target=watch.run, args=(listening.getsockname()[:2],), daemon=True).start()
    signal.signal(signal.SIGTERM, server.handle_exit)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server.run(sockets=[listening])
    if why := watch.why or (SIGTERM if server.signalled else None):
        with suppress(
            PipelineError
        ):  # a disconnect sends SIGTERM as well, but then the lease is released already
            service.record_failure(agent_id, token, why)
    threading.Thread(target=_exit_soon, daemon=True).start()


class Server(uvicorn.Server):
    """A server that ends by itself on SIGTERM, so that the reason can still be recorded."""

    signalled = False

    async def on_tick(self, counter: int) -> bool:
        """Close connections that make no progress, every few ticks."""
        if counter % CHECK_EVERY == 0:
            check_all(self.server_state.connections)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals as they are: uvicorn would raise them again at the end."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and remember that the system has asked for it."""
        self.signalled = True
        super().handle_exit(sig, frame)


class DesiredStateWatcher:
    """Keeps an endpoint alive in the database, and ends it when its lease is released."""

    def __init__(
        self,
        store: Store,
        service: EndpointService,
        agent_id: int,
        endpoint: ServedAgent,
        server: uvicorn.Server,
    ) -> None:
        self._store = store
        self._service = service
        self._agent_id = agent_id
        self._endpoint = endpoint
        self._server = server
        self._timing: Timing = store.timing
        self._missing = 0
        self._ready = False
        self._read_at = self._beaten_at = time.monotonic()
        #: Why it has ended the endpoint; None if the lease was released.
        self.why: str | None = None

    def run(self, address: tuple[str, int]) -> None:
        """Report that the endpoint is ready once it has answered, then follow the desired state."""
        try:
            while not fetch_health(*address):
                time.sleep(0.01)
            while self._goes_on():
                self._endpoint.changed.wait(READ_EVERY)
                self._endpoint.changed.clear()
        except FencedError:
            pass
        except Exception as error:  # noqa: BLE001  the row has to name any error
            self.why = f"What watches it failed. {format_error(error)}"
            _log.exception("The endpoint ends: what watches it failed.")
        finally:
            self._server.should_exit = True

    def _goes_on(self) -> bool:
        """Read the desired state once, and return whether to go on; the database may refuse for a while."""
        self._missing = 0 if self._store.database.exists else self._missing + 1
        if self._missing >= GONE_AFTER:
            _log.error("The endpoint ends: its workspace was deleted.")
            return False
        try:
            self._endpoint.read()
        except StorageError as error:
            _log.warning("%s", error)
            if time.monotonic() - self._read_at < PATIENCE:
                return True
            self.why = f"It could not read its row for {PATIENCE:.0f} s. {error}"
            return False
        self._read_at = time.monotonic()
        if self._endpoint.is_desired:
            self._record_changes()
        return self._endpoint.is_desired

    def _record_changes(self) -> None:
        """Record what has changed. A write that the database refuses is repeated, and ends nothing."""
        try:
            if not self._ready:
                self._endpoint.report_ready()
                self._ready = True
            self._endpoint.settle()
            now = time.monotonic()
            if now - self._beaten_at >= self._timing.beat_every:
                self._beaten_at = now
                self._service.beat(self._agent_id, self._endpoint.token)
        except StorageError as error:
            _log.warning("%s", error)


def _retry_while_refused(action: Callable[[], _T]) -> _T:
    """Do something that a start needs; wait for a database that refuses, such as one that restarts.

    Raises:
        StorageError: The database has refused for a minute.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return action()
        except StorageError as error:
            if isinstance(error, DataRefusedError) or time.monotonic() > until:
                raise
            _log.warning("%s", error)
        time.sleep(READ_EVERY)


def _exit_soon() -> None:
    """End the process even if the agent's code hangs in a thread, which the interpreter would wait for."""
    time.sleep(EXIT_GRACE)
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
