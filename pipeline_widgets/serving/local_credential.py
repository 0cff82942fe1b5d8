"""The key with which its own workspace asks an endpoint.

The process that serves makes it and keeps it in a file that only its user can read. The row holds a digest
of it, the token: that tells whose the file is, and that it is not left over from a process before.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pipeline_widgets.domain.endpoint import derive_token
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem

KEY_BYTES = 32


def create() -> str:
    """Return a new key."""
    return secrets.token_urlsafe(KEY_BYTES)


def write(path: Path, key: str) -> None:
    """Keep a key where only this user can read it.

    Raises:
        StorageError: The file cannot be written.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        filesystem.make_private_folder(path.parent)
        fresh.unlink(missing_ok=True)
        with filesystem.open_private(fresh, "x", encoding="utf-8") as file:
            file.write(key)
        fresh.replace(path)
    except OSError as error:
        fix = "Check the artifact folder, then connect the agent again."
        raise StorageError(f"The file {path} cannot be written.", f"{error}.", fix) from error


def read(path: Path, token: str | None) -> str | None:
    """Return the key of the process that holds a token; None where this user may not read it, or cannot."""
    try:
        key = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return key if derive_token(key) == token else None
