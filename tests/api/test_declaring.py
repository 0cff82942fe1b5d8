"""Declaring algorithms with `@pw.algorithm` (spec 7.1, 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel, Field

import pipeline_widgets as pw
from pipeline_widgets.algorithms import registry
from pipeline_widgets.errors import AlgorithmNotFoundError


class Config(BaseModel):
    """A config."""

    base: str = "letters"
    size: int = 3


def train(ctx: pw.TrainContext) -> None:
    """Train nothing."""


@pytest.mark.spec("7.1")
def test_a_declaration_is_registered_under_its_name() -> None:
    """Name, kinds, ports, scratch, direction and config model are what was declared."""
    port = pw.Port("weights", {"lm"}, match=("base",))
    made = pw.algorithm("Mine", produces={"lm"}, accepts=[port], scratch=False, score="min", config=Config)(
        train
    )
    assert registry.find("Mine") is made
    assert "Mine" in registry.names()
    assert (made.spec.name, made.spec.produces, made.spec.accepts) == ("Mine", {"lm"}, (port,))
    assert (made.spec.scratch, made.spec.score, made.spec.higher_is_better) == (False, "min", False)


@pytest.mark.spec("7.1")
def test_running_the_cell_again_replaces_the_algorithm() -> None:
    """The last definition counts."""
    pw.algorithm("Mine", produces={"lm"}, config=Config)(train)
    again = pw.algorithm("Mine", produces={"policy"}, config=Config)(train)
    assert registry.find("Mine") is again


@pytest.mark.spec("7.1")
@pytest.mark.parametrize("produces", ["lm", ["lm"], {"lm"}])
def test_one_kind_can_be_written_as_a_text(produces: Iterable[str]) -> None:
    """A single kind is one kind, as it is for a port, and not one for each letter."""
    made = pw.algorithm("Mine", produces=produces, config=Config)(train)
    assert made.spec.produces == {"lm"}


@pytest.mark.spec("7.1")
def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    """A misspelt name shows what could have been meant."""
    with pytest.raises(AlgorithmNotFoundError, match=r"no algorithm named 'Imitat'. Known: .*Imitate"):
        registry.find("Imitat")


@pytest.mark.spec("7.2")
def test_a_signature_is_what_the_ports_match_by() -> None:
    """Without a function the config fields of that name are the facets; with one, what it returns."""
    ports = [pw.Port("weights", {"lm"}, match=("base", "!size", "elsewhere"))]
    plain = pw.algorithm("Plain", produces={"lm"}, accepts=ports, config=Config)(train)
    assert plain.configure({"size": 4}).signature == {"base": "letters", "size": 4}
    told = pw.algorithm("Told", produces={"lm"}, config=Config, signature=lambda c: {"twice": 2 * c.size})(
        train
    )
    assert told.configure({}).signature == {"twice": 6}


class Spelt(BaseModel):
    """A config whose field has another name outside."""

    learning_rate: float = Field(0.1, alias="lr")


@pytest.mark.spec("7.4")
def test_a_config_with_aliases_can_be_read_again() -> None:
    """What is stored of a config is accepted by the same config model, when the run starts or edited."""
    made = pw.algorithm("Mine", produces={"lm"}, config=Spelt)(train)
    stored = made.configure({"lr": 0.5}).config
    again: Any = made.validate(stored)
    assert again.learning_rate == 0.5


@pytest.mark.spec("7.1")
def test_an_algorithm_is_found_again_by_another_process() -> None:
    """One defined in a function is kept by value, and comes back with code and declaration."""
    factor = 3

    @pw.algorithm("Local", produces={"lm"}, config=Config)
    def local(ctx: Any) -> None:
        ctx.append(factor)

    reference = local.reference
    assert (reference.path, reference.value is not None) == (None, True)
    opened = registry.load(reference)
    got: list[int] = []
    opened(got)  # pyright: ignore[reportArgumentType]  a list for a context
    assert (got, opened.spec) == ([3], local.spec)


@pytest.mark.spec("7.1")
def test_code_that_is_gone_is_told() -> None:
    """A module, a name or a value that cannot be loaded says what to do."""
    for reference in (
        registry.AlgorithmReference(path="no_such_module:x"),
        registry.AlgorithmReference(path="json:no_such_name"),
        registry.AlgorithmReference(path="json:dumps"),
        registry.AlgorithmReference(value="abc"),
        registry.AlgorithmReference(),
    ):
        with pytest.raises(AlgorithmNotFoundError) as refused:
            registry.load(reference)
        assert refused.value.fix
