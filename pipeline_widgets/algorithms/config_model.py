"""Config models, pydantic's and dataclasses: what is given becomes an instance, and that becomes plain JSON.

The JSON is canonical: the same values give the same text in every process. It is checked that it gives the
same values back, so that a run trains with what its experiment was made with.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, TypeAlias, cast, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, BaseModel, RootModel, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from pipeline_widgets.algorithms.scalars import to_scalar
from pipeline_widgets.errors import ConfigError, format_value

#: A pydantic model, or a dataclass.
ConfigType: TypeAlias = type[Any]
Path: TypeAlias = tuple[str, ...]
_SECRETS = (SecretStr, SecretBytes, Secret)


class UnknownFieldError(Exception):
    """A config names a field that its model, or a model within it, does not have.

    Args:
        path: Where it is, such as ("optimizer", "lerning_rate").
        known: The fields that there are.
    """

    def __init__(self, path: Path, known: Sequence[str]) -> None:
        super().__init__(path, known)
        self.path = path
        self.known = tuple(known)


def check_type(config: object, algorithm: str) -> None:
    """Check what an algorithm declares as its config.

    Raises:
        ConfigError: It is neither a pydantic model nor a dataclass, or has a field that cannot be stored.
    """
    fix = "Pass the class: one that derives from pydantic.BaseModel, or a dataclass."
    if not isinstance(config, type):
        why = f"Got {format_value(config)}, which is not a class."
        raise ConfigError(f"The config of {algorithm} cannot be used.", why, fix)
    kind = cast(type[Any], config)
    if not (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)) or _is_root_type(kind):
        why = f"{kind.__name__} is neither a pydantic model with fields nor a dataclass."
        raise ConfigError(f"The config of {algorithm} cannot be used.", why, fix)
    try:
        if not issubclass(kind, BaseModel):
            _adapter(kind)
        secret = _secret_in(kind, set())
    except PydanticUndefinedAnnotation:  # a type that is defined later: it is looked at when it is used
        return
    except PydanticUserError as error:
        why = f"{kind.__name__}: {str(error).splitlines()[0]}"
        fix = "Use fields of plain types: numbers, texts, lists, mappings, and models of these."
        raise ConfigError(f"The config of {algorithm} cannot be used.", why, fix) from error
    if secret is not None:
        raise secret_refused(algorithm, secret)


def secret_refused(algorithm: str, path: Path) -> ConfigError:
    """Return the error that says why a config cannot hold a secret."""
    what = f"The config field {'.'.join(path)!r} of {algorithm} is a secret."
    why = "Configs are stored and shown as plain text, so the training would get '**********' instead of it."
    fix = (
        "Let the config name an environment variable, such as token_variable: str = 'HF_TOKEN', "
        "and read os.environ in the train function."
    )
    return ConfigError(what, why, fix)


def fields_by_name(config: ConfigType | None) -> Mapping[str, FieldInfo]:
    """Return the fields that a config can give, by their own names."""
    if config is None:
        return {}
    if issubclass(config, BaseModel):
        return config.model_fields
    hints = get_type_hints(config, include_extras=True)
    return {
        each.name: _field_info(hints[each.name], each) for each in dataclasses.fields(config) if each.init
    }


def list_names(name: str, info: FieldInfo) -> tuple[str, ...]:
    """Return all names under which a field can be given, its own first."""
    aliases: list[object] = [info.alias]
    choices = info.validation_alias
    aliases += choices.choices if isinstance(choices, AliasChoices) else [choices]
    return tuple(dict.fromkeys([name, *(each for each in aliases if isinstance(each, str))]))


def build_json_schema(config: ConfigType, **options: Any) -> dict[str, Any]:
    """Return the JSON schema of a config."""
    if issubclass(config, BaseModel):
        return config.model_json_schema(**options)
    return _adapter(config).json_schema(**options)


def validate_config(config: ConfigType, given: Mapping[str, Any]) -> Any:
    """Return the given values as an instance of the config.

    Raises:
        UnknownFieldError: A field is unknown, also one of a model within the config.
        pydantic.ValidationError: A value is refused.
    """
    computed = getattr(config, "model_computed_fields", {})  # former versions stored them
    values = {name: each for name, each in _without_foreign_scalars(given).items() if name not in computed}
    _check_names(config, values, ())
    if issubclass(config, BaseModel):
        made: Any = config.model_validate(values, by_alias=True, by_name=True)
    else:
        made = _adapter(config).validate_python(values, by_alias=True, by_name=True)
    _check_within(made, values, ())
    return made


def to_plain_config(instance: Any) -> dict[str, Any]:
    """Return an instance of a config as plain JSON values, the same in every process.

    Raises:
        ValueError: It holds what JSON cannot say.
    """
    adapter = _adapter(cast(type[Any], type(instance)))
    dumped = adapter.dump_python(instance, mode="json", by_alias=False, round_trip=True)
    plain = canonical(instance, dumped)
    return cast(dict[str, Any], json.loads(json.dumps(plain)))


def canonical(value: Any, dumped: Any) -> Any:
    """Return the JSON form of a value so that it does not depend on the process.

    Sets come in the order of their items' JSON, and fields that a model excludes from its own output are
    there, since a run needs them as well.

    Args:
        value: The value.
        dumped: What pydantic makes of it.
    """
    if isinstance(value, float) and (dumped is None or isinstance(dumped, float)):
        return value or 0.0  # NaN, where pydantic says null; and not -0.0, which equals 0.0
    if isinstance(dumped, dict):
        made = cast(dict[str, Any], dumped)
        if (own := _own_fields(value)) is not None:
            fields, derived = dict(own), _find_derived_fields(value)
            named = {
                name: canonical(fields[name], each) if name in fields else each
                for name, each in made.items()
                if name not in derived
            }
            lacking = {name: canonical(each, _jsonable(each)) for name, each in own if name not in made}
            return {**named, **lacking}
        if isinstance(value, Mapping) and len(cast(Mapping[Any, Any], value)) == len(made):
            values = cast(Mapping[Any, Any], value).values()
            return {name: canonical(each, made[name]) for name, each in zip(made, values, strict=True)}
    if isinstance(dumped, list):
        items = cast(list[Any], dumped)
        if isinstance(value, AbstractSet) and len(cast(AbstractSet[Any], value)) == len(items):
            return sorted(map(canonical, cast(AbstractSet[Any], value), items), key=_sort_key)
        if isinstance(value, (list, tuple)) and len(cast(Sequence[Any], value)) == len(items):
            return list(map(canonical, cast(Sequence[Any], value), items))
    return cast(Any, dumped)


def find_secret(instance: Any) -> Path | None:
    """Return where an instance holds a secret, whatever its fields are declared as; None without one."""
    return next((path for path, value in _leaves(instance, ()) if isinstance(value, _SECRETS)), None)


def find_difference(one: Any, other: Any, path: Path = ()) -> tuple[Path, Any, Any] | None:
    """Return where two instances differ and the two values; None if they are the same.

    Lists and tuples with the same items are the same: JSON has one kind of them.
    """
    ours, theirs = _parts(one), _parts(other)
    if ours is None or theirs is None:
        return None if _equal(one, other) else (path, one, other)
    if ours.keys() != theirs.keys():
        return path, one, other
    if (dataclasses.is_dataclass(one) or isinstance(one, BaseModel)) and type(one) is not type(other):
        return path, one, other
    found = (find_difference(ours[name], theirs[name], (*path, name)) for name in ours)
    return next((each for each in found if each is not None), None)


# ---- types


@lru_cache(maxsize=64)
def _adapter(config: ConfigType) -> TypeAdapter[Any]:
    return TypeAdapter(config)


def _field_info(annotation: Any, field: dataclasses.Field[Any]) -> FieldInfo:
    if field.default is not dataclasses.MISSING:
        return FieldInfo.from_annotated_attribute(annotation, field.default)
    if field.default_factory is not dataclasses.MISSING:
        default: Any = FieldInfo(default_factory=field.default_factory)
        return FieldInfo.from_annotated_attribute(annotation, default)
    return FieldInfo.from_annotation(annotation)


def _secret_in(annotation: Any, seen: set[int], path: Path = ()) -> Path | None:
    """Return the path of the first field whose type holds a secret."""
    for each in (annotation, get_origin(annotation)):
        if isinstance(each, type) and issubclass(each, _SECRETS):
            return path
    if id(annotation) in seen:
        return None
    seen.add(id(annotation))
    inner: list[tuple[Path, Any]] = [(path, each) for each in get_args(annotation)]
    inner += [(path, getattr(annotation, "__value__", None))]  # of `type X = ...`
    if isinstance(annotation, type):
        inner += [((*path, name), each) for name, each in _annotations(annotation).items()]
    found = (_secret_in(each, seen, where) for where, each in inner if each is not None)
    return next((each for each in found if each is not None), None)


def _annotations(kind: type[Any]) -> Mapping[str, Any]:
    if issubclass(kind, BaseModel):
        return {name: info.annotation for name, info in kind.model_fields.items()}
    if dataclasses.is_dataclass(kind) or hasattr(kind, "__total__") or hasattr(kind, "_fields"):
        try:
            return get_type_hints(kind)
        except NameError:
            return {}
    return {}


def _is_root_type(kind: type[Any]) -> bool:
    return issubclass(kind, RootModel)


# ---- values


def _is_dataclass(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _is_set(value: object) -> bool:
    return isinstance(value, AbstractSet)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _own_fields(value: Any) -> list[tuple[str, Any]] | None:
    """Return the fields of a model or a dataclass that it can be made from; None of anything else."""
    if isinstance(value, BaseModel) and not _is_root_type(type(value)):
        extra = value.__pydantic_extra__ or {}
        return [(name, getattr(value, name)) for name in (*type(value).model_fields, *extra)]
    if _is_dataclass(value):
        return [
            (each.name, getattr(value, each.name))
            for each in dataclasses.fields(value)
            if each.init and hasattr(value, each.name)
        ]
    return None


def _find_derived_fields(value: Any) -> frozenset[str]:
    """Return the fields of a dataclass that it fills in itself."""
    if not _is_dataclass(value):
        return frozenset()
    return frozenset(each.name for each in dataclasses.fields(value) if not each.init)


def _parts(value: Any) -> dict[str, Any] | None:
    """Return the parts of a value, by name or number; None for a value without parts."""
    if (own := _own_fields(value)) is not None:
        return dict(own)
    if _is_root_type(cast(type[Any], type(value))):
        return {"root": value.root}
    if isinstance(value, Mapping):
        return {format_value(name): each for name, each in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return {str(at): each for at, each in enumerate(cast(Sequence[Any], value))}
    return None


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    parts = _parts(value)
    if parts is None and isinstance(value, AbstractSet):
        parts = {str(at): each for at, each in enumerate(cast(AbstractSet[Any], value))}
    if parts is None:
        yield path, value
        return
    for name, each in parts.items():
        yield from _leaves(each, (*path, name))


def _equal(one: Any, other: Any) -> bool:
    if _is_nan(one) and _is_nan(other):
        return True
    try:
        if bool(one == other):
            return True
    except Exception:  # noqa: BLE001  arrays and what else has no truth value: their JSON was the same
        return True
    if _is_set(one) and _is_set(other):
        return sorted(map(repr, one)) == sorted(map(repr, other))  # NaN, and what compares by identity
    by_identity = type(one) is type(other) and type(one).__eq__ is object.__eq__
    return by_identity and hasattr(one, "__dict__") and find_difference(one.__dict__, other.__dict__) is None


def _jsonable(value: Any) -> Any:
    return to_jsonable_python(value, by_alias=False, inf_nan_mode="constants")


def _sort_key(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _without_foreign_scalars(value: Any) -> Any:
    """Return a value with numpy's and tensors' scalars as Python's own, also within lists and mappings."""
    if isinstance(value, dict):
        pairs = cast(dict[Any, Any], value).items()
        return {to_scalar(name): _without_foreign_scalars(each) for name, each in pairs}
    if isinstance(value, Mapping):
        return _without_foreign_scalars(dict(cast(Mapping[Any, Any], value)))
    if type(value) in {list, tuple, set, frozenset}:
        return type(value)(map(_without_foreign_scalars, value))
    return to_scalar(value)


# ---- names of fields


def _check_names(kind: type[Any], given: Mapping[str, Any], path: Path) -> None:
    fields = fields_by_name(kind)
    known = {each for name, info in fields.items() for each in list_names(name, info)}
    unknown = [name for name in given if name not in known]
    if unknown and _extra(kind) != "allow":
        raise UnknownFieldError((*path, str(unknown[0])), sorted(fields))


def _check_within(value: Any, given: Any, path: Path) -> None:
    """Check the names of fields in the models within a config; pydantic ignores unknown ones."""
    own = _own_fields(value)
    if own is not None and isinstance(given, Mapping):
        named = cast(Mapping[str, Any], given)
        kind = cast(type[Any], type(value))
        if path and not _rearranges(kind):
            _check_names(kind, named, path)
        infos = fields_by_name(kind)
        for name, each in own:
            spellings = list_names(name, infos[name]) if name in infos else (name,)
            for spelling in spellings:
                if spelling in named:
                    _check_within(each, named[spelling], (*path, name))
    elif isinstance(value, Mapping) and isinstance(given, Mapping):
        _check_mapping(cast(Mapping[Any, Any], value), cast(Mapping[Any, Any], given), path)
    elif isinstance(value, (list, tuple)) and isinstance(given, (list, tuple)):
        pairs = zip(cast(Sequence[Any], value), cast(Sequence[Any], given), strict=False)
        for at, (each, theirs) in enumerate(pairs):
            _check_within(each, theirs, (*path, str(at)))


def _check_mapping(value: Mapping[Any, Any], given: Mapping[Any, Any], path: Path) -> None:
    if len(value) < len(given):  # a TypedDict, which drops what it does not know
        lost = [name for name in given if name not in value]
        if lost:
            raise UnknownFieldError((*path, str(lost[0])), sorted(map(str, value)))
    for (name, each), theirs in zip(value.items(), given.values(), strict=False):
        _check_within(each, given.get(name, theirs), (*path, str(name)))


def _extra(kind: type[Any]) -> object:
    for settings in ("model_config", "__pydantic_config__"):
        found: Mapping[str, Any] | None = getattr(kind, settings, None)
        if found:
            return found.get("extra")
    return None


def _rearranges(kind: type[Any]) -> bool:
    """Return whether a model's own validator sees the values first, and so may know other names."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    validators: Mapping[str, Any] = getattr(decorators, "model_validators", {})
    return any(each.info.mode != "after" for each in validators.values())
