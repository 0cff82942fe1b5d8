"""The environment of a run, as a user reads it: the machine, the packages, git, and the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.domain.code_record import CodePiece
from pipeline_widgets.domain.run_record import Difference, Environment, RunRecord, compare_records


class Row:
    """A row of what was recorded: kind, name and value."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)
        for name, value in columns.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={value!r}' for name, value in self._columns.items())})"

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return dict(self._columns)


class RunEnvironment(Listing[Row]):
    """On what a run was executed, and from which folder and commit. What is not known is None or empty."""

    def __init__(self, record: RunRecord) -> None:
        told = [{"kind": kind, "name": name, "value": value} for kind, name, value in record.facts() if value]
        super().__init__("fact", map(Row, told))
        self._record = record

    @property
    def folder(self) -> str | None:
        """The folder from which it was triggered, and in which it works."""
        return self._record.code.folder

    @property
    def commit(self) -> str | None:
        """The git commit of that folder."""
        return self._record.code.commit

    @property
    def branch(self) -> str | None:
        """The git branch of that folder."""
        return self._record.code.branch

    @property
    def changes(self) -> str:
        """The difference from the commit, as `git diff` shows it; the first 200 kB."""
        return self._record.diff

    @property
    def is_cut(self) -> bool:
        """Whether `changes` were longer than what is kept of them."""
        return self._record.code.is_diff_cut

    @property
    def untracked(self) -> tuple[str, ...]:
        """The files of that folder that git did not know."""
        return self._record.code.untracked

    @property
    def python(self) -> str:
        """The Python that executed it, with the path of the interpreter."""
        return self._machine.python

    @property
    def platform(self) -> str:
        """The operating system."""
        return self._machine.platform

    @property
    def host(self) -> str:
        """The name of the machine."""
        return self._machine.host

    @property
    def cpu(self) -> str:
        """The model of its CPU."""
        return self._machine.cpu

    @property
    def cpu_count(self) -> int | None:
        """The number of CPUs that the run could use."""
        return self._machine.cpu_count

    @property
    def gpus(self) -> tuple[str, ...]:
        """The models of its NVIDIA GPUs."""
        return self._machine.gpus

    @property
    def packages(self) -> dict[str, str]:
        """The versions of the installed packages by name."""
        return dict(self._machine.packages)

    @property
    def variables(self) -> dict[str, str | None]:
        """The environment variables that `ws.record_environment` names; None for one that was not set."""
        return dict(self._machine.variables)

    def diff(self, other: RunEnvironment) -> Listing[Row]:
        """Return what differs from this to another run: code, git, machine, packages, variables.

        Args:
            other: The environment of the other run.
        """
        return Listing("difference", map(_to_row, compare_records(self._record, other._record)))

    @property
    def _machine(self) -> Environment:
        return self._record.environment or Environment()


class SourceFile:
    """A file of the user's that a run had loaded, or a definition of a cell."""

    def __init__(self, piece: CodePiece, text: str | None) -> None:
        self._piece = piece
        self._text = text

    def __repr__(self) -> str:
        return f"SourceFile({self.name!r})"

    @property
    def name(self) -> str:
        """The file relative to its folder, or the name of the definition."""
        return self._piece.definition or self._piece.file

    @property
    def file(self) -> str:
        """The file relative to its folder; "cell" for a notebook's cell."""
        return self._piece.file

    @property
    def digest(self) -> str:
        """SHA-256 of the code without comments, docstrings, formatting and type hints."""
        return self._piece.digest

    @property
    def text(self) -> str | None:
        """Its source text; None for compiled code."""
        return self._text

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        lines = None if self._text is None else len(self._text.splitlines())
        return {"name": self.name, "file": self.file, "lines": lines, "digest": self.digest[:12]}


def run_code(record: RunRecord) -> Listing[SourceFile]:
    """Return the code that a run had loaded.

    Args:
        record: How the run came about.
    """
    sources = record.sources
    if sources is None:
        return Listing("file", ())
    return Listing(
        "file", (SourceFile(each, sources.texts.get(each.source or "")) for each in sources.pieces)
    )


def _to_row(difference: Difference) -> Row:
    return Row(select_columns(difference, "kind", "name", "before", "after"))
