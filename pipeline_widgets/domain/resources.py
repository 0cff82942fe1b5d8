"""The resources that a run asks a launcher for: CPUs, GPUs, memory, time, and options of one engine."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeAlias, cast

from pipeline_widgets.errors import ConfigError, format_value

Option: TypeAlias = str | int | float | bool

#: Decimal and binary units, as people write sizes.
_PREFIXES = tuple(enumerate("kmgt", start=1))
_UNITS = {"": 1} | {p: 1000**n for n, p in _PREFIXES} | {f"{p}i": 1024**n for n, p in _PREFIXES}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?\s*", re.IGNORECASE)
_TIME_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*")
_FIELDS = ("cpu", "gpu", "memory", "time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """The resources that a run asks for; None leaves one to the launcher."""

    cpu: int | None = None
    gpu: int | None = None
    #: Bytes.
    memory: int | None = None
    #: Seconds after which an engine may end the run.
    time: float | None = None
    #: What only one engine knows, such as a partition.
    options: Mapping[str, Option] = field(default_factory=dict[str, Option])

    @classmethod
    def parse(cls, given: Mapping[str, Any] | Resources | None) -> Resources:
        """Read resources as people write them: `{"gpu": 1, "memory": "24 GiB", "partition": "a100"}`.

        Args:
            given: Numbers of CPUs and GPUs; `memory` in bytes, or with a unit; `time` in seconds, as a
                `timedelta`, or with one of the units s, min, h, d. Every other name is an option of the
                engine.

        Raises:
            ConfigError: A value is none of these.
        """
        if given is None or isinstance(given, Resources):
            return given or cls()
        if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
            what = f"Resources cannot be {format_value(cast('object', given))}."
            raise ConfigError(what, fix='Write them as {"cpu": 4, "gpu": 1, "memory": "24 GiB"}.')
        return cls(
            cpu=_count("cpu", given.get("cpu")),
            gpu=_count("gpu", given.get("gpu")),
            memory=_read_memory(given.get("memory")),
            time=_read_time(given.get("time")),
            options={name: _read_option(name, given[name]) for name in given if name not in _FIELDS},
        )

    def to_json(self) -> dict[str, Any] | None:
        """Return them as a column holds them; None where nothing is asked for."""
        asked = {name: getattr(self, name) for name in _FIELDS if getattr(self, name) is not None}
        return {**self.options, **asked} or None

    def describe(self) -> str:
        """Return the resources as people read them: "gpu 1, memory 24 GiB"."""
        formats = {"memory": format_memory, "time": format_time}
        return ", ".join(
            f"{name} {formats.get(name, str)(value)}" for name, value in (self.to_json() or {}).items()
        )

    def __bool__(self) -> bool:
        return self.to_json() is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A launcher and resources; None leaves them to the experiment or the workspace."""

    #: As a user writes it: "local", "slurm", "ssh://host".
    launcher: str | None = None
    resources: Resources | None = None

    @classmethod
    def from_row(cls, launcher: str | None, resources: Mapping[str, Any] | None) -> Placement:
        """Return what two columns hold."""
        return cls(launcher=launcher, resources=Resources.parse(resources) if resources else None)

    def to_row(self) -> dict[str, Any]:
        """Return the two columns that hold it."""
        return {"launcher": self.launcher, "resources": self.resources.to_json() if self.resources else None}

    def to_plain(self) -> dict[str, Any]:
        """Return how it is written in documents and arguments; nothing where it says nothing."""
        return {name: value for name, value in self.to_row().items() if value is not None}

    def within(self, outer: Placement) -> Placement:
        """Return it with the launcher and the resources of what stands above where it has none itself."""
        return Placement(
            launcher=self.launcher if self.launcher is not None else outer.launcher,
            resources=self.resources if self.resources is not None else outer.resources,
        )


#: Nothing is said; in the row of a run this is the machine itself.
DEFAULT_PLACEMENT = Placement()


def resolve_placement(*innermost_first: Placement) -> Placement:
    """Return where a run is launched, by its stage, its experiment and its workspace, in that order.

    On the machine itself the resources are what the run takes of the workspace's limits.
    """
    found = DEFAULT_PLACEMENT
    for each in innermost_first:
        found = found.within(each)
    return replace(found, launcher=None) if found.launcher == "local" else found


def parse_launcher(value: object) -> str | None:
    """Return the name of a launcher; None stays None. Whether there is one of that name is not checked.

    Raises:
        ConfigError: It is no text, or an empty one.
    """
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    what = f"{format_value(value)} is not the name of a launcher."
    raise ConfigError(what, fix='Use a text such as "local", "slurm" or "ssh://host".')


def parse_resources(value: object) -> Resources | None:
    """Return resources as people write them; None stays None.

    Raises:
        ConfigError: A value cannot be one.
    """
    return None if value is None else Resources.parse(cast("Mapping[str, Any]", value))


def format_memory(size: int) -> str:
    """Return a size as `Resources.parse` reads it, in the largest unit that has it exactly: "24 GiB"."""
    exact = [(factor, name) for name, factor in _UNITS.items() if name and size % factor == 0]
    if not exact:
        return str(size)
    factor, name = max(exact)
    return f"{size // factor} {name[0].upper()}{name[1:]}B"


def format_time(seconds: float) -> str:
    """Return a time as `Resources.parse` reads it, in the largest unit that has it exactly: "90 min"."""
    exact = [(factor, name) for name, factor in _TIME_UNITS.items() if seconds % factor == 0]
    factor, name = max(exact, default=(1, "s"))
    number = float(seconds / factor)
    return f"{int(number) if number.is_integer() else number} {name}"


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _refusal(name, value, "Give a whole number of at least 0.")
    return value


def _read_memory(value: object) -> int | None:
    fix = 'Give bytes, or a text such as "24 GiB".'
    if isinstance(value, str) and (read := _SIZE.fullmatch(value)) is not None:
        unit = _UNITS[read[2].lower()]
        value = round(float(read[1]) * unit) if "." in read[1] else int(read[1]) * unit
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise _refusal("memory", value, fix)
    return value


def _read_time(value: object) -> float | None:
    fix = 'Give seconds, a timedelta, or a text such as "2 h" or "90 min".'
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str) and (read := _TIME.fullmatch(value)) is not None:
        value = float(read[1]) * _TIME_UNITS[read[2]]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise _refusal("time", value, fix)
    return float(value)


def _read_option(name: object, value: object) -> Option:
    if not isinstance(name, str) or not name:
        raise _refusal("options", name, "An option has a name.")
    if not isinstance(value, (str, int, float)):
        raise _refusal(name, value, "Give a text, a number, True or False.")
    return value


def _refusal(name: str, value: object, fix: str) -> ConfigError:
    return ConfigError(f"The resource {name!r} cannot be {format_value(value)}.", fix=fix)
