"""Who is let in, and what a wrong key costs (spec 8.3)."""

from __future__ import annotations

import anyio
import pytest
from starlette.requests import Request

from pipeline_widgets.domain.endpoint import hash_key
from pipeline_widgets.errors import StorageError
from pipeline_widgets.serving import auth
from pipeline_widgets.serving.auth import Authenticator
from pipeline_widgets.serving.payload import RequestError
from pipeline_widgets.serving.queue import LoadedVersion


class Row:
    """What an endpoint knows, and how often it was read."""

    def __init__(self) -> None:
        self.opened = LoadedVersion(agent="a", version=1, route="predict", predict=None, algorithm="A")
        self.swapping = False
        self.key_digest: str | None = hash_key("key")
        self.own_key = "own"
        self.reads = 0
        self.refuses = False

    def read(self) -> None:
        """Count."""
        self.reads += 1
        if self.refuses:
            raise StorageError("The database cannot be used now.")


def authorize(guard: Authenticator, key: str) -> int:
    """Return the status that a request with a key gets."""
    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []

    async def ask() -> int:
        try:
            await guard.authorize(Request({"type": "http", "headers": headers}))
        except RequestError as refusal:
            return refusal.status
        return 200

    return anyio.run(ask)


@pytest.mark.spec("8.3")
def test_the_database_is_not_read_for_each_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are tried at once it is read once, and never for the right one, or for none."""
    monkeypatch.setattr(auth, "READ_EVERY", 3600.0)
    row = Row()
    guard = Authenticator(row)
    assert [authorize(guard, key) for key in ("key", "own", "")] == [200, 200, 401]
    assert row.reads == 0
    assert {authorize(guard, f"guess {number}") for number in range(20)} == {401}
    assert row.reads == 1


@pytest.mark.spec("8.3")
def test_a_database_that_refuses_makes_no_key_right_or_wrong() -> None:
    """The key is what it was when it could be read last."""
    row = Row()
    row.refuses = True
    guard = Authenticator(row)
    assert authorize(guard, "guess") == 401
    assert authorize(guard, "key") == 200
