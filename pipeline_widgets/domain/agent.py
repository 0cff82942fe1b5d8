"""Agents: checkpoints saved under a name, in versions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.endpoint import Endpoint


class AgentStatus(StrEnum):
    """Whether an agent is connected, that is served over HTTP."""

    UNDEPLOYED = "Undeployed"
    PENDING = "Pending"
    DEPLOYED = "Deployed"
    FAILED = "Failed"

    @property
    def is_connected(self) -> bool:
        """Whether it is served, or is about to be."""
        return self in CONNECTED_STATUSES


CONNECTED_STATUSES = frozenset({AgentStatus.PENDING, AgentStatus.DEPLOYED})
#: What needs a person most comes first.
AGENT_STATUSES_BY_URGENCY = (
    AgentStatus.FAILED,
    AgentStatus.PENDING,
    AgentStatus.DEPLOYED,
    AgentStatus.UNDEPLOYED,
)


#: The facet of a checkpoint's signature that names the model it was trained from.
BASE_MODEL = "base_model"


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSummary:
    """What a list of agents is sorted and searched by."""

    id: int
    name: str
    status: AgentStatus
    #: The experiment that its current version is of.
    experiment: str
    #: None where the checkpoint of its current version tells of none.
    base_model: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentVersion:
    """A frozen copy of a checkpoint, saved as the nth version of an agent."""

    id: int
    agent_id: int
    number: int
    checkpoint: Checkpoint
    experiment: str
    #: The frozen copy; `checkpoint.path` is the original.
    path: str
    algorithm_id: int
    spec: AlgorithmSpec
    created_at: datetime
    #: The run that made it: a deployment, or a training that added it; None if a person did.
    run_id: int | None = None
    #: Of the copy, which may leave out files of the checkpoint; None where it is the whole checkpoint.
    copy_digest: str | None = None
    copy_size: int | None = None

    @property
    def digest(self) -> str:
        """The digest of the frozen copy."""
        return self.copy_digest or self.checkpoint.digest

    @property
    def size(self) -> int:
        """The size of the frozen copy, in bytes."""
        return self.checkpoint.size if self.copy_size is None else self.copy_size

    def as_checkpoint(self) -> Checkpoint:
        """Return the checkpoint, with the files of the frozen copy."""
        return replace(self.checkpoint, path=self.path, digest=self.digest, size=self.size)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedVersion:
    """The version that a Deployment has given its agent."""

    agent_id: int
    version: int
    #: The version that was current before; None for a new agent.
    former: int | None
    #: Seconds within which its endpoint has to answer with it.
    load_within: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """A checkpoint saved under a name."""

    id: int
    name: str
    description: str
    status: AgentStatus
    created_at: datetime
    current: AgentVersion
    #: None as long as it was never connected and has no key.
    endpoint: Endpoint | None = None
    #: Raised by every edit; which copy is current, `current` tells.
    version: int = 1

    @property
    def deletion_blocker(self) -> str:
        """Why it cannot be deleted as long as it is connected; empty where it is not."""
        return f"It is {self.status.lower()}." if self.status.is_connected else ""
