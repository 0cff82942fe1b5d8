"""A process of this package that outlives who has started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from subprocess import DEVNULL
from typing import IO


class DetachedProcess(subprocess.Popen[bytes]):
    """A process in a session of its own, which a closed terminal and an interrupted kernel do not reach.

    Args:
        command: Our own interpreter and module.
        environment: All its variables.
        output: Where it prints to.
        folder: Where it works; by default where its parent does.
        inherited: File descriptors that it is given.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes] | int,
        *,
        folder: str | None = None,
        inherited: Collection[int] = (),
    ) -> None:
        if sys.platform == "win32":
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        else:
            flags = 0
        super().__init__(
            [*command],
            env=environment,
            cwd=folder,
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=tuple(inherited),
            start_new_session=not flags,
            creationflags=flags,
        )

    def __del__(self) -> None:
        """Let go of it: that it is at work still is nothing to warn about."""
