"""The URL below which a workspace keeps its artifacts where that is no folder of the machine."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from pipeline_widgets.errors import ConfigError

#: What a process keeps to itself: the process that trains would write where nobody else can read.
_OF_ONE_PROCESS = frozenset({"memory"})
_OF_THIS_MACHINE = frozenset({"file", "local"})
#: What can only be read, or is no place for files.
_UNFIT = frozenset({"http", "https", "data", "zip", "tar", "github", "git", "reference"})
ELSEWHERE = 'Name a place that all machines can write, such as "s3://bucket/prefix" or "sftp://host/folder".'


def is_url(place: object) -> bool:
    """Return whether artifacts are named by a URL, and not by a path."""
    return isinstance(place, str) and "://" in place


def parse_artifact_url(text: str, *, shared: bool = True) -> str:
    """Return a URL as a row keeps it: without a slash at the end, and without anything secret.

    Args:
        text: The URL, for any file system that fsspec knows.
        shared: Whether other processes have to find there what one has written.

    Raises:
        ConfigError: It holds a password, options, or several file systems; or nothing can be kept there.
    """
    what = "Artifacts cannot be kept there."
    if "::" in text:
        raise ConfigError(what, "It joins several file systems by '::'.", ELSEWHERE)
    parts = urlsplit(text)
    if _has_password(parts):
        why = "It holds a password, and everybody who can open the workspace could read it."
        fix = "Leave it out: credentials come from the environment, or from files of each user."
        raise ConfigError(what, why, fix)
    if parts.query or parts.fragment:
        why = "It has options after '?' or '#'."
        fix = "Leave them out: options of a file system come from the environment (FSSPEC_...)."
        raise ConfigError(what, why, fix)
    protocol = parts.scheme.lower()
    if protocol in _UNFIT or (shared and protocol in _OF_ONE_PROCESS):
        raise ConfigError(what, f"What {protocol}:// names cannot be written by all processes.", ELSEWHERE)
    if protocol in _OF_THIS_MACHINE and parts.netloc:
        raise ConfigError(
            what, f"{text} is relative to some folder.", "Write it from the root: file:///folder."
        )
    if not (parts.netloc or parts.path.strip("/")):
        raise ConfigError(what, f"{protocol}:// names neither a bucket nor a folder.", ELSEWHERE)
    return text.rstrip("/")


def _has_password(parts: SplitResult) -> bool:
    return parts.username is not None and ":" in parts.netloc.rpartition("@")[0]
