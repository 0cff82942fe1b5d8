"""Experiments, what they saved, and the agents made of it; which checkpoint is Best and which Final."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import index
from typing import Any, Literal, SupportsIndex, TypeAlias, TypeGuard

from pipeline_widgets.domain.compatibility import AlgorithmSpec, Signature
from pipeline_widgets.domain.endpoint import Endpoint
from pipeline_widgets.errors import ConfigError, NoCheckpointError, shown

#: "best", "final", or a specific step.
Choice: TypeAlias = Literal["best", "final"] | int
LAST_STEP = 2**63 - 1  # as far as a database counts
SEEDS = 2**31  # as many as every generator takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """Holds experiments and, if it is an Advanced Training project, pipelines."""

    id: int
    name: str
    advanced_training: bool
    created_at: datetime
    #: Raised by every write that changes what a view of the project shows.
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Where another process finds an algorithm: by `path` ("module:name"), or by `value`."""

    path: str | None = None
    #: What sys.path held beside the installed packages, such as the notebook's folder; as in PATH.
    root: str | None = None
    #: The algorithm itself, by cloudpickle, in base64.
    value: str | None = None
    #: The Python that made `value`, and that alone can open it, such as "cpython 3.11"; None if unknown.
    python: str | None = None
    #: The code that made what a run starts from, latest first: what it pickled can name its classes.
    earlier: tuple[Reference, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """What the reference is known by: two equal digests mean the same code."""
        made = hashlib.sha256(f"{self.path}|{self.root}|".encode())
        made.update(str(self.value).encode())  # it may be large, and is not copied once more
        return made.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """An algorithm: its declaration, and where its code is found."""

    spec: AlgorithmSpec
    reference: Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Configured(Declared):
    """An algorithm with a validated config: what an experiment is made of."""

    #: Plain JSON values, defaults filled in.
    config: Mapping[str, Any]
    signature: Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """One training configuration."""

    id: int
    project_id: int
    name: str
    algorithm_id: int
    spec: AlgorithmSpec
    config: Mapping[str, Any]
    seed: int
    config_digest: str
    created_at: datetime
    modified_at: datetime
    signature: Signature = field(default_factory=dict[str, Any])
    #: The Python under which its algorithm was defined, where that is kept by value; else None.
    python: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What a run saved at a step."""

    id: int
    run_id: int
    step: int
    path: str
    #: Bytes of all files.
    size: int
    #: Digest of the content: the same content has the same digest.
    digest: str
    created_at: datetime
    training_score: float | None = None
    evaluation_score: float | None = None
    signature: Signature = field(default_factory=dict[str, Any])


class AgentStatus(StrEnum):
    """Whether an agent is connected, that is served over HTTP."""

    UNDEPLOYED = "Undeployed"
    PENDING = "Pending"
    DEPLOYED = "Deployed"
    FAILED = "Failed"

    @property
    def connected(self) -> bool:
        """Whether it is served, or is about to be."""
        return self in CONNECTED


CONNECTED = frozenset({AgentStatus.PENDING, AgentStatus.DEPLOYED})
#: What needs a person most comes first.
AGENTS_BY_NEED = (AgentStatus.FAILED, AgentStatus.PENDING, AgentStatus.DEPLOYED, AgentStatus.UNDEPLOYED)


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

    @property
    def busy(self) -> str:
        """Why it cannot be deleted as long as it is connected; empty where it is not."""
        return f"It is {self.status.lower()}." if self.status.connected else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The checkpoint that a choice resolves to, and by what it won."""

    checkpoint: Checkpoint
    reason: str


def digest_of(config: Mapping[str, Any], seed: int) -> str:
    """Return what a config is known by, so that a change since a run can be told (spec 6.8)."""
    text = json.dumps([config, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def checked_seed(value: SupportsIndex) -> int:
    """Return a seed that can be stored and that every generator takes.

    Raises:
        ConfigError: It is no whole number from 0 to 2**31 - 1.
    """
    try:
        seed = index(value)
    except TypeError:
        seed = -1
    if not 0 <= seed < SEEDS:
        raise ConfigError(f"{shown(value)} is no seed.", fix=f"Use a whole number from 0 to {SEEDS - 1}.")
    return seed


def is_finite(score: float | None) -> TypeGuard[float]:
    """Whether a score was reported, and is no NaN or infinity."""
    return score is not None and math.isfinite(score)


def choose(checkpoints: Sequence[Checkpoint], choice: Choice, *, higher_is_better: bool) -> Chosen:
    """Resolve a choice. NaN and infinities never win; ties go to the later step.

    Best is the highest evaluation score (the lowest, where lower is better); without evaluation scores,
    the training score; without any score, the final checkpoint.

    Raises:
        NoCheckpointError: There is none at all, or none at that step.
    """
    if not checkpoints:
        raise NoCheckpointError("There is no checkpoint yet.", fix="Run the source stage first.")
    final = max(checkpoints, key=lambda c: c.step)
    if choice == "final":
        return Chosen(checkpoint=final, reason=f"final, step {final.step}")
    if choice != "best":
        return _at_step(checkpoints, choice)
    sign = 1 if higher_is_better else -1
    for name in ("evaluation_score", "training_score"):
        scored = [(sign * score, c.step, c) for c in checkpoints if is_finite(score := getattr(c, name))]
        if scored:
            _, _, best = max(scored, key=lambda each: each[:2])
            reason = f"best {name.replace('_', ' ')} {getattr(best, name):.4g}, step {best.step}"
            return Chosen(checkpoint=best, reason=reason)
    return Chosen(checkpoint=final, reason=f"no scores were reported: final, step {final.step}")


def _at_step(checkpoints: Sequence[Checkpoint], step: int) -> Chosen:
    for checkpoint in checkpoints:
        if checkpoint.step == step:
            return Chosen(checkpoint=checkpoint, reason=f"step {step}")
    steps = ", ".join(str(c.step) for c in sorted(checkpoints, key=lambda c: c.step))
    raise NoCheckpointError(f"There is no checkpoint at step {step}.", fix=f"There are {steps}.")
