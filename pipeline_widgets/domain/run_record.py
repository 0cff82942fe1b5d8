"""Records of how runs came about: the place of the trigger, the code, and the machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pipeline_widgets.domain.code_record import CodeRecord, describe_change

SHORT = 12  # characters of a digest that are shown
MOST_DIFF = 200_000  # characters of a diff that are kept


@dataclass(frozen=True, kw_only=True, slots=True)
class GitState:
    """A folder under git at one moment."""

    commit: str | None
    branch: str | None
    #: What differs from the commit, as `git diff HEAD` shows it; "" where nothing does.
    diff: str = ""
    #: Whether the diff was longer than what is kept of it.
    is_diff_cut: bool = False
    #: Files that git does not know and does not ignore, relative to the folder.
    untracked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerPlace:
    """The folder from which a run was triggered; the stages that follow it inherit it."""

    folder: str
    git: GitState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCode:
    """The code of a run, and the place of its trigger. Texts are kept apart, by their SHA-256."""

    folder: str | None = None
    commit: str | None = None
    branch: str | None = None
    #: The digest of the diff; None without one.
    diff: str | None = None
    is_diff_cut: bool = False
    untracked: tuple[str, ...] = ()
    #: The digest of the code: two equal ones behave alike. None where it is not known.
    digest: str | None = None
    #: The digest of the text that lists files and definitions.
    record: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: value for name, value in asdict(self).items() if value not in (None, (), False)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> RunCode:
        """Return it from its plain values; what another version has added is left out."""
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in plain.items() if name in known}
        values["untracked"] = tuple(plain.get("untracked", ()))
        return cls(**values)


def choose_folder(first: str | None, now: str | None, *, exists: Callable[[str], bool]) -> str | None:
    """Return the folder in which a resumed run works: that of the first trigger, as long as it is there.

    Args:
        first: The folder from which the resumed run was triggered.
        now: The folder from which it is resumed.
        exists: Tells whether a folder is there.
    """
    return first if first is not None and exists(first) else now


def describe_folder(first: str | None, now: str | None, *, exists: Callable[[str], bool]) -> str | None:
    """Return what to know of where a resumed run works; None where both folders are the same."""
    if first is None or now is None or first == now:
        return None
    if exists(first):
        return f"It resumes in {first}, where it was first triggered; this is {now}."
    why = f"The folder in which it was first triggered, {first}, is not there"
    return f"{why}: relative paths are looked up in {now}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """The machine and the Python that a run was executed with."""

    python: str = ""
    platform: str = ""
    host: str = ""
    cpu: str = ""
    cpu_count: int | None = None
    gpus: tuple[str, ...] = ()
    #: Versions of the installed packages by name.
    packages: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The environment variables that the user has named; None for one that was not set.
    variables: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])

    @property
    def digest(self) -> str:
        """SHA-256 of the content, by which it is kept once."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        own = {"packages": dict(self.packages), "variables": dict(self.variables)}
        return {**values, "gpus": list(self.gpus), **own}  # `asdict` would copy each of some hundred texts

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Environment:
        """Return it from its plain values; what another version has added is left out."""
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in plain.items() if name in known}
        values["gpus"] = tuple(plain.get("gpus", ()))
        return cls(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something that differs between two runs; None where one has nothing there."""

    #: One of "code", "git", "machine", "package", "variable".
    kind: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """All that is kept of how a run came about."""

    #: None for a run of an older version, and for one that has not begun.
    environment: Environment | None
    code: RunCode
    #: Files and definitions with their texts; None where they are not known.
    sources: CodeRecord | None
    diff: str = ""

    def facts(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield kind, name and value of what is compared, but for the code."""
        code, machine = self.code, self.environment or Environment()
        yield "git", "commit", code.commit
        yield "git", "branch", code.branch
        yield "git", "diff", code.diff and code.diff[:SHORT]
        yield "git", "folder", code.folder
        for name in ("python", "platform", "host", "cpu"):
            yield "machine", name, getattr(machine, name) or None
        yield "machine", "cpu_count", None if machine.cpu_count is None else str(machine.cpu_count)
        yield "machine", "gpus", ", ".join(machine.gpus) or None
        for kind, listed in (("package", machine.packages), ("variable", machine.variables)):
            for name, value in listed.items():
                yield kind, name, value


def compare_records(before: RunRecord, after: RunRecord) -> tuple[Difference, ...]:
    """Return what differs between how two runs came about: code first, then git, machine, packages."""
    one = {(kind, name): value for kind, name, value in before.facts()}
    other = {(kind, name): value for kind, name, value in after.facts()}
    others = [
        Difference(kind=kind, name=name, before=one.get((kind, name)), after=other.get((kind, name)))
        for kind, name in dict.fromkeys((*one, *other))
        if one.get((kind, name)) != other.get((kind, name))
    ]
    order = ("git", "machine", "package", "variable")
    others.sort(key=lambda each: order.index(each.kind))
    return (*_compare_code(before.sources, after.sources), *others)


def _compare_code(before: CodeRecord | None, after: CodeRecord | None) -> Iterator[Difference]:
    """Yield the files and definitions that differ, with the first line of each that does."""
    former = {piece.key: piece for piece in (before.pieces if before else ())}
    latter = {piece.key: piece for piece in (after.pieces if after else ())}
    for key in dict.fromkeys((*former, *latter)):
        one, other = former.get(key), latter.get(key)
        name = " ".join(filter(None, key))
        if one and other and before and after:
            alone = (replace(before, pieces=(one,)), replace(after, pieces=(other,)))
            if (place := describe_change(*alone)) is None:
                continue
            name = place
        digests = [None if piece is None else piece.digest[:SHORT] for piece in (one, other)]
        yield Difference(kind="code", name=name, before=digests[0], after=digests[1])
