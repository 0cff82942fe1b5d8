"""A workspace whose artifacts are at a URL: real trainings, and what happens when nobody answers there."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Self

import pytest
from benches import QUICK, Bench, end_all, until

import pipeline_widgets as pw
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.persistence.artifact_store import PATIENCE_VARIABLE


@pytest.fixture
def remote(tmp_path: Path) -> Generator[Bench]:
    """Yield a workspace whose artifacts are in another folder, by its URL."""
    made = Bench(tmp_path, QUICK, artifacts=f"file://{tmp_path}/bucket")
    yield made
    end_all(made)


def forget(bench: Bench) -> None:
    """Delete all that this machine has of the artifacts, as on another machine."""
    for name in ("runs", "agents", "cache"):
        shutil.rmtree(bench.ws.artifacts / name, ignore_errors=True)


def manifests(bench: Bench) -> list[Path]:
    """Return the manifests of checkpoints that there are at the URL."""
    return sorted((bench.folder / "bucket" / "runs").glob("*/checkpoints/*.json"))


class Away:
    """Nobody answers at the URL within the block: what is written there fails."""

    def __init__(self, bench: Bench) -> None:
        self._place = bench.folder / "bucket" / "runs"

    def __enter__(self) -> Self:
        assert not self._place.exists()
        self._place.write_text("a file, where a folder should be")
        return self

    def __exit__(self, *_: object) -> None:
        self._place.unlink()


@pytest.mark.spec("11.3")
def test_each_stage_starts_from_what_is_at_the_url(remote: Bench) -> None:
    """A chain whose machine has lost everything between its stages, with an agent at its end."""
    pipe = remote.chain({}, {}, trigger="manual")
    runs: list[pw.Run] = []
    for stage in pipe.stages:
        runs.append(stage.trigger().wait(60))
        assert (runs[-1].status, runs[-1].error) == ("Succeeded", None)
        forget(remote)

    best = pipe.stages[1].runs[-1].checkpoints[-1]
    agent = remote.ws.create_agent("counter", best)
    forget(remote)

    assert agent.predict("state.txt").read_text() == "3 of seed 0"
    assert (best.path / "state.txt").read_text() == "3 of seed 0"
    assert runs[1].start_checkpoint is not None
    assert len(manifests(remote)) == 6


@pytest.mark.spec("11.3")
def test_the_log_of_a_run_is_at_the_url_too(remote: Bench) -> None:
    """Where the machine of the notebook has none, log and panel show that one."""
    run = remote.chain({"act": "print"}).stages[0].trigger().wait(60)
    assert "from a child" in run.log
    forget(remote)
    assert "from a child" in run.log
    shown = remote.ws._services.run_details
    until(lambda: "from a child" in shown.run(run._id).log)


@pytest.mark.spec("11.3")
def test_a_training_goes_on_while_nobody_answers_at_the_url(remote: Bench) -> None:
    """Its checkpoints are rows once they are there, and not before; the run succeeds."""
    with Away(remote):
        run = remote.chain({"steps": 3, "pause": 0.1}).stages[0].trigger()
        until(lambda: run.progress.step == 3)
        assert run.status == "Running"
        assert len(run.checkpoints) == 0
    run.wait(60)

    assert (run.status, run.error) == ("Succeeded", None)
    assert [each.step for each in run.checkpoints] == [1, 2, 3]
    assert len(manifests(remote)) == 3


@pytest.mark.spec("11.3")
def test_a_run_whose_checkpoint_cannot_be_sent_is_failed_and_says_where_it_is(
    remote: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After as long as its user allows; what it has saved is adopted from there."""
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.5")
    with Away(remote):
        run = remote.chain({"steps": 2}).stages[0].trigger().wait(60)

    assert (run.status, len(run.checkpoints)) == ("Failed", 0)
    kept = sorted((remote.ws.artifacts / "runs" / f"{run._id:08d}" / "checkpoints").iterdir())
    assert [(each / "state.txt").read_text() for each in kept] == ["1 of seed 0", "2 of seed 0"]
    assert f"could not be sent to {remote.ws.artifacts_url}" in str(run.error)
    assert str(kept[0]) in str(run.error)


@pytest.mark.spec("11.3")
def test_a_training_that_is_killed_before_its_checkpoint_was_sent_has_no_row_of_it(remote: Bench) -> None:
    """Nothing is left below the URL, and no draft on this machine."""
    with Away(remote):
        run = remote.chain({"steps": 3, "pause": 0.1}).stages[0].trigger()
        until(lambda: run.progress.step == 3)
        os.kill(remote.trainer(run).pid, signal.SIGKILL)
        run.wait(60)

    assert (run.status, len(run.checkpoints)) == ("Crashed", 0)
    assert list((remote.ws.artifacts / "runs" / f"{run._id:08d}" / "checkpoints").iterdir()) == []
    remote.project.gc(dry_run=False)
    assert manifests(remote) == []


@pytest.mark.spec("11.3")
def test_a_stop_waits_for_what_is_being_sent(remote: Bench) -> None:
    """Resume starts from the last checkpoint, though nobody answered when it was stopped."""
    with Away(remote):
        run = remote.chain({"steps": 500, "pause": 0.05}).stages[0].trigger()
        until(lambda: (run.progress.step or 0) >= 2)
        run.stop()
        until(lambda: run.status == "Stopping")
    run.wait(60)

    assert run.status == "Stopped"
    assert [each.step for each in run.checkpoints][:2] == [1, 2]


@pytest.mark.spec("11.3")
def test_a_stopped_run_whose_checkpoint_cannot_be_sent_is_failed(
    remote: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would look for the reason at a run that was stopped: Resume would find nothing."""
    monkeypatch.setenv(PATIENCE_VARIABLE, "1")
    with Away(remote):
        run = remote.chain({"steps": 500, "pause": 0.05}).stages[0].trigger()
        until(lambda: (run.progress.step or 0) >= 1)
        run.stop()
        run.wait(60)
    assert run.status == "Failed"
    assert "could not be sent" in str(run.error)


def test_a_checkpoint_that_is_gone_fails_the_run_that_starts_from_it(remote: Bench) -> None:
    """At the trigger, where that can be told then: the error names it, and the URL."""
    pipe = remote.chain({}, {}, trigger="manual")
    pipe.stages[0].trigger().wait(60)
    forget(remote)
    shutil.rmtree(remote.folder / "bucket" / "runs")
    with pytest.raises(CheckpointError, match="missing"):
        pipe.stages[1].trigger()


@pytest.mark.spec("11.3")
def test_deletes_and_clean_ups_reach_the_url(remote: Bench) -> None:
    """What gc frees, and an experiment that is deleted."""
    pipe = remote.chain({"steps": 4})
    run = pipe.stages[0].trigger().wait(60)
    forget(remote)
    remote.project.gc(dry_run=False)
    assert [each.step for each in run.checkpoints] == [4]
    assert len(manifests(remote)) == 1
    assert len(list((remote.folder / "bucket" / "runs").glob("*/checkpoints/*/state.txt"))) == 1

    experiment = remote.project.experiments["e0"]
    pipe.delete()
    experiment.delete()
    assert [each for each in (remote.folder / "bucket").rglob("*") if each.is_file()] == [
        remote.folder / "bucket" / "workspace.json"
    ]


@pytest.mark.sqlite
@pytest.mark.spec("11.3")
def test_a_url_belongs_to_one_workspace(tmp_path: Path) -> None:
    """Another one is refused, and so is a copy, unless it has a copy of what is there."""
    url, other = f"file://{tmp_path}/bucket", f"file://{tmp_path}/other"
    pw.Workspace(tmp_path / "first" / "lab.db", artifacts=url).close()
    assert pw.Workspace(tmp_path / "first" / "lab.db").artifacts_url == url
    assert pw.Workspace(tmp_path / "first" / "lab.db", artifacts=f"{url}/").artifacts_url == url
    with pytest.raises(StorageError, match=r"another's. They belong to the workspace .*first.lab.db"):
        pw.Workspace(tmp_path / "second" / "lab.db", artifacts=url)
    with pytest.raises(StorageError, match="another place"):
        pw.Workspace(tmp_path / "first" / "lab.db", artifacts=other)

    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    with pytest.raises(StorageError, match="belong to its original"):
        pw.Workspace(tmp_path / "copy" / "lab.db")
    shutil.copytree(tmp_path / "bucket", tmp_path / "other")
    copy = pw.Workspace(tmp_path / "copy" / "lab.db", artifacts=other)
    assert copy.artifacts_url == other
    assert pw.Workspace(tmp_path / "copy" / "lab.db").artifacts_url == other
    assert pw.Workspace(tmp_path / "first" / "lab.db").artifacts_url == url


@pytest.mark.sqlite
@pytest.mark.spec("11.3")
def test_a_backup_has_all_artifacts_itself(remote: Bench, tmp_path: Path) -> None:
    """What is at the URL is brought here first; the copy needs neither the URL nor the original."""
    run = remote.chain({}).stages[0].trigger().wait(60)
    agent = remote.ws.create_agent("counter", run.checkpoints[-1])
    forget(remote)

    copy = pw.Workspace(remote.ws.backup(tmp_path / "backup"))

    shutil.rmtree(remote.folder / "bucket")
    assert copy.artifacts_url is None
    found = copy.projects["Bench"].experiments["e0"].runs[-1].checkpoints
    assert [(each.path / "state.txt").read_text() for each in found] == [f"{n} of seed 0" for n in (1, 2, 3)]
    assert copy.agents[agent.name].predict("state.txt").is_file()
    copy.close()


def test_a_workspace_is_opened_while_nobody_answers_at_its_url(remote: Bench) -> None:
    """Its rows can be read; what needs files says who does not answer."""
    run = remote.chain({}).stages[0].trigger().wait(60)
    forget(remote)
    shutil.move(remote.folder / "bucket", remote.folder / "away")
    (remote.folder / "bucket").write_text("a file, where a folder should be")
    again = pw.Workspace(remote.ws._services.store.database.url)
    found = again.projects["Bench"].experiments["e0"].runs[-1].checkpoints[-1]
    assert found.digest == run.checkpoints[-1].digest
    with pytest.raises((StorageError, CheckpointError)):
        _ = found.path
    again.close()
