"""What the model of the rules is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Score = float | None
ACTIVE = {"Pending", "Running", "Stopping"}
ENDED = {"Succeeded", "Failed", "Stopped", "Crashed"}


@dataclass(frozen=True)
class Kind:
    """An algorithm: what it makes, takes, and which score is better."""

    makes: str
    takes: str | None
    scratch: bool
    higher: bool
    matches: bool


KINDS = {
    "SFT": Kind("lm", "lm", scratch=True, higher=True, matches=True),
    "GRPO": Kind("lm", "lm", scratch=True, higher=True, matches=True),
    "DPO": Kind("lm", "lm", scratch=False, higher=True, matches=True),
    "PPO": Kind("policy", None, scratch=True, higher=True, matches=False),
    "LOSS": Kind("lm", "lm", scratch=True, higher=False, matches=False),
}


@dataclass
class Experiment:
    """An experiment, by what the rules ask for."""

    id: int
    name: str
    kind: str
    config: tuple[Any, ...]

    @property
    def base(self) -> str | None:
        """The facet that has to agree."""
        return self.config[1]


@dataclass(frozen=True)
class Stage:
    """The settings of a stage. `start` of a Deployment is the choice of its checkpoint."""

    id: int
    experiment: int | None
    trigger: Literal["manual", "auto"]
    start: tuple[str, Any]  # ("scratch", None), ("agent", id), ("source", "best" | "final" | step)
    gate: tuple[str, float] | None = None  # ("at least", score), ("better", 0)
    agent_name: str = ""
    auto_add: bool = False

    @property
    def deploys(self) -> bool:
        """Whether it is a Deployment."""
        return self.experiment is None


@dataclass
class Mark:
    """What is kept with a stage beside its settings."""

    #: The run that was the latest when it was held: a later one of the stage ends that. 0: it is not held.
    held: int = 0
    accepted: tuple[int, Any] | None = None


@dataclass
class Run:
    """A run."""

    id: int
    stage: int | None
    pipeline: int | None
    experiment: int | None
    status: str = "Pending"
    config: tuple[Any, ...] | None = None
    start: int | None = None
    start_role: str | None = None
    source: int | None = None
    resumed: int | None = None
    agent_name: str = ""


@dataclass
class Checkpoint:
    """A checkpoint."""

    id: int
    run: int
    step: int
    evaluation: Score
    training: Score
    content: str
    base: str | None


@dataclass
class Agent:
    """An agent: the checkpoints of its versions."""

    id: int
    name: str
    versions: list[int] = field(default_factory=list[int])
    current: int = 0

    @property
    def checkpoint(self) -> int:
        """The checkpoint of its current version."""
        return self.versions[self.current]


@dataclass
class Undo:
    """What an undo puts back."""

    name: str
    description: str
    stages: list[Stage]
    runs: dict[int, list[int]]
    last_run: int
    marks: dict[int, Mark]


@dataclass
class Pipeline:
    """A pipeline."""

    id: int
    name: str
    description: str = ""
    stages: list[Stage] = field(default_factory=list[Stage])
    edition: int = 0  # raised by each edit
    text_edition: int = 0  # the edition that its name and description are of
    undos: list[Undo] = field(default_factory=list[Undo])  # of its edits, the last one last
    redos: list[Undo] = field(default_factory=list[Undo])


@dataclass(frozen=True)
class Start:
    """What a run would start from."""

    checkpoint: int | None = None
    role: str | None = None
    source: int | None = None
    resumed: int | None = None
