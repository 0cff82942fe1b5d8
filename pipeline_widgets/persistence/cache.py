"""This machine's copies of the artifacts below a URL, and which of them can go.

For each there is a file in the folder "cache" of the artifact folder: its content is the size, its time of
change the last use, and whoever uses the artifact holds a lock on it, which ends with the process.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline_widgets.errors import ConfigError
from pipeline_widgets.persistence import artifact_paths, filesystem

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FOLDER = "cache"
SIZE_VARIABLE = "PIPELINE_WIDGETS_CACHE_SIZE"
LEFT_FREE = 256 << 20  # bytes of the disk that are left to others
IN_USE_FOR = 86_400.0  # seconds since the last use after which nobody uses it, where there are no locks
MOST_HELD = 256  # artifacts that a process holds at once; a kernel may look at any number
FETCHING = ".fetch"
_SEPARATOR = ","  # of the parts of a path, of which none has it
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)


class ArtifactCache:
    """The artifacts that this machine has of a workspace.

    Args:
        root: The artifact folder.
    """

    #: The locks that this process holds, by their files, the longest unused one first.
    _held: OrderedDict[Path, int]

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / FOLDER
        self._held = OrderedDict()
        self._lock = threading.Lock()

    def mark(self, key: str, size: int) -> None:
        """Note that an artifact is here and below the URL, and was used now.

        Args:
            key: Its path below the artifact folder, with slashes.
            size: Its bytes.
        """
        filesystem.make_private_folder(self._folder)
        marker = self._marker(key)
        with filesystem.open_private(marker, "w", encoding="ascii") as file:
            file.write(str(size))

    def hold(self, key: str, size: int) -> None:
        """Keep an artifact from being evicted for as long as this process lives, and note its use.

        Of more than 256 the one that was used the longest time ago is let go.
        """
        marker = self._marker(key)
        self.mark(key, size)
        with self._lock:
            if marker in self._held:
                self._held.move_to_end(marker)
                return
            if fcntl is None:
                return
            while True:
                held = os.open(marker, os.O_RDWR | os.O_CREAT, filesystem.PRIVATE_FILE)
                fcntl.flock(held, fcntl.LOCK_SH)
                if _is_file_of(held, marker):
                    break
                os.close(held)  # it was evicted in between
            self._held[marker] = held
            while len(self._held) > MOST_HELD:
                os.close(self._held.popitem(last=False)[1])
        if not marker.stat().st_size:
            self.mark(key, size)

    def release(self, key: str) -> None:
        """Let an artifact be evicted again, as far as this process is concerned."""
        with self._lock:
            held = self._held.pop(self._marker(key), None)
        if held is not None:
            os.close(held)

    @contextmanager
    def fetching(self, key: str) -> Generator[None]:
        """Let one process at a time bring an artifact here; the others wait for it."""
        filesystem.make_private_folder(self._folder)
        path = self._marker(key).with_suffix(FETCHING)
        opened = os.open(path, os.O_RDWR | os.O_CREAT, filesystem.PRIVATE_FILE)
        try:
            if fcntl is not None:
                fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)
            with suppress(OSError):  # who waits for it holds the same file, and looks for the artifact first
                path.unlink()

    def make_room(self, size: int = 0) -> None:
        """Evict what was used the longest time ago and is in use no longer, until so many bytes fit in.

        Raises:
            ConfigError: The variable that bounds the cache holds no size.
        """
        found = sorted(self._entries())
        used = sum(each for _, each, _ in found)
        with suppress(OSError):
            free = shutil.disk_usage(self._root).free
            most = _limit(used, free)
            for _, each, key in found:
                if used + size <= most and free >= size + LEFT_FREE:
                    return
                if self._evict(key):
                    used, free = used - each, free + each

    def forget(self, key: str) -> None:
        """Note that an artifact is nowhere any more."""
        self.release(key)
        self._marker(key).unlink(missing_ok=True)

    def _entries(self) -> Generator[tuple[float, int, str]]:
        with suppress(OSError):
            for entry in list(os.scandir(self._folder)):
                key = entry.name.replace(_SEPARATOR, "/")
                with suppress(OSError, ValueError):
                    if entry.name.endswith(FETCHING):
                        continue
                    if not (self._root / key).is_dir():  # it was deleted
                        if not self._is_in_use(Path(entry.path)):
                            Path(entry.path).unlink()
                        continue
                    size = int(Path(entry.path).read_text(encoding="ascii") or 0)
                    yield entry.stat().st_mtime, size, key

    def _is_in_use(self, marker: Path) -> bool:
        if fcntl is None:
            return time.time() - marker.stat().st_mtime < IN_USE_FOR
        opened = os.open(marker, os.O_RDWR)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(opened)
        return False

    def _evict(self, key: str) -> bool:
        """Delete an artifact from this machine unless a process uses it."""
        marker = self._marker(key)
        try:
            opened = os.open(marker, os.O_RDWR)
        except OSError:
            return False
        try:
            if fcntl is None:
                if time.time() - marker.stat().st_mtime < IN_USE_FOR:
                    return False
            else:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _is_file_of(opened, marker):
                    return False
            artifact_paths.remove(self._root / key, self._root)
            marker.unlink(missing_ok=True)
        except OSError:  # it is in use
            return False
        finally:
            os.close(opened)
        return True

    def _marker(self, key: str) -> Path:
        return self._folder / key.replace("/", _SEPARATOR)


def _is_file_of(opened: int, path: Path) -> bool:
    """Return whether an open file is still the one of that path: who evicts deletes it under its lock."""
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except OSError:
        return False


def _limit(used: int, free: int) -> int:
    """Return how many bytes a cache may have: by default half of what it has and what the disk has left."""
    text = os.environ.get(SIZE_VARIABLE)
    if text is None:
        return (used + free) // 2
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        what = f"{SIZE_VARIABLE} is {text!r}, which is not a size."
        raise ConfigError(what, fix='Write bytes, or a number with a unit, such as "50GB".')
    return int(float(found[1]) * _UNITS[found[2].upper()])
