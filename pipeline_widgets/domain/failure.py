"""Why a run ended without success: its message, and the line of the user's own code that it came from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from textwrap import dedent
from typing import Any

from pipeline_widgets.domain.text import replace_unencodable, shorten

LONGEST_MESSAGE = 2_000  # characters; the error of the run has all of it
LONGEST_LINE = 400  # characters of a line of code
LINES_BEFORE, LINES_AFTER = 2, 1  # of code around the lines that raised
MOST_LINES = 8  # of a statement
_TRACEBACK = "Traceback (most recent call last):"
_CALL = re.compile(r'^  File "(?P<file>[^\n]+)", line (?P<line>\d+)(?:, in (?P<function>[^\n]*))?$')
_MARKS = re.compile(r"^[ ~^]+$")
#: Folders of what is installed, wherever that is: for tracebacks of which only the text is known.
_INSTALLED = re.compile(
    r"[\\/](?:site|dist)-packages[\\/]|[\\/][Ll]ib[\\/]python\d|"
    r"[\\/]pipeline_widgets[\\/](?:algorithms|client|execution|trainers)[\\/]"
)
_CELL = re.compile(r"[\\/]ipykernel_\d+[\\/]|^<(?:ipython-input-|cell )")


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedCall:
    """A frame of a traceback: a function, and the line in it that was being executed."""

    file: str
    #: Counted from 1.
    line: int
    function: str
    #: The last line of the statement.
    end_line: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a run ended without success."""

    #: The exception's type and message, or what is known of a crash.
    message: str
    #: The file of the user's own line; None where no code of the user's was at work, or none is known.
    file: str | None = None
    #: The number of that line, counted from 1.
    line: int | None = None
    #: The function that it is in.
    function: str | None = None
    #: The lines of code there as they were when it failed, with a few around them; "" where unknown.
    source: str = ""
    #: The number of the first of these lines.
    first_line: int | None = None
    #: The number of the last line of the statement that failed.
    end_line: int | None = None

    @property
    def is_in_cell(self) -> bool:
        """Whether the line stands in a cell of a notebook."""
        return self.file is not None and _CELL.search(self.file) is not None

    def place(self, folder: str | None = None) -> str:
        """Return where it failed, as in "train.py:28"; empty where that is not known.

        Args:
            folder: The folder of the run's trigger, to which files below it are relative.
        """
        if self.file is None:
            return ""
        if self.is_in_cell:
            return f"notebook cell, line {self.line}"
        below = re.sub(r"[\\/]*$", "", folder) if folder else ""
        is_below = bool(below) and re.match(rf"{re.escape(below)}[\\/]", self.file)
        return f"{self.file[len(below) + 1 :] if is_below else self.file}:{self.line}"

    def lines(self) -> Iterator[tuple[int, str, bool]]:
        """Return the lines of code: the number, the text, and whether it belongs to what failed."""
        last = self.line if self.end_line is None else self.end_line
        for number, text in enumerate(dedent(self.source).splitlines(), self.first_line or 1):
            yield number, text, self.line is not None and self.line <= number <= (last or 0)

    def __str__(self) -> str:
        where = f"  {self.place()}" + (f", in {self.function}" if self.function else "")
        code = [f"  {'>' if failed else ' '} {number:>5} | {text}" for number, text, failed in self.lines()]
        return "\n".join([self.message, *([where] if self.file else []), *code])

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Failure:
        """Return it from its plain values; what another version has added is left out."""
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in plain.items() if name in known}
        values.setdefault("message", "")
        return cls(**values)


def find_users_call(
    calls: Sequence[TracedCall], installed: Collection[str], written: Collection[str] = ()
) -> TracedCall | None:
    """Return the innermost call that belongs to the user rather than to what is installed.

    Args:
        calls: The calls of a traceback, the outermost first.
        installed: Folders of installed packages, of the standard library and of this package.
        written: Names of files that are none, such as those of cells, whose text is known nevertheless.

    Returns:
        None where all that was at work is installed.
    """
    roots = tuple(folder.rstrip("/\\") for folder in installed if folder)

    def is_users(call: TracedCall) -> bool:
        if call.file.startswith("<"):  # a frozen module of Python, or text that somebody has compiled
            return call.file in written or _CELL.search(call.file) is not None
        if any(call.file.startswith((f"{root}/", f"{root}\\")) for root in roots):
            return False
        return not _INSTALLED.search(call.file)

    return next((call for call in reversed(calls) if is_users(call)), None)


def make_failure(message: str, call: TracedCall | None = None, text: Sequence[str] = ()) -> Failure:
    """Return a failure as it is kept: of a bounded size, with what every database can store.

    Args:
        message: The exception's type and message.
        call: The user's own call.
        text: All lines of its file; empty where they are not known.
    """
    kept = Failure(message=_clean(shorten(message.strip(), LONGEST_MESSAGE)))
    if call is None:
        return kept
    end = min(max(call.end_line or call.line, call.line), call.line + MOST_LINES - 1)
    first = max(1, call.line - LINES_BEFORE)
    around = [line.rstrip("\r\n")[:LONGEST_LINE] for line in text[first - 1 : end + LINES_AFTER]]
    if call.line > len(text):
        around = []
    while around and not around[-1].strip() and first + len(around) - 1 > end:
        around.pop()
    while around and not around[0].strip() and first < call.line:
        around.pop(0)
        first += 1
    return replace(
        kept,
        file=_clean(call.file),
        line=call.line,
        end_line=end,
        function=_clean(call.function) or None,
        source=_clean("\n".join(around)),
        first_line=first if around else None,
    )


def parse_error(error: str) -> Failure:
    """Return what the text of an error tells: of runs of which nothing else was recorded."""
    last = error.rfind(_TRACEBACK)
    if last < 0:
        told = error.strip().splitlines() or [""]
        return make_failure(told[-1] if told[0].startswith("Traceback") else told[0])
    lines = error[last + len(_TRACEBACK) :].strip("\n").splitlines()
    calls: list[TracedCall] = []
    code: dict[TracedCall, list[str]] = {}
    at = 0
    for at, line in enumerate(lines):  # noqa: B007  where it ends is where the message begins
        if found := _CALL.match(line):
            call = TracedCall(
                file=found["file"], line=int(found["line"]), function=(found["function"] or "").strip()
            )
            calls.append(call)
            code[call] = []
        elif not line.startswith("  "):
            break
        elif calls and line.startswith("    ") and not _MARKS.match(line):
            code[calls[-1]].append(line.strip())
    message = "\n".join(lines[at:]).strip() if lines and not lines[at].startswith("  ") else ""
    call = find_users_call(calls, (), [each.file for each in calls if code[each]])
    failure = make_failure(message or error.strip().splitlines()[-1])
    if call is None:
        return failure
    known = code[call]
    return replace(
        failure,
        file=_clean(call.file),
        line=call.line,
        end_line=call.line + max(0, len(known) - 1),
        function=_clean(call.function) or None,
        source=_clean("\n".join(known)),
        first_line=call.line if known else None,
    )


def _clean(text: str) -> str:
    return replace_unencodable(text)
