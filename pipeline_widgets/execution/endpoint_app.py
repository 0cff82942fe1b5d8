"""What an endpoint answers over HTTP: the routes, who may ask, and what is refused why (spec 8.3).

The agent's code runs in a thread, one request at a time, since few predictors can be called from several
threads; health is answered meanwhile.
"""

from __future__ import annotations

import hmac
import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Path

from pipeline_widgets.domain.endpoint import FIELDS, LOOK, Route, opens
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.execution import open_inference

BODY_LIMIT = 1_000_000  # bytes of a request
DRAINED = 64 * BODY_LIMIT  # bytes that are read and dropped, so that the refusal reaches who is still sending
WAITING = 256  # requests that may wait for the agent
INPUT_ERRORS = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
)  # what code raises on input that it did not expect
CHALLENGE = {"WWW-Authenticate": "Bearer"}

_log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A version that is being served."""

    agent: str
    version: int
    route: Route
    #: None where its algorithm does not say how its checkpoints answer.
    predict: Callable[[Any], Any] | None
    algorithm: str
    example: Any = None


class Live(Protocol):
    """What changes while an endpoint lives."""

    @property
    def opened(self) -> Opened:
        """The version that is served now."""
        ...

    @property
    def key_digest(self) -> str | None:
        """The digest of the key; None as long as there is none."""
        ...

    @property
    def token(self) -> str:
        """What its own workspace may use for a key."""
        ...

    def look(self) -> None:
        """Read what is wanted now."""
        ...


class Refusal(Exception):  # noqa: N818  it is an answer
    """A request that is answered with an error."""

    def __init__(self, status: int, what: str, why: str = "", fix: str = "", **headers: str) -> None:
        super().__init__(what)
        told = {"error": what, "why": why, "fix": fix}
        self.response = answer({name: text for name, text in told.items() if text}, status, headers)


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return content as JSON; NaN is none."""
    body = json.dumps(content, allow_nan=False, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "replace"), status, headers, "application/json")


def application(live: Live) -> Starlette:
    """Return the application of an endpoint."""
    routes = Routes(live)
    guarded, model = routes.guarded, "/v2/models/{name:path}"
    versioned = f"{model}/versions/{{version}}"
    paths: list[tuple[str, str, Handler]] = [
        ("GET", "/health", routes.health),
        ("GET", "/v2/health/live", routes.alive),
        ("GET", "/v2/health/ready", routes.ready),
        ("GET", "/v2", routes.server),
        ("POST", LOOK, guarded(routes.look)),
        *(("POST", f"/{route}", guarded(routes.own(route))) for route in FIELDS),
        ("POST", f"{versioned}/infer", guarded(routes.infer)),
        ("POST", f"{model}/infer", guarded(routes.infer)),
        ("GET", f"{versioned}/ready", routes.ready),
        ("GET", f"{model}/ready", routes.ready),
        ("GET", versioned, guarded(routes.model)),
        ("GET", model, guarded(routes.model)),
    ]
    return Starlette(
        routes=[Path(path, handler, methods=[verb]) for verb, path, handler in paths],
        exception_handlers={Refusal: _refused, HTTPException: _unknown, Exception: _fault},
    )


class Routes:
    """The handlers of an endpoint."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._turn = CapacityLimiter(1)
        self._asked = 0

    # ---- for everybody

    async def health(self, _: Request) -> Response:
        """Say that the endpoint answers, and with what."""
        opened = self._live.opened
        return answer({"status": "ok", "agent": opened.agent, "version": opened.version})

    async def alive(self, _: Request) -> Response:
        """Open Inference Protocol: the server lives."""
        return answer({"live": True})

    async def ready(self, request: Request) -> Response:
        """Open Inference Protocol: the server, or a model of it, can be asked."""
        if "name" in request.path_params:
            self._named(request)
        return answer({"ready": True})

    async def server(self, _: Request) -> Response:
        """Open Inference Protocol: what this server is."""
        return answer({"name": "pipeline_widgets", "version": "2", "extensions": []})

    # ---- for who has the key

    async def model(self, request: Request) -> Response:
        """Open Inference Protocol: what the agent takes and returns."""
        opened = self._named(request)
        takes, returns = FIELDS[opened.route]
        inputs = open_inference.metadata_of(opened.example, takes)
        outputs: list[dict[str, Any]] = []
        if opened.predict is not None and opened.example is not None:
            found = await self._ask(opened, opened.example)
            outputs = open_inference.metadata_of(json.loads(_dumped(found)), returns)
        told = {"name": opened.agent, "versions": [str(opened.version)], "platform": opened.algorithm}
        return answer({**told, "inputs": inputs, "outputs": outputs})

    async def infer(self, request: Request) -> Response:
        """Open Inference Protocol: answer tensors with tensors."""
        opened, body = self._named(request), await _body(request)
        try:
            value = open_inference.values_of(body)
        except PipelineError as error:
            raise _unfit(error) from error
        found = json.loads(_dumped(await self._ask(opened, value)))
        outputs = open_inference.tensors_of(found, FIELDS[opened.route][1])
        identity = {"id": body["id"]} if isinstance(body.get("id"), str) else {}
        told = {"model_name": opened.agent, "model_version": str(opened.version), **identity}
        return answer({**told, "outputs": outputs})

    async def look(self, _: Request) -> Response:
        """Look at once whether another version, another key or no endpoint at all is wanted."""
        await to_thread.run_sync(self._live.look)
        return await self.health(_)

    def own(self, route: Route) -> Handler:
        """Return the handler of one of our own routes."""
        takes, returns = FIELDS[route]

        async def handle(request: Request) -> Response:
            opened = self._live.opened
            if opened.route != route:
                why = f"This agent answers at /{opened.route}."
                raise Refusal(404, f"There is no /{route} here.", why, f"POST to /{opened.route}.")
            body = await _body(request)
            if takes not in body:
                why = f"It has {', '.join(map(repr, body)) or 'no fields'}."
                raise Refusal(422, f"The field {takes!r} is missing.", why, f'Send {{"{takes}": ...}}.')
            return Response(
                b'{"%b":%b}' % (returns.encode(), _dumped(await self._ask(opened, body[takes]))),
                media_type="application/json",
            )

        return handle

    def guarded(self, handler: Handler) -> Handler:
        """Let only those in who have the key."""

        async def handle(request: Request) -> Response:
            given = _key(request)
            if not self._opens(given):
                await to_thread.run_sync(self._live.look)  # the key may have been rotated just now
                if not self._opens(given):
                    raise self._locked(given)
            return await handler(request)

        return handle

    def _opens(self, given: str) -> bool:
        token = hmac.compare_digest(given.encode(), self._live.token.encode())
        return token or opens(given, self._live.key_digest)

    def _locked(self, given: str) -> Refusal:
        if self._live.key_digest is None:
            fix = "Make one: agent.rotate_key(), or “Rotate key” in the Agents view."
            return Refusal(
                401, "This agent has no key yet.", "Without one nobody can ask it.", fix, **CHALLENGE
            )
        what = "The key is wrong." if given else "The key is missing."
        why = "It may have been rotated." if given else ""
        return Refusal(401, what, why, "Send the header “Authorization: Bearer KEY”.", **CHALLENGE)

    def _named(self, request: Request) -> Opened:
        """The version that is served, if the request names it."""
        opened, path = self._live.opened, request.path_params
        if path["name"] != opened.agent:
            raise Refusal(404, f"There is no model {path['name']!r} here.", f"This is {opened.agent!r}.")
        if path.get("version", str(opened.version)) != str(opened.version):
            why = f"Version {opened.version} is."
            raise Refusal(404, f"Version {path['version']} of {opened.agent!r} is not served.", why)
        return opened

    async def _ask(self, opened: Opened, value: Any) -> Any:
        """Ask the agent, when it is this request's turn."""
        if opened.predict is None:
            why = f"{opened.algorithm} does not say how its checkpoints answer."
            raise Refusal(404, "This agent cannot be asked.", why, "Declare predict= with @pw.algorithm.")
        if self._asked > WAITING:
            why = f"{WAITING} wait already."
            raise Refusal(503, "Too many requests wait.", why, "Ask again.", **{"Retry-After": "1"})
        self._asked += 1
        try:
            return await to_thread.run_sync(opened.predict, value, limiter=self._turn)
        except PipelineError as error:
            raise _unfit(error) from error
        except INPUT_ERRORS as error:
            why = f"{type(error).__name__}: {error}."
            raise Refusal(422, "The agent refuses this input.", why) from error
        finally:
            self._asked -= 1


async def _body(request: Request) -> dict[str, Any]:
    """Read a JSON object, and refuse everything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await _read(request)
    if kind != "application/json":
        fix = "Send JSON with the header “Content-Type: application/json”."
        raise Refusal(415, "The body is not declared as JSON.", f"It is {kind or 'nothing'}.", fix)
    try:
        parsed: Any = json.loads(raw, parse_constant=_no_number, parse_float=_finite)
    except Refusal:
        raise
    except (ValueError, RecursionError) as error:
        why = f"{error}." if isinstance(error, ValueError) else "It is nested too deeply."
        raise Refusal(400, "The body is broken JSON.", why, "Correct it and send it again.") from error
    if not isinstance(parsed, dict):
        raise Refusal(422, "The body is no JSON object.", fix='Send an object, such as {"input": ...}.')
    return cast("dict[str, Any]", parsed)


async def _read(request: Request) -> bytes:
    """Read a body of limited size.

    What is too long is read on, and dropped: else the refusal could not reach who is still sending.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= BODY_LIMIT:
                chunks.append(chunk)
            elif size > DRAINED:
                break
    except ClientDisconnect as error:
        raise Refusal(400, "The client has gone.") from error
    if size > BODY_LIMIT:
        fix = "Send less at once."
        raise Refusal(413, "The body is too long.", f"At most {BODY_LIMIT:,} bytes are taken.", fix)
    return b"".join(chunks)


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


def _dumped(found: Any) -> bytes:
    """An answer of an agent as JSON."""
    try:
        return json.dumps(found, allow_nan=False, default=_plain, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        why = f"{error}."
        raise Refusal(500, "The agent answered with what is no JSON.", why) from error


def _plain(value: Any) -> Any:
    """What numpy makes, as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _no_number(text: str) -> float:
    raise Refusal(422, f"The body holds {text}.", "It is no number in JSON.", "Send finite numbers.")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _unfit(error: PipelineError) -> Refusal:
    return Refusal(422, error.what, error.why, error.fix)


async def _refused(_: Request, error: Exception) -> Response:
    return cast("Refusal", error).response


async def _unknown(request: Request, error: Exception) -> Response:
    """A path or a verb that there is not."""
    known = cast("HTTPException", error)
    if known.status_code == 405:  # noqa: PLR2004
        what = f"{request.method} is not answered at {request.url.path}."
        allowed = (known.headers or {}).get("Allow", "")
        return Refusal(
            405, what, "", f"Use {allowed}." if allowed else "", **dict(known.headers or {})
        ).response
    return Refusal(known.status_code, f"There is nothing at {request.url.path}.").response


async def _fault(_: Request, error: Exception) -> Response:
    _log.error("A request failed.", exc_info=error)
    why = f"{type(error).__name__}: {error}."
    return Refusal(500, "The agent's code failed.", why, "Its log has more.").response
