"""What users write, as values of the domain."""

from __future__ import annotations

import math
from contextlib import suppress
from numbers import Real
from operator import index
from typing import Any, Final, Literal, TypeAlias

from pipeline_widgets.api.agent import Agent
from pipeline_widgets.api.handle import id_in
from pipeline_widgets.application import Services
from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    FromAgent,
    FromScratch,
    FromSource,
    Gate,
    ScoreAtLeast,
    Start,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import LAST_STEP, Choice
from pipeline_widgets.errors import ConfigError, format_value

#: "scratch", a saved Agent, "best", "final", or a step.
StartArgument: TypeAlias = Literal["scratch", "best", "final"] | int | Agent
#: A bound for the evaluation score, or "better than deployed".
GateArgument: TypeAlias = float | Literal["better than deployed"] | None


class Unset:
    """An argument that was left out, where None has a meaning of its own."""

    def __repr__(self) -> str:
        return "as it is"


UNSET: Final = Unset()


def trigger(value: str) -> Trigger:
    """Return "manual" or "auto" as a value.

    Args:
        value: What a caller passed.

    Raises:
        ConfigError: It is neither.
    """
    try:
        return Trigger(value)
    except ValueError as error:
        what = f"{format_value(value)} is not a trigger."
        raise ConfigError(what, fix='Use trigger="manual" or trigger="auto".') from error


def choice(value: Any) -> Choice:
    """Return "best", "final" or a step as a value.

    Args:
        value: What a caller passed.

    Raises:
        ConfigError: It is none of them.
    """
    if value == "best" or value == "final":  # noqa: PLR1714  users pass anything, also what has no hash
        return value
    with suppress(TypeError):
        if not isinstance(value, bool) and 0 <= index(value) <= LAST_STEP:
            return index(value)  # numpy's integers are welcome
    raise ConfigError(f"{format_value(value)} chooses no checkpoint.", fix='Use "best", "final" or a step.')


def start(services: Services, value: StartArgument | None) -> Start | None:
    """Return where a stage starts as a value; None stays None.

    Args:
        services: The workspace that an agent has to belong to.
        value: What a caller passed.

    Raises:
        ConfigError: It is not a start.
        ForeignError: The agent is of another workspace.
    """
    if value is None:
        return None
    if isinstance(value, Agent):
        return FromAgent(id_in(services, value, Agent))
    return FromScratch() if value == "scratch" else FromSource(choice(value))


def gate(value: GateArgument) -> Gate | None:
    """Return a gate as a value; None stays None.

    Args:
        value: What a caller passed.

    Raises:
        ConfigError: It is not a gate.
    """
    if value is None:
        return None
    if value == "better than deployed":
        return BetterThanDeployed()
    with suppress(OverflowError):  # an integer beyond all floats
        if isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
            return ScoreAtLeast(float(value))
    raise ConfigError(f"{format_value(value)} is not a gate.", fix='Use a number, or "better than deployed".')
