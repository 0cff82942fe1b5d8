"""The ancestors and descendants of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
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
    #: Where the run ran, and what it trained; None without one.
    pipeline_id: int | None = None
    stage_id: int | None = None
    experiment_id: int | None = None

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
    """Both ways from a run, from one of its checkpoints, or from a version of an agent."""

    #: Its own label.
    of: str
    #: The run or the agent itself; its step counts for nothing.
    subject: Relative
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


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageNode:
    """A run or an agent, with its place in a graph from left to right."""

    relative: Relative
    #: Counted from 0: what is handed on goes from one column to the next.
    column: int
    #: Counted from 0: what has several descendants has the first in its own row.
    row: int
    #: The place in the list of the node that a checkpoint came from; None at the beginning.
    parent: int | None
    #: The step of that checkpoint, and what it served as; empty at the beginning.
    handed: str = ""
    #: Whether it is the run whose lineage this is.
    is_subject: bool = False


def lay_out(lineage: Lineage, most: int) -> tuple[LineageNode, ...]:
    """Place the relatives of a run in a graph: its ancestors on its left, its descendants on its right.

    Args:
        lineage: The lineage.
        most: How many nodes there are at most; the furthest ancestors and the last descendants are left out.

    Returns:
        The nodes; each comes after the one that it descends from.
    """
    ancestors = list(reversed(lineage.ancestors[: max(0, most - 1)]))
    nodes = [
        LineageNode(
            relative=each,
            column=at,
            row=0,
            parent=at - 1 if at else None,
            handed=ancestors[at - 1].handed if at else "",
        )
        for at, each in enumerate(ancestors)
    ]
    own = len(nodes)
    nodes.append(
        LineageNode(
            relative=lineage.subject,
            column=own,
            row=0,
            parent=own - 1 if own else None,
            handed=ancestors[-1].handed if ancestors else "",
            is_subject=True,
        )
    )
    return (*nodes, *_lay_out_descendants(lineage.descendants[: most - len(nodes)], own))


def _lay_out_descendants(descendants: Sequence[Relative], root: int) -> list[LineageNode]:
    """Place descendants below the node at `root`, whose own row is the first."""
    found: list[LineageNode] = []
    above: list[tuple[int, int]] = [(root, 0)]  # at each depth the latest node: its place and its row
    used = set[int]()  # the places that have a descendant by now
    rows = 0
    for each in descendants:
        del above[each.depth :]
        parent, row = above[-1]
        if parent in used:
            rows += 1
            row = rows
        used.add(parent)
        place = root + 1 + len(found)
        found.append(
            LineageNode(relative=each, column=root + each.depth, row=row, parent=parent, handed=each.handed)
        )
        above.append((place, row))
    return found
