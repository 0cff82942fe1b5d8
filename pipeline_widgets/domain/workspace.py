"""The identity of a workspace's database, and the owner of a folder of artifacts.

A workspace has an identity, a random number that its database and its artifact folder both hold. A copy holds
the same one, so each also keeps where it was when it was opened last: what is found elsewhere, while the
original is still in its place, is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The place of a file or folder."""

    #: The name of the machine.
    machine: str
    path: str
    device: int
    #: None where the file system gives no lasting numbers.
    inode: int | None

    def is_file_of(self, other: Place) -> bool:
        """Return whether both are one file, perhaps by two paths: of a link, a mount, or another machine."""
        if self.inode is None or other.inode is None:
            return self.path == other.path and self.machine == other.machine
        same_device = self.device == other.device or self.machine != other.machine
        return self.inode == other.inode and same_device


class Origin(StrEnum):
    """The relation of a database to the one that was opened last."""

    SAME = "same"
    MOVED = "moved"
    COPY = "copy"


def decide_origin(recorded: Place | None, here: Place, *, original_there: bool) -> Origin:
    """Decide whether a database is the one that its row was written in.

    Where the answer is in doubt it is the original: a copy that is taken for it is found by the stamp of its
    folder, but an original that was taken for a copy would lose the runs that are at work.

    Args:
        recorded: Where it was when it was opened last; None if nobody has kept that.
        here: Where it is.
        original_there: Whether another file of the same identity is where it was.
    """
    if recorded is None:
        return Origin.SAME
    if original_there:
        return Origin.COPY
    if here.path == recorded.path or here.is_file_of(recorded):
        return Origin.SAME  # restored in place; renamed, or mounted elsewhere
    if here.machine == recorded.machine:
        return Origin.MOVED  # to another file system: nothing is where it was
    if here.inode is None:
        return Origin.SAME  # a shared folder under another path
    return Origin.SAME if here.inode == recorded.inode else Origin.COPY


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """The owner of an artifact folder, as the folder itself names it."""

    #: The identity of the workspace.
    workspace: str
    #: The identity of the workspace that this one is a copy of.
    copied_from: str | None = None
    #: How the database can be found by a person.
    database: str
    #: Where the folder was when this was written: a copied folder is elsewhere.
    place: Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Whether a workspace may use a folder, and the reason why not."""

    refusal: str = ""
    #: Whether the folder has to be stamped for it.
    stamp: bool = False


def claim_folder(
    identity: str,
    origin: Origin,
    stamp: Stamp | None,
    here: Place,
    *,
    new: bool = False,
    used: bool = False,
    owner_there: bool = True,
) -> Claim:
    """Decide whether a workspace may use a folder of artifacts.

    Args:
        identity: The identity of the workspace, as its row has it: a copy has that of its original.
        origin: What its database is.
        stamp: What the folder says.
        here: Where the folder is.
        new: Whether the workspace is being made.
        used: Whether there are files of runs or agents in the folder.
        owner_there: Whether the database that the stamp names is there.
    """
    if stamp is None:
        if new and used:
            return Claim(refusal="It holds the runs of another workspace, whose database is not this one.")
        return Claim(stamp=True)
    if origin is Origin.COPY and stamp.copied_from == identity:  # interrupted before it was in the row
        return Claim(stamp=True)
    if origin is Origin.COPY and stamp.workspace == identity:
        if stamp.place.path == here.path or stamp.place.is_file_of(here):
            return Claim(refusal=f"It belongs to {stamp.database}, of which this database is a copy.")
        return Claim(stamp=True)
    if new and not used and not owner_there:  # what was left of a workspace that was deleted
        return Claim(stamp=True)
    if new or stamp.workspace != identity:
        return Claim(refusal=f"It belongs to the workspace {stamp.database}.")
    return Claim(stamp=stamp.place != here)


def claim_url(
    identity: str, origin: Origin, stamp: Stamp | None, url: str, database: str, *, new: bool, used: bool
) -> Claim:
    """Decide whether a workspace may keep its artifacts below a URL.

    Args:
        identity: The identity of the workspace, as its row has it: a copy has that of its original.
        origin: What its database is.
        stamp: What the object there says.
        url: The URL.
        database: How its database can be found by a person.
        new: Whether the workspace is being made.
        used: Whether there are files of runs or agents, but no stamp.
    """
    if stamp is None:
        if new and used:
            return Claim(refusal="It holds the runs of another workspace, whose database is not this one.")
        return Claim(stamp=True)
    if origin is Origin.COPY:
        if identity in {stamp.workspace, stamp.copied_from} and stamp.place.path != url:
            return Claim(stamp=True)  # what was copied there still says where it was
        if stamp.copied_from == identity and stamp.database == database:
            return Claim(stamp=True)  # interrupted before it was in the row
        return Claim(refusal=f"They belong to {stamp.database}, of which this database is a copy.")
    if new and stamp.database == database and not used:
        return Claim(stamp=True)  # the making of this workspace was interrupted
    if new or stamp.workspace != identity:
        return Claim(refusal=f"They belong to the workspace {stamp.database}.")
    return Claim()
