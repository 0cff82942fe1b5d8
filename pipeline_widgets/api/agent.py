"""Agents: checkpoints saved under a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline_widgets.api.handle import Handle
from pipeline_widgets.api.listing import Listing
from pipeline_widgets.api.run import Checkpoint
from pipeline_widgets.domain import experiment as values
from pipeline_widgets.domain.experiment import AgentStatus
from pipeline_widgets.execution.prediction import predictor
from pipeline_widgets.wiring import Services


class Agent(Handle):
    """A frozen copy of a checkpoint under a name, in versions."""

    kind = "agent"
    listed = "ws.agents"

    def __init__(self, services: Services, id_: int) -> None:
        super().__init__(services, id_)
        self._opened: tuple[int, Callable[[Any], Any]] | None = None

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, version={self._now.current.number})"

    @property
    def name(self) -> str:
        """Its name, unique in the workspace."""
        return self._now.name

    @property
    def description(self) -> str:
        """What it is for."""
        return self._now.description

    @property
    def status(self) -> AgentStatus:
        """Undeployed as long as it is not connected, that is served over HTTP."""
        return self._now.status

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that its current version is a copy of."""
        return Checkpoint(self._services, self._now.current.checkpoint)

    @property
    def experiment(self) -> str:
        """The name of the experiment that made the current version."""
        return self._now.current.experiment

    @property
    def version(self) -> int:
        """The number of the current version."""
        return self._now.current.number

    @property
    def versions(self) -> Listing[AgentVersion]:
        """All versions, oldest first."""
        found = self._services.agents.versions(self._id)
        return Listing("version", (AgentVersion(self._services, each) for each in found))

    def predict(self, x: Any) -> Any:
        """Answer in this process: an action, a text or a value, as its algorithm declares.

        Raises:
            AlgorithmNotFoundError: The algorithm's code is gone, or declares no predictor.
            CheckpointError: The frozen copy is missing or corrupt.
            PipelineError: The algorithm refuses `x`.
        """
        current = self._now.current
        if self._opened is None or self._opened[0] != current.id:
            self._opened = (current.id, predictor(current, self._services.agents.reference(current)))
        return self._opened[1](x)

    def rollback(self, number: int) -> None:
        """Make a former version the current one.

        Raises:
            NotFoundError: There is no such version.
        """
        self._services.agents.rollback(self._id, number)

    def delete(self) -> None:
        """Delete it; the checkpoints that it was made of stay.

        Raises:
            InUseError: A stage starts from it.
        """
        self._services.agents.delete(self._id)

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        value = self._now
        return {
            "name": value.name,
            "description": value.description,
            "experiment": value.current.experiment,
            "version": value.current.number,
            "step": value.current.checkpoint.step,
            "evaluation_score": value.current.checkpoint.evaluation_score,
            "status": str(value.status),
        }

    @property
    def _now(self) -> values.Agent:
        return self._services.agents.get(self._id)


class AgentVersion:
    """One version of an agent."""

    def __init__(self, services: Services, value: values.AgentVersion) -> None:
        self._services = services
        self._value = value

    def __repr__(self) -> str:
        return f"AgentVersion(number={self.number}, step={self.checkpoint.step})"

    @property
    def number(self) -> int:
        """Counted from 1."""
        return self._value.number

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that it is a copy of."""
        return Checkpoint(self._services, self._value.checkpoint)

    @property
    def experiment(self) -> str:
        """The name of the experiment that made it."""
        return self._value.experiment

    @property
    def created_at(self) -> datetime:
        """When it was saved, in UTC."""
        return self._value.created_at

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {
            "number": self.number,
            "experiment": self.experiment,
            "step": self.checkpoint.step,
            "evaluation_score": self.checkpoint.evaluation_score,
            "created_at": self.created_at,
        }


def agents(services: Services) -> Listing[Agent]:
    """Return a listing of all agents."""
    return Listing("agent", (Agent(services, each.id) for each in services.agents.all()))
