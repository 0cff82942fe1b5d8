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
from pipeline_widgets.serving.content_coding import CODINGS, TooLongError, decompress
from pipeline_widgets.serving.open_inference import SHOWN, abbreviate

BODY_LIMIT = 1_000_000  # bytes of a request
DRAINED = (
    64 * BODY_LIMIT
)  # bytes that are read and dropped, so that the refusal reaches a client that is still sending
DRAIN_TIME = 10.0  # seconds for that
AT_ONCE = 20_000  # bytes that are parsed in the event loop; more are parsed in a thread
FIELDS_SHOWN = 5
OK, BAD_REQUEST, UNPROCESSABLE, SERVER_ERROR = 200, 400, 422, 500
#: What the paths of the protocols begin with.
OPEN_INFERENCE, OPENAI = "/v2", "/v1"
JSON = "application/json"
#: What clients declare of any body: curl a form, and others plain text or bytes.
OF_ANY_BODY = frozenset({"application/x-www-form-urlencoded", "application/octet-stream", "text/plain"})


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
        #: Whether the answer has begun.
        self.has_begun = False

    async def receive(self) -> Message:
        """Receive a part of the body."""
        message = await self._receive()
        self._waits = False
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        self._size += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        self.has_begun |= message["type"] == "http.response.start"
        if message["type"] == "http.response.start" and not self._waits:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_TIME):
                    while self._more and self._size <= DRAINED:
                        await self.receive()
        await self._send(message)


class RequestError(Exception):
    """A request that is answered with an error, in the form of the protocol that it was asked in.

    Args:
        status: The status of the answer.
        what: What went wrong, one sentence.
        why: Why, one sentence.
        fix: What to do about it, one sentence.
        param: The parameter of the request that is wrong, if it is one.
        code: Names the error for programs, where the protocol has a word for it.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        what: str,
        why: str = "",
        fix: str = "",
        *,
        param: str | None = None,
        code: str | None = None,
        **headers: str,
    ) -> None:
        super().__init__(what)
        self.status, self.headers = status, headers
        self.what, self.why, self.fix = what, why, fix
        self.param, self.code = param, code

    @property
    def sentences(self) -> str:
        """Everything that it says."""
        return " ".join(text for text in (self.what, self.why, self.fix) if text)

    def response(self, path: str) -> Response:
        """Return the answer to a request for a path."""
        return json_response(error_body(self, path), self._status(path), self.headers)

    def _status(self, path: str) -> int:
        """Return its status; where a value is wrong, OpenAI's clients look for 400."""
        return BAD_REQUEST if self.status == UNPROCESSABLE and _is_below(path, OPENAI) else self.status


def error_body(error: RequestError, path: str) -> dict[str, Any]:
    """Return an error in the form of the protocol that a path belongs to."""
    if _is_below(path, OPEN_INFERENCE):
        return {"error": error.sentences}
    if _is_below(path, OPENAI):
        kind = "invalid_request_error" if error.status < SERVER_ERROR else "server_error"
        return {"error": {"message": error.sentences, "type": kind, "param": error.param, "code": error.code}}
    told = {"error": error.what, "why": error.why, "fix": error.fix}
    return {name: text for name, text in told.items() if text}


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def json_response(content: Any, status: int = OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return content as JSON, which has no NaN."""
    body = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "replace"), status, headers, "application/json")


def not_answered(request: Request, allowed: str) -> RequestError:
    """Return the refusal of a method; `allowed` names those that are answered."""
    what = f"{request.method[:SHOWN]} is not answered at {abbreviate_path(request)}."
    return RequestError(405, what, "", f"Use {allowed}." if allowed else "", Allow=allowed)


def abbreviate_path(request: Request) -> str:
    """Return the path of a request, short enough for a message."""
    return str(request.scope["path"])[:SHOWN]


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
    return await parse_object(await read_raw(request), request)


async def read_raw(request: Request) -> bytes:
    """Read a body of limited size, decompressed; the limit is that of what it becomes, too."""
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    raw = await _read(request)
    if packed in {"identity", ""}:
        return raw
    if packed not in CODINGS:
        why, fix = f"It is {abbreviate(packed)}.", f"Send it as it is, or as {' or '.join(CODINGS)}."
        what = "The body is compressed in another way than is taken."
        raise RequestError(415, what, why, fix, **{"Accept-Encoding": ", ".join(CODINGS)})
    try:
        return await to_thread.run_sync(decompress, raw, BODY_LIMIT)
    except TooLongError as error:
        raise _too_long() from error
    except ValueError as error:
        what, fix = f"The body cannot be decompressed as {packed}.", "Correct it and send it again."
        raise RequestError(400, what, f"{error}.", fix) from error


async def parse_object(raw: bytes, request: Request) -> dict[str, Any]:
    """Return the JSON object that a body is, and refuse everything else.

    JSON is taken as such where nothing is declared, or what a client declares of any body, as curl does. No
    page of another site can use that: it would have to send the key, and asks before it sends such a header.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fix = "Send JSON with the header 'Content-Type: application/json'."
    undeclared = RequestError(415, "The body is not declared as JSON.", f"It is {abbreviate(kind)}.", fix)
    declared = not kind or kind == JSON or kind.endswith("+json")
    if not declared and kind not in OF_ANY_BODY:
        raise undeclared
    try:
        parsed = parse_json(raw) if len(raw) <= AT_ONCE else await to_thread.run_sync(parse_json, raw)
    except RequestError as error:
        if declared or error.status != BAD_REQUEST or raw.lstrip()[:1] in {b"{", b"["}:
            raise
        raise undeclared from error
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
        raise _too_long()
    return b"".join(chunks)


def _too_long() -> RequestError:
    why = f"At most {BODY_LIMIT:,} bytes are taken, also after decompression."
    return RequestError(413, "The body is too long.", why, "Send less at once.")


def parse_json(raw: bytes) -> Any:
    """Return the value of JSON with finite numbers.

    Raises:
        RequestError: It is broken, or holds NaN.
    """
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
