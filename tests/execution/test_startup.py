"""Processes that come up slowly, or never, or hang (faults 7, 8 and 9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import databases
import pytest
from benches import Bench, alive, until
from sites import an_agent

from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.domain.liveness import ProcessState
from pipeline_widgets.execution import processes, variables


def interpreter(folder: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> Path:
    """Let processes be launched by a script, and return the file that it writes a line to each time."""
    script, launches = folder / "interpreter", folder / "launches"
    script.write_text(f"#!/bin/sh\necho $$ >> {launches}\n{lines}\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    return launches


def count(launches: Path) -> int:
    """Return how many launches there were."""
    return len(launches.read_text().splitlines()) if launches.exists() else 0


def forward(bench: Bench, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the database's clock be ahead by so many seconds."""
    monkeypatch.setattr(bench.ws._services.store.database, "_clock", lambda: time.time() + seconds)


@pytest.mark.spec("6.9")
def test_a_start_that_takes_long_is_left_alone(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 7: as long as the launched process lives it may take the run, be it after ten minutes."""
    go = tmp_path / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.05; done"
    launches = interpreter(tmp_path, monkeypatch, f'{wait}\nexec {sys.executable} "$@"')
    run = bench.chain({}).stages[0].trigger()

    for seconds in (16, 40, 120, 600):
        forward(bench, monkeypatch, seconds)
        bench.ws.reconcile()
    assert (run.status, count(launches)) == ("Pending", 1)
    go.touch()

    assert run.wait(60).status == "Succeeded"
    assert count(launches) == 1


@pytest.mark.spec("6.9")
def test_a_start_that_fails_is_tried_once_more_and_its_log_is_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 7 and case 8: launched once more at once, then Crashed with exit code, last words and log."""
    launches = interpreter(tmp_path, monkeypatch, "echo ImportError: no such thing >&2\nexit 3")
    run = bench.chain({}).stages[0].trigger()

    until(lambda: run.status == "Crashed", timeout=10)

    assert count(launches) == 2
    error = run.error or ""
    assert error.startswith("Its process was launched 2 times and ended each time before it had begun.")
    assert "exit code 3" in error
    assert "ImportError: no such thing" in error
    assert str(bench.ws.artifacts / "runs" / f"{run._id:08d}" / "supervisor.log") in error


@pytest.mark.spec("8.2")
def test_an_endpoint_that_was_killed_while_it_started_is_launched_once_more(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 9: the first process is killed before it has begun, the second one serves."""
    agent = an_agent(bench)
    once = f"if [ $(wc -l < {tmp_path / 'launches'}) = 1 ]; then kill -9 $$; fi"
    launches = interpreter(tmp_path, monkeypatch, f'{once}\nexec {sys.executable} "$@"')

    agent.connect()

    assert agent.status == "Deployed"
    assert count(launches) == 2


@pytest.mark.spec("8.2")
def test_an_endpoint_that_never_starts_is_failed_with_its_log(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 9: launched twice, and then the truth: how it ended, and what it said last."""
    agent = an_agent(bench)
    launches = interpreter(tmp_path, monkeypatch, "echo no torch here >&2\nexit 5")
    endpoints = bench.ws._services.endpoints
    endpoints.connect(agent._id)

    until(lambda: agent.status is not AgentStatus.PENDING, timeout=10)

    assert agent.status == "Failed"
    assert count(launches) == 2
    for part in ("launched 2 times", "exit code 5", "no torch here", str(endpoints.log(agent._id))):
        assert part in (agent.error or "")


HUNG = """
import os, sys, time
from pipeline_widgets.domain.liveness import ProcessState
from pipeline_widgets.execution import ownership, variables, processes
from pipeline_widgets.services.supervision import Owner
from pipeline_widgets.wiring import connect
supervision = connect(os.environ["PIPELINE_WIDGETS_URL"]).supervision
token = variables.token_of(ownership.own_launch())
me = processes.identify(os.getpid())
job = supervision.take(int(sys.argv[1]), Owner(process=me, token=token))
supervision.record_start(job, me)
time.sleep(600)
"""


@pytest.mark.spec("6.9")
def test_a_supervisor_that_hangs_is_ended_and_given_up(quick: Bench) -> None:
    """Row 8: it lives, but neither beats nor wakes for the grace and once more: Crashed, with evidence."""
    run = quick.ws._services.runs.trigger(quick.chain({}).stages[0]._id)
    launch = {variables.LAUNCH: variables.new_launch(), variables.URL: quick.ws._services.store.database.url}
    hung = subprocess.Popen([sys.executable, "-c", HUNG, str(run.id)], env={**os.environ, **launch})
    runs = quick.ws._services.runs
    until(lambda: runs.get(run.id).status == "Running")

    def crashed() -> bool:
        quick.ws.reconcile()
        return runs.get(run.id).status == "Crashed"

    until(crashed)

    assert f"process {hung.pid}" in (runs.get(run.id).error or "")
    assert "hangs" in (runs.get(run.id).error or "")
    assert hung.wait(5) == -signal.SIGKILL


@pytest.mark.spec("6.9")
def test_a_supervisor_that_cannot_write_but_wakes_is_believed(quick: Bench) -> None:
    """Row 8: its beat is old since the database refuses; it goes round its loop, so it is left alone."""
    run = quick.ws._services.runs.trigger(quick.chain({}).stages[0]._id)
    code = HUNG.replace("time.sleep(600)", "[time.sleep(0.05) for _ in range(2000)]")
    launch = {variables.LAUNCH: variables.new_launch(), variables.URL: quick.ws._services.store.database.url}
    busy = subprocess.Popen([sys.executable, "-c", code, str(run.id)], env={**os.environ, **launch})
    runs = quick.ws._services.runs
    until(lambda: runs.get(run.id).status == "Running")
    until_then = time.monotonic() + 4.0  # the grace, and the grace again, and a little

    while time.monotonic() < until_then:
        quick.ws.reconcile()
        time.sleep(0.1)

    assert runs.get(run.id).status == "Running"
    busy.kill()
    busy.wait()


@pytest.mark.spec("6.9")
def test_a_supervisor_suspended_in_the_middle_of_a_write_blocks_others_no_longer_than_the_grace(
    quick: Bench,
) -> None:
    """Row 9: it holds the database's lock: it is ended first, and then the run is Crashed."""
    run = quick.ws._services.runs.trigger(quick.chain({}).stages[0]._id)
    locked = "held = connect(os.environ['PIPELINE_WIDGETS_URL']).store.database.write()\nheld.__enter__()"
    code = HUNG.replace("time.sleep(600)", f"{locked}\nprint('held', flush=True)\ntime.sleep(600)")
    launch = {variables.LAUNCH: variables.new_launch(), variables.URL: quick.ws._services.store.database.url}
    command = [sys.executable, "-c", code, str(run.id)]
    holder = subprocess.Popen(command, env={**os.environ, **launch}, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    until(lambda: processes.probe(processes.identify(holder.pid)) is ProcessState.SUSPENDED)
    time.sleep(1.6)  # the grace

    began = time.monotonic()
    quick.ws.reconcile()

    assert time.monotonic() - began < 25  # SQLite would wait for the lock for 30 s
    assert quick.ws._services.runs.get(run.id).status == "Crashed"
    assert not alive(holder.pid)
    holder.stdout.close()
    holder.wait()


def run_python(code: str) -> str:
    """Return what an interpreter prints that runs some code."""
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_forked_worker_finds_every_module_of_ours_imported() -> None:
    """What the fork server has not imported, every run would import anew: it took 4 ms of each."""
    code = """
import sys
from pipeline_widgets.execution import fork_server
fork_server.preload()
before = set(sys.modules)
from pipeline_widgets.algorithms import registry
from pipeline_widgets.execution import worker
registry.claim_main()
print(sorted(name for name in set(sys.modules) - before if name != "__main__"))
"""
    assert run_python(code) == "[]"


def test_a_supervisor_imports_only_what_it_needs(bench: Bench) -> None:
    """Neither read models nor YAML nor another dialect: with them a start took a fifth longer."""
    dialects = [] if databases.is_postgresql() else ["sqlalchemy.dialects.postgresql"]
    code = f"""
import sys
from pipeline_widgets.execution import supervisor
from pipeline_widgets.execution.assembly import connect_execution
connect_execution({bench.ws._services.store.database.url!r}, create=False)
unwanted = ["pipeline_widgets.application", "yaml", "pydantic", "http.client"]
unwanted += [*{dialects}, "fsspec", "pipeline_widgets.execution.worker"]
unwanted += ["pipeline_widgets.domain.overview", "pipeline_widgets.persistence.remote.folders"]
print([name for name in (*unwanted, *supervisor.AFTER_RUNNING) if name in sys.modules])
"""
    assert run_python(code) == "[]"


@pytest.mark.spec("11.2")
def test_a_supervisor_imports_what_is_left_once_its_run_is_running(bench: Bench) -> None:
    """Not before, when somebody waits for it, and not within the transaction that ends the run."""
    pipe = bench.chain({}, {})
    run = bench.ws._services.runs.trigger(pipe.stages[0]._id)
    code = f"""
import os, sys
from pipeline_widgets.execution.fork_server import create_spawner
spawner = create_spawner()
from pipeline_widgets.execution import supervisor
from pipeline_widgets.execution.assembly import connect_execution
opened = connect_execution({bench.ws._services.store.database.url!r}, create=False)

def ours():
    return {{name for name in sys.modules if name.startswith("pipeline_widgets.")}}


states, imports = [], []
rest = supervisor.import_rest
def import_rest():
    states.append(opened.supervision.lease({run.id}).status.value)
    rest()
    imports.append(ours())
supervisor.import_rest = import_rest
parts = (lambda: opened.reconciler, lambda: opened.endpoints, opened.store.timing, spawner)
supervisor.Supervisor(opened.supervision, *parts, lambda: opened.trackers).run({run.id})
print(states[0], sorted(ours() - imports[0]))
"""
    assert run_python(code) == "Running []"
    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2


@pytest.mark.spec("11.2")
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux shows what a process has loaded")
@pytest.mark.parametrize(("cores", "loaded"), [(1, [False, True]), (2, [True, True])])
def test_with_one_core_a_worker_is_forked_before_its_imports(cores: int, loaded: list[bool]) -> None:
    """They would hold up the supervisor, which waits for a process before its run is Running."""
    code = f"""
from pathlib import Path
from pipeline_widgets.execution import fork_server
fork_server._usable_cores = lambda: {cores}
server = fork_server.ForkServer()
workers = [server.spawn()() for _ in range(2)]
print(["pydantic_core" in Path(f"/proc/{{each.pid}}/maps").read_text() for each in workers])
server.close()
"""
    assert run_python(code) == str(loaded)
