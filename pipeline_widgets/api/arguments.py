"""The arguments that several handles take."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from pipeline_widgets.api.agent import Agent
from pipeline_widgets.api.handle import id_in
from pipeline_widgets.application import Services
from pipeline_widgets.domain.chain import FromAgent, Start
from pipeline_widgets.domain.stage_settings import parse_start

#: "scratch", a saved Agent, "best", "final", or a step.
StartArgument: TypeAlias = Literal["scratch", "best", "final"] | int | Agent
#: A bound for the evaluation score, or "better than deployed".
GateArgument: TypeAlias = float | Literal["better than deployed"] | None


class Unset:
    """An argument that was left out, where None has a meaning of its own."""

    def __repr__(self) -> str:
        return "as it is"


UNSET: Final = Unset()


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
