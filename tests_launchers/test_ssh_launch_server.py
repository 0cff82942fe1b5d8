"""Supervisors over SSH that a launch server of their host forks, and what depends on it: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from benches import Bench, alive, end_all, until
from launch_servers import servers
from ssh import SshHost, running_host

import pipeline_widgets as pw
from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.execution import ownership, variables
from pipeline_widgets.execution.hosted_job import UNKNOWN_EXIT
from pipeline_widgets.execution.launch_place import VARIABLE
from pipeline_widgets.execution.launchers.ssh import SshLauncher

pytestmark = pytest.mark.spec("11.2")
TIMING = pw.Timing(beat_every=0.5, grace=8.0)
LONG: Mapping[str, object] = {"steps": 4000, "pause": 0.05}
READY_WITHIN = 60.0


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    """A host whose launch servers end with the test."""
    monkeypatch.setenv(VARIABLE, "5")
    with running_host(tmp_path / "host") as made:
        yield made


@pytest.fixture
def bench(host: SshHost, tmp_path: Path) -> Iterator[Bench]:
    """A workspace whose runs are jobs of that host."""
    made = Bench(tmp_path, TIMING, launcher=host.url)
    yield made
    end_all(made)


def log_of(host: SshHost) -> Path:
    """Return where the launch servers of a host print to."""
    return host.jobs.parent / "launch-server.log"


def finish(bench: Bench) -> pw.Run:
    """Run a chain of one stage to its end, and return the run."""
    pipe = bench.chain({})
    run = pipe.stages[0].trigger()
    assert run.wait(60).status == "Succeeded", run.error
    return run


def warm(bench: Bench, host: SshHost) -> psutil.Process:
    """Return the launch server that the first run has left."""
    finish(bench)
    until(lambda: len(servers(log_of(host))) == 1, READY_WITHIN)
    (server,) = servers(log_of(host))
    until(lambda: _is_ready(server), READY_WITHIN)
    return server


def begin(bench: Bench) -> tuple[pw.Run, psutil.Process]:
    """Return a run at work that saves, and its supervisor."""
    run = bench.chain(LONG).stages[0].trigger()
    until(lambda: len(run.checkpoints) > 0, 60)
    return run, psutil.Process(bench.supervisor(run).pid)


def test_supervisors_of_later_chains_are_forked_and_end_as_those_that_were_started(
    bench: Bench, host: SshHost
) -> None:
    """With the variables, the folder, the log and the exit code of their job; once each."""
    server = warm(bench, host)
    run, supervisor = begin(bench)
    assert supervisor.ppid() == server.pid
    environment = supervisor.environ()
    assert variables.token_of(environment[variables.LAUNCH]) == bench.row(run).job
    assert environment[variables.URL].endswith("lab.db")
    assert (supervisor.cwd(), environment["HOME"]) == (str(host.home), str(host.home))
    assert supervisor.cmdline()[1:5] == ["-P", "-m", "pipeline_widgets", "supervise"]
    log = host.jobs / (bench.row(run).job or "") / "log"
    assert Path(f"/proc/{supervisor.pid}/fd/1").samefile(log)

    launcher = SshLauncher(host.url)
    assert launcher.status(bench.row(run).job or "").state is JobState.AT_WORK
    run.stop()
    assert run.wait(60).status == "Stopped"
    until(lambda: launcher.status(bench.row(run).job or "").exit_code == 0, 30)
    third = finish(bench)
    until(lambda: launcher.status(bench.row(third).job or "").exit_code == 0, 30)
    assert servers(log_of(host)) == [server]


def test_a_forked_supervisor_that_is_killed_is_told_in_the_words_of_its_job(
    bench: Bench, host: SshHost
) -> None:
    """The signal comes from its launch server."""
    warm(bench, host)
    run, supervisor = begin(bench)
    trainer = bench.trainer(run)
    supervisor.kill()
    assert run.wait(60).status == "Crashed"
    assert "killed by SIGKILL" in str(run.error)
    until(lambda: not alive(trainer.pid))


def test_a_stop_of_its_job_reaches_a_forked_supervisor(bench: Bench, host: SshHost) -> None:
    """By the process that has asked for it, which ends with it."""
    warm(bench, host)
    run, supervisor = begin(bench)
    job = bench.row(run).job or ""
    SshLauncher(host.url).stop(job)
    assert run.wait(60).status == "Crashed"
    assert "asked to end (SIGTERM)" in str(run.error)
    assert not supervisor.is_running()
    assert not ownership.launched_with(job)


def test_a_launch_server_that_is_killed_harms_no_run_and_is_replaced(bench: Bench, host: SshHost) -> None:
    """Runs that it has forked go on; the next one is started, and another server with it."""
    server = warm(bench, host)
    run, supervisor = begin(bench)
    server.kill()
    server.wait(10)
    saved = len(run.checkpoints)
    until(lambda: len(run.checkpoints) > saved + 20, 60)
    finish(bench)
    until(lambda: len(servers(log_of(host))) == 1, READY_WITHIN)
    launcher, job = SshLauncher(host.url), bench.row(run).job or ""
    assert launcher.status(job).state is JobState.AT_WORK
    supervisor.send_signal(signal.SIGKILL)
    until(lambda: launcher.status(job).state is JobState.ENDED, 30)
    said = launcher.status(job)
    assert (said.exit_code, "outlived the launch server" in said.reason) == (None, True)


def test_a_run_goes_on_whose_job_has_lost_the_process_that_had_asked_for_it(
    bench: Bench, host: SshHost
) -> None:
    """Its beats count more than what is said of the job."""
    warm(bench, host)
    run, supervisor = begin(bench)
    waiting = int((host.jobs / (bench.row(run).job or "") / "process").read_text().split()[0])
    assert waiting not in {supervisor.pid, supervisor.ppid()}
    os.kill(waiting, signal.SIGKILL)
    saved = len(run.checkpoints)
    until(lambda: bench.ws.reconcile() or len(run.checkpoints) > saved + 100, 60)
    assert run.status == "Running"


def test_a_launch_server_that_hangs_costs_a_moment(bench: Bench, host: SshHost) -> None:
    """The supervisor is started then, and once."""
    server = warm(bench, host)
    server.suspend()
    try:
        run = finish(bench)
        assert len(bench.ws._services.runs.of_stage(bench.row(run).stage_id or 0)) == 1
    finally:
        server.resume()


def test_libraries_stay_imported_for_later_chains_of_the_host(
    bench: Bench, host: SshHost, tmp_path: Path
) -> None:
    """A launch server of its own has what a training of the same algorithm has imported."""

    @pw.algorithm("Importing", produces={"thing"})
    def importing(ctx: pw.TrainContext) -> None:
        found = "pandas" in sys.modules
        import pandas as pd

        ctx.report(1, rows=float(len(pd.DataFrame({"a": [1]}))))
        time.sleep(1.0)  # a training that is over at once has no libraries worth keeping
        with ctx.checkpoint(1) as folder:
            (folder / "found").write_text(str(found))

    def found() -> str:
        experiment = bench.project.create_experiment(
            f"e{len(bench.project.experiments)}", algorithm=importing
        )
        run = experiment.train()
        assert run.wait(60).status == "Succeeded", run.error
        return (run.checkpoints[0].path / "found").read_text()

    assert found() == "False"
    until(lambda: len([each for each in servers(log_of(host)) if _is_ready(each)]) == 2, READY_WITHIN)
    assert found() == "True"


def test_where_launch_servers_are_turned_off_there_is_none_over_ssh(
    bench: Bench, host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of who submits counts."""
    monkeypatch.setenv(VARIABLE, "off")
    run = finish(bench)
    assert bench.row(run).job is not None
    assert servers(log_of(host)) == []


def test_who_asks_a_launch_server_imports_nothing_of_what_a_supervisor_needs() -> None:
    """Else a fork would cost as much as a start."""
    code = (
        "import sys; import pipeline_widgets.execution.hosted_job; "
        "print(*(each for each in sys.modules if each.split('.')[0] in "
        "{'sqlalchemy', 'psutil', 'pydantic', 'dataclasses', 'importlib.metadata', 'subprocess'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert UNKNOWN_EXIT == os.EX_TEMPFAIL


def _is_ready(server: psutil.Process) -> bool:
    return Path(server.cmdline()[5]).exists()
