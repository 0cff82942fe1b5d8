"""Output streams that drop what a full disk cannot take, so that printing never ends a process."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from typing import Any

#: Errors that pass when the disk has room again.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})


class LossyFile(io.FileIO):
    """A file that accepts every write, and drops what a full disk cannot take."""

    def write(self, data: Any, /) -> int:
        """Write as much as possible, and drop the rest."""
        with suppress(OSError):
            return super().write(data)
        return len(memoryview(data).cast("B"))


def lose_what_cannot_be_printed() -> None:
    """Keep print, logging and tracebacks of this process from failing, even on a full disk."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        if isinstance(getattr(sys, name), io.TextIOWrapper) and not _is_lossy(getattr(sys, name)):
            with suppress(OSError, ValueError):
                getattr(sys, name).flush()
            stream = lossy_stream(number)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _is_lossy(stream: io.TextIOWrapper) -> bool:
    return isinstance(getattr(stream.buffer, "raw", None), LossyFile)


def lossy_stream(number: int) -> io.TextIOWrapper:
    """Return a text stream that writes every line at once, and never fails.

    Args:
        number: The file descriptor. It is not closed with the stream.
    """
    raw = LossyFile(number, "wb", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="replace", line_buffering=True)
