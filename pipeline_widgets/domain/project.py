"""A project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """Holds experiments and, if it is an Advanced Training project, pipelines."""

    id: int
    name: str
    advanced_training: bool
    created_at: datetime
    #: Raised by every write that changes what a view of the project shows.
    revision: int = 0
