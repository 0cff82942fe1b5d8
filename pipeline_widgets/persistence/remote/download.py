"""Bring a folder back: several chunks at a time, in the order in which its digest is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.folder_digest import FolderDigest
from pipeline_widgets.persistence.remote.manifest import Manifest
from pipeline_widgets.persistence.remote.objects import Objects
from pipeline_widgets.persistence.remote.pool import Patience, Pool

IN_FLIGHT = 20 << 20  # bytes that are in memory at once
INSTEAD = "Choose another checkpoint, or run the stage that made it again."


def download(
    objects: Objects,
    key: str,
    manifest: Manifest,
    draft: Path,
    *,
    pool: Pool,
    patience: Patience,
    progress: Callable[[int, int], None],
) -> tuple[str, str]:
    """Write the files of a folder, and return its digest, and that by which former versions knew it.

    Args:
        objects: Where it is.
        key: The folder below which its objects are.
        manifest: Its files.
        draft: The empty folder on this machine.
        pool: The threads that read.
        patience: For how long what fails is tried again.
        progress: Called with the bytes that were received of how many.

    Raises:
        CheckpointError: An object is missing, or is not what was sent.
        StorageError: The disk is full.
        Exception: As the file system has raised it.
    """
    digest, received = FolderDigest(), 0
    files = sorted(manifest.files, key=lambda each: each.name)

    def tasks() -> Generator[tuple[int, Callable[[], bytes]]]:
        for file in files:
            for start, end, md5 in file.chunks():
                whole = start == 0 and end == file.size
                limits = (0, None) if whole else (start, end)
                yield end - start, partial(_read, objects, f"{key}/{file.key}", limits, md5, patience)

    chunks = pool.map(tasks(), IN_FLIGHT)
    try:
        for file in files:
            digest.begin(file.name, file.size)
            with filesystem.translate_os_errors(draft):
                target = draft / file.name
                filesystem.make_private_folder(target.parent)
                with filesystem.open_private(target, "xb", buffering=0) as stream:
                    for _ in file.md5:
                        data = next(chunks)
                        digest.update(data)
                        stream.write(data)
                        received += len(data)
                        progress(received, manifest.size)
                        del data
                filesystem.flush(target)
    except BaseException:
        patience.give_up()
        chunks.close()
        raise
    with filesystem.translate_os_errors(draft):
        for name in manifest.empty:
            filesystem.make_private_folder(draft / name)
    return digest.finish(manifest.empty)


def _read(objects: Objects, key: str, limits: tuple[int, int | None], md5: str, patience: Patience) -> bytes:
    def read() -> bytes:
        data = objects.read(key, *limits)
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            what = f"The object {objects.url}/{key} is corrupt."
            start = limits[0]
            raise CheckpointError(what, f"What is in it from byte {start} is not what was saved.", INSTEAD)
        return data

    try:
        return patience.retry(read, final=(FileNotFoundError,))
    except FileNotFoundError as error:
        what = f"The object {objects.url}/{key} is missing."
        raise CheckpointError(what, "Somebody has deleted it.", INSTEAD) from error
