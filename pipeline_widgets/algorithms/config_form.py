"""Read the text typed into the form of a config: the config, or the error of each field, at once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_widgets.algorithms.config_schema import FormField, Kind, bound, list_fields
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.domain.experiment import SEEDS

#: What every experiment has, whatever its algorithm.
SEED = FormField(
    name="seed",
    label="Seed",
    kind=Kind.WHOLE,
    required=False,
    default="0",
    description="Random seed: same seed, same run.",
    bounds=f"from 0 to {SEEDS - 1:,}",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FormResult:
    """The content of a form: a config, and the errors by field."""

    config: Mapping[str, Any]
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    #: What is wrong with the fields together.
    general: str = ""

    def __bool__(self) -> bool:
        return not self.errors and not self.general


_OBJECT = 'A JSON object, such as {{"name": 1}}.'
#: What pydantic finds, by its type, in the words of a form; what is not here is said as pydantic does.
_SAID = {
    "greater_than_equal": "At least {ge}.",
    "greater_than": "More than {gt}.",
    "less_than_equal": "At most {le}.",
    "less_than": "Less than {lt}.",
    "multiple_of": "A multiple of {multiple_of}.",
    "string_too_short": "At least {min_length} characters.",
    "string_too_long": "At most {max_length} characters.",
    "string_pattern_mismatch": "A text that matches {pattern}.",
    "too_short": "At least {min_length} items.",
    "too_long": "At most {max_length} items.",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": "A JSON list, such as [1, 2].",
    "string_type": 'A text, such as "name".',
    "int_type": "A whole number.",
    "int_parsing": "A whole number.",
    "int_from_float": "A whole number.",
    "float_type": "A number.",
    "float_parsing": "A number.",
    "finite_number": "A finite number.",
    "bool_type": "Either true or false.",
    "bool_parsing": "Either true or false.",
    "literal_error": "One of {expected}.",
    "enum": "One of {expected}.",
    "extra_forbidden": "There is no such field.",
}


class _MisreadError(Exception):
    """The text cannot be a value of the field."""


def parse_form(algorithm: Algorithm, typed: Mapping[str, str]) -> FormResult:
    """Read what was typed, by field, and let the config model judge it.

    What was left empty is left out, unless its field may be None or is a text.
    """
    config: dict[str, Any] = {}
    errors: dict[str, str] = {}
    known = {each.name: each for each in list_fields(algorithm.config)}
    for name, text in typed.items():
        if name not in known:
            errors[name] = f"{algorithm.spec.name} has no such field."
            continue
        try:
            if _given_text(known[name], text):
                config[name] = _read(known[name], text)
        except _MisreadError as error:
            errors[name] = str(error)
    judged, general = _validate(algorithm, config)
    errors = {**{name: said for name, said in judged.items() if name not in errors}, **errors}
    return FormResult(config=config, errors=errors, general=general)


def seed_of(text: str) -> tuple[int, str]:
    """Return the seed that was typed, and what is wrong with it; empty text where nothing is."""
    try:
        seed = _whole(text.strip())
    except _MisreadError as error:
        return 0, str(error)
    return (seed, "") if isinstance(seed, int) and 0 <= seed < SEEDS else (0, f"This is to be {SEED.bounds}.")


def _given_text(field: FormField, text: str) -> bool:
    if text.strip() or field.optional:
        return not (field.optional and field.computed and not text.strip())
    return field.kind is Kind.TEXT and not field.required and not field.computed


def _read(field: FormField, text: str) -> Any:
    bare = text.strip()
    match field.kind:
        case Kind.TEXT:
            return None if field.optional and not bare else text
        case _ if not bare:
            return None
        case Kind.WHOLE:
            return _whole(bare)
        case Kind.NUMBER:
            return _number(bare)
        case Kind.BOOLEAN:
            return _boolean(bare)
        case Kind.CHOICE:
            return _choice(field, bare)
        case Kind.JSON:
            return _value(bare)


def _whole(text: str) -> int | float:
    """A whole number, also as 1e6; what is none goes on to the model, which says so."""
    try:
        return int(text)
    except ValueError:
        number = _number(text)
        return int(number) if number.is_integer() else number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise _MisreadError("Not a number. Write it as 10, 0.5 or 1e-3.")
    return number


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise _MisreadError("Neither true nor false.")
    return text == "true"


def _choice(field: FormField, text: str) -> Any:
    if text not in dict(field.choices):
        words = ", ".join(word for _, word in field.choices)
        raise _MisreadError(f"Choose one of {words}.")
    return json.loads(text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        example = 'Write it as [1, 2], {"name": 1}, "text", true or null.'
        raise _MisreadError(f"This is not JSON: {error.msg} at {where}. {example}") from None
    except RecursionError:
        raise _MisreadError("This is nested too deeply.") from None


def _validate(algorithm: Algorithm, config: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Return what the config model has against each field, and against all together."""
    if algorithm.config is None:
        return {}, ""
    from pydantic import ValidationError  # noqa: PLC0415  the config model has imported it

    from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

    try:
        config_model.validate_config(algorithm.config, config)
    except config_model.UnknownFieldError as error:
        first, *within = error.path
        said = f"{'.'.join(within)}: {_SAID['extra_forbidden']}" if within else _SAID["extra_forbidden"]
        return {first: f"{said} There are {', '.join(error.known)}."}, ""
    except ValidationError as error:
        return _by_field(algorithm, error.errors(include_url=False, include_input=False))
    except Exception as error:  # noqa: BLE001  a validator of a user's may raise anything
        return {}, f"{type(error).__name__}: {error}"
    return {}, ""


def _by_field(algorithm: Algorithm, found: list[Any]) -> tuple[dict[str, str], str]:
    names = _names(algorithm)
    errors: dict[str, str] = {}
    general: list[str] = []
    for each in found:
        place = [str(part) for part in each["loc"]]
        if not place or place[0] not in names:
            general.append(_sentence(each, place))
        else:
            name, said = names[place[0]], _sentence(each, place[1:])
            errors[name] = f"{errors[name]} {said}" if name in errors else said
    return errors, " ".join(general)


def _names(algorithm: Algorithm) -> dict[str, str]:
    """Return the model's fields by every name under which an error may come."""
    if algorithm.config is None:
        return {}
    from pipeline_widgets.algorithms.config_model import fields_by_name, list_names  # noqa: PLC0415  it imports pydantic

    fields = fields_by_name(algorithm.config)
    aliases = {alias: name for name, info in fields.items() for alias in list_names(name, info)}
    return aliases | {name: name for name in fields}


def _sentence(error: Mapping[str, Any], place: list[str]) -> str:
    if error["type"] == "missing":
        said = "This has no default: fill it in." if not place else "It is missing."
    else:
        said = _in_our_words(error)
    said = f"{'.'.join(place)}: {said}" if place else said
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _in_our_words(error: Mapping[str, Any]) -> str:
    try:
        return bound(_SAID[error["type"]], error.get("ctx", {}))
    except KeyError:  # it is not known, or a validator of a user's borrows its name
        return str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
