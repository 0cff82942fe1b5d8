"""The ancestors and descendants of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.artifact_words import describe_role

Kind: TypeAlias = Literal["run", "deployment", "agent"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Relative:
    """A run or an agent that a run descends from, or that descends from it."""

    kind: Kind
    #: Of the run, or of the agent.
    id: int
    #: How many runs lie between, counted from 1.
    depth: int
    #: Of the experiment, or of the agent.
    name: str
    #: Of the run, or of the agent's version.
    number: int
    #: Of the checkpoint that was handed on.
    step: int
    #: Where the run ran, as "stage 2 of pipeline 'letters'"; empty without a pipeline.
    place: str = ""
    #: What the checkpoint served as: "weights", "decoder", "resume" ...
    role: str = ""
    #: The saved Agent from which it was taken, with its version.
    by_agent: str = ""

    @property
    def label(self) -> str:
        """Its name in a sentence."""
        if self.kind == "agent":
            return f"agent {quote(self.name)}, version {self.number}"
        of = f"deployment of {quote(self.name)}" if self.kind == "deployment" else quote(self.name)
        return f"run {self.number} of {of}" + (f" ({self.place})" if self.place else "")

    @property
    def handed(self) -> str:
        """The checkpoint that was handed on, and what it served as."""
        served = f" as {describe_role(self.role)}" if self.role and self.role != "weights" else ""
        return f"step {self.step}{served}" + (f" (saved as {self.by_agent})" if self.by_agent else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """Both ways from a run, or from one of its checkpoints."""

    #: Its own label.
    of: str
    #: What it started from, and so on until something started from scratch; the nearest first.
    ancestors: tuple[Relative, ...]
    #: What started from it, was deployed or saved of it, and so on; each with its own right after it.
    descendants: tuple[Relative, ...]

    def __str__(self) -> str:
        return "\n".join(
            (
                self.of,
                *(f"{'  ' * each.depth}from {each.handed} of {each.label}" for each in self.ancestors),
                *(() if self.ancestors else ("  from scratch",)),
                *(
                    f"{'  ' * each.depth}used by {each.label}, from {each.handed}"
                    for each in self.descendants
                ),
                *(() if self.descendants else ("  not used yet",)),
            )
        )
