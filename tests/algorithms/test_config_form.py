"""What was typed into the form of a config (spec 9.2)."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipeline_widgets.algorithms.config_form import parse_form, seed_of
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.domain.compatibility import AlgorithmSpec

pytestmark = pytest.mark.spec("9.2")


class Optimizer(BaseModel):
    """A nested model."""

    lr: float = Field(default=0.1, gt=0)


class Config(BaseModel):
    """A field of each kind."""

    steps: int = Field(ge=1)
    rate: float = 0.5
    mode: Literal["fast", "slow"] = "fast"
    kind: str = Field("cat", alias="class")
    limit: int | None = 7
    optimizer: Optimizer = Optimizer()
    sizes: list[int] = Field(default_factory=lambda: [8])
    flag: bool = False

    @model_validator(mode="after")
    def check(self) -> Config:
        """Refuse a pair of values."""
        if self.steps == 13 and self.flag:
            raise ValueError("thirteen and a flag do not go together")
        return self


def an_algorithm(name: str, config: type[BaseModel] | None) -> Algorithm:
    """Return an algorithm that no registry knows."""
    spec = AlgorithmSpec(name=name, produces=frozenset({"thing"}))
    return Algorithm(spec=spec, train=train, config=config)


def train(ctx: TrainContext) -> None:
    """Do nothing."""


@pytest.fixture
def made() -> Algorithm:
    """An algorithm with that config."""
    return an_algorithm("Formed", Config)


def test_what_is_typed_becomes_a_config(made: Algorithm) -> None:
    """Numbers in every notation, choices and JSON; a text is taken as it stands."""
    typed = {
        "steps": " 1e3 ",
        "rate": "1e-3",
        "mode": '"slow"',
        "kind": " a dog ",
        "limit": "",
        "optimizer": '{"lr": 2}',
        "sizes": "[1, 2]",
        "flag": "true",
    }
    read = parse_form(made, typed)
    assert read
    assert read.config == {
        "steps": 1000,
        "rate": 0.001,
        "mode": "slow",
        "kind": " a dog ",
        "limit": None,
        "optimizer": {"lr": 2},
        "sizes": [1, 2],
        "flag": True,
    }
    assert isinstance(read.config["steps"], int)
    assert made.configure(read.config).config["limit"] is None


def test_all_errors_come_at_once_each_with_its_field(made: Algorithm) -> None:
    """Those of what cannot be read, and those of the model, nested ones with their place."""
    typed = {"steps": "0", "rate": "fast", "mode": '"medium"', "limit": "1.5"}
    typed |= {"optimizer": '{"lr": -1}', "sizes": "[1, 'a']", "flag": "maybe", "other": "1"}
    errors = parse_form(made, typed).errors
    assert set(errors) == set(typed)
    assert errors["steps"] == "At least 1."
    assert errors["rate"] == "Not a number. Write it as 10, 0.5 or 1e-3."
    assert errors["mode"] == "Choose one of fast, slow."
    assert errors["limit"] == "A whole number."
    assert errors["optimizer"] == "lr: More than 0."
    assert errors["sizes"].startswith("This is not JSON: Expecting value at column 5. Write it as [1, 2]")
    assert errors["flag"] == "Neither true nor false."
    assert errors["other"] == "Formed has no such field."


class Bounded(BaseModel):
    """A field for each thing that a model finds most often."""

    low: int = Field(0, ge=-1, lt=10_000)
    high: float = Field(0.0, gt=-1, le=512)
    even: int = Field(0, multiple_of=2)
    text: str = Field("aa", min_length=2, max_length=3, pattern="^a")
    items: list[int] = Field([1], min_length=1, max_length=2)
    table: dict[str, int] = {}
    optimizer: Optimizer = Optimizer()


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("low", "-2", "At least -1."),
        ("low", "10000", "Less than 10,000."),
        ("low", "0.5", "A whole number."),
        ("high", "-1", "More than -1."),
        ("high", "513", "At most 512."),
        ("even", "3", "A multiple of 2."),
        ("text", "a", "At least 2 characters."),
        ("text", "aaaa", "At most 3 characters."),
        ("text", "bb", "A text that matches ^a."),
        ("items", "[]", "At least 1 item."),
        ("items", "[1, 2, 3]", "At most 2 items."),
        ("items", "1", "A JSON list, such as [1, 2]."),
        ("items", '["x", 1]', "0: A whole number."),
        ("table", "[]", 'A JSON object, such as {"name": 1}.'),
        ("optimizer", "3", 'A JSON object, such as {"name": 1}.'),
    ],
)
def test_what_a_model_finds_is_said_in_the_words_of_the_form(field: str, typed: str, said: str) -> None:
    """As its bounds are: short, with numbers as people write them, one of a thing in the singular."""
    assert parse_form(an_algorithm("Bounded", Bounded), {field: typed}).errors == {field: said}


def test_a_validator_that_borrows_a_name_is_quoted() -> None:
    """Without the limits that pydantic gives, its own sentence stands."""

    class Odd(BaseModel):
        number: int = 1

        @field_validator("number")
        @classmethod
        def check(cls, value: int) -> int:
            raise PydanticCustomError("less_than", "{value} is too odd", {"value": value})

    assert parse_form(an_algorithm("Odd", Odd), {"number": "2"}).errors == {"number": "2 is too odd."}


def test_an_empty_field_is_left_out_unless_it_means_something(made: Algorithm) -> None:
    """The default holds; a field without one is asked for; an empty text is a text."""
    read = parse_form(made, {"steps": "", "rate": " ", "sizes": "", "kind": ""})
    assert read.errors == {"steps": "This has no default: fill it in."}
    assert read.config == {"kind": ""}
    assert parse_form(made, {"steps": "3", "sizes": ""}).config == {"steps": 3}


def test_an_error_of_an_alias_is_shown_at_its_field(made: Algorithm) -> None:
    """Pydantic names the alias, the form the field."""

    class Aliased(BaseModel):
        number: int = Field(alias="class")

    aliased = an_algorithm("Aliased", Aliased)
    assert list(parse_form(aliased, {"number": "1.5"}).errors) == ["number"]
    assert list(parse_form(aliased, {}).errors) == ["number"]


def test_an_error_of_all_fields_together_belongs_to_none(made: Algorithm) -> None:
    """It is said for the form; so is what a validator raises that is no error of validation."""
    read = parse_form(made, {"steps": "13", "flag": "true"})
    assert (read.errors, read.general) == ({}, "thirteen and a flag do not go together.")
    assert not read

    class Broken(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def fail(cls, value: object) -> object:
            raise OSError(f"<b>no disk</b> for {value}")

    broken = an_algorithm("Broken", Broken)
    assert parse_form(broken, {}).general == "OSError: <b>no disk</b> for {}"


@pytest.mark.parametrize("text", ["nan", "1,5", "0x10", "ten", "--1"])
def test_what_is_no_number_is_said(made: Algorithm, text: str) -> None:
    """A comma may be a point or none: it is refused rather than guessed."""
    assert set(parse_form(made, {"steps": text, "rate": text}).errors) == {"steps", "rate"}


def test_numbers_and_json_without_end_are_refused(made: Algorithm) -> None:
    """Nothing that is typed can break the form."""
    typed = {"steps": "9" * 6000, "sizes": "[" * 100_000, "rate": "1"}
    assert set(parse_form(made, typed).errors) == {"steps", "sizes"}


def test_an_algorithm_without_config_takes_nothing() -> None:
    """There are no fields, and none is taken."""
    plain = an_algorithm("Plain", None)
    assert parse_form(plain, {}).config == {}
    assert parse_form(plain, {"x": "1"}).errors == {"x": "Plain has no such field."}


@pytest.mark.parametrize(("text", "seed"), [("0", 0), (" 7 ", 7), ("2147483647", 2147483647), ("1e3", 1000)])
def test_a_seed_is_read(text: str, seed: int) -> None:
    """A whole number from 0 to 2**31 - 1."""
    assert seed_of(text) == (seed, "")


@pytest.mark.parametrize("text", ["", "-1", "2147483648", "1.5", "x", "inf"])
def test_what_is_no_seed_is_said(text: str) -> None:
    """With what would be one, or how a number is written."""
    assert seed_of(text)[1]
