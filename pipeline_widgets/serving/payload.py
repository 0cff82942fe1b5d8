"""Read the bodies of requests, refuse them, and write answers as JSON."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.open_inference import SHOWN, abbreviate

BODY_LIMIT = 1_000_000  # bytes of a request
DRAINED = (
    64 * BODY_LIMIT
)  # bytes that are read and dropped, so that the refusal reaches a client that is still sending
DRAIN_TIME = 10.0  # seconds for that
AT_ONCE = 20_000  # bytes that are parsed in the event loop; more are parsed in a thread
FIELDS_SHOWN = 5
OK = 200


class Exchange:
    """A request and its answer, which begins only when the whole body was read, by the handler or here.

    Otherwise a client that is still sending would see a reset connection instead of the answer. The rest that
    is read here is dropped; it is limited in size and time.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        #: A client that waits for a 100 before it sends the body sends none when the answer comes first.
        self._waits = any(name == b"expect" for name, _ in scope.get("headers", ()))
        self._more, self._size = True, 0

    async def receive(self) -> Message:
        """Receive a part of the body."""
        message = await self._receive()
        self._waits = False
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        self._size += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start" and not self._waits:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_TIME):
                    while self._more and self._size <= DRAINED:
                        await self.receive()
        await self._send(message)


class RequestError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, what: str, why: str = "", fix: str = "", **headers: str) -> None:
        super().__init__(what)
        told = {"error": what, "why": why, "fix": fix}
        self.response = json_response({name: text for name, text in told.items() if text}, status, headers)


def json_response(content: Any, status: int = OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return content as JSON, which has no NaN."""
    body = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "replace"), status, headers, "application/json")


def invalid_input(error: PipelineError) -> RequestError:
    """Return an error as the refusal of an input."""
    return RequestError(422, error.what, error.why, error.fix)


def encode_json(found: Any) -> bytes:
    """Return the answer of an agent as JSON.

    Raises:
        ValueError: JSON has no such value, as it has no NaN.
    """
    try:
        return json.dumps(found, allow_nan=False, default=_plain, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{error}") from error


def as_json(value: Any) -> Any:
    """Return a value as JSON would bring it back, with arrays as lists; None if JSON has no such value."""
    try:
        return json.loads(encode_json(value))
    except ValueError:
        return None


async def read_body(request: Request) -> dict[str, Any]:
    """Read a JSON object, and refuse everything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    raw = await _read(request)
    if kind != "application/json":
        fix = "Send JSON with the header “Content-Type: application/json”."
        raise RequestError(
            415, "The body is not declared as JSON.", f"It is {abbreviate(kind) if kind else 'nothing'}.", fix
        )
    if packed != "identity":
        raise RequestError(
            415, "The body is compressed.", f"It is {abbreviate(packed)}.", "Send it as it is."
        )
    parsed = _parsed(raw) if len(raw) <= AT_ONCE else await to_thread.run_sync(_parsed, raw)
    if not isinstance(parsed, dict):
        fix = 'Send an object, such as {"input": ...}.'
        raise RequestError(422, "The body is not a JSON object.", fix=fix)
    return cast("dict[str, Any]", parsed)


def get_field(body: Mapping[str, Any], name: str) -> Any:
    """Return a field of a body, and refuse a body without it."""
    if name not in body:
        why = f"It has {', '.join(map(abbreviate, list(body)[:FIELDS_SHOWN])) or 'no fields'}."
        raise RequestError(422, f"The field {name!r} is missing.", why, f'Send {{"{name}": ...}}.')
    return body[name]


async def _read(request: Request) -> bytes:
    """Read a body of limited size.

    The rest of a body that is too long is read and dropped: else the refusal could not reach the client.
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
        raise RequestError(400, "The client has gone.") from error
    if size > BODY_LIMIT:
        fix = "Send less at once."
        raise RequestError(413, "The body is too long.", f"At most {BODY_LIMIT:,} bytes are taken.", fix)
    return b"".join(chunks)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        why = f"{error}." if isinstance(error, ValueError) else "It is nested too deeply."
        raise RequestError(400, "The body is broken JSON.", why, "Correct it and send it again.") from error


def _plain(value: Any) -> Any:
    """Return a value of numpy as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _no_number(text: str) -> float:
    raise RequestError(
        422, f"The body holds {text[:SHOWN]}.", "It is not a number in JSON.", "Send finite numbers."
    )


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)
