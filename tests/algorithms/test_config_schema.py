"""The fields of a form for any config model (spec 9.2)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.config_form import parse_form
from pipeline_widgets.algorithms.config_schema import FormField, Kind, list_fields, written
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.domain.compatibility import AlgorithmSpec

pytestmark = pytest.mark.spec("9.2")


class Colour(enum.Enum):
    """An enumeration of mixed values."""

    RED = "red"
    TWO = 2


class Optimizer(BaseModel):
    """A nested model."""

    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


class Tree(BaseModel):
    """A model that refers to itself."""

    name: str = "root"
    children: list[Tree] = Field(default_factory=list["Tree"])


def an_algorithm(name: str, config: type[BaseModel] | None) -> Algorithm:
    """Return an algorithm that no registry knows."""
    spec = AlgorithmSpec(name=name, produces=frozenset({"thing"}))
    return Algorithm(spec=spec, train=train, config=config)


def train(ctx: TrainContext) -> None:
    """Do nothing."""


def only(annotation: Any, **field: Any) -> FormField:
    """Return the form's field of a model with one field."""
    info = Field(**field)
    (found,) = list_fields(type("Config", (BaseModel,), {"__annotations__": {"x": annotation}, "x": info}))
    return found


@pytest.mark.parametrize(
    ("annotation", "default", "kind", "text"),
    [
        (int, 600, Kind.WHOLE, "600"),
        (float, 3e-3, Kind.NUMBER, "0.003"),
        (float, float("inf"), Kind.NUMBER, "Infinity"),
        (bool, True, Kind.BOOLEAN, "true"),
        (str, "CartPole-v1", Kind.TEXT, "CartPole-v1"),
        (Path, Path("a/b"), Kind.TEXT, "a/b"),
        (int | None, None, Kind.WHOLE, ""),
        (int | None, 5, Kind.WHOLE, "5"),
        (bool | None, None, Kind.CHOICE, "null"),
        (Literal["a", "b"], "b", Kind.CHOICE, '"b"'),
        (Literal["a"] | None, None, Kind.CHOICE, "null"),
        (Literal[5], 5, Kind.CHOICE, "5"),
        (Colour, Colour.TWO, Kind.CHOICE, "2"),
        (Colour | None, Colour.RED, Kind.CHOICE, '"red"'),
        (list[int], [1, 2], Kind.JSON, "[1, 2]"),
        (tuple[int, int], (1, 2), Kind.JSON, "[1, 2]"),
        (dict[str, float], {}, Kind.JSON, "{}"),
        (dict[str, float], {"a": 1.0}, Kind.JSON, '{\n  "a": 1.0\n}'),
        (int | str, "auto", Kind.JSON, '"auto"'),
        (int | str | None, None, Kind.JSON, ""),
        (Any, None, Kind.JSON, "null"),
        (Optimizer, Optimizer(lr=1), Kind.JSON, written(only(Optimizer), {"lr": 1.0, "betas": [0.9, 0.999]})),
        (Tree, Tree(), Kind.JSON, written(only(Tree), {"name": "root", "children": []})),
    ],
    ids=str,
)
def test_each_type_has_a_control_and_its_default_as_text(
    annotation: Any, default: Any, kind: Kind, text: str
) -> None:
    """And what is typed there at first is read back as that default."""
    made: Any = type("Config", (BaseModel,), {"__annotations__": {"x": annotation}, "x": default})
    (field,) = list_fields(made)
    assert (field.kind, field.default, field.required, field.computed) == (kind, text, False, False)
    read = parse_form(an_algorithm("of a test", made), {"x": text})
    assert (read.errors, read.general) == ({}, "")
    assert made.model_validate(read.config).x == default


def test_a_field_says_its_bounds_unit_and_what_it_is_for() -> None:
    """In words, as a person reads them; a description keeps its text, whatever signs it has."""
    about = "Updates <b>in all</b>,\n  twice."
    field = only(int, default=3, ge=1, lt=10_000, description=about, json_schema_extra={"unit": "steps"})
    assert field.bounds == "at least 1, less than 10,000"
    assert (field.unit, field.description) == ("steps", "Updates <b>in all</b>, twice.")
    annotated = only(Annotated[float, Field(gt=0, le=0.5)], default=0.1)
    assert annotated.bounds == "more than 0, at most 0.5"
    assert only(float | None, default=None, ge=0).bounds == "at least 0"
    assert only(str, default="a", min_length=1, pattern="^a").bounds == "at least 1 character, matching ^a"
    assert only(Colour, default="red", description="Which.").description == "Which."


def test_what_a_field_is_called() -> None:
    """Its title if it has one; else its alias or name in words. It is sent by its own name."""
    assert (only(int, default=1, title="<i>N</i>").label, only(int, default=1).label) == ("<i>N</i>", "X")
    field = only(str, default="a", alias="class")
    assert (field.name, field.label) == ("x", "Class")
    (field,) = list_fields(type("C", (BaseModel,), {"__annotations__": {"learning_rate": float}}))
    assert (field.label, field.required, field.default) == ("Learning rate", True, "")


def test_a_default_that_cannot_be_written_is_left_to_the_model() -> None:
    """A callable, or a factory that fails: the field is empty, and the model fills it in."""

    def broken() -> int:
        raise OSError

    class Config(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        call: Callable[[], int] = int
        rolled: int = Field(default_factory=broken)
        flag: bool = Field(default_factory=lambda: bool(broken()))
        made: list[int] = Field(default_factory=lambda: [1, 2])

    call, rolled, flag, made = list_fields(Config)
    assert [(each.computed, each.default) for each in (call, rolled, flag)] == [(True, "")] * 3
    assert flag.kind is Kind.CHOICE  # a box could not be left empty
    assert (made.computed, made.default) == (False, "[1, 2]")


def test_odd_models_still_have_a_form() -> None:
    """One without fields, none at all, one whose schema cannot be made, one that is no object."""

    def hook(schema: dict[str, Any]) -> None:
        raise OSError

    class Odd(BaseModel):
        model_config = ConfigDict(json_schema_extra=hook)

        x: int = 3

    assert list_fields(None) == list_fields(type("Empty", (BaseModel,), {})) == ()
    (field,) = list_fields(Odd)
    assert (field.kind, field.default) == (Kind.JSON, "3")
    assert [each.name for each in list_fields(RootModel[list[int]])] == ["root"]


def test_every_algorithm_of_the_package_has_a_form_that_gives_its_defaults() -> None:
    """What a form is filled with at first is the config that the algorithm has by default."""
    for name in ("PPO", "DQN", "Supervised", "LatentPPO", "SFT", "DPO", "GRPO"):
        found = registry.find(name)
        fields = list_fields(found.config)
        assert all(each.description and each.kind is not Kind.JSON for each in fields), name
        read = parse_form(found, {each.name: each.default for each in fields})
        assert read
        assert found.validate(read.config) == found.validate({})
