"""The Ray launcher, and answers that are hard to get from a real Ray; tests_launchers/ has the real one."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from benches import alive, until

from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import ray
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.launchers.ray import RayLauncher

SECRET = "postgresql://me:hunter2@db/lab"

KILLED = f"Job entrypoint command failed with exit code -9, last available logs\n{'x' * 999}"
LOST = "Job supervisor actor died: The actor died.\n\tclass_name: JobSupervisor\n\tpid: 7\nIts node has died."
LOST_WORDS = "Job supervisor actor died: The actor died. Its node has died"

Answer = tuple[int, str] | None


class FakeJobsApi:
    """Answers what a test tells it to, and keeps what it was asked; None is to hang up without an answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], Answer]] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                body: dict[str, Any] = json.loads(self.rfile.read(length) or "{}")
                api.asked.append((self.command, self.path, body))
                api.headers.append(dict(self.headers.items()))
                known = api.answers.get(f"{self.command} {self.path}", lambda: (404, "does not exist"))()
                if known is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(known[0])
                self.end_headers()
                self.wfile.write(known[1].encode())

            do_GET = do_POST = answer  # noqa: N815  the names that it looks for

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as it is declared
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.name = f"ray://127.0.0.1:{self.server.server_port}"

    def takes_jobs(self) -> None:
        """Answer every submit with success."""
        self.answers["POST /api/jobs/"] = lambda: (200, '{"submission_id": "x"}')

    def knows(self, job_id: str, **told: Any) -> None:
        """Know a job."""
        self.answers[f"GET /api/jobs/{job_id}"] = lambda: (200, json.dumps(told))


@pytest.fixture
def api() -> Generator[FakeJobsApi]:
    made = FakeJobsApi()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., LaunchRequest]:
    def create(url: str = "sqlite:////shared/lab.db", **resources: Any) -> LaunchRequest:
        return LaunchRequest(
            arguments=("supervise", "12"),
            environment={"PIPELINE_WIDGETS_URL": url, "PIPELINE_WIDGETS_LAUNCH": "1f" * 16},
            name="pw-supervise-12",
            log=tmp_path / "runs" / "12" / "supervisor.log",
            resources=Resources.parse(resources),
        )

    return create


@pytest.mark.spec("11.2")
@pytest.mark.parametrize(
    "name",
    [
        "ray://",
        "ray:///8265",
        "ray://head:port",
        "ray://head/jobs",
        "ray://me@head",
        "ray://head?partition=a",
    ],
)
def test_a_name_that_names_no_cluster_is_refused_with_how_to_write_it(name: str) -> None:
    """The error shows the form of a name."""
    with pytest.raises(ExecutionError, match=r"names no Ray cluster.*ray://HOST\[:PORT\]"):
        RayLauncher(name)


def test_the_port_of_the_dashboard_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Ray's own client, 8265."""
    asked: list[str] = []

    def refuse(request: Any, timeout: float) -> None:
        asked.append(request.full_url)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib.request.urlopen", refuse)

    RayLauncher("ray://head").status("x")
    RayLauncher("ray://[::1]:8300?https=1").status("x")

    assert asked == ["http://head:8265/api/jobs/x", "https://[::1]:8300/api/jobs/x"]


@pytest.mark.spec("11.2")
def test_a_submit_whose_answer_was_lost_is_found_and_not_given_twice(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest]
) -> None:
    """The name of a job comes from its launch: Ray is asked for it before anything is given up."""

    def take_and_hang_up() -> Answer:
        api.knows(api.asked[-1][2]["submission_id"], status="PENDING")
        return None

    api.answers["POST /api/jobs/"] = take_and_hang_up

    job = RayLauncher(api.name).submit(ask())

    assert [method for method, _, _ in api.asked] == ["POST", "GET"]
    assert re.fullmatch(r"pw-supervise-12-[0-9a-f]{16}", job.id)


def test_a_second_submit_of_the_same_launch_is_the_same_job(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest]
) -> None:
    """Ray refuses the second as a server error around the sentence that says why."""
    api.takes_jobs()
    launcher = RayLauncher(api.name)
    first = launcher.submit(ask())
    api.knows(first.id, status="RUNNING")
    refusal = (
        f"Traceback\nRuntimeError: ... ValueError: Job with submission_id {first.id} already exists.\n.\n"
    )
    api.answers["POST /api/jobs/"] = lambda: (500, refusal)

    assert launcher.submit(ask()) == first


def test_what_ray_refuses_is_an_error_with_its_last_words(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest]
) -> None:
    """Of the tracebacks in the answer the line that says something is shown."""
    said = 'Traceback (most recent call last):\n  File "x"\nValueError: "cpu" cannot be 1.5\n.\n'
    api.answers["POST /api/jobs/"] = lambda: (400, said)

    with pytest.raises(ExecutionError, match=r'has refused the job\. "cpu" cannot be 1\.5\. Change'):
        RayLauncher(api.name).submit(ask())


@pytest.mark.spec("11.2")
def test_a_head_that_takes_connections_and_never_answers_is_given_up_in_time(
    ask: Callable[..., LaunchRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job's state is unknown then, and a submit is an error; neither waits for ever."""
    monkeypatch.setattr(ray, "SUBMITS_WITHIN", 0.4)
    monkeypatch.setattr(ray, "ANSWERS_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        launcher = RayLauncher(f"ray://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()

        observed = launcher.status("x")
        with pytest.raises(ExecutionError, match=r"does not answer as it should\. timed out\. Check"):
            launcher.submit(ask())

        assert (observed.state, observed.reason) == (JobState.UNKNOWN, "timed out")
        assert time.monotonic() - began < 5


def test_the_times_for_which_an_engine_is_waited_for_stay_within_the_protocol() -> None:
    """A submit and the question whether it has arrived, or a stop of what waits, take 30 s at most."""
    assert ray.SUBMITS_WITHIN + ray.ANSWERS_WITHIN <= 30
    assert 3 * ray.ANSWERS_WITHIN + ray.BEGINS_WITHIN <= 30


@pytest.mark.spec("11.2")
def test_a_password_goes_into_a_file_that_only_its_user_can_read(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest], umask: Callable[[int], None]
) -> None:
    """Ray shows command line, metadata and variables of a job to everybody: the password is in none."""
    api.takes_jobs()
    request = ask(SECRET)
    umask(0)
    request.log.parent.mkdir(parents=True)
    request.log.parent.chmod(0o2770)  # shared with the group of a team

    job = RayLauncher(api.name).submit(request)

    kept = request.log.with_name(f"{job.id}.environment")
    assert "hunter2" not in json.dumps(api.asked)
    assert json.loads(kept.read_text()) == request.environment
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "url", ["postgresql://me@db/lab?password=hunter2", "postgresql://me@db/lab?sslpassword=hunter2"]
)
def test_a_password_among_the_parameters_of_a_url_is_one_too(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest], url: str
) -> None:
    """SQLAlchemy takes it from there as well."""
    api.takes_jobs()
    RayLauncher(api.name).submit(ask(url))
    assert "hunter2" not in json.dumps(api.asked)


def test_nothing_secret_is_left_of_a_job_that_was_refused(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest]
) -> None:
    """The file is deleted again."""
    api.answers["POST /api/jobs/"] = lambda: (400, "ValueError: no")
    request = ask(SECRET)
    with pytest.raises(ExecutionError):
        RayLauncher(api.name).submit(request)
    assert list(request.log.parent.iterdir()) == []


def test_without_a_password_no_shared_file_system_is_needed(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest]
) -> None:
    """The variables go with the job, as its metadata; the command line says nothing of the workspace."""
    api.takes_jobs()
    request = ask()

    RayLauncher(api.name).submit(request)

    ((_, _, body),) = api.asked
    assert json.loads(body["metadata"]["pipeline_widgets"]) == request.environment
    assert "lab.db" not in body["entrypoint"]
    assert "runtime_env" not in body
    assert not request.log.parent.exists()


@pytest.mark.spec("11.2")
def test_resources_become_those_of_the_entrypoint(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest]
) -> None:
    """What Ray has no name for is an amount of a custom resource."""
    api.takes_jobs()
    RayLauncher(api.name).submit(ask(cpu=4, gpu=1, memory="2 GiB", a100=1))
    body = api.asked[0][2]
    assert (body["entrypoint_num_cpus"], body["entrypoint_num_gpus"]) == (4, 1)
    assert (body["entrypoint_memory"], body["entrypoint_resources"]) == (2 * 1024**3, {"a100": 1.0})


@pytest.mark.parametrize(
    ("resources", "words"),
    [({"time": "2 h"}, "no time limit"), ({"partition": "a"}, "cpu, gpu, memory"), ({"a100": 0}, "a100")],
)
def test_what_ray_cannot_give_is_refused_before_anything_is_sent(
    api: FakeJobsApi, ask: Callable[..., LaunchRequest], resources: dict[str, Any], words: str
) -> None:
    """The error names what there is."""
    with pytest.raises(ExecutionError, match=words):
        RayLauncher(api.name).submit(ask(**resources))
    assert api.asked == []


@pytest.mark.parametrize(
    ("told", "state", "reason", "code"),
    [
        ({"status": "RUNNING", "message": "Job is currently running."}, JobState.AT_WORK, "RUNNING", None),
        ({"status": "SUCCEEDED", "driver_exit_code": 0}, JobState.ENDED, "SUCCEEDED", 0),
        (
            {"status": "STOPPED", "message": "Job was intentionally stopped."},
            JobState.ENDED,
            "STOPPED: Job was intentionally stopped",
            None,
        ),
        ({"status": "FAILED", "driver_exit_code": -9, "message": KILLED}, JobState.ENDED, "FAILED", -9),
        ({"status": "FAILED", "message": LOST}, JobState.ENDED, f"FAILED: {LOST_WORDS}", None),
    ],
)  # fmt: skip
def test_how_a_job_has_ended_is_said_in_rays_words_without_its_log(
    api: FakeJobsApi, told: dict[str, Any], state: JobState, reason: str, code: int | None
) -> None:
    """A job's log can have 20,000 letters, and is asked for by itself."""
    api.knows("x", **told, driver_agent_http_address="http://10.0.0.7:52365")
    observed = RayLauncher(api.name).status("x")
    assert (observed.state, observed.reason, observed.exit_code) == (state, reason, code)
    assert observed.hosts == ("10.0.0.7",)


def test_a_job_that_waits_says_for_what_and_what_is_in_use(api: FakeJobsApi) -> None:
    """A GPU that nobody has is seen at once, and not when Ray gives up."""
    api.knows("x", status="PENDING", message=(
        "Job has not started yet. It may be waiting for resources (CPUs, GPUs) to become available."
    ))  # fmt: skip
    usage = {"data": {"clusterStatus": {"loadMetricsReport": {"usage": {"CPU": [3.0, 4.0]}}}}}
    api.answers["GET /api/cluster_status"] = lambda: (200, json.dumps(usage))

    observed = RayLauncher(api.name).status("x")

    assert observed.state is JobState.WAITING
    assert observed.reason == "resources (CPUs, GPUs) to become available (3 of 4 CPUs in use, no GPUs)"


TIMEOUT = (
    "Job supervisor actor failed to start within 900.0 seconds. This timeout can be configured by setting "
    "the environment variable RAY_JOB_START_TIMEOUT_SECONDS."
)


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        ({"message": TIMEOUT, "error_type": "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"}, True),
        ({"message": TIMEOUT}, True),
        ({"message": LOST, "error_type": "JOB_SUPERVISOR_ACTOR_DIED"}, False),
        ({"message": KILLED, "driver_exit_code": -9}, False),
    ],
)
def test_a_job_that_ray_has_failed_since_it_waited_is_told_from_one_that_failed(
    api: FakeJobsApi,
    told: dict[str, Any],
    waited: bool,  # noqa: FBT001  a parameter of the table above
) -> None:
    """By the type of its error, and by its words where an older Ray has no types."""
    api.knows("x", status="FAILED", **told)
    observed = RayLauncher(api.name).status("x")
    assert (observed.state, observed.has_waited_too_long) == (JobState.ENDED, waited)


def test_a_job_that_waits_is_taken_out_of_the_queue_by_another_job(
    api: FakeJobsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told to stop may begin for a moment; only what stays in the queue is taken out, once."""
    monkeypatch.setattr(ray, "BEGINS_WITHIN", 0.3)
    api.takes_jobs()
    api.answers["POST /api/jobs/x/stop"] = lambda: (200, '{"stopped": true}')
    api.knows("x", status="PENDING")
    launcher = RayLauncher(api.name)

    launcher.stop("x")
    api.answers["POST /api/jobs/"] = lambda: (500, "ValueError: Job x-cancel already exists.")
    launcher.stop("x")
    api.knows("x", status="STOPPED")
    launcher.stop("x")

    given = [body for method, path, body in api.asked if (method, path) == ("POST", "/api/jobs/")]
    assert [body["submission_id"] for body in given] == ["x-cancel", "x-cancel"]
    assert "entrypoint_num_cpus" not in given[0]  # it asks for nothing, and so waits for nothing


def test_a_job_that_ray_has_forgotten_is_unknown_and_left_alone(api: FakeJobsApi) -> None:
    """A head that was restarted without Redis knows none of its jobs."""
    launcher = RayLauncher(api.name)
    launcher.stop("x")
    assert launcher.status("x").state is JobState.UNKNOWN
    assert launcher.logs("x") == ""


def test_a_log_in_page_where_a_head_should_be_is_no_answer(api: FakeJobsApi) -> None:
    """A proxy may answer with a page of its own, and with success."""
    api.answers["GET /api/jobs/x"] = api.answers["GET /api/version"] = lambda: (200, "<html>Log in</html>")
    launcher = RayLauncher(api.name)
    assert launcher.status("x").state is JobState.UNKNOWN
    with pytest.raises(ExecutionError, match="does not answer as it should"):
        launcher.describe()


def test_the_token_of_a_cluster_is_sent_as_rays_own_client_sends_it(
    api: FakeJobsApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From RAY_AUTH_TOKEN, or the file that RAY_AUTH_TOKEN_PATH names; a refusal says so."""
    api.answers["GET /api/version"] = lambda: (401, "Unauthorized: Missing authentication token")
    launcher = RayLauncher(api.name)
    with pytest.raises(ExecutionError, match="Set RAY_AUTH_TOKEN"):
        launcher.describe()
    (tmp_path / "token").write_text("abc\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_JOB_HEADERS", '{"X-Team": "a"}')

    launcher.status("x")

    assert (api.headers[-1]["Authorization"], api.headers[-1]["X-Team"]) == ("Bearer abc", "a")


def test_the_log_of_a_job_has_its_last_lines_without_rays_own(api: FakeJobsApi) -> None:
    """Ray writes the command line of a job into its log, and why it has failed it."""
    log = (
        "2026-11-28 21:12:36,579\tINFO job_manager.py:581 -- Runtime env is setting up.\n"
        "Running entrypoint for job x: exec python\none\ntwo\nthree\n"
    )
    why = "Job supervisor actor died: of this"
    api.answers["GET /api/jobs/x/logs"] = lambda: (200, json.dumps({"logs": log + why}))
    api.knows("x", status="FAILED", message=why)
    launcher = RayLauncher(api.name)
    assert (launcher.logs("x"), launcher.logs("x", 2)) == ("one\ntwo\nthree", "two\nthree")


START = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
sys.executable = sys.argv.pop(1)
from pipeline_widgets.execution import ray_entrypoint
ray_entrypoint.main()
"""


def start_job(tmp_path: Path, script: str, metadata: dict[str, str], **more: str) -> subprocess.Popen[bytes]:
    """Start what a job of Ray starts, with a script in the place of the interpreter that follows."""
    interpreter = tmp_path / "interpreter"
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    interpreter.chmod(0o755)
    config = json.dumps({"runtime_env": {}, "metadata": metadata})
    return subprocess.Popen(
        [sys.executable, "-c", START, str(interpreter), "supervise", "12"],
        env={**os.environ, "RAY_JOB_CONFIG_JSON_ENV_VAR": config, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_a_job_becomes_the_process_that_was_launched_in_its_environment(tmp_path: Path) -> None:
    """Nothing of the run in which somebody has started the node, no breakpoint that waits for a client."""
    blocked = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    script = f'echo "$@"; env; exec {sys.executable} -c "{blocked}"'
    metadata = {"pipeline_widgets": json.dumps({"PIPELINE_WIDGETS_URL": "sqlite:////x"})}
    of_ray = {"PYTHONBREAKPOINT": "ray.util.rpdb.set_trace", "RAY_ADDRESS": "here:1"}
    job = start_job(tmp_path, script, metadata, PIPELINE_WIDGETS_RUN="of another", **of_ray)
    said = job.communicate(timeout=30)[0].decode().splitlines()
    assert said[0] == "-P -m pipeline_widgets supervise 12"
    assert {"PIPELINE_WIDGETS_URL=sqlite:////x", "RAY_ADDRESS=here:1"} <= {*said}
    assert not [line for line in said if line.startswith(("PYTHONBREAKPOINT", "PIPELINE_WIDGETS_RUN"))]
    assert said[-1] == "set()"


def test_the_file_with_the_password_is_deleted_by_the_job(tmp_path: Path) -> None:
    """Once it was read, nobody needs it."""
    path = tmp_path / "job.environment"
    path.write_text(json.dumps({"PIPELINE_WIDGETS_URL": SECRET}))
    job = start_job(tmp_path, "env", {"pipeline_widgets_file": str(path)})
    assert f"PIPELINE_WIDGETS_URL={SECRET}" in job.communicate(timeout=30)[0].decode().splitlines()
    assert not path.exists()


@pytest.mark.spec("11.2")
def test_a_node_that_does_not_see_the_file_says_what_to_do(tmp_path: Path) -> None:
    """The job ends before it has begun, and its log names libpq's own ways."""
    job = start_job(tmp_path, "env", {"pipeline_widgets_file": str(tmp_path / "elsewhere")})
    said = job.communicate(timeout=30)[0].decode()
    assert job.returncode == 1
    assert re.search(r"cannot start on .* has a password.*Share that folder.*~/\.pgpass.*PGPASSFILE", said)
    assert "Traceback" not in said


@pytest.mark.spec("11.2")
def test_what_a_killed_job_has_detached_is_ended_by_its_guard(tmp_path: Path) -> None:
    """Ray kills what it sees below a job; what is in sessions of its own, and has no parent, would go on."""
    script = f"""
    setsid sh -c 'echo $$ > {tmp_path}/detached; exec sleep 300' &
    wait $!; sleep 300
    """
    launch = os.urandom(16).hex()
    metadata = {"pipeline_widgets": json.dumps({"PIPELINE_WIDGETS_LAUNCH": launch})}
    with start_job(tmp_path, script, metadata) as job:
        until(lambda: (tmp_path / "detached").exists() and bool((tmp_path / "detached").read_text()))
        detached = int((tmp_path / "detached").read_text())
        assert alive(detached)

        job.kill()

        until(lambda: not alive(detached), timeout=20)
        assert job.stdout is not None
        assert job.stdout.read() == b""  # the guard holds no file of the job
