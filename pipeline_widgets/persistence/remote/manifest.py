"""The manifest of a folder that was sent: the object that is written last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from pipeline_widgets.errors import CheckpointError

VERSION = 1
SUFFIX = ".json"
_PLAIN = "/-_.~ ()+=,@!"  # what a name keeps beside letters and digits; anything else is written as %XX


@dataclass(slots=True)
class FileRecord:
    """A file of a folder: the object, its size, and the MD5 of each of its chunks, by which it was sent."""

    #: Its path below the folder, as an object is named.
    key: str
    size: int
    #: Bytes of a chunk; the last one may be shorter.
    chunk: int
    md5: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        """Its path in the folder, as the disk has it."""
        return unquote(self.key, errors="surrogateescape")

    def chunks(self) -> Iterator[tuple[int, int, str]]:
        """Yield where each chunk begins and ends, and its MD5."""
        for number, md5 in enumerate(self.md5):
            start = number * self.chunk
            yield start, min(start + self.chunk, self.size), md5


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A folder that is there whole."""

    #: The folder below which its objects are, beside the manifest.
    data: str
    size: int
    digest: str
    files: tuple[FileRecord, ...]
    #: The folders in which nothing is.
    empty: tuple[str, ...]


def key_of(name: str) -> str:
    """Return how an object is named for a file; `FileRecord.name` is the way back."""
    return quote(name.encode("utf-8", "surrogateescape"), safe=_PLAIN)


def to_bytes(manifest: Manifest) -> bytes:
    """Return a manifest as the object that is written."""
    files = [[each.key, each.size, each.chunk, each.md5] for each in manifest.files]
    told = {
        "version": VERSION,
        "data": manifest.data,
        "size": manifest.size,
        "digest": manifest.digest,
        "files": files,
        "empty": [key_of(each) for each in manifest.empty],
    }
    return json.dumps(told, separators=(",", ":")).encode()


def from_bytes(data: bytes, where: str) -> Manifest:
    """Return a manifest from its object; who can write there may have written anything.

    Raises:
        CheckpointError: It is none, or names something outside of its folder.
    """
    try:
        told = json.loads(data)
        files = tuple(
            FileRecord(str(key), int(size), int(chunk), [*map(str, md5)])
            for key, size, chunk, md5 in told["files"]
        )
        empty = tuple(unquote(str(each), errors="surrogateescape") for each in told["empty"])
        manifest = Manifest(
            data=str(told["data"]),
            size=int(told["size"]),
            digest=str(told["digest"]),
            files=files,
            empty=empty,
        )
        names = [manifest.data, *(each.name for each in files), *empty]
        whole = all(len(each.md5) == -(-each.size // max(each.chunk, 1)) for each in files)
        is_sound = whole and all(map(_is_below, names)) and "/" not in manifest.data
        is_sound = is_sound and told["version"] == VERSION
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(where) from error
    if not is_sound:
        raise _corrupt(where)
    return manifest


def _corrupt(where: str) -> CheckpointError:
    return CheckpointError(f"The object {where} is corrupt.", "It does not list the files of a folder.")


def _is_below(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name
