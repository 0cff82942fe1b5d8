"""The HTTP application of an endpoint: its routes, and the middleware before them (spec 8.3).

`auth.py` authorizes requests, `payload.py` reads and refuses bodies, `queue.py` asks the agent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import cast

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline_widgets.algorithms.text_predictor import TextPredictor
from pipeline_widgets.domain.endpoint import FIELDS, RECONCILE_PATH, Route, is_addressed_by
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.auth import Authenticator, ServedState
from pipeline_widgets.serving.content_coding import compressing
from pipeline_widgets.serving.open_inference import abbreviate
from pipeline_widgets.serving.open_inference_api import OpenInferenceRoutes
from pipeline_widgets.serving.openai_api import OpenAIRoutes
from pipeline_widgets.serving.payload import (
    Exchange,
    RequestError,
    abbreviate_path,
    get_field,
    json_response,
    not_answered,
    read_body,
)
from pipeline_widgets.serving.queue import PredictionQueue

SWAP_WAIT = 1.5  # seconds for which `reconcile` waits until another version is served
SWAP_POLL = 0.01

_log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


def application(live: ServedState, local_host: str | None = None) -> ASGIApp:
    """Return the application of an endpoint.

    Args:
        live: The state that changes while the endpoint lives.
        local_host: The host that it listens on, if only this machine reaches it.
    """
    guard, queue = Authenticator(live), PredictionQueue()
    texts = OpenAIRoutes(live, guard, queue)
    tensors = OpenInferenceRoutes(live, guard, queue)
    routes = Routes(live, guard, queue, texts)
    paths: list[tuple[str, list[str], Handler]] = [
        ("/health", ["GET"], routes.health),
        (RECONCILE_PATH, ["POST"], routes.reconcile),
        *((f"/{route}", ["POST"], routes.predict_at(route)) for route in FIELDS),
        ("/v2", ["GET"], tensors.server),
        ("/v2/health/live", ["GET"], tensors.alive),
        ("/v2/health/ready", ["GET"], tensors.ready),
        ("/v2/models/{path:path}", ["GET", "POST"], tensors.model),
        ("/v1/models", ["GET"], texts.models),
        ("/v1/models/{model:path}", ["GET"], texts.model),
        ("/v1/completions", ["POST"], texts.completions),
        ("/v1/chat/completions", ["POST"], texts.chat_completions),
        ("/v1/{path:path}", ["GET", "POST", "DELETE"], texts.elsewhere),
        ("/tokenizer_info", ["GET"], texts.tokenizer_info),
        ("/tokenize", ["POST"], texts.tokenize),
        ("/detokenize", ["POST"], texts.detokenize),
    ]
    app = Starlette(
        routes=[Path(path, compressing(handler), methods=verbs) for path, verbs, handler in paths],
        exception_handlers={RequestError: _refuse, HTTPException: _unknown, Exception: _fault},
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
        if refusal := self._refuse_foreign_host(scope):
            await refusal.response(scope["path"])(scope, exchange.receive, exchange.send)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # the endpoint ends, and has waited long enough
            if exchange.has_begun:  # a stream, which is cut off
                return
            what, why = "The endpoint ends.", "The agent did not answer in time."
            error = RequestError(503, what, why, "Connect it again.")
            await error.response(scope["path"])(scope, receive, send)
        except Exception:  # noqa: BLE001, S110  `_fault` has logged and answered it
            pass

    def _refuse_foreign_host(self, scope: Scope) -> RequestError | None:
        """Refuse requests that a page of another site sends here by its own name (DNS rebinding)."""
        named = dict(scope.get("headers", ())).get(b"host") if self._local_host else None
        if named is None or is_addressed_by(named.decode("latin-1"), str(self._local_host)):
            return None
        what = f"This endpoint is not {abbreviate(named.decode('latin-1'))}."
        why = f"It listens on {self._local_host}, for this machine only."
        return RequestError(421, what, why, "Send 'Host: localhost', also from a proxy.")


class Routes:
    """The handlers of an endpoint's own paths."""

    def __init__(
        self, live: ServedState, guard: Authenticator, queue: PredictionQueue, texts: OpenAIRoutes
    ) -> None:
        self._live, self._guard, self._queue, self._texts = live, guard, queue, texts

    # ---- for everybody

    async def health(self, _: Request) -> Response:
        """Answer with the agent and the version that are served."""
        opened = self._live.opened
        return json_response({"status": "ok", "agent": opened.agent, "version": opened.version})

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

    def predict_at(self, route: Route) -> Handler:
        """Return the handler of the path at which agents of a kind answer."""
        takes, returns = FIELDS[route]

        async def handle(request: Request) -> Response:
            await self._guard.authorize(request)
            opened = self._live.opened
            if opened.route != route:
                why = f"This agent answers at /{opened.route}."
                fix = f"POST to /{opened.route}."
                if route == "generate":
                    fix += ' /generate is of agents that produce "lm", or whose predict= is a TextPredictor.'
                raise RequestError(404, f"There is no /{route} here.", why, fix)
            body = await read_body(request)
            if isinstance(opened.predict, TextPredictor) and set(body) - {takes}:
                return await self._texts.generate(request, opened, body)
            found = await self._queue.ask(opened, get_field(body, takes))
            return Response(b'{"%b":%b}' % (returns.encode(), found), media_type="application/json")

        return handle


async def _refuse(request: Request, error: Exception) -> Response:
    return cast("RequestError", error).response(request.scope["path"])


async def _unknown(request: Request, error: Exception) -> Response:
    """Answer a request for an unknown path or with a wrong method."""
    known = cast("HTTPException", error)
    if known.status_code == 405:  # noqa: PLR2004
        error = not_answered(request, (known.headers or {}).get("Allow", ""))
    else:
        error = RequestError(known.status_code, f"Nothing is served at {abbreviate_path(request)}.")
    return error.response(request.scope["path"])


async def _fault(request: Request, error: Exception) -> Response:
    """Answer after a bug of ours; an error of the agent's code has an answer of its own."""
    _log.error("A request failed.", exc_info=error)
    why = f"{type(error).__name__}: {error}."
    return RequestError(500, "The endpoint failed.", why, "Its log has more.").response(request.scope["path"])
