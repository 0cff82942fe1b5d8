"""Runs on another host over SSH: a real OpenSSH server and its own client."""

from __future__ import annotations

import os
import platform
import re
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from getpass import getuser
from pathlib import Path
from typing import Any

import psutil
import pytest
import trainers
from sqlalchemy import update
from ssh import SshHost, make_key, make_python, running_host, wait_for

import pipeline_widgets as pw
from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import ownership, variables
from pipeline_widgets.execution.launchers import ssh as launcher_module
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.launchers.ssh import SshLauncher
from pipeline_widgets.persistence import schema

pytestmark = pytest.mark.spec("11.2")
DATA = "PIPELINE_WIDGETS_DATA"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """A host that no test harms."""
    with running_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    """A host of the test's own."""
    with running_host(tmp_path / "host") as made:
        yield made


class Lab:
    """A workspace with a Pending run, which is launched by hand."""

    def __init__(self, folder: Path, /, algorithm: Any = trainers.counter, **config: object) -> None:
        self.ws = pw.Workspace(f"sqlite:///{folder}/lab.db")
        self.project = self.ws.create_project("SSH", advanced_training=True)
        self.pipe = self.project.create_pipeline("chain")
        experiment = self.project.create_experiment("first", algorithm=algorithm, config=config or None)
        self.stage = self.pipe.add_experiment_stage(experiment)
        self.run_id = self.ws._services.runs.trigger(self.stage._id).id

    def request(self, **changes: object) -> LaunchRequest:
        """Return the request for the supervisor of the run."""
        store = self.ws._services.store
        environment = {
            variables.URL: store.database.url,
            variables.LAUNCH: variables.new_launch(),
            DATA: os.environ[DATA],
        }
        request = LaunchRequest(
            arguments=("supervise", str(self.run_id)),
            environment=environment,
            name=f"pw-run-{self.run_id}",
            log=store.artifacts / "runs" / f"{self.run_id:08d}" / "supervisor.log",
        )
        return replace(request, **changes)

    @property
    def status(self) -> str:
        """The status of the run."""
        return str(self.ws._services.runs.get(self.run_id).status)


@contextmanager
def laboratory(folder: Path, /, algorithm: Any = trainers.counter, **config: object) -> Generator[Lab]:
    """Make a workspace, and close it."""
    lab = Lab(folder, algorithm, **config)
    try:
        yield lab
    finally:
        lab.ws.close()


def ended(launcher: SshLauncher, job_id: str) -> bool:
    return launcher.status(job_id).state is JobState.ENDED


def processes_of(request: LaunchRequest) -> set[int]:
    """Return what is left of a launch on this machine."""
    return ownership.launched_with(variables.token_of(request.environment[variables.LAUNCH]))


def simple(*arguments: str) -> LaunchRequest:
    """Return a request for a process of no workspace."""
    return LaunchRequest(
        arguments=arguments,
        environment={variables.LAUNCH: variables.new_launch()},
        name="pw-test",
        log=Path("/nowhere/log"),
    )


# What there is


def test_a_host_is_described(shared: SshHost) -> None:
    """A description names the host, its Python and the version of this package there."""
    found = SshLauncher(shared.url).describe()
    version = ".".join(map(str, sys.version_info[:3]))
    assert found.name == "ssh://gpubox"
    assert re.fullmatch(
        rf"SSH to gpubox \(Linux .*, Python {version}, pipeline_widgets [\d.]+\)", found.engine
    )
    assert found.python == ".".join(map(str, sys.version_info[:2]))
    assert found.shares_files


@pytest.mark.parametrize("shell", ["csh", "fish", "bash"])
def test_the_login_shell_does_not_matter(tmp_path: Path, shell: str) -> None:
    """Whether a user there has csh, fish or bash, and whatever its start-up files print, a job runs."""
    with running_host(tmp_path / "host", shell=shell) as host:
        launcher = SshLauncher(host.url)
        assert "gpubox" in launcher.describe().engine
        job = launcher.submit(simple("supervise", "no number"))
        wait_for(lambda: ended(launcher, job.id), "the job to end")
        assert launcher.status(job.id).exit_code == 2
        assert "invalid int value: 'no number'" in launcher.logs(job.id)
        launcher.stop(job.id)


def test_where_the_package_is_missing_the_error_installs_it(shared: SshHost, tmp_path: Path) -> None:
    """A Python without this package is refused before a run starts, with the commands that help."""
    python = make_python(tmp_path / "there", with_package=False)
    launcher = SshLauncher(f"{shared.url}?python={python}")
    with pytest.raises(ExecutionError, match="pipeline_widgets is missing there") as caught:
        launcher.submit(simple("--help"))
    assert f"ssh gpubox '{python} -m pip install pipeline-widgets==" in caught.value.fix
    assert f'launcher="{shared.url}?python={python}&package=copy"' in caught.value.fix


def test_the_package_can_be_brought_along(host: SshHost, tmp_path: Path) -> None:
    """Where only its libraries are there, a copy of this package is used, with its own entry points."""
    python = make_python(tmp_path / "there", with_package=False)
    launcher = SshLauncher(f"{host.url}?python={python}&package=copy")
    assert "a copy of pipeline_widgets" in launcher.describe().engine
    with laboratory(tmp_path) as lab:
        request = lab.request()
        job = launcher.submit(request)
        wait_for(lambda: ended(launcher, job.id), "the job to end", 60)
        assert launcher.status(job.id).exit_code == 0, launcher.logs(job.id)
        assert lab.status == "Succeeded"
    assert len(list((host.home / ".cache/pipeline_widgets/code").iterdir())) == 1


def test_a_copy_without_its_libraries_is_refused(shared: SshHost, tmp_path: Path) -> None:
    """A copy does not bring libraries: what is missing is named, with the command that installs it."""
    python = make_python(tmp_path / "there", with_libraries=False)
    with pytest.raises(ExecutionError, match=r"alembic, .* is missing there") as caught:
        SshLauncher(f"{shared.url}?python={python}&package=copy").describe()
    assert f"ssh gpubox '{python} -m pip install alembic " in caught.value.fix


def test_another_version_of_the_package_is_refused(shared: SshHost, tmp_path: Path) -> None:
    """Two versions of this package do not meet on one workspace."""
    python = make_python(tmp_path / "there", with_package=False)
    other = next(python.parents[1].glob("lib/python*/site-packages")) / "pipeline_widgets-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: pipeline-widgets\nVersion: 9.9\n")
    with pytest.raises(ExecutionError, match=r"pipeline_widgets is 9\.9 there, and \S+ here") as caught:
        SshLauncher(f"{shared.url}?python={python}").submit(simple("--help"))
    assert "-m pip install pipeline-widgets==" in caught.value.fix


def test_a_missing_driver_is_said_before_the_run(shared: SshHost, tmp_path: Path) -> None:
    """A workspace in PostgreSQL needs its driver there, and the error names the extra that brings it."""
    python = make_python(tmp_path / "there")
    for entry in next(python.parents[1].glob("lib/python*/site-packages")).glob("psycopg*"):
        entry.unlink()
    request = simple("supervise", "1")
    url = {variables.URL: "postgresql+psycopg://me:hidden-word@db/lab"}
    with pytest.raises(ExecutionError, match="psycopg is missing there") as caught:
        SshLauncher(f"{shared.url}?python={python}").submit(
            replace(request, environment={**request.environment, **url})
        )
    assert "'pipeline-widgets[postgres]==" in caught.value.fix.replace('"\'"', "")
    assert "hidden-word" not in str(caught.value)


def test_a_python_that_is_too_old_or_absent_is_refused(shared: SshHost, tmp_path: Path) -> None:
    """A Python that is too old is named with its version, and one that is not there by its path."""
    old = tmp_path / "python3.9"
    patched = "import sys; sys.version_info = (3, 9, 18); exec(sys.argv.pop(1))"
    old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "{patched}" "$@"\n')
    old.chmod(0o755)
    with pytest.raises(ExecutionError, match=r"It is Python 3\.9\.18; 3\.11 is needed"):
        SshLauncher(f"{shared.url}?python={old}").describe()
    with pytest.raises(ExecutionError, match="gpubox has no Python at /no/such/python"):
        SshLauncher(f"{shared.url}?python=/no/such/python").describe()
    with pytest.raises(ExecutionError, match="Python on gpubox does not work"):
        SshLauncher(f"{shared.url}?python=/bin/true").describe()


def test_what_a_host_does_not_have_is_refused(shared: SshHost) -> None:
    """More memory than the host has, and a resource that only a queue could give, are refused."""
    launcher = SshLauncher(shared.url)
    for resources, what in (
        (Resources.parse({"memory": "900000 GiB"}), "of memory, and gpubox has"),
        (Resources.parse({"cpu": 100_000}), "100000 of cpu"),
        (Resources.parse({"partition": "a100"}), "no resource named 'partition'"),
    ):
        with pytest.raises(ExecutionError, match=what):
            launcher.submit(replace(simple("--help"), resources=resources))


# Who can be reached


def test_an_unknown_host_key_is_refused_at_once(host: SshHost) -> None:
    """A host whose key nobody has accepted is not trusted, and nothing waits for an answer."""
    (host.folder / "known_hosts").write_text("")
    began = time.monotonic()
    with pytest.raises(ExecutionError, match="Host key verification failed") as caught:
        SshLauncher(f"ssh://{getuser()}@127.0.0.1:{host.port}").describe()
    assert time.monotonic() - began < 15
    assert f"`ssh -l {getuser()} -p {host.port} 127.0.0.1`" in caught.value.fix


def test_without_a_key_no_password_is_asked_for(host: SshHost) -> None:
    """A user without a key that is accepted gets an error that says so, and no prompt."""
    (host.folder / "key").unlink()
    make_key(host.folder / "key")
    began = time.monotonic()
    with pytest.raises(ExecutionError, match="Permission denied") as caught:
        SshLauncher(host.url).describe()
    assert time.monotonic() - began < 15
    assert "ssh-copy-id" in caught.value.fix


def test_a_host_that_is_off_refuses_a_submit(host: SshHost) -> None:
    """A submit to a host that cannot be reached is an error at once, and nothing is started later."""
    launcher = SshLauncher(host.url)
    request = simple("--help")
    launcher._find_host(request)  # it was there a moment ago
    host.cut()
    began = time.monotonic()
    with pytest.raises(ExecutionError, match="gpubox cannot be reached over SSH") as caught:
        launcher.submit(request)
    assert time.monotonic() - began < 20
    assert "Connection refused" in caught.value.why
    host.listen()
    assert list(host.jobs.iterdir()) == []


def test_a_jump_host_of_the_configuration_counts(host: SshHost) -> None:
    """A host behind another one is reached as ~/.ssh/config says, and its job as any."""
    launcher = SshLauncher("ssh://behind")
    assert launcher.describe().engine.startswith("SSH to behind (")
    assert (host.folder / "sshd.log").read_text().count("Accepted publickey") == 2
    job = launcher.submit(simple("--help"))
    wait_for(lambda: ended(launcher, job.id), "the job to end")
    assert launcher.status(job.id).exit_code == 0


def test_the_users_own_shared_connections_are_used(host: SshHost) -> None:
    """Where ~/.ssh/config says how connections are shared, that is how it is done, and nothing of ours."""
    with tempfile.TemporaryDirectory(prefix="pw-", dir="/tmp") as folder:
        sharing = f"  ControlMaster auto\n  ControlPath {folder}/%C\n  ControlPersist 30\n"
        host.config.write_text(host.config.read_text() + sharing)
        launcher = SshLauncher(host.url)
        for _ in range(3):
            launcher.describe()
        assert len(list(Path(folder).iterdir())) == 1
        assert (host.folder / "sshd.log").read_text().count("Accepted publickey") == 1


# What becomes of a job


def test_a_run_succeeds_elsewhere(shared: SshHost, tmp_path: Path) -> None:
    """A run trains there, its row and its checkpoints are as on one machine, and its job ends with code 0."""
    launcher = SshLauncher(shared.url)
    with laboratory(tmp_path, steps=3) as lab:
        job = launcher.submit(lab.request())
        assert job.process is not None
        wait_for(lambda: ended(launcher, job.id), "the job to end", 60)
        assert launcher.status(job.id).exit_code == 0, launcher.logs(job.id)
        assert lab.status == "Succeeded"
        run = lab.stage.runs[-1]
        assert [each.step for each in run.checkpoints] == [1, 2, 3]


def test_the_same_request_starts_one_job(shared: SshHost, tmp_path: Path) -> None:
    """A request that is made again, by whoever, is the job that it was, and the training starts once."""
    folder = {"act": "mark", "folder": str(tmp_path)}
    with laboratory(tmp_path, **folder) as lab, ThreadPoolExecutor(4) as pool:
        request = lab.request()
        asked = [pool.submit(SshLauncher(shared.url).submit, request) for _ in range(4)]
        jobs = [each.result() for each in asked]
        assert len({(job.id, job.process) for job in jobs}) == 1
        launcher = SshLauncher(shared.url)
        wait_for(lambda: ended(launcher, jobs[0].id), "the job to end", 60)
        assert lab.status == "Succeeded"
    assert len((tmp_path / "started").read_text().splitlines()) == 1


def test_an_answer_that_is_lost_starts_no_second_job(
    host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submit whose answers are all lost still is that job, which is found when the host answers again."""
    monkeypatch.setattr(launcher_module, "SUBMIT_WITHIN", 4.0)
    launcher = SshLauncher(host.url)
    with laboratory(tmp_path, steps=2, pause=2.0, act="mark", folder=str(tmp_path)) as lab:
        request = lab.request()
        launcher._find_host(request)
        (host.folder / "lose").touch()
        job = launcher.submit(request)
        assert job.process is None
        assert launcher.status(job.id).state is JobState.UNKNOWN
        assert (host.folder / "lost").read_text().count("at work") >= 2, (
            "it has answered, and was asked again"
        )
        (host.folder / "lose").unlink()
        assert launcher.status(job.id).state is JobState.AT_WORK
        assert launcher.submit(request).process is not None
        wait_for(lambda: ended(launcher, job.id), "the job to end", 60)
        assert lab.status == "Succeeded"
    assert len((tmp_path / "started").read_text().splitlines()) == 1
    assert len(list(host.jobs.iterdir())) == 1


def test_a_cut_of_the_network_loses_and_doubles_nothing(host: SshHost, tmp_path: Path) -> None:
    """While the host is out of reach a job is UNKNOWN and trains on; then it is seen again, and ends well."""
    launcher = SshLauncher(host.url)
    with laboratory(tmp_path, steps=8, pause=1.0, act="mark", folder=str(tmp_path)) as lab:
        job = launcher.submit(lab.request())
        wait_for(lambda: lab.status == "Running", "the run to be running", 30)
        host.cut()
        assert launcher.status(job.id).state is JobState.UNKNOWN
        assert launcher.logs(job.id) == ""
        with pytest.raises(ExecutionError, match="cannot be reached"):
            launcher.stop(job.id)
        time.sleep(2)
        assert lab.status == "Running"
        host.listen()
        assert launcher.status(job.id).state is JobState.AT_WORK
        wait_for(lambda: ended(launcher, job.id), "the job to end", 60)
        assert lab.status == "Succeeded"
        assert [each.step for each in lab.stage.runs[-1].checkpoints] == list(range(1, 9))
    assert len((tmp_path / "started").read_text().splitlines()) == 1


@pytest.mark.slow
def test_a_network_that_is_silent_is_unknown_in_time(host: SshHost, tmp_path: Path) -> None:
    """Where packets are dropped no call hangs for more than 30 s, and the next one makes a new connection."""
    launcher = SshLauncher(host.url)
    job = launcher.submit(simple("supervise", "no number"))
    host.freeze()
    try:
        began = time.monotonic()
        assert launcher.status(job.id).state is JobState.UNKNOWN
        assert time.monotonic() - began < 30
    finally:
        host.thaw()
    wait_for(lambda: ended(launcher, job.id), "the job to be seen again", 40)


def test_a_killed_job_is_told_with_its_signal(shared: SshHost, tmp_path: Path) -> None:
    """A supervisor that is killed there has ended by SIGKILL; killed with what watches it, it is gone."""
    launcher = SshLauncher(shared.url)
    for with_watch in (False, True):
        folder = tmp_path / str(with_watch)
        folder.mkdir()
        with laboratory(folder, steps=3, pause=30.0) as lab:
            request = lab.request()
            job = launcher.submit(request)
            wait_for(lambda: lab.status == "Running", "the run to be running", 30)
            assert launcher.status(job.id).state is JobState.AT_WORK
            assert job.process is not None
            if with_watch:
                psutil.Process(psutil.Process(job.process.pid).ppid()).kill()
            psutil.Process(job.process.pid).kill()
            wait_for(lambda: ended(launcher, job.id), "the job to be seen as ended")  # noqa: B023
            observation = launcher.status(job.id)
            if with_watch:
                assert (observation.reason, observation.exit_code) == (
                    "it is gone, with what watched it",
                    None,
                )
            else:
                assert (observation.reason, observation.exit_code) == ("killed by SIGKILL", -signal.SIGKILL)


def test_a_job_of_before_a_restart_has_ended(shared: SshHost) -> None:
    """After its host was restarted a job has ended; one that another host of a shared home has is unknown."""
    launcher = SshLauncher(shared.url)
    job = launcher.submit(simple("--help"))
    wait_for(lambda: ended(launcher, job.id), "the job to end")
    folder = shared.jobs / job.id
    (folder / "exit").unlink()
    pid, start, machine = (folder / "process").read_text().splitlines()
    name, _, rest = machine.partition("|")
    for other, expected in (
        (f"{name}|00000000-{rest}", (JobState.ENDED, "its host was restarted")),
        (f"login2|{rest}", (JobState.UNKNOWN, "it was started on login2")),
    ):
        (folder / "process").write_text(f"{pid}\n{start}\n{other}\n")
        observation = launcher.status(job.id)
        assert (observation.state, observation.reason) == expected
    assert launcher.status("0" * 32).reason == "its host does not know it"
    assert launcher.status("../../etc").state is JobState.UNKNOWN
    assert launcher.logs("../../etc") == ""


@pytest.mark.slow
@pytest.mark.parametrize("act", ["deaf", "grandchild"])
def test_a_stop_leaves_nothing(shared: SshHost, tmp_path: Path, act: str) -> None:
    """A training that ignores SIGTERM, or has started what detaches itself, is ended after the grace."""
    launcher = SshLauncher(shared.url)
    with laboratory(tmp_path, act=act) as lab:
        request = lab.request()
        job = launcher.submit(request)
        wait_for(lambda: bool(lab.stage.runs[-1].checkpoints), "the training to be at it", 30)
        assert len(processes_of(request)) >= 3
        launcher.stop(job.id)
        assert processes_of(request) == set()
        assert launcher.status(job.id).state is JobState.ENDED
        launcher.stop(job.id)


def test_secrets_are_on_no_command_line_and_in_no_log(host: SshHost, tmp_path: Path) -> None:
    """Whatever is done with a job, no process here or there shows a value of its variables."""
    secret = f"secret-{secrets.token_hex(8)}"
    seen: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes()
                except OSError:
                    continue
                if secret.encode() in text:
                    seen.append(text.decode(errors="replace"))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        launcher = SshLauncher(host.url)
        with laboratory(tmp_path, steps=2, pause=0.5) as lab:
            request = lab.request()
            launch = request.environment[variables.LAUNCH]
            job = launcher.submit(replace(request, environment={**request.environment, "API_KEY": secret}))
            launcher.status(job.id)
            launcher.stop(job.id)
            launcher.logs(job.id)
            files = [path for path in host.folder.rglob("*") if path.is_file()]
            files += [path for path in lab.ws.artifacts.rglob("*") if path.is_file()]
            values = (secret.encode(), launch.encode())
            held = [path for path in files if any(value in path.read_bytes() for value in values)]
            assert held == []
    finally:
        done.set()
        watching.join()
    assert seen == []


def test_many_questions_share_one_connection(host: SshHost) -> None:
    """Forty calls from eight threads make a connection or a few, not forty."""
    launcher = SshLauncher(host.url)
    job = launcher.submit(simple("--help"))
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(SshLauncher(host.url).status, job.id) for _ in range(40)]
        assert JobState.UNKNOWN not in {each.result().state for each in asked}
    assert (host.folder / "sshd.log").read_text().count("Accepted publickey") <= 2


# What a host sees


def test_a_database_that_is_not_seen_there_is_refused(tmp_path: Path) -> None:
    """A SQLite file of this machine alone cannot hold a run elsewhere, and the error says what can."""
    folder = tmp_path / "lab"
    folder.mkdir()
    with running_host(tmp_path / "host", hides=folder) as host, laboratory(folder) as lab:
        with pytest.raises(ExecutionError, match="is not seen there") as caught:
            SshLauncher(host.url).submit(lab.request())
        assert "pipeline-widgets copy" in caught.value.fix
        assert not list(host.jobs.iterdir())
        assert not list(folder.glob(".pipeline-widgets-*"))


def test_artifacts_that_are_not_seen_there_are_refused(tmp_path: Path) -> None:
    """A folder of this machine alone cannot keep the checkpoints of a run elsewhere; a URL can."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    with running_host(tmp_path / "host", hides=folder) as host:
        launcher = SshLauncher(host.url)
        with pytest.raises(ExecutionError, match=f"artifacts are in {folder} .* not seen there") as caught:
            launcher.submit(replace(simple("--help"), folders=(folder,)))
        assert "artifacts=" in caught.value.fix
        assert not list(host.jobs.iterdir())
        assert launcher.submit(replace(simple("--help"), folders=(tmp_path,))).process is not None


#: What a notebook cell defines, with a library that is installed here.
CELL = """
import only_here

@pw.algorithm("Cell", produces={"thing"})
def train(ctx):
    ctx.report(1, loss=only_here.LOSS)
"""


def define_in_cell(source: str) -> Any:
    """Return the algorithm `train` of a notebook cell."""
    namespace: dict[str, Any] = {"__name__": "__main__", "pw": pw}
    exec(source, namespace)  # noqa: S102  that is how a notebook does it
    return namespace["train"]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module that can be imported here."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "only_here.py").write_text("LOSS = 0.5\n")
    monkeypatch.syspath_prepend(folder)
    return folder


def await_end(launcher: SshLauncher, lab: Lab) -> str:
    """Launch the run of a laboratory, wait for its job, and return the run's error."""
    job = launcher.submit(lab.request())
    wait_for(lambda: ended(launcher, job.id), "the job to end", 60)
    return str(lab.ws._services.runs.get(lab.run_id).error)


@pytest.mark.spec("7.1")
def test_what_a_cell_imports_and_is_missing_there_fails_before_it_trains(
    tmp_path: Path, library: Path
) -> None:
    """The code is loaded before a training may begin; the error names the module and the host."""
    algorithm = define_in_cell(CELL)
    with running_host(tmp_path / "host", hides=library) as host, laboratory(tmp_path, algorithm) as lab:
        error = await_end(SshLauncher(host.url), lab)
        assert lab.status == "Failed"
        assert "No module named 'only_here'" in error
        assert f"Install what it needs on {platform.node()}" in error
        assert lab.ws._services.runs.get(lab.run_id).step is None


def test_what_a_cell_imports_and_is_there_is_used(shared: SshHost, tmp_path: Path, library: Path) -> None:
    """A cell is sent by value, and its module is found where it is at the same path."""
    with laboratory(tmp_path, define_in_cell(CELL)) as lab:
        assert await_end(SshLauncher(shared.url), lab) == "None"
        assert lab.status == "Succeeded"
        assert lab.ws._services.runs.get(lab.run_id).step == 1


def test_a_cell_of_another_python_is_refused_by_the_host(shared: SshHost, tmp_path: Path) -> None:
    """What another Python has defined by value fails before it trains, and the host is named."""
    source = '@pw.algorithm("Cell", produces={"thing"})\ndef train(ctx):\n    ctx.report(1, loss=0.5)\n'
    with laboratory(tmp_path, define_in_cell(source)) as lab:
        with lab.ws._services.store.write() as work:
            changed = work.connection.execute(update(schema.algorithms).values(python="cpython 2.7"))
            assert changed.rowcount == 1
        error = await_end(SshLauncher(shared.url), lab)
        assert lab.status == "Failed"
        assert lab.ws._services.runs.get(lab.run_id).step is None
        assert "It was defined under Python 2.7; this is Python" in error
        assert f" on {platform.node()}." in error
