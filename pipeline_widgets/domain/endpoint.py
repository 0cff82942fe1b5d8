"""An agent's endpoint: what it answers, who may ask, and whether its process lives (spec 8.2, 8.3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipeline_widgets.domain.liveness import Process, Seen, host

#: Seconds that a process that was launched has to take its endpoint over.
LAUNCH_GRACE = 30.0
LOCAL = "127.0.0.1"
ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  names what means "every address of this machine"

#: Where its own workspace asks an endpoint to look at its row at once.
LOOK = "/-/look"
Route = Literal["get_action", "generate", "predict"]
#: What a request's body holds for each route, and what its answer holds.
FIELDS: dict[Route, tuple[str, str]] = {
    "get_action": ("observation", "action"),
    "generate": ("prompt", "text"),
    "predict": ("input", "output"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where an agent is served, or was."""

    host: str
    #: None until it was served once.
    port: int | None
    #: The last characters of the key; None as long as there is none.
    key_hint: str | None
    #: The number of the version that answers; None as long as none has.
    version: int | None
    route: Route
    #: An input that the agent takes; None where its algorithm names none.
    example: Any
    #: Since when it answers.
    ready_at: datetime | None
    #: Why it failed, or why the current version is not served.
    error: str | None

    @property
    def takes(self) -> str:
        """The field of a request's body that holds the input."""
        return FIELDS[self.route][0]

    @property
    def url(self) -> str | None:
        """Where to ask, without a slash at the end."""
        if self.port is None:
            return None
        name = LOCAL if self.host in ANY_ADDRESS else self.host
        return f"http://[{name}]:{self.port}" if ":" in name else f"http://{name}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """Who serves an agent. Times are on the database's clock."""

    agent_id: int
    launched_at: float
    token: str | None = None
    process: Process | None = None
    beat_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the process behind an endpoint has to serve, as its row says now."""

    agent: str
    version_id: int
    version: int
    key_digest: str | None


def route_of(kinds: Iterable[str]) -> Route:
    """Return what an agent answers, by the kinds of artifact that its checkpoint is."""
    found = frozenset(kinds)
    if "policy" in found:
        return "get_action"
    return "generate" if "lm" in found else "predict"


def digest_of_key(key: str) -> str:
    """Return what is stored of a key.

    A key is 256 random bits, which nobody can guess from a digest, however fast that is computed: a slow
    password hash would only make each request slow.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def opens(key: str, digest: str | None) -> bool:
    """Whether a key is the one whose digest is stored, compared in constant time."""
    return digest is not None and hmac.compare_digest(digest_of_key(key), digest)


def verdict(service: Service, seen: Seen, *, now: float, grace: float) -> str | None:
    """Return the evidence that an endpoint is dead; None while it is not.

    A process that is seen at work is believed, however old its last beat is.
    """
    if service.process is None:
        waited = now - service.launched_at
        if waited <= LAUNCH_GRACE:
            return None
        return f"Its process was launched {waited:.0f} s ago and never started."
    if seen is Seen.AT_WORK:
        return None
    where = f"Its process {service.process.pid} on {host(service.process)}"
    silent = now - (service.beat_at or service.launched_at)
    if seen is Seen.GONE:
        return f"{where} is gone; last beat {silent:.1f} s ago."
    if silent <= grace:
        return None
    return f"{where} is {seen} and silent for {silent:.1f} s; the grace is {grace:.0f} s."
