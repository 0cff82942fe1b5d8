"""Turn a config model into the fields of a form: pure, and for any pydantic model.

A field whose type a form has no control for is written as JSON, and one whose default cannot be written is
left empty: what is left empty is left out, so that the model's own default holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Schema = Mapping[str, Any]
DEPTH = 20  # references that are followed; a model may refer to itself
WHOLE_UP_TO = 1e15  # a bound is said without a fraction below that


class Kind(StrEnum):
    """The control of a field."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    JSON = "json"


_KINDS = {"string": Kind.TEXT, "number": Kind.NUMBER, "integer": Kind.WHOLE, "boolean": Kind.BOOLEAN}
_TRUTHS = (("true", "true"), ("false", "false"))
#: Key words of a schema, and how a sentence says them.
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matching {}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FormField:
    """A field of a form. What is typed is text, whatever the field's kind."""

    #: The field of the model, as `config={...}` names it.
    name: str
    label: str
    kind: Kind
    required: bool
    description: str = ""
    unit: str = ""
    #: What may be typed, such as "at least 1, at most 4,096".
    bounds: str = ""
    #: What is typed at first; a choice is the JSON of its value. Empty where the default cannot be written.
    default: str = ""
    #: The values of a choice as JSON, each with its word.
    choices: tuple[tuple[str, str], ...] = ()
    #: Whether it may be None: what is left empty is None.
    optional: bool = False
    #: Whether the model's default is left to the model, since it cannot be written.
    computed: bool = False


def list_fields(model: type[Any] | None) -> tuple[FormField, ...]:
    """Return the fields of a form for a config model, in the model's order; none without a model."""
    if model is None:
        return ()
    from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

    schema = _schema(model)
    definitions, properties = schema.get("$defs", {}), _resolve_reference(schema, schema.get("$defs", {}))
    known = properties.get("properties", {})
    return tuple(
        _field(name, info, _resolve_reference(known.get(name, {}), definitions), definitions)
        for name, info in config_model.fields_by_name(model).items()
    )


def written(field: FormField, value: Any) -> str:
    """Return a value as it is typed into a field."""
    if field.kind is Kind.CHOICE:
        return _json(value)
    if value is None and field.optional:
        return ""
    if field.kind is Kind.BOOLEAN:
        return "true" if value else "false"
    if field.kind is Kind.TEXT and isinstance(value, str):
        return value
    return _json(value, indent=_indent(value))


def _schema(model: type[Any]) -> Schema:
    """Return the model's JSON schema with its fields' own names; what has none is left open."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415  the model has imported it

    from pipeline_widgets.algorithms.config_model import build_json_schema  # noqa: PLC0415  it imports pydantic

    class Lenient(GenerateJsonSchema):
        ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012  as pydantic has it

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:  # noqa: ARG002
            return {}

    try:
        return build_json_schema(model, by_alias=False, schema_generator=Lenient)
    except Exception:  # noqa: BLE001  a model's own hook may raise anything: then all is written as JSON
        return {}


def _field(name: str, info: FieldInfo, schema: Schema, definitions: Schema) -> FormField:
    optional, inner = _without_none(schema, definitions)
    kind, choices = _control(inner)
    if kind is Kind.BOOLEAN and optional:  # a box has two states
        kind, choices = Kind.CHOICE, _TRUTHS
    if kind is Kind.CHOICE and optional:
        choices = (("null", "None"), *choices)
    made = FormField(
        name=name,
        label=info.title or _words(info.alias or name),
        kind=kind,
        required=info.is_required(),
        description=_text(info.description or schema.get("description")),
        unit=_text(schema.get("unit")),
        bounds=_bounds(inner),
        choices=choices,
        optional=optional,
    )
    return _with_default(made, info)


def _with_default(field: FormField, info: FieldInfo) -> FormField:
    if field.required:
        return field
    computed = replace(field, computed=True)
    if field.kind is Kind.BOOLEAN:
        computed = replace(computed, kind=Kind.CHOICE, choices=_TRUTHS)
    try:
        default = _plain(info.get_default(call_default_factory=True, validated_data={}))
        text = written(field, default)
    except Exception:  # noqa: BLE001  a factory of a user's may raise anything; the model will call it itself
        return computed
    if field.kind is Kind.CHOICE and text not in dict(field.choices):
        return computed
    return replace(field, default=text)


def _without_none(schema: Schema, definitions: Schema) -> tuple[bool, Schema]:
    """Tell whether None is allowed, and return the schema of the other values."""
    options = [_resolve_reference(option, definitions) for option in schema.get("anyOf", ())]
    others = [option for option in options if option.get("type") != "null"]
    if len(others) == len(options):
        return False, schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(others) == 1:
        return True, {**rest, **others[0]}
    return True, {**rest, "anyOf": others}


def _control(schema: Schema) -> tuple[Kind, tuple[tuple[str, str], ...]]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values:
        words = ((_json(value), value if isinstance(value, str) else _json(value)) for value in values)
        return Kind.CHOICE, tuple(words)
    kind = schema.get("type")
    return (_KINDS.get(kind, Kind.JSON) if isinstance(kind, str) else Kind.JSON), ()


def _resolve_reference(schema: Schema, definitions: Schema, depth: int = DEPTH) -> Schema:
    """Follow a reference; what stands beside it wins."""
    target = schema.get("$ref")
    if not isinstance(target, str) or depth == 0:
        return schema
    found = definitions.get(target.removeprefix("#/$defs/"), {})
    beside = {key: value for key, value in schema.items() if key not in {"$ref", "$defs"}}
    return {**_resolve_reference(found, definitions, depth - 1), **beside}


def _bounds(schema: Schema) -> str:
    said = [bound(words, {"": schema[key]}) for key, words in _BOUNDS.items() if key in schema]
    return ", ".join(said)


def bound(words: str, limits: Mapping[str, Any]) -> str:
    """Say a bound in words with places for its limits, such as "at least {} items"."""
    said = words.format(
        *map(_number, limits.values()), **{name: _number(each) for name, each in limits.items()}
    )
    return re.sub(r"\b1 (character|item)s\b", r"1 \1", said)


def _number(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_UP_TO:
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _words(name: str) -> str:
    words = name.strip("_").replace("_", " ") or name
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    return " ".join(str(value).split()) if value is not None else ""


def _plain(value: Any) -> Any:
    from pydantic_core import to_jsonable_python  # noqa: PLC0415  the model has imported it

    from pipeline_widgets.algorithms.config_model import canonical  # noqa: PLC0415  it imports pydantic

    return canonical(value, to_jsonable_python(value, inf_nan_mode="constants"))


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _indent(value: Any) -> int | None:
    """A nested value is written over several lines, a list of numbers in one."""
    return 2 if isinstance(value, dict) and value else None
