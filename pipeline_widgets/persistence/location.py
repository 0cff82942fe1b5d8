"""The location of a workspace's artifacts: a folder, or a URL with a cache folder on each machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.domain.artifact_url import is_url, parse_artifact_url
from pipeline_widgets.errors import ConfigError, StorageError
from pipeline_widgets.persistence.database import Database

CACHE_VARIABLE = "PIPELINE_WIDGETS_CACHE"
#: Below the home of whoever opens the workspace: machines that share a database need not share files.
CACHES = "~/.cache/pipeline-widgets"


@dataclass(frozen=True, slots=True)
class Location:
    """The location that is asked for; None for the one that the workspace was made with."""

    folder: Path | None = None
    url: str | None = None


def parse_location(artifacts: str | Path | None, cache: str | Path | None = None) -> Location:
    """Return what `artifacts` and `cache` of a workspace ask for.

    Raises:
        ConfigError: The URL cannot be used, or there is a cache without a URL.
    """
    if is_url(artifacts):
        folder = None if cache is None else Path(cache).expanduser().resolve()
        return Location(folder, parse_artifact_url(str(artifacts)))
    if cache is not None and artifacts is not None:
        why = "A folder has all artifacts, and needs no cache."
        raise ConfigError("There is nothing to be cached.", why, "Leave out `cache`.")
    folder = artifacts if cache is None else cache
    return Location(None if folder is None else Path(folder).expanduser().resolve())


def default_folder(database: Database, url: str | None, identity: str) -> str:
    """Return the folder of a new workspace, as its row names it.

    Raises:
        StorageError: There is none: its database is on a server, and it keeps its artifacts at no URL.
    """
    if database.is_sqlite:
        return f"{database.name}-artifacts"
    if url is not None:
        return f"{CACHES}/{identity}"
    why = "Checkpoints and logs are files, which a database server does not keep."
    fix = "Name a folder or URL that every machine of the team sees: Workspace(url, artifacts=...)."
    raise StorageError("A new workspace on a database server needs an artifact folder.", why, fix)


def resolve_folder(database: Database, kept: str, url: str | None, identity: str) -> Path:
    """Return the folder that a row names, on this machine.

    Args:
        database: The database; a relative folder of a SQLite file is beside that.
        kept: The folder as the row names it.
        url: The URL of the artifacts; with one the folder can be another one on each machine.
        identity: The identity of the workspace.
    """
    if url is not None:
        if (caches := os.environ.get(CACHE_VARIABLE)) is not None:
            return (Path(caches).expanduser() / identity).resolve()
        if kept.startswith("~/"):
            return Path(kept).expanduser().resolve()
    return (base_folder(database) / kept).resolve()


def relative_folder(database: Database, folder: Path) -> str:
    """Return a folder as the row names it: relative where it can be, so that both can be moved together."""
    base = base_folder(database).resolve()
    movable = database.is_sqlite and folder.is_relative_to(base)
    return str(folder.relative_to(base) if movable else folder)


def base_folder(database: Database) -> Path:
    """Return the folder that relative ones are below."""
    return database.path.parent if database.path else Path("/")
