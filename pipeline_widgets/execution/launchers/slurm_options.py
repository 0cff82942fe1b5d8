"""Options of Slurm: the launcher's name and a run's resources, as arguments of sbatch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from pipeline_widgets.domain.resources import Option, Resources
from pipeline_widgets.errors import ConfigError, ExecutionError, format_value

#: Seconds before its time limit at which a training is asked to stop, so that it can save.
WARNING = 60
LONGEST_WARNING = 65_535  # sbatch takes no more
#: Options that sbatch takes as they are, under the same name.
_TEXTS = (
    "account",
    "constraint",
    "exclude",
    "gres",
    "licenses",
    "nodelist",
    "partition",
    "qos",
    "reservation",
)
_SWITCHES = ("exclusive", "requeue")
_NUMBERS = ("nice", "warning")
OPTIONS = tuple(sorted((*_TEXTS, *_SWITCHES, *_NUMBERS, "gpu_type")))
_FIELDS = ("cpu", "gpu", "memory", "time")

# One printable word. It is one argument of a command, which no shell reads.
_WORD = re.compile(r"[!-~]{1,256}")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmName:
    """A launcher's name, taken apart."""

    #: What every job asks for whose run does not say otherwise.
    defaults: Resources
    #: The interpreter of the jobs; None for that of this process.
    python: str | None = None


def read_name(name: str) -> SlurmName:
    """Read a launcher's name, such as "slurm" or "slurm://?partition=gpu&account=lab".

    Raises:
        ExecutionError: It is not one.
    """
    what = f"{format_value(name)} is not the name of a launcher for Slurm."
    fix = 'Write "slurm", or options of its jobs: "slurm://?partition=gpu&account=lab".'
    scheme, _, rest = name.partition(":")
    try:
        parts = urlsplit(f"slurm:{rest}")
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError as error:
        raise ExecutionError(what, f"{error}.", fix) from error
    if scheme != "slurm" or parts.netloc or parts.path or parts.fragment:
        where = "Its commands are run on this machine, so that a name holds no host. " if parts.netloc else ""
        raise ExecutionError(what, where.rstrip(), fix)
    given: dict[str, str | int] = dict(pairs)
    if len(given) < len(pairs):
        raise ExecutionError(what, "It gives an option twice.", fix)
    python = given.pop("python", None)
    for field in ("cpu", "gpu"):
        if str(given.get(field, "")).isdecimal():
            given[field] = int(given[field])
    try:
        defaults = Resources.parse(given)
    except ConfigError as error:
        raise ExecutionError(what, str(error), fix) from error
    check_options(defaults.options)
    if python is not None and not str(python).startswith("/"):
        raise ExecutionError(what, "The path of its Python is not a whole path.", fix)
    return SlurmName(defaults=defaults, python=None if python is None else str(python))


def check_options(options: Mapping[str, Option]) -> None:
    """Check options of a run.

    Raises:
        ExecutionError: Slurm has no such option, or it cannot have that value.
    """
    for name, value in options.items():
        if name not in OPTIONS:
            there = ", ".join((*_FIELDS, *OPTIONS))
            raise ExecutionError(
                f"A job of Slurm has no option {format_value(name)}.", fix=f"The options are: {there}."
            )
        if name in _SWITCHES:
            _read_switch(name, value)
        elif name in _NUMBERS:
            _read_number(name, value)
        else:
            _read_word(name, value)


def merge(defaults: Resources, asked: Resources) -> Resources:
    """Return what a run asks for, and for the rest what the launcher's name says."""
    fields = {
        field: getattr(defaults if getattr(asked, field) is None else asked, field) for field in _FIELDS
    }
    return Resources(**fields, options={**defaults.options, **asked.options})


def to_arguments(asked: Resources) -> list[str]:
    """Return the arguments of sbatch for a job of one process.

    Raises:
        ExecutionError: An option is unknown, or cannot have its value.
    """
    options = asked.options
    check_options(options)
    arguments = ["--nodes=1", "--ntasks=1"]
    if asked.cpu:
        arguments.append(f"--cpus-per-task={asked.cpu}")
    if asked.memory is not None:
        arguments.append(f"--mem={math.ceil(asked.memory / _MIB)}M")
    if asked.time is not None:
        arguments.append(f"--time={format_time(asked.time)}")
    if gres := _read_gres(asked):
        arguments.append(f"--gres={gres}")
    arguments += [f"--{name}={options[name]}" for name in _TEXTS if name in options and name != "gres"]
    if "nice" in options:
        arguments.append(f"--nice={_read_number('nice', options['nice'])}")
    if _read_switch("exclusive", options.get("exclusive", False)):
        arguments.append("--exclusive")
    # A run is one attempt: what Slurm would start once more is a run of its own (`retries=`).
    arguments.append(
        "--requeue" if _read_switch("requeue", options.get("requeue", False)) else "--no-requeue"
    )
    if warning := read_warning(asked):
        arguments.append(f"--signal=B:TERM@{warning}")
    return arguments


def read_warning(asked: Resources) -> int:
    """Return the seconds before its time limit at which a job is asked to stop; 0 for never."""
    warning = _read_number("warning", asked.options.get("warning", WARNING))
    return warning if asked.time is None else min(warning, int(asked.time / 4))


def format_time(seconds: float) -> str:
    """Return a time limit as sbatch reads it: days-hours:minutes:seconds."""
    minutes, second = divmod(math.ceil(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}-{hour:02}:{minute:02}:{second:02}"


def _read_gres(asked: Resources) -> str:
    gres = str(asked.options.get("gres", ""))
    kind = asked.options.get("gpu_type")
    if not asked.gpu:
        if kind is not None:
            raise ExecutionError("A type of GPU is named, but no GPU is asked for.", fix='Add "gpu": 1.')
        return gres
    if any(each.partition(":")[0] == "gpu" for each in gres.split(",")):
        raise ExecutionError("GPUs are asked for twice.", fix='Give either "gpu" or "gres".')
    named = "" if kind is None else f":{kind}"
    return ",".join(filter(None, (f"gpu{named}:{asked.gpu}", gres)))


def _read_word(name: str, value: Option) -> str:
    text = str(value)
    # Where a slash is in a list of nodes, sbatch reads a file of that name.
    if (
        isinstance(value, bool)
        or not _WORD.fullmatch(text)
        or ("/" in text and name in {"nodelist", "exclude"})
    ):
        raise _refusal(name, value, "Give a text without spaces.")
    if name == "gpu_type" and not re.fullmatch(r"[\w.-]+", text):
        raise _refusal(name, value, 'Give a type such as "a100".')
    return text


def _read_switch(name: str, value: Option) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in _TRUE | _FALSE:
        return str(value).lower() in _TRUE
    raise _refusal(name, value, "Give True or False.")


def _read_number(name: str, value: Option) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,9}", text):
        raise _refusal(name, value, "Give a whole number.")
    number = int(text)
    if name == "warning" and not 0 <= number <= LONGEST_WARNING:
        raise _refusal(name, value, f"Give seconds from 0 to {LONGEST_WARNING}.")
    return number


def _refusal(name: str, value: Option, fix: str) -> ExecutionError:
    return ExecutionError(f"The option {name!r} of a job of Slurm cannot be {format_value(value)}.", fix=fix)
