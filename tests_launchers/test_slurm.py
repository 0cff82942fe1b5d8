"""The launcher for Slurm, against a real controller and node."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm import KILL_WAIT, MEMORY_PER_CPU, OneNodeSlurm

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import slurm as launchers_slurm
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.launchers.slurm import SlurmLauncher

pytestmark = pytest.mark.spec("11.2")

SECRET = "only-for-us-4711"
URL = "PIPELINE_WIDGETS_URL"
NOBODY = 65534
WITHIN = 30.0

#: What a job does in place of a supervisor: it gets the arguments of one, and prints to the log.
SLEEPS = "echo begun; exec sleep 600"
IGNORES_SIGTERM = "trap '' TERM; echo begun; while :; do sleep 0.1; done"
SAVES = "trap 'echo saves; sleep 1; echo saved; exit 0' TERM; echo begun; while :; do sleep 0.1; done"


class Jobs:
    """Submits jobs that do what a test says, and cancels them after it."""

    def __init__(self, slurm: OneNodeSlurm, folder: Path) -> None:
        self.slurm = slurm
        self.folder = folder
        self.ids: list[str] = []

    def launcher(self, does: str, **options: object) -> SlurmLauncher:
        """Return a launcher whose jobs run a script in place of Python."""
        script = self.folder / f"python-{len(list(self.folder.glob('python-*')))}"
        script.write_text(f"#!/bin/sh\n{does}\n")
        script.chmod(0o755)
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return SlurmLauncher(f"slurm://?python={script}{more}")

    def request(self, name: str = "pw-supervise-1", **asked: Any) -> LaunchRequest:
        """Return a request as the reconciler makes it."""
        return LaunchRequest(
            arguments=("supervise", "1"),
            environment={URL: f"postgresql://u:{SECRET}@host/lab"},
            name=name,
            log=self.folder / "runs" / name / "supervisor.log",
            resources=Resources.parse(asked),
        )

    def submit(
        self, does: str = SLEEPS, name: str = "pw-supervise-1", **asked: Any
    ) -> tuple[SlurmLauncher, str]:
        """Submit a job, and return its launcher and id."""
        launcher = self.launcher(does)
        self.ids.append(launcher.submit(self.request(name, **asked)).id)
        return launcher, self.ids[-1]

    def begun(
        self, does: str = SLEEPS, name: str = "pw-supervise-1", **asked: Any
    ) -> tuple[SlurmLauncher, str]:
        """Submit a job, and wait until its process has begun."""
        launcher, job = self.submit(does, name, **asked)
        self.slurm.wait_for(lambda: "begun" in self.log(name), "the job to begin")
        return launcher, job

    def log(self, name: str = "pw-supervise-1") -> str:
        """Return what a job has printed."""
        path = self.request(name).log
        return path.read_text() if path.exists() else ""

    def environments(self) -> list[Path]:
        """Return the files with variables that no job has read."""
        return list(self.folder.rglob("*.environment*"))

    def cancel_all(self) -> None:
        """End all jobs, at once."""
        self.slurm.run("scancel", "--user=root", "--signal=KILL", "--full")
        self.slurm.run("scancel", "--user=root")
        self.slurm.wait_for(lambda: not self.slurm.run("squeue", "-h"), "all jobs to be gone")


@pytest.fixture
def jobs(slurm: OneNodeSlurm, tmp_path: Path) -> Iterator[Jobs]:
    """Jobs of a test."""
    made = Jobs(slurm, tmp_path)
    yield made
    made.cancel_all()


def until(ask: Callable[[], JobObservation], state: JobState, within: float = WITHIN) -> JobObservation:
    """Ask until a job is in a state, and return what was said then."""
    end = time.monotonic() + within
    while (said := ask()).state is not state:
        assert time.monotonic() < end, f"still {said}, not {state}"
        time.sleep(0.1)
    return said


def test_a_job_begins_with_the_variables_of_its_request_and_writes_to_its_log(jobs: Jobs) -> None:
    launcher, job = jobs.begun(f'echo "{URL} is ${URL}, arguments $*"; {SLEEPS}')
    assert job.isdecimal()
    assert (
        f"{URL} is postgresql://u:{SECRET}@host/lab, arguments -P -m pipeline_widgets supervise 1"
        in jobs.log()
    )
    said = until(lambda: launcher.status(job), JobState.AT_WORK)
    assert (said.reason, said.hosts, said.exit_code) == ("", (jobs.slurm.node,), None)
    assert launcher.logs(job).endswith("begun")
    assert stat.S_IMODE(jobs.request().log.stat().st_mode) == 0o600


def test_a_job_inherits_what_its_notebook_has_but_not_its_gpu_and_its_own_job(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", '/data/it\'s here\nand "there" $HOME')
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setenv("SLURM_JOB_ID", "999999")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "123456")
    monkeypatch.setenv("SBATCH_ARRAY_INX", "0-3")
    monkeypatch.setenv("SQUEUE_STATES", "FAILED")
    prints = 'echo "$HF_HOME|GPU<$CUDA_VISIBLE_DEVICES> JOB<$SLURM_JOB_ID> MEM<$SLURM_MEM_PER_CPU>"'
    launcher, job = jobs.begun(f"{prints}; {SLEEPS}")
    assert f'/data/it\'s here\nand "there" $HOME|GPU<> JOB<{job}> MEM<{MEMORY_PER_CPU}>' in jobs.log()
    assert len(jobs.slurm.run("squeue", "-h").splitlines()) == 1
    assert launcher.status(job).state is JobState.AT_WORK


def test_nothing_that_others_can_see_of_a_job_holds_the_password_of_its_workspace(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    jobs.folder = jobs.slurm.folder / "shared"  # as the folders above an artifact folder, open to all
    jobs.folder.mkdir(mode=0o755)
    waiting, _ = jobs.submit(name="pw-supervise-2", nice=5, memory="999 MiB", cpu=4), jobs.begun()
    job = jobs.ids[0]
    seen = [
        as_nobody(jobs, "scontrol", "--details", "show", "job"),
        as_nobody(jobs, "scontrol", "write", "batch_script", job, "-"),
        as_nobody(
            jobs, "squeue", "--states=all", "--Format=Comment:1000,Command:1000,WorkDir:1000,STDOUT:1000"
        ),
        as_nobody(jobs, "sh", "-c", "cat /proc/*/cmdline /proc/*/environ | tr '\\0' '\\n'"),
        as_nobody(jobs, "sh", "-c", f"find {jobs.folder} -type f -exec cat {{}} +"),
        as_nobody(jobs, "sh", "-c", f"find {jobs.slurm.folder} -type f -exec cat {{}} +"),
    ]
    assert "pw-supervise-1" in seen[0]
    assert f"{jobs.folder}" in seen[2]
    assert "sleep" in seen[3]
    assert not [text for text in seen if SECRET in text]
    # Its owner sees it nowhere either: not in the script, and not in what the controller keeps.
    own = jobs.slurm.run("scontrol", "write", "batch_script", job, "-")
    assert "supervisor.log-" in own
    kept = [path.read_bytes() for path in (jobs.slurm.folder / "state").rglob("*") if path.is_file()]
    assert any(b"PATH=" in data for data in kept), "it keeps no environment at all"
    assert not [data for data in (own.encode(), *kept) if SECRET.encode() in data]
    # The variables of the one that waits are in a file of its user's; that of the other is gone.
    assert [stat.S_IMODE(path.stat().st_mode) for path in jobs.environments()] == [0o600]
    assert waiting[0].status(waiting[1]).state is JobState.WAITING


def as_nobody(jobs: Jobs, *command: str) -> str:
    """Return what another user sees."""
    done = subprocess.run(
        command,
        env=jobs.slurm.environment,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        check=False,
        timeout=60,
    )
    return (done.stdout + done.stderr).decode(errors="replace")


def test_a_job_has_the_resources_that_its_run_asks_for(jobs: Jobs) -> None:
    does = f"echo gpu $CUDA_VISIBLE_DEVICES; {SLEEPS}"
    _, job = jobs.begun(does, cpu=2, gpu=1, memory="1 GiB", time="90 min", partition="spare", nice=7)
    shown = jobs.slurm.run("scontrol", "show", "job", job)
    assert "cpu=2,mem=1G," in shown
    assert "Partition=spare" in shown
    assert "TimeLimit=01:30:00" in shown
    assert "Nice=7" in shown
    assert "Requeue=0" in shown
    assert "gpu:1" in shown
    assert "gpu 0" in jobs.log()


def test_what_the_launchers_name_says_holds_where_the_run_does_not_say_otherwise(jobs: Jobs) -> None:
    launcher = jobs.launcher(SLEEPS, partition="spare", time="1%20h", cpu=2)
    job = launcher.submit(jobs.request(cpu=1, requeue=True)).id
    shown = jobs.slurm.run("scontrol", "show", "job", job)
    assert "Partition=spare" in shown
    assert "TimeLimit=01:00:00" in shown
    assert "NumCPUs=1 " in shown
    assert "Requeue=1" in shown


def test_a_job_that_has_to_wait_says_for_what_in_slurms_words(jobs: Jobs) -> None:
    jobs.begun(cpu=4)
    launcher, second = jobs.submit(name="pw-supervise-2", cpu=4)
    _, third = jobs.submit(name="pw-supervise-3", cpu=4)
    jobs.slurm.wait_for(lambda: "Priority" in jobs.slurm.run("squeue", "-h", "-o", "%r"), "the scheduler")
    time.sleep(launchers_slurm.FRESH)
    assert launcher.status(second) == JobObservation(state=JobState.WAITING, reason="Resources")
    assert launcher.status(third) == JobObservation(state=JobState.WAITING, reason="Priority")
    jobs.slurm.run("scontrol", "hold", third)
    time.sleep(launchers_slurm.FRESH)
    assert launcher.status(third).reason.startswith("JobHeld")


def test_what_slurm_refuses_is_refused_with_its_words_and_leaves_nothing(jobs: Jobs) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"partition": "nowhere"}, "Invalid partition name specified"),
        ({"gpu": 99}, "Requested node configuration is not available"),
        ({"memory": "999 GiB"}, "Memory specification can not be satisfied"),
        ({"constraint": "a100"}, "Invalid feature specification"),
    ]
    for asked, words in refused:
        with pytest.raises(ExecutionError, match=words):
            jobs.submit(**asked)
    assert jobs.environments() == []
    assert jobs.slurm.run("squeue", "-h") == ""


def test_no_option_reaches_a_shell_or_is_read_as_another_argument(jobs: Jobs) -> None:
    mark = jobs.folder / "mark"
    for value in (f"main;touch${{IFS}}{mark}", f"$(touch${{IFS}}{mark})", f"main|touch{mark}", "--uid=65534"):
        with pytest.raises(ExecutionError, match="Invalid partition name"):
            jobs.submit(partition=value)
    for value in ("main --uid=65534", "main\n#SBATCH --uid=65534", "", "a\0b"):
        with pytest.raises(ExecutionError, match="cannot be"):
            jobs.submit(partition=value)
    with pytest.raises(ExecutionError, match="has no option 'wrap'"):
        jobs.submit(wrap=f"touch {mark}")
    assert not mark.exists()


def test_how_a_job_has_ended_is_said_with_its_exit_code_or_signal(jobs: Jobs) -> None:
    for number, (does, words, code) in enumerate(
        (
            ("exit 0", "COMPLETED", 0),
            ("exit 3", "FAILED", 3),
            ("kill -9 $$", "FAILED", -9),
            ("kill -11 $$", "FAILED", -11),
        )
    ):
        launcher, job = jobs.submit(does, name=f"pw-supervise-{number}")
        said = until(lambda launcher=launcher, job=job: launcher.status(job), JobState.ENDED)
        assert said.reason.split()[0] == words
        assert said.exit_code == code
        launcher.stop(job)  # it has ended already


def test_a_job_that_takes_more_memory_than_it_asked_for_is_out_of_memory(jobs: Jobs) -> None:
    eats = f"{sys.executable} -c 'x = bytearray(300_000_000)'; echo said $?; exit 1"
    launcher, job = jobs.submit(eats, memory="100 MiB")
    said = until(lambda: launcher.status(job), JobState.ENDED)
    assert said.reason.startswith("OUT_OF_MEMORY")
    assert "said 137" in launcher.logs(job)


def test_a_job_that_is_preempted_has_the_time_to_save_and_is_called_so(jobs: Jobs) -> None:
    launcher, job = jobs.begun(SAVES, partition="spare", cpu=4)
    jobs.submit("exit 0", name="pw-supervise-2", partition="urgent", cpu=4)
    jobs.slurm.wait_for(lambda: "saves" in jobs.log(), "SIGTERM")
    assert launcher.status(job) == JobObservation(
        state=JobState.AT_WORK, reason="PREEMPTED", hosts=(jobs.slurm.node,)
    )
    assert until(lambda: launcher.status(job), JobState.ENDED).reason == "PREEMPTED"
    assert "saved" in jobs.log()


def test_a_job_whose_node_fails_is_called_so(jobs: Jobs) -> None:
    launcher, job = jobs.begun()
    jobs.slurm.run("scontrol", "update", f"nodename={jobs.slurm.node}", "state=down", "reason=test")
    try:
        assert until(lambda: launcher.status(job), JobState.ENDED).reason == "NODE_FAIL (NodeDown)"
    finally:
        jobs.slurm.run("scontrol", "update", f"nodename={jobs.slurm.node}", "state=idle")


def test_a_job_that_is_suspended_is_called_so_and_goes_on(jobs: Jobs) -> None:
    launcher, job = jobs.begun()
    jobs.slurm.run("scontrol", "suspend", job)
    assert until(lambda: launcher.status(job), JobState.SUSPENDED).reason == "SUSPENDED"
    jobs.slurm.run("scontrol", "resume", job)
    assert until(lambda: launcher.status(job), JobState.AT_WORK).reason == ""


def test_a_stop_lets_the_training_save_before_it_ends(jobs: Jobs) -> None:
    launcher, job = jobs.begun(SAVES)
    launcher.stop(job)
    said = until(lambda: launcher.status(job), JobState.ENDED)
    assert said.reason == "CANCELLED"
    assert "saves\nsaved" in jobs.log()


def test_a_stop_ends_what_does_not_listen_after_the_clusters_grace(jobs: Jobs) -> None:
    launcher, job = jobs.begun(IGNORES_SIGTERM)
    began = time.monotonic()
    launcher.stop(job)
    assert time.monotonic() - began < 1.0
    assert until(lambda: launcher.status(job), JobState.AT_WORK).reason == "COMPLETING"
    until(lambda: launcher.status(job), JobState.ENDED)
    assert time.monotonic() - began > KILL_WAIT - 1


def test_a_job_in_the_queue_is_stopped_before_it_begins(jobs: Jobs) -> None:
    jobs.begun(cpu=4)
    launcher, job = jobs.submit(name="pw-supervise-2", cpu=4)
    launcher.stop(job)
    assert until(lambda: launcher.status(job), JobState.ENDED).reason == "CANCELLED"
    assert jobs.log("pw-supervise-2") == ""


def test_a_stop_leaves_alone_whatever_no_launcher_of_ours_has_submitted(jobs: Jobs) -> None:
    foreign = jobs.slurm.run("sbatch", "--parsable", "--output=/dev/null", "--wrap=sleep 600")
    launcher = SlurmLauncher()
    for job in (foreign, "999999", "--user=root", "all", f"{foreign},1", "", "1;2"):
        launcher.stop(job)
    assert jobs.slurm.state(foreign) in {"PENDING", "RUNNING"}
    assert launcher.logs(foreign) == ""
    for job in ("999999", "--help", ""):
        assert launcher.status(job).state is JobState.UNKNOWN


def test_a_controller_that_is_down_loses_no_job_and_takes_none(jobs: Jobs) -> None:
    launcher, job = jobs.begun()
    jobs.slurm.stop_controller()
    try:
        began = time.monotonic()
        time.sleep(launchers_slurm.FRESH)
        said = launcher.status(job)
        assert said.state is JobState.UNKNOWN
        assert said.reason.startswith("Slurm does not answer")
        assert time.monotonic() - began < 30
        for call in (lambda: launcher.stop(job), launcher.describe):
            with pytest.raises(ExecutionError, match="does not answer"):
                call()
        began = time.monotonic()
        with pytest.raises(ExecutionError, match="does not answer"):
            launcher.submit(jobs.request("pw-supervise-2"))
        assert time.monotonic() - began < 30
        assert jobs.environments() == []
    finally:
        jobs.slurm.start_controller()
    assert until(lambda: launcher.status(job), JobState.AT_WORK).hosts == (jobs.slurm.node,)
    assert jobs.slurm.run("squeue", "-h", "-o", "%i") == job


@pytest.mark.parametrize("state", [JobState.AT_WORK, JobState.WAITING])
def test_a_submission_whose_answer_is_lost_gives_one_job(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, state: JobState
) -> None:
    if state is JobState.WAITING:
        jobs.begun(name="pw-supervise-9", cpu=4)
    lost = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    does = f'{{real}} "$@" >/dev/null; sleep 0.5; echo "{lost}" >&2; exit 1'
    replace_command(jobs, monkeypatch, "sbatch", does)
    launcher, job = jobs.submit()
    assert jobs.slurm.run("squeue", "-h", "--name=pw-supervise-1", "-o", "%i") == job
    until(lambda: launcher.status(job), state)  # it is in the queue for a moment in any case
    assert jobs.slurm.run("squeue", "-h", "--name=pw-supervise-1", "-o", "%i") == job


def test_a_submission_that_comes_up_after_it_was_given_up_starts_no_process(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers_slurm, "SUBMIT_WITHIN", 1.0)
    monkeypatch.setattr(launchers_slurm, "SEARCH_WITHIN", 3.0)
    # The controller takes the job long after the launcher has ended its wait.
    late = 'sleep 8; {real} "$@" < {folder}/script > {folder}/late'
    replace_command(
        jobs, monkeypatch, "sbatch", f"cat > {{folder}}/script; ({late}) >/dev/null 2>&1 & sleep 60"
    )
    with pytest.raises(ExecutionError, match="does not answer"):
        jobs.submit()
    assert jobs.environments() == []
    jobs.slurm.wait_for(
        lambda: (jobs.folder / "late").exists() and (jobs.folder / "late").read_text() != "", "the late job"
    )
    job = (jobs.folder / "late").read_text().strip()
    launcher = SlurmLauncher()
    assert until(lambda: launcher.status(job), JobState.ENDED).reason == "COMPLETED"
    assert "begun\n" not in jobs.log()
    assert "is not started again" in jobs.log()


def test_a_job_whose_submitter_died_before_it_wrote_down_the_id_keeps_its_place(jobs: Jobs) -> None:
    jobs.begun(name="pw-supervise-9", cpu=4)
    launcher, first = jobs.submit()
    _, again = jobs.submit()
    assert again == first
    assert jobs.slurm.run("squeue", "-h", "--name=pw-supervise-1", "-o", "%i") == first
    launcher.stop(first)
    _, third = jobs.submit()
    assert third != first
    assert len(jobs.environments()) == 1


def replace_command(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, name: str, does: str) -> None:
    """Put a script before a command of Slurm's."""
    real = shutil.which(name, path=jobs.slurm.environment["PATH"])
    folder = jobs.folder / "commands"
    folder.mkdir()
    script = folder / name
    script.write_text(
        "#!/bin/sh\n" + does.replace("{real}", str(real)).replace("{folder}", str(jobs.folder)) + "\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_job_that_slurm_starts_once_more_does_not_start_its_process_twice(jobs: Jobs) -> None:
    launcher, job = jobs.begun(IGNORES_SIGTERM, partition="again", requeue=True, cpu=4)
    jobs.submit("sleep 1", name="pw-supervise-2", partition="urgent", cpu=4)
    said = until(lambda: launcher.status(job), JobState.ENDED)
    assert said.reason == "REQUEUED (BeginTime)"
    assert jobs.slurm.state(job) in {"PENDING", "REQUEUED"}
    jobs.slurm.run("scontrol", "update", f"jobid={job}", "StartTime=now")
    jobs.slurm.wait_for(lambda: jobs.slurm.state(job) == "COMPLETED", "its second start")
    assert jobs.log().count("begun\n") == 1
    assert f"Job {job} was withdrawn, or has begun before" in jobs.log()


def test_a_launcher_says_which_slurm_answers(slurm: OneNodeSlurm) -> None:
    told = SlurmLauncher("slurm://?partition=main").describe()
    assert told.engine.startswith("Slurm ")
    assert told.engine.endswith("(cluster pw)")
    assert (told.name, told.shares_files) == ("slurm://?partition=main", True)
    assert told.python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_one_question_is_asked_for_all_jobs(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    launchers = [jobs.submit(name=f"pw-supervise-{number}") for number in range(6)]
    asked = jobs.folder / "asked"
    replace_command(jobs, monkeypatch, "squeue", f'echo x >> {asked}; exec {{real}} "$@"')
    began = time.monotonic()
    while time.monotonic() - began < 3.5:
        for launcher, job in launchers:
            assert launcher.status(job).state in {JobState.WAITING, JobState.AT_WORK}
        time.sleep(0.05)
    # One for each job that was not known yet, and one a second for all.
    assert len(asked.read_text().splitlines()) <= len(launchers) + 4


@pytest.mark.slow
def test_a_job_that_reaches_its_time_limit_is_warned_before_and_called_so(jobs: Jobs) -> None:
    warned, first = jobs.begun(SAVES, name="pw-supervise-1", time="1 min", memory="100 MiB")
    never, second = jobs.begun(
        IGNORES_SIGTERM, name="pw-supervise-2", time="1 min", memory="100 MiB", warning=0
    )
    jobs.slurm.wait_for(lambda: "saves" in jobs.log("pw-supervise-1"), "the warning", within=90)
    assert warned.status(first).reason == "TimeLimit"
    jobs.slurm.wait_for(lambda: jobs.slurm.state(second) == "COMPLETING", "the time limit", within=120)
    time.sleep(launchers_slurm.FRESH)
    assert never.status(second).reason == "TIMEOUT (TimeLimit)"
    assert until(lambda: never.status(second), JobState.ENDED).reason == "TIMEOUT (TimeLimit)"
    assert warned.status(first) == JobObservation(
        state=JobState.ENDED, reason="COMPLETED", exit_code=0, hosts=(jobs.slurm.node,)
    )
