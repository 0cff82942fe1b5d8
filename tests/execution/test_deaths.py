"""Processes that die, hang, are suspended, or never start (spec 6.9)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from benches import Bench, alive, until

import pipeline_widgets as pw
from pipeline_widgets.__main__ import main
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import Outcome, SavedCheckpoint
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.launchers import LaunchedJob, LaunchRequest
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.services.supervision import Owner
from pipeline_widgets.wiring import connect

LONG = {"steps": 100_000, "pause": 0.01}
DEAF = {"act": "deaf"}


@pytest.mark.spec("6.9")
def test_a_killed_training_is_crashed_within_two_seconds(bench: Bench) -> None:
    """A kill -9 of a training: Crashed within 2 s, with the signal as evidence; its checkpoints stay."""
    pipe = bench.chain(LONG, {})
    run = pipe.stages[0].trigger()
    until(lambda: len(run.checkpoints) > 0)

    os.kill(bench.trainer(run).pid, signal.SIGKILL)
    took = until(lambda: run.status == "Crashed")

    assert took <= 2.0
    assert "killed by SIGKILL" in (run.error or "")
    assert os.uname().nodename in (run.error or "")
    assert len(run.checkpoints) > 0
    assert pipe.stages[1].status == "Draft"


@pytest.mark.spec("6.9")
def test_a_process_that_ends_without_a_word_is_crashed(bench: Bench) -> None:
    """A training that leaves by os._exit has not finished: Crashed, with its exit code."""
    run = bench.chain({"act": "exit"}).stages[0].trigger().wait(30)

    assert run.status == "Crashed"
    assert "exit code 7" in (run.error or "")


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("config", [LONG, DEAF], ids=["in Python", "deaf to signals"])
def test_a_killed_supervisor_is_found_and_leaves_no_orphan(
    bench: Bench, config: Mapping[str, object]
) -> None:
    """A kill -9 of a supervisor: Crashed within 5 s of the next look, and its training does not go on."""
    run = bench.chain(config).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    trainer, supervisor = bench.trainer(run), bench.supervisor(run)

    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: not alive(trainer.pid), timeout=1)  # before anybody has looked
    took = until(lambda: run.status == "Crashed")

    assert took <= 5.0
    assert f"process {supervisor.pid}" in (run.error or "")
    assert "is gone" in (run.error or "")


@pytest.mark.spec("6.9")
def test_what_a_training_started_in_a_session_of_its_own_is_ended_with_it(bench: Bench) -> None:
    """A process that the training detached is ended when the training has to be killed."""
    run = bench.chain({"act": "grandchild"}).stages[0].trigger()
    trainer = bench.trainer(run)
    until(lambda: bool(psutil.Process(trainer.pid).children()))
    grandchild = psutil.Process(trainer.pid).children()[0].pid

    run.stop()
    run.wait(30)

    assert run.status == "Stopped"
    until(lambda: not alive(grandchild), timeout=2)


@pytest.mark.spec("6.9")
def test_a_suspended_supervisor_is_given_up_after_the_grace_and_fenced(quick: Bench) -> None:
    """SIGSTOP past the grace, then SIGCONT: the run stays Crashed and nothing that it writes counts."""
    pipe = quick.chain({"steps": 100_000, "pause": 0.005}, {})
    run = pipe.stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    supervisor, trainer = quick.supervisor(run), quick.trainer(run)

    os.kill(supervisor.pid, signal.SIGSTOP)
    until(lambda: run.status == "Crashed")
    kept, reported, ended = len(run.checkpoints), len(run.metrics), run.finished_at
    with suppress(ProcessLookupError):  # it was ended, and whoever has forked it may have reaped it
        os.kill(supervisor.pid, signal.SIGCONT)
    until(lambda: not alive(supervisor.pid))

    assert "suspended" in (run.error or "")
    assert not alive(trainer.pid)
    assert run.status == "Crashed"
    assert (len(run.checkpoints), len(run.metrics), run.finished_at) == (kept, reported, ended)
    assert pipe.stages[1].status == "Draft"


@pytest.mark.spec("6.9")
def test_a_supervisor_that_was_suspended_within_the_grace_goes_on(quick: Bench) -> None:
    """SIGSTOP and SIGCONT within the grace change nothing."""
    run = quick.chain({"steps": 60, "pause": 0.02}).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)

    os.kill(quick.supervisor(run).pid, signal.SIGSTOP)
    time.sleep(0.6)  # a real suspension has to last
    quick.ws.reconcile()
    os.kill(quick.supervisor(run).pid, signal.SIGCONT)

    assert run.wait(30).status == "Succeeded"
    assert len(run.checkpoints) == 60


@pytest.mark.spec("6.9")
def test_a_training_that_holds_the_gil_is_not_taken_for_dead(quick: Bench) -> None:
    """5 s in compiled code that holds the GIL, three times the grace: the run goes on and succeeds."""
    run = quick.chain({"act": "hold the GIL", "steps": 2}).stages[0].trigger()
    until(lambda: run.status == "Running")
    beats: set[float | None] = set()

    while not run.status.finished:
        quick.ws.reconcile()
        beats.add(quick.lease(run).beat_at)
        time.sleep(0.05)

    assert run.status == "Succeeded"
    assert run.finished_at is not None
    assert run.started_at is not None
    assert (run.finished_at - run.started_at).total_seconds() >= 5
    assert len(beats) >= 15


@pytest.mark.spec("6.9")
def test_a_run_whose_trigger_died_before_the_launch_is_started_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the commit of a trigger and the launch the process dies: the run is started, exactly once."""
    pipe = bench.chain({"act": "mark", "folder": str(tmp_path)})
    run = bench.ws._services.runs.trigger(pipe.stages[0]._id)  # the commit, without the launch
    launches: list[int] = []
    submit = LocalLauncher.submit

    def counted(self: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
        launches.append(int(request.arguments[1]))
        return submit(self, request)

    monkeypatch.setattr(LocalLauncher, "submit", counted)
    pipe.wait(30)

    assert pipe.stages[0].status == "Succeeded"
    assert launches == [run.id]
    assert len((tmp_path / "started").read_text().splitlines()) == 1


@pytest.mark.spec("6.9")
def test_a_stage_whose_supervisor_died_before_its_child_began_is_started_once(
    bench: Bench, tmp_path: Path
) -> None:
    """The supervisor dies after the commit that took the next stage: that stage is started, once."""
    pipe = bench.chain({}, {"act": "mark", "folder": str(tmp_path)})
    supervision = bench.ws._services.supervision
    first = bench.ws._services.runs.trigger(pipe.stages[0]._id)
    fake = _die_after_the_first_stage(bench, first.id)

    assert pipe.stages[1].run is not None
    assert bench.lease(pipe.stages[1].run).token == fake
    pipe.wait(30)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2
    assert len((tmp_path / "started").read_text().splitlines()) == 1
    assert supervision.active()[0] == ()


def _die_after_the_first_stage(bench: Bench, run_id: int) -> str:
    """In a process that ends then: do what a supervisor does, up to the commit of the first stage."""
    pid = os.fork()
    if pid == 0:
        services = connect(bench.url)
        me = processes.identify(os.getpid())
        owner = Owner(process=me, token="dead")
        job = services.supervision.take(run_id, owner)
        assert job is not None
        services.supervision.record_start(job, me)
        with artifacts.publish(Path(job.folder) / "checkpoints", stem="1") as publication:
            (publication.path / "state.txt").write_text("1")
        saved = SavedCheckpoint(
            step=1, folder=publication.folder, training_score=None, evaluation_score=1.0, signature={}
        )
        outcome = Outcome(status=pw.Status.SUCCEEDED)
        services.supervision.finish(job, outcome, owner, Batch(saved=[saved]))
        os._exit(0)
    os.waitpid(pid, 0)
    return "dead"


@pytest.mark.spec("6.9")
def test_a_run_that_never_comes_up_is_launched_twice_and_then_crashed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launcher whose processes never take the run: launched once and once again, then Crashed."""
    launches = _without_launches(monkeypatch)
    clock = [time.time()]
    monkeypatch.setattr(bench.ws._services.store.database, "_clock", lambda: clock[0])
    run = bench.chain({}).stages[0].trigger()

    for _ in range(8):
        clock[0] += 10
        bench.ws.reconcile()

    assert [request.arguments for request in launches] == [("supervise", str(run._id))] * 2
    assert run.status == "Crashed"
    assert run.error == "Its process was launched 2 times and never started."


@pytest.mark.spec("6.5")
def test_stop_lets_the_training_end_and_keeps_what_it_saved(bench: Bench) -> None:
    """Stop: Stopping, then Stopped; checkpoints stay, and the next stage does not start."""
    pipe = bench.chain(LONG, {})
    run = pipe.stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 2)

    run.stop()
    assert run.status in {"Stopping", "Stopped"}
    took = until(lambda: run.status == "Stopped")

    assert took < 3
    assert len(run.checkpoints) > 2
    assert run.error is None
    assert pipe.stages[1].status == "Draft"


@pytest.mark.spec("6.5")
def test_stop_before_the_start_is_stopped_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is still Pending is Stopped at once, and its process finds nothing to do."""
    launches = _without_launches(monkeypatch)
    run = bench.chain(LONG).stages[0].trigger()
    run.stop()
    monkeypatch.undo()

    assert run.status == "Stopped"
    LocalLauncher().submit(launches[0])
    log = launches[0].log
    until(lambda: log.exists() and not _supervised(bench))
    assert run.status == "Stopped"
    assert run.started_at is None


def _without_launches(monkeypatch: pytest.MonkeyPatch) -> list[LaunchRequest]:
    """Let launches do nothing, and return the list of those that were asked for."""
    launches: list[LaunchRequest] = []

    def submit(_: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
        launches.append(request)
        return LaunchedJob(id="none")

    monkeypatch.setattr(LocalLauncher, "submit", submit)
    return launches


def _supervised(bench: Bench) -> bool:
    return any(str(bench.folder) in " ".join(_environment(process)) for process in psutil.process_iter())


def _environment(process: psutil.Process) -> list[str]:
    try:
        return [process.environ().get("PIPELINE_WIDGETS_URL", "")] if process.pid != os.getpid() else []
    except psutil.Error:
        return []


@pytest.mark.slow
@pytest.mark.spec("6.5")
def test_a_training_that_does_not_heed_a_stop_is_ended(bench: Bench) -> None:
    """A training that ignores SIGTERM and never reports is ended after the grace of 10 s: Stopped."""
    run = bench.chain(DEAF).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    trainer = bench.trainer(run)

    run.stop()
    took = until(lambda: run.status == "Stopped")

    assert 9 < took < 15
    assert "did not stop by itself" in (run.error or "")
    assert not alive(trainer.pid)


@pytest.mark.spec("6.5")
def test_resume_goes_on_from_the_last_checkpoint_and_trigger_starts_over(bench: Bench) -> None:
    """Resume starts a new run at the step after the last checkpoint; Trigger stage starts at the first."""
    pipe = bench.chain({"steps": 400, "pause": 0.01}, {}, trigger="manual")
    stage = pipe.stages[0]
    stopped = stage.trigger()
    until(lambda: len(stopped.checkpoints) > 3)
    stopped.stop()
    stopped.wait(30)
    last = stopped.checkpoints[-1]
    stage.experiment.update(config={"steps": last.step + 3, "pause": 0})  # type: ignore[union-attr]

    resumed = stage.trigger(resume=True).wait(30)

    assert resumed.start_role == "resume"
    assert resumed.start_checkpoint == last
    assert [c.step for c in resumed.checkpoints] == [last.step + 1, last.step + 2, last.step + 3]
    over = stage.trigger().wait(30)
    assert over.checkpoints[0].step == 1
    assert [run.status for run in stage.runs] == ["Stopped", "Succeeded", "Succeeded"]


@pytest.mark.spec("6.6", "6.5")
def test_a_supervisor_that_is_asked_to_end_stops_its_training(bench: Bench) -> None:
    """SIGTERM of a supervisor, as when a container ends: the training may save, and is Stopped."""
    run = bench.chain(LONG).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)

    os.kill(bench.supervisor(run).pid, signal.SIGTERM)

    assert run.wait(10).status == "Stopped"


def test_a_killed_fork_server_is_a_crash_and_not_a_hang(bench: Bench) -> None:
    """A kill -9 of the fork server ends its training: the run is Crashed, nothing goes on."""
    run = bench.chain(LONG).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    trainer = bench.trainer(run)

    os.kill(psutil.Process(trainer.pid).ppid(), signal.SIGKILL)

    assert run.wait(10).status == "Crashed"
    until(lambda: not alive(trainer.pid), timeout=1)


def test_a_workspace_without_looks_is_reconciled_by_the_command(bench: Bench) -> None:
    """`pipeline-widgets reconcile` finds a dead supervisor, say from cron."""
    run = bench.chain(LONG).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    os.kill(bench.supervisor(run).pid, signal.SIGKILL)
    until(lambda: not alive(bench.supervisor(run).pid))

    assert main(["--url", bench.url, "reconcile"]) == 0

    assert bench.ws._services.runs.get(run._id).status == pw.Status.CRASHED
