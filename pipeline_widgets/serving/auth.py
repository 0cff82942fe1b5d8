"""Authorize requests to an endpoint: by its key, or by the key of its own workspace (spec 8.3)."""

from __future__ import annotations

import hmac
import time
from contextlib import suppress
from typing import Protocol

from anyio import to_thread
from starlette.requests import Request

from pipeline_widgets.domain.endpoint import verify_key
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.payload import RequestError
from pipeline_widgets.serving.queue import LoadedVersion

READ_EVERY = 0.25  # seconds between two readings of the key, however often a wrong one is tried
CODE = "invalid_api_key"  # OpenAI's word
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class ServedState(Protocol):
    """The state that changes while an endpoint lives."""

    @property
    def opened(self) -> LoadedVersion:
        """The version that is served now."""
        ...

    @property
    def swapping(self) -> bool:
        """Whether another version is desired, and can perhaps be opened."""
        ...

    @property
    def key_digest(self) -> str | None:
        """The digest of the key; None as long as there is none."""
        ...

    @property
    def own_key(self) -> str:
        """The key of its own workspace."""
        ...

    def read(self) -> None:
        """Read the desired state."""
        ...


class Authenticator:
    """Lets only requests with a key through."""

    def __init__(self, live: ServedState) -> None:
        self._live = live
        self._read_at = 0.0

    async def authorize(self, request: Request) -> None:
        """Refuse a request without the key."""
        given = _key(request)
        if self._opens(given):
            return
        if given and time.monotonic() >= self._read_at:  # the key may have been rotated just now
            self._read_at = float("inf")
            try:
                with suppress(PipelineError):  # if the database refuses, the key is what it was
                    await to_thread.run_sync(self._live.read)
            finally:
                self._read_at = time.monotonic() + READ_EVERY
        if not self._opens(given):
            raise self._lockout(given)

    def _opens(self, given: str) -> bool:
        own = hmac.compare_digest(given.encode(), self._live.own_key.encode())
        return own or verify_key(given, self._live.key_digest)

    def _lockout(self, given: str) -> RequestError:
        if self._live.key_digest is None:
            fix = "Create one: agent.rotate_key(), or 'Rotate key' in the Agents view."
            return RequestError(
                401,
                "This agent has no key yet.",
                "Without one it answers no requests.",
                fix,
                code=CODE,
                **CHALLENGE,
            )
        what = "The key is wrong." if given else "The key is missing."
        why = "It may have been rotated." if given else ""
        fix = "Send the header 'Authorization: Bearer KEY'."
        return RequestError(401, what, why, fix, code=CODE, **CHALLENGE)


def _key(request: Request) -> str:
    scheme, *rest = request.headers.get("authorization", "").split(None, 1) or [""]
    return rest[0].strip() if rest and scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
