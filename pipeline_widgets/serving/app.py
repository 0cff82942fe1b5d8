"""The HTTP application of an endpoint: its routes, and the middleware before them (spec 8.3).

`auth.py` authorizes requests, `payload.py` reads and refuses bodies, `queue.py` asks the agent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline_widgets.domain.endpoint import FIELDS, RECONCILE_PATH, Route, is_addressed_by
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving import open_inference
from pipeline_widgets.serving.auth import Authenticator, ServedState
from pipeline_widgets.serving.open_inference import SHOWN, ModelPath, abbreviate
from pipeline_widgets.serving.payload import (
    OK,
    Exchange,
    RequestError,
    get_field,
    invalid_input,
    json_response,
    read_body,
)
from pipeline_widgets.serving.queue import PATIENCE, LoadedVersion, PredictionQueue

SWAP_WAIT = 1.5  # seconds for which `reconcile` waits until another version is served
SWAP_POLL = 0.01
NOT_READY = 503

_log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


def application(live: ServedState, local_host: str | None = None) -> ASGIApp:
    """Return the application of an endpoint.

    Args:
        live: The state that changes while the endpoint lives.
        local_host: The host that it listens on, if only this machine reaches it.
    """
    routes = Routes(live)
    paths: list[tuple[str, list[str], Handler]] = [
        ("/health", ["GET"], routes.health),
        ("/v2/health/live", ["GET"], routes.alive),
        ("/v2/health/ready", ["GET"], routes.ready),
        ("/v2", ["GET"], routes.server),
        (RECONCILE_PATH, ["POST"], routes.reconcile),
        *((f"/{route}", ["POST"], routes.own(route)) for route in FIELDS),
        ("/v2/models/{path:path}", ["GET", "POST"], routes.model),
    ]
    app = Starlette(
        routes=[Path(path, handler, methods=verbs) for path, verbs, handler in paths],
        exception_handlers={RequestError: _refused, HTTPException: _unknown, Exception: _fault},
    )
    app.router.redirect_slashes = False  # it would redirect to whatever the Host header names
    return ErrorMiddleware(app, local_host)


class ErrorMiddleware:
    """Answers every request in JSON, whatever error it causes."""

    def __init__(self, app: ASGIApp, local_host: str | None) -> None:
        self._app = app
        self._local_host = local_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        exchange = Exchange(scope, receive, send)
        if refusal := self._misdirected(scope):
            await refusal.response(scope, exchange.receive, exchange.send)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # the endpoint ends, and has waited long enough
            what, why = "The endpoint ends.", "The agent did not answer in time."
            await RequestError(503, what, why, "Connect it again.").response(scope, receive, send)
        except Exception:  # noqa: BLE001, S110  `_fault` has logged and answered it
            pass

    def _misdirected(self, scope: Scope) -> RequestError | None:
        """Refuse requests that a page of another site sends here by its own name (DNS rebinding)."""
        named = dict(scope.get("headers", ())).get(b"host") if self._local_host else None
        if named is None or is_addressed_by(named.decode("latin-1"), str(self._local_host)):
            return None
        what = f"This endpoint is not {abbreviate(named.decode('latin-1'))}."
        why = f"It listens on {self._local_host}, for this machine only."
        return RequestError(421, what, why, "Send “Host: localhost”, also from a proxy.")


class Routes:
    """The handlers of an endpoint."""

    def __init__(self, live: ServedState) -> None:
        self._live = live
        self._guard = Authenticator(live)
        self._turn = PredictionQueue()

    # ---- for everybody

    async def health(self, _: Request) -> Response:
        """Answer with the agent and the version that are served."""
        opened = self._live.opened
        return json_response({"status": "ok", "agent": opened.agent, "version": opened.version})

    async def alive(self, _: Request) -> Response:
        """Open Inference Protocol: the server lives."""
        return json_response({"live": True})

    async def ready(self, _: Request) -> Response:
        """Open Inference Protocol: the agent can be asked, and is not stuck at a request."""
        ready = self._ready()
        return json_response({"ready": ready}, OK if ready else NOT_READY)

    async def server(self, _: Request) -> Response:
        """Open Inference Protocol: describe this server."""
        return json_response({"name": "pipeline_widgets", "version": "2", "extensions": []})

    # ---- with the key

    async def reconcile(self, request: Request) -> Response:
        """Read the desired state at once: another version, another key, or no endpoint at all."""
        await self._guard.authorize(request)
        try:
            await to_thread.run_sync(self._live.read)
        except PipelineError as error:
            raise RequestError(503, error.what, error.why, error.fix) from error
        until = time.monotonic() + SWAP_WAIT
        while self._live.swapping and time.monotonic() < until:  # noqa: ASYNC110  a thread swaps
            await asyncio.sleep(SWAP_POLL)
        return await self.health(request)

    def own(self, route: Route) -> Handler:
        """Return the handler of one of our own routes."""
        takes, returns = FIELDS[route]

        async def handle(request: Request) -> Response:
            await self._guard.authorize(request)
            opened = self._live.opened
            if opened.route != route:
                why = f"This agent answers at /{opened.route}."
                raise RequestError(404, f"There is no /{route} here.", why, f"POST to /{opened.route}.")
            found = await self._turn.ask(opened, get_field(await read_body(request), takes))
            return Response(b'{"%b":%b}' % (returns.encode(), found), media_type="application/json")

        return handle

    async def model(self, request: Request) -> Response:
        """Open Inference Protocol: readiness, metadata and inference of the agent."""
        opened = self._live.opened
        path = open_inference.model_path(request.path_params["path"], opened.agent)
        if path.action != "ready":
            await self._guard.authorize(request)
        _check_named(path, opened)
        if (request.method == "POST") != (path.action == "infer"):
            raise _not_answered(request, "POST" if path.action == "infer" else "GET")
        if path.action == "ready":
            ready = self._ready()
            return json_response({"name": opened.agent, "ready": ready}, OK if ready else NOT_READY)
        return await (self._infer(opened, request) if path.action == "infer" else self._metadata(opened))

    async def _metadata(self, opened: LoadedVersion) -> Response:
        takes, returns = FIELDS[opened.route]
        inputs, outputs = open_inference.describe_model(opened.example, takes), []
        if opened.predict is not None and opened.example is not None:
            try:
                found = await self._turn.ask(opened, opened.example)
                outputs = open_inference.describe_model(json.loads(found), returns)
            except RequestError:  # its example does not work, so that its outputs are unknown
                _log.warning("The agent does not answer its own example.")
        told = {"name": opened.agent, "versions": [str(opened.version)], "platform": opened.algorithm}
        return json_response({**told, "inputs": inputs, "outputs": outputs})

    async def _infer(self, opened: LoadedVersion, request: Request) -> Response:
        takes, returns = FIELDS[opened.route]
        body = await read_body(request)
        try:
            identity, names = open_inference.get_request_id(body), open_inference.get_requested_outputs(body)
            value = await to_thread.run_sync(open_inference.read_inputs, body, opened.example, takes)
            found = await self._turn.ask(opened, value)
            outputs = await to_thread.run_sync(_outputs, found, returns, names)
        except PipelineError as error:
            raise invalid_input(error) from error
        told = {"model_name": opened.agent, "model_version": str(opened.version), **identity}
        return json_response({**told, "outputs": outputs})

    def _ready(self) -> bool:
        return self._live.opened.predict is not None and self._turn.taken_for < PATIENCE


def _outputs(found: bytes, name: str, asked: tuple[str, ...]) -> list[dict[str, Any]]:
    return open_inference.select_outputs(open_inference.build_outputs(json.loads(found), name), asked)


def _check_named(path: ModelPath, opened: LoadedVersion) -> None:
    """Refuse a request for a model or a version that is not served here."""
    if path.name != opened.agent:
        raise RequestError(
            404, f"There is no model {abbreviate(path.name)} here.", f"This is {opened.agent!r}."
        )
    if path.version not in {None, str(opened.version)}:
        what = f"Version {str(path.version)[:SHOWN]} of {opened.agent!r} is not served."
        raise RequestError(404, what, f"Version {opened.version} is.")


def _not_answered(request: Request, allowed: str) -> RequestError:
    what = f"{request.method[:SHOWN]} is not answered at {_path(request)}."
    return RequestError(405, what, "", f"Use {allowed}." if allowed else "", Allow=allowed)


def _path(request: Request) -> str:
    return str(request.scope["path"])[:SHOWN]


async def _refused(_: Request, error: Exception) -> Response:
    return cast("RequestError", error).response


async def _unknown(request: Request, error: Exception) -> Response:
    """Answer a request for an unknown path or with a wrong method."""
    known = cast("HTTPException", error)
    if known.status_code == 405:  # noqa: PLR2004
        return _not_answered(request, (known.headers or {}).get("Allow", "")).response
    return RequestError(known.status_code, f"There is nothing at {_path(request)}.").response


async def _fault(_: Request, error: Exception) -> Response:
    """Answer after a bug of ours; an error of the agent's code has an answer of its own."""
    _log.error("A request failed.", exc_info=error)
    return RequestError(
        500, "The endpoint failed.", f"{type(error).__name__}: {error}.", "Its log has more."
    ).response
