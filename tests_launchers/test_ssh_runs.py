"""Runs of a workspace whose launcher is a host over SSH, as a notebook has them."""

from __future__ import annotations

import platform
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import trainers
from benches import until
from ssh import SshHost, running_host

import pipeline_widgets as pw
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.execution.launchers.ssh import SshLauncher

pytestmark = [pytest.mark.spec("11.2"), pytest.mark.slow]
QUICK = pw.Timing(beat_every=0.5, grace=8.0)


@pytest.fixture(autouse=True)
def shared(ssh_host: SshHost) -> SshHost:
    """A host that no test harms, and that does not have what this user has signed."""
    return ssh_host


@contextmanager
def workspace(
    url: str, folder: Path, launcher: str, timing: pw.Timing | None = None
) -> Generator[pw.Workspace]:
    """Open a workspace, and stop what a failed test has left."""
    ws = pw.Workspace(url, artifacts=folder / "artifacts", launcher=launcher, timing=timing)
    try:
        yield ws
    finally:
        for project in ws.projects:
            for pipe in project.pipelines:
                pipe.stop()
        for agent in ws.agents:
            agent.disconnect()
        ws.close()


def supervisor(ws: pw.Workspace, run: pw.Run) -> Process:
    """Return the process that holds a run."""
    with ws._services.store.read() as work:
        found = work.runs.lease(run._id).holder
    assert found is not None
    return found


def ancestors(pid: int) -> list[str]:
    """Return the command lines of a process and of those above it."""
    process = psutil.Process(pid)
    return [" ".join(each.cmdline()) for each in (process, *process.parents())]


def chain_of_counters(ws: pw.Workspace, folder: Path, **config: object) -> pw.Pipeline:
    """Return a pipeline of two Auto stages that mark each start of a training."""
    project = ws.create_project("SSH", advanced_training=True)
    pipe = project.create_pipeline("chain")
    marks = {"act": "mark", "folder": str(folder), **config}
    for name, trigger in (("first", "manual"), ("second", "auto")):
        experiment = project.create_experiment(name, algorithm=trainers.counter, config=marks)
        pipe.add_experiment_stage(experiment, trigger=trigger)
    return pipe


def test_a_chain_trains_there_and_its_agent_answers_here(any_url: str, tmp_path: Path) -> None:
    """SFT -> DPO -> GRPO run on the host, in one process, and the agent that follows on this machine."""
    with workspace(any_url, tmp_path, "ssh://gpubox") as ws:
        project = ws.create_project("Letters", advanced_training=True)
        pipe = project.create_pipeline("post-training")
        for name in ("SFT", "DPO", "GRPO"):
            experiment = project.create_experiment(name, algorithm=name, config={"steps": 20})
            pipe.add_experiment_stage(experiment, trigger="auto" if name != "SFT" else "manual")
        pipe.add_deployment_stage("letters", trigger="auto")
        run = pipe.stages[0].trigger()
        until(lambda: run.status in {"Running", "Succeeded"}, 60)
        holder = supervisor(ws, run)
        pipe.wait(timeout=240)
        runs = [stage.run for stage in pipe.stages]
        assert [each and each.status for each in runs] == ["Succeeded"] * 4, [
            each and each.error for each in runs
        ]
        assert {supervisor(ws, each).pid for each in runs[:3] if each} == {holder.pid}
        assert runs[3] is not None
        assert supervisor(ws, runs[3]).pid != holder.pid
        assert isinstance(ws.agents["letters"].predict("dcba"), str)
        assert runs[0] is not None
        assert len(runs[0].metrics) > 1


def test_a_cut_of_a_minute_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Views and reconciliations go on while the host is out of reach; the run ends as if nothing had been."""
    url = f"sqlite:///{tmp_path}/lab.db"
    with running_host(tmp_path / "host") as host, workspace(url, tmp_path, host.url, QUICK) as ws:
        pipe = chain_of_counters(ws, tmp_path, steps=35, pause=1.0)
        run = pipe.stages[0].trigger()
        until(lambda: run.status == "Running", 60)
        host.cut()
        cut_at = time.monotonic()
        while time.monotonic() - cut_at < 60:
            ws.reconcile()
            assert pipe.stages[0].status in {"Running", "Succeeded"}
            time.sleep(1)
        host.listen()
        pipe.wait(timeout=120)
        assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2
        assert [len(stage.runs) for stage in pipe.stages] == [1, 1]
        assert len((tmp_path / "started").read_text().splitlines()) == 2


def test_artifacts_of_this_machine_alone_are_refused_before_the_run(tmp_path: Path) -> None:
    """A trigger says that the host does not see the artifact folder, and what to do; nothing starts there."""
    (tmp_path / "artifacts").mkdir()
    url = f"sqlite:///{tmp_path}/lab.db"
    with running_host(tmp_path / "host", hides=tmp_path / "artifacts") as host:
        with workspace(url, tmp_path, host.url.replace("gpubox", "behind")) as ws:
            pipe = chain_of_counters(ws, tmp_path)
            with pytest.raises(pw.ExecutionError, match=r"artifacts are in .* not seen there"):
                pipe.stages[0].trigger()
            assert pipe.stages[0].runs[0].status == "Crashed"
        assert not (tmp_path / "started").exists()


def test_artifacts_at_a_url_need_no_shared_folder(tmp_path: Path) -> None:
    """Where artifacts are at a URL, a run elsewhere sends its checkpoints there, and they are read here."""
    kept, cache = tmp_path / "kept", tmp_path / "cache"
    for folder in (kept, cache):
        folder.mkdir()
    with running_host(tmp_path / "host", hides=cache) as host:
        launcher = host.url.replace("gpubox", "behind")
        ws = pw.Workspace(
            f"sqlite:///{tmp_path}/lab.db", artifacts=f"file://{kept}", cache=cache, launcher=launcher
        )
        try:
            pipe = chain_of_counters(ws, tmp_path)
            pipe.stages[0].trigger()
            pipe.wait(timeout=120)
            assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2
            assert list(kept.rglob("*"))
            found = pipe.stages[0].runs[0].checkpoints[-1].path
            assert (Path(found) / "state.txt").read_text().startswith("3 of seed")
        finally:
            ws.close()


def test_a_trigger_while_the_host_is_off_is_an_error_and_can_be_repeated(tmp_path: Path) -> None:
    """The user is told at once, and triggers again when the host is back."""
    url = f"sqlite:///{tmp_path}/lab.db"
    with running_host(tmp_path / "host") as host, workspace(url, tmp_path, host.url) as ws:
        pipe = chain_of_counters(ws, tmp_path)
        host.cut()
        with pytest.raises(pw.ExecutionError, match="gpubox cannot be reached over SSH"):
            pipe.stages[0].trigger()
        host.listen()
        pipe.stages[0].trigger()
        pipe.wait(timeout=120)
        assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2
        assert len((tmp_path / "started").read_text().splitlines()) == 2


def test_a_supervisor_that_is_killed_there_is_told_in_the_words_of_its_job(tmp_path: Path) -> None:
    """The run is Crashed, with the signal that its job has ended by, and nothing of it is left."""
    with workspace(f"sqlite:///{tmp_path}/lab.db", tmp_path, "ssh://gpubox", QUICK) as ws:
        pipe = chain_of_counters(ws, tmp_path, pause=60.0)
        run = pipe.stages[0].trigger()
        until(lambda: run.status == "Running" and bool(run.checkpoints), 60)
        psutil.Process(supervisor(ws, run).pid).kill()
        until(lambda: run.status == "Crashed", 60)
        assert "killed by SIGKILL" in str(run.error)


def test_a_stop_is_heeded_there(tmp_path: Path) -> None:
    """A stop goes through the row, as on one machine, and the job has ended with it."""
    with workspace(f"sqlite:///{tmp_path}/lab.db", tmp_path, "ssh://gpubox") as ws:
        pipe = chain_of_counters(ws, tmp_path, steps=1000, pause=0.1)
        run = pipe.stages[0].trigger()
        until(lambda: len(run.checkpoints) > 1, 60)
        pid = supervisor(ws, run).pid
        assert any("sshd" in line or "pipeline_widgets supervise" in line for line in ancestors(pid))
        run.stop()
        until(lambda: run.status == "Stopped", 60)
        until(lambda: not psutil.pid_exists(pid), 30)


def test_a_host_is_named_where_the_launcher_is_shown(tmp_path: Path, shared: SshHost) -> None:
    """A workspace keeps its launcher: opened again without one, its runs go to the same host."""
    url = f"sqlite:///{tmp_path}/lab.db"
    with workspace(url, tmp_path, "ssh://gpubox"):
        pass
    ws = pw.Workspace(url)
    try:
        pipe = chain_of_counters(ws, tmp_path, act="print")
        run = pipe.stages[0].trigger()
        pipe.wait(timeout=120)
        assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2
        assert "from a child" in run.log
        jobs = [path.name for path in shared.jobs.iterdir()]
        states = {SshLauncher(shared.url).status(job).hosts for job in jobs}
        assert states == {("gpubox",)}
        assert platform.node() == supervisor(ws, pipe.stages[1].runs[0]).machine.partition("|")[0]
    finally:
        ws.close()
