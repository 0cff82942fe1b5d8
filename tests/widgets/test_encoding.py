"""Frozen values as the browser gets them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline_widgets.domain.checkpoint import LAST_STEP
from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.encoding import encode, encode_fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """A value within a value."""

    step: int
    score: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outer:
    """A value of every kind."""

    status: Status
    at: datetime | None
    inner: tuple[Inner, ...]
    named: dict[str, Any]
    stale: bool

    @property
    def label(self) -> str:
        """What is derived."""
        return f"{self.status.lower()} thing"


VALUE = Outer(
    status=Status.RUNNING,
    at=datetime(2026, 1, 1, tzinfo=UTC),
    inner=(Inner(step=LAST_STEP, score=math.nan), Inner(step=7, score=0.5)),
    named={"a": [math.inf, None, "text"]},
    stale=True,
)


def test_a_value_keeps_the_names_of_its_fields() -> None:
    """Times are seconds, a step that JavaScript would round is text, and what is not finite is null."""
    assert json.loads(json.dumps(encode(VALUE), allow_nan=False)) == {
        "status": "Running",
        "at": 1767225600.0,
        "inner": [{"step": str(LAST_STEP), "score": None}, {"step": 7, "score": 0.5}],
        "named": {"a": [None, None, "text"]},
        "stale": True,
    }
    assert type(encode(VALUE)["status"]) is str


def test_a_view_chooses_fields_and_properties() -> None:
    """Nothing else goes down."""
    assert encode_fields(VALUE, "stale", "label") == {"stale": True, "label": "running thing"}


def test_what_json_has_nothing_for_is_refused() -> None:
    """Rather than sent as a text that nobody reads."""
    with pytest.raises(TypeError, match="object cannot be sent to a browser"):
        encode({"value": object()})
