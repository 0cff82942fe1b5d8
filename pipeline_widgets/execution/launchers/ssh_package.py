"""This package as it can be copied to another host: its source, and what it declares."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pipeline_widgets.errors import ExecutionError

NAME = "pipeline-widgets"
_ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = {"__pycache__", "static"}  # views are shown here alone
_REQUIRED = re.compile(r"[A-Za-z0-9._-]+")


def find_version() -> str | None:
    """Return the version of this package; None where it is not installed."""
    try:
        return distribution(NAME).version
    except PackageNotFoundError:
        return None


def find_requirements() -> tuple[str, ...]:
    """Return the names of the distributions that this package cannot do without."""
    try:
        required = distribution(NAME).requires or ()
    except PackageNotFoundError:
        return ()
    named = (_REQUIRED.match(each) for each in required if "extra ==" not in each)
    return tuple(found[0] for found in named if found is not None)


@cache
def pack() -> tuple[str, str]:
    """Return a name for a copy of this package, by its content, and the copy: a tar file in base 64.

    Raises:
        ExecutionError: This package is not installed here, so that nothing says what it declares.
    """
    try:
        installed = distribution(NAME)
    except PackageNotFoundError as error:
        what = "This package cannot be copied to another host."
        raise ExecutionError(what, "It is not installed here.", "Install it: pip install -e .") from error
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz", compresslevel=6) as archive:
        for path in sorted(_ROOT.rglob("*")):
            within = path.relative_to(_ROOT.parent)
            if path.is_file() and not _LEFT_OUT.intersection(within.parts):
                _add(archive, str(within), path.read_bytes())
        for name in ("METADATA", "entry_points.txt"):
            text = installed.read_text(name) or ""
            _add(archive, f"pipeline_widgets-{installed.version}.dist-info/{name}", text.encode())
    content = base64.encodebytes(held.getvalue()).decode("ascii")
    # The file names its own time of making; the digest is of what it holds.
    with tarfile.open(fileobj=io.BytesIO(held.getvalue())) as archive:
        digest = hashlib.sha256()
        for member in archive:
            found = archive.extractfile(member)
            digest.update(f"{member.name}\0{member.size}\0".encode())
            digest.update(found.read() if found is not None else b"")
    return f"{installed.version}-{digest.hexdigest()[:16]}", content


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))
