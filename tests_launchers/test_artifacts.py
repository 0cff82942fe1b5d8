"""Artifacts on S3 and SFTP: real stores, real trainings, and what goes wrong between them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from benches import Bench, end_all, until
from stores import S3, Proxy, Sftp, configure_fsspec, remote_store, s3, sftp

import pipeline_widgets as pw
from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.artifact_store import PATIENCE_VARIABLE, ArtifactStore

__all__ = ["remote_store", "s3", "sftp"]  # fixtures

MEBIBYTE = 1 << 20
WITHIN = 180.0  # seconds for a stage on a machine that others use, too
#: What loads a store's libraries on a busy machine is silent for longer than what only counts.
TIMING = pw.Timing(beat_every=0.5, grace=10.0)


def make_bench(folder: Path, url: str) -> Generator[Bench]:
    """Yield a workspace whose artifacts are at a URL, and leave no process of it behind."""
    made = Bench(folder, TIMING, artifacts=url)
    yield made
    end_all(made)


@pytest.fixture
def remote(tmp_path: Path, remote_store: S3 | Sftp) -> Generator[Bench]:
    """A workspace whose artifacts are in a store, once of each kind."""
    yield from make_bench(tmp_path, remote_store.url)


@pytest.fixture
def on_s3(tmp_path: Path, s3: S3) -> Generator[Bench]:
    """A workspace whose artifacts are on S3."""
    yield from make_bench(tmp_path, s3.url)


def forget(bench: Bench) -> None:
    """Delete all that this machine has of the artifacts, as on another machine."""
    for name in ("runs", "agents", "cache"):
        shutil.rmtree(bench.ws.artifacts / name, ignore_errors=True)


def save(store: ArtifactStore, files: dict[str, bytes], run: int = 1) -> PublishedFolder:
    """Publish a checkpoint of a run."""
    with store.publish(store.root / f"runs/{run:08d}/checkpoints", stem=f"{run:010d}") as publication:
        for name, data in files.items():
            path = publication.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (publication.path / "nothing in it").mkdir()
    return publication.folder


@pytest.mark.spec("11.3")
@pytest.mark.timeout(4 * WITHIN)
def test_a_chain_whose_machine_forgets_everything_between_its_stages(remote: Bench) -> None:
    """SFT, DPO and an agent that is served: each of them starts from what is in the store."""
    project = remote.project
    pipe = project.create_pipeline("post-training")
    pipe.add_experiment_stage(project.create_experiment("sft", algorithm="SFT"))
    pipe.add_experiment_stage(project.create_experiment("dpo", algorithm="DPO"))
    pipe.add_deployment_stage("letters")
    for stage in pipe.stages:
        run = stage.trigger().wait(WITHIN)
        assert (run.status, run.error) == ("Succeeded", None)
        if stage is not pipe.stages[-1]:
            forget(remote)

    agent = remote.ws.agents["letters"]
    assert agent.status == "Deployed"
    agent.disconnect()
    forget(remote)
    assert len(agent.predict("dcba")) == 4
    agent.connect(timeout=WITHIN)
    assert agent.status == "Deployed"
    agent.disconnect()


@pytest.mark.spec("11.3")
def test_a_checkpoint_comes_back_as_it_was_saved(remote_store: S3 | Sftp, tmp_path: Path) -> None:
    """Many parts, small files, names that are no plain text, folders in which nothing is."""
    files = {
        "weights.bin": os.urandom(17 * MEBIBYTE),
        "exactly two parts.bin": os.urandom(10 * MEBIBYTE),
        "empty": b"",
        "ünïcode 100% #?*[1].txt": b"name",
        **{f"shards/{number:03d}.json": b"{}" for number in range(40)},
    }
    here, there = (
        ArtifactStore(tmp_path / "here", remote_store.url),
        ArtifactStore(tmp_path / "there", remote_store.url),
    )
    saved = save(here, files)
    wanted = PublishedFolder(
        path=there.root / saved.path.relative_to(here.root), size=saved.size, digest=saved.digest
    )

    path = there.open(wanted)

    assert {
        each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()
    } == files
    assert artifacts.measure(path).digest == saved.digest == artifacts.measure(saved.path).digest


@pytest.mark.spec("11.3")
def test_an_object_that_was_damaged_is_named(remote_store: S3 | Sftp, tmp_path: Path) -> None:
    """What comes back is checked, and nothing of it is used."""
    store = ArtifactStore(tmp_path / "here", remote_store.url)
    saved = save(store, {"weights.bin": os.urandom(12 * MEBIBYTE), "other": b"other"})
    shutil.rmtree(saved.path)
    (key,) = [each for each in remote_store.list_keys() if each.endswith("weights.bin")]
    remote_store.damage(key)

    with pytest.raises(CheckpointError, match=r"weights\.bin is corrupt"):
        store.open(saved)
    assert list(saved.path.parent.iterdir()) == []


SAVER = """
import os, sys
from pathlib import Path
from pipeline_widgets.persistence.artifact_store import ArtifactStore
store = ArtifactStore(Path(sys.argv[1]), sys.argv[2])
with store.publish(store.root / "runs/00000001/checkpoints", stem="0000000001") as publication:
    (publication.path / "weights.bin").write_bytes(os.urandom(40 << 20))
    (publication.path / "aaa.bin").write_bytes(os.urandom(1 << 20))
"""


@pytest.mark.spec("11.3")
def test_a_crash_in_the_middle_of_an_upload_leaves_nothing_that_a_clean_up_does_not_find(
    s3: S3, tmp_path: Path
) -> None:
    """Neither objects of no checkpoint, nor parts of an object that was never finished."""
    s3.proxy.rate = 4e6
    command = [sys.executable, "-c", SAVER, str(tmp_path / "here"), s3.url]
    saver = subprocess.Popen(command)
    until(lambda: s3.list_unfinished() != [], WITHIN)
    until(lambda: any(key.endswith("aaa.bin") for key in s3.list_keys()), WITHIN)
    saver.kill()
    saver.wait()
    s3.proxy.rate = None
    assert s3.list_unfinished() != []
    assert not [key for key in s3.list_keys() if key.endswith(".json")]

    ArtifactStore(tmp_path / "here", s3.url).sweep_runs({1: ()}, lambda: {1})

    assert (s3.list_keys(), s3.list_unfinished()) == ([], [])


@pytest.mark.spec("11.3")
def test_a_training_that_is_killed_while_it_sends_has_no_row_and_leaves_nothing(on_s3: Bench, s3: S3) -> None:
    """The run is Crashed; the next clean-up of its project leaves no object of it."""
    run = on_s3.chain({"steps": 400, "pause": 0.02, "act": ""}).stages[0].trigger()
    s3.proxy.rate = 20e3
    until(lambda: (run.progress.step or 0) >= 5, WITHIN)
    os.kill(on_s3.trainer(run).pid, signal.SIGKILL)
    run.wait(WITHIN)
    s3.proxy.rate = None

    assert run.status == "Crashed"
    rows = {each.digest[:16] for each in run.checkpoints}
    on_s3.project.gc(dry_run=False)
    named = {key.split("/")[4] for key in s3.list_keys() if key.count("/") == 4 and key.endswith(".json")}
    assert {name.removesuffix(".json").rpartition("-")[2] for name in named} <= rows
    assert len([key for key in s3.list_keys() if key.endswith("state.txt")]) == len(named)


@pytest.mark.spec("11.3")
@pytest.mark.parametrize("fails", [Proxy.cut, Proxy.expire])
def test_a_training_goes_on_while_its_store_cannot_be_used(
    on_s3: Bench, s3: S3, fails: Callable[[Proxy], None]
) -> None:
    """No connection, or credentials that have expired; then everything is sent, once."""
    fails(s3.proxy)
    run = on_s3.chain({"steps": 3, "pause": 0.2}).stages[0].trigger()
    until(lambda: run.progress.step == 3, WITHIN)
    time.sleep(2.0)
    assert (run.status, len(run.checkpoints)) == ("Running", 0)
    s3.proxy.mend()
    run.wait(WITHIN)

    assert (run.status, run.error) == ("Succeeded", None)
    assert [each.step for each in run.checkpoints] == [1, 2, 3]
    assert len([key for key in s3.list_keys() if key.endswith("state.txt")]) == 3


@pytest.mark.spec("11.3")
def test_a_run_is_failed_when_its_credentials_stay_expired(
    on_s3: Bench, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so in the store's own words, and where the checkpoint is instead."""
    monkeypatch.setenv(PATIENCE_VARIABLE, "2")
    s3.proxy.expire()
    run = on_s3.chain({"steps": 1}).stages[0].trigger().wait(WITHIN)
    (kept,) = (on_s3.ws.artifacts / f"runs/{run._id:08d}/checkpoints").iterdir()

    assert (run.status, len(run.checkpoints)) == ("Failed", 0)
    assert "expired" in str(run.error)
    assert str(kept) in str(run.error)
    assert (kept / "state.txt").read_text() == "1 of seed 0"


@pytest.mark.spec("11.3")
def test_an_upload_goes_on_where_it_was_cut(s3: S3, tmp_path: Path) -> None:
    """The connection is lost in the middle of a large file: what was sent is not sent again."""
    store = ArtifactStore(tmp_path / "here", s3.url)
    size = 60 * MEBIBYTE
    s3.proxy.rate = 8e6
    before = s3.proxy.sent
    cutter = threading.Thread(target=_cut_at, args=(s3, before + size // 2))
    cutter.start()
    saved = save(store, {"weights.bin": os.urandom(size)})
    cutter.join()

    assert s3.proxy.sent - before < 1.6 * size
    shutil.rmtree(saved.path)
    s3.proxy.rate = None
    assert artifacts.measure(store.open(saved)).digest == saved.digest


def _cut_at(store: S3, sent: int) -> None:
    while store.proxy.sent < sent:
        time.sleep(0.01)
    store.proxy.cut()
    time.sleep(2.0)
    store.proxy.mend()


@pytest.mark.spec("11.3")
def test_two_workspaces_share_no_prefix(remote: Bench, remote_store: S3 | Sftp, tmp_path: Path) -> None:
    """The second one is told whose it is."""
    with pytest.raises(StorageError, match=r"another's\. They belong to the workspace .*lab\.db"):
        pw.Workspace(tmp_path / "second" / "lab.db", artifacts=remote_store.url)
    assert pw.Workspace(remote.folder / "lab.db").artifacts_url == remote_store.url


def test_a_host_that_nobody_knows_is_not_trusted(
    sftp: Sftp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is compared with the known hosts of the user."""
    options = json.loads(sftp.environment["FSSPEC_SFTP"])
    del options["known_hosts"]
    monkeypatch.setenv("FSSPEC_SFTP", json.dumps(options))
    configure_fsspec(monkeypatch)
    with pytest.raises(StorageError, match=r"[Hh]ost key"):
        ArtifactStore(tmp_path, sftp.url).remote.list_runs()
