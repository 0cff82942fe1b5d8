"""What the file system says, in words."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem

MOUNTS = """\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
40 22 0:50 / /home/me rw,relatime shared:30 master:2 - nfs4 server:/home rw,vers=4.2
41 40 0:51 / /home/me/scratch rw - xfs /dev/sdb1 rw
42 22 0:52 / /mnt/team\\040share rw - cifs //server/team rw
43 22 0:53 / /mnt/ssh rw - fuse.sshfs me@host:/data rw
44 22 0:54 / /lustre rw - lustre 10.0.0.1@tcp:/fs rw
"""

FOREIGN = [
    *("nfs4", "cifs", "lustre", "ceph", "fuse.ceph-fuse", "fuse.glusterfs", "afs", "davfs", "fuse.s3fs"),
    *(
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.juicefs",
        "vboxsf",
        "fuse.vmhgfs-fuse",
        "virtiofs",
        "fuse.grpcfuse",
    ),
    *("ocfs2", "gfs2", "wekafs", "9p", "fuse.portal", "drvfs", "fuse", "newfs"),
]


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A table of mounts as Linux shows it."""
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("folder", "network"),
    [
        ("/", False),
        ("/home", False),
        ("/home/me", True),
        ("/home/me/project/deep", True),
        ("/home/me/scratch/project", False),
        ("/home/mean", False),
        ("/mnt/team share/lab", True),
        ("/mnt/ssh", True),
        ("/lustre/a", True),
    ],
)
def test_the_nearest_mount_tells_whether_a_folder_is_on_another_machine(
    mounts: Path,
    folder: str,
    network: bool,  # noqa: FBT001
) -> None:
    """NFS, SMB, sshfs and cluster file systems are told, also for folders deep below their mount."""
    assert filesystem.is_network(Path(folder), mounts) is network


@pytest.mark.parametrize(
    "kind",
    [
        "nfs4",
        "cifs",
        "lustre",
        "ceph",
        "fuse.ceph-fuse",
        "fuse.glusterfs",
        "afs",
        "davfs",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.juicefs",
        "vboxsf",
        "fuse.vmhgfs-fuse",
        "virtiofs",
        "fuse.grpcfuse",
        "ocfs2",
        "gfs2",
        "wekafs",
        "9p",
        "fuse.portal",
        "drvfs",
        "fuse",
        "newfs",
    ],
)
def test_case_23_what_is_not_known_to_be_local_is_not_taken_for_it(kind: str, tmp_path: Path) -> None:
    """Network, virtual and unknown file systems get no write-ahead log."""
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:50 / /data rw - {kind} server:/x rw\n")
    assert filesystem.is_network(Path("/data/lab"), table)
    assert not filesystem.is_network(Path("/database"), table)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "overlay", "ext2", "ext3"]
)
def test_case_23_a_local_disk_keeps_the_write_ahead_log(kind: str, tmp_path: Path) -> None:
    """Disks and memory of this machine are known to be local."""
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 8:1 / / rw - nfs4 server:/ rw\n2 1 0:50 / /data rw - {kind} /dev/x rw\n")
    assert not filesystem.is_network(Path("/data/lab"), table)


@pytest.mark.parametrize(
    ("mounts", "folder", "network"),
    [
        ("2 1 0:1 / /d rw - ext4 a rw\n3 2 0:2 / /d rw - nfs4 b rw", "/d/x", True),
        ("2 1 0:1 / /d rw - nfs4 a rw\n3 2 0:2 / /d rw - ext4 b rw", "/d/x", False),
        ("2 1 0:1 / /d rw - nfs4 a rw\n3 1 0:2 / /d rw - ext4 b rw", "/d/x", False),
        ("2 1 0:1 / /d/e rw - nfs4 a rw\n3 1 0:2 / /d rw - ext4 b rw", "/d/e", False),
        ("3 2 0:1 / /d/e rw - nfs4 a rw\n2 1 0:2 / /d rw - ext4 b rw", "/d/e", True),
        (r"2 1 0:1 / /a\040b\011c\012d\134e rw - nfs4 a rw", "/a b\tc\nd\\e/x", True),
        ("2 1 0:1 / /d rw shared:1 master:2 - nfs4 a rw", "/d", True),
        ("2 1 0:1 / /übung rw - virtiofs a rw", "/übung/x", True),
        ("nonsense", "/d", False),
    ],
)
def test_case_23_mounts_over_mounts_and_escapes(
    mounts: str,
    folder: str,
    network: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    """Of mounts over each other the one that can be seen counts, and octal escapes are read."""
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n{mounts}\n")
    assert filesystem.is_network(Path(folder), table) is network


def test_case_23_a_table_that_tells_nothing_means_no_write_ahead_log(tmp_path: Path) -> None:
    """Where a folder is in no mount that is listed it is not known to be local."""
    (tmp_path / "empty").touch()
    assert filesystem.is_network(tmp_path, tmp_path / "empty")


def test_a_relative_folder_is_taken_from_the_current_one(
    mounts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link into a network folder counts as what it points to."""
    link = tmp_path / "data"
    link.symlink_to("/lustre/a")
    monkeypatch.chdir(tmp_path)
    assert filesystem.is_network(Path("data"), mounts)
    assert not filesystem.is_network(Path(), mounts)


def test_where_the_system_does_not_tell_the_answer_is_no(tmp_path: Path) -> None:
    """Without a table of mounts a folder counts as local."""
    assert not filesystem.is_network(tmp_path, tmp_path / "missing")


@pytest.mark.parametrize("code", sorted(filesystem.FULL))
def test_a_full_disk_is_told(code: int) -> None:
    """No space, and no quota, are the disk being full."""
    with (
        pytest.raises(StorageError, match=r"Nothing could be saved in /x. The disk is full. Free some space"),
        filesystem.translate_os_errors(Path("/x")),
    ):
        raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", sorted(filesystem.REFUSED))
def test_a_refusal_is_told_with_the_systems_reason(code: int) -> None:
    """Read-only and forbidden folders are told with what the system says, and what to do."""
    with (
        pytest.raises(StorageError, match=f"/x cannot be written. {os.strerror(code)}. Get permission"),
        filesystem.translate_os_errors(Path("/x")),
    ):
        raise OSError(code, os.strerror(code))


def test_other_errors_are_left_as_they_are() -> None:
    """An error that is none of these is not dressed up."""
    with pytest.raises(FileNotFoundError), filesystem.translate_os_errors(Path("/x")):
        raise FileNotFoundError(errno.ENOENT, "gone")
    with pytest.raises(PermissionError), filesystem.translate_os_errors(Path("/x"), filesystem.FULL):
        raise PermissionError(errno.EACCES, "no")


def test_files_and_folders_can_be_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush reaches the file or the folder itself."""
    flushed: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(stat.S_ISDIR(os.fstat(fd).st_mode)))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    (tmp_path / "file").write_text("x")
    filesystem.flush(tmp_path / "file")
    filesystem.flush(tmp_path)
    assert flushed == [False, True]


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_row_14_what_is_made_is_private_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], None], mask: int
) -> None:
    """New folders are 0700, with their parents, and new files 0600."""
    umask(mask)
    filesystem.make_private_folder(tmp_path / "a" / "b")
    filesystem.open_private(tmp_path / "a" / "b" / "file", "xb").close()
    assert [mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")] == [0o700, 0o700]
    assert mode_of(tmp_path / "a" / "b" / "file") == 0o600


def test_what_is_there_keeps_its_mode_and_a_shared_folder_is_shared_on(
    tmp_path: Path, umask: Callable[[int], None]
) -> None:
    """Who shares a folder with a group by its setgid bit shares what is made in it, to be read."""
    umask(0o077)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    filesystem.make_private_folder(shared)
    filesystem.make_private_folder(shared / "runs" / "1")
    umask(0o022)
    filesystem.open_private(shared / "runs" / "1" / "log.txt", "ab").close()
    assert mode_of(shared) == mode_of(shared / "runs") == mode_of(shared / "runs" / "1") == 0o2770
    assert mode_of(shared / "runs" / "1" / "log.txt") == 0o640


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    """It is not a folder, and is left as it is."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        filesystem.make_private_folder(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        filesystem.make_private_folder(tmp_path / "file" / "below")


def mode_of(path: Path) -> int:
    """Return the mode of a file."""
    return stat.S_IMODE(path.stat().st_mode)
