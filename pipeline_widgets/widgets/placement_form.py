"""The fields of a form for the launcher and the resources of runs, and what was typed into them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline_widgets.algorithms.config_schema import FormField, Kind
from pipeline_widgets.domain.resources import (
    DEFAULT_PLACEMENT,
    Placement,
    Resources,
    format_memory,
    format_time,
    parse_launcher,
)
from pipeline_widgets.errors import ConfigError, PipelineError, format_value
from pipeline_widgets.execution.launchers import find_launcher
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode

LAUNCHER, OPTIONS = "launcher", "options"


def _field(name: str, label: str, description: str, kind: Kind = Kind.TEXT) -> FormField:
    return FormField(name=name, label=label, kind=kind, required=False, description=description)


FIELDS: Final = (
    _field(LAUNCHER, "Launcher", "Such as local, slurm, ray://HOST or ssh://USER@HOST."),
    _field("cpu", "CPUs", "A whole number.", Kind.WHOLE),
    _field("gpu", "GPUs", "A whole number.", Kind.WHOLE),
    _field("memory", "Memory", "Bytes, or with a unit, such as 24 GiB."),
    _field("time", "Time limit", "Seconds, or with a unit, such as 90 min or 2 h."),
    _field(OPTIONS, "Engine options", 'Such as {"partition": "a100"}.', Kind.JSON),
)
_WRITTEN: Final[Mapping[str, Callable[[Any], str]]] = {"memory": format_memory, "time": format_time}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementResult:
    """What the fields say, and what is wrong with them, by field."""

    placement: Placement
    errors: Mapping[str, str] = field(default_factory=dict[str, str])


def placement_rows(placement: Placement) -> list[Row]:
    """Return the fields with what is typed into them at first; empty ones are left to what stands above."""
    texts = _texts(placement)
    return [{**encode(each), "value": texts.get(each.name, "")} for each in FIELDS]


def parse_placement(typed: Mapping[str, str]) -> PlacementResult:
    """Read what was typed, by field. Where all resources are empty, these are left to what stands above."""
    asked: dict[str, Any] = {}
    errors: dict[str, str] = {}
    launcher = None
    for each in FIELDS:
        text = typed.get(each.name, "").strip()
        if not text:
            continue
        try:
            if each.name == LAUNCHER:
                launcher = parse_launcher(text)
                find_launcher(text)
            else:
                read = _read(each, text)
                Resources.parse(read)
                asked.update(read)
        except PipelineError as error:
            errors[each.name] = str(error)
    if errors:
        return PlacementResult(placement=DEFAULT_PLACEMENT, errors=errors)
    resources = Resources.parse(asked) if asked else None
    return PlacementResult(placement=Placement(launcher=launcher, resources=resources))


def _read(of: FormField, text: str) -> dict[str, Any]:
    """Return what was typed into a field as `resources={...}` has it."""
    if of.name != OPTIONS:
        return {of.name: int(text) if text.isdecimal() else text}
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        what = f"{format_value(text)} is not a JSON object."
        raise ConfigError(what, fix='Write the options by name, such as {"partition": "a100"}.')
    own = [each.name for each in FIELDS if each.name in options]
    if own:
        raise ConfigError(
            f"{own[0]!r} is not an option of an engine.", fix="Type it into the field of that name."
        )
    return options


def _texts(placement: Placement) -> dict[str, str]:
    asked = placement.resources or Resources()
    texts = {LAUNCHER: placement.launcher or ""}
    for each in FIELDS[1:-1]:
        value = getattr(asked, each.name)
        texts[each.name] = "" if value is None else _WRITTEN.get(each.name, str)(value)
    texts[OPTIONS] = json.dumps(dict(asked.options), ensure_ascii=False) if asked.options else ""
    return texts
