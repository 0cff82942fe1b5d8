"""A copy of a workspace is told from one that was moved, restored or is seen by another path."""

from __future__ import annotations

import pytest

from pipeline_widgets.domain.workspace import Origin, Place, Stamp, claim_folder, decide_origin


def place(path: str = "/a/lab.db", inode: int | None = 7, *, device: int = 1, machine: str = "here") -> Place:
    """Return a place."""
    return Place(machine=machine, path=path, device=device, inode=inode)


@pytest.mark.parametrize(
    ("recorded", "here", "there", "origin"),
    [
        (None, place(), False, Origin.SAME),  # made by an older version
        (place(), place(), False, Origin.SAME),
        (place(), place("/b/lab.db"), False, Origin.SAME),  # renamed
        (place(), place(inode=8), False, Origin.SAME),  # restored in its place
        (place(), place("/b/lab.db", 8), True, Origin.COPY),
        (place(), place("/b/lab.db", 8), False, Origin.MOVED),  # to another file system
        (place(), place("/b/lab.db", 8, device=2), False, Origin.MOVED),
        (place(), place("/b/lab.db", 7, device=2), True, Origin.COPY),  # the same number by chance
        (place(), place("/n/lab.db", 7, device=9, machine="other"), False, Origin.SAME),  # a shared folder
        (place(), place("/n/lab.db", 8, device=9, machine="other"), False, Origin.COPY),
        (place(), place("/a/lab.db", 8, machine="other"), False, Origin.SAME),
        (place(inode=None), place("/n/lab.db", None, machine="other"), False, Origin.SAME),
        (place(inode=None), place("/b/lab.db", None), False, Origin.MOVED),
        (place(inode=None), place("/b/lab.db", None), True, Origin.COPY),
    ],
)
def test_case_16_a_copy_is_told_from_the_original(
    recorded: Place | None,
    here: Place,
    there: bool,  # noqa: FBT001
    origin: Origin,
) -> None:
    """What is elsewhere while the original is in its place is a copy; what was renamed or mounted is not."""
    assert decide_origin(recorded, here, original_there=there) is origin


FOLDER = place("/a/files", 70)


def stamp(workspace: str = "me", *, at: Place = FOLDER, copied_from: str | None = None) -> Stamp:
    """Return what a folder says."""
    return Stamp(workspace=workspace, copied_from=copied_from, database="/a/lab.db", place=at)


@pytest.mark.parametrize(
    ("origin", "said", "here", "options", "refusal"),
    [
        (Origin.SAME, None, FOLDER, {}, ""),
        (Origin.SAME, None, FOLDER, {"used": True}, ""),  # made by an older version
        (Origin.SAME, None, FOLDER, {"new": True}, ""),
        (Origin.SAME, None, FOLDER, {"new": True, "used": True}, "runs of another workspace"),
        (Origin.SAME, stamp(), FOLDER, {}, ""),
        (Origin.SAME, stamp(), place("/b/files", 71), {}, ""),  # moved along
        (Origin.SAME, stamp("you"), FOLDER, {}, "belongs to the workspace /a/lab.db"),
        (Origin.SAME, stamp("you"), FOLDER, {"new": True}, "belongs to the workspace /a/lab.db"),
        (Origin.SAME, stamp("you"), FOLDER, {"new": True, "owner_there": False}, ""),  # nothing was in it
        (Origin.SAME, stamp("you"), FOLDER, {"new": True, "owner_there": False, "used": True}, "belongs to"),
        (Origin.COPY, stamp(), FOLDER, {}, "of which this database is a copy"),
        (Origin.COPY, stamp(), place("/mnt/files", 70), {}, "of which this database is a copy"),
        (Origin.COPY, stamp(), place("/b/files", 71), {}, ""),  # copied along
        (Origin.COPY, stamp("new", copied_from="me"), FOLDER, {}, ""),  # interrupted
        (Origin.COPY, stamp("you"), FOLDER, {}, "belongs to the workspace /a/lab.db"),
        (Origin.COPY, None, FOLDER, {}, ""),
    ],
)
def test_case_4_a_folder_belongs_to_one_workspace(
    origin: Origin, said: Stamp | None, here: Place, options: dict[str, bool], refusal: str
) -> None:
    """A folder is refused to whoever is not its workspace; a copied one goes with the copied database."""
    claim = claim_folder("me", origin, said, here, **options)
    assert refusal in claim.refusal
    assert bool(claim.refusal) is bool(refusal)
