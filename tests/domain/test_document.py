"""A pipeline as a plain document (spec 10.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factories.documents import documents, spaced
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import DeploymentStage
from pipeline_widgets.domain.document import Document, from_plain, to_plain
from pipeline_widgets.domain.experiment import validate_seed
from pipeline_widgets.errors import ConfigError

SFT: dict[str, Any] = {"algorithm": "SFT", "seed": 0, "config": {}}
GOOD: dict[str, Any] = {
    "format": 1,
    "pipeline": "p",
    "description": "",
    "experiments": {"sft": SFT},
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
    ({"stages": []}, "'experiments' of the document.*No stage is bound to 'sft'"),
    ({"experiments": {"a": SFT, " a": SFT}}, "'experiments' of the document.*named 'a'"),
    ({"experiments": {" ": SFT}}, "experiment ' '.*Enter a name"),
    ({"experiments": {"sft": {**SFT, "seed": "1e3"}}}, "experiment 'sft'.*'seed' should be a whole number"),
    ({"experiments": {"sft": {**SFT, "seed": -1}}}, "experiment 'sft'.*-1 is not a seed"),
    ({"experiments": {"sft": {**SFT, "seed": 2**31}}}, "experiment 'sft'.*2147483648 is not a seed"),
    ({"pipeline": " "}, "the document.*Enter a name"),
    ({"description": "\ud800"}, "the document.*description of the pipeline cannot be stored"),
    ({"stages": [{"experiment": "sft", "start": {"agent": "\ud800"}}]}, "stage 1.*cannot be stored"),
    (
        {"stages": [{"experiment": "sft"}, {"agent": "a", "description": "\ud800"}]},
        "stage 2.*cannot be stored",
    ),
    (
        {"stages": [{"experiment": "sft"}, {"agent": "a", "checkpoint": 2**63}]},
        "stage 2.*is not a checkpoint.*a step",
    ),
    ({"stages": [{"experiment": "sft", "gate": 10**400}]}, "stage 1.*is not a gate"),
    ({"stages": [{"experiment": "sft", "trigger": "cron"}]}, "stage 1.*'cron' is not a trigger"),
    ({"stages": [{"experiment": "sft", "start": -1}]}, "stage 1.*is not a start"),
    ({"stages": [{"experiment": "sft", "start": True}]}, "stage 1.*is not a start"),
    ({"stages": [{"experiment": "sft", "start": ["best"]}]}, "stage 1.*is not a start"),
    ({"stages": [{"experiment": "sft", "gate": float("nan")}]}, "stage 1.*is not a gate"),
    ({"stages": [{"experiment": "sft", "gate": []}]}, "stage 1.*is not a gate"),
    ({"stages": [{"experiment": "sft"}, {"agent": "a", "start": 1}]}, "stage 2.*It has 'start'"),
    ({"stages": ["sft"]}, "stage 1.*should be a mapping"),
    ({"stages": [{1: 2}]}, "stage 1.*should be a mapping of names"),
]


@pytest.mark.spec("10.2", "10.3")
@pytest.mark.parametrize(("change", "why"), BAD, ids=lambda value: str(value)[:50])
def test_what_is_no_document_is_refused_with_the_place(change: dict[str, Any], why: str) -> None:
    """The error names the stage or experiment, and what is wrong there."""
    with pytest.raises(ConfigError, match=why) as refused:
        from_plain({**GOOD, **change})
    assert str(refused.value).count("cannot be imported") == 1


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("key", ["format", "pipeline", "description", "experiments", "stages"])
def test_a_number_that_python_does_not_write_is_refused_all_the_same(key: str) -> None:
    """The error needs not show it."""
    with pytest.raises(ConfigError, match="cannot be imported"):
        from_plain({**GOOD, key: 16**5000})
    with pytest.raises(ConfigError, match=r"experiment 'sft'.*not a seed"):
        from_plain({**GOOD, "experiments": {"sft": {**SFT, "seed": 16**5000}}})


@pytest.mark.spec("10.2")
@given(st.data())
def test_spaces_around_names_mean_nothing(data: st.DataObject) -> None:
    """However a text spaces its names, it is the document that has them trimmed."""
    document = data.draw(documents())
    assert from_plain(data.draw(spaced(to_plain(document)))) == document


@pytest.mark.spec("10.2", "10.3")
@given(st.integers())
def test_a_seed_is_taken_or_refused_as_by_hand(seed: int) -> None:
    """The same numbers are seeds in a text and in a call."""
    plain = {**GOOD, "experiments": {"sft": {**SFT, "seed": seed}}}
    try:
        taken = validate_seed(seed)
    except ConfigError:
        with pytest.raises(ConfigError, match="experiment 'sft'"):
            from_plain(plain)
    else:
        assert from_plain(plain).experiments[0].seed == taken


@pytest.mark.spec("10.2")
def test_names_and_descriptions_are_trimmed_as_when_they_are_typed() -> None:
    """Spaces around them are no part of them, wherever they stand."""
    stages = [
        {"experiment": "sft ", "start": {"agent": " g "}},
        {"agent": " a", "description": " d "},
    ]
    spaced = {"pipeline": " p ", "description": " d ", "experiments": {" sft": SFT}, "stages": stages}
    found = from_plain({**GOOD, **spaced})
    assert (found.name, found.description, found.experiments[0].name) == ("p", "d", "sft")
    first, second = found.stages
    assert (first.experiment, first.agent) == ("sft", "g")
    assert isinstance(second.stage, DeploymentStage)
    assert (second.stage.agent_name, second.stage.agent_description) == ("a", "d")


@pytest.mark.parametrize("plain", [None, [], "text", 5, {}])
def test_what_is_not_even_a_mapping_is_refused(plain: Any) -> None:
    """A text that is valid YAML but no pipeline is told so."""
    with pytest.raises(ConfigError, match="cannot be imported"):
        from_plain(plain)
