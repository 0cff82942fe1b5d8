"""An agent's endpoint: what it answers, and who may ask (spec 8.2, 8.3)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipeline_widgets.errors import ConfigError

#: Seconds that requests under way have to be answered in when an endpoint ends.
SHUTDOWN_GRACE = 20.0
LOCAL = "127.0.0.1"
ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  names what means "every address of this machine"
LOOPBACK = frozenset({LOCAL, "localhost", "[::1]"})
LAST_PORT = 65_535
TOKEN_LENGTH = 32  # hexadecimal digits: 128 bits
_HOST = re.compile(r"[\w.:%-]{1,253}")  # a name or an address; in a URL it has to mean itself
_AUTHORITY = re.compile(r"(?P<name>\[[^\]]*\]|[^:\[\]]*)(:\d*)?")

#: Where its own workspace asks an endpoint to look at its row at once.
RECONCILE_PATH = "/-/look"
Route = Literal["get_action", "generate", "predict"]
#: What a request's body holds for each route, and what its answer holds.
FIELDS: dict[Route, tuple[str, str]] = {
    "get_action": ("observation", "action"),
    "generate": ("prompt", "text"),
    "predict": ("input", "output"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """The endpoint of an agent, present or past."""

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
    #: The number of the version that cannot be served, if the error says that of one.
    refused_version: int | None = None

    @property
    def input_field(self) -> str:
        """The field of a request's body that holds the input."""
        return FIELDS[self.route][0]

    @property
    def address(self) -> str:
        """The address at which it listens, in words."""
        return self.host if self.port is None else f"{self.host}, port {self.port}"

    @property
    def url(self) -> str | None:
        """The URL for requests, without a slash at the end."""
        if self.port is None:
            return None
        name = LOCAL if self.host in ANY_ADDRESS else self.host
        return f"http://[{name}]:{self.port}" if ":" in name else f"http://{name}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DesiredState:
    """The orders for the process behind an endpoint, as its row has them now."""

    agent: str
    version_id: int
    version: int
    key_digest: str | None


def check_address(host: object, port: object) -> None:
    """Refuse what an endpoint cannot listen on; None leaves it to the endpoint.

    Raises:
        ConfigError: The host can be none, or the port.
    """
    if host is not None and not (isinstance(host, str) and _HOST.fullmatch(host)):
        fix = f'Take a name or an address of this machine, such as "{LOCAL}" or "::1", without a port.'
        raise ConfigError(f"{host!r} is not a host.", fix=fix)
    fits = isinstance(port, int) and not isinstance(port, bool) and 0 < port <= LAST_PORT
    if port is not None and not fits:
        raise ConfigError(f"{port!r} is not a port.", fix=f"Take one from 1 to {LAST_PORT}, or leave it out.")


def is_addressed_by(named: str, host: str) -> bool:
    """Return whether a request's Host header means an endpoint that listens on this machine only."""
    found = _AUTHORITY.fullmatch(named)
    return found is not None and found["name"].lower() in {*LOOPBACK, host.lower(), f"[{host.lower()}]"}


def version_error(refused: int, served: int, why: str) -> str:
    """Say that a version cannot be served."""
    return f"Version {refused} cannot be opened, so version {served} is served still. {why}"


def select_route(kinds: Iterable[str]) -> Route:
    """Return what an agent answers, by the kinds of artifact that its checkpoint is."""
    found = frozenset(kinds)
    if "policy" in found:
        return "get_action"
    return "generate" if "lm" in found else "predict"


def hash_key(key: str) -> str:
    """Return what is stored of a key.

    A key is 256 random bits, which nobody can guess from a digest, however fast that is computed: a slow
    password hash would only make each request slow.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def derive_token(own_key: str) -> str:
    """Return the token under which a process holds an endpoint: a digest of the key that it made itself.

    The token is in the row, which more people may read than may ask the agent.
    """
    return hashlib.sha256(own_key.encode()).hexdigest()[:TOKEN_LENGTH]


def verify_key(key: str, digest: str | None) -> bool:
    """Return whether a key is the one whose digest is stored, compared in constant time."""
    return digest is not None and hmac.compare_digest(hash_key(key), digest)
