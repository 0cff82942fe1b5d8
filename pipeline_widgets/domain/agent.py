"""Agents: checkpoints saved under a name, in versions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.endpoint import Endpoint
from pipeline_widgets.errors import NotFoundError, PipelineError, RuleError


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
class AgentKey:
    """What a list of agents is sorted by."""

    id: int
    name: str
    #: The status, the experiment or the base model, by which it is sorted before the name; else empty.
    value: str


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
class VersionAnswer:
    """The answer of one version of an agent to an input that others were given as well."""

    version: AgentVersion
    #: None where it gave none.
    answer: Any
    #: Why it gave none.
    error: PipelineError | None
    #: How long it took, without opening the version.
    seconds: float


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


def find_counterpart(current: int, numbers: Collection[int]) -> int | None:
    """Return the version that one is compared with: the former one, or for the oldest the next newer one.

    Args:
        current: The number of the version.
        numbers: The numbers of all versions.
    """
    former = [each for each in numbers if each < current]
    newer = [each for each in numbers if each > current]
    return max(former) if former else min(newer, default=None)


def choose_compared(current: int, numbers: Collection[int], chosen: Collection[int] = ()) -> tuple[int, ...]:
    """Return which versions of an agent are compared, oldest first.

    Args:
        current: The number of the current version.
        numbers: The numbers of all versions.
        chosen: The versions that were asked for; by default the current one and the one before it. A single
            one is compared with the current one.

    Raises:
        NotFoundError: There is no such version.
        RuleError: There is only one version.
    """
    for number in chosen:
        if number not in numbers:
            fix = f"There are {', '.join(map(str, sorted(numbers)))}."
            raise NotFoundError(f"The agent has no version {number}.", fix=fix)
    wanted = set(chosen)
    if len(wanted) < 2:  # noqa: PLR2004
        wanted.add(current)
    if len(wanted) < 2 and (other := find_counterpart(current, numbers)) is not None:  # noqa: PLR2004
        wanted.add(other)
    if len(wanted) < 2:  # noqa: PLR2004
        what = f"Version {current} is the only one, so there is nothing to compare it with."
        raise RuleError(what, fix="Deploy another checkpoint under the same name.")
    return tuple(sorted(wanted))
