"""The arguments that several handles take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from pipeline_widgets.api.agent import Agent
from pipeline_widgets.api.handle import id_in
from pipeline_widgets.application import Services
from pipeline_widgets.domain.chain import FromAgent, Start
from pipeline_widgets.domain.resources import Placement, Resources, parse_launcher, parse_resources
from pipeline_widgets.domain.stage_settings import parse_start
from pipeline_widgets.execution.launchers import find_launcher

#: "scratch", a saved Agent, "best", "final", or a step.
StartArgument: TypeAlias = Literal["scratch", "best", "final"] | int | Agent
#: A bound for the evaluation score, or "better than deployed".
GateArgument: TypeAlias = float | Literal["better than deployed"] | None


class Unset:
    """An argument that was left out, where None has a meaning of its own."""

    def __repr__(self) -> str:
        return "as it is"


UNSET: Final = Unset()


#: What a run asks its launcher for, such as `{"gpu": 1, "memory": "24 GiB"}`.
ResourcesArgument: TypeAlias = Mapping[str, Any] | Resources | None


def placement_from_arguments(
    now: Placement, launcher: str | Unset | None, resources: ResourcesArgument | Unset
) -> Placement:
    """Return where runs are launched, and with which resources, after what a caller passed.

    Args:
        now: What there is, which stays where an argument was left out.
        launcher: The name of a launcher; None leaves it to what stands above.
        resources: The resources; None leaves them to what stands above.

    Raises:
        ConfigError: A value cannot be one.
        ExecutionError: There is no launcher of that name, or what it needs is not installed.
    """
    if not isinstance(launcher, Unset):
        now = replace(now, launcher=parse_launcher(launcher))
        if now.launcher is not None:
            find_launcher(now.launcher)
    return now if isinstance(resources, Unset) else replace(now, resources=parse_resources(resources))


def start_from_argument(services: Services, value: StartArgument | None) -> Start | None:
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
    return FromAgent(id_in(services, value, Agent)) if isinstance(value, Agent) else parse_start(value)
