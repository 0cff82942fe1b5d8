"""Artifacts below a URL: whole or not there at all, brought back by digest, in a bounded cache."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from tampering import overwrite

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError, ConfigError, StorageError
from pipeline_widgets.persistence import artifact_store, artifacts, cache, filesystem
from pipeline_widgets.persistence.artifact_store import ArtifactStore
from pipeline_widgets.persistence.remote import manifest, objects, pool, upload

NAMES = {
    "weights.bin": b"w" * 2_500,
    "exactly two chunks": b"c" * 2_000,
    "empty": b"",
    "sub/deeper/optimizer.pt": b"o" * 999,
    "ünïcode 100% #?*[1].txt": b"name",
    "back\\slash": b"slash",
}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few bytes be as many chunks as a gigabyte would be, and let nothing wait for long."""
    monkeypatch.setattr(upload, "CHUNK", 1_000)
    monkeypatch.setattr(upload, "IN_FLIGHT", 3_000)
    monkeypatch.setattr(pool, "PAUSES", (0.01, 0.05))


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for artifacts in which nothing is, once of each kind that needs no service."""
    return f"file://{tmp_path}/bucket" if request.param == "file" else f"memory://{uuid4().hex}/prefix"


@pytest.fixture
def store(url: str, tmp_path: Path) -> ArtifactStore:
    """The artifacts as the machine sees them that makes them."""
    return ArtifactStore(tmp_path / "here", url)


@pytest.fixture
def elsewhere(url: str, tmp_path: Path) -> ArtifactStore:
    """The same artifacts as a machine sees them that has none."""
    return ArtifactStore(tmp_path / "there", url)


def save(store: ArtifactStore, files: dict[str, bytes] | None = None, *, run: int = 1) -> PublishedFolder:
    """Publish a checkpoint of a run."""
    parent = store.root / "runs" / f"{run:08d}" / "checkpoints"
    with store.publish(parent, stem=f"{run:010d}") as publication:
        for name, data in (NAMES if files is None else files).items():
            path = publication.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (publication.path / "nothing in it").mkdir()
    return publication.folder


def seen_by(store: ArtifactStore, saved: PublishedFolder, maker: ArtifactStore) -> PublishedFolder:
    """Return a folder as another machine's rows name it."""
    path = store.root / saved.path.relative_to(maker.root)
    return PublishedFolder(path=path, size=saved.size, digest=saved.digest)


def keys(store: ArtifactStore) -> set[str]:
    """Return all objects below the URL."""
    fs, base = store.remote.objects.fs, store.remote.objects.path("")
    found: list[str] = fs.find(base)
    return {str(each).removeprefix(f"{base}/") for each in found}


def sleepless(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let uploads be tried again for so many seconds."""
    monkeypatch.setenv(artifact_store.PATIENCE_VARIABLE, str(seconds))


@pytest.mark.spec("11.3")
def test_a_checkpoint_comes_back_as_it_was_saved(store: ArtifactStore, elsewhere: ArtifactStore) -> None:
    """Names of any kind, files of any size, and folders in which nothing is."""
    saved = save(store)
    assert saved == artifacts.measure(saved.path), "the digest is that of a folder that was never sent"

    path = elsewhere.open(seen_by(elsewhere, saved, store))

    found = {
        each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()
    }
    assert found == NAMES
    assert (path / "nothing in it").is_dir()
    assert path.stat().st_mode & 0o77 == 0, "only its user can enter it"
    assert artifacts.measure(path).digest == saved.digest


def test_what_is_here_is_not_brought_here_again(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local copy with the right digest is used, also while nobody answers."""
    saved = save(store)
    monkeypatch.setattr(objects.Objects, "read", unreachable)
    assert store.open(saved) == saved.path


def unreachable(*_: object) -> Any:
    """Do what a machine that cannot be reached does."""
    raise ConnectionError("no route to host")


def test_a_copy_that_was_changed_is_brought_here_again(store: ArtifactStore) -> None:
    """The digest decides: what somebody has written into the cache is never used."""
    saved = save(store)
    overwrite(saved.path / "weights.bin", b"other")

    assert artifacts.measure(store.open(saved)).digest == saved.digest


@pytest.mark.spec("11.3")
@pytest.mark.parametrize("damage", ["changed", "shorter", "deleted"])
def test_an_object_that_was_damaged_is_named(
    store: ArtifactStore, elsewhere: ArtifactStore, damage: str
) -> None:
    """A checkpoint is never half of what it was: the error names the object, and nothing is left here."""
    saved = save(store)
    (key,) = [each for each in keys(store) if each.endswith("weights.bin")]
    match damage:
        case "changed":
            store.remote.objects.overwrite(key, b"w" * 1_500 + b"W" + b"w" * 999)
        case "shorter":
            store.remote.objects.overwrite(key, b"w" * 2_499)
        case _:
            store.remote.objects.delete(key)
    wanted = seen_by(elsewhere, saved, store)

    with pytest.raises(CheckpointError, match=r"weights\.bin is (corrupt|missing)"):
        elsewhere.open(wanted)

    assert list(wanted.path.parent.iterdir()) == []


def test_objects_that_belong_together_and_are_another_checkpoint_are_refused(
    store: ArtifactStore, elsewhere: ArtifactStore
) -> None:
    """Who can write below the URL can exchange a checkpoint with its manifest, but not the row's digest."""
    saved = save(store)
    other = save(store, {**NAMES, "weights.bin": b"W" * 2_500}, run=2)
    data = store.remote.objects.read(f"runs/00000002/checkpoints/{other.path.name}.json")
    store.remote.objects.overwrite(f"runs/00000001/checkpoints/{saved.path.name}.json", data)
    base = store.remote.objects.path("runs/0000000")
    store.remote.objects.fs.copy(f"{base}2/checkpoints/", f"{base}1/checkpoints/", recursive=True)

    with pytest.raises(CheckpointError, match="digest is not that"):
        elsewhere.open(seen_by(elsewhere, saved, store))


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/outside", "a/../../outside", "a%2F..%2F..%2Foutside", ""]
)
def test_a_manifest_names_nothing_outside_of_its_folder(name: str) -> None:
    """Whatever somebody has written there, nothing is written anywhere else on this machine."""
    record = manifest.FileRecord(name, 3, 1_000, ["0" * 32])
    told = manifest.Manifest(data="data", size=3, digest="0", files=(record,), empty=())
    with pytest.raises(CheckpointError, match="is corrupt"):
        manifest.from_bytes(manifest.to_bytes(told), "the manifest")


def test_a_checkpoint_that_nobody_has_sent_is_missing(elsewhere: ArtifactStore) -> None:
    """The error names the folder and the URL."""
    path = elsewhere.root / "runs" / "00000009" / "checkpoints" / "0000000001-0123456789abcdef"
    with pytest.raises(CheckpointError, match="missing") as caught:
        elsewhere.open(PublishedFolder(path=path, size=1, digest="0"))
    assert str(elsewhere.url) in caught.value.why


def test_only_folders_of_the_workspace_are_asked_for(elsewhere: ArtifactStore) -> None:
    """A row that names another path brings nothing here."""
    for path in (
        elsewhere.root.parent / "x",
        elsewhere.root / "cache" / "x",
        elsewhere.root / "runs/1/../../x",
    ):
        with pytest.raises(CheckpointError, match="not used"):
            elsewhere.open(PublishedFolder(path=path, size=1, digest="0"))


class Unsteady:
    """Lets writes below a URL fail for a while.

    Args:
        monkeypatch: Of the test.
        fails: Called with the key before each write; what it raises is raised.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: Callable[[str], None]) -> None:
        write, begin = objects.Objects.overwrite, objects.Objects.write_in_parts

        def overwrite(self: objects.Objects, key: str, data: bytes) -> None:
            fails(key)
            write(self, key, data)

        def write_in_parts(self: objects.Objects, key: str) -> objects.Parts:
            fails(key)
            return begin(self, key)

        monkeypatch.setattr(objects.Objects, "overwrite", overwrite)
        monkeypatch.setattr(objects.Objects, "write_in_parts", write_in_parts)


@pytest.mark.spec("11.3")
def test_an_upload_is_tried_again_while_nobody_answers(
    store: ArtifactStore, elsewhere: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes through once somebody does, and nothing of the tries before is left."""
    until = time.monotonic() + 0.3

    def fails(_: str) -> None:
        if time.monotonic() < until:
            raise ConnectionError("no route to host")

    sleepless(monkeypatch, 20)
    Unsteady(monkeypatch, fails)
    saved = save(store)

    assert time.monotonic() > until
    assert elsewhere.open(seen_by(elsewhere, saved, store)).is_dir()
    assert len(keys(store)) == len(NAMES) + 1, "its files, and its manifest"


@pytest.mark.spec("11.3")
@pytest.mark.parametrize("what", ["sub/deeper", ".json"])
def test_a_checkpoint_that_cannot_be_sent_stays_here_and_is_named(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Neither its files nor its manifest: then it is not there, and the error says where it is instead."""

    def fails(key: str) -> None:
        if what in key:
            raise PermissionError("ExpiredToken: the token has expired")

    sleepless(monkeypatch, 0.05)
    Unsteady(monkeypatch, fails)
    with pytest.raises(StorageError, match="ExpiredToken") as caught:
        save(store)

    (kept,) = (store.root / "runs" / "00000001" / "checkpoints").iterdir()
    assert str(kept) in caught.value.fix
    assert (kept / "weights.bin").read_bytes() == NAMES["weights.bin"]
    assert not [each for each in keys(store) if each.endswith(".json")], "nobody finds half of it"


def test_what_arrives_damaged_is_sent_again(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read back before the checkpoint counts."""
    write = objects.Objects.overwrite
    damaged: list[str] = []

    def overwrite(self: objects.Objects, key: str, data: bytes) -> None:
        is_first = not damaged and key.endswith("optimizer.pt")
        if is_first:
            damaged.append(key)
        write(self, key, b"x" + data[1:] if is_first else data)

    monkeypatch.setattr(objects.Objects, "overwrite", overwrite)
    saved = save(store)

    assert len(damaged) == 1
    shutil.rmtree(saved.path)
    assert artifacts.measure(store.open(saved)).digest == saved.digest


def test_a_file_that_becomes_shorter_while_it_is_sent_is_no_checkpoint(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written into it after its block has ended is told, and nothing is published."""
    begin = objects.Objects.write_in_parts

    def write_in_parts(self: objects.Objects, key: str) -> objects.Parts:
        (draft,) = (store.root / "runs" / "00000001" / "checkpoints").glob(".writing-*")
        os.truncate(draft / "weights.bin", 10)
        return begin(self, key)

    monkeypatch.setattr(objects.Objects, "write_in_parts", write_in_parts)
    with pytest.raises(CheckpointError, match=r"weights\.bin' became shorter"):
        save(store, {"weights.bin": b"w" * 2_500})
    assert keys(store) == set()


@pytest.mark.spec("11.3")
def test_the_bytes_of_a_checkpoint_are_read_once(tmp_path: Path) -> None:
    """Digest and upload are one pass: the kernel counts the bytes that this process has read."""
    store = ArtifactStore(tmp_path / "here", f"memory://{uuid4().hex}/prefix")
    size = 8 << 20
    before = _bytes_read()
    save(store, {"weights.bin": os.urandom(size)})
    assert size <= _bytes_read() - before <= size + (256 << 10)


def _bytes_read() -> int:
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["rchar"])


MANY = """
import sys
from pathlib import Path
from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.persistence.artifact_store import ArtifactStore
from pipeline_widgets.persistence.remote.folders import RemoteFolders
receive = RemoteFolders.receive
def told(*arguments):
    print("received", flush=True)
    receive(*arguments)
RemoteFolders.receive = told
root, url, path, size, digest = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
found = ArtifactStore(Path(root), url).open(PublishedFolder(path=Path(path), size=int(size), digest=digest))
print(found / "weights.bin", flush=True)
"""


@pytest.mark.spec("11.3")
def test_many_processes_bring_a_checkpoint_here_once(tmp_path: Path) -> None:
    """Six ask for it at the same moment: one brings it here, and all have it."""
    url = f"file://{tmp_path}/bucket"
    maker, asker = ArtifactStore(tmp_path / "here", url), ArtifactStore(tmp_path / "there", url)
    saved = seen_by(asker, save(maker, {"weights.bin": os.urandom(3 << 20)}), maker)
    given = [str(asker.root), url, str(saved.path), str(saved.size), saved.digest]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, *given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    said: list[str] = []
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in started:
        said += each.communicate(timeout=60)[0].splitlines()

    assert said.count("received") == 1
    assert said.count(str(saved.path / "weights.bin")) == 6
    assert [each.name for each in saved.path.parent.iterdir()] == [saved.path.name], "no draft is left"


@pytest.mark.spec("11.3")
def test_the_cache_forgets_what_was_used_the_longest_time_ago(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has as many bytes as it may; what was evicted comes back when it is asked for."""
    monkeypatch.setenv(cache.SIZE_VARIABLE, "2500")
    first, second = (save(store, {"a": os.urandom(1_000)}, run=run) for run in (1, 2))
    for at, each in enumerate((second, first)):
        marker = store.root / cache.FOLDER / ",".join(each.path.relative_to(store.root).parts)
        os.utime(marker, (at, at))

    third = save(store, {"a": os.urandom(1_000)}, run=3)

    assert [each.path.exists() for each in (first, second, third)] == [True, False, True]
    assert store.open(second).is_dir()


HOLDER = MANY.replace(
    'print(found / "weights.bin", flush=True)', 'print("held", flush=True)\nsys.stdin.readline()'
)


@pytest.mark.spec("11.3")
def test_what_a_process_uses_is_never_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the cache is, and however long it was not looked at; until that process has ended."""
    monkeypatch.setenv(cache.SIZE_VARIABLE, "0")
    store = ArtifactStore(tmp_path / "here", f"file://{tmp_path}/bucket")
    used = save(store, {"a": b"used"}, run=1)
    given = [str(store.root), str(store.url), str(used.path), str(used.size), used.digest]
    command = [sys.executable, "-c", HOLDER, *given]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write("go\n")
    holder.stdin.flush()
    assert "held\n" in iter(holder.stdout.readline, "")

    idle = save(store, {"a": b"idle"}, run=2)

    assert (used.path.exists(), idle.path.exists()) == (True, False)
    holder.communicate("\n", timeout=30)
    store.cache.make_room()
    assert not used.path.exists()


@pytest.mark.spec("11.3")
def test_a_full_disk_is_said_and_leaves_nothing(
    store: ArtifactStore, elsewhere: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not used is evicted first; if that is not enough, the error says what to do."""
    first, second = save(store, run=1), save(store, run=2)
    elsewhere.open(seen_by(elsewhere, first, store))
    for marker in (elsewhere.root / cache.FOLDER).iterdir():
        elsewhere.cache.release(marker.name.replace(",", "/"))
    monkeypatch.setattr(cache.shutil, "disk_usage", _disk_without_space)
    with monkeypatch.context() as full:
        full.setattr(filesystem, "open_private", _refuse_files)
        with pytest.raises(StorageError, match="The disk is full"):
            elsewhere.open(seen_by(elsewhere, second, store))

    assert not seen_by(elsewhere, first, store).path.exists(), "it made room"
    assert list(seen_by(elsewhere, second, store).path.parent.iterdir()) == []
    assert elsewhere.open(seen_by(elsewhere, second, store)).is_dir()


def _disk_without_space(_: object) -> SimpleNamespace:
    return SimpleNamespace(free=0)


def _refuse_files(path: Path, mode: str, *arguments: Any, **options: Any) -> Any:
    """Do what a disk does that has room for small files only."""
    if mode == "xb":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return path.open(mode, *arguments, **options)


def test_what_was_not_sent_is_never_evicted(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only copy of a checkpoint is no cache."""
    sleepless(monkeypatch, 0.0)
    monkeypatch.setenv(cache.SIZE_VARIABLE, "0")
    with monkeypatch.context() as refused:
        Unsteady(refused, unreachable)
        with pytest.raises(StorageError):
            save(store)
    store.cache.make_room()
    (kept,) = (store.root / "runs" / "00000001" / "checkpoints").iterdir()
    assert (kept / "weights.bin").exists()


def test_a_deleted_checkpoint_is_gone_here_and_there(store: ArtifactStore) -> None:
    """Its objects, its manifest, and what the cache knows of it; others stay."""
    gone, stays = save(store, run=1), save(store, run=2)
    store.remove(gone.path)
    assert not gone.path.exists()
    assert {each.split("/")[1] for each in keys(store)} == {"00000002"}
    assert [each.name.split(",")[1] for each in (store.root / cache.FOLDER).iterdir()] == ["00000002"]
    assert store.open(stays).is_dir()


def test_a_run_is_deleted_with_all_that_there_is_of_it(store: ArtifactStore) -> None:
    """Its checkpoints and its log."""
    save(store, run=1)
    log = store.root / "runs" / "00000001" / "log.txt"
    log.write_text("said")
    store.remote.send_log("00000001", log)
    assert store.remote.read_log("00000001", 100) == b"said"
    store.remove(log.parent)
    assert keys(store) == set()
    assert store.remote.read_log("00000001", 100) == b""


@pytest.mark.spec("11.3")
def test_a_clean_up_finds_what_interrupted_uploads_have_left(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects without a manifest, manifests without a row, and runs that nobody knows; and nothing else."""
    saved, unnamed, active = save(store, run=1), save(store, {"b": b"unnamed"}, run=1), save(store, run=2)
    save(store, run=3)
    for key in (
        "runs/00000001/checkpoints/0000000007-dead/part",
        "runs/00000002/checkpoints/0000000008-x/part",
    ):
        store.remote.objects.overwrite(key, b"half")

    store.sweep_runs({1: {str(saved.path)}}, lambda: {1, 2})

    left = {tuple(each.split("/")[1:4:2]) for each in keys(store)}
    assert {run for run, _ in left} == {"00000001", "00000002"}, "run 3 is of no row"
    assert ("00000002", "0000000008-x") in left, "run 2 is at work"
    assert ("00000001", "0000000007-dead") not in left
    assert not unnamed.path.exists()
    shutil.rmtree(store.root)
    assert store.open(saved).is_dir()
    assert store.open(active).is_dir()
    with pytest.raises(CheckpointError, match="missing"):
        store.open(unnamed)


def test_copies_that_no_agent_has_go_after_a_while(store: ArtifactStore) -> None:
    """A copy that was just made may get its version in a moment."""
    with store.publish(store.root / "agents", stem=f"{1:010d}-{uuid4().hex}") as publication:
        (publication.path / "a").write_bytes(b"a")
    store.sweep_agents((), 3_600)
    assert len(keys(store)) == 2
    store.sweep_agents((), -5)
    assert keys(store) == set()
    assert not publication.folder.path.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sftp://me:secret@host/folder", "holds a password"),
        ("s3://key:secret@bucket/x", "holds a password"),
        ("s3://bucket/x?versionId=1", "options"),
        ("simplecache::s3://bucket", "joins several"),
        ("https://host/folder", "cannot be written"),
        ("memory://x", "cannot be written by all processes"),
        ("file:///", "neither a bucket nor a folder"),
        ("file://folder/lab", "relative"),
    ],
)
def test_a_url_that_is_no_place_for_artifacts_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """Before anything is made, and without a password in the message."""
    from pipeline_widgets.persistence.database import Database  # noqa: PLC0415
    from pipeline_widgets.persistence.store import open_store  # noqa: PLC0415

    database = Database(tmp_path / "lab.db")
    with pytest.raises(ConfigError, match=why) as caught:
        open_store(database, text)
    database.close()
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "lab.db").exists()


@pytest.mark.parametrize(
    ("module", "url", "fix"),
    [
        ("fsspec", "file:///folder", "pip install 'pipeline-widgets[remote]'"),
        ("s3fs", "s3://bucket", "pip install 'pipeline-widgets[s3]'"),
        ("sshfs", "sftp://host/folder", "pip install 'pipeline-widgets[sftp]'"),
    ],
)
def test_what_is_not_installed_is_named_with_what_to_install(module: str, url: str, fix: str) -> None:
    """One sentence that can be copied into a terminal."""
    code = f"""
import sys
sys.modules[{module!r}] = None
from pathlib import Path
from pipeline_widgets.persistence.artifact_store import ArtifactStore
try:
    ArtifactStore(Path("x"), {url!r}).remote.list_runs()
except Exception as error:
    print(type(error).__name__, error.fix)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"StorageError {fix}"


def test_a_file_system_that_nobody_knows_is_named(tmp_path: Path) -> None:
    """And one that is not installed says what to install."""
    with pytest.raises(StorageError, match="nowhere://"):
        ArtifactStore(tmp_path, "nowhere://host/x").remote.list_runs()


@pytest.fixture(autouse=True)
def _no_locks_left(tmp_path: Path) -> Iterator[None]:
    """Give back what the process of the tests holds: a later test may want to evict it."""
    yield
    for place in Path("/proc/self/fd").iterdir():
        if (
            place.is_symlink()
            and str(place.readlink()).startswith(f"{tmp_path}/")
            and "/cache/" in str(place.readlink())
        ):
            os.close(int(place.name))
