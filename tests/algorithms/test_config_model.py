"""Configs that are made as users make them: stored as JSON, and the same again when the run reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

import pipeline_widgets as pw
from pipeline_widgets.algorithms.config_schema import Kind, list_fields
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.errors import ConfigError


def train(ctx: pw.TrainContext) -> None:
    """Train nothing."""


def made(config: Any, **options: Any) -> Algorithm:
    """Return an algorithm with that config."""
    return pw.algorithm("Mine", produces={"thing"}, config=config, **options)(train)


def trained_with(config: Any, **given: Any) -> Any:
    """Return the config that a run gets: as an experiment stores it, and JSON brings it back."""
    algorithm = made(config)
    stored = json.loads(json.dumps(dict(algorithm.configure(given).config)))
    return algorithm.validate(stored)


class Optimizer(BaseModel):
    """A nested model that says nothing of unknown fields."""

    learning_rate: float = 0.1


@dataclass
class Schedule:
    """A nested dataclass."""

    warm_up: int = 3


class Data(TypedDict):
    """A nested TypedDict."""

    path: str
    rows: NotRequired[int]


class Open(BaseModel):
    """A nested model that takes anything."""

    model_config = ConfigDict(extra="allow")


class Nested(BaseModel):
    """All ways in which models can be nested."""

    optimizer: Optimizer = Optimizer()
    more: list[Optimizer] = []
    named: dict[str, Optimizer] = {}
    either: Optimizer | int = 1
    schedule: Schedule = Schedule()
    data: Data = {"path": "a"}
    anything: Open = Open()
    table: dict[int, float] = {}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"optimizer": {"lerning_rate": 1}}, "optimizer.lerning_rate"),
        ({"more": [{"learning_rate": 1}, {"lerning_rate": 1}]}, "more.1.lerning_rate"),
        ({"named": {"a": {"lerning_rate": 1}}}, "named.a.lerning_rate"),
        ({"either": {"lerning_rate": 1}}, "either.lerning_rate"),
        ({"schedule": {"warmup": 1}}, "schedule.warmup"),
        ({"data": {"path": "b", "row": 1}}, "data.row"),
        ({"optimiser": {}}, "optimiser"),
    ],
)
@pytest.mark.spec("7.4")
def test_habit_15_a_typo_within_a_config_is_named(given: dict[str, Any], path: str) -> None:
    """A field that a nested model does not have is refused with its path, and with those that there are."""
    with pytest.raises(ConfigError, match=f"no config field '{path}'. .* are "):
        made(Nested).validate(given)


def test_habit_15_what_a_model_takes_is_no_typo() -> None:
    """Extra fields where the model allows them, keys of mappings, and values that are models already."""
    given = {"anything": {"x": 1}, "table": {"1": 2}, "optimizer": Optimizer(learning_rate=2)}
    config = trained_with(Nested, **given)
    assert (config.anything.x, config.table, config.optimizer.learning_rate) == (1, {1: 2.0}, 2.0)


class Renaming(BaseModel):
    """A model whose own validator knows a former name."""

    rate: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def rename(cls, values: Any) -> Any:
        """Take the former name as well."""
        return {"rate": values.pop("lr"), **values} if "lr" in values else values


def test_habit_15_a_validator_may_know_other_names() -> None:
    """Where a nested model sees its values before pydantic does, it may take names of its own."""

    class Outer(BaseModel):
        inner: Renaming = Renaming()

    assert trained_with(Outer, inner={"lr": 2}).inner.rate == 2


class Computed(BaseModel):
    """A config with a field that is computed of others."""

    model_config = ConfigDict(extra="forbid")

    steps: int = 3

    @computed_field
    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return 100 * self.steps


class Around(BaseModel):
    """A config with such a model in it."""

    inner: Computed = Computed()


class Excluding(BaseModel):
    """Fields that the model leaves out of its own output."""

    shown: int = 1
    hidden: int = Field(1, exclude=True)
    inner: list[Inner] = []


class Inner(BaseModel):
    """The same within a list."""

    hidden: int = Field(1, exclude=True)


class Spelt(BaseModel):
    """Aliases of all kinds."""

    a: int = Field(1, alias="A")
    b: int = Field(1, validation_alias=AliasChoices("B", "beta"))
    c: int = Field(1, serialization_alias="C")
    inner: dict[str, Aliased] = {}


class Aliased(BaseModel):
    """An alias within a mapping, that is also what it is written as."""

    model_config = ConfigDict(serialize_by_alias=True)

    rate: float = Field(0.1, alias="lr")


@pytest.mark.spec("7.4")
def test_habit_08_what_was_created_trains_with_equal_values() -> None:
    """Computed, extra, excluded and aliased fields come back as they were."""
    assert trained_with(Computed, steps=5) == Computed(steps=5)
    assert trained_with(Around, inner={"steps": 5}).inner.tokens == 500
    assert trained_with(Open, x=1, y={"z": [2]}).model_extra == {"x": 1, "y": {"z": [2]}}
    excluding = trained_with(Excluding, hidden=7, inner=[{"hidden": 8}])
    assert (excluding.hidden, excluding.inner[0].hidden) == (7, 8)
    spelt = trained_with(Spelt, A=2, beta=3, c=4, inner={"x": {"lr": 0.5}})
    assert (spelt.a, spelt.b, spelt.c, spelt.inner["x"].rate) == (2, 3, 4, 0.5)


def test_habit_08_what_former_versions_stored_is_still_read() -> None:
    """They stored computed fields with the others; these are computed anew."""
    assert made(Computed).validate({"steps": 5, "tokens": 500}) == Computed(steps=5)


class Scaling(BaseModel):
    """A validator that changes what it has made."""

    rate: float = 1.0

    @field_validator("rate")
    @classmethod
    def scale(cls, rate: float) -> float:
        """Scale it."""
        return rate * 10


class Subclassed(BaseModel):
    """A field that may hold more than its type says."""

    optimizer: Optimizer = Optimizer()


class Adam(Optimizer):
    """More than the type says."""

    beta: float = 0.9


class Holding(BaseModel):
    """A field of any type."""

    x: Any = None


@pytest.mark.parametrize(
    ("config", "given", "words"),
    [
        (Scaling, {"rate": 2}, "rate is 20.0, and would be 200.0"),
        (Subclassed, {"optimizer": Adam()}, "optimizer.beta"),
        (Holding, {"x": {1, 2}}, r"x is \{1, 2\}"),
        (Holding, {"x": Decimal("0.1")}, "x is Decimal"),
    ],
)
def test_habit_08_what_cannot_come_back_is_refused_when_it_is_created(
    config: type[BaseModel], given: dict[str, Any], words: str
) -> None:
    """And not when it trains: the refusal names the field and both values."""
    with pytest.raises(ConfigError, match=f"would not come back as it is .*{words}"):
        made(config).configure(given)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), (1, (2, 3)), [float("nan")], Path("a"), -0.0])
def test_habit_08_values_that_json_spells_otherwise_are_fine(value: Any) -> None:
    """NaN equals nothing, and a tuple becomes a list; neither is a change."""
    kind = type("Config", (BaseModel,), {"__annotations__": {"x": type(value)}, "x": value})
    made(kind).configure({})


class Token(BaseModel):
    """A secret in a nested model."""

    value: SecretStr | None = None


class Tokens(BaseModel):
    """Secrets within other types."""

    tokens: dict[str, list[Token]] = {}


@dataclass
class Keyed:
    """A secret in a dataclass."""

    key: SecretBytes = SecretBytes(b"")  # noqa: RUF009  it is frozen


@pytest.mark.parametrize(
    ("config", "path"), [(Token, "value"), (Tokens, "tokens.value"), (Keyed, "key")], ids=str
)
def test_habit_03_a_secret_is_refused_where_it_is_declared(config: type[Any], path: str) -> None:
    """Wherever it is nested: a training would get asterisks, so the way out is told."""
    with pytest.raises(ConfigError, match=f"field '{path}' .* is a secret.* environment variable"):
        made(config)


def test_habit_03_a_secret_in_a_field_of_any_type_is_refused_when_it_is_given() -> None:
    """It is never stored as asterisks."""
    with pytest.raises(ConfigError, match=r"field 'x' .* is a secret"):
        made(Holding).configure({"x": SecretStr("a")})


@dataclass(kw_only=True)
class Plain:
    """A config that is a dataclass."""

    steps: int
    rate: float = 0.1
    sizes: list[int] = field(default_factory=lambda: [8])
    optimizer: Optimizer = field(default_factory=Optimizer)
    derived: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Derive a field."""
        self.derived = 2 * self.steps


@pytest.mark.spec("7.4", "9.2")
def test_habit_16_a_dataclass_is_a_config() -> None:
    """It has a form, defaults and validation; the train function gets an instance of it."""
    config = trained_with(Plain, steps="4", optimizer={"learning_rate": 1})
    assert (type(config), config.steps, config.derived, config.sizes) == (Plain, 4, 8, [8])
    assert config.optimizer == Optimizer(learning_rate=1)
    fields = {each.name: each for each in list_fields(Plain)}
    assert list(fields) == ["steps", "rate", "sizes", "optimizer"]
    assert (fields["steps"].required, fields["rate"].default, fields["sizes"].default) == (True, "0.1", "[8]")
    assert (fields["steps"].kind, fields["rate"].kind) == (Kind.WHOLE, Kind.NUMBER)
    for given, words in (({"steps": "x"}, "'steps'"), ({"steps": 1, "rat": 1}, "no config field 'rat'")):
        with pytest.raises(ConfigError, match=words):
            made(Plain).validate(given)


class NotDeclared:
    """A class of another library."""

    def __init__(self, lock: object) -> None:
        self.lock = lock


@dataclass
class Foreign:
    """A dataclass with a field of such a class."""

    thing: NotDeclared


@pytest.mark.parametrize(
    "config", [NotDeclared, Optimizer(), {"a": 1}, RootModel[int], int, Foreign], ids=str
)
def test_habit_16_other_configs_are_refused_with_what_to_pass(config: Any) -> None:
    """Another library's object, an instance, a mapping: the refusal comes with the declaration."""
    with pytest.raises(ConfigError, match="config of Mine cannot be used") as refused:
        made(config)
    assert refused.value.fix


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"score": "accuracy"}, "'accuracy' as score. .*max.*min"),
        ({"score": None}, "None as score"),
        ({"accepts": ["x"]}, "'x' as accepts. Pass ports"),
        ({"accepts": 3}, "3 as accepts"),
        ({"accepts": [pw.Port("weights", [3])]}, "3 as accepts"),  # pyright: ignore[reportArgumentType]
        ({"produces": [1]}, "1 as produces"),
        ({"produces": None}, "None as produces"),
        ({"name": 3}, "3 as name"),
        ({"name": " "}, "' ' as name"),
        ({"signature": {"a": 1}}, "as signature. Pass a function"),
        ({"predict": "path"}, "'path' as predict"),
    ],
    ids=str,
)
def test_habit_02_and_16_a_wrong_declaration_is_refused_at_once(options: dict[str, Any], words: str) -> None:
    """Each argument of the decorator says what it has to be; a direction of scores is never guessed."""
    given: dict[str, Any] = {"name": "Mine", "produces": {"thing"}, **options}
    with pytest.raises(pw.PipelineError, match=words):
        pw.algorithm(given.pop("name"), **given)(train)
    with pytest.raises(pw.PipelineError, match=r"3 as the decorated object"):
        pw.algorithm("Mine", produces={"thing"})(3)  # pyright: ignore[reportArgumentType]


def test_habit_16_a_single_port_is_a_list_of_one() -> None:
    """As a single kind is."""
    port = pw.Port("weights", {"thing"})
    assert made(None, accepts=port).spec.accepts == (port,)


def failing(_: Any) -> Any:
    raise KeyError("base_model")


def three(_: Any) -> Any:
    return 3


def foreign(_: Any) -> Any:
    return {"x": object()}


@pytest.mark.parametrize("signature", [failing, three, foreign])
def test_habit_16_a_signature_function_that_fails_is_named(signature: Any) -> None:
    """What a user's function raises or returns is no error of ours without a name."""
    with pytest.raises(ConfigError, match=r"signature"):
        made(None, signature=signature).configure({})


def test_habit_16_a_validator_that_fails_is_named() -> None:
    """A validator may raise anything."""

    class Broken(BaseModel):
        x: int = 1

        @model_validator(mode="after")
        def check(self) -> Broken:
            raise KeyError("nothing")

    with pytest.raises(ConfigError, match=r"config of Mine cannot be checked\. KeyError"):
        made(Broken).configure({})


class Size(Enum):
    """A facet."""

    SMALL = "small"


def test_habit_14_numpy_is_welcome_in_configs_and_signatures() -> None:
    """Numbers, texts and bools of numpy become Python's own."""

    class Config(BaseModel):
        steps: int = 1
        rates: list[float] = []
        names: dict[str, Any] = {}
        size: Size = Size.SMALL

    given = {"steps": np.int64(5), "rates": [np.float32(0.5)], "names": {np.str_("a"): np.bool_(True)}}  # noqa: FBT003  the value itself
    ports = [pw.Port("weights", {"thing"}, match=("size",))]
    configured = made(Config, accepts=ports).configure(given)
    assert configured.config == {"steps": 5, "rates": [0.5], "names": {"a": True}, "size": "small"}
    assert type(configured.config["steps"]) is int
    assert configured.signature == {"size": "small"}

    def facets(config: Config) -> dict[str, Any]:
        return {"n": np.int64(config.steps), "half": np.array(0.5)}

    told = made(Config, signature=facets)
    assert told.configure(given).signature == {"n": 5, "half": 0.5}


PROGRAM = """
import json, sys
from typing import Any
from pydantic import BaseModel
import pipeline_widgets as pw
from pipeline_widgets.domain.experiment import compute_config_digest
class Inner(BaseModel):
    tags: frozenset[str] = frozenset("abcdefgh")
class Config(BaseModel):
    tags: set[str] = set("abcdefgh")
    nested: dict[str, list[Inner]] = {"x": [Inner()]}
    pairs: set[tuple[str, frozenset[str]]] = {("a", frozenset("xyz")), ("b", frozenset("uvw"))}
    zero: float = -0.0
@pw.algorithm("Mine", produces={"b", "a"}, config=Config)
def train(ctx): pass
def untyped(ctx):
    return ctx in {"aa", "bb", "cc", "dd", "ee"} or ctx in {("a", 1), ("b", 2), None}
config = train.configure({}).config
digests = compute_config_digest(config, 0), pw.algorithm("U", produces={"x"})(untyped).reference.digest
print(json.dumps(config), *digests)
"""


@pytest.mark.spec("6.8")
def test_case_24_digests_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Sets, however nested, are stored in one order, and code that holds some has one digest."""
    (tmp_path / "program.py").write_text(PROGRAM)
    told = [
        subprocess.run(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(set(told)) == 1
    config = json.loads(told[0].rpartition("}")[0] + "}")
    assert config["tags"] == list("abcdefgh")
    assert config["pairs"] == [["a", ["x", "y", "z"]], ["b", ["u", "v", "w"]]]
    assert str(config["zero"]) == "0.0"
