"""A launch server forks supervisors, and nothing depends on it (spec 6.1, 6.9)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import launch_servers
import psutil
import pytest
from benches import Bench, alive, until

from pipeline_widgets.execution import (
    interpreter,
    launch_client,
    launch_place,
    ownership,
    processes,
    variables,
)
from pipeline_widgets.execution.launch_request import create_launch_request
from pipeline_widgets.execution.launchers import LaunchedJob
from pipeline_widgets.execution.launchers.local import LocalLauncher

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="launch servers are for Linux"),
    pytest.mark.sqlite,  # they have no connection, whatever the database
]
LONG = {"steps": 100_000, "pause": 0.01}
IS_ROOT = hasattr(os, "getuid") and os.getuid() == 0
NOBODY = 65534


@pytest.fixture(autouse=True)
def turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be launch servers, and let a busy machine have time to fork."""
    launch_servers.turn_on(monkeypatch)


@pytest.fixture
def log(tmp_path: Path) -> Generator[Path]:
    """Where the launch server of a test writes to; it is ended with the test."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    found = folder / "launch-server.log"
    yield found
    launch_servers.end(found)


@pytest.fixture
def warm_bench(bench: Bench) -> Generator[Bench]:
    """A workspace whose launch server is ready."""
    url = bench.ws._services.store.database.url
    launch_servers.start(launch_servers.log_of(bench), PIPELINE_WIDGETS_URL=url)
    yield bench
    launch_servers.end(launch_servers.log_of(bench))


def server(log: Path) -> psutil.Process:
    """Return the one launch server of a workspace."""
    (found,) = launch_servers.servers(log)
    return found


def fork(
    log: Path, *arguments: str, output: Path | None = None, **variables: str
) -> launch_client.ForkedProcess | None:
    """Ask the launch server for a process, as a trigger does."""
    environment = interpreter.environment(**variables)
    place = launch_place.find_place(environment, log)
    if place is None:
        return None
    with (output or log.parent / "output").open("ab") as file:
        forked = launch_client.fork_process(place, arguments, environment, file)
    if forked is not None:
        LocalLauncher._started[forked.pid] = forked  # it is reaped with the others
    return forked


def submit(folder: Path, log: Path, *arguments: str) -> LaunchedJob:
    """Have the local launcher start a command."""
    request = create_launch_request("sqlite:///none.db", arguments, folder / "log", server_log=log)
    return LocalLauncher().submit(request)


def was_forked(job: LaunchedJob) -> bool:
    """Whether a launch server has forked a job of this process."""
    assert job.process is not None
    return isinstance(LocalLauncher._started[job.process.pid], launch_client.ForkedProcess)


# The two roads.


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_process_that_ends_before_its_run_says_nothing(bench: Bench, is_warm: bool) -> None:  # noqa: FBT001
    """A program that triggers a run and ends warns of nothing that it leaves."""
    run_of, log = bench.chain(LONG).stages[0], launch_servers.log_of(bench)
    if is_warm:
        launch_servers.start(log)
    program = f"""
import pipeline_widgets as pw
from pipeline_widgets.execution.launchers.local import LocalLauncher

ws = pw.Workspace({bench.ws._services.store.database.url!r})
(pipe,) = [pipe for project in ws.projects for pipe in project.pipelines]
pipe.stages[0].trigger()
print([type(each).__name__ for each in LocalLauncher._started.values()][0])
LocalLauncher._started.clear()  # as the end of the interpreter does, in an order of its own
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == ("ForkedProcess" if is_warm else "DetachedProcess")
    run = run_of.run
    assert run is not None
    run.stop()
    assert run.wait(30).status == "Stopped"
    launch_servers.end(log)


@pytest.mark.spec("6.1")
def test_a_warm_launch_server_forks_the_supervisor(warm_bench: Bench) -> None:
    """The supervisor is a child of the launch server, in a session of its own, with its own launch number."""
    run = warm_bench.chain(LONG).stages[0].trigger()
    until(lambda: run.status == "Running")

    supervisor, forking = warm_bench.supervisor(run), server(launch_servers.log_of(warm_bench))
    assert psutil.Process(supervisor.pid).ppid() == forking.pid
    assert os.getsid(supervisor.pid) == supervisor.pid
    assert supervisor == processes.identify(supervisor.pid)
    launch = ownership.launch_of(supervisor.pid)
    assert launch not in {None, ownership.launch_of(forking.pid)}
    assert psutil.Process(supervisor.pid).cmdline()[-3:] == ["pipeline_widgets", "supervise", str(run._id)]
    run.stop()
    assert run.wait(30).status == "Stopped"


@pytest.mark.spec("6.1")
def test_the_first_trigger_starts_its_supervisor_as_ever_and_a_launch_server_beside(bench: Bench) -> None:
    """Cold: nothing waits for the launch server; the second run is forked by it."""
    pipe = bench.chain({})
    first = pipe.stages[0].trigger()
    place = launch_place.find_place(interpreter.environment(), launch_servers.log_of(bench))
    assert place is not None
    assert not launch_servers.is_ready(place)
    assert first.wait(60).status == "Succeeded"

    until(lambda: launch_servers.is_ready(place))
    second = pipe.stages[0].trigger()

    assert second.wait(60).status == "Succeeded"
    assert len(launch_servers.servers(launch_servers.log_of(bench))) == 1


def test_a_chain_and_its_agent_are_carried_out_by_a_forked_supervisor(warm_bench: Bench) -> None:
    """Three stages and what they print; the log of the supervisor is the run's own."""
    pipe = warm_bench.chain({}, {}, {})
    pipe.stages[0].trigger()
    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    run = pipe.stages[0].run
    assert run is not None
    assert (Path(warm_bench.ws.artifacts) / "runs" / f"{run._id:08d}" / "supervisor.log").read_text() == ""


# The launch server dies, or hangs.


@pytest.mark.spec("6.9")
def test_a_launch_server_that_was_killed_before_a_trigger_is_replaced(warm_bench: Bench) -> None:
    """The trigger takes the other road and starts another launch server."""
    killed = server(launch_servers.log_of(warm_bench))
    killed.kill()
    until(lambda: not alive(killed.pid))

    run = warm_bench.chain({}).stages[0].trigger()

    assert run.wait(60).status == "Succeeded"
    assert server(launch_servers.log_of(warm_bench)).pid != killed.pid


@pytest.mark.spec("6.9")
def test_a_launch_server_that_is_killed_when_it_is_asked_costs_nothing(
    warm_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed after it has taken the connection: the supervisor is started instead, once."""
    ask = launch_client._ask

    def killing(*arguments: Any) -> int:
        for each in launch_servers.servers(launch_servers.log_of(warm_bench)):
            each.kill()
            until(lambda killed=each: not alive(killed.pid))
        return ask(*arguments)

    monkeypatch.setattr(launch_client, "_ask", killing)
    run = warm_bench.chain({}).stages[0].trigger()

    assert run.wait(60).status == "Succeeded"
    assert warm_bench.lease(run).launches == 1


@pytest.mark.spec("6.9")
def test_a_launch_server_that_is_killed_before_its_supervisor_has_begun_costs_nothing(
    warm_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed between the answer of the new process and the word that it may begin."""

    class Killing:
        size = launch_client.ANSWER.size

        @staticmethod
        def unpack(told: bytes) -> Any:
            for each in launch_servers.servers(launch_servers.log_of(warm_bench)):
                each.kill()
                until(lambda killed=each: not alive(killed.pid))
            return answer.unpack(told)

    answer = launch_client.ANSWER
    monkeypatch.setattr(launch_client, "ANSWER", Killing)
    run = warm_bench.chain({}).stages[0].trigger()

    assert run.wait(60).status == "Succeeded"
    assert warm_bench.lease(run).launches == 1


@pytest.mark.spec("6.9")
def test_a_supervisor_outlives_the_launch_server_that_has_forked_it(warm_bench: Bench) -> None:
    """SIGKILL to the launch server while a chain trains: the chain goes on to its end."""
    pipe = warm_bench.chain({"steps": 40, "pause": 0.02}, {})
    run = pipe.stages[0].trigger()
    until(lambda: run.status == "Running")
    server(launch_servers.log_of(warm_bench)).kill()

    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2


@pytest.mark.spec("6.9")
def test_a_launch_server_that_hangs_is_not_waited_for(log: Path, tmp_path: Path) -> None:
    """Suspended, it holds up one trigger for half a second and the next not at all; nothing runs twice."""
    launch_servers.start(log)
    hung = server(log)
    hung.suspend()
    output = tmp_path / "printed"
    began = time.monotonic()
    assert fork(log, "job", "--print=late", output=output) is None
    first = time.monotonic() - began

    began = time.monotonic()
    assert fork(log, "job", "--print=late", output=output) is None
    assert launch_client.ANSWER_WITHIN <= first < launch_client.ANSWER_WITHIN + 1.0
    assert time.monotonic() - began < launch_client.ANSWER_WITHIN

    hung.resume()
    launch_client._silent.clear()
    answered = fork(log, "job", "--print=now", output=output)
    assert answered is not None
    until(lambda: answered.poll() is not None)
    assert "now" in output.read_text()
    assert "late" not in output.read_text()


def test_a_run_of_a_workspace_whose_launch_server_hangs_succeeds(warm_bench: Bench) -> None:
    """The supervisor is started as ever, with no error."""
    server(launch_servers.log_of(warm_bench)).suspend()

    run = warm_bench.chain({}).stages[0].trigger()

    assert run.wait(60).status == "Succeeded"


def test_how_a_forked_process_has_ended_is_known(log: Path, tmp_path: Path) -> None:
    """Its exit code, and the signal that has killed it, as of a process that was started."""
    launch_servers.start(log)
    ended, killed = submit(tmp_path, log, "job", "--exit=3"), submit(tmp_path, log, "job", "--sleep=60")
    assert (was_forked(ended), was_forked(killed)) == (True, True)
    assert killed.process is not None
    os.kill(killed.process.pid, signal.SIGKILL)

    launcher = LocalLauncher()
    until(lambda: launcher.status(ended.id).exit_code is not None)
    until(lambda: launcher.status(killed.id).exit_code is not None)

    assert launcher.status(ended.id).exit_code == 3
    assert launcher.status(killed.id).reason == "SIGKILL"
    assert f"process {ended.process and ended.process.pid}" in launcher.logs(ended.id)


# A forked process is like one that was started.


def described(pid: int) -> Mapping[str, Any]:
    """Return what the kernel knows of a process that it has not of its own."""
    proc = Path(f"/proc/{pid}")
    lines = (line.partition(":") for line in (proc / "status").read_text().splitlines())
    status = {name: value.strip() for name, _, value in lines}
    kept = ("Umask", "SigIgn", "SigBlk", "SigCgt", "Threads", "Uid", "Gid", "CapEff", "Name", "NoNewPrivs")
    variables = (each for each in (proc / "environ").read_bytes().split(b"\0") if each)
    return {
        **{name: status[name] for name in kept},
        "variables": sorted(each for each in variables if not each.startswith(b"PIPELINE_WIDGETS_LAUNCH=")),
        "line": (proc / "cmdline").read_bytes(),
        "folder": str((proc / "cwd").readlink()),
        "files": {each.name: str(each.readlink()) for each in (proc / "fd").iterdir()},
        "limits": (proc / "limits").read_text(),
        "leads": os.getsid(pid) == pid,
        "nice": os.getpriority(os.PRIO_PROCESS, pid),
    }


def both(tmp_path: Path, log: Path) -> list[Mapping[str, Any]]:
    """Return what the kernel knows of a process that was started, and of one that was forked."""
    launch_servers.start(log)
    printed, found = tmp_path / "log", list[Mapping[str, Any]]()
    for server_log in (None, log):
        printed.unlink(missing_ok=True)
        request = create_launch_request(
            "sqlite:///none.db", ("job", "--print=begun", "--sleep=60"), printed, server_log=server_log
        )
        job = LocalLauncher().submit(request)
        assert job.process is not None
        until(lambda: "begun" in printed.read_text())
        assert was_forked(job) == (server_log is not None)
        found.append(described(job.process.pid))
        os.kill(job.process.pid, signal.SIGKILL)
    return found


def test_a_forked_process_is_as_one_that_was_started(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: Callable[[int], None]
) -> None:
    """Variables, command line, folder, umask, signals, open files, limits and session are the same."""
    monkeypatch.setenv("OF_THE_TRIGGER", "é\n=x")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.chdir(tmp_path)
    umask(0o037)
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        with (tmp_path / "open").open("w"):
            started, forked = both(tmp_path, log)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGHUP, kept)

    assert {name: forked[name] for name in started} == dict(started)
    assert "OF_THE_TRIGGER=é\n=x".encode() in forked["variables"]
    assert forked["Umask"] == "0037"
    assert forked["Threads"] == "1"
    assert set(forked["files"]) == {"0", "1", "2"}


def test_a_forked_process_can_be_in_a_folder_that_was_deleted(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current folder comes with the request, not its name."""
    gone = tmp_path / "gone"
    gone.mkdir()
    launch_servers.start(log)
    monkeypatch.chdir(gone)
    gone.rmdir()

    forked = fork(log, "job", "--sleep=60")

    assert forked is not None
    assert str(Path(f"/proc/{forked.pid}/cwd").readlink()) == f"{gone} (deleted)"
    os.kill(forked.pid, signal.SIGKILL)
    until(lambda: forked.poll() is not None)


def test_what_is_forked_shares_no_random_numbers_and_no_key() -> None:
    """Of `random`, numpy and multiprocessing, in two processes and in that which has forked them."""
    code = """
import multiprocessing, os, random, sys
import numpy
from pipeline_widgets.execution import fresh_process
def told():
    key = multiprocessing.current_process().authkey.hex()
    return f"{random.random()} {numpy.random.random()} {key}"
random.random(), numpy.random.random()
for _ in range(2):
    if os.fork() == 0:
        fresh_process.renew(["python"], [])
        print(told(), flush=True)
        os._exit(0)
    os.wait()
print(told())
"""
    lines = [line.split() for line in run_python(code, OPENBLAS_NUM_THREADS="1").splitlines()]

    assert [len(set(column)) for column in zip(*lines, strict=True)] == [3, 3, 3]


def test_variables_for_which_there_is_no_room_take_the_other_road(log: Path, tmp_path: Path) -> None:
    """Where the kernel could not show them, other processes would not know whose process it is."""
    launch_servers.start(log)
    many = {f"MUCH_{number}": "x" * 50_000 for number in range(8)}

    assert fork(log, "job", output=tmp_path / "printed", **many) is None
    assert fork(log, "job", output=tmp_path / "printed") is not None
    assert "NoRoomError" in log.read_text()


def test_a_launch_server_has_one_thread_and_no_database(warm_bench: Bench) -> None:
    """So that a fork of it has no lock that nobody releases, and no file of SQLite that is open twice."""
    run = warm_bench.chain({}).stages[0].trigger()
    assert run.wait(60).status == "Succeeded"

    forking = server(launch_servers.log_of(warm_bench))
    assert forking.num_threads() == 1
    open_files = [str(each.readlink()) for each in Path(f"/proc/{forking.pid}/fd").iterdir()]
    assert not [each for each in open_files if str(warm_bench.folder) in each]


def test_a_launch_server_has_imported_what_a_supervisor_needs(bench: Bench) -> None:
    """Nothing is imported between a trigger and the run."""
    code = """
import sys
from pipeline_widgets import __main__
from pipeline_widgets.execution import launch_server
launch_server.import_all()
before = set(sys.modules)
from pipeline_widgets.execution import worker, fork_server
fork_server.preload()
options = __main__._parser().parse_args(["supervise", "1"])
__main__._open_launched(options)
print(sorted(set(sys.modules) - before))
"""
    url = bench.ws._services.store.database.url
    data = os.environ["PIPELINE_WIDGETS_DATA"]
    assert run_python(code, PIPELINE_WIDGETS_URL=url, PIPELINE_WIDGETS_DATA=data) == "[]"


# When there is none, and when it ends.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (launch_place.VARIABLE, "off"),
        (launch_place.VARIABLE, "0"),
        ("PIPELINE_WIDGETS_START_METHOD", "spawn"),
        (variables.LAUNCHED_FOR, "a workspace, by an engine"),
        ("PYTHONPATH", "relative"),
    ],
)
def test_there_is_no_launch_server_where_it_is_turned_off_or_could_not_do(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Turned off, without fork, in an engine's job, and where modules depend on the current folder."""
    monkeypatch.setenv(name, value)

    job = submit(tmp_path, log, "job")

    assert not was_forked(job)
    assert launch_servers.servers(log) == []


def test_another_environment_has_another_launch_server(log: Path) -> None:
    """What is read when modules are loaded has to be the same: here the language."""
    environment = interpreter.environment()
    places = {
        launch_place.find_place({**environment, **more}, log)
        for more in ({}, {"OF_A_RUN": "1"}, {"LANG": "de_DE.UTF-8"}, {"PYTHONPATH": "/opt/modules"})
    }

    assert len(places) == 3


def test_a_launch_server_ends_when_code_changes(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It forks nothing from then on, says so, and another one takes its place."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("value = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    launch_servers.start(log)
    ending = server(log)

    (site / "sitecustomize.py").write_text("value = 20\n")

    assert fork(log, "job") is None
    until(lambda: not alive(ending.pid))
    assert "Code that it has imported was changed" in log.read_text()
    launch_servers.start(log)
    assert fork(log, "job") is not None


def test_a_launch_server_ends_when_nobody_asks(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the minutes that the environment names, and its socket goes with it."""
    monkeypatch.setenv(launch_place.VARIABLE, "0.02")
    place = launch_servers.start(log)

    until(lambda: launch_servers.servers(log) == [])

    assert not place.socket.exists()
    assert log.read_text() == ""


def test_a_launch_server_ends_when_its_workspace_is_gone(log: Path) -> None:
    """Within the seconds between two looks."""
    launch_servers.start(log)
    log.parent.rename(log.parent.with_name("moved"))

    until(lambda: launch_servers.servers(log) == [])


def test_a_launch_server_whose_workspace_is_gone_before_it_is_ready_ends_at_once(log: Path) -> None:
    """It would else take no folder for its workspace, and wait for minutes for triggers of none."""
    place = launch_place.find_place(interpreter.environment(), log)
    assert place is not None
    server = launch_client.start_server(place, interpreter.environment(), begin_after=0.0)
    assert server is not None
    log.parent.rename(log.parent.with_name("moved"))

    assert server.wait(launch_servers.READY_WITHIN) == 0

    assert not place.socket.exists()


def test_what_a_killed_launch_server_has_left_is_swept_by_the_next(log: Path, tmp_path: Path) -> None:
    """Its socket and its lock, and those of no launch server that lives."""
    (tmp_path / "other").mkdir()
    (tmp_path / "third").mkdir()
    other, third = (tmp_path / name / "launch-server.log" for name in ("other", "third"))
    killed, living = launch_servers.start(log), launch_servers.start(other)
    server(log).kill()
    until(lambda: launch_servers.servers(log) == [])
    assert killed.socket.exists()

    launch_servers.start(third)

    assert not killed.socket.exists()
    assert not killed.lock.exists()
    assert living.socket.exists()
    assert fork(other, "job") is not None
    launch_servers.end(other)
    launch_servers.end(third)


def test_of_16_triggers_at_once_one_starts_a_launch_server(log: Path, tmp_path: Path) -> None:
    """Each of them has its process; one launch server is left."""
    code = f"""
import os, sys, time
from pathlib import Path
from pipeline_widgets.execution.launch_request import create_launch_request
from pipeline_widgets.execution.launchers.local import LocalLauncher
at = time.monotonic() + 0.5
for number in range(16):
    if os.fork() == 0:
        folder = Path({str(tmp_path)!r}, str(number))
        log = Path({str(log)!r})
        job = ("job", "--print=done")
        request = create_launch_request("sqlite:///x.db", job, folder / "log", server_log=log)
        time.sleep(max(0.0, at - time.monotonic()))
        LocalLauncher().submit(request)
        os._exit(0)
for _ in range(16):
    os.wait()
"""
    run_python(code)
    until(lambda: len(list(tmp_path.glob("*/log"))) == 16)
    until(lambda: all("done" in each.read_text() for each in tmp_path.glob("*/log")))

    place = launch_place.find_place(interpreter.environment(), log)
    assert place is not None
    until(lambda: launch_servers.is_ready(place))
    assert len(launch_servers.servers(log)) == 1
    assert log.read_text() == ""


def test_a_launch_server_that_fails_at_import_says_why_and_the_road_goes_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log has the traceback; runs succeed, and no trigger of the next minute tries it again."""
    site = tmp_path / "site"
    site.mkdir()
    broken = "import sys\nif 'launch-server' in sys.orig_argv:\n    sys.modules['sqlalchemy'] = None\n"
    (site / "sitecustomize.py").write_text(broken)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setattr(launch_client, "BEGIN_AFTER", 0.0)
    pipe = bench.chain({})

    for _ in range(2):
        assert pipe.stages[0].trigger().wait(60).status == "Succeeded"
        until(lambda: launch_servers.servers(launch_servers.log_of(bench)) == [])

    said = launch_servers.log_of(bench).read_text()
    assert said.count("Traceback") >= 1
    assert said.count("import of sqlalchemy halted") == 1


# Whom it trusts.


def test_a_folder_that_others_can_enter_is_not_used(log: Path, tmp_path: Path) -> None:
    """Nor one that a link leads to: whoever can write there could answer in place of the launch server."""
    place = launch_servers.start(log)
    shared, link = tmp_path / "shared", tmp_path / "link"
    shared.mkdir(mode=0o755)
    link.symlink_to(place.socket.parent)

    for folder in (shared, link):
        forged = launch_place.LaunchPlace(
            socket=folder / place.socket.name, lock=folder / place.lock.name, log=log
        )
        assert not forged.is_private()
        assert launch_client.fork_process(forged, ["job"], {}, subprocess.DEVNULL) is None
        assert launch_client.start_server(forged, {}) is None


@pytest.mark.skipif(not IS_ROOT, reason="another user's socket")
def test_a_socket_of_another_user_is_refused(log: Path, tmp_path: Path) -> None:
    """It gets no request, whatever the folder is."""
    environment = interpreter.environment()
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    place = launch_place.LaunchPlace(socket=folder / "a.sock", lock=folder / "a.lock", log=log)
    code = f"""
import os, socket
listening = socket.socket(socket.AF_UNIX)
listening.bind({str(place.socket)!r})
os.setuid({NOBODY})
listening.listen()
print("listens", flush=True)
connection, _ = listening.accept()
print(len(connection.recv(100)), flush=True)
"""
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True) as forging:
        assert forging.stdout is not None
        assert forging.stdout.readline() == "listens\n"
        assert launch_client.fork_process(place, ["job"], environment, subprocess.DEVNULL) is None
        assert forging.stdout.readline() == "0\n"


@pytest.fixture
def open_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets of a test's own, which others may enter: tests beside it would go without theirs.

    Its path is short, as addresses of sockets have to be.
    """
    with tempfile.TemporaryDirectory(prefix="pw-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.mark.skipif(not IS_ROOT, reason="another user's request")
def test_a_request_of_another_user_is_refused(open_runtime_folder: Path, log: Path) -> None:
    """Even one that could enter the folder gets nothing forked."""
    place = launch_servers.start(log)
    before = len(psutil.Process(server(log).pid).children())
    folder = place.socket.parent
    assert folder.parent == open_runtime_folder
    folder.chmod(0o711)
    place.socket.chmod(0o777)
    body = json.dumps({"arguments": ["job"], "environment": {}, "umask": 0, "ignored": [], "blocked": []})
    asking = f"""
import array, os, socket
os.setuid({NOBODY})
line = socket.socket(socket.AF_UNIX)
line.settimeout(20)
line.connect({str(place.socket)!r})
body = {body!r}.encode()
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1, os.open("/", os.O_RDONLY)]))]
try:
    line.sendmsg([len(body).to_bytes(4, "big") + body], rights)
    print(len(line.recv(17)))
except OSError:
    print(0)
"""
    assert run_python(asking) == "0"
    assert len(psutil.Process(server(log).pid).children()) == before


def test_what_is_no_request_ends_no_launch_server(log: Path) -> None:
    """Half a request, nonsense, and a closed line: it answers the next one."""
    place = launch_servers.start(log)
    for nonsense in (b"", b"\0", b"\0\0\0\x02{}", b"\xff" * 100, b"\0\0\0\x04null"):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(place.socket))
            line.sendall(nonsense)

    assert fork(log, "job") is not None


def run_python(code: str, **variables: str) -> str:
    """Return what an interpreter prints that runs some code."""
    command: Sequence[str] = [sys.executable, "-P", "-c", code]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
