"""A log in parts, so that one of any size can be shown and searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.domain.filtering import letter_cases
from pipeline_widgets.persistence.log_times import LogTimes, read_log_times
from pipeline_widgets.persistence.logs import render_line

PART = 64 << 10  # bytes that are shown at a time
SEARCHED = 8 << 20  # bytes that one call searches
RAW = 512 << 10  # bytes of a part that is saved
MOST_FOUND = 5000  # lines that one call finds
LONGEST_LINE = 16 << 10  # bytes of a line that are shown


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log, as a terminal would show it."""

    #: In bytes from the beginning of the log.
    offset: int
    #: By when it was written, in seconds since 1970; None where that is not known.
    time: float | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPart:
    """Lines of a log that follow each other."""

    #: The bytes of the log that they are, and how many it has by now.
    start: int
    end: int
    size: int
    lines: tuple[LogLine, ...]
    #: Whether the log has times.
    timed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LogMatches:
    """Where a text is in a part of a log."""

    #: The offsets of the lines that hold it.
    offsets: tuple[int, ...]
    #: Where to search on; None at the end.
    next: int | None


def read_part(path: Path, *, at: int | None = None, before: int | None = None) -> LogPart:
    """Return the lines from an offset on, those before one, or the last ones.

    Args:
        path: The log; without it there are no lines.
        at: The offset of the first line.
        before: The offset of the line after the last one.
    """
    return _read_part(path, read_log_times(path), at=at, before=before)


def _read_part(path: Path, times: LogTimes, *, at: int | None = None, before: int | None = None) -> LogPart:
    size = path.stat().st_size if path.is_file() else 0
    if at is not None:
        start = min(max(0, at), size)
        data = _whole_lines_from(path, start, PART)
    else:
        end = size if before is None else min(max(0, before), size)
        start, data = _whole_lines_before(path, end)
    lines = tuple(_lines(data, start, times))
    return LogPart(start=start, end=start + len(data), size=size, lines=lines, timed=bool(times.times))


def search_log(path: Path, text: str, at: int = 0) -> LogMatches:
    """Return which lines from an offset on hold a text, in upper or lower case; a few megabytes at a time."""
    size = path.stat().st_size if path.is_file() else 0
    pattern, offsets = _pattern(text), list[int]()
    data = _whole_lines_from(path, at, SEARCHED) if text and at < size else b""
    done = 0
    while found := pattern.search(data, done):
        start = data.rfind(b"\n", 0, found.start()) + 1
        offsets.append(at + start)
        stop = data.find(b"\n", found.end())
        done = len(data) if stop < 0 else stop + 1
        if len(offsets) == MOST_FOUND:
            break
    else:
        done = len(data)
    return LogMatches(offsets=tuple(offsets), next=at + done if data and at + done < size else None)


def read_raw(path: Path, at: int) -> tuple[bytes, int | None]:
    """Return bytes of a log as they are, and from where to read on; None at the end."""
    if not path.is_file():
        return b"", None
    with path.open("rb") as file:
        file.seek(at)
        data = file.read(RAW)
        return data, at + len(data) if file.read(1) else None


def find_time(path: Path, moment: float) -> int | None:
    """Return the offset of the first line after a moment; None where times are not known.

    Args:
        path: The log.
        moment: In seconds since 1970.
    """
    offset = read_log_times(path).offset(moment)
    if offset is None or not path.is_file() or offset == 0:
        return offset
    with path.open("rb") as file:  # a size that was noted may be within a line
        file.seek(offset - 1)
        rest = file.read(LONGEST_LINE)
    return offset if rest[:1] == b"\n" else offset + rest.find(b"\n", 1)


def iterate_lines(path: Path) -> Iterator[LogLine]:
    """Yield all lines of a log."""
    at, times = 0, read_log_times(path)
    while True:
        part = _read_part(path, times, at=at)
        yield from part.lines
        if part.end in {at, part.size}:
            return
        at = part.end


def _whole_lines_from(path: Path, at: int, most: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        data = file.read(most)
        if len(data) < most or not file.read(1):
            return data
    cut = data.rfind(b"\n") + 1
    return data[:cut] if cut else data  # a line that is longer is cut


def _whole_lines_before(path: Path, end: int) -> tuple[int, bytes]:
    if not end:
        return 0, b""
    start = max(0, end - PART)
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(end - start)
    if start:
        cut = data.find(b"\n", 0, len(data) - 1) + 1
        start, data = start + cut, data[cut:]
    return start, data


def _lines(data: bytes, start: int, times: LogTimes) -> Iterator[LogLine]:
    at = 0
    while at < len(data):
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        text = render_line(data[at : min(stop, at + LONGEST_LINE)].decode(errors="replace"))
        yield LogLine(start + at, times.at(start + at), text)
        at = stop + 1


def _pattern(text: str) -> re.Pattern[bytes]:
    if text.isascii():
        return re.compile(re.escape(text.encode()), re.IGNORECASE)
    letters = ("|".join(re.escape(each) for each in letter_cases(letter)) for letter in text)
    return re.compile("".join(f"(?:{each})" for each in letters).encode())
