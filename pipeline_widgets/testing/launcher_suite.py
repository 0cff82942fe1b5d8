"""Properties of a launcher by itself: submit, status, stop, logs, describe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import psutil
import pytest

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.execution.launchers import (
    LaunchedJob,
    Launcher,
    LauncherDescription,
    LaunchRequest,
    find_launcher,
)
from pipeline_widgets.execution.variables import LAUNCH
from pipeline_widgets.testing.job_processes import find_here, is_alive, wait_until

UNICODE = "Größe 日本語 שלום 🎈"
POLL = 0.1  # seconds
IGNORES_SIGTERM = ("--ignore-sigterm", "--sleep", "600")


class LauncherSuite:
    """The tests of a launcher by itself. A subclass names it, and brings up its engine by fixtures.

    Every job is `python -m pipeline_widgets job ...`, which prints, sleeps, and exits as it is told.
    """

    #: As a user writes it.
    launcher_name: ClassVar[str] = ""
    #: What a job asks for that leaves no room for a second one; None where the engine has no queue.
    all_there_is: ClassVar[Resources | None] = None
    #: Seconds within which a job begins, and within which a stopped one has ended.
    begins_within: ClassVar[float] = 60.0
    ends_within: ClassVar[float] = 60.0

    @pytest.fixture
    def launcher(self) -> Launcher:
        """The launcher, found as a workspace finds it."""
        return find_launcher(self.launcher_name)

    @pytest.fixture
    def submit(self, launcher: Launcher, tmp_path: Path) -> Iterator[Callable[..., LaunchedJob]]:
        """Submits jobs, and stops what a failed test has left."""
        made: list[str] = []
        self._launches: dict[str, str] = {}

        def submit_(*arguments: str, resources: Resources | None = None, **variables: str) -> LaunchedJob:
            launch = uuid4().hex
            request = LaunchRequest(
                arguments=("job", *arguments),
                environment={LAUNCH: launch, **variables},
                name=f"pw-test-{len(made)}",
                log=tmp_path / f"{len(made)}.log",
                resources=resources or Resources(),
            )
            job = launcher.submit(request)
            made.append(job.id)
            self._launches[job.id] = launch
            return job

        yield submit_
        for job_id in made:
            if launcher.status(job_id).state is not JobState.ENDED:
                launcher.stop(job_id)

    def await_state(self, launcher: Launcher, job: LaunchedJob, state: JobState) -> JobObservation:
        """Wait until an engine says something of a job, and return it."""
        within = self.ends_within if state is JobState.ENDED else self.begins_within
        until = time.monotonic() + within
        while (found := launcher.status(job.id)).state is not state:
            assert time.monotonic() < until, f"{found}, not {state}, after {within:g} s"
            time.sleep(POLL)
        return found

    def await_output(self, launcher: Launcher, job: LaunchedJob, text: str) -> str:
        """Wait until a job has printed a text, and return all lines."""
        until = time.monotonic() + self.begins_within
        while text not in (printed := launcher.logs(job.id)):
            assert time.monotonic() < until, f"{text!r} is not in {printed!r}; {launcher.status(job.id)}"
            time.sleep(POLL)
        return printed

    def find_pid(self, launcher: Launcher, job: LaunchedJob) -> int:
        """Return the number of a job's process, once it is at work on this machine."""
        printed = self.await_output(launcher, job, "process ")
        _, _, said = printed.partition("process ")
        pid, _, host = said.splitlines()[0].partition(" on ")
        found = find_here(int(pid), lambda launch: launch == self._launches[job.id])
        assert found is not None, f"the job is on {host}: this suite needs an engine on this machine"
        return found

    def test_it_describes_its_engine(self, launcher: Launcher) -> None:
        """A description has the launcher's own name, the engine with its version, and a Python if known."""
        described = launcher.describe()
        assert isinstance(described, LauncherDescription)
        assert described.name == self.launcher_name
        assert described.engine
        assert described.python is None or described.python.startswith("3.")

    def test_a_job_runs_and_ends(self, launcher: Launcher, submit: Callable[..., LaunchedJob]) -> None:
        """A job that exited with 0 has ended, and no exit code of another kind is told."""
        job = submit("--print", "done")
        assert self.await_state(launcher, job, JobState.ENDED).exit_code in {0, None}
        assert "done" in launcher.logs(job.id)

    def test_a_job_at_work_is_at_work(self, launcher: Launcher, submit: Callable[..., LaunchedJob]) -> None:
        """The engine says so, and does not say that it has ended."""
        job = submit("--sleep", "600")
        self.find_pid(launcher, job)
        assert self.await_state(launcher, job, JobState.AT_WORK).exit_code is None

    def test_a_job_that_fails_at_once_has_ended(
        self, launcher: Launcher, submit: Callable[..., LaunchedJob]
    ) -> None:
        """Its exit code, or the engine's own word, tells that it failed."""
        found = self.await_state(launcher, submit("--exit", "3"), JobState.ENDED)
        assert found.exit_code not in {0, None} or found.reason

    def test_what_a_job_prints_can_be_read(
        self, launcher: Launcher, submit: Callable[..., LaunchedJob]
    ) -> None:
        """Unicode comes back as it was, and only so many lines as were asked for."""
        job = submit("--print", UNICODE, "--print", "last")
        self.await_state(launcher, job, JobState.ENDED)
        assert UNICODE in launcher.logs(job.id)
        assert launcher.logs(job.id, 1).strip() == "last"

    def test_variables_reach_the_job_and_no_command_line(
        self, launcher: Launcher, submit: Callable[..., LaunchedJob]
    ) -> None:
        """A URL holds a password: it may stand on no command line, which everybody on a machine can read."""
        secret = f"secret {uuid4().hex} 'quoted' $HOME\nand a line"
        job = submit("--variable", "PIPELINE_WIDGETS_URL", "--sleep", "600", PIPELINE_WIDGETS_URL=secret)
        printed = self.await_output(launcher, job, "PIPELINE_WIDGETS_URL=")
        assert repr(secret) in printed
        hidden = secret.split()[1]
        assert [line for line in map(_command_line, psutil.pids()) if hidden in line] == []

    def test_a_killed_job_has_ended(self, launcher: Launcher, submit: Callable[..., LaunchedJob]) -> None:
        """A kill -9 is told by an exit code or by the engine's own word."""
        job = submit("--sleep", "600")
        os.kill(self.find_pid(launcher, job), signal.SIGKILL)
        found = self.await_state(launcher, job, JobState.ENDED)
        assert found.exit_code not in {0, None} or found.reason

    @pytest.mark.parametrize("arguments", [("--sleep", "600"), IGNORES_SIGTERM], ids=["heeds", "ignores"])
    def test_a_stopped_job_leaves_nothing_behind(
        self, launcher: Launcher, submit: Callable[..., LaunchedJob], arguments: tuple[str, ...]
    ) -> None:
        """One that ignores SIGTERM as well; to stop it again is no error."""
        job = submit(*arguments)
        pid = self.find_pid(launcher, job)
        launcher.stop(job.id)
        self.await_state(launcher, job, JobState.ENDED)
        until = time.monotonic() + self.ends_within
        while is_alive(pid):
            assert time.monotonic() < until, f"process {pid} goes on"
            time.sleep(POLL)
        launcher.stop(job.id)

    def test_a_job_can_be_stopped_before_it_begins(
        self, launcher: Launcher, submit: Callable[..., LaunchedJob]
    ) -> None:
        """It never begins; where the engine has a queue, the job says for what it waits."""
        if self.all_there_is is not None:
            self.find_pid(launcher, submit("--sleep", "600", resources=self.all_there_is))
        job = submit("--sleep", "600", resources=self.all_there_is)
        if self.all_there_is is not None:
            self.await_state(launcher, job, JobState.WAITING)
            said = "it does not say for what it waits"
            wait_until(lambda: bool(launcher.status(job.id).reason), self.begins_within, said)
        launcher.stop(job.id)
        until = time.monotonic() + self.ends_within
        while launcher.status(job.id).state in {JobState.WAITING, JobState.AT_WORK}:
            assert time.monotonic() < until, launcher.status(job.id)
            time.sleep(POLL)

    def test_an_unknown_job_is_unknown(self, launcher: Launcher) -> None:
        """It has no logs, and to stop it is no error, whatever its id looks like."""
        for job_id in ("999999999", "", "no such job", "raysubmit_0000000000000000", "a|1|0.0"):
            assert launcher.status(job_id).state is JobState.UNKNOWN
            assert launcher.logs(job_id) == ""
            launcher.stop(job_id)

    def test_another_process_can_ask(self, launcher: Launcher, submit: Callable[..., LaunchedJob]) -> None:
        """Another process than the one that submitted a job can ask for it, and that one need not live."""
        job = submit("--sleep", "600")
        self.await_state(launcher, job, JobState.AT_WORK)
        program = (
            "import sys\n"
            "from pipeline_widgets.execution.launchers import find_launcher\n"
            "print(find_launcher(sys.argv[1]).status(sys.argv[2]).state.value)\n"
        )
        command = [sys.executable, "-c", program, self.launcher_name, job.id]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.stdout.strip() == JobState.AT_WORK.value, done.stderr

    def test_jobs_are_told_apart(self, launcher: Launcher, submit: Callable[..., LaunchedJob]) -> None:
        """Two jobs of one program have an id, an output and an end of their own."""
        first, second = submit("--print", "first"), submit("--print", "second", "--sleep", "600")
        assert first.id != second.id
        self.await_state(launcher, first, JobState.ENDED)
        self.await_output(launcher, second, "second")
        assert launcher.status(second.id).state is JobState.AT_WORK
        assert "second" not in launcher.logs(first.id)


def _command_line(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""
