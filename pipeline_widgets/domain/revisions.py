"""How often what views show has changed: numbers that only grow, so that equal ones mean that nothing has."""

from __future__ import annotations

from typing import NamedTuple


class Revisions(NamedTuple):
    """The revisions of a project, or of all projects as one."""

    #: Raised by every write to the project.
    written: int = 0
    #: Raised by every write to what belongs to no project, that is to agents.
    workspace: int = 0
    #: How many of these writes were reports: metrics, progress and usage of a training, and nothing else. A
    #: report changes only what is shown of its own run.
    reports: int = 0
    #: Of all projects: how many there are, and the latest.
    projects: tuple[int, int] = (0, 0)

    @property
    def all(self) -> int:
        """The number of all changes, those of agents included."""
        return self.written + self.workspace

    @property
    def edits(self) -> tuple[int, int, tuple[int, int]]:
        """The same numbers without reports."""
        return self.written - self.reports, self.workspace, self.projects

    def has_only_reports_since(self, before: Revisions) -> bool:
        """Return whether runs may have reported since, and nothing else has happened."""
        return self.edits == before.edits


#: Before anything was read.
NEVER = Revisions(-1, -1)


class ReportingRuns(NamedTuple):
    """Runs that were written since a revision, and what they belong to."""

    runs: frozenset[int]
    pipelines: frozenset[int]
    experiments: frozenset[int]
