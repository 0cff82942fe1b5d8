"""Keeps which workspace a URL belongs to, in an object there: no two of them share one."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from typing import Any

from pipeline_widgets.domain.workspace import Claim, Origin, Place, Stamp, claim_url
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence.artifact_paths import AGENTS, RUNS
from pipeline_widgets.persistence.remote.folders import UNANSWERED, RemoteFolders
from pipeline_widgets.persistence.remote.objects import Objects

STAMP = "workspace.json"
OTHER_URL = "Name another one with `artifacts=`; a copy of a workspace needs a copy of what is there, too."


def claim(
    url: str,
    database: str,
    identity: str,
    origin: Origin = Origin.SAME,
    *,
    copy: str | None = None,
    new: bool = False,
) -> None:
    """Claim a URL for a workspace, unless it is another's.

    Args:
        url: The URL.
        database: How the workspace's database can be found by a person.
        identity: The identity of the workspace; where it is a copy, that of its original.
        origin: What its database is.
        copy: The identity that a copy gets.
        new: Whether the workspace is being made.

    Raises:
        StorageError: It belongs to another workspace, or nobody answers.
    """
    folders = RemoteFolders(url)
    with folders.translate_errors():
        stamp = _read(folders.objects)
        used = stamp is None and any(True for name in (RUNS, AGENTS) for _ in folders.objects.entries(name))
        decided = claim_url(identity, origin, stamp, url, database, new=new, used=used)
        _refuse(url, decided)
        if not decided.stamp:
            return
        place = Place(machine=platform.node(), path=url, device=0, inode=None)
        ours = Stamp(
            workspace=copy or identity, copied_from=identity if copy else None, database=database, place=place
        )
        data = json.dumps(asdict(ours)).encode()
        if stamp is not None:
            folders.objects.overwrite(STAMP, data)
        elif not folders.objects.create(STAMP, data):  # somebody has claimed it at the same moment
            found = _read(folders.objects)
            _refuse(url, claim_url(ours.workspace, Origin.SAME, found, url, database, new=False, used=False))


def is_unanswered(error: StorageError) -> bool:
    """Return whether an error says that nobody has answered, and not that the URL is another's."""
    return error.code == UNANSWERED


def _read(objects: Objects) -> Stamp | None:
    try:
        told: dict[str, Any] = json.loads(objects.read(STAMP))
        place = Place(**told.pop("place"))
        return Stamp(**told, place=place)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        nowhere = Place(machine="", path="", device=0, inode=None)
        return Stamp(workspace="", database=f"that {STAMP} names, which is damaged", place=nowhere)


def _refuse(url: str, decided: Claim) -> None:
    if decided.refusal:
        raise StorageError(f"The artifacts at {url} are another's.", decided.refusal, OTHER_URL)
