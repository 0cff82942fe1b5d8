"""Ask an endpoint, as its own workspace does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.serving.sockets import own_address

HEALTH_TIMEOUT = 2.0  # seconds
NOTIFY_TIMEOUT = 2.0  # seconds
ASK_TIMEOUT = 60.0  # seconds: an agent may think
ANSWER_LIMIT = 256 << 20  # bytes; a longer answer is cut, and no valid JSON then


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answer of an endpoint."""

    status: int
    #: Parsed JSON.
    content: Any
    seconds: float


def fetch_health(host: str, port: int) -> dict[str, Any] | None:
    """Return the health of an endpoint, with its agent and version; None if it does not answer."""
    try:
        reply = _ask((own_address(host), port), "/health", timeout=HEALTH_TIMEOUT)
    except ExecutionError:
        return None
    said: object = reply.content
    fine = reply.status == 200 and isinstance(said, dict)  # noqa: PLR2004
    return cast("dict[str, Any]", said) if fine else None


def post(url: str, path: str, content: Any, key: str, timeout: float = ASK_TIMEOUT) -> Reply:
    """Send JSON to an endpoint on this machine; a key of the workspace goes nowhere else.

    Raises:
        ExecutionError: It does not answer, or is on another machine.
    """
    place = urlsplit(url)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    body = json.dumps(content).encode()
    address = (own_address(place.hostname or ""), place.port or 80)
    return _ask(address, path, timeout=timeout, body=body, headers=headers)


def _ask(
    place: tuple[str, int],
    path: str,
    *,
    timeout: float,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415  few supervisors ask an endpoint

    began = time.perf_counter()
    connection = HTTPConnection(*place, timeout=timeout)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers or {})
        response = connection.getresponse()
        raw = response.read(ANSWER_LIMIT)
        content: Any = json.loads(raw) if raw else None
    except (OSError, HTTPException, ValueError) as error:
        what = f"The endpoint at {place[0]}:{place[1]} does not answer."
        raise ExecutionError(what, f"{type(error).__name__}: {error}.", "Connect the agent again.") from error
    finally:
        connection.close()
    return Reply(status=response.status, content=content, seconds=time.perf_counter() - began)
