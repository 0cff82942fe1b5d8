"""Folders of checkpoints: published whole, known by their content."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from factories.lab import a_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from tampering import overwrite

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import artifacts, file_copies, filesystem, folder_digest


def names(parent: Path) -> list[str]:
    """Return what is in a folder, hidden entries included."""
    return sorted(entry.name for entry in parent.iterdir())


def test_a_folder_appears_when_the_block_has_ended(tmp_path: Path) -> None:
    """Until then there is only a hidden folder; afterwards only the published one, with its size."""
    with artifacts.publish(tmp_path, stem="0010") as publication:
        (publication.path / "weights").write_bytes(b"abc")
        (hidden,) = names(tmp_path)
        assert hidden.startswith(".writing-")
    folder = publication.folder
    assert names(tmp_path) == [folder.path.name]
    assert re.fullmatch(r"0010-[0-9a-f]{12,}", folder.path.name)
    assert folder.digest.startswith(folder.path.name.removeprefix("0010-"))
    assert (folder.size, (folder.path / "weights").read_bytes()) == (3, b"abc")
    artifacts.verify(folder)


def test_what_is_not_published_yet_has_no_folder(tmp_path: Path) -> None:
    """Asking for the folder within the block is refused."""
    with (
        pytest.raises(StorageError, match="not published yet"),
        artifacts.publish(tmp_path, stem="x") as publication,
    ):
        _ = publication.folder
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_the_block_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever is raised while writing, no folder is published and none is left over."""
    with pytest.raises(error), artifacts.publish(tmp_path, stem="x") as publication:  # noqa: PT012
        (publication.path / "half").write_text("half")
        raise error
    assert names(tmp_path) == []


contents = st.dictionaries(
    st.sampled_from(["a", "b", "sub/a", "sub/deep/b"]), st.binary(max_size=20), min_size=1, max_size=4
)


def write(parent: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder, in the order in which they come."""
    for name, content in files.items():
        (parent / name).parent.mkdir(parents=True, exist_ok=True)
        (parent / name).write_bytes(content)
    return parent


@settings(max_examples=40)
@given(contents, contents)
def test_the_digest_tells_contents_apart(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    """Names and bytes make the digest; the order of writing, times and places do not."""
    one = artifacts.measure(write(tmp_path_factory.mktemp("a"), first))
    other = artifacts.measure(write(tmp_path_factory.mktemp("b"), dict(reversed(second.items()))))
    assert (one.digest == other.digest) == (first == second)
    assert one.size == sum(map(len, first.values()))


def test_the_digest_stays_the_same_in_later_versions(tmp_path: Path) -> None:
    """Checkpoints that were saved once are still known by their digest: this value never changes."""
    folder = artifacts.measure(write(tmp_path, {"weights": b"abc", "sub/config": b"{}"}))
    assert folder.digest == hashlib.sha256(b"10:sub/config:2:{}7:weights:3:abc").hexdigest()


def test_bytes_do_not_wander_between_names_and_contents(tmp_path: Path) -> None:
    """A file "ab" with "c" and a file "a" with "bc" are two contents."""
    one = write(tmp_path / "1", {"ab": b"c"})
    other = write(tmp_path / "2", {"a": b"bc"})
    assert artifacts.measure(one).digest != artifacts.measure(other).digest


def test_the_same_content_is_published_once(tmp_path: Path) -> None:
    """Publishing the same again leaves the folder that is there, and no other."""
    first = a_folder(tmp_path, "x", "same")
    kept = (first.path / "weights.txt").stat().st_mtime_ns
    second = a_folder(tmp_path, "x", "same")
    assert second == first
    assert names(tmp_path) == [first.path.name]
    assert (first.path / "weights.txt").stat().st_mtime_ns == kept


def test_two_that_publish_the_same_at_one_moment_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losing the race to another process that publishes the same content is no error."""
    exists, overtaken = Path.exists, list[PublishedFolder]()

    def looked(path: Path) -> bool:
        found = exists(path)
        if path.parent == tmp_path and not overtaken:
            monkeypatch.setattr(Path, "exists", exists)
            overtaken.append(a_folder(tmp_path, "x", "same"))  # between our look and our rename
        return found

    monkeypatch.setattr(Path, "exists", looked)
    folder = a_folder(tmp_path, "x", "same")
    assert overtaken == [folder]
    artifacts.verify(folder)
    assert names(tmp_path) == [folder.path.name]


def test_a_published_folder_is_as_readable_as_any(tmp_path: Path) -> None:
    """Colleagues may read an artifact: its mode is that of any new folder."""
    (tmp_path / "any").mkdir()
    assert a_folder(tmp_path, "x", "x").path.stat().st_mode == (tmp_path / "any").stat().st_mode


DAMAGES: list[Callable[[Path], object]] = [
    lambda path: overwrite(path / "weights.txt", "other"),
    lambda path: overwrite(path / "weights.txt", ""),
    lambda path: (path / "weights.txt").unlink(),
    lambda path: (path / "extra").write_text("x"),
    lambda path: (path / "weights.txt").rename(path / "renamed"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_corrupt_folder_is_detected(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """Changed, shortened, missing, added and renamed files are all seen, with both sizes told."""
    folder = a_folder(tmp_path / "from", "x", "content")
    damage(folder.path)
    with pytest.raises(CheckpointError, match=f"{folder.path} is corrupt. .* 7 were saved, and the digest"):
        artifacts.verify(folder)
    with pytest.raises(CheckpointError, match="is corrupt"):
        artifacts.copy(folder, tmp_path / "to", stem="x")
    assert names(tmp_path / "to") == []


def test_a_missing_folder_is_detected(tmp_path: Path) -> None:
    """A folder that is gone is told, and is not copied."""
    gone = PublishedFolder(path=tmp_path / "gone", size=1, digest="d")
    with pytest.raises(CheckpointError, match=r"is missing. Its folder is gone. Choose another checkpoint"):
        artifacts.verify(gone)
    with pytest.raises(CheckpointError, match="is missing"):
        artifacts.copy(gone, tmp_path / "to", stem="x")


def test_a_copy_has_the_content_and_is_its_own(tmp_path: Path) -> None:
    """A copy has the same digest, and outlives what becomes of the original."""
    original = a_folder(tmp_path / "from", "x", "content")
    copied = artifacts.copy(original, tmp_path / "to", stem="y")
    assert (copied.digest, copied.size) == (original.digest, original.size)
    with suppress(PermissionError):  # who may not write to a file shares it
        (original.path / "weights.txt").write_text("changed")
    artifacts.verify(copied)
    shutil.rmtree(original.path)
    artifacts.verify(copied)


def full(*_: object, **__: object) -> None:
    """Do as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_while_writing_is_told(tmp_path: Path) -> None:
    """A train function that meets a full disk in its block gets the error that says so."""
    with pytest.raises(StorageError, match="The disk is full"), artifacts.publish(tmp_path, stem="x"):
        full()
    assert names(tmp_path) == []


def test_a_disk_that_is_full_while_publishing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush that finds the disk full publishes nothing."""
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="The disk is full"):
        a_folder(tmp_path, "x", "x")
    assert names(tmp_path) == []


def test_a_disk_that_is_full_while_copying_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy for an agent that meets a full disk says so too, and leaves nothing."""
    original = a_folder(tmp_path / "from", "x", "content")
    monkeypatch.setattr(artifacts, "read_file", full)
    with pytest.raises(StorageError, match="The disk is full"):
        artifacts.copy(original, tmp_path / "to", stem="y")
    assert names(tmp_path / "to") == []


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a checkpoint that this user may not read is refused in our own words."""

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    original = a_folder(tmp_path / "from", "x", "content")
    monkeypatch.setattr(artifacts, "read_file", forbidden)
    with pytest.raises(StorageError, match="Permission denied"):
        artifacts.copy(original, tmp_path / "to", stem="y")


def test_the_writers_own_errors_are_left_as_they_are(tmp_path: Path) -> None:
    """What a train function meets in its block, but for a full disk, is its own affair."""
    with pytest.raises(FileNotFoundError), artifacts.publish(tmp_path, stem="x") as publication:
        (publication.path / "missing").read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where a file stands in the way the error says what the system says."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        a_folder(tmp_path / "taken", "x", "x")


@pytest.mark.spec("6.9")
def test_a_process_killed_while_it_publishes_leaves_no_published_folder(tmp_path: Path) -> None:
    """Kill -9 in the middle of writing leaves a hidden folder at most, and the next publish works."""
    program = f"""
        import os, signal
        from pathlib import Path
        from pipeline_widgets.persistence import artifacts, file_copies, filesystem, folder_digest
        with artifacts.publish(Path({str(tmp_path)!r}), stem="x") as publication:
            (publication.path / "half").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert all(name.startswith(".writing-") for name in names(tmp_path))
    folder = a_folder(tmp_path, "x", "whole")
    artifacts.verify(folder)


@pytest.mark.spec("8.2")
def test_a_copy_for_an_agent_leaves_out_what_only_training_needs(tmp_path: Path) -> None:
    """By patterns, files and folders; its digest and size are its own, and the original is checked."""
    with artifacts.publish(tmp_path / "runs", stem="0000000001") as publication:
        for name in ("model.npz", "training.npz", "inner/optimizer.pt", "inner/weights.pt", "replay/a/b.npz"):
            path = publication.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    source = publication.folder
    patterns = ("training.npz", "optimizer*", "replay")
    copied = artifacts.copy(source, tmp_path / "agents", stem="1", leave_out=patterns)
    files = (file for file in copied.path.rglob("*") if file.is_file())
    kept = sorted(file.relative_to(copied.path).as_posix() for file in files)
    assert kept == ["inner/weights.pt", "model.npz"]
    assert copied.size == len("inner/weights.pt") + len("model.npz")
    artifacts.verify(copied)
    whole = artifacts.copy(source, tmp_path / "agents", stem="2", leave_out=("nothing",))
    assert (whole.digest, whole.size) == (source.digest, source.size)
    with pytest.raises(CheckpointError, match="Nothing of the checkpoint"):
        artifacts.copy(source, tmp_path / "agents", stem="3", leave_out=("*",))
    overwrite(source.path / "training.npz", "another ")
    with pytest.raises(CheckpointError, match="is corrupt"):
        artifacts.copy(source, tmp_path / "agents", stem="4", leave_out=patterns)
    assert len(list((tmp_path / "agents").iterdir())) == 2


@pytest.fixture
def bound_by_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user whom modes keep from writing, whoever runs the tests."""
    monkeypatch.setattr(file_copies, "_can_write", lambda path: bool(path.stat().st_mode & 0o200))  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType, reportUnknownArgumentType]


def many_files(parent: Path, count: int, size: int = 8) -> PublishedFolder:
    """Publish a folder of that many files."""
    with artifacts.publish(parent, stem="0000000001") as publication:
        for number in range(count):
            (publication.path / f"{number}.bin").write_bytes(number.to_bytes(8, "big") * (size // 8))
    return publication.folder


@pytest.fixture
def bytes_moved() -> Callable[[Callable[[], object]], tuple[int, int]]:
    """Return the bytes that this process reads and writes while it does something: the kernel counts them."""

    def counted() -> tuple[int, int]:
        lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text("utf-8").splitlines())
        return int(lines["rchar"]), int(lines["wchar"])

    def count(action: Callable[[], object]) -> tuple[int, int]:
        before = counted()
        action()
        after = counted()
        return after[0] - before[0], after[1] - before[1]

    return count


LARGE = 32 << 20
SOME = LARGE // 8  # more than what is read beside it
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel of Linux counts what a process reads"
)


@pytest.mark.spec("11.3")
@on_linux
@pytest.mark.usefixtures("bound_by_modes")
def test_a_checkpoint_is_read_once_and_freezing_it_writes_nothing(
    tmp_path: Path, bytes_moved: Callable[[Callable[[], object]], tuple[int, int]]
) -> None:
    """Publishing reads it for its digest; the process that has read it freezes it by a second name alone."""
    draft = artifacts.make_draft(tmp_path / "runs")
    (draft / "weights").write_bytes(bytes(LARGE))
    saved: list[PublishedFolder] = []
    read, written = bytes_moved(lambda: saved.append(artifacts.settle_here(draft, tmp_path / "runs", "1")))
    assert LARGE <= read < LARGE + SOME
    assert written < SOME
    copied: list[PublishedFolder] = []
    read, written = bytes_moved(
        lambda: copied.append(artifacts.copy(saved[0], tmp_path / "agents", stem="1"))
    )
    assert (read < SOME, written < SOME) == (True, True)
    assert copied[0].path.stat().st_ino != saved[0].path.stat().st_ino
    assert (copied[0].path / "weights").samefile(saved[0].path / "weights")
    artifacts.verify(copied[0])


@on_linux
@pytest.mark.usefixtures("bound_by_modes")
def test_another_process_reads_a_checkpoint_once_to_freeze_it(
    tmp_path: Path,
    bytes_moved: Callable[[Callable[[], object]], tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has to know that the content is what was saved; without links a copy reads once as well."""
    saved = many_files(tmp_path / "runs", 4, LARGE // 4)
    folder_digest.forget(saved.path)
    read, written = bytes_moved(lambda: artifacts.copy(saved, tmp_path / "agents", stem="1"))
    assert LARGE <= read < LARGE + SOME
    assert written < SOME
    monkeypatch.setattr(os, "link", no_link)
    folder_digest.forget(saved.path)
    read, written = bytes_moved(lambda: artifacts.copy(saved, tmp_path / "agents", stem="2"))
    assert LARGE <= read < LARGE + SOME
    assert written in (range(SOME) if can_clone(tmp_path) else range(LARGE, LARGE + SOME))


def no_link(*_: object, **__: object) -> None:
    """Do as a file system without links does."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def can_clone(folder: Path) -> bool:
    """Return whether files can share their content on that file system."""
    (folder / "one").write_bytes(b"x" * 4096)
    return file_copies.clone_file(folder / "one", folder / "other")


@pytest.mark.usefixtures("bound_by_modes")
def test_what_was_changed_since_it_was_read_is_read_again(tmp_path: Path) -> None:
    """A file that was written after it was published is found to be corrupt, though its size is the same."""
    draft = artifacts.make_draft(tmp_path / "runs")
    (draft / "weights").write_bytes(bytes(LARGE))
    saved = artifacts.settle_here(draft, tmp_path / "runs", "1")
    (saved.path / "weights").chmod(0o644)
    times = (saved.path / "weights").stat()
    with (saved.path / "weights").open("r+b") as file:
        file.write(b"x")
    os.utime(saved.path / "weights", ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(CheckpointError, match="is corrupt"):
        artifacts.copy(saved, tmp_path / "agents", stem="1")
    assert names(tmp_path / "agents") == []


@pytest.mark.usefixtures("bound_by_modes")
def test_only_files_that_nobody_can_change_get_a_second_name(tmp_path: Path) -> None:
    """One that can be written is copied, as is one of a folder that the user has adopted."""
    saved = many_files(tmp_path / "runs", 2)
    (saved.path / "1.bin").chmod(0o644)
    copied = artifacts.copy(saved, tmp_path / "agents", stem="1")
    assert (copied.path / "0.bin").samefile(saved.path / "0.bin")
    assert not (copied.path / "1.bin").samefile(saved.path / "1.bin")
    assert (copied.path / "1.bin").stat().st_mode & 0o777 == 0o400
    adopted = artifacts.copy(saved, tmp_path / "agents", stem="2", can_share=False)
    assert not (adopted.path / "0.bin").samefile(saved.path / "0.bin")
    assert adopted.digest == copied.digest == saved.digest


def test_files_of_a_checkpoint_are_read_only(tmp_path: Path) -> None:
    """Their other permissions are the umask's; folders stay as they were, so that all can be deleted."""
    with artifacts.publish(tmp_path, stem="x") as publication:
        (publication.path / "sub").mkdir()
        (publication.path / "sub" / "run.sh").write_text("")
        (publication.path / "sub" / "run.sh").chmod(0o755)
    assert (publication.folder.path / "sub" / "run.sh").stat().st_mode & 0o777 == 0o555
    assert (publication.folder.path / "sub").stat().st_mode & 0o200


def test_a_copied_mode_is_explained(tmp_path: Path) -> None:
    """Who copies a read-only file into a checkpoint and writes to it is told how to copy it."""
    with pytest.raises(PermissionError) as caught, artifacts.publish(tmp_path, stem="x") as publication:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(publication.path / "config.json"))
    assert any("copyfile" in note for note in caught.value.__notes__)
    with pytest.raises(PermissionError) as caught, artifacts.publish(tmp_path, stem="x"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/elsewhere")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("count", [1, 3, 40, 200])
def test_all_files_and_folders_are_on_the_disk_before_a_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """One by one, at the same time, or all of the file system by one call."""
    flushed: set[str] = set()
    named: list[set[str]] = []

    def flush(path: Path) -> None:
        flushed.add(path.name)

    def flush_filesystem(folder: Path) -> bool:
        flushed.update(path.name for path in folder.rglob("*"))
        flushed.add(folder.name)
        return True

    give_name = artifacts.give_name

    def name(path: Path, parent: Path, stem: str, digest: str) -> Path:
        named.append(set(flushed))
        assert path.name in flushed
        return give_name(path, parent, stem, digest)

    monkeypatch.setattr(filesystem, "flush", flush)
    monkeypatch.setattr(filesystem, "_flush_filesystem", flush_filesystem)
    monkeypatch.setattr(artifacts, "give_name", name)
    many_files(tmp_path, count)
    assert named[0] >= {f"{number}.bin" for number in range(count)}


@on_linux
@pytest.mark.parametrize("is_network", [True, False])
def test_a_whole_file_system_is_flushed_only_where_that_is_known_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_network: bool
) -> None:
    """On a file system of another machine, and under an older Linux, files are flushed one by one."""
    flushed: list[Path] = []
    monkeypatch.setattr(filesystem, "is_network", lambda _: is_network)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(filesystem, "flush", flushed.append)
    monkeypatch.setattr(filesystem, "_linux", lambda: (6, 1))
    many_files(tmp_path, 200)
    assert len(flushed) == (202 if is_network else 1)  # files, the folder, and the one that it appears in
    monkeypatch.setattr(filesystem, "_linux", lambda: (5, 7))
    del flushed[:]
    many_files(tmp_path / "older", 200)
    assert len(flushed) == 202


def test_what_takes_over_a_second_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for it, and that it is done; what is quick says nothing."""
    lines: list[str] = []
    saved = many_files(tmp_path / "runs", 3)
    artifacts.copy(saved, tmp_path / "agents", stem="1", say=lines.append)
    artifacts.verify(saved, say=lines.append)
    assert lines == []
    monkeypatch.setattr("pipeline_widgets.persistence.progress.SAY_AFTER", -1.0)
    artifacts.verify(saved, say=lines.append)
    assert lines == [f"Checking {saved.path.name}: 0 of 0 MiB.", f"Checking {saved.path.name}: done."]
    del lines[:]
    artifacts.copy(saved, tmp_path / "agents", stem="2", say=lines.append)
    assert lines == [f"Copying {saved.path.name}: 0 of 0 MiB.", f"Copying {saved.path.name}: done."]
    del lines[:]
    with artifacts.publish(tmp_path / "runs", stem="0000000002", say=lines.append) as publication:
        (publication.path / "weights").write_text("x")
    assert lines == ["Saving 0000000002: 0 of 0 MiB.", "Saving 0000000002: done."]
