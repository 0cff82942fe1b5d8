"""Bodies that are compressed, and what they are declared as, over real sockets (spec 8.3, 8.5)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Generator
from typing import Any

import pytest
from endpoint_server import Endpoint, endpoint

from pipeline_widgets.serving.content_coding import SMALLEST, choose_coding
from pipeline_widgets.serving.payload import BODY_LIMIT

BODY = json.dumps({"input": [1, 2]}).encode()
BOMB = b'{"input": "' + b" " * 50_000_000 + b'"}'


@pytest.fixture(name="agent", scope="module")
def _agent() -> Generator[Endpoint]:
    """An agent that answers with what it is asked."""
    with endpoint(lambda asked: asked) as made:
        yield made


@pytest.mark.spec("8.5")
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_taken(agent: Endpoint, coding: str, pack: Any) -> None:
    """It means what it means uncompressed, also at the limit."""
    assert agent.ask("/predict", pack(BODY), Content_Encoding=coding).json == {"output": [1, 2]}
    text = "x" * (BODY_LIMIT - len('{"input": ""}'))
    assert agent.ask(
        "/predict", pack(json.dumps({"input": text}).encode()), Content_Encoding=coding
    ).json == {"output": text}


BAD: dict[str, tuple[bytes, str, int, str]] = {
    "a bomb": (gzip.compress(BOMB), "gzip", 413, "too long"),
    "a bomb of zlib": (zlib.compress(BOMB), "deflate", 413, "too long"),
    "a byte too many": (gzip.compress(b" " * (BODY_LIMIT + 1)), "gzip", 413, "too long"),
    "not compressed": (BODY, "gzip", 400, "cannot be decompressed as gzip"),
    "cut off": (gzip.compress(BODY)[:-9], "gzip", 400, "cannot be decompressed"),
    "more after its end": (gzip.compress(BODY) + b"more", "gzip", 400, "cannot be decompressed"),
    "a wrong checksum": (gzip.compress(BODY)[:-8] + b"\0" * 8, "gzip", 400, "cannot be decompressed"),
    "another coding": (BODY, "br", 415, "another way"),
    "two codings": (gzip.compress(gzip.compress(BODY)), "gzip, gzip", 415, "another way"),
}


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(("body", "coding", "status", "reason"), BAD.values(), ids=BAD)
def test_a_body_that_is_compressed_badly_is_refused(
    agent: Endpoint, body: bytes, coding: str, status: int, reason: str
) -> None:
    """The limit of size is that of the decompressed body too, and the server goes on."""
    answer = agent.ask("/predict", body, Content_Encoding=coding)
    assert answer.status == status
    assert reason in answer.json["error"]
    assert agent.ask("/predict", BODY).status == 200


@pytest.mark.spec("8.5")
def test_a_long_answer_is_compressed_for_who_accepts_that(agent: Endpoint) -> None:
    """By the first coding that is known; a short answer is sent as it is."""
    long = {"input": ["abc"] * SMALLEST}
    for accepted, coding in (("gzip", "gzip"), ("br, deflate", "deflate"), ("gzip;q=0", None), ("", None)):
        answer = agent.ask("/predict", long, Accept_Encoding=accepted)
        assert answer.headers.get("content-encoding") == coding, accepted
        assert answer.json == {"output": long["input"]}
        assert int(answer.headers["content-length"]) == len(answer.raw)
    assert len(agent.ask("/predict", long, Accept_Encoding="gzip").raw) < 100
    assert "content-encoding" not in agent.ask("/predict", {"input": 1}, Accept_Encoding="gzip").headers
    huge = {"input": ["abc"] * 100_000}
    assert agent.ask("/predict", huge, Accept_Encoding="deflate").json == {"output": huge["input"]}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("*", None), ("identity", None), ("GZIP ; q=0.5", "gzip"), ("gzip;q=0.000, deflate", "deflate")],
)
def test_the_coding_of_an_answer_is_one_that_is_named(accepted: str, coding: str | None) -> None:
    """Weights of 0 leave one out; what accepts anything gets the answer as it is."""
    assert choose_coding(accepted) == coding


DECLARED: dict[str, tuple[dict[str, str], bytes, int]] = {
    "nothing": ({}, BODY, 200),
    "JSON": ({"Content_Type": "application/json; charset=utf-8"}, BODY, 200),
    "a kind of JSON": ({"Content_Type": "application/problem+json"}, BODY, 200),
    "a form, as curl does": ({"Content_Type": "application/x-www-form-urlencoded"}, BODY, 200),
    "bytes": ({"Content_Type": "application/octet-stream"}, BODY, 200),
    "an image": ({"Content_Type": "image/png"}, BODY, 415),
    "a page": ({"Content_Type": "text/html"}, BODY, 415),
    "a form that is one": ({"Content_Type": "application/x-www-form-urlencoded"}, b"input=1", 415),
    "a form that is broken JSON": ({"Content_Type": "application/x-www-form-urlencoded"}, b'{"input":', 400),
    "nothing, and broken": ({}, b"input=1", 400),
}


@pytest.mark.spec("8.5")
@pytest.mark.parametrize(("headers", "body", "status"), DECLARED.values(), ids=DECLARED)
def test_json_is_taken_unless_it_is_declared_as_something_else(
    agent: Endpoint, headers: dict[str, str], body: bytes, status: int
) -> None:
    """What curl declares of any body contradicts nothing; an image does, in the form of the protocol."""
    assert agent.ask("/predict", body, **headers).status == status
    for path in ("/v1/completions", "/v2/models/an%20agent/infer"):
        refused = agent.ask(path, body, **headers)
        if status == 415 and path.startswith("/v2"):
            assert (refused.status, list(refused.json)) == (415, ["error"])
            assert "Content-Type: application/json" in refused.json["error"]
