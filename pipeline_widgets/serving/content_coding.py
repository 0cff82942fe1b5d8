"""Compressed bodies: gzip, and deflate, which is zlib's format (RFC 9110, 8.4.1)."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Awaitable, Callable

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

CODINGS = ("gzip", "deflate")
SMALLEST = 500  # bytes of an answer that is worth compressing
AT_ONCE = 100_000  # bytes that are compressed in the event loop; more are compressed in a thread
LEVEL = 1  # the fastest; an endpoint is mostly asked from the same machine
ANY_FORMAT = 32 + zlib.MAX_WBITS  # zlib reads which one it is
_NOT_ACCEPTED = re.compile(r"q\s*=\s*0(\.0*)?")


class TooLongError(Exception):
    """A body that is longer, once it is decompressed, than what is taken."""


def decompress(raw: bytes, limit: int) -> bytes:
    """Return a body decompressed; never more than `limit` bytes are held.

    Raises:
        TooLongError: There would be more.
        ValueError: It is neither gzip nor zlib, or is cut off, or goes on after its end.
    """
    reader = zlib.decompressobj(ANY_FORMAT)
    try:
        body = reader.decompress(raw, limit + 1)
    except zlib.error as error:
        raise ValueError(f"{error}") from error
    if len(body) > limit:
        raise TooLongError
    if not reader.eof or reader.unused_data:
        raise ValueError("it goes on after its end" if reader.eof else "it is cut off")
    return body


def choose_coding(accepted: str) -> str | None:
    """Return the coding for an answer, by the header Accept-Encoding of its request; None for none."""
    for each in accepted.lower().split(","):
        name, _, weight = map(str.strip, each.partition(";"))
        if name in CODINGS and not _NOT_ACCEPTED.fullmatch(weight):
            return name
    return None


def compressing(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that compresses long answers, for who accepts that."""

    async def handle(request: Request) -> Response:
        response = await handler(request)
        coding = choose_coding(request.headers.get("accept-encoding", ""))
        if coding is None or isinstance(response, StreamingResponse) or len(response.body) < SMALLEST:
            return response
        body = bytes(response.body)
        packed = _compress(body, coding) if len(body) <= AT_ONCE else None
        response.body = packed or await to_thread.run_sync(_compress, body, coding)
        response.headers["content-encoding"] = coding
        response.headers["content-length"] = str(len(response.body))
        response.headers["vary"] = "Accept-Encoding"
        return response

    return handle


def _compress(body: bytes, coding: str) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0) if coding == "gzip" else zlib.compress(body, LEVEL)
