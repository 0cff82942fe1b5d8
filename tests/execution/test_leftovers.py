"""Nothing of a run outlives it, and nothing else is ever ended (faults 1, 6 and 15)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import habits
import psutil
import pytest
from benches import Bench, alive, until
from sqlalchemy import update

import pipeline_widgets as pw
from pipeline_widgets.domain.liveness import Process, ProcessState
from pipeline_widgets.execution import ownership, processes, variables
from pipeline_widgets.persistence import schema

HELPERS = ("rank", "bare", "daemon")


def detaching(bench: Bench, folder: Path, end: str) -> pw.Run:
    """Return a run that detaches processes and then ends in some way."""
    config = {"end": end, "folder": str(folder)}
    return bench.project.create_experiment("e", algorithm=habits.detaching, config=config).train()


def helpers(folder: Path) -> dict[str, int]:
    """Return the processes that the training has detached, once they are there."""
    until((folder / "daemon").exists)
    return {name: int((folder / name).read_text()) for name in HELPERS}


@pytest.mark.spec("6.9")
@pytest.mark.parametrize(
    ("end", "status"), [("", "Succeeded"), ("raise", "Failed"), ("exit", "Crashed"), ("wait", "Stopped")]
)
def test_habit_01_what_a_run_has_detached_is_gone_when_it_has_ended(
    bench: Bench, tmp_path: Path, end: str, status: str
) -> None:
    """Sessions of their own, double forks and cleared environments: none is left once the status is final."""
    run = detaching(bench, tmp_path, end)
    left = helpers(tmp_path)
    if status == "Stopped":
        run.stop()

    assert run.wait(30).status == status
    assert [name for name, pid in left.items() if alive(pid)] == []


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("victim", ["training", "fork server", "supervisor"])
def test_habit_01_what_a_run_has_detached_is_gone_when_one_of_its_processes_was_killed(
    bench: Bench, tmp_path: Path, victim: str
) -> None:
    """A kill -9 of any one of them leaves nothing, in whatever session it is."""
    run = detaching(bench, tmp_path, "wait")
    left = helpers(tmp_path)
    trainer, supervisor = bench.trainer(run).pid, bench.supervisor(run).pid
    victims = {"training": trainer, "supervisor": supervisor, "fork server": psutil.Process(trainer).ppid()}

    os.kill(victims[victim], signal.SIGKILL)

    assert run.wait(30).status == "Crashed"
    until(lambda: not any(map(alive, left.values())), timeout=5)


@pytest.mark.spec("6.9")
def test_habit_01_when_all_were_killed_who_looks_ends_what_was_detached(bench: Bench, tmp_path: Path) -> None:
    """Nobody of the run's own processes is left: what bears its number is found and ended before Crashed."""
    run = detaching(bench, tmp_path, "wait")
    left = helpers(tmp_path)
    trainer, supervisor = bench.trainer(run).pid, bench.supervisor(run).pid
    server = psutil.Process(trainer).ppid()
    for pid in (server, supervisor):
        os.kill(pid, signal.SIGSTOP)  # so that none of them can do anything about the others
    for pid in (server, supervisor, trainer):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(supervisor))
    assert alive(left["rank"])

    until(lambda: run.status == "Crashed")

    assert not alive(left["rank"])
    assert not alive(left["daemon"])
    os.kill(left["bare"], signal.SIGKILL)  # the limit: a cleared environment, and no ancestor left


@pytest.fixture
def innocent() -> Generator[Process]:
    """A process that has nothing to do with any run."""
    process = subprocess.Popen(habits.FOREVER, start_new_session=True)
    yield processes.identify(process.pid)
    process.kill()
    process.wait()


@pytest.mark.spec("6.9")
def test_a_row_that_names_an_innocent_process_never_ends_it(bench: Bench, innocent: Process) -> None:
    """Row 15: a look at a hostile or stale row ends nothing that was not launched for it."""
    run = bench.chain({"steps": 100_000, "pause": 0.01}).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    os.kill(bench.supervisor(run).pid, signal.SIGKILL)
    named = {"child_pid": innocent.pid, "child_started": innocent.started}
    with bench.ws._services.store.write() as work:
        work.connection.execute(update(schema.runs).values(**named, launch_pid=innocent.pid))

    until(lambda: run.status == "Crashed")
    agent = bench.ws.create_agent("a", run.checkpoints[-1])
    with bench.ws._services.store.write() as work:
        work.endpoints.request(agent._id, host="127.0.0.1")
        who = {"machine": innocent.machine, "pid": innocent.pid, "pid_started": innocent.started}
        work.endpoints.take(agent._id, token="t", **who)
    agent.disconnect()

    assert alive(innocent.pid)


@pytest.mark.spec("6.9")
def test_a_suspended_innocent_in_a_row_is_given_up_and_lives(quick: Bench, innocent: Process) -> None:
    """A row that names a suspended process as its supervisor becomes Crashed; the process lives on."""
    run = quick.ws._services.runs.trigger(quick.chain({}).stages[0]._id)
    os.kill(innocent.pid, signal.SIGSTOP)
    who = {"token": "t" * 32, "host": innocent.machine, "pid": innocent.pid, "pid_started": innocent.started}
    with quick.ws._services.store.write() as work:
        work.runs.take(run.id, **who)
        work.runs.start(run.id, "t" * 32, 1, pid=innocent.pid, since=innocent.started, environment=None)

    time.sleep(1.6)  # the grace
    quick.ws.reconcile()

    assert quick.ws._services.runs.get(run.id).status == "Crashed"
    assert processes.probe(innocent) is ProcessState.SUSPENDED


def test_a_stepped_clock_changes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 1: who a process is does not depend on the wall clock, which psutil reckons start times by."""
    me = processes.identify(os.getpid())
    true = psutil.Process.create_time

    def stepped(process: psutil.Process) -> float:
        return true(process) + 5

    monkeypatch.setattr(psutil.Process, "create_time", stepped)

    assert processes.probe(me) is ProcessState.AT_WORK
    assert processes.identify(os.getpid()) == me


def test_the_age_of_a_process_is_on_the_clock_since_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known for a process of this machine; elsewhere, or since 1970, nothing is guessed."""
    me = processes.identify(os.getpid())
    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert 0 < (processes.age(me) or 0) < time.clock_gettime(time.CLOCK_BOOTTIME)
    assert processes.age(Process(machine="elsewhere", pid=1, started=1)) is None
    assert processes.age(Process(machine=me.machine, pid=1, started=1.7e9)) is None
    assert processes.age(None) is None


def test_a_process_that_an_older_version_has_noted_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start time since 1970 is compared with one: an upgrade in the middle of a run ends nothing."""
    started = psutil.Process().create_time()
    old = Process(machine=processes.machine(), pid=os.getpid(), started=started)

    assert processes.probe(old) is ProcessState.AT_WORK
    assert (
        processes.probe(Process(machine=old.machine, pid=old.pid, started=started - 60)) is ProcessState.GONE
    )


def test_a_later_process_with_the_same_number_is_another() -> None:
    """A number alone means nothing: start times that differ by one tick are of two processes."""
    me = processes.identify(os.getpid())
    other = Process(machine=me.machine, pid=me.pid, started=me.started - 1 / os.sysconf("SC_CLK_TCK"))

    assert processes.probe(other) is ProcessState.GONE


def test_what_a_zombie_has_left_is_ended() -> None:
    """Row 6: a training that ended and was not reaped yet is itself, not another with its number."""
    launch, url = variables.new_launch(), "sqlite:////nowhere/lab.db"
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    environment = {**os.environ, variables.LAUNCH: launch, variables.URL: url}
    command = [sys.executable, "-c", code]
    child = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE)
    assert child.stdout is not None
    who = processes.identify(child.pid)
    left = int(child.stdout.readline())
    until(lambda: processes.probe(who) is ProcessState.GONE)
    assert processes.is_there(who)  # a zombie

    ownership.end_launch(variables.token_of(launch), [None, who], url)

    child.stdout.close()
    child.wait()
    assert not alive(left)


def test_a_copy_of_a_workspace_ends_nothing_of_the_original(bench: Bench, tmp_path: Path) -> None:
    """The rows of a copy name the same processes and tokens; they are of another workspace."""
    run = bench.chain({"steps": 100_000, "pause": 0.01}).stages[0].trigger()
    until(lambda: run.status == "Running")
    lease = bench.lease(run)

    ownership.end_launch(lease.token, [lease.holder, lease.worker], f"sqlite:///{tmp_path}/copy/lab.db")

    assert alive(bench.trainer(run).pid)


@pytest.mark.spec("6.9", "11.2")
def test_a_process_is_known_by_its_launch_from_its_first_moment() -> None:
    """Also before the kernel shows the environment of what has just been started: a stop finds it at once."""
    launch, unknown = variables.new_launch(), 0
    environment = {**os.environ, variables.LAUNCH: launch}
    for _ in range(100):
        with subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], env=environment
        ) as begun:
            unknown += ownership.launch_of(begun.pid) != launch
            begun.kill()
    assert unknown == 0


def test_a_process_without_an_environment_is_asked_once_it_is_no_longer_new() -> None:
    """It belongs to no launch, and costs nothing once it has had its time to begin."""
    with subprocess.Popen(["/bin/sleep", "60"], env={}) as bare:
        began = time.monotonic()
        assert ownership.launch_of(bare.pid) is None
        assert time.monotonic() - began < 30
        assert not processes.is_beginning(bare.pid)
        bare.kill()
