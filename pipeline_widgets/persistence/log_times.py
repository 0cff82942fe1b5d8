"""When the lines of a log were written: pairs of a time and the size of the log by then, beside the log.

A training writes its log itself, so that nothing stands between it and the file. Its supervisor looks at the
size several times a second, and appends a pair of 16 bytes where it has grown; in long runs more rarely.
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.persistence import filesystem

TIMES = "log-times.bin"
FIRST_INTERVAL = 0.5  # seconds between two pairs
PAIRS_AT_AN_INTERVAL = 20_000  # after which the interval is twice as long
_PAIR = struct.Struct("<dQ")


class LogTimesWriter:
    """Appends to the times of a log. What the disk refuses is left out: times only tell.

    Args:
        log: The log.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._path = log.with_name(TIMES)
        self._size = -1
        self._due = 0.0
        self._taken = 0

    def note(self, *, ends: bool = False) -> None:
        """Append a pair where the log has grown and one is due; with `ends` in any case."""
        now = time.time()
        if now < self._due and not ends:
            return
        with suppress(OSError):
            size = self._log.stat().st_size
            if size == self._size or not size:
                return
            with filesystem.open_private(self._path, "ab", buffering=0) as file:
                file.write(_PAIR.pack(now, size))
            self._size = size
            self._taken += 1
            self._due = now + FIRST_INTERVAL * 2 ** (self._taken // PAIRS_AT_AN_INTERVAL)


@dataclass(frozen=True, slots=True)
class LogTimes:
    """The times of a log: by when it had which size."""

    #: In seconds since 1970, and in bytes.
    times: Sequence[float]
    sizes: Sequence[int]

    def at(self, offset: int) -> float | None:
        """Return by when the byte at an offset was written, in seconds since 1970; None where unknown."""
        place = bisect_right(self.sizes, offset)
        return self.times[place] if place < len(self.times) else None

    def offset(self, moment: float) -> int | None:
        """Return from which offset on a log was written after a moment; None where no times are known."""
        if not self.times:
            return None
        place = bisect_left(self.times, moment)
        return self.sizes[place - 1] if place else 0


def read_log_times(log: Path) -> LogTimes:
    """Return the times of a log; none where they were not recorded, as by older versions."""
    try:
        data = log.with_name(TIMES).read_bytes()
    except OSError:
        data = b""
    pairs = list(_PAIR.iter_unpack(data[: len(data) // _PAIR.size * _PAIR.size]))
    kept: list[tuple[float, int]] = []
    for when, size in pairs:  # a clock that was set back must not confuse a search
        if kept and (when < kept[-1][0] or size <= kept[-1][1]):
            continue
        kept.append((when, size))
    return LogTimes([when for when, _ in kept], [size for _, size in kept])
