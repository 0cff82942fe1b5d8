"""What a checkpoint folder may hold: links are followed, empty folders kept, the rest refused by name."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence import artifacts


def listed(root: Path) -> dict[str, bytes | None]:
    """Return the content of all files below a folder, and None for each folder; a link fails."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        assert not path.is_symlink()
        found[path.relative_to(root).as_posix()] = path.read_bytes() if path.is_file() else None
    return found


def published(parent: Path, write: Callable[[Path], object]) -> PublishedFolder:
    """Publish what a function writes."""
    with artifacts.publish(parent, stem="x") as publication:
        write(publication.path)
    return publication.folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder outside of all checkpoints, with a file, a folder in it, and links of its own."""
    (tmp_path / "base" / "deep").mkdir(parents=True)
    (tmp_path / "base" / "weights.bin").write_text("base model")
    (tmp_path / "base" / "deep" / "more.bin").write_text("more")
    (tmp_path / "base" / "deep" / "latest").symlink_to("../weights.bin")
    (tmp_path / "base" / "none").mkdir()
    return tmp_path / "base"


@pytest.mark.spec("6.9")
def test_habit_05_linked_files_and_folders_become_part_of_the_checkpoint(tmp_path: Path, base: Path) -> None:
    """What links lead to is digested, counted and copied: the copy is whole when all else is gone."""

    def write(folder: Path) -> None:
        (folder / "adapter.bin").write_text("x")
        (folder / "base").symlink_to(base)
        (folder / "file").symlink_to(base / "weights.bin")
        (folder / "again").symlink_to("base/deep", target_is_directory=True)
        (folder / "inside").symlink_to("adapter.bin")

    folder = published(tmp_path / "from", write)
    copied = artifacts.copy(folder, tmp_path / "to", stem="y")
    (base / "weights.bin").write_text("trained on")
    for each in (folder, copied):
        assert listed(each.path) == {
            "adapter.bin": b"x",
            "again": None,
            "again/latest": b"base model",
            "again/more.bin": b"more",
            "base": None,
            "base/deep": None,
            "base/deep/latest": b"base model",
            "base/deep/more.bin": b"more",
            "base/none": None,
            "base/weights.bin": b"base model",
            "file": b"base model",
            "inside": b"x",
        }
        artifacts.verify(each)
    assert (folder.size, folder.digest) == (copied.size, copied.digest)
    assert folder.size == 2 * len("x") + 4 * len("base model") + 2 * len("more")


def test_case_18_a_hard_link_shares_nothing_with_the_outside(tmp_path: Path, base: Path) -> None:
    """Who goes on writing to the other name of a file does not change what was saved."""

    def write(folder: Path) -> None:
        os.link(base / "weights.bin", folder / "weights.bin")
        (folder / "one").write_text("1")
        os.link(folder / "one", folder / "other name of one")

    folder = published(tmp_path / "from", write)
    (base / "weights.bin").write_text("trained on")
    artifacts.verify(folder)
    assert listed(folder.path) == {"one": b"1", "other name of one": b"1", "weights.bin": b"base model"}
    assert (folder.path / "one").samefile(folder.path / "other name of one")


def test_case_18_empty_folders_survive_and_count(tmp_path: Path) -> None:
    """An empty folder is content: it is copied, and tells two checkpoints apart."""

    def write(folder: Path) -> None:
        (folder / "logs" / "empty").mkdir(parents=True)
        (folder / "x").write_text("x")

    folder = published(tmp_path / "from", write)
    without = published(tmp_path / "from", lambda path: (path / "x").write_text("x"))
    assert folder.digest != without.digest
    copied = artifacts.copy(folder, tmp_path / "to", stem="y")
    assert listed(copied.path) == {"logs": None, "logs/empty": None, "x": b"x"}
    (copied.path / "logs" / "empty").rmdir()
    with pytest.raises(CheckpointError, match="is corrupt"):
        artifacts.verify(copied)


def test_case_18_checkpoints_of_former_versions_are_still_known(tmp_path: Path, base: Path) -> None:
    """What was saved when empty and linked folders were overlooked is no corrupt checkpoint now."""
    (tmp_path / "old" / "logs").mkdir(parents=True)
    (tmp_path / "old" / "x").write_text("x")
    (tmp_path / "old" / "base").symlink_to(base)
    folder = PublishedFolder(path=tmp_path / "old", size=1, digest=hashlib.sha256(b"1:x:1:x").hexdigest())
    artifacts.verify(folder)
    copied = artifacts.copy(folder, tmp_path / "to", stem="y")
    artifacts.verify(PublishedFolder(path=copied.path, size=1, digest=folder.digest))


def a_socket(path: Path) -> None:
    """Make a socket in a folder whose path may be too long for one."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "dangling": (lambda d: (d / "sub" / "it").symlink_to("nothing"), "'sub/it' .* leads nowhere"),
    "itself": (lambda d: (d / "sub" / "it").symlink_to("it"), "'sub/it' .* leads nowhere"),
    "parent": (lambda d: (d / "sub" / "it").symlink_to(".."), "'sub/it' .* leads in a circle"),
    "here": (lambda d: (d / "it").symlink_to("."), "'it' .* leads in a circle"),
    "above": (lambda d: (d / "it").symlink_to(d.parent), "'it' .* leads in a circle"),
    "fifo": (lambda d: os.mkfifo(d / "sub" / "it"), "'sub/it' .* is a named pipe"),
    "socket": (lambda d: a_socket(d / "sub" / "it"), "'sub/it' .* is a socket"),
    "device": (lambda d: (d / "it").symlink_to("/dev/null"), "'it' .* is a device"),
    "fifo behind a link": (
        lambda d: (os.mkfifo(d.parent.parent / "pipe"), (d / "it").symlink_to(d.parent.parent / "pipe")),
        "'it' .* is a named pipe",
    ),
    "fifo in a linked folder": (
        lambda d: (
            (d.parent.parent / "far").mkdir(),
            os.mkfifo(d.parent.parent / "far" / "pipe"),
            (d / "it").symlink_to(d.parent.parent / "far"),
        ),
        "'it/pipe' .* is a named pipe",
    ),
    "two that lead to each other": (
        lambda d: (
            (d / "other").mkdir(),
            (d / "other" / "a").symlink_to("../sub"),
            (d / "sub" / "b").symlink_to("../other"),
        ),
        "leads in a circle",
    ),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", REFUSED)
def test_habit_05_what_cannot_be_kept_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """Circles, links to nothing, pipes, sockets and devices end the block with their path; nothing hangs."""
    write, words = REFUSED[name]

    def both(folder: Path) -> None:
        (folder / "sub").mkdir()
        write(folder)

    with pytest.raises(CheckpointError, match=words):
        published(tmp_path / "checkpoints", both)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_case_18_a_pipe_in_a_published_folder_is_told(tmp_path: Path) -> None:
    """A folder that got a named pipe afterwards is refused as well, and not waited for."""
    folder = published(tmp_path, lambda path: (path / "x").write_text("x"))
    os.mkfifo(folder.path / "pipe")
    with pytest.raises(CheckpointError, match=r"'pipe' .* is a named pipe"):
        artifacts.verify(folder)


def test_case_18_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without the right to read it is refused when it is saved, not when it is needed."""

    def readable(path: Path, _: int) -> bool:
        return path.name != "secret"

    monkeypatch.setattr(os, "access", readable)
    with pytest.raises(CheckpointError, match=r"'secret' .* cannot be read"):
        published(tmp_path, lambda path: (path / "secret").write_text("x"))


@pytest.mark.parametrize("name", [b"caf\xe9", "café".encode(), b"n" * 255, b"new\nline", b"-rf", b"a b"])
def test_case_18_any_name_is_kept(tmp_path: Path, name: bytes) -> None:
    """Names that are no text, very long ones and odd ones are digested, copied and verified."""
    folder = published(tmp_path / "from", lambda path: (path / os.fsdecode(name)).write_text("x"))
    copied = artifacts.copy(folder, tmp_path / "to", stem="y")
    artifacts.verify(copied)
    assert [os.fsencode(entry.name) for entry in copied.path.iterdir()] == [name]


def test_case_18_names_that_differ_in_case_are_two_files(tmp_path: Path) -> None:
    """Both are digested and copied."""

    def write(folder: Path) -> None:
        (folder / "A").write_text("upper")
        (folder / "a").write_text("lower")

    folder = published(tmp_path / "from", write)
    copied = artifacts.copy(folder, tmp_path / "to", stem="y")
    assert listed(copied.path) == listed(folder.path)
