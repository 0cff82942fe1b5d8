"""Settings of a stage, alike in YAML, forms, arguments and rows, and their sentences.

A trigger is "manual" or "auto". A choice of a checkpoint is "best", "final" or a step. A start is "scratch",
`{"agent": ...}` or such a choice. A gate is None, a number or "better than deployed".
"""

from __future__ import annotations

import math
from contextlib import suppress
from numbers import Real
from operator import index
from typing import Any

from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    DeploymentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Gate,
    ScoreAtLeast,
    Stage,
    Start,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import LAST_STEP, Choice
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.errors import ConfigError, format_value

SCRATCH = "scratch"
MOST_RETRIES = 100  # of a run that crashes
BETTER = "better than deployed"


def parse_trigger(value: object) -> Trigger:
    """Return the trigger that is written so.

    Raises:
        ConfigError: It is neither "manual" nor "auto".
    """
    with suppress(ValueError, TypeError):
        return Trigger(value)  # pyright: ignore[reportArgumentType]  what is not a text is refused
    raise ConfigError(f"{format_value(value)} is not a trigger.", fix='Use "manual" or "auto".')


def parse_choice(value: object) -> Choice:
    """Return the choice of a checkpoint that is written so; integers may be numpy's.

    Raises:
        ConfigError: It is not "best", "final" or a step.
    """
    if isinstance(value, str) and value in {"best", "final"}:
        return value  # pyright: ignore[reportReturnType]  as the set says
    with suppress(TypeError):
        step = index(value)  # pyright: ignore[reportArgumentType]  what is not an integer is refused
        if not isinstance(value, bool) and 0 <= step <= LAST_STEP:
            return step
    raise ConfigError(f"{format_value(value)} is not a checkpoint.", fix='Use "best", "final" or a step.')


def parse_start(value: object) -> FromScratch | FromSource:
    """Return the start that is written so; a saved Agent is named in its own way by each caller.

    Raises:
        ConfigError: It is not "scratch", "best", "final" or a step.
    """
    if isinstance(value, str) and value == SCRATCH:
        return FromScratch()
    with suppress(ConfigError):
        return FromSource(parse_choice(value))
    fix = 'Use "scratch" or a saved Agent for the first stage; "best", "final" or a step for later ones.'
    raise ConfigError(f"{format_value(value)} is not a start.", fix=fix)


def parse_gate(value: object) -> Gate | None:
    """Return the gate that is written so; None stays None, and numbers may be numpy's.

    Raises:
        ConfigError: It is neither a number nor "better than deployed".
    """
    if value is None:
        return None
    if isinstance(value, str) and value == BETTER:
        return BetterThanDeployed()
    with suppress(OverflowError):  # an integer beyond all floats
        if not isinstance(value, bool) and isinstance(value, Real) and not math.isnan(value):
            return ScoreAtLeast(float(value))
    raise ConfigError(f"{format_value(value)} is not a gate.", fix=f'Use a number, or "{BETTER}".')


def parse_retries(value: object) -> int:
    """Return the number of retries that is written so; integers may be numpy's.

    Raises:
        ConfigError: It is not a whole number from 0 to 100.
    """
    with suppress(TypeError):
        retries = index(value)  # pyright: ignore[reportArgumentType]  what is not an integer is refused
        if not isinstance(value, bool) and 0 <= retries <= MOST_RETRIES:
            return retries
    fix = f"Use a whole number from 0 to {MOST_RETRIES}."
    raise ConfigError(f"{format_value(value)} is not a number of retries.", fix=fix)


def choice_from_text(value: object) -> object:
    """Return a step that was kept as text as the number that it is, and anything else unchanged."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def start_to_plain(start: Start, agent: Any = None) -> Any:
    """Return how a start is written.

    Args:
        start: The start.
        agent: What stands for the saved Agent; its id by default.
    """
    match start:
        case FromScratch():
            return SCRATCH
        case FromAgent(agent_id):
            return {"agent": agent_id if agent is None else agent}
        case FromSource(choice):
            return choice


def gate_to_plain(gate: Gate | None) -> float | str | None:
    """Return how a gate is written."""
    match gate:
        case ScoreAtLeast(score):
            return score
        case BetterThanDeployed():
            return BETTER
        case None:
            return None


def is_left_out(value: object) -> bool:
    """Return whether a setting is empty in this form: no gate, no description, not added to Agents."""
    return value is None or value is False or value == ""


def settings_to_plain(stage: Stage, agent: str | None = None) -> dict[str, Any]:
    """Return the settings of a stage, without the experiment that it runs or the agent that it deploys.

    Args:
        stage: The stage.
        agent: The name of the saved Agent that it starts from; its id stands there by default.
    """
    common = {"trigger": stage.trigger.value, "gate": gate_to_plain(stage.gate)}
    if isinstance(stage, DeploymentStage):
        return {"checkpoint": stage.choice, "description": stage.agent_description, **common}
    start = start_to_plain(stage.start, agent)
    retries = {"retries": stage.retries} if stage.retries else {}
    placed = stage.placement.to_plain()
    return {"start": start, "auto_add_agent": stage.auto_add_agent, **common, **retries, **placed}


def describe_settings(stage: Stage, *, source: str, before: str, condition: str) -> tuple[str, ...]:
    """Describe the settings of a stage, one sentence each.

    Args:
        stage: The stage.
        source: How sentences name its source stage.
        before: How they name the previous stage, whose success starts an Auto stage.
        condition: What its gate asks for, as the end of a sentence; empty without a gate.
    """
    if stage.trigger is Trigger.AUTO:
        trigger = f"Auto: starts when {before} succeeds{condition and f', {condition}'}."
    else:
        trigger = "Manual: runs only when triggered."
    if isinstance(stage, DeploymentStage):
        deploys = f"Deploys {_describe_choice(stage.choice)} of {source}."
        return (deploys, trigger, *filter(None, [stage.agent_description]))
    added = "Its best checkpoint is added to Agents when it is complete." if stage.auto_add_agent else ""
    retried, placed = _describe_retries(stage.retries), describe_placement(stage.placement)
    return (_describe_start(stage.start, source), trigger, *filter(None, [retried, placed, added]))


def describe_placement(placement: Placement) -> str:
    """Return where runs are launched and with which resources, in a sentence; empty without a setting."""
    listed = placement.resources.describe() if placement.resources else ""
    if placement.launcher is None:
        return f"Asks its launcher for {listed}." if listed else ""
    return f"Launched by {placement.launcher}{listed and f', with {listed}'}."


def _describe_retries(retries: int) -> str:
    if not retries:
        return ""
    often = "once" if retries == 1 else f"up to {retries} times"
    return f"A run that crashes is retried {often}, from its last checkpoint."


def _describe_start(start: Start, source: str) -> str:
    match start:
        case FromScratch():
            return "Starts from scratch."
        case FromAgent():
            return "Starts from a saved Agent."
        case FromSource(choice):
            return f"Starts from {_describe_choice(choice)} of {source}."


def _describe_choice(choice: Choice) -> str:
    return f"the {choice} checkpoint" if isinstance(choice, str) else f"the checkpoint of step {choice}"
