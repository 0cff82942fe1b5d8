"""The output of a training: the whole of it, its end, or that as a terminal would show it."""

from __future__ import annotations

import re
from pathlib import Path

STACK_SHOWN = 40  # lines of a crash
LOG_MOST = 256 << 20  # bytes of a log that are read at once
LOG_SHOWN, LOG_READ = 16 << 10, 64 << 10  # bytes; a progress bar writes many lines over each other

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def read_log(path: Path, tail: int | None = None) -> str:
    """Return a log, or its last `tail` lines, for which only its end is read; at most 256 MiB of it.

    What tells a terminal about colours and the cursor is left out.
    """
    if not path.is_file():  # there is none, or a pipe lies there, which would never end
        return ""
    if tail is None:
        return _plain(_end(path, LOG_MOST))
    if tail <= 0:
        return ""
    size, end = 1 << 12, _end(path, 1 << 12)
    while len(end) == size < LOG_MOST and max(end.count(b"\n"), end.count(b"\r")) <= tail:
        size *= 4
        end = _end(path, size)
    text = _plain(end)
    return "".join(_lines(text)[-tail:])


def render_log(path: Path, lines: int) -> str:
    """Return the last lines of a log as a terminal would show them, at most 16 kB."""
    if lines <= 0 or not path.is_file():
        return ""
    end = _whole_lines(_end(path, LOG_READ + 1), LOG_READ).decode(errors="replace")
    text = _ESCAPE.sub("", end).replace("\r\n", "\n").removesuffix("\n")
    shown = "\n".join(map(_last_state, text.split("\n")[-lines:]))
    return _whole_lines(shown.encode(), LOG_SHOWN).decode(errors="ignore")


def render_line(line: str) -> str:
    """Return a line as a terminal would show it in the end."""
    return _last_state(_ESCAPE.sub("", line).removesuffix("\r"))


def find_fatal_stack(path: Path) -> str:
    """Return the stack that Python's fault handler wrote last to a log: where each thread was in a crash."""
    try:
        end = _end(path, LOG_READ).decode(errors="replace")
    except OSError:
        return ""
    _, began, told = end.rpartition("Fatal Python error: ")
    lines = (began + told.partition("\nExtension modules:")[0]).strip().splitlines()
    return "\n".join(lines[:STACK_SHOWN]) if began else ""


def _plain(data: bytes) -> str:
    return _ESCAPE.sub("", data.decode(errors="replace")).replace("\r\n", "\n").replace("\r", "\n")


def _end(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        at = file.seek(0, 2)
        file.seek(max(0, at - size))
        return file.read(size)


def _whole_lines(text: bytes, size: int) -> bytes:
    """Return the end of a text, from the beginning of a line if one begins there."""
    if len(text) <= size:
        return text
    end = text[-size:]
    return end.partition(b"\n")[2] or end


def _lines(text: str) -> list[str]:
    """Split by line feeds only, and keep them: a training may print any other sign."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + [part for part in parts[-1:] if part]


def _last_state(line: str) -> str:
    """Return what is left of a line that was written over again and again."""
    states = [state for state in line.split("\r") if state.strip()]
    return _UNSEEN.sub("", states[-1]) if states else ""
