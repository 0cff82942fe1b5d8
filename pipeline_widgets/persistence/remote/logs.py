"""The logs of runs that another machine has written, as they were sent below a URL."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.remote.folders import RemoteFolders

FOLDER = "logs"
ASKED_EVERY = 5.0  # seconds between two looks at one log


class RemoteLogs:
    """Brings logs here.

    Args:
        folders: What is below the URL.
        root: The artifact folder of this machine.
    """

    def __init__(self, folders: RemoteFolders, root: Path) -> None:
        self._folders, self._folder = folders, root / FOLDER
        self._lock = threading.Lock()
        self._asked_at: dict[tuple[str, int], float] = {}

    def fetch(self, run: str, most: int, *, waits: bool) -> Path:
        """Return where the end of a log is on this machine; there may be none yet.

        Args:
            run: The run, as its folder is named.
            most: The bytes of its end that are wanted.
            waits: Whether the caller waits for what there is by now. A view does not: what it is given is
                what a thread has brought here, which looks again every few seconds.
        """
        path = self._folder / f"{run}-{most}.txt"
        key = (run, most)
        with self._lock:
            now = time.monotonic()
            if not waits and now - self._asked_at.get(key, float("-inf")) < ASKED_EVERY:
                return path
            self._asked_at[key] = now
        if waits:
            self._bring(run, most, path)
        else:
            threading.Thread(target=self._bring, args=(run, most, path), daemon=True).start()
        return path

    def _bring(self, run: str, most: int, path: Path) -> None:
        with suppress(StorageError, OSError):  # then what there is already is shown
            data = self._folders.read_log(run, most)
            filesystem.make_private_folder(self._folder)
            written = path.with_name(f".{uuid4().hex}")
            with filesystem.open_private(written, "xb") as file:
                file.write(data)
            written.replace(path)
