"""Lines about work on files that takes its time: none about what is quick."""

from __future__ import annotations

import time
from collections.abc import Callable

SAY_AFTER = 1.0  # seconds that something may take without a word
SAY_EVERY = 5.0  # seconds between two lines about the same


class ProgressLines:
    """Lines of a log about one piece of work.

    Args:
        say: Takes them.
        what: What is done, as the line begins: "Sending 0000000010 to s3://bucket".
    """

    def __init__(self, say: Callable[[str], None], what: str) -> None:
        self._say, self._what = say, what
        self._due = time.monotonic() + SAY_AFTER
        self._is_told = False

    def tell_of(self, done: int, total: int) -> None:
        """Tell how many bytes are done, if it is time to."""
        if done < total:
            self.tell(f"{self._what}: {done >> 20} of {total >> 20} MiB.")

    def finish(self) -> None:
        """Tell that it is done, where it was told that it goes on."""
        if self._is_told:
            self._is_told = False
            self._say(f"{self._what}: done.")

    def tell(self, line: str) -> None:
        """Write a line, if it is time to."""
        now = time.monotonic()
        if now >= self._due:
            self._due, self._is_told = now + SAY_EVERY, True
            self._say(line)
