"""Limit the number of connections of an endpoint, and how long a connection may stay without progress.

uvicorn closes a connection only when it has been idle after an answer. Here a connection is closed as well if
it sends no request, or sends it too slowly, or does not read its answer. If too many are silent, the one that
has been silent longest makes room for the next, so that requests get through.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_TIMEOUT = 10.0  # seconds from the connection to the end of a request's header
KEEP_ALIVE = 15  # seconds that a connection may be idle after an answer
BODY_TIMEOUT = 30.0  # seconds from the end of a request's header to that of its body
SEND_TIMEOUT = 30.0  # seconds in which a client takes nothing of its answer
MOST_SILENT = 64  # connections on which no request is under way
MOST = 384  # connections in all; 256 requests may wait for the agent

#: The seconds that a connection may wait for something; an agent may take its time.
_LIMITS = {
    "first header": HEADER_TIMEOUT,
    "next header": KEEP_ALIVE + HEADER_TIMEOUT,
    "body": BODY_TIMEOUT,
    "sending": SEND_TIMEOUT,
}
_SILENT = frozenset({"first header", "next header"})


class BoundedProtocol(H11Protocol):
    """A connection that is closed when it makes no progress, or when there are too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; if there are too many, close a silent one."""
        super().connection_made(transport)
        self._state: tuple[object, ...] = ()
        self._since = self.loop.time()
        others = _limit(self.connections - {self})
        silent = [each for each in others if each.waits_for in _SILENT]
        if len(silent) >= MOST_SILENT:
            _longest(silent).transport.abort()
        elif len(others) >= MOST:
            if sending := [each for each in others if each.waits_for == "body"]:
                _longest(sending).transport.abort()
            else:
                self._refuse()

    @property
    def waits_for(self) -> str:
        """The key of the limit that applies to the connection, or "the agent"."""
        cycle: Any = self.cycle
        if self.transport.get_write_buffer_size():
            return "sending"
        if cycle is None:
            return "first header"
        if cycle.response_complete:
            return "next header"
        if cycle.more_body:
            return "body"
        return "the agent"

    @property
    def since(self) -> float:
        """Since when it has been waiting, on the clock of its loop."""
        return self._since

    def check(self, now: float) -> None:
        """Close the connection if it has made no progress for too long."""
        waits_for = self.waits_for
        state = (waits_for, id(self.cycle), self.transport.get_write_buffer_size())
        if state != self._state:
            self._since = self._since if not self._state and waits_for == "first header" else now
            self._state = state
        elif now - self._since > _LIMITS.get(waits_for, float("inf")):
            self.transport.abort()

    def _refuse(self) -> None:
        """Answer before any request, and close."""
        told = {"error": "Too many connections.", "why": f"There are {MOST}.", "fix": "Try again later."}
        body = json.dumps(told).encode()
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        self.transport.write(
            f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        self.transport.close()


def check_all(connections: Iterable[object]) -> None:
    """Close the connections that make no progress."""
    now = asyncio.get_running_loop().time()
    for each in _limit(connections):
        each.check(now)


def _limit(connections: Iterable[object]) -> list[BoundedProtocol]:
    return [each for each in connections if isinstance(each, BoundedProtocol)]


def _longest(connections: list[BoundedProtocol]) -> BoundedProtocol:
    return min(connections, key=lambda each: each.since)
