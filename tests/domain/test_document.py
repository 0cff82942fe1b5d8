"""A pipeline as a plain document (spec 10.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factories.documents import documents
from hypothesis import given

from pipeline_widgets.domain.document import Document, from_plain, to_plain
from pipeline_widgets.errors import ConfigError

GOOD: dict[str, Any] = {
    "format": 1,
    "pipeline": "p",
    "description": "",
    "experiments": {"sft": {"algorithm": "SFT", "seed": 0, "config": {}}},
    "stages": [{"experiment": "sft"}, {"agent": "a", "checkpoint": 7}],
}


@pytest.mark.spec("10.2")
@given(documents())
def test_a_document_survives_being_plain(document: Document) -> None:
    """Every kind of stage and setting comes back as it was."""
    plain = to_plain(document)
    assert from_plain(plain) == document
    assert from_plain(json.loads(json.dumps(plain))) == document


def test_what_is_left_out_has_its_default() -> None:
    """A short document is enough: manual, from scratch, the best checkpoint."""
    first, second = (entry.stage for entry in from_plain(GOOD).stages)
    assert (first.trigger, second.trigger, second.choice) == ("manual", "manual", 7)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"format": 2}, "the document.*format is 2"),
    ({"format": True}, "the document.*whole number"),
    ({"pipeline": 5}, "the document.*'pipeline' should be a text"),
    ({"stages": {}}, "the document.*'stages' should be a list"),
    ({"more": 1}, "the document.*It has 'more'"),
    ({"experiments": {"sft": {"algorithm": "SFT", "seed": 0}}}, "experiment 'sft'.*no 'config'"),
    ({"experiments": {"sft": {"algorithm": 1, "seed": 0, "config": {}}}}, "experiment 'sft'.*a text"),
    ({"stages": [{"experiment": "other"}]}, "stage 1.*'other' is not among"),
    ({"stages": [{"experiment": "sft"}, {"experiment": "sft"}]}, "the stages.*'sft'"),
    ({"stages": [{"experiment": "sft", "trigger": "cron"}]}, "stage 1.*manual or auto"),
    ({"stages": [{"experiment": "sft", "start": -1}]}, "stage 1.*a step"),
    ({"stages": [{"experiment": "sft", "start": True}]}, "stage 1.*a step"),
    ({"stages": [{"experiment": "sft", "start": ["best"]}]}, "stage 1.*a step"),
    ({"stages": [{"experiment": "sft", "gate": float("nan")}]}, "stage 1.*'gate' should be a number"),
    ({"stages": [{"experiment": "sft", "gate": []}]}, "stage 1.*'gate' should be a number"),
    ({"stages": [{"experiment": "sft"}, {"agent": "a", "start": 1}]}, "stage 2.*It has 'start'"),
    ({"stages": ["sft"]}, "stage 1.*should be a mapping"),
    ({"stages": [{1: 2}]}, "stage 1.*should be a mapping of names"),
]


@pytest.mark.spec("10.2", "10.3")
@pytest.mark.parametrize(("change", "why"), BAD, ids=lambda value: str(value)[:50])
def test_what_is_no_document_is_refused_with_the_place(change: dict[str, Any], why: str) -> None:
    """The error names the stage or experiment, and what is wrong there."""
    with pytest.raises(ConfigError, match=why):
        from_plain({**GOOD, **change})


@pytest.mark.parametrize("plain", [None, [], "text", 5, {}])
def test_what_is_not_even_a_mapping_is_refused(plain: Any) -> None:
    """A text that is valid YAML but no pipeline is told so."""
    with pytest.raises(ConfigError, match="cannot be imported"):
        from_plain(plain)
