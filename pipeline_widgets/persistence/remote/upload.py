"""Send the files of a folder in one pass over their bytes, and check that they have arrived."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence.folder_digest import FolderDigest, list_files
from pipeline_widgets.persistence.remote.manifest import FileRecord, Manifest, key_of
from pipeline_widgets.persistence.remote.objects import Objects, Parts
from pipeline_widgets.persistence.remote.pool import Patience, Pool

CHUNK = 5 << 20  # bytes that are sent at once: the least that S3 takes as a part
MOST_PARTS = 9_000  # of an object; S3 takes 10,000
IN_FLIGHT = 20 << 20  # bytes that are in memory at once, beside the chunk that is being read


class DamagedError(OSError):
    """The content that arrived differs from the content that was sent."""


@dataclass(frozen=True, slots=True)
class SentFolder:
    """A folder whose objects are there, and which nobody finds before its manifest is."""

    manifest: Manifest
    #: The digest without empty folders, by which former versions knew it.
    former: str


class Upload:
    """One attempt to send a folder.

    Args:
        objects: Where it goes.
        key: The folder below which its objects are written.
        patience: For how long a part is tried again that can be sent by itself.
        progress: Called with the bytes that were sent of how many, from several threads.
    """

    def __init__(
        self, objects: Objects, key: str, patience: Patience, progress: Callable[[int, int], None]
    ) -> None:
        self._objects, self._key = objects, key
        self._patience, self._progress = patience, progress
        self._lock = threading.Lock()
        self._sent = self._total = 0
        self._digest = FolderDigest()
        self._files: list[_SentFile] = []

    def send(self, folder: Path, pool: Pool) -> SentFolder:
        """Send the folder, and leave nothing of it where that fails.

        Raises:
            CheckpointError: Something in the folder cannot be kept.
            DamagedError: What has arrived is not what was sent.
            Exception: As the file system has raised it.
        """
        files, empty = list_files(folder)
        self._total = sum(file.stat().st_size for _, file in files)
        try:
            for _ in pool.map(self._tasks(files), IN_FLIGHT):
                pass
            for _ in pool.map(self._checks(), IN_FLIGHT):
                pass
        except BaseException:
            self._patience.give_up()
            self._leave_nothing()
            raise
        digest, former = self._digest.finish(empty)
        manifest = Manifest(
            data=self._key.rpartition("/")[2],
            size=self._digest.size,
            digest=digest,
            files=tuple(each.record for each in self._files),
            empty=tuple(empty),
        )
        return SentFolder(manifest, former)

    def _tasks(self, files: list[tuple[str, Path]]) -> Generator[tuple[int, Callable[[], None]]]:
        """Read the files in the order of the digest, and yield what sends each of their chunks."""
        for name, path in files:
            size = path.stat().st_size
            chunk = max(CHUNK, -(-size // MOST_PARTS))
            record = FileRecord(key_of(name), size, chunk, [""] * -(-size // chunk))
            file = _SentFile(self._objects, f"{self._key}/{record.key}", record)
            self._files.append(file)
            self._digest.begin(name, size)
            left = size
            with path.open("rb", buffering=0) as stream:
                for number in range(len(record.md5)):
                    data = stream.read(min(chunk, left))
                    left -= len(data)
                    self._digest.update(data)
                    yield len(data), partial(self._send, file, number, data)
                    del data
            if left:
                what = f"The file {name!r} became shorter while it was saved."
                raise CheckpointError(what, fix="Write nothing into a checkpoint after its block has ended.")
            if not size:
                yield 0, partial(self._send, file, 0, b"")

    def _send(self, file: _SentFile, number: int, data: bytes) -> None:
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if self._objects.parts_are_independent:
            self._patience.retry(lambda: file.send(number, data, md5))
        else:  # the whole folder is sent again
            file.send(number, data, md5)
        with self._lock:
            self._sent += len(data)
        self._progress(self._sent, self._total)

    def _checks(self) -> Generator[tuple[int, Callable[[], None]]]:
        """Yield what reads back each chunk of which the other side has not told that it has it."""
        for file in self._files:
            if not file.is_confirmed:
                for start, end, md5 in file.record.chunks():
                    yield end - start, partial(self._check, file, start, end, md5)

    def _check(self, file: _SentFile, start: int, end: int, md5: str) -> None:
        data = self._patience.retry(lambda: self._objects.read(file.key, start, end))
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            raise DamagedError(f"{self._objects.url}/{file.key} is not what was sent.")
        self._progress(self._sent, self._total)

    def _leave_nothing(self) -> None:
        for file in self._files:
            with suppress(Exception):
                file.abort()
        with suppress(Exception):
            self._objects.delete_below(self._key)


class _SentFile:
    """A file while it is sent: as one object, in parts where it has several chunks."""

    def __init__(self, objects: Objects, key: str, record: FileRecord) -> None:
        self._objects = objects
        self.key, self.record = key, record
        self.is_confirmed = True
        self._lock = threading.Lock()
        self._left = len(record.md5)
        self._parts: Parts | None = objects.write_in_parts(key) if self._left > 1 else None

    def send(self, number: int, data: bytes, md5: str) -> None:
        """Send a chunk; with the last one of them the object is there."""
        if self._parts is None:
            confirmed = self._objects.write(self.key, data, md5)
        elif self.record.md5[number]:  # it was sent, and only the end was not reached
            confirmed = True
        else:
            confirmed = self._parts.put(number, data, md5)
        with self._lock:
            self._left -= bool(self.record.md5) and not self.record.md5[number]
            if self.record.md5:
                self.record.md5[number] = md5
            self.is_confirmed = self.is_confirmed and confirmed
            is_last = self._left == 0
        if is_last and self._parts is not None:
            self._parts.finish()

    def abort(self) -> None:
        """Leave no part of it."""
        if self._parts is not None:
            self._parts.abort()
