"""What a launcher asks Slurm for, and how it reads what Slurm prints; nothing of it needs a Slurm."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import slurm_jobs, slurm_options
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.launchers.slurm import SlurmLauncher

pytestmark = pytest.mark.spec("11.2")


def arguments(**asked: object) -> list[str]:
    return slurm_options.to_arguments(Resources.parse(asked))


def row(
    state: str,
    *,
    reason: str = "None",
    code: int = 0,
    restarts: int = 0,
    left: str = "UNLIMITED",
    preempted: str = "N/A",
    comment: str = "pipeline_widgets:00ff:60",
    log: str = "/nowhere/supervisor.log",
) -> JobObservation:
    """Return what is read from a row of squeue."""
    fields = ("12", state, reason, str(code), str(restarts), "node7", left, preempted, comment, log)
    text = slurm_jobs.SEPARATOR.join(fields) + f"{slurm_jobs.SEPARATOR}\n"
    return slurm_jobs.parse_squeue(text)["12"].observe()


def test_resources_are_arguments_of_sbatch() -> None:
    """Sizes are rounded up, and nothing is asked for that a run leaves open."""
    assert arguments() == ["--nodes=1", "--ntasks=1", "--no-requeue", "--signal=B:TERM@60"]
    asked = arguments(
        cpu=4, gpu=2, memory="24 GiB", time="1.5 h", gpu_type="a100", gres="license:1", qos="long"
    )
    assert asked[2:6] == [
        "--cpus-per-task=4",
        "--mem=24576M",
        "--time=0-01:30:00",
        "--gres=gpu:a100:2,license:1",
    ]
    assert "--qos=long" in asked
    assert "--time=2-00:00:01" in arguments(time=172_800.5)
    assert "--mem=1M" in arguments(memory=1)


@pytest.mark.parametrize(("time", "warning"), [("1 min", 15), ("2 h", 60), (3, 0)])
def test_a_short_job_is_warned_a_quarter_of_its_time_before_its_end(time: object, warning: int) -> None:
    """A longer one is warned a minute before its end."""
    asked = arguments(time=time)
    assert (f"--signal=B:TERM@{warning}" in asked) is (warning > 0)
    assert not (warning == 0 and any(each.startswith("--signal") for each in asked))


def test_switches_are_written_as_people_write_them() -> None:
    """A query has texts where resources have True and False."""
    assert "--requeue" in arguments(requeue=True)
    assert "--requeue" in arguments(requeue="yes")
    assert "--no-requeue" in arguments(requeue="0")
    assert "--exclusive" in arguments(exclusive=1)
    with pytest.raises(ExecutionError, match="True or False"):
        arguments(requeue="perhaps")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"wrap": "touch /tmp/x"}, "has no option 'wrap'"),
        ({"export": "ALL"}, "The options are: cpu, gpu, memory, time, account"),
        ({"partition": "a b"}, "cannot be 'a b'"),
        ({"partition": "a\n--uid=0"}, "cannot be"),
        ({"partition": True}, "cannot be True"),
        ({"nodelist": "/etc/passwd"}, "cannot be"),
        ({"gpu": 1, "gpu_type": "a100:8,b"}, "Give a type"),
        ({"gpu": 1, "gres": "license:1,gpu:2"}, "asked for twice"),
        ({"gpu_type": "a100"}, "no GPU is asked for"),
        ({"nice": "1;2"}, "whole number"),
        ({"warning": 70_000}, "from 0 to 65535"),
    ],
)
def test_what_slurm_cannot_be_asked_for_is_refused_with_what_it_can(
    asked: dict[str, object], words: str
) -> None:
    """No value is read as another argument, by a shell, or as the name of a file."""
    with pytest.raises(ExecutionError, match=words):
        arguments(**asked)


def test_a_name_holds_what_all_jobs_ask_for() -> None:
    """What a run asks for itself comes first."""
    read = slurm_options.read_name(
        "slurm://?partition=gpu&gpu=2&time=2%20h&python=/opt/py/bin/python&requeue=true"
    )
    assert (read.defaults.gpu, read.defaults.time, read.python) == (2, 7200.0, "/opt/py/bin/python")
    assert read.defaults.options == {"partition": "gpu", "requeue": "true"}
    assert slurm_options.read_name("slurm") == slurm_options.read_name("slurm://")
    merged = slurm_options.merge(read.defaults, Resources.parse({"gpu": 0, "partition": "cpu"}))
    assert (merged.gpu, merged.time, merged.options["partition"]) == (0, 7200.0, "cpu")


@pytest.mark.parametrize(
    "name",
    [
        "slurm://login1",
        "slurm://?partition",
        "slurm://?nothing=1",
        "slurm://?partition=a&partition=b",
        "slurm://?python=python3",
        "slurm://?gpu=many",
        "slurm://[",
        "slurm:///tmp",
        "slurmy",
    ],
)
def test_what_is_not_the_name_of_a_launcher_is_refused(name: str) -> None:
    """A name has no host, no unknown option, and no option twice."""
    with pytest.raises(ExecutionError):
        SlurmLauncher(name)


def test_a_waiting_job_says_for_what_in_slurms_words() -> None:
    """A job whose node is being prepared, or that is held, waits as well."""
    assert row("PENDING") == JobObservation(state=JobState.WAITING, hosts=("node7",))
    assert row("PENDING", reason="QOSMaxJobsPerUserLimit").reason == "QOSMaxJobsPerUserLimit"
    down = "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved"
    assert row("PENDING", reason=down).reason == "Nodes required for job are DOWN, DRAINED or reserved"
    for state in ("CONFIGURING", "REQUEUE_HOLD"):
        assert (row(state).state, row(state).reason) == (JobState.WAITING, state)


@pytest.mark.parametrize("state", ["SUSPENDED", "STOPPED"])
def test_a_job_that_an_admin_or_a_preemption_suspends_says_so(state: str) -> None:
    """Whether it keeps what it was given, or has given it back; it neither waits for its turn nor works."""
    assert row(state) == JobObservation(state=JobState.SUSPENDED, reason=state, hosts=("node7",))


@pytest.mark.parametrize(
    ("state", "reason", "status", "words", "code"),
    [
        ("COMPLETED", "None", 0, "COMPLETED", 0),
        ("FAILED", "NonZeroExitCode", 3 << 8, "FAILED", 3),
        ("FAILED", "JobLaunchFailure", 9, "FAILED (JobLaunchFailure)", -9),
        ("TIMEOUT", "TimeLimit", 15, "TIMEOUT (TimeLimit)", -15),
        ("OUT_OF_MEMORY", "OutOfMemory", 0x80 | 125, "OUT_OF_MEMORY (OutOfMemory)", None),
        ("NODE_FAIL", "NodeDown", 0, "NODE_FAIL (NodeDown)", None),
        ("PREEMPTED", "None", 0, "PREEMPTED", None),
        ("CANCELLED", "None", 0, "CANCELLED", None),
    ],
)
def test_a_job_that_has_ended_says_how(
    state: str, reason: str, status: int, words: str, code: int | None
) -> None:
    """State and reason are Slurm's, and a signal is a negative exit code."""
    said = row(state, reason=reason, code=status)
    assert (said.state, said.reason, said.exit_code) == (JobState.ENDED, words, code)


def test_as_long_as_something_of_a_job_is_left_it_works_and_says_why_it_ends() -> None:
    """Slurm says COMPLETING, whatever the end is; its other columns tell."""
    for said, words in (
        (row("RUNNING"), ""),
        (row("RUNNING", left="3-00:00:00"), ""),
        (row("RUNNING", left="1:30"), "TimeLimit"),
        (row("RUNNING", left="1:30", comment="pipeline_widgets:00ff:0"), ""),
        (row("COMPLETING", reason="TimeLimit"), "TIMEOUT (TimeLimit)"),
        (row("COMPLETING", preempted="2026-11-28T20:57:44"), "PREEMPTED"),
        (row("COMPLETING"), "COMPLETING"),
    ):
        assert (said.state, said.reason) == (JobState.AT_WORK, words)


def test_a_job_in_the_queue_for_the_second_time_has_ended_where_its_process_has_begun(tmp_path: Path) -> None:
    """The file with its variables is there until its process begins."""
    log = str(tmp_path / "supervisor.log")
    (tmp_path / "supervisor.log-00ff.environment").touch()
    assert row("PENDING", restarts=1, log=log).state is JobState.WAITING
    (tmp_path / "supervisor.log-00ff.environment").unlink()
    said = row("PENDING", restarts=1, reason="BeginTime", log=log)
    assert (said.state, said.reason) == (JobState.ENDED, "REQUEUED (BeginTime)")
    assert row("PENDING", log=log).state is JobState.WAITING
    # Where the folder cannot be seen from here, nothing is known of its process.
    assert row("PENDING", restarts=1, log="/nowhere/supervisor.log").state is JobState.WAITING


def test_a_state_that_is_new_is_unknown_and_a_row_that_is_none_is_left_out() -> None:
    """A later Slurm may say what this one does not."""
    assert row("TELEPORTED") == JobObservation(state=JobState.UNKNOWN, reason="TELEPORTED", hosts=("node7",))
    assert slurm_jobs.parse_squeue("\nslurm_load_jobs error\n12\x1fRUNNING\n") == {}


def test_a_comment_of_anybody_else_makes_no_job_ours() -> None:
    """Such a job is not cancelled, and its output is not read."""
    for comment in ("", "(null)", "mine", "pipeline_widgets:../../x:1", "other:00ff:60"):
        fields = ("12", "RUNNING", "None", "0", "0", "n", "1:00", "N/A", comment, "/a/b.log")
        job = slurm_jobs.parse_squeue(slurm_jobs.SEPARATOR.join(fields) + slurm_jobs.SEPARATOR)["12"]
        assert (job.token, job.log, job.environment) == ("", None, None)


def test_accounting_tells_the_end_of_a_job_that_the_controller_has_forgotten() -> None:
    """The rows are those that sacct of Slurm 22.05 printed, with slurmdbd and MariaDB."""
    told = (
        "1|COMPLETED|0:0|node7\n2|FAILED|3:0|node7\n3|FAILED|0:9|node7\n4|CANCELLED by 0|0:0|None assigned\n"
        "5|OUT_OF_MEMORY|0:125|node7\n6|NODE_FAIL|0:0|node7\n\n"
    )
    jobs = {key: job.observe() for key, job in slurm_jobs.parse_sacct(told).items()}
    ended, hosts = JobState.ENDED, ("node7",)
    assert jobs == {
        "1": JobObservation(state=ended, reason="COMPLETED", exit_code=0, hosts=hosts),
        "2": JobObservation(state=ended, reason="FAILED", exit_code=3, hosts=hosts),
        "3": JobObservation(state=ended, reason="FAILED", exit_code=-9, hosts=hosts),
        "4": JobObservation(state=ended, reason="CANCELLED (by 0)"),
        "5": JobObservation(state=ended, reason="OUT_OF_MEMORY", hosts=hosts),
        "6": JobObservation(state=ended, reason="NODE_FAIL", hosts=hosts),
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("UNLIMITED", None), ("0:05", 5), ("1:02:03", 3723), ("2-00:00:01", 172_801), ("INVALID", None)],
)
def test_a_span_of_time_is_read_as_slurm_writes_it(text: str, seconds: float | None) -> None:
    """Days, hours, minutes and seconds; no limit is none."""
    assert slurm_jobs.parse_time(text) == seconds


def test_where_slurm_is_not_installed_the_error_says_where_its_commands_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left of what was to be submitted."""
    monkeypatch.setenv("PATH", str(tmp_path))
    log = tmp_path / "run" / "supervisor.log"
    request = LaunchRequest(arguments=("supervise", "1"), environment={}, name="pw-supervise-1", log=log)
    with pytest.raises(ExecutionError, match=r"sbatch is not on this machine\. .*login node"):
        SlurmLauncher().submit(request)
    assert not list(tmp_path.rglob("*.environment"))
    said = SlurmLauncher().status("12")
    assert said.state is JobState.UNKNOWN
    assert "squeue is not on this machine" in said.reason


@pytest.mark.parametrize(("name", "folder"), [("pw run", "run"), ("--wrap=x", "run"), ("pw", "a\\b")])
def test_a_name_or_a_folder_that_sbatch_would_read_as_something_else_is_refused(
    tmp_path: Path, name: str, folder: str
) -> None:
    """Before anything is written."""
    log = tmp_path / folder / "supervisor.log"
    request = LaunchRequest(arguments=("supervise", "1"), environment={}, name=name, log=log)
    with pytest.raises(ExecutionError):
        SlurmLauncher().submit(request)
    assert not list(tmp_path.rglob("*.environment"))
