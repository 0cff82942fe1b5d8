"""A project, and what stands in the way of its deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.text import list_first
from pipeline_widgets.errors import InUseError

SHOWN = 5  # runs or agents that a refusal names


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
class ProjectUse:
    """The uses that keep a project from being deleted, as a sentence names them."""

    #: Its runs that are active.
    active: Sequence[str] = ()
    #: The agents of which a version was made of one of its checkpoints, wherever they are used.
    agents: Sequence[str] = ()
    #: The runs of other projects that started from one of its checkpoints.
    runs: Sequence[str] = ()


def describe_kind(*, advanced_training: bool) -> str:
    """Return the kind of a project in words."""
    return "Advanced Training" if advanced_training else "Classic RL"


def check_deletable(project: Project, use: ProjectUse) -> None:
    """Refuse to delete a project that is at work, or whose checkpoints are the only source of something.

    An agent has files of its own, but what it was made of can be traced by the checkpoint alone (spec 2.5).

    Raises:
        InUseError: It is; the error lists what is in the way.
    """
    why: list[str] = []
    fix: list[str] = []
    if use.active:
        why.append(f"Active: {list_first(use.active, SHOWN)}.")
        fix.append("Stop what is active first.")
    if use.agents:
        why.append(f"Its checkpoints are the only source of {list_first(use.agents, SHOWN)}.")
        fix.append(f"Delete {'that agent' if len(use.agents) == 1 else 'those agents'} first.")
    if use.runs:
        why.append(f"Its checkpoints are used by {list_first(use.runs, SHOWN)}.")
        fix.append("Keep it, so that what was made of its checkpoints can be traced.")
    if why:
        raise InUseError(f"Project {quote(project.name)} cannot be deleted.", " ".join(why), " ".join(fix))
